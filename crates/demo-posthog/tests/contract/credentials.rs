use demo_posthog::Reach;
use reqwest::Method;

use crate::harness::{Harness, denied, error};

#[tokio::test]
async fn every_401_says_why_and_where_to_sign_in() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    harness.us().expire_access_tokens();
    let eu = harness
        .demo
        .eu()
        .sign_in_directly(1, Reach::All, "project:read", false);
    let path = "/api/projects/";
    let none = harness.send(harness.request(Method::GET, path)).await;
    assert_eq!(
        none.json(),
        error(
            "authentication_error",
            "not_authenticated",
            "Authentication credentials were not provided."
        )
    );
    for (token, detail) in [
        (signed.access_token.as_str(), "Access token has expired."),
        ("pha_unknown", "Invalid access token."),
        (eu.access_token.as_str(), "Invalid access token."),
        (
            "phx_unknown",
            "Personal API key found in request Authorization header is invalid.",
        ),
    ] {
        let seen = harness.get(token, path).await;
        assert_eq!(
            (seen.status, seen.json()),
            (
                401,
                error("authentication_error", "authentication_failed", detail)
            )
        );
        let metadata = format!(
            "Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource\"",
            harness.us().address()
        );
        assert_eq!(seen.header("www-authenticate"), metadata);
    }
}

#[tokio::test]
async fn a_missing_scope_is_named_on_every_endpoint() {
    let harness = Harness::start().await;
    let signed = harness
        .us()
        .sign_in_directly(1, Reach::All, "openid insight:read", false);
    let organization = harness.us().world().organizations[0].id.clone();
    for (path, scope) in [
        ("/api/users/@me/".to_owned(), "user:read"),
        ("/api/organizations/".to_owned(), "organization:read"),
        (
            format!("/api/organizations/{organization}/"),
            "organization:read",
        ),
        (
            format!("/api/organizations/{organization}/projects/"),
            "project:read",
        ),
        ("/api/projects/".to_owned(), "project:read"),
        ("/api/projects/11/".to_owned(), "project:read"),
        (
            "/api/projects/11/event_definitions/".to_owned(),
            "event_definition:read",
        ),
        (
            "/api/projects/11/annotations/".to_owned(),
            "annotation:read",
        ),
        ("/api/projects/11/query/x/".to_owned(), "query:read"),
    ] {
        let seen = harness.get(&signed.access_token, &path).await;
        let body = denied(&format!("API key missing required scope '{scope}'"));
        assert_eq!((seen.status, seen.json()), (403, body), "{path}");
        assert_eq!(seen.header("www-authenticate"), "");
    }
}

#[tokio::test]
async fn a_token_for_identity_alone_has_no_scopes() {
    let harness = Harness::start().await;
    let signed = harness
        .us()
        .sign_in_directly(1, Reach::All, "openid profile", false);
    let seen = harness.get(&signed.access_token, "/api/projects/").await;
    assert_eq!(
        seen.json(),
        denied("OAuth token has no scopes and cannot access this resource")
    );
}

#[tokio::test]
async fn a_revocation_shows_at_the_next_request() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    assert_eq!(
        harness
            .get(&signed.access_token, "/api/projects/")
            .await
            .status,
        200
    );
    harness.us().revoke_all();
    let seen = harness.get(&signed.access_token, "/api/projects/").await;
    assert_eq!(
        (seen.status, seen.json()["detail"].as_str()),
        (401, Some("Invalid access token."))
    );
}

#[tokio::test]
async fn other_methods_and_other_addresses_are_told() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    let put = harness
        .request(Method::PUT, "/api/projects/11/")
        .bearer_auth(&signed.access_token);
    let seen = harness.send(put).await;
    assert_eq!(
        (seen.status, seen.json()),
        (
            405,
            error(
                "invalid_request",
                "method_not_allowed",
                "Method \"PUT\" not allowed."
            )
        )
    );
    let unknown = harness.get(&signed.access_token, "/api/galaxies/").await;
    assert_eq!(
        (unknown.status, unknown.json()["code"].as_str()),
        (404, Some("not_found"))
    );
}

#[tokio::test]
async fn the_user_is_shown_whatever_the_reach_once_the_scope_is_there() {
    let harness = Harness::start().await;
    let signed = harness
        .us()
        .sign_in_directly(1, Reach::Projects(vec![11]), "user:read", false);
    let body = harness
        .get(&signed.access_token, "/api/users/@me/")
        .await
        .json();
    assert_eq!(body["email"], "ada@example.com");
    assert_eq!(body["organizations"].as_array().unwrap().len(), 2);
}
