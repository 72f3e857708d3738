use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use demo_posthog::{Consent, Reach, SignedIn};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};

use crate::desk::{Desk, SCOPES, exchange, part};

fn invalid_grant() -> Value {
    json!({"error": "invalid_grant"})
}

/// The status of the API for a token.
async fn api(desk: &Desk, token: &str) -> u16 {
    desk.get(token, "/api/organizations/").await.status
}

fn rotating(desk: &Desk) -> SignedIn {
    desk.us().sign_in_directly(1, Reach::All, SCOPES, true)
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_buys_tokens_with_region_and_lifetime() {
    let desk = Desk::start().await;
    let client = desk.client().await;
    let seen = desk
        .exchange(&client, &desk.code(&client, &Consent::default()))
        .await;
    let body = seen.json();
    assert_eq!(
        (seen.status, seen.header("cache-control")),
        (200, "no-store")
    );
    assert_eq!(body["expires_in"], 604_800);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["posthog_region"], "us");
    assert_eq!(body["posthog_base_url"], desk.us().address());
    let access = text(&body, "access_token");
    assert!(access.starts_with("pha_") && access.len() == 47);
    assert!(text(&body, "refresh_token").starts_with("phr_"));
    assert_eq!(api(&desk, &access).await, 200);
}

#[tokio::test]
async fn json_is_taken_as_well_as_a_form_and_nested_values_are_not() {
    let desk = Desk::start().await;
    let client = desk.client().await;
    let code = desk.code(&client, &Consent::default());
    let nested = json!({"grant_type": "authorization_code", "code": {"a": 1}});
    let seen = desk
        .send(
            desk.request(reqwest::Method::POST, "/oauth/token/")
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
    let seen = desk
        .send(
            desk.request(reqwest::Method::POST, "/oauth/token/")
                .json(&body),
        )
        .await;
    assert_eq!(seen.status, 200);
}

#[tokio::test]
async fn a_code_serves_once_and_its_tokens_live_on() {
    let desk = Desk::start().await;
    let client = desk.client().await;
    let code = desk.code(&client, &Consent::default());
    let first = desk.exchange(&client, &code).await.json();
    let second = desk.exchange(&client, &code).await;
    assert_eq!((second.status, second.json()), (400, invalid_grant()));
    assert_eq!(api(&desk, &text(&first, "access_token")).await, 200);
}

#[tokio::test]
async fn a_code_lives_five_minutes() {
    let desk = Desk::start().await;
    let client = desk.client().await;
    let (young, old) = (
        desk.code(&client, &Consent::default()),
        desk.code(&client, &Consent::default()),
    );
    desk.us().advance_clock(Duration::from_secs(299));
    assert_eq!(desk.exchange(&client, &young).await.status, 200);
    desk.us().advance_clock(Duration::from_secs(1));
    assert_eq!(desk.exchange(&client, &old).await.json(), invalid_grant());
}

#[tokio::test]
async fn what_is_wrong_with_an_exchange_is_told() {
    let desk = Desk::start().await;
    let client = desk.client().await;
    let other = desk.client().await;
    let code = desk.code(&client, &Consent::default());
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
        let seen = desk.form("/oauth/token/", &form).await;
        assert_eq!((seen.status, seen.json()), (status, body), "{name}={value}");
        if status == 401 {
            assert_eq!(
                seen.header("www-authenticate"),
                "Bearer error=\"invalid_client\""
            );
        }
    }
    assert_eq!(
        desk.exchange(&client, &code).await.status,
        200,
        "the code is not used up by mistakes"
    );
}

#[tokio::test]
async fn a_dynamic_client_keeps_its_refresh_token_and_its_old_access_token() {
    let desk = Desk::start().await;
    let signed = desk.signed_in(Reach::All);
    desk.us().advance_clock(Duration::from_secs(3 * 24 * 3600));
    let body = desk
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert_eq!(body["refresh_token"], signed.refresh_token);
    assert_ne!(body["access_token"], signed.access_token);
    assert_eq!(api(&desk, &signed.access_token).await, 200);
    assert_eq!(api(&desk, &text(&body, "access_token")).await, 200);
}

#[tokio::test]
async fn a_client_made_by_hand_rotates_and_its_old_access_token_dies_at_once() {
    let desk = Desk::start().await;
    let signed = rotating(&desk);
    let body = desk
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert_eq!(body["expires_in"], 3600);
    assert_ne!(body["refresh_token"], signed.refresh_token);
    let old = desk.get(&signed.access_token, "/api/organizations/").await;
    assert_eq!(
        (old.status, old.json()["detail"].as_str()),
        (401, Some("Invalid access token."))
    );
    assert_eq!(api(&desk, &text(&body, "access_token")).await, 200);
}

#[tokio::test]
async fn within_the_grace_the_used_token_brings_the_same_pair() {
    let desk = Desk::start().await;
    let signed = rotating(&desk);
    let first = desk
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    desk.us().advance_clock(Duration::from_secs(120));
    let again = desk
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    for same in ["access_token", "refresh_token", "expires_in"] {
        assert_eq!(first[same], again[same], "{same}");
    }
}

#[tokio::test]
async fn after_the_grace_the_used_token_ends_the_whole_family() {
    let desk = Desk::start().await;
    let signed = rotating(&desk);
    let next = desk
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    desk.us().advance_clock(Duration::from_secs(121));
    let late = desk.refresh(&signed.client_id, &signed.refresh_token).await;
    assert_eq!((late.status, late.json()), (400, invalid_grant()));
    let successor = desk
        .refresh(&signed.client_id, &text(&next, "refresh_token"))
        .await;
    assert_eq!(successor.json(), invalid_grant());
    assert_eq!(api(&desk, &text(&next, "access_token")).await, 401);
}

#[tokio::test]
async fn a_refresh_token_of_another_client_is_refused() {
    let desk = Desk::start().await;
    let signed = desk.signed_in(Reach::All);
    let other = desk.client().await;
    assert_eq!(
        desk.refresh(&other, &signed.refresh_token).await.json(),
        invalid_grant()
    );
    let unknown = desk.refresh("nobody", &signed.refresh_token).await;
    assert_eq!(
        (unknown.status, unknown.json()),
        (401, json!({"error": "invalid_client"}))
    );
    assert_eq!(
        desk.refresh(&signed.client_id, "phr_unknown").await.json(),
        invalid_grant()
    );
}

#[tokio::test]
async fn a_scope_on_refresh_narrows_for_good_and_cannot_widen() {
    let desk = Desk::start().await;
    let signed = desk.signed_in(Reach::All);
    let with = |scope: &'static str| {
        [
            ("grant_type", "refresh_token"),
            ("refresh_token", signed.refresh_token.as_str()),
            ("client_id", signed.client_id.as_str()),
            ("scope", scope),
        ]
    };
    let wider = desk.form("/oauth/token/", &with("insight:read")).await;
    assert_eq!(
        (wider.status, wider.json()),
        (400, json!({"error": "invalid_scope"}))
    );
    assert_eq!(
        desk.form("/oauth/token/", &with("query:read")).await.json()["scope"],
        "query:read"
    );
    let next = desk
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert_eq!(next["scope"], "query:read");
}

#[tokio::test]
async fn narrowed_scopes_show_at_the_next_refresh_and_none_left_ends_it() {
    let desk = Desk::start().await;
    let signed = desk.signed_in(Reach::All);
    desk.us().narrow_all("project:read annotation:read");
    let body = desk
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert_eq!(body["scope"], "openid profile project:read annotation:read");
    desk.us().narrow_all("");
    let seen = desk.refresh(&signed.client_id, &signed.refresh_token).await;
    assert_eq!(
        (seen.status, &seen.json()["error"]),
        (400, &json!("invalid_grant"))
    );
}

#[tokio::test]
async fn the_reach_outlives_refreshes() {
    let desk = Desk::start().await;
    let signed = desk.signed_in(Reach::Projects(vec![12]));
    let body = desk
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert_eq!(body["scoped_teams"], json!([12]));
}

#[tokio::test]
async fn id_tokens_are_signed_and_say_who_without_a_name() {
    let desk = Desk::start().await;
    let client = desk.client().await;
    let body = desk
        .exchange(&client, &desk.code(&client, &Consent::default()))
        .await
        .json();
    let token = text(&body, "id_token");
    let claims = part(&token, 1);
    let ada = &desk.us().world().people[0];
    let now = desk.us().now().as_second();
    assert_eq!(claims["iss"], desk.us().address());
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

    let jwks = desk
        .send(desk.request(reqwest::Method::GET, "/.well-known/jwks.json"))
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

    let refreshed = desk
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
    let desk = Desk::start().await;
    let signed = desk
        .us()
        .sign_in_directly(1, Reach::All, "project:read", false);
    let body = desk
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert!(body.get("id_token").is_none());
}

#[tokio::test]
async fn userinfo_tells_by_scope_and_needs_openid() {
    let desk = Desk::start().await;
    let with_email = desk
        .us()
        .sign_in_directly(1, Reach::All, "openid email", false);
    let body = desk
        .get(&with_email.access_token, "/oauth/userinfo/")
        .await
        .json();
    let ada = &desk.us().world().people[0];
    assert_eq!(
        body,
        json!({"sub": ada.uuid, "email": ada.email, "email_verified": true})
    );
    let without = desk
        .us()
        .sign_in_directly(1, Reach::All, "project:read", false);
    for token in [without.access_token.as_str(), "pha_unknown"] {
        let seen = desk.get(token, "/oauth/userinfo").await;
        assert_eq!(
            (seen.status, &seen.json()["error"]),
            (401, &json!("invalid_token"))
        );
    }
}

#[tokio::test]
async fn a_forgotten_client_is_unknown_everywhere() {
    let desk = Desk::start().await;
    let signed = desk.signed_in(Reach::All);
    let by_hand = rotating(&desk);
    desk.us().forget_clients();
    assert_eq!(
        desk.refresh(&signed.client_id, &signed.refresh_token)
            .await
            .status,
        401
    );
    assert_eq!(api(&desk, &signed.access_token).await, 401);
    assert_eq!(api(&desk, &by_hand.access_token).await, 200);
}
