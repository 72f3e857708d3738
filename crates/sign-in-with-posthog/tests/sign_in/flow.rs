//! From the authorization address to a stored Connection.

use serde_json::{Value, json};
use sign_in_with_posthog::{
    AuthorizationResponse, CallbackError, CompleteError, EndReason, Host, NoAnswer, Reach, Region,
    Scopes, SessionError, TokenError,
};

use crate::begin::remove;
use crate::harness::{self, Harness, MovedClock, REDIRECT};
use crate::posthog::{Fault, Kind, PostHog, refusal};
use test_support::{Reply, Response};

/// What a test changes in a JSON answer.
type Edit = fn(&mut Value);

const REGISTER: &str = "/oauth/register";
const TOKEN: &str = "/oauth/token";

#[tokio::test]
async fn a_sign_in_tells_who_where_and_what() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        assert_eq!(connection.account.name.as_deref(), Some("Ada Lovelace"));
        assert_eq!(connection.host, harness.host());
        assert_eq!(connection.grant.reach, Reach::Projects(vec![11, 12]));
        let lives = connection.expires_at.unwrap() - connection.signed_in_at;
        assert_eq!(lives, kind.lifetime());
        harness.token(&connection).await;
        assert_eq!(harness.sign_in.connections().unwrap(), [connection]);
    }
}

#[tokio::test]
async fn a_client_forgotten_between_begin_and_exchange_is_registered_anew_next_time() {
    let harness = Harness::new(Kind::Keeping);
    let unknown = Fault::Before(|| Reply::Response(refusal(401, "invalid_client")));
    harness.posthog.fail(TOKEN, 1, unknown);
    let error = harness.try_to_connect().await.unwrap_err();
    assert!(
        matches!(
            error,
            CompleteError::Token(TokenError::Configuration { .. })
        ),
        "{error:?}"
    );
    harness.connect().await;
    assert_eq!(harness.posthog.count(REGISTER), 2);
}

#[tokio::test]
async fn a_client_forgotten_in_mid_life_ends_nothing_and_signing_in_again_heals() {
    let harness = Harness::new(Kind::Keeping);
    let connection = harness.connect().await;
    harness.posthog.forget_clients();
    harness.leave(0);
    let error = harness
        .session(&connection)
        .access_token()
        .await
        .unwrap_err();
    assert!(matches!(error, SessionError::Configuration(_)), "{error:?}");
    assert!(error.to_string().contains("sign in again"), "{error}");
    assert!(harness.sign_in.connections().unwrap()[0].is_active());
    let again = harness.connect().await;
    assert_eq!(again.id, connection.id);
    harness.token(&again).await;
}

#[tokio::test]
async fn rule_r5_a_response_of_one_region_is_nothing_to_the_other() {
    let harness = Harness::new(Kind::Keeping);
    let us = harness.begin().await;
    let eu_server = PostHog::start(Kind::Keeping, harness.clock.clone());
    let eu_host = Host::cloud_at(Region::Eu, eu_server.base()).unwrap();
    let redirect = REDIRECT.parse().unwrap();
    let eu = harness
        .sign_in
        .begin(&eu_host, &redirect, &Scopes::default())
        .await
        .unwrap();
    let query = eu_server.agree(eu.authorization_url());
    let response = AuthorizationResponse::parse_query(&query).unwrap();
    let error = harness.sign_in.complete(&us, &response).await.unwrap_err();
    assert!(
        matches!(error, CompleteError::Callback(CallbackError::StateMismatch)),
        "{error:?}"
    );
    assert_eq!(harness.posthog.count(TOKEN), 0, "the code went nowhere");
    harness.sign_in.complete(&eu, &response).await.unwrap();
}

#[tokio::test]
async fn rule_t1_the_client_is_named_in_the_form_and_nowhere_else() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let exchange = harness.posthog.last(TOKEN);
        harness.leave(0);
        harness.token(&connection).await;
        for request in [exchange, harness.posthog.last(TOKEN)] {
            assert_eq!(request.header("authorization"), None);
            assert_eq!(request.query, "");
            assert!(request.field("client_id").is_some());
            assert_eq!(request.field("client_secret"), None);
        }
    }
}

#[tokio::test]
async fn rule_t2_the_redirect_address_is_the_same_text_at_both_ends() {
    let harness = Harness::new(Kind::Rotating);
    let attempt = harness.begin().await;
    let response = harness.agree(&attempt);
    harness.sign_in.complete(&attempt, &response).await.unwrap();
    let asked = attempt.authorization_url().query_pairs();
    let asked = asked.into_owned().find(|(name, _)| name == "redirect_uri");
    let sent = harness.posthog.last(TOKEN).field("redirect_uri");
    assert_eq!(asked.map(|(_, value)| value), sent);
}

#[tokio::test]
async fn rule_t5_a_refresh_token_is_replaced_by_a_new_one_and_kept_without() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let mut used = Vec::new();
        for _ in 0..3 {
            if kind == Kind::Keeping {
                let without = Fault::Edit(|body| remove(body, "refresh_token"));
                harness.posthog.fail(TOKEN, 1, without);
            }
            harness.leave(0);
            harness.token(&connection).await;
            used.push(harness.posthog.last(TOKEN).field("refresh_token").unwrap());
        }
        let replaced = used[0] != used[1] && used[1] != used[2];
        assert_eq!(replaced, kind == Kind::Rotating, "{kind:?}");
    }
}

#[tokio::test]
async fn rule_t6_a_refresh_asks_for_no_scope() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        harness.leave(0);
        harness.token(&connection).await;
        let refresh = harness.posthog.last(TOKEN);
        assert_eq!(refresh.field("grant_type").unwrap(), "refresh_token");
        assert_eq!(refresh.field("scope"), None);
    }
}

#[tokio::test]
async fn a_sign_in_over_tls_with_a_trusted_certificate_works() {
    let clock = std::sync::Arc::new(MovedClock::default());
    let posthog = PostHog::start_with_tls(Kind::Keeping, clock.clone());
    let harness = Harness::at(posthog, Kind::Keeping, clock, harness::trusting_http());
    let connection = harness.connect().await;
    harness.token(&connection).await;
}

#[tokio::test]
async fn rule_r2_a_response_with_another_state_leaves_the_attempt_open() {
    let harness = Harness::new(Kind::Rotating);
    let attempt = harness.begin().await;
    for forged in ["code=x&state=y", "error=access_denied&state=y", "code=x"] {
        let forged = AuthorizationResponse::parse_query(forged).unwrap();
        let error = harness
            .sign_in
            .complete(&attempt, &forged)
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                CompleteError::Callback(CallbackError::StateMismatch | CallbackError::StateMissing)
            ),
            "{error:?}"
        );
    }
    let response = harness.agree(&attempt);
    harness.sign_in.complete(&attempt, &response).await.unwrap();
}

#[tokio::test]
async fn rule_r6_a_response_is_exchanged_once() {
    let harness = Harness::new(Kind::Rotating);
    let attempt = harness.begin().await;
    let response = harness.agree(&attempt);
    let (one, two) = tokio::join!(
        harness.sign_in.complete(&attempt, &response),
        harness.sign_in.complete(&attempt, &response),
    );
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    let error = one.err().or(two.err()).unwrap();
    assert!(matches!(error, CompleteError::AlreadyUsed), "{error:?}");
    assert_eq!(harness.posthog.count(TOKEN), 1);
}

#[tokio::test]
async fn a_browser_that_goes_away_does_not_cut_the_exchange() {
    let harness = Harness::new(Kind::Rotating);
    let attempt = harness.begin().await;
    let response = harness.agree(&attempt);
    // The first answer makes it wait, so that the caller goes away in the middle.
    let busy = Fault::Before(|| Reply::Response(Response::html(503)));
    harness.posthog.fail(TOKEN, 1, busy);
    let (sign_in, same) = (harness.sign_in.clone(), attempt.clone());
    let caller = tokio::spawn(async move { sign_in.complete(&same, &response).await });
    while harness.posthog.count(TOKEN) == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    while harness.sign_in.connections().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let connection = harness.sign_in.connections().unwrap().remove(0);
    harness.token(&connection).await;
}

#[tokio::test]
async fn rule_r8_an_attempt_ends_after_ten_minutes() {
    let harness = Harness::new(Kind::Rotating);
    let attempt = harness.begin().await;
    let response = harness.agree(&attempt);
    harness.clock.advance(601);
    let error = harness
        .sign_in
        .complete(&attempt, &response)
        .await
        .unwrap_err();
    assert!(matches!(error, CompleteError::Expired), "{error:?}");
    assert_eq!(harness.posthog.count(TOKEN), 0);
}

#[tokio::test]
async fn a_denied_consent_is_told_and_changes_nothing() {
    let harness = Harness::new(Kind::Rotating);
    let before = harness.connect().await;
    let attempt = harness.begin().await;
    let (_, state) = attempt
        .authorization_url()
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap();
    let denied = AuthorizationResponse::parse_query(&format!("error=access_denied&state={state}"));
    let error = harness
        .sign_in
        .complete(&attempt, &denied.unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, CompleteError::Denied), "{error:?}");
    harness.token(&before).await;
}

#[tokio::test]
async fn a_pasted_redirect_address_signs_in() {
    let harness = Harness::new(Kind::Keeping);
    let attempt = harness.begin().await;
    let query = harness.posthog.agree(attempt.authorization_url());
    let pasted = format!(" {REDIRECT}?{query}\n");
    let response = AuthorizationResponse::parse_pasted(&pasted).unwrap();
    harness.sign_in.complete(&attempt, &response).await.unwrap();
}

#[tokio::test]
async fn an_expired_code_is_told() {
    let harness = Harness::new(Kind::Rotating);
    let expired = Fault::Before(|| Reply::Response(refusal(400, "invalid_grant")));
    harness.posthog.fail(TOKEN, 1, expired);
    let error = harness.try_to_connect().await.unwrap_err();
    assert!(
        matches!(error, CompleteError::Token(TokenError::InvalidGrant)),
        "{error:?}"
    );
}

#[tokio::test]
async fn rule_t1_a_redirected_exchange_leaks_nothing() {
    let harness = Harness::new(Kind::Rotating);
    let elsewhere =
        Fault::Before(|| Reply::Response(Response::html(307).with("Location", "/elsewhere")));
    harness.posthog.fail(TOKEN, 1, elsewhere);
    let error = harness.try_to_connect().await.unwrap_err();
    assert!(
        matches!(error, CompleteError::Token(TokenError::NotPostHog(307))),
        "{error:?}"
    );
    assert_eq!(harness.posthog.count("/elsewhere"), 0);
}

#[tokio::test]
async fn rule_t1_an_answer_without_end_is_cut() {
    let harness = Harness::new(Kind::Rotating);
    harness
        .posthog
        .fail(TOKEN, 1, Fault::Before(|| Reply::Endless(200)));
    let error = harness.try_to_connect().await.unwrap_err();
    assert!(
        matches!(
            error,
            CompleteError::Token(TokenError::NoAnswer(NoAnswer::TooLong { .. }))
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
        let harness = Harness::new(Kind::Rotating);
        harness.posthog.fail(TOKEN, 1, Fault::Edit(edit));
        let error = harness.try_to_connect().await.unwrap_err();
        assert!(
            matches!(error, CompleteError::Token(_)),
            "{what}: {error:?}"
        );
        assert!(harness.sign_in.connections().unwrap().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn tokens_in_an_answer_that_is_refused_are_revoked_at_once() {
    let edits: [(&str, Edit); 6] = [
        ("no token type", |body| remove(body, "token_type")),
        ("another token type", |body| {
            body["token_type"] = "mac".into()
        }),
        ("a scope that is no text", |body| body["scope"] = 5.into()),
        ("no access token", |body| remove(body, "access_token")),
        ("a refresh token that is no text", |body| {
            body["refresh_token"] = json!([1])
        }),
        ("an error beside it", |body| {
            body["error"] = "server_error".into()
        }),
    ];
    for kind in Kind::BOTH {
        for (what, edit) in edits {
            let harness = Harness::new(kind);
            harness.posthog.fail(TOKEN, 1, Fault::Edit(edit));
            harness.try_to_connect().await.unwrap_err();
            let left = if what.starts_with("a refresh token") {
                // Nothing can be done about what was not sent.
                harness.posthog.alive_access()
            } else {
                harness.posthog.alive()
            };
            assert_eq!(left, 0, "{what}, {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_answer_does_not_end_the_sign_in_that_this_device_has() {
    let harness = Harness::new(Kind::Keeping);
    let connection = harness.connect().await;
    let edit = Fault::Edit(|body| body["token_type"] = "mac".into());
    let attempt = harness.begin().await;
    let response = harness.agree(&attempt);
    harness.posthog.fail(TOKEN, 1, edit);
    harness
        .sign_in
        .complete(&attempt, &response)
        .await
        .unwrap_err();
    // The refresh token would sweep everything of this device's client id.
    harness.token(&connection).await;
    harness.leave(0);
    harness.token(&connection).await;
    assert_eq!(harness.posthog.count(REGISTER), 1);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_with_the_same_code() {
    let harness = Harness::new(Kind::Rotating);
    let busy = Fault::Before(|| {
        Reply::Response(refusal(503, "temporarily_unavailable").with("Retry-After", "0"))
    });
    harness.posthog.fail(TOKEN, 2, busy);
    harness.connect().await;
    assert_eq!(harness.posthog.count(TOKEN), 3);
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
        let harness = Harness::new(Kind::Keeping);
        harness.posthog.fail(TOKEN, 1, Fault::Edit(edit));
        let connection = harness.connect().await;
        assert_eq!(connection.grant.scopes, Scopes::parse(scopes));
    }
}

#[tokio::test]
async fn lists_that_are_absent_or_make_no_sense_are_asked_for_by_introspection() {
    let edits: [Edit; 3] = [
        |body| {
            remove(body, "scoped_teams");
            remove(body, "scoped_organizations");
        },
        |body| body["scoped_teams"] = json!("eleven"),
        |body| body["scoped_organizations"] = json!({}),
    ];
    for edit in edits {
        let harness = Harness::new(Kind::Keeping);
        harness.posthog.fail(TOKEN, 1, Fault::Edit(edit));
        let connection = harness.connect().await;
        assert_eq!(connection.grant.reach, Reach::Projects(vec![21]));
        harness.token(&connection).await;
    }
}

#[tokio::test]
async fn numbers_of_projects_may_be_text() {
    let harness = Harness::new(Kind::Keeping);
    let text = Fault::Edit(|body| body["scoped_teams"] = json!(["11", "12"]));
    harness.posthog.fail(TOKEN, 1, text);
    let connection = harness.connect().await;
    assert_eq!(connection.grant.reach, Reach::Projects(vec![11, 12]));
}

#[tokio::test]
async fn an_answer_with_the_required_members_alone_signs_in() {
    let harness = Harness::new(Kind::Keeping);
    let bare = Fault::Edit(|body| {
        *body = json!({"access_token": body["access_token"], "token_type": "bearer"});
    });
    harness.posthog.fail(TOKEN, 1, bare);
    let connection = harness.connect().await;
    assert_eq!(connection.account.label(), "Ada");
    assert_eq!(connection.account.email, None);
    assert_eq!(
        connection.grant.scopes,
        Scopes::parse("openid profile project:read query:read")
    );
}

#[tokio::test]
async fn an_answer_that_does_not_tell_who_signed_in_is_refused_and_its_token_revoked() {
    let harness = Harness::new(Kind::Keeping);
    let nameless = Fault::Edit(|body| remove(body, "id_token"));
    harness.posthog.fail(TOKEN, 1, nameless);
    let gone = Fault::Before(|| Reply::Response(Response::html(404)));
    harness.posthog.fail("/oauth/userinfo", 1, gone);
    let error = harness.try_to_connect().await.unwrap_err();
    assert!(matches!(error, CompleteError::NoIdentity), "{error:?}");
    let revoked = harness
        .posthog
        .last("/oauth/revoke")
        .field("token")
        .unwrap();
    assert!(revoked.starts_with("pha_"), "the refresh token would sweep");
    assert!(!harness.posthog.accepts(&revoked));
}

#[tokio::test]
async fn another_base_url_in_the_token_answer_moves_nothing() {
    for edit in [
        (|body| body["posthog_base_url"] = "https://eu.posthog.com".into()) as Edit,
        |body| body["posthog_base_url"] = "http://127.0.0.1:1/".into(),
        |body| body["posthog_region"] = json!(["eu"]),
        |body| {
            remove(body, "posthog_region");
            remove(body, "posthog_base_url");
        },
    ] {
        let harness = Harness::new(Kind::Rotating);
        harness.posthog.fail(TOKEN, 1, Fault::Edit(edit));
        let connection = harness.connect().await;
        assert_eq!(connection.host, harness.host());
        harness.leave(0);
        harness.token(&connection).await;
    }
}

#[tokio::test]
async fn without_a_refresh_token_the_session_lasts_as_long_as_its_token() {
    let harness = Harness::new(Kind::Rotating);
    let without = Fault::Edit(|body| remove(body, "refresh_token"));
    harness.posthog.fail(TOKEN, 1, without);
    let connection = harness.connect().await;
    harness.leave(60);
    harness.token(&connection).await;
    harness.clock.advance(61);
    let error = harness
        .session(&connection)
        .access_token()
        .await
        .unwrap_err();
    assert!(
        matches!(error, SessionError::SignedOut(EndReason::RevokedOrExpired)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_token_without_lifetime_is_refreshed_once_for_all_who_wait() {
    let harness = Harness::new(Kind::Keeping);
    harness
        .posthog
        .fail(TOKEN, 9, Fault::Edit(|body| remove(body, "expires_in")));
    let connection = harness.connect().await;
    let before = harness.posthog.count(TOKEN);
    let calls = (0..100).map(|_| {
        let session = harness.session(&connection);
        tokio::spawn(async move { session.access_token().await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(harness.posthog.accepts(call.await.unwrap().expose()));
    }
    let requests = harness.posthog.count(TOKEN) - before;
    assert!(requests <= 2, "{requests} requests for 100 who waited");
}

#[tokio::test]
async fn both_regions_are_signed_in_at_once() {
    let harness = Harness::new(Kind::Keeping);
    let us = harness.connect().await;
    let eu_server = PostHog::start(Kind::Keeping, harness.clock.clone());
    let eu_host = Host::cloud_at(Region::Eu, eu_server.base()).unwrap();
    let redirect = REDIRECT.parse().unwrap();
    let attempt = harness
        .sign_in
        .begin(&eu_host, &redirect, &Scopes::default())
        .await
        .unwrap();
    let query = eu_server.agree(attempt.authorization_url());
    let response = AuthorizationResponse::parse_query(&query).unwrap();
    let eu = harness.sign_in.complete(&attempt, &response).await.unwrap();
    assert_ne!(us.id, eu.id);
    let token = harness.session(&eu).access_token().await.unwrap();
    assert!(eu_server.accepts(token.expose()));
    harness.token(&us).await;
}

#[tokio::test]
async fn rule_t9_signing_in_again_replaces_and_revokes_the_first() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let first = harness.connect().await;
        let old = harness.token(&first).await;
        let second = harness.connect().await;
        assert_eq!(first.id, second.id);
        assert!(!harness.posthog.accepts(old.expose()), "{kind:?}");
        harness.token(&second).await;
        harness.leave(0);
        harness.token(&second).await;
    }
}
