//! Which token goes with a request, and what a 401 and a 403 cause.

use posthog_api::{BearerError, Error};
use serde_json::json;

use test_support::{Reply, Request, Response, ScriptedServer};

use crate::harness::{Credential, Replacement, client, client_of};

fn project() -> Response {
    Response::json(200, &json!({"id": 7, "name": "Rocket"}))
}

fn unauthenticated() -> Response {
    Response::refusal(401, "authentication_failed", "Access token has expired.").with(
        "WWW-Authenticate",
        "Bearer resource_metadata=\"https://us.posthog.com/.well-known/oauth-protected-resource\"",
    )
}

/// Takes every token but the first.
fn refuses_the_first(request: &Request) -> Reply {
    match request.bearer.as_deref() {
        Some("token-1") => unauthenticated().into(),
        _ => project().into(),
    }
}

#[tokio::test]
async fn a_request_carries_the_token_and_asks_for_json() {
    let server = ScriptedServer::start(|_| project().into());
    client(&server).project(7).await.unwrap();
    let [request] = server.seen().try_into().unwrap();
    assert_eq!(request.method, "GET");
    assert_eq!(request.path, "/api/projects/7/");
    assert_eq!(request.bearer.as_deref(), Some("token-1"));
    assert_eq!(request.header("accept"), Some("application/json"));
}

#[tokio::test]
async fn a_401_is_repeated_with_another_token() {
    let server = ScriptedServer::start(refuses_the_first);
    let credential = Credential::new(Replacement::Next);
    let client = client_of(&server, credential.clone());
    assert_eq!(client.project(7).await.unwrap().name, "Rocket");
    assert_eq!(credential.refused(), ["token-1"]);
    client.project(7).await.unwrap();
    assert_eq!(server.count(), 3, "the replacement is used from then on");
}

#[tokio::test]
async fn a_401_for_the_replacement_too_is_told_and_not_tried_again() {
    let server = ScriptedServer::start(|_| unauthenticated().into());
    let credential = Credential::new(Replacement::Next);
    let error = client_of(&server, credential.clone()).project(7).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Unauthorized(_)), "{error:?}");
    assert!(error.needs_sign_in());
    assert!(error.to_string().contains("Access token has expired."));
    assert_eq!(server.count(), 2);
    assert_eq!(credential.refused(), ["token-1"]);
}

#[tokio::test]
async fn a_401_without_another_token_is_not_repeated() {
    let server = ScriptedServer::start(|_| unauthenticated().into());
    let credential = Credential::new(Replacement::Same);
    let error = client_of(&server, credential).project(7).await;
    assert!(matches!(error, Err(Error::Unauthorized(_))));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn the_end_of_the_session_is_told_as_it_is() {
    let server = ScriptedServer::start(|_| unauthenticated().into());
    let credential = Credential::new(Replacement::SignedOut);
    let error = client_of(&server, credential).project(7).await.unwrap_err();
    assert!(
        matches!(error, Error::Bearer(BearerError::SignedOut(_))),
        "{error:?}"
    );
    assert!(error.needs_sign_in());
    assert_eq!(error.to_string(), "access was revoked");
}

#[tokio::test]
async fn a_refresh_that_cannot_be_had_now_ends_nothing() {
    let server = ScriptedServer::start(|_| unauthenticated().into());
    let credential = Credential::new(Replacement::Offline);
    let error = client_of(&server, credential).project(7).await.unwrap_err();
    assert!(error.is_transient() && !error.needs_sign_in(), "{error:?}");
}

#[tokio::test]
async fn many_401s_at_once_end_well_with_one_new_token() {
    let server = ScriptedServer::start(refuses_the_first);
    let credential = Credential::new(Replacement::Next);
    let client = client_of(&server, credential.clone());
    let calls = (0..20).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.project(7).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert!(credential.refused().iter().all(|token| token == "token-1"));
    let used = server.seen().into_iter().filter_map(|seen| seen.bearer);
    assert!(used.into_iter().all(|token| token != "token-3"));
}

#[tokio::test]
async fn a_403_never_asks_for_another_token() {
    for (detail, told) in [
        (
            "API key missing required scope 'query:read'",
            "the sign-in does not include the permission query:read",
        ),
        (
            "API key does not have access to the requested project: ID 7.",
            "the sign-in has no access to it: API key does not have access to the requested project: ID 7.",
        ),
        (
            "API keys with scoped projects are only supported on project-based endpoints.",
            "the sign-in is for single projects only",
        ),
        (
            "Organization 'Acme' does not allow using personal API keys.",
            "PostHog does not allow it: Organization 'Acme' does not allow using personal API keys.",
        ),
        ("", "PostHog does not allow it"),
    ] {
        let server = ScriptedServer::start(move |_| {
            Response::refusal(403, "permission_denied", detail).into()
        });
        let credential = Credential::new(Replacement::Next);
        let error = client_of(&server, credential.clone()).project(7).await;
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Forbidden(_)), "{error:?}");
        assert!(!error.needs_sign_in() && !error.is_transient());
        assert_eq!(error.to_string(), told);
        assert!(credential.refused().is_empty());
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn no_error_and_no_print_holds_the_token() {
    let server = ScriptedServer::start(|_| Response::html(500).into());
    let client = client(&server);
    let error = client.project(7).await.unwrap_err();
    let lost = ScriptedServer::start(|_| Reply::Close);
    let broken = crate::harness::client(&lost).project(7).await.unwrap_err();
    for print in [format!("{error} {error:?}"), format!("{broken} {broken:?}")] {
        assert!(!print.contains("token-"), "{print}");
    }
}
