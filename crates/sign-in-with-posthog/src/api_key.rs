//! Personal API keys: for self-hosted PostHog, and for those who prefer them.
//!
//! A key is first used to read its own description (`/api/personal_api_keys/@current/` needs no scope), so that its
//! scopes are known before anything is stored. Old self-hosted versions do not offer that; with them the key is tried
//! on other endpoints.

mod error;
mod reach;
mod request;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::connection::{Account, Grant, Reach};
use crate::host::Host;
use crate::scope::Scopes;
pub use error::ApiKeyError;
use request::{Me, get, unexpected};

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
    let response = get(http, host, "/api/personal_api_keys/@current/", &key).await?;
    let current: Current = match response.status.as_u16() {
        200 => response.json().ok_or_else(|| unexpected(host, &response))?,
        // Old versions do not let a key ask about itself.
        404 | 405 => return look_up_at_old_host(http, host, key).await,
        401 | 403 if host.region().is_none() => return look_up_at_old_host(http, host, key).await,
        401 => return Err(ApiKeyError::Rejected(host.name())),
        _ => return Err(unexpected(host, &response)),
    };
    let scopes = current.scopes();
    let missing = scopes.missing_from(needed);
    if !missing.is_empty() {
        return Err(ApiKeyError::MissingScopes(missing));
    }
    let me: Option<Me> = if scopes.allows("user:read") {
        let response = get(http, host, "/api/users/@me/", &key).await.ok();
        response.and_then(|response| response.json())
    } else {
        None
    };
    let reach = match current.reach() {
        Some(reach) => reach,
        None => reach::by_trying(http, host, &key, me.as_ref()).await?,
    };
    Ok(KnownKey {
        key,
        account: Account {
            subject: current.user_id.to_string(),
            name: me.as_ref().and_then(Me::name),
            email: me.and_then(Me::email),
        },
        grant: Grant { scopes, reach },
    })
}

/// What an old version of PostHog reveals: that it accepts the key, perhaps whose it is, and what it reaches. Its
/// scopes stay unknown.
async fn look_up_at_old_host(
    http: &reqwest::Client,
    host: &Host,
    key: SecretString,
) -> Result<KnownKey, ApiKeyError> {
    let response = get(http, host, "/api/users/@me/", &key).await?;
    let me: Option<Me> = match response.status.as_u16() {
        200 => Some(response.json().ok_or_else(|| unexpected(host, &response))?),
        401 => return Err(ApiKeyError::Rejected(host.name())),
        // A key with scopes, and without `user:read`.
        403 => None,
        _ => return Err(unexpected(host, &response)),
    };
    let reach = reach::by_trying(http, host, &key, me.as_ref()).await?;
    Ok(KnownKey {
        key,
        account: Account {
            // One such account per Host, if it stays nameless.
            subject: me
                .as_ref()
                .and_then(|me| me.uuid.clone())
                .unwrap_or_else(|| "api-key".to_owned()),
            name: me.as_ref().and_then(Me::name),
            email: me.and_then(Me::email),
        },
        grant: Grant {
            scopes: Scopes::parse("*"),
            reach,
        },
    })
}

fn parse(typed: &SecretString) -> Result<SecretString, ApiKeyError> {
    let key = bare(typed.expose_secret());
    let kind = match key.get(..4) {
        _ if key.is_empty() => return Err(ApiKeyError::Empty),
        Some("phc_") => Some("a project key, which only sends events"),
        Some("phs_") => Some("a project secret"),
        Some("pha_") => Some("an OAuth access token"),
        Some("phr_") => Some("an OAuth refresh token"),
        _ if key.contains(char::is_whitespace) => Some("more than one word"),
        _ if !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Some("text with a character that no key has")
        }
        _ => None,
    };
    kind.map_or_else(|| Ok(key.into()), |kind| Err(ApiKeyError::OtherKind(kind)))
}

/// A key without what editors, shells and web pages put around it: blanks of every width, marks of the byte order,
/// line ends, quotes.
fn bare(typed: &str) -> &str {
    const QUOTES: [(char, char); 7] = [
        ('"', '"'),
        ('\'', '\''),
        ('`', '`'),
        ('“', '”'),
        ('‘', '’'),
        ('„', '“'),
        ('«', '»'),
    ];
    let is_blank = |letter: char| {
        letter.is_whitespace()
            || letter.is_control()
            || matches!(
                letter,
                '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{ad}'
            )
    };
    let mut key = typed.trim_matches(is_blank);
    while let Some(within) = QUOTES
        .into_iter()
        .find_map(|(before, after)| key.strip_prefix(before)?.strip_suffix(after))
    {
        key = within.trim_matches(is_blank);
    }
    key
}

#[derive(Deserialize)]
struct Current {
    user_id: u64,
    /// Absent for a key from before there were scopes.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    scoped_teams: Option<Value>,
    #[serde(default)]
    scoped_organizations: Option<Value>,
}

impl Current {
    fn scopes(&self) -> Scopes {
        match &self.scopes {
            Some(scopes) => scopes.iter().map(String::as_str).collect(),
            None => Scopes::parse("*"),
        }
    }

    /// What it is limited to; `None` if the lists are malformed, which must not be taken for everything.
    fn reach(&self) -> Option<Reach> {
        let (teams, organizations) = (&self.scoped_teams, &self.scoped_organizations);
        if teams.is_none() && organizations.is_none() {
            // Nothing was written down, so nothing is limited.
            return Some(Reach::All);
        }
        Reach::from_json(teams.as_ref(), organizations.as_ref())
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
    fn what_editors_and_shells_put_around_a_key_is_left_out() {
        for typed in [
            "\u{feff}phx_abc\r\n",
            "\"phx_abc\"",
            " 'phx_abc' ",
            "“phx_abc”",
            "\u{a0}phx_abc\u{202f}",
            "\u{200b}phx_abc\u{2060}\n",
            "\u{feff}\"phx_abc\"\r\n",
            "\0phx_abc\0",
        ] {
            let key = parse(&typed.into());
            assert!(
                key.is_ok_and(|key| key.expose_secret() == "phx_abc"),
                "{typed:?}"
            );
        }
        for typed in ["\"\"", "phx_\u{a0}abc", "phx_ä"] {
            assert!(parse(&typed.into()).is_err(), "{typed:?}");
        }
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
