//! Personal API keys: for self-hosted PostHog, and for those who prefer them.
//!
//! A key is asked about itself first (`/api/personal_api_keys/@current/` needs no scope), so that what
//! it may do is known before anything is stored.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::connection::{Account, Grant, Reach};
use crate::host::Host;
use crate::http::{self, NoAnswer};
use crate::index::IndexError;
use crate::scope::Scopes;
use crate::sign_in::ReplaceError;

/// Why a key was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// PostHog is overloaded, or no PostHog.
    #[error("{host} answered in a way that is not PostHog's ({status})")]
    BadAnswer {
        /// The Host.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// Nothing was typed.
    #[error("the API key is missing")]
    Empty,
    /// The list of Connections could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// It lacks scopes that are needed.
    #[error("the API key lacks the scopes {}; edit it in PostHog or make a new one", .0.join(", "))]
    MissingScopes(Vec<String>),
    /// No answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// Something else that PostHog hands out.
    #[error("this is {0}, not a personal API key; a personal key starts with phx_")]
    OtherKind(&'static str),
    /// PostHog refuses it.
    #[error(
        "{0} does not accept this API key: it is wrong, was deleted, or belongs to another region"
    )]
    Rejected(String),
    /// It could not be stored.
    #[error("{0}")]
    Store(String),
}

impl From<ReplaceError> for ApiKeyError {
    fn from(error: ReplaceError) -> Self {
        Self::Store(error.to_string())
    }
}

/// A key that PostHog has accepted.
pub(crate) struct KnownKey {
    pub(crate) key: SecretString,
    pub(crate) account: Account,
    pub(crate) grant: Grant,
}

/// Asks `host` about a key that a person typed.
pub(crate) async fn look_up(
    http: &reqwest::Client,
    host: &Host,
    typed: &SecretString,
    needed: &Scopes,
) -> Result<KnownKey, ApiKeyError> {
    let key = parse(typed)?;
    let url = host.join("/api/personal_api_keys/@current/");
    let answer = http::send(http.get(url).bearer_auth(key.expose_secret())).await?;
    let status = answer.status.as_u16();
    let current: Current = match status {
        200 => answer.json().ok_or_else(|| ApiKeyError::BadAnswer {
            host: host.name(),
            status,
        })?,
        401 => return Err(ApiKeyError::Rejected(host.name())),
        _ => {
            return Err(ApiKeyError::BadAnswer {
                host: host.name(),
                status,
            });
        }
    };
    let scopes: Scopes = current.scopes.iter().map(String::as_str).collect();
    let missing = scopes.missing_from(needed);
    if !missing.is_empty() {
        return Err(ApiKeyError::MissingScopes(missing));
    }
    let me = if scopes.allows("user:read") {
        me(http, host, &key).await
    } else {
        None
    };
    Ok(KnownKey {
        key,
        account: Account {
            subject: current.user_id.to_string(),
            name: me.as_ref().and_then(Me::name),
            email: me.and_then(|me| me.email),
        },
        grant: Grant {
            scopes,
            reach: Reach::from_lists(
                current.scoped_teams.unwrap_or_default(),
                current.scoped_organizations.unwrap_or_default(),
            ),
        },
    })
}

fn parse(typed: &SecretString) -> Result<SecretString, ApiKeyError> {
    let key = typed.expose_secret().trim();
    let kind = match key.get(..4) {
        _ if key.is_empty() => return Err(ApiKeyError::Empty),
        Some("phc_") => Some("a project key, which only sends events"),
        Some("phs_") => Some("a project secret"),
        Some("pha_") => Some("an OAuth access token"),
        Some("phr_") => Some("an OAuth refresh token"),
        _ if !key.bytes().all(|byte| byte.is_ascii_graphic()) => Some("more than one word"),
        _ => None,
    };
    kind.map_or_else(|| Ok(key.into()), |kind| Err(ApiKeyError::OtherKind(kind)))
}

async fn me(http: &reqwest::Client, host: &Host, key: &SecretString) -> Option<Me> {
    let url = host.join("/api/users/@me/");
    let answer = http::send(http.get(url).bearer_auth(key.expose_secret())).await;
    answer.ok()?.json()
}

#[derive(Deserialize)]
struct Current {
    user_id: u64,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    scoped_teams: Option<Vec<u64>>,
    #[serde(default)]
    scoped_organizations: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Me {
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    #[serde(default)]
    email: Option<String>,
}

impl Me {
    fn name(&self) -> Option<String> {
        let name = format!("{} {}", self.first_name, self.last_name);
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_key_are_typing() {
        let key = parse(&" phx_abc\n".into());
        assert!(key.is_ok_and(|key| key.expose_secret() == "phx_abc"));
    }

    #[test]
    fn other_things_of_posthog_are_named() {
        assert!(matches!(
            parse(&"phc_x".into()),
            Err(ApiKeyError::OtherKind(_))
        ));
        assert!(matches!(
            parse(&"phx_a phx_b".into()),
            Err(ApiKeyError::OtherKind(_))
        ));
        assert!(matches!(parse(&"  ".into()), Err(ApiKeyError::Empty)));
    }
}
