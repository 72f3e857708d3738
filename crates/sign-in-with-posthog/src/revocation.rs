//! Token revocation (RFC 7009), best effort.
//!
//! The session has ended on this device before PostHog is asked. If the request fails, the tokens are valid until they
//! expire or the user removes the application at PostHog, and the user should be informed. For a registered client,
//! revoking the refresh token revokes everything that this user granted to the client id, which is this device alone.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::http;
use crate::token_endpoint::Leftover;
use crate::token_set::TokenSet;

/// How long each revocation may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Which tokens to revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revoke {
    /// Refresh token, then access token.
    Everything,
    /// The access token only: revoking the refresh token of a registered client would also end the
    /// sign-in that has just replaced this one.
    AccessTokenOnly,
}

/// The result of revoking the tokens at PostHog on sign-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// PostHog confirmed that they are revoked.
    Done,
    /// PostHog was not reached, or did not confirm. They are valid until they expire or the application is removed
    /// there.
    Failed,
    /// There was nothing to revoke: an API key, which its owner deletes at PostHog, or a session that had ended.
    NotNeeded,
}

/// Revokes tokens, and says whether PostHog confirmed it.
pub(crate) async fn revoke(http: &reqwest::Client, tokens: &TokenSet, which: Revoke) -> bool {
    let (endpoint, client_id) = (tokens.revocation_endpoint.as_ref(), &tokens.client_id);
    revoke_leftover(http, endpoint, client_id, &tokens.leftover(), which).await
}

/// Revokes tokens that were never stored, and says whether PostHog confirmed it.
pub(crate) async fn revoke_leftover(
    http: &reqwest::Client,
    endpoint: Option<&Url>,
    client_id: &str,
    tokens: &Leftover,
    which: Revoke,
) -> bool {
    let mut revoked = true;
    if which == Revoke::Everything
        && let Some(refresh_token) = &tokens.refresh_token
    {
        revoked &= revoke_one(http, endpoint, client_id, refresh_token, "refresh_token").await;
    }
    if let Some(access_token) = &tokens.access_token {
        revoked &= revoke_one(http, endpoint, client_id, access_token, "access_token").await;
    }
    revoked
}

async fn revoke_one(
    http: &reqwest::Client,
    endpoint: Option<&Url>,
    client_id: &str,
    token: &SecretString,
    hint: &str,
) -> bool {
    let Some(endpoint) = endpoint else {
        return false;
    };
    let form = [
        ("token", token.expose_secret()),
        ("token_type_hint", hint),
        ("client_id", client_id),
    ];
    match http::send_within(http.post(endpoint.clone()).form(&form), DEADLINE).await {
        Ok(answer) if answer.status.is_success() => {
            tracing::debug!(hint, "revoked");
            return true;
        }
        Ok(answer) => tracing::warn!(hint, status = answer.status.as_u16(), "not revoked"),
        Err(error) => tracing::warn!(hint, %error, "not revoked"),
    }
    false
}
