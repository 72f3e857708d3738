use demo_posthog::Reach;
use serde_json::{Value, json};

use crate::harness::{Harness, denied, error};

fn ids(body: &Value) -> Vec<u64> {
    let results = body["results"].as_array().unwrap();
    results
        .iter()
        .map(|item| item["id"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_project_is_there_denied_or_missing_by_reach_and_membership() {
    let harness = Harness::start().await;
    let few = harness.signed_in(Reach::Projects(vec![11]));
    let listed = harness
        .get(&few.access_token, "/api/projects/11/")
        .await
        .json();
    assert_eq!(
        (&listed["name"], &listed["timezone"]),
        (&json!("Burrow Docs"), &json!("America/New_York"))
    );
    assert_eq!(listed["week_start_day"], 1);
    let other = harness.get(&few.access_token, "/api/projects/12/").await;
    let detail = "API key does not have access to the requested project: ID 12.";
    assert_eq!((other.status, other.json()), (403, denied(detail)));
    let organization = harness.us().world().organizations[0].id.clone();
    let burrow = harness.signed_in(Reach::Organizations(vec![organization]));
    assert_eq!(
        harness
            .get(&burrow.access_token, "/api/projects/15/")
            .await
            .status,
        404
    );
    let grace = harness
        .us()
        .sign_in_directly(2, Reach::All, "project:read", false);
    assert_eq!(
        harness
            .get(&grace.access_token, "/api/projects/15/")
            .await
            .status,
        404
    );
    for missing in ["/api/projects/999/", "/api/projects/abc/"] {
        assert_eq!(
            harness.get(&burrow.access_token, missing).await.status,
            404,
            "{missing}"
        );
    }
}

#[tokio::test]
async fn the_lists_cover_all_organizations_or_one() {
    let harness = Harness::start().await;
    let [burrow, thistle] = &harness.us().world().organizations[..] else {
        panic!("two organizations");
    };
    let all = harness.signed_in(Reach::All);
    assert_eq!(
        ids(&harness
            .get(&all.access_token, "/api/projects/")
            .await
            .json())
        .len(),
        9
    );
    let found = harness
        .get(&all.access_token, "/api/projects/?search=KIWI")
        .await
        .json();
    assert_eq!(ids(&found), [19]);
    let burrow_only = harness.signed_in(Reach::Organizations(vec![burrow.id.clone()]));
    assert_eq!(
        ids(&harness
            .get(&burrow_only.access_token, "/api/projects")
            .await
            .json()),
        [11, 12, 13, 14]
    );
    let path = format!("/api/organizations/{}/projects/", thistle.id);
    let seen = harness.get(&burrow_only.access_token, &path).await;
    let detail = format!(
        "API key does not have access to the requested organization: ID {}.",
        thistle.id
    );
    assert_eq!((seen.status, seen.json()), (403, denied(&detail)));
}

#[tokio::test]
async fn below_a_project_the_texts_differ() {
    let harness = Harness::start().await;
    let below = |id: &str| format!("/api/projects/{id}/annotations/");
    let all = harness.signed_in(Reach::All);
    for id in ["999", "abc"] {
        let seen = harness.get(&all.access_token, &below(id)).await;
        assert_eq!(
            (seen.status, seen.json()),
            (
                404,
                error("invalid_request", "not_found", "Project not found.")
            )
        );
    }
    let thistle = &harness.us().world().organizations[1].id;
    let burrow = harness.us().world().organizations[0].id.clone();
    let burrow = harness.signed_in(Reach::Organizations(vec![burrow]));
    let out = harness.get(&burrow.access_token, &below("15")).await;
    let detail =
        format!("API key does not have access to the requested organization: ID {thistle}.");
    assert_eq!(out.json(), denied(&detail));
    let grace = harness
        .us()
        .sign_in_directly(2, Reach::All, "annotation:read", false);
    let foreign = harness.get(&grace.access_token, &below("15")).await;
    assert_eq!(
        foreign.json(),
        denied("You don't have access to the project.")
    );
}

#[tokio::test]
async fn one_project_can_be_made_to_fail() {
    let harness = Harness::start().await;
    let all = harness.signed_in(Reach::All);
    harness.us().fail_project(12, 503);
    let seen = harness.get(&all.access_token, "/api/projects/12/").await;
    assert_eq!((seen.status, seen.header("retry-after")), (503, "1"));
    assert_eq!(
        harness
            .get(&all.access_token, "/api/projects/11/")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_current_organization_decides_where_an_address_names_none() {
    let harness = Harness::start().await;
    let [burrow, thistle] = &harness.us().world().organizations[..] else {
        panic!("two organizations");
    };
    let signed = harness.signed_in(Reach::Organizations(vec![thistle.id.clone()]));
    let detail = format!(
        "API key does not have access to the requested organization: ID {}.",
        burrow.id
    );
    for path in ["/api/projects/", "/api/projects/15/"] {
        let seen = harness.get(&signed.access_token, path).await;
        assert_eq!((seen.status, seen.json()), (403, denied(&detail)), "{path}");
    }
    let path = format!("/api/organizations/{}/projects/15/", thistle.id);
    assert_eq!(harness.get(&signed.access_token, &path).await.status, 200);
    harness.us().open_organization(1, &thistle.id);
    for path in ["/api/projects/", "/api/projects/15/"] {
        assert_eq!(harness.get(&signed.access_token, path).await.status, 200);
    }
}

#[tokio::test]
async fn an_organization_has_no_projects_for_somebody_who_is_no_member() {
    let harness = Harness::start().await;
    let thistle = &harness.us().world().organizations[1].id;
    let grace = harness
        .us()
        .sign_in_directly(2, Reach::All, "project:read", false);
    let path = format!("/api/organizations/{thistle}/projects/");
    let seen = harness.get(&grace.access_token, &path).await;
    assert_eq!((seen.status, &seen.json()["results"]), (200, &json!([])));
}

#[tokio::test]
async fn an_organization_may_want_verified_domains() {
    let harness = Harness::start().await;
    let thistle = &harness.us().world().organizations[1].id;
    let all = harness.signed_in(Reach::All);
    harness.us().require_verified_domain(thistle);
    for path in [
        format!("/api/organizations/{thistle}/"),
        format!("/api/organizations/{thistle}/projects/"),
        "/api/projects/15/annotations/".to_owned(),
    ] {
        let seen = harness.get(&all.access_token, &path).await;
        assert_eq!(
            (seen.status, &seen.json()["code"]),
            (403, &json!("verified_domain_required")),
            "{path}"
        );
    }
    assert_eq!(
        harness
            .get(&all.access_token, "/api/projects/")
            .await
            .status,
        200
    );
}
