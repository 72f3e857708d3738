use serde_json::{Value, json};

use crate::harness::Harness;

fn asked(changes: &Value) -> Value {
    let mut body =
        json!({"client_name": "PocketHog", "redirect_uris": ["http://127.0.0.1/callback"]});
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn a_public_client_gets_an_id_and_no_secret() {
    let harness = Harness::start().await;
    let seen = harness.register(&asked(&json!({}))).await;
    let body = seen.json();
    assert_eq!(seen.status, 201);
    assert_eq!(body["client_id"].as_str().unwrap().len(), 40);
    assert_eq!(body["token_endpoint_auth_method"], "none");
    assert_eq!(body["grant_types"], json!(["authorization_code"]));
    for absent in ["client_secret", "scope", "registration_access_token"] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn a_confidential_client_gets_a_secret_that_does_not_expire() {
    let harness = Harness::start().await;
    let method = json!({"token_endpoint_auth_method": "client_secret_post"});
    let body = harness.register(&asked(&method)).await.json();
    assert_eq!(body["client_secret_expires_at"], 0);
    assert!(body["client_secret"].is_string());
}

#[tokio::test]
async fn a_scope_member_becomes_the_ceiling_without_openid() {
    let harness = Harness::start().await;
    let scope = json!({"scope": "openid query:read galaxy:read"});
    assert_eq!(
        harness.register(&asked(&scope)).await.json()["scope"],
        "query:read"
    );
    let nothing = harness
        .register(&asked(&json!({"scope": "galaxy:read"})))
        .await;
    assert_eq!(
        (nothing.status, &nothing.json()["error"]),
        (400, &json!("invalid_client_metadata"))
    );
}

#[tokio::test]
async fn names_that_pretend_are_refused() {
    let harness = Harness::start().await;
    for name in [
        "PostHog app",
        "posthog",
        "An Official one",
        "trusted",
        "Verified!",
        &"x".repeat(256),
    ] {
        let seen = harness
            .register(&asked(&json!({"client_name": name})))
            .await;
        assert_eq!(seen.status, 400, "{name}");
        assert_eq!(seen.json()["error"], "invalid_client_metadata");
    }
}

#[tokio::test]
async fn redirect_addresses_have_rules() {
    let harness = Harness::start().await;
    for body in [
        json!({}),
        json!({"redirect_uris": []}),
        json!({"redirect_uris": "x"}),
    ] {
        let seen = harness.register(&body).await;
        assert_eq!(seen.status, 400, "{body}");
        assert_eq!(seen.json()["error"], "invalid_client_metadata", "{body}");
    }
    for addresses in [
        json!(["http://example.com/callback"]),
        json!(["javascript:alert(1)"]),
        json!(["https://example.com/#fragment"]),
        json!(["https://example.com/a b"]),
    ] {
        let seen = harness
            .register(&asked(&json!({"redirect_uris": addresses})))
            .await;
        assert_eq!(seen.status, 400, "{addresses}");
        assert_eq!(seen.json()["error"], "invalid_redirect_uri", "{addresses}");
    }
    for address in [
        "com.example.app:/oauth",
        "https://example.com/callback",
        "http://[::1]/callback",
    ] {
        let seen = harness
            .register(&asked(&json!({"redirect_uris": [address]})))
            .await;
        assert_eq!(seen.status, 201, "{address}");
    }
}

#[tokio::test]
async fn the_sixty_first_registration_of_a_minute_waits() {
    let harness = Harness::start().await;
    for _ in 0..60 {
        assert_eq!(harness.register(&asked(&json!({}))).await.status, 201);
    }
    let seen = harness.register(&asked(&json!({}))).await;
    assert_eq!((seen.status, seen.header("retry-after")), (429, "60"));
    assert_eq!(seen.json()["code"], "throttled");
}
