//! The first half of a sign-in: metadata, registration, client ids.

use serde_json::{Value, json};
use sign_in_with_posthog::{
    BeginError, CompleteError, Host, IdTokenError, LoopbackListener, MetadataError, NoAnswer,
    Scopes,
};

use crate::harness::{self, Harness, MovedClock, REDIRECT};
use crate::posthog::{Fault, Kind, PostHog, refusal};
use test_support::{Reply, Response};

/// What a test changes in a JSON answer.
type Edit = fn(&mut Value);

const METADATA: &str = "/.well-known/oauth-authorization-server";
const REGISTER: &str = "/oauth/register";
const TOKEN: &str = "/oauth/token";

#[tokio::test]
async fn rule_b1_metadata_that_redirects_is_not_followed() {
    let harness = Harness::new(Kind::Keeping);
    let elsewhere =
        Fault::Before(|| Reply::Response(Response::html(302).with("Location", "/elsewhere")));
    harness.posthog.fail(METADATA, 1, elsewhere);
    let error = begin(&harness).await.unwrap_err();
    assert!(
        matches!(error, BeginError::Metadata(MetadataError::None(_))),
        "{error:?}"
    );
    assert_eq!(harness.posthog.count("/elsewhere"), 0);
}

#[tokio::test]
async fn rule_b1_metadata_of_another_issuer_is_refused() {
    let harness = Harness::new(Kind::Keeping);
    let foreign = Fault::Edit(|metadata| metadata["issuer"] = "https://oauth.posthog.com".into());
    harness.posthog.fail(METADATA, 1, foreign);
    let error = begin(&harness).await.unwrap_err();
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
    let harness = Harness::new(Kind::Keeping);
    let plain =
        Fault::Edit(|metadata| metadata["code_challenge_methods_supported"] = json!(["plain"]));
    harness.posthog.fail(METADATA, 1, plain);
    let error = begin(&harness).await.unwrap_err();
    assert!(
        matches!(error, BeginError::Metadata(MetadataError::NoPkce(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn this_device_is_registered_once_and_again_when_forgotten() {
    let harness = Harness::new(Kind::Keeping);
    harness.connect().await;
    harness.connect().await;
    assert_eq!(harness.posthog.count(REGISTER), 1);
    harness.posthog.forget_clients();
    harness.connect().await;
    assert_eq!(harness.posthog.count(REGISTER), 2);
}

#[tokio::test]
async fn a_configured_client_is_not_registered() {
    let harness = Harness::new(Kind::Rotating);
    harness.connect().await;
    assert_eq!(harness.posthog.count(REGISTER), 0);
}

#[tokio::test]
async fn a_registration_is_public_without_scope_and_content_with_an_id() {
    let harness = Harness::new(Kind::Keeping);
    let bare = Fault::Edit(|body| *body = json!({"client_id": body["client_id"]}));
    harness.posthog.fail(REGISTER, 1, bare);
    harness.connect().await;
    let body: Value = serde_json::from_str(&harness.posthog.last(REGISTER).body).unwrap();
    assert_eq!(body["token_endpoint_auth_method"], "none");
    assert_eq!(body["redirect_uris"][0], "http://127.0.0.1/callback");
    assert!(body.get("scope").is_none());
}

#[tokio::test]
async fn an_answer_without_a_client_id_is_no_registration() {
    let harness = Harness::new(Kind::Keeping);
    let edits: [Edit; 3] = [
        |body| remove(body, "client_id"),
        |body| body["client_id"] = "".into(),
        |body| body["client_id"] = "a b".into(),
    ];
    for edit in edits {
        harness.posthog.fail(REGISTER, 1, Fault::Edit(edit));
        let error = begin(&harness).await.unwrap_err();
        assert!(matches!(error, BeginError::Registration(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_host_without_metadata_is_told_with_the_way_out() {
    for answer in [
        || Reply::Response(Response::html(404)),
        // A single-page app answers so for any path it does not know.
        || Reply::Response(Response::html(200)),
        || Reply::Response(Response::json(200, &json!({"detail": "Not found."}))),
        || Reply::Response(Response::html(302).with("Location", "/login")),
        || Reply::Response(Response::html(403)),
    ] as [fn() -> Reply; 5]
    {
        let harness = Harness::new(Kind::Keeping);
        harness.posthog.fail(METADATA, 1, Fault::Before(answer));
        let error = begin(&harness).await.unwrap_err();
        assert!(
            matches!(error, BeginError::Metadata(MetadataError::None(_))),
            "{error:?}"
        );
        assert!(error.to_string().contains("personal API key"));
    }
}

#[tokio::test]
async fn the_client_id_is_looked_up_at_the_token_endpoint_and_dropped_on_401_invalid_client_alone()
{
    let doubtful: [fn() -> Reply; 7] = [
        || Reply::Response(refusal(400, "invalid_client")),
        || Reply::Response(refusal(401, "unauthorized_client")),
        || Reply::Response(refusal(400, "invalid_request")),
        || Reply::Response(refusal(503, "temporarily_unavailable")),
        || Reply::Response(Response::html(401)),
        || Reply::Response(Response::html(302).with("Location", "/login")),
        || Reply::Close,
    ];
    let harness = Harness::new(Kind::Keeping);
    harness.connect().await;
    for answer in doubtful {
        harness.posthog.fail(TOKEN, 1, Fault::Before(answer));
        harness.begin().await;
    }
    assert_eq!(harness.posthog.count(REGISTER), 1);
    assert_eq!(
        harness.posthog.count("/oauth/authorize"),
        0,
        "it answers 302 to everybody"
    );
    harness.posthog.forget_clients();
    harness.begin().await;
    assert_eq!(harness.posthog.count(REGISTER), 2);
}

#[tokio::test]
async fn a_client_forgotten_while_nobody_answered_is_found_out_and_registered_again() {
    let harness = Harness::new(Kind::Keeping);
    let attempt = harness.begin().await;
    assert!(!harness.sign_in.was_forgotten(&attempt).await, "only slow");
    harness.posthog.forget_clients();
    assert!(harness.sign_in.was_forgotten(&attempt).await);
    let tokens = harness.posthog.count(TOKEN);
    harness.begin().await;
    assert_eq!(harness.posthog.count(REGISTER), 2);
    assert_eq!(
        harness.posthog.count(TOKEN),
        tokens,
        "nothing is left to look up"
    );
    // A configured client id is nobody's to forget.
    let by_hand = Harness::new(Kind::Rotating);
    let attempt = by_hand.begin().await;
    assert!(!by_hand.sign_in.was_forgotten(&attempt).await);
    assert_eq!(by_hand.posthog.count(TOKEN), 0);
}

#[tokio::test]
async fn a_configured_client_id_that_cannot_work_is_named_before_the_browser_opens() {
    let harness = Harness::new(Kind::Rotating);
    let program = harness.another_program_as("http://example.org/client.json");
    let redirect = REDIRECT.parse().unwrap();
    let error = program
        .begin(&harness.host(), &redirect, &Scopes::default())
        .await
        .unwrap_err();
    assert!(matches!(error, BeginError::ClientId(_)), "{error:?}");
    assert!(error.to_string().contains("http://example.org/client.json"));
    assert_eq!(harness.posthog.count(REGISTER), 0);
}

/// A PostHog that somebody hosts for themselves.
pub async fn begin_self_hosted(
    harness: &Harness,
) -> Result<sign_in_with_posthog::Attempt, BeginError> {
    let host = Host::self_hosted(harness.posthog.base()).unwrap();
    let redirect = REDIRECT.parse().unwrap();
    harness
        .sign_in
        .begin(&host, &redirect, &Scopes::default())
        .await
}

/// Says the setting and the way by API key, and leaves nothing.
pub fn explains(harness: &Harness, sentence: &str, setting: &str) {
    assert!(sentence.contains(setting), "{sentence}");
    assert!(sentence.contains("personal API key"), "{sentence}");
    assert!(!sentence.contains("rule "), "{sentence}");
    let folder = harness.folder().join("sign-in");
    let list = std::fs::read_to_string(folder.join("connections.json")).unwrap_or_default();
    assert!(
        !list.contains("client") || list.contains("\"client_ids\": {}"),
        "{list}"
    );
    assert!(harness.sign_in.connections().unwrap().is_empty());
    assert!(!folder.join("vault").exists(), "no record");
}

#[tokio::test]
async fn self_hosted_without_a_signing_key_is_told_which_setting_is_missing() {
    let harness = Harness::new(Kind::Keeping);
    let keyless = Fault::Before(|| Reply::Response(refusal(500, "server_error")));
    harness.posthog.fail(REGISTER, 2, keyless);
    let error = begin_self_hosted(&harness).await.unwrap_err().to_string();
    explains(&harness, &error, "OIDC_RSA_PRIVATE_KEY");
    // Nobody can set that in the cloud.
    let error = begin(&harness).await.unwrap_err().to_string();
    assert!(!error.contains("OIDC_RSA_PRIVATE_KEY"), "{error}");
}

#[tokio::test]
async fn self_hosted_with_another_site_url_is_told_which_setting_is_wrong() {
    let harness = Harness::new(Kind::Keeping);
    let other = Fault::Edit(|metadata| metadata["issuer"] = "http://localhost:8010".into());
    harness.posthog.fail(METADATA, 2, other);
    let error = begin_self_hosted(&harness).await.unwrap_err().to_string();
    explains(&harness, &error, "SITE_URL");
    assert!(error.contains("http://localhost:8010"), "{error}");
    assert!(error.contains(harness.posthog.base()), "{error}");
    let error = begin(&harness).await.unwrap_err().to_string();
    assert!(!error.contains("SITE_URL"), "{error}");
}

#[tokio::test]
async fn self_hosted_behind_a_proxy_that_ends_tls_is_told_which_setting_is_missing() {
    let clock = std::sync::Arc::new(MovedClock::default());
    let posthog = PostHog::start_with_tls(Kind::Keeping, clock.clone());
    let harness = Harness::at(posthog, Kind::Keeping, clock, harness::trusting_http());
    let attempt = begin_self_hosted(&harness).await.unwrap();
    harness
        .posthog
        .sign_as(&harness.posthog.base().replace("https://", "http://"));
    let response = harness.agree(&attempt);
    let error = harness
        .sign_in
        .complete(&attempt, &response)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            CompleteError::IdToken(IdTokenError::IssuerWithoutTls)
        ),
        "{error:?}"
    );
    explains(&harness, &error.to_string(), "IS_BEHIND_PROXY");
    assert_eq!(harness.posthog.alive(), 0, "both tokens are revoked");
}

#[tokio::test]
async fn rule_b5_the_redirect_address_is_one_that_was_registered() {
    let harness = Harness::new(Kind::Keeping);
    let listener = LoopbackListener::bind().await.unwrap();
    let redirect = listener.redirect_uri();
    assert!(redirect.port().is_some_and(|port| port != 0));
    harness.connect().await;
    let body: Value = serde_json::from_str(&harness.posthog.last(REGISTER).body).unwrap();
    let mut without_port = redirect.clone();
    without_port.set_port(None).unwrap();
    let registered = body["redirect_uris"].as_array().unwrap();
    assert!(registered.contains(&json!(without_port.as_str())));
    assert!(registered.contains(&json!("http://[::1]/callback")));
}

#[tokio::test]
async fn rule_b6_the_redirect_host_is_a_literal_address() {
    let redirect = LoopbackListener::bind().await.unwrap().redirect_uri();
    assert!(!matches!(
        redirect.host(),
        Some(url::Host::Domain(_)) | None
    ));
}

#[tokio::test]
async fn a_refused_registration_says_posthogs_words() {
    let harness = Harness::new(Kind::Keeping);
    let full = Fault::Before(|| Reply::Response(refusal(429, "too many registrations")));
    harness.posthog.fail(REGISTER, 1, full);
    let error = begin(&harness).await.unwrap_err().to_string();
    assert!(error.contains("too many registrations"), "{error}");
}

#[tokio::test]
async fn rule_b1_an_untrusted_certificate_is_named() {
    let clock = std::sync::Arc::new(MovedClock::default());
    let posthog = PostHog::start_with_tls(Kind::Keeping, clock.clone());
    let harness = Harness::at(posthog, Kind::Keeping, clock, test_support::http::client());
    let error = begin(&harness).await.unwrap_err();
    assert!(
        matches!(
            error,
            BeginError::Metadata(MetadataError::NoAnswer(NoAnswer::Untrusted { .. }))
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn an_unreachable_host_is_named() {
    let harness = Harness::new(Kind::Keeping);
    harness.posthog.unplug();
    let error = begin(&harness).await.unwrap_err().to_string();
    assert!(error.contains("could not be reached"), "{error}");
}

pub async fn begin(harness: &Harness) -> Result<sign_in_with_posthog::Attempt, BeginError> {
    let redirect = REDIRECT.parse().unwrap();
    harness
        .sign_in
        .begin(&harness.host(), &redirect, &Scopes::default())
        .await
}

pub fn remove(body: &mut Value, name: &str) {
    body.as_object_mut().unwrap().remove(name);
}
