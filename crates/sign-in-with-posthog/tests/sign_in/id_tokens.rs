//! Rules T7 and T8: each claim of an `id_token` that is wrong, and the name of the check that says so.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sign_in_with_posthog::{CompleteError, IdTokenError, SessionError};

use crate::harness::Harness;
use crate::posthog::{Fault, Kind, sign};

const TOKEN: &str = "/oauth/token";

type Row = (&'static str, fn(&mut Value), Option<IdTokenError>);

const ROWS: [Row; 25] = [
    ("as it is", |_| (), None),
    (
        "no kid",
        |body| header(body, |it| it["kid"] = Value::Null),
        None,
    ),
    (
        "another kid",
        |body| header(body, |it| it["kid"] = "other".into()),
        Some(IdTokenError::UnknownKey),
    ),
    (
        "alg none",
        |body| header(body, |it| it["alg"] = "none".into()),
        Some(IdTokenError::Algorithm),
    ),
    (
        "alg HS256",
        |body| header(body, |it| it["alg"] = "HS256".into()),
        Some(IdTokenError::Algorithm),
    ),
    (
        "an extension that must be understood",
        |body| header(body, |it| it["crit"] = json!(["exp"])),
        Some(IdTokenError::Malformed),
    ),
    (
        "another signature",
        break_signature,
        Some(IdTokenError::Signature),
    ),
    (
        "another payload under the signature",
        break_payload,
        Some(IdTokenError::Signature),
    ),
    (
        "no JWT",
        |body| body["id_token"] = "a.b".into(),
        Some(IdTokenError::Malformed),
    ),
    (
        "four parts",
        |body| {
            let token = body["id_token"].as_str().unwrap();
            body["id_token"] = format!("{token}.x").into();
        },
        Some(IdTokenError::Malformed),
    ),
    (
        "another issuer",
        |body| claims(body, |it| it["iss"] = "https://eu.posthog.com".into()),
        Some(IdTokenError::Issuer),
    ),
    (
        "the issuer with a slash",
        |body| {
            claims(body, |it| {
                let issuer = it["iss"].as_str().unwrap();
                it["iss"] = format!("{issuer}/").into();
            })
        },
        Some(IdTokenError::Issuer),
    ),
    (
        "another audience",
        |body| claims(body, |it| it["aud"] = "other".into()),
        Some(IdTokenError::Audience),
    ),
    (
        "us as one of several audiences, presented by us",
        |body| {
            claims(body, |it| {
                it["azp"] = it["aud"].clone();
                it["aud"] = json!([it["aud"], "other"]);
            })
        },
        None,
    ),
    (
        "us as one of several audiences, presented by nobody",
        |body| claims(body, |it| it["aud"] = json!([it["aud"], "other"])),
        Some(IdTokenError::Audience),
    ),
    (
        "presented by another",
        |body| claims(body, |it| it["azp"] = "other".into()),
        Some(IdTokenError::Audience),
    ),
    (
        "expired within the leeway",
        |body| {
            claims(body, |it| {
                it["exp"] = json!(it["iat"].as_i64().unwrap() - 60)
            })
        },
        None,
    ),
    (
        "expired",
        |body| {
            claims(body, |it| {
                it["exp"] = json!(it["iat"].as_i64().unwrap() - 200)
            })
        },
        Some(IdTokenError::Expired),
    ),
    (
        "issued in the future",
        |body| {
            claims(body, |it| {
                it["iat"] = json!(it["iat"].as_i64().unwrap() + 700)
            })
        },
        Some(IdTokenError::IssuedAt),
    ),
    (
        "issued long ago",
        |body| {
            claims(body, |it| {
                it["iat"] = json!(it["iat"].as_i64().unwrap() - 700)
            })
        },
        Some(IdTokenError::IssuedAt),
    ),
    (
        "no nonce",
        |body| claims(body, |it| it["nonce"] = Value::Null),
        Some(IdTokenError::Nonce),
    ),
    (
        "another nonce",
        |body| claims(body, |it| it["nonce"] = "other".into()),
        Some(IdTokenError::Nonce),
    ),
    (
        "the hash of another access token",
        |body| claims(body, |it| it["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA".into()),
        Some(IdTokenError::AccessTokenHash),
    ),
    (
        "no hash",
        |body| claims(body, |it| it["at_hash"] = Value::Null),
        None,
    ),
    (
        "no account",
        |body| claims(body, |it| it["sub"] = "".into()),
        Some(IdTokenError::Subject),
    ),
];

#[tokio::test]
async fn rule_t7_every_claim_is_checked() {
    for (what, edit, expected) in ROWS {
        let harness = Harness::new(Kind::Keeping);
        harness.posthog.fail(TOKEN, 1, Fault::Edit(edit));
        let result = harness.try_to_connect().await;
        match expected {
            None => assert!(result.is_ok(), "{what}: {result:?}"),
            Some(expected) => {
                assert!(
                    matches!(result, Err(CompleteError::IdToken(error)) if error == expected),
                    "{what}: {result:?}"
                );
                assert!(harness.sign_in.connections().unwrap().is_empty(), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn rule_t7_keys_that_a_busy_server_does_not_tell_are_asked_for_again() {
    use crate::posthog::refusal;
    use test_support::Reply;
    let harness = Harness::new(Kind::Keeping);
    let busy = Fault::Before(|| Reply::Response(refusal(503, "busy").with("Retry-After", "0")));
    harness.posthog.fail("/.well-known/jwks.json", 2, busy);
    harness.connect().await;
}

#[tokio::test]
async fn rule_t7_a_key_that_is_published_late_is_found_by_asking_once_more() {
    let harness = Harness::new(Kind::Keeping);
    let old = Fault::Edit(|keys| keys["keys"][0]["kid"] = "the one before".into());
    harness.posthog.fail("/.well-known/jwks.json", 1, old);
    harness.connect().await;
    assert_eq!(harness.posthog.count("/.well-known/jwks.json"), 2);
    let forever = Fault::Edit(|keys| keys["keys"][0]["kid"] = "another".into());
    harness.posthog.fail("/.well-known/jwks.json", 9, forever);
    let error = harness.try_to_connect().await.unwrap_err();
    assert!(
        matches!(error, CompleteError::IdToken(IdTokenError::UnknownKey)),
        "{error:?}"
    );
    assert_eq!(harness.posthog.count("/.well-known/jwks.json"), 4);
}

#[tokio::test]
async fn rule_t7_keys_of_other_kinds_beside_the_right_one_do_no_harm() {
    let harness = Harness::new(Kind::Keeping);
    let others = Fault::Edit(|keys| {
        let right = keys["keys"][0].clone();
        keys["keys"] = json!([{"kid": "test", "kty": "EC", "crv": "P-256"}, {"kid": "test"},
            {"kid": "test", "kty": "RSA", "n": "AQAB", "e": "AQAB"}, right]);
    });
    harness.posthog.fail("/.well-known/jwks.json", 1, others);
    harness.connect().await;
}

#[tokio::test]
async fn rule_t8_a_refresh_for_another_account_keeps_the_old_record() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let other = Fault::Edit(|body| claims(body, |it| it["sub"] = "somebody else".into()));
        harness.posthog.fail(TOKEN, 1, other);
        harness.leave(0);
        let error = harness
            .session(&connection)
            .access_token()
            .await
            .unwrap_err();
        assert!(
            matches!(&error, SessionError::Configuration(words) if words.contains("another account")),
            "{kind:?}: {error:?}"
        );
        // Another program waits as well, and hears why.
        let other_program = harness.another_program().session(&connection.id);
        let error = other_program.access_token().await.unwrap_err();
        assert!(
            matches!(&error, SessionError::Configuration(_)),
            "{error:?}"
        );
        harness.clock.advance(10);
        harness.token(&connection).await;
    }
}

#[tokio::test]
async fn an_access_token_that_a_refresh_cannot_use_is_revoked_and_the_refresh_token_goes_on() {
    let foreign = Fault::Edit(|body| claims(body, |it| it["sub"] = "somebody else".into()));
    let of_no_type = Fault::Edit(|body| body["token_type"] = Value::Null);
    for fault in [foreign, of_no_type] {
        let harness = Harness::new(Kind::Keeping);
        let connection = harness.connect().await;
        harness.leave(0);
        assert_eq!(harness.posthog.alive_access(), 0);
        harness.posthog.fail(TOKEN, 3, fault);
        harness
            .session(&connection)
            .access_token()
            .await
            .unwrap_err();
        assert_eq!(harness.posthog.alive_access(), 0, "nobody knows them");
        harness.posthog.heal();
        harness.clock.advance(10);
        harness.token(&connection).await;
    }
}

#[tokio::test]
async fn rule_t8_an_unreadable_id_token_does_not_cost_the_tokens_beside_it() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let junk = Fault::Edit(|body| body["id_token"] = "junk".into());
        harness.posthog.fail(TOKEN, 1, junk);
        harness.leave(0);
        harness.token(&connection).await;
    }
}

fn header(body: &mut Value, change: fn(&mut Value)) {
    let (mut header, claims) = parts(body);
    change(&mut header);
    body["id_token"] = sign(&header, &claims).into();
}

fn claims(body: &mut Value, change: fn(&mut Value)) {
    let (header, mut claims) = parts(body);
    change(&mut claims);
    body["id_token"] = sign(&header, &claims).into();
}

fn parts(body: &Value) -> (Value, Value) {
    let mut parts = body["id_token"].as_str().unwrap().split('.');
    let mut part = || {
        let bytes = URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    (part(), part())
}

fn break_signature(body: &mut Value) {
    let (header, claims) = parts(body);
    let (signed, _) = split(&sign(&header, &claims));
    let (_, other) = split(&sign(&header, &json!({})));
    body["id_token"] = format!("{signed}.{other}").into();
}

fn break_payload(body: &mut Value) {
    let (header, mut claims) = parts(body);
    let (_, signature) = split(&sign(&header, &claims));
    claims["sub"] = "somebody else".into();
    let (signed, _) = split(&sign(&header, &claims));
    body["id_token"] = format!("{signed}.{signature}").into();
}

fn split(token: &str) -> (String, String) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    (signed.to_owned(), signature.to_owned())
}
