use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use demo_posthog::{Consent, Reach, SignedIn};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};

use crate::harness::{Harness, SCOPES, exchange, part};

fn invalid_grant() -> Value {
    json!({"error": "invalid_grant"})
}

/// The status of the API for a token.
async fn api(harness: &Harness, token: &str) -> u16 {
    harness.get(token, "/api/organizations/").await.status
}

fn rotating(harness: &Harness) -> SignedIn {
    harness.us().sign_in_directly(1, Reach::All, SCOPES, true)
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_buys_tokens_with_region_and_lifetime() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let seen = harness
        .exchange(&client, &harness.code(&client, &Consent::default()))
        .await;
    let body = seen.json();
    assert_eq!(
        (seen.status, seen.header("cache-control")),
        (200, "no-store")
    );
    assert_eq!(body["expires_in"], 604_800);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["posthog_region"], "us");
    assert_eq!(body["posthog_base_url"], harness.us().address());
    let access = text(&body, "access_token");
    assert!(access.starts_with("pha_") && access.len() == 47);
    assert!(text(&body, "refresh_token").starts_with("phr_"));
    assert_eq!(api(&harness, &access).await, 200);
}

#[tokio::test]
async fn json_is_taken_as_well_as_a_form_and_nested_values_are_not() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let code = harness.code(&client, &Consent::default());
    let nested = json!({"grant_type": "authorization_code", "code": {"a": 1}});
    let seen = harness
        .send(
            harness
                .request(reqwest::Method::POST, "/oauth/token/")
                .json(&nested),
        )
        .await;
    assert_eq!(
        (seen.status, &seen.json()["error"]),
        (400, &json!("invalid_request"))
    );
    let mut body: Value = exchange(&client, &code)
        .into_iter()
        .map(|(k, v)| (k.to_owned(), json!(v)))
        .collect();
    body["client_secret"] = Value::Null;
    let seen = harness
        .send(
            harness
                .request(reqwest::Method::POST, "/oauth/token/")
                .json(&body),
        )
        .await;
    assert_eq!(seen.status, 200);
}

#[tokio::test]
async fn a_code_serves_once_and_its_tokens_live_on() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let code = harness.code(&client, &Consent::default());
    let first = harness.exchange(&client, &code).await.json();
    let second = harness.exchange(&client, &code).await;
    assert_eq!((second.status, second.json()), (400, invalid_grant()));
    assert_eq!(api(&harness, &text(&first, "access_token")).await, 200);
}

#[tokio::test]
async fn a_code_lives_five_minutes() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let (young, old) = (
        harness.code(&client, &Consent::default()),
        harness.code(&client, &Consent::default()),
    );
    harness.us().advance_clock(Duration::from_secs(299));
    assert_eq!(harness.exchange(&client, &young).await.status, 200);
    harness.us().advance_clock(Duration::from_secs(1));
    assert_eq!(
        harness.exchange(&client, &old).await.json(),
        invalid_grant()
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_exchange_is_told() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let other = harness.client().await;
    let code = harness.code(&client, &Consent::default());
    let wrong =
        |error: &str, description: &str| json!({"error": error, "error_description": description});
    for (name, value, status, body) in [
        ("code_verifier", "x".repeat(43), 400, invalid_grant()),
        (
            "code_verifier",
            String::new(),
            400,
            wrong("invalid_request", "Code verifier required."),
        ),
        (
            "redirect_uri",
            "http://127.0.0.1:1/callback".to_owned(),
            400,
            wrong("invalid_request", "Mismatching redirect URI."),
        ),
        ("client_id", other, 400, invalid_grant()),
        (
            "client_id",
            "nobody".to_owned(),
            401,
            json!({"error": "invalid_client"}),
        ),
        (
            "grant_type",
            "device".to_owned(),
            400,
            json!({"error": "unsupported_grant_type"}),
        ),
        (
            "grant_type",
            "password".to_owned(),
            400,
            json!({"error": "invalid_request"}),
        ),
    ] {
        let mut form = exchange(&client, &code);
        for (known, current) in &mut form {
            if *known == name {
                *current = &value;
            }
        }
        let seen = harness.form("/oauth/token/", &form).await;
        assert_eq!((seen.status, seen.json()), (status, body), "{name}={value}");
        if status == 401 {
            assert_eq!(
                seen.header("www-authenticate"),
                "Bearer error=\"invalid_client\""
            );
        }
    }
    assert_eq!(
        harness.exchange(&client, &code).await.status,
        200,
        "the code is not used up by mistakes"
    );
}

#[tokio::test]
async fn a_dynamic_client_keeps_its_refresh_token_and_its_old_access_token() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    harness
        .us()
        .advance_clock(Duration::from_secs(3 * 24 * 3600));
    let body = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert_eq!(body["refresh_token"], signed.refresh_token);
    assert_ne!(body["access_token"], signed.access_token);
    assert_eq!(api(&harness, &signed.access_token).await, 200);
    assert_eq!(api(&harness, &text(&body, "access_token")).await, 200);
}

#[tokio::test]
async fn a_client_made_by_hand_rotates_and_its_old_access_token_dies_at_once() {
    let harness = Harness::start().await;
    let signed = rotating(&harness);
    let body = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert_eq!(body["expires_in"], 3600);
    assert_ne!(body["refresh_token"], signed.refresh_token);
    let old = harness
        .get(&signed.access_token, "/api/organizations/")
        .await;
    assert_eq!(
        (old.status, old.json()["detail"].as_str()),
        (401, Some("Invalid access token."))
    );
    assert_eq!(api(&harness, &text(&body, "access_token")).await, 200);
}

#[tokio::test]
async fn within_the_grace_the_used_token_brings_the_same_pair() {
    let harness = Harness::start().await;
    let signed = rotating(&harness);
    let first = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    harness.us().advance_clock(Duration::from_secs(120));
    let again = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    for same in ["access_token", "refresh_token", "expires_in"] {
        assert_eq!(first[same], again[same], "{same}");
    }
}

#[tokio::test]
async fn after_the_grace_the_used_token_ends_the_whole_family() {
    let harness = Harness::start().await;
    let signed = rotating(&harness);
    let next = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    harness.us().advance_clock(Duration::from_secs(121));
    let late = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await;
    assert_eq!((late.status, late.json()), (400, invalid_grant()));
    let successor = harness
        .refresh(&signed.client_id, &text(&next, "refresh_token"))
        .await;
    assert_eq!(successor.json(), invalid_grant());
    assert_eq!(api(&harness, &text(&next, "access_token")).await, 401);
}

#[tokio::test]
async fn a_refresh_token_of_another_client_is_refused() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    let other = harness.client().await;
    assert_eq!(
        harness.refresh(&other, &signed.refresh_token).await.json(),
        invalid_grant()
    );
    let unknown = harness.refresh("nobody", &signed.refresh_token).await;
    assert_eq!(
        (unknown.status, unknown.json()),
        (401, json!({"error": "invalid_client"}))
    );
    assert_eq!(
        harness
            .refresh(&signed.client_id, "phr_unknown")
            .await
            .json(),
        invalid_grant()
    );
}

#[tokio::test]
async fn a_scope_on_refresh_narrows_for_good_and_cannot_widen() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    let with = |scope: &'static str| {
        [
            ("grant_type", "refresh_token"),
            ("refresh_token", signed.refresh_token.as_str()),
            ("client_id", signed.client_id.as_str()),
            ("scope", scope),
        ]
    };
    let wider = harness.form("/oauth/token/", &with("insight:read")).await;
    assert_eq!(
        (wider.status, wider.json()),
        (400, json!({"error": "invalid_scope"}))
    );
    assert_eq!(
        harness
            .form("/oauth/token/", &with("query:read"))
            .await
            .json()["scope"],
        "query:read"
    );
    let next = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert_eq!(next["scope"], "query:read");
}

#[tokio::test]
async fn narrowed_scopes_show_at_the_next_refresh_and_none_left_ends_it() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    harness.us().narrow_all("project:read annotation:read");
    let body = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert_eq!(body["scope"], "openid profile project:read annotation:read");
    harness.us().narrow_all("");
    let seen = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await;
    assert_eq!(
        (seen.status, &seen.json()["error"]),
        (400, &json!("invalid_grant"))
    );
}

#[tokio::test]
async fn the_reach_outlives_refreshes() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::Projects(vec![12]));
    let body = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert_eq!(body["scoped_teams"], json!([12]));
}

#[tokio::test]
async fn id_tokens_are_signed_and_say_who_without_a_name() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let body = harness
        .exchange(&client, &harness.code(&client, &Consent::default()))
        .await
        .json();
    let token = text(&body, "id_token");
    let claims = part(&token, 1);
    let ada = &harness.us().world().people[0];
    let now = harness.us().now().as_second();
    assert_eq!(claims["iss"], harness.us().address());
    assert_eq!(claims["aud"], client);
    assert_eq!(claims["sub"], ada.uuid);
    assert_eq!(
        (&claims["given_name"], &claims["family_name"]),
        (&json!("Ada"), &json!("Lovelace"))
    );
    assert_eq!(
        (&claims["iat"], &claims["exp"]),
        (&json!(now), &json!(now + 36_000))
    );
    assert_eq!(claims["nonce"], "the nonce");
    for absent in ["name", "email", "preferred_username"] {
        assert!(claims.get(absent).is_none(), "{absent}");
    }

    let jwks = harness
        .send(harness.request(reqwest::Method::GET, "/.well-known/jwks.json"))
        .await
        .json();
    let key = &jwks["keys"][0];
    assert_eq!(part(&token, 0)["kid"], key["kid"]);
    let number = |name: &str| URL_SAFE_NO_PAD.decode(text(key, name)).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    RsaPublicKeyComponents {
        n: number("n"),
        e: number("e"),
    }
    .verify(
        &RSA_PKCS1_2048_8192_SHA256,
        signed.as_bytes(),
        &URL_SAFE_NO_PAD.decode(signature).unwrap(),
    )
    .unwrap();

    let refreshed = harness
        .refresh(&client, &text(&body, "refresh_token"))
        .await
        .json();
    let again = part(&text(&refreshed, "id_token"), 1);
    assert!(
        again.get("nonce").is_none(),
        "the nonce belongs to the code only"
    );
    assert_eq!(again["sub"], ada.uuid);
}

#[tokio::test]
async fn without_openid_there_is_no_id_token() {
    let harness = Harness::start().await;
    let signed = harness
        .us()
        .sign_in_directly(1, Reach::All, "project:read", false);
    let body = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert!(body.get("id_token").is_none());
}

#[tokio::test]
async fn userinfo_tells_by_scope_and_needs_openid() {
    let harness = Harness::start().await;
    let with_email = harness
        .us()
        .sign_in_directly(1, Reach::All, "openid email", false);
    let body = harness
        .get(&with_email.access_token, "/oauth/userinfo/")
        .await
        .json();
    let ada = &harness.us().world().people[0];
    assert_eq!(
        body,
        json!({"sub": ada.uuid, "email": ada.email, "email_verified": true})
    );
    let without = harness
        .us()
        .sign_in_directly(1, Reach::All, "project:read", false);
    for token in [without.access_token.as_str(), "pha_unknown"] {
        let seen = harness.get(token, "/oauth/userinfo").await;
        assert_eq!(
            (seen.status, &seen.json()["error"]),
            (401, &json!("invalid_token"))
        );
    }
}

#[tokio::test]
async fn a_forgotten_client_is_unknown_everywhere() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    let by_hand = rotating(&harness);
    harness.us().forget_clients();
    assert_eq!(
        harness
            .refresh(&signed.client_id, &signed.refresh_token)
            .await
            .status,
        401
    );
    assert_eq!(api(&harness, &signed.access_token).await, 401);
    assert_eq!(api(&harness, &by_hand.access_token).await, 200);
}
