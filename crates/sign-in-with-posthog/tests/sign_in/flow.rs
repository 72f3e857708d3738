//! From the authorization address to a stored Connection.

use serde_json::{Value, json};
use sign_in_with_posthog::{
    AuthorizationResponse, BeginError, CallbackError, CompleteError, EndReason, Host,
    MetadataError, NoAnswer, Reach, Region, Scopes, SessionError, TokenError,
};

use crate::desk::{self, Desk, MovedClock, REDIRECT};
use crate::posthog::{Fault, Kind, PostHog, refusal};
use crate::server::{Answer, Wire};

/// What a test changes in a JSON answer.
type Edit = fn(&mut Value);

const METADATA: &str = "/.well-known/oauth-authorization-server";
const REGISTER: &str = "/oauth/register";
const TOKEN: &str = "/oauth/token";

#[tokio::test]
async fn a_sign_in_tells_who_where_and_what() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let connection = desk.connect().await;
        assert_eq!(connection.account.name.as_deref(), Some("Ada Lovelace"));
        assert_eq!(connection.host, desk.host());
        assert_eq!(connection.grant.reach, Reach::Projects(vec![11, 12]));
        let lives = connection.expires_at.unwrap() - connection.signed_in_at;
        assert_eq!(lives, kind.lifetime());
        desk.token(&connection).await;
        assert_eq!(desk.sign_in.connections().unwrap(), [connection]);
    }
}

#[tokio::test]
async fn rule_b1_metadata_that_redirects_is_not_followed() {
    let desk = Desk::new(Kind::Keeping);
    let elsewhere =
        Fault::Before(|| Wire::Answer(Answer::html(302).with("Location", "/elsewhere")));
    desk.posthog.fail(METADATA, 1, elsewhere);
    let error = begin(&desk).await.unwrap_err();
    assert!(
        matches!(error, BeginError::Metadata(MetadataError::None(_))),
        "{error:?}"
    );
    assert_eq!(desk.posthog.count("/elsewhere"), 0);
}

#[tokio::test]
async fn rule_b1_metadata_of_another_issuer_is_refused() {
    let desk = Desk::new(Kind::Keeping);
    let foreign = Fault::Edit(|metadata| metadata["issuer"] = "https://oauth.posthog.com".into());
    desk.posthog.fail(METADATA, 1, foreign);
    let error = begin(&desk).await.unwrap_err();
    assert!(
        matches!(
            error,
            BeginError::Metadata(MetadataError::IssuerMismatch { .. })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn rule_b2_a_server_without_s256_is_refused() {
    let desk = Desk::new(Kind::Keeping);
    let plain =
        Fault::Edit(|metadata| metadata["code_challenge_methods_supported"] = json!(["plain"]));
    desk.posthog.fail(METADATA, 1, plain);
    let error = begin(&desk).await.unwrap_err();
    assert!(
        matches!(error, BeginError::Metadata(MetadataError::NoPkce(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn this_device_is_registered_once_and_again_when_forgotten() {
    let desk = Desk::new(Kind::Keeping);
    desk.connect().await;
    desk.connect().await;
    assert_eq!(desk.posthog.count(REGISTER), 1);
    desk.posthog.forget_clients();
    desk.connect().await;
    assert_eq!(desk.posthog.count(REGISTER), 2);
}

#[tokio::test]
async fn a_configured_client_is_not_registered() {
    let desk = Desk::new(Kind::Rotating);
    desk.connect().await;
    assert_eq!(desk.posthog.count(REGISTER), 0);
}

#[tokio::test]
async fn a_refused_registration_says_posthogs_words() {
    let desk = Desk::new(Kind::Keeping);
    let full = Fault::Before(|| Wire::Answer(refusal(429, "too many registrations")));
    desk.posthog.fail(REGISTER, 1, full);
    let error = begin(&desk).await.unwrap_err().to_string();
    assert!(error.contains("too many registrations"), "{error}");
}

#[tokio::test]
async fn rule_b1_an_untrusted_certificate_is_named() {
    let clock = std::sync::Arc::new(MovedClock::default());
    let posthog = PostHog::start_with_tls(Kind::Keeping, clock.clone());
    let desk = Desk::at(posthog, Kind::Keeping, clock, desk::http());
    let error = begin(&desk).await.unwrap_err();
    assert!(
        matches!(
            error,
            BeginError::Metadata(MetadataError::NoAnswer(NoAnswer::Unreachable(_)))
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_sign_in_over_tls_with_a_trusted_certificate_works() {
    let clock = std::sync::Arc::new(MovedClock::default());
    let posthog = PostHog::start_with_tls(Kind::Keeping, clock.clone());
    let desk = Desk::at(posthog, Kind::Keeping, clock, desk::trusting_http());
    let connection = desk.connect().await;
    desk.token(&connection).await;
}

#[tokio::test]
async fn an_unreachable_host_is_named() {
    let desk = Desk::new(Kind::Keeping);
    desk.posthog.unplug();
    let error = begin(&desk).await.unwrap_err().to_string();
    assert!(error.contains("could not be reached"), "{error}");
}

#[tokio::test]
async fn rule_r2_a_response_with_another_state_leaves_the_attempt_open() {
    let desk = Desk::new(Kind::Rotating);
    let attempt = desk.begin().await;
    for forged in ["code=x&state=y", "error=access_denied&state=y", "code=x"] {
        let forged = AuthorizationResponse::parse_query(forged).unwrap();
        let error = desk.sign_in.complete(&attempt, &forged).await.unwrap_err();
        assert!(
            matches!(
                error,
                CompleteError::Callback(CallbackError::StateMismatch | CallbackError::StateMissing)
            ),
            "{error:?}"
        );
    }
    let response = desk.agree(&attempt);
    desk.sign_in.complete(&attempt, &response).await.unwrap();
}

#[tokio::test]
async fn rule_r6_a_response_is_exchanged_once() {
    let desk = Desk::new(Kind::Rotating);
    let attempt = desk.begin().await;
    let response = desk.agree(&attempt);
    let (one, two) = tokio::join!(
        desk.sign_in.complete(&attempt, &response),
        desk.sign_in.complete(&attempt, &response),
    );
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    let error = one.err().or(two.err()).unwrap();
    assert!(matches!(error, CompleteError::AlreadyUsed), "{error:?}");
    assert_eq!(desk.posthog.count(TOKEN), 1);
}

#[tokio::test]
async fn rule_r8_an_attempt_ends_after_ten_minutes() {
    let desk = Desk::new(Kind::Rotating);
    let attempt = desk.begin().await;
    let response = desk.agree(&attempt);
    desk.clock.advance(601);
    let error = desk
        .sign_in
        .complete(&attempt, &response)
        .await
        .unwrap_err();
    assert!(matches!(error, CompleteError::Expired), "{error:?}");
    assert_eq!(desk.posthog.count(TOKEN), 0);
}

#[tokio::test]
async fn a_denied_consent_is_told_and_changes_nothing() {
    let desk = Desk::new(Kind::Rotating);
    let before = desk.connect().await;
    let attempt = desk.begin().await;
    let (_, state) = attempt
        .authorization_url()
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap();
    let denied = AuthorizationResponse::parse_query(&format!("error=access_denied&state={state}"));
    let error = desk
        .sign_in
        .complete(&attempt, &denied.unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, CompleteError::Denied), "{error:?}");
    desk.token(&before).await;
}

#[tokio::test]
async fn a_pasted_redirect_address_signs_in() {
    let desk = Desk::new(Kind::Keeping);
    let attempt = desk.begin().await;
    let query = desk.posthog.agree(attempt.authorization_url());
    let pasted = format!(" {REDIRECT}?{query}\n");
    let response = AuthorizationResponse::parse_pasted(&pasted).unwrap();
    desk.sign_in.complete(&attempt, &response).await.unwrap();
}

#[tokio::test]
async fn an_expired_code_is_told() {
    let desk = Desk::new(Kind::Rotating);
    let expired = Fault::Before(|| Wire::Answer(refusal(400, "invalid_grant")));
    desk.posthog.fail(TOKEN, 1, expired);
    let error = desk.try_to_connect().await.unwrap_err();
    assert!(
        matches!(error, CompleteError::Token(TokenError::InvalidGrant)),
        "{error:?}"
    );
}

#[tokio::test]
async fn rule_t1_a_redirected_exchange_leaks_nothing() {
    let desk = Desk::new(Kind::Rotating);
    let elsewhere =
        Fault::Before(|| Wire::Answer(Answer::html(307).with("Location", "/elsewhere")));
    desk.posthog.fail(TOKEN, 1, elsewhere);
    let error = desk.try_to_connect().await.unwrap_err();
    assert!(
        matches!(error, CompleteError::Token(TokenError::NotPostHog(307))),
        "{error:?}"
    );
    assert_eq!(desk.posthog.count("/elsewhere"), 0);
}

#[tokio::test]
async fn rule_t1_an_answer_without_end_is_cut() {
    let desk = Desk::new(Kind::Rotating);
    desk.posthog.fail(TOKEN, 1, Fault::Before(|| Wire::Endless));
    let error = desk.try_to_connect().await.unwrap_err();
    assert!(
        matches!(
            error,
            CompleteError::Token(TokenError::NoAnswer(NoAnswer::TooLong(_)))
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn rule_t3_a_200_that_is_no_token_answer_signs_nobody_in() {
    let edits: [(&str, Edit); 9] = [
        ("no access token", |body| remove(body, "access_token")),
        ("an empty one", |body| body["access_token"] = "".into()),
        ("one with a blank", |body| {
            body["access_token"] = "a b".into()
        }),
        ("one that is a number", |body| {
            body["access_token"] = 5.into()
        }),
        ("no token type", |body| remove(body, "token_type")),
        ("another token type", |body| {
            body["token_type"] = "mac".into()
        }),
        ("an array", |body| *body = json!([body.clone()])),
        ("an error beside it", |body| {
            body["error"] = "server_error".into()
        }),
        ("null", |body| *body = Value::Null),
    ];
    for (what, edit) in edits {
        let desk = Desk::new(Kind::Rotating);
        desk.posthog.fail(TOKEN, 1, Fault::Edit(edit));
        let error = desk.try_to_connect().await.unwrap_err();
        assert!(
            matches!(error, CompleteError::Token(_)),
            "{what}: {error:?}"
        );
        assert!(desk.sign_in.connections().unwrap().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_with_the_same_code() {
    let desk = Desk::new(Kind::Rotating);
    let busy = Fault::Before(|| {
        Wire::Answer(refusal(503, "temporarily_unavailable").with("Retry-After", "0"))
    });
    desk.posthog.fail(TOKEN, 2, busy);
    desk.connect().await;
    assert_eq!(desk.posthog.count(TOKEN), 3);
}

#[tokio::test]
async fn rule_t4_the_granted_scopes_are_the_servers_word() {
    let granted: [(Edit, &str); 3] = [
        (|_| (), "openid profile project:read query:read"),
        (
            |body| remove(body, "scope"),
            "openid profile project:read query:read",
        ),
        (
            |body| body["scope"] = "openid project:read".into(),
            "openid project:read",
        ),
    ];
    for (edit, scopes) in granted {
        let desk = Desk::new(Kind::Keeping);
        desk.posthog.fail(TOKEN, 1, Fault::Edit(edit));
        let connection = desk.connect().await;
        assert_eq!(connection.grant.scopes, Scopes::parse(scopes));
    }
}

#[tokio::test]
async fn lists_that_make_no_sense_do_not_cost_the_tokens() {
    let desk = Desk::new(Kind::Keeping);
    desk.posthog.fail(
        TOKEN,
        1,
        Fault::Edit(|body| {
            body["scoped_teams"] = json!("eleven");
            body["scoped_organizations"] = Value::Null;
        }),
    );
    let connection = desk.connect().await;
    desk.token(&connection).await;
}

#[tokio::test]
async fn without_a_refresh_token_the_session_lasts_as_long_as_its_token() {
    let desk = Desk::new(Kind::Rotating);
    let without = Fault::Edit(|body| remove(body, "refresh_token"));
    desk.posthog.fail(TOKEN, 1, without);
    let connection = desk.connect().await;
    desk.leave(60);
    desk.token(&connection).await;
    desk.clock.advance(61);
    let error = desk.session(&connection).access_token().await.unwrap_err();
    assert!(
        matches!(error, SessionError::SignedOut(EndReason::RevokedOrExpired)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_token_without_lifetime_is_refreshed_once_for_all_who_wait() {
    let desk = Desk::new(Kind::Keeping);
    desk.posthog
        .fail(TOKEN, 9, Fault::Edit(|body| remove(body, "expires_in")));
    let connection = desk.connect().await;
    let before = desk.posthog.count(TOKEN);
    let calls = (0..100).map(|_| {
        let session = desk.session(&connection);
        tokio::spawn(async move { session.access_token().await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(desk.posthog.accepts(call.await.unwrap().expose()));
    }
    let requests = desk.posthog.count(TOKEN) - before;
    assert!(requests <= 2, "{requests} requests for 100 who waited");
}

#[tokio::test]
async fn both_regions_are_signed_in_at_once() {
    let desk = Desk::new(Kind::Keeping);
    let us = desk.connect().await;
    let eu_server = PostHog::start(Kind::Keeping, desk.clock.clone());
    let eu_host = Host::cloud_at(Region::Eu, eu_server.base()).unwrap();
    let redirect = REDIRECT.parse().unwrap();
    let attempt = desk
        .sign_in
        .begin(&eu_host, &redirect, &Scopes::default())
        .await
        .unwrap();
    let query = eu_server.agree(attempt.authorization_url());
    let response = AuthorizationResponse::parse_query(&query).unwrap();
    let eu = desk.sign_in.complete(&attempt, &response).await.unwrap();
    assert_ne!(us.id, eu.id);
    let token = desk.session(&eu).access_token().await.unwrap();
    assert!(eu_server.accepts(token.expose()));
    desk.token(&us).await;
}

#[tokio::test]
async fn rule_t9_signing_in_again_replaces_and_revokes_the_first() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let first = desk.connect().await;
        let old = desk.token(&first).await;
        let second = desk.connect().await;
        assert_eq!(first.id, second.id);
        assert!(!desk.posthog.accepts(old.expose()), "{kind:?}");
        desk.token(&second).await;
        desk.leave(0);
        desk.token(&second).await;
    }
}

async fn begin(desk: &Desk) -> Result<sign_in_with_posthog::Attempt, BeginError> {
    let redirect = REDIRECT.parse().unwrap();
    desk.sign_in
        .begin(&desk.host(), &redirect, &Scopes::default())
        .await
}

fn remove(body: &mut Value, name: &str) {
    body.as_object_mut().unwrap().remove(name);
}
