use demo_posthog::{Demo, Options, Reach, Size};
use serde_json::Value;

use crate::harness::{Harness, denied};

fn names(body: &Value) -> Vec<&str> {
    let results = body["results"].as_array().unwrap();
    results
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_list_follows_the_reach_and_the_person() {
    let harness = Harness::start().await;
    let [burrow, thistle] = &harness.us().world().organizations[..] else {
        panic!("two organizations");
    };
    let list = async |token: String| harness.get(&token, "/api/organizations/").await.json();
    assert_eq!(
        names(&list(harness.signed_in(Reach::All).access_token).await),
        ["Burrow Labs", "Thistle & Co"]
    );
    let one = harness.signed_in(Reach::Organizations(vec![thistle.id.clone()]));
    assert_eq!(
        names(&list(one.access_token.clone()).await),
        ["Thistle & Co"]
    );
    let out = harness
        .get(
            &one.access_token,
            &format!("/api/organizations/{}/", burrow.id),
        )
        .await;
    assert_eq!(
        (out.status, out.json()["detail"].as_str()),
        (404, Some("Not found."))
    );
    let grace = harness
        .us()
        .sign_in_directly(2, Reach::All, "organization:read", false);
    assert_eq!(names(&list(grace.access_token).await), ["Burrow Labs"]);
}

#[tokio::test]
async fn a_token_for_projects_is_refused_on_every_organization_address() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::Projects(vec![11]));
    let id = harness.us().world().organizations[0].id.clone();
    let detail = "API keys with scoped projects are only supported on project-based endpoints.";
    for path in [
        "/api/organizations/".to_owned(),
        "/api/organizations/@current/".to_owned(),
        format!("/api/organizations/{id}/"),
        format!("/api/organizations/{id}/projects/"),
    ] {
        let seen = harness.get(&signed.access_token, &path).await;
        assert_eq!((seen.status, seen.json()), (403, denied(detail)), "{path}");
    }
}

#[tokio::test]
async fn the_current_organization_may_be_out_of_reach() {
    let harness = Harness::start().await;
    let [burrow, thistle] = &harness.us().world().organizations[..] else {
        panic!("two organizations");
    };
    let signed = harness.signed_in(Reach::Organizations(vec![thistle.id.clone()]));
    let seen = harness
        .get(&signed.access_token, "/api/organizations/@current/")
        .await;
    let detail = format!(
        "API key does not have access to the requested organization: ID {}.",
        burrow.id
    );
    assert_eq!((seen.status, seen.json()), (403, denied(&detail)));
}

#[tokio::test]
async fn an_organization_can_be_made_to_refuse_and_the_rest_goes_on() {
    let harness = Harness::start().await;
    let [burrow, thistle] = &harness.us().world().organizations[..] else {
        panic!("two organizations");
    };
    let signed = harness.signed_in(Reach::All);
    let projects = |id: &str| format!("/api/organizations/{id}/projects/");
    harness.us().forbid_organization(&burrow.id);
    harness.us().fail_organization(&thistle.id, 500);
    assert_eq!(
        harness
            .get(&signed.access_token, &projects(&burrow.id))
            .await
            .status,
        403
    );
    assert_eq!(
        harness
            .get(&signed.access_token, "/api/projects/11/")
            .await
            .status,
        403
    );
    assert_eq!(
        harness
            .get(&signed.access_token, &projects(&thistle.id))
            .await
            .status,
        500
    );
    assert_eq!(
        names(
            &harness
                .get(&signed.access_token, "/api/organizations/")
                .await
                .json()
        )
        .len(),
        2
    );
    harness.us().heal();
    assert_eq!(
        harness
            .get(&signed.access_token, &projects(&burrow.id))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn two_thousand_projects_come_in_pages_with_absolute_addresses() {
    let size = Size::Large {
        organizations: 50,
        projects_each: 120,
    };
    let harness = Harness::start_with(Options {
        size,
        ..Options::default()
    })
    .await;
    let signed = harness.signed_in(Reach::All);
    let organizations = harness
        .get(&signed.access_token, "/api/organizations/?limit=1000")
        .await
        .json();
    assert_eq!(organizations["results"].as_array().unwrap().len(), 50);
    assert_eq!(organizations["next"], Value::Null);
    let id = organizations["results"][7]["id"].as_str().unwrap();
    let path = format!("/api/organizations/{id}/projects/");
    let first = harness.get(&signed.access_token, &path).await.json();
    assert_eq!(
        (
            first["count"].as_u64(),
            first["results"].as_array().unwrap().len()
        ),
        (Some(120), 100)
    );
    let next = format!("{}{path}?limit=100&offset=100", harness.us().address());
    assert_eq!(first["next"], next);
    let second = harness
        .get(
            &signed.access_token,
            &format!("{path}?limit=100&offset=100"),
        )
        .await
        .json();
    assert_eq!(second["results"].as_array().unwrap().len(), 20);
    assert_eq!(
        second["previous"],
        format!("{}{path}?limit=100", harness.us().address())
    );
}

#[tokio::test]
async fn both_regions_together_are_a_world_worth_looking_at() {
    let demo = Demo::start(Options::default()).await.unwrap();
    let worlds = [demo.us().world(), demo.eu().world()];
    let projects: Vec<_> = worlds.iter().flat_map(|world| &world.projects).collect();
    let mut zones: Vec<_> = projects.iter().map(|project| &project.time_zone).collect();
    zones.sort();
    zones.dedup();
    assert_eq!(
        worlds
            .iter()
            .map(|world| world.organizations.len())
            .sum::<usize>(),
        4
    );
    assert_eq!(projects.len(), 16);
    assert!(zones.len() >= 8);
    assert!(projects.iter().any(|project| project.visitors == 0));
    assert!(
        projects
            .iter()
            .any(|project| project.name.chars().count() > 80)
    );
    assert_ne!(worlds[0].people, worlds[1].people);
    assert_ne!(demo.us().address(), demo.eu().address());
}
