//! Personal API keys, through the same Vault and in the same language.

use secrecy::SecretString;
use sign_in_with_posthog::{ApiKeyError, Connection, CredentialKind, EndReason, SessionError};

use crate::desk::Desk;
use crate::posthog::Kind;

async fn add(desk: &Desk, key: &str) -> Result<Connection, ApiKeyError> {
    desk.sign_in
        .add_api_key(&desk.host(), &SecretString::from(key))
        .await
}

#[tokio::test]
async fn a_key_with_blanks_around_it_signs_in() {
    let desk = Desk::new(Kind::Keeping);
    let connection = add(&desk, "  phx_right\n").await.unwrap();
    assert_eq!(connection.kind, CredentialKind::ApiKey);
    assert_eq!(connection.account.label(), "ada@example.com");
    let token = desk.session(&connection).access_token().await.unwrap();
    assert_eq!(token.expose(), "phx_right");
    // It does not expire.
    desk.clock.advance(400 * 24 * 3600);
    desk.session(&connection).access_token().await.unwrap();
}

#[tokio::test]
async fn missing_scopes_are_named() {
    let desk = Desk::new(Kind::Keeping);
    let error = add(&desk, "phx_narrow").await.unwrap_err();
    assert!(matches!(&error, ApiKeyError::MissingScopes(missing) if missing == &["query:read"]));
    assert!(error.to_string().contains("query:read"));
    assert!(desk.sign_in.connections().unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_key_is_told() {
    let desk = Desk::new(Kind::Keeping);
    let error = add(&desk, "phx_wrong").await.unwrap_err();
    assert!(matches!(error, ApiKeyError::Rejected(_)), "{error:?}");
}

#[tokio::test]
async fn an_unreachable_host_is_told() {
    let desk = Desk::new(Kind::Keeping);
    desk.posthog.unplug();
    let error = add(&desk, "phx_right").await.unwrap_err();
    assert!(matches!(error, ApiKeyError::NoAnswer(_)), "{error:?}");
}

#[tokio::test]
async fn a_key_that_posthog_refuses_later_ends_with_its_reason() {
    let desk = Desk::new(Kind::Keeping);
    let connection = add(&desk, "phx_right").await.unwrap();
    let session = desk.session(&connection);
    let refused = session.access_token().await.unwrap();
    for _ in 0..2 {
        let error = session
            .access_token_after_refusal(&refused)
            .await
            .unwrap_err();
        assert!(matches!(
            error,
            SessionError::SignedOut(EndReason::ApiKeyRejected)
        ));
    }
    add(&desk, "phx_right").await.unwrap();
    session.access_token().await.unwrap();
}
