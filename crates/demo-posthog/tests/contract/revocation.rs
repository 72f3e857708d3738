use std::time::Duration;

use demo_posthog::{Reach, SignedIn};
use serde_json::json;

use crate::harness::{Harness, SCOPES};

async fn revoke(harness: &Harness, client: &str, token: &str) -> (u16, String) {
    let seen = harness
        .form("/oauth/revoke/", &[("token", token), ("client_id", client)])
        .await;
    (seen.status, seen.text)
}

async fn api(harness: &Harness, signed: &SignedIn) -> u16 {
    harness
        .get(&signed.access_token, "/api/organizations/")
        .await
        .status
}

#[tokio::test]
async fn a_refresh_token_of_a_dynamic_client_takes_every_sign_in_with_it() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    let body = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    let other_app = harness.signed_in(Reach::All);
    assert_eq!(
        revoke(&harness, &signed.client_id, &signed.refresh_token).await,
        (200, String::new())
    );
    assert_eq!(api(&harness, &signed).await, 401);
    let second = body["access_token"].as_str().unwrap();
    assert_eq!(harness.get(second, "/api/organizations/").await.status, 401);
    assert_eq!(
        harness
            .refresh(&signed.client_id, &signed.refresh_token)
            .await
            .status,
        400
    );
    assert_eq!(api(&harness, &other_app).await, 200);
}

#[tokio::test]
async fn an_access_token_dies_alone() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    assert_eq!(
        revoke(&harness, &signed.client_id, &signed.access_token)
            .await
            .0,
        200
    );
    assert_eq!(api(&harness, &signed).await, 401);
    assert_eq!(
        harness
            .refresh(&signed.client_id, &signed.refresh_token)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_refresh_token_of_a_client_made_by_hand_still_refreshes_within_the_grace() {
    let harness = Harness::start().await;
    for (wait, status) in [(60, 200), (121, 400)] {
        let signed = harness.us().sign_in_directly(1, Reach::All, SCOPES, true);
        assert_eq!(
            revoke(&harness, &signed.client_id, &signed.refresh_token)
                .await
                .0,
            200
        );
        assert_eq!(api(&harness, &signed).await, 401);
        harness.us().advance_clock(Duration::from_secs(wait));
        let seen = harness
            .refresh(&signed.client_id, &signed.refresh_token)
            .await;
        assert_eq!(seen.status, status, "after {wait} seconds");
    }
}

#[tokio::test]
async fn a_token_that_is_not_the_clients_is_a_success_without_effect() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    let other = harness.client().await;
    assert_eq!(
        revoke(&harness, &other, "phr_unknown").await,
        (200, String::new())
    );
    assert_eq!(revoke(&harness, &other, &signed.refresh_token).await.0, 200);
    assert_eq!(api(&harness, &signed).await, 200);
}

#[tokio::test]
async fn only_a_form_with_a_token_of_a_known_client_is_read() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    let body = json!({"token": signed.refresh_token, "client_id": signed.client_id});
    let as_json = harness
        .send(
            harness
                .request(reqwest::Method::POST, "/oauth/revoke/")
                .json(&body),
        )
        .await;
    assert_eq!(
        (as_json.status, &as_json.json()["error"]),
        (400, &json!("invalid_request"))
    );
    assert_eq!(
        revoke(&harness, "nobody", &signed.refresh_token).await.0,
        401
    );
    let get = harness
        .send(harness.request(reqwest::Method::GET, "/oauth/revoke/"))
        .await;
    assert_eq!(get.status, 405);
    assert_eq!(api(&harness, &signed).await, 200);
}
