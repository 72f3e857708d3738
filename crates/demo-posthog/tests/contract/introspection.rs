use demo_posthog::Reach;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Harness, SCOPES, Seen};

async fn introspect(harness: &Harness, bearer: &str, token: &str) -> Seen {
    let request = harness
        .request(Method::POST, "/oauth/introspect/")
        .bearer_auth(bearer);
    harness.send(request.form(&[("token", token)])).await
}

#[tokio::test]
async fn a_token_introspects_itself_without_a_scope() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::Projects(vec![11]));
    let body = introspect(&harness, &signed.access_token, &signed.access_token)
        .await
        .json();
    assert_eq!(
        body,
        json!({
            "active": true, "token_type": "access_token", "scope": SCOPES, "is_impersonated": false,
            "scoped_teams": [11], "scoped_organizations": [],
            "exp": harness.us().now().as_second() + 604_800,
            "client_id": signed.client_id, "client_name": "A program",
        })
    );
}

#[tokio::test]
async fn an_expired_one_is_inactive_and_a_revoked_one_is_refused_without_a_word() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    harness.us().expire_access_tokens();
    let expired = introspect(&harness, &signed.access_token, &signed.access_token).await;
    assert_eq!(
        (expired.status, expired.json()),
        (200, json!({"active": false}))
    );
    harness.us().revoke_all();
    let revoked = introspect(&harness, &signed.access_token, &signed.access_token).await;
    assert_eq!((revoked.status, revoked.text.as_str()), (403, ""));
}

#[tokio::test]
async fn other_tokens_need_the_scope_and_the_same_client() {
    let harness = Harness::start().await;
    let plain = harness.signed_in(Reach::All);
    assert_eq!(
        introspect(&harness, &plain.access_token, &plain.refresh_token)
            .await
            .status,
        403
    );
    let curious = harness
        .us()
        .sign_in_directly(1, Reach::All, "openid introspection", false);
    let own = introspect(&harness, &curious.access_token, &curious.refresh_token)
        .await
        .json();
    assert_eq!(
        (&own["active"], &own["token_type"]),
        (&json!(true), &json!("refresh_token"))
    );
    let foreign = introspect(&harness, &curious.access_token, &plain.refresh_token)
        .await
        .json();
    assert_eq!(foreign, json!({"active": false}));
}
