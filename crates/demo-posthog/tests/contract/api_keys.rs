use demo_posthog::{ApiKeyOptions, Reach};
use serde_json::json;

use crate::harness::{Harness, denied};

const CURRENT: &str = "/api/personal_api_keys/@current/";

#[tokio::test]
async fn a_key_tells_what_it_may_do_without_a_scope() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions {
        scopes: "project:read".to_owned(),
        scoped_teams: vec![12],
        ..ApiKeyOptions::default()
    });
    let body = harness.get(&key, CURRENT).await.json();
    assert_eq!(
        (&body["scopes"], &body["scoped_teams"]),
        (&json!(["project:read"]), &json!([12]))
    );
    assert_eq!(
        (&body["value"], &body["user_id"]),
        (&json!(null), &json!(1))
    );
    assert_eq!(
        body["mask_value"],
        format!("phx_...{}", &key[key.len() - 4..])
    );
}

#[tokio::test]
async fn an_oauth_token_is_no_key_and_a_deleted_key_is_none_either() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    assert_eq!(harness.get(&signed.access_token, CURRENT).await.status, 401);
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    harness.us().delete_api_key(&key);
    assert_eq!(harness.get(&key, CURRENT).await.status, 401);
}

#[tokio::test]
async fn an_organization_may_forbid_keys_and_spares_oauth() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    let signed = harness.signed_in(Reach::All);
    let organization = harness.us().world().organizations[0].clone();
    harness.us().forbid_api_keys(&organization.id);
    let path = format!("/api/organizations/{}/projects/", organization.id);
    let seen = harness.get(&key, &path).await;
    let detail = seen.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(seen.status, 403);
    assert!(
        detail.starts_with("Organization 'Burrow Labs' does not allow using personal API keys."),
        "{detail}"
    );
    assert_eq!(harness.get(&signed.access_token, &path).await.status, 200);
}

#[tokio::test]
async fn a_key_may_not_skip_rows_and_oauth_may() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    let signed = harness.signed_in(Reach::All);
    let body = json!({"query": {"kind": "HogQLQuery", "query": "SELECT event FROM events ORDER BY timestamp LIMIT 1 OFFSET 1"}});
    let refused = harness.post(&key, "/api/projects/19/query/", &body).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .text
            .contains("OFFSET is not supported on queries made with a personal API key")
    );
    assert_eq!(
        harness
            .post(&signed.access_token, "/api/projects/19/query/", &body)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_key_is_throttled_and_told_for_how_long() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    for _ in 0..480 {
        assert_eq!(harness.get(&key, CURRENT).await.status, 200);
    }
    let seen = harness.get(&key, CURRENT).await;
    assert_eq!((seen.status, seen.header("retry-after")), (429, "60"));
    assert_eq!(
        seen.json()["detail"],
        "Request was throttled. Expected available in 60 seconds."
    );
}

#[tokio::test]
async fn a_key_for_projects_is_refused_on_lists() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions {
        scoped_teams: vec![12],
        ..ApiKeyOptions::default()
    });
    let seen = harness.get(&key, "/api/projects/").await;
    let detail = "API keys with scoped projects are only supported on project-based endpoints.";
    assert_eq!((seen.status, seen.json()), (403, denied(detail)));
    assert_eq!(harness.get(&key, "/api/projects/12/").await.status, 200);
}

#[tokio::test]
async fn at_an_old_server_a_key_cannot_ask_about_itself() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    for status in [401, 403, 404] {
        harness.us().change_behaviour(|behaviour| {
            behaviour.keys_cannot_ask = Some(status);
        });
        assert_eq!(harness.get(&key, CURRENT).await.status, status);
    }
    assert_eq!(harness.get(&key, "/api/projects/").await.status, 200);
}

#[tokio::test]
async fn a_person_and_a_list_may_have_megabytes() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    let usual = harness.get(&key, "/api/users/@me/").await.text.len();
    assert!(usual > 16 * 1024, "{usual}");
    harness.us().change_behaviour(|behaviour| {
        behaviour.longer_organizations = 2_000_000;
    });
    for path in ["/api/users/@me/", "/api/organizations/"] {
        let length = harness.get(&key, path).await.text.len();
        assert!(length > 2_000_000, "{path}: {length}");
    }
}
