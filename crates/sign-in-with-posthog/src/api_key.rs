//! Personal API keys: for self-hosted PostHog, and for those who prefer them.
//!
//! A key is asked about itself first (`/api/personal_api_keys/@current/` needs no scope), so that what
//! it may do is known before anything is stored. Old self-hosted versions do not answer that; there the
//! key is tried on what else it may open.

mod reach;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::connection::{Account, Grant, Reach};
use crate::host::Host;
use crate::http::{self, Answer, NoAnswer};
use crate::index::IndexError;
use crate::scope::Scopes;
use crate::sign_in::ReplaceError;

/// Why a key was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// No PostHog, or something before it.
    #[error("{host} answered in a way that is not PostHog's ({status})")]
    BadAnswer {
        /// The Host.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// It is limited, and an old server does not say to what.
    #[error(
        "this API key is limited to {limit}, and this version of PostHog does not say which; \
         make a key without that limit{remedy}"
    )]
    LimitUnknown {
        /// What it is limited to.
        limit: &'static str,
        /// Another way out, if there is one.
        remedy: &'static str,
    },
    /// PostHog is overloaded or restarting.
    #[error("{host} is busy ({status}); try again in a moment")]
    Busy {
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
    let answer = ask(http, host, "/api/personal_api_keys/@current/", &key).await?;
    let current: Current = match answer.status.as_u16() {
        200 => answer.json().ok_or_else(|| bad_answer(host, &answer))?,
        // Old versions do not let a key ask about itself.
        404 | 405 => return look_up_at_old_host(http, host, key).await,
        401 | 403 if host.region().is_none() => return look_up_at_old_host(http, host, key).await,
        401 => return Err(ApiKeyError::Rejected(host.name())),
        _ => return Err(bad_answer(host, &answer)),
    };
    let scopes = current.scopes();
    let missing = scopes.missing_from(needed);
    if !missing.is_empty() {
        return Err(ApiKeyError::MissingScopes(missing));
    }
    let me: Option<Me> = if scopes.allows("user:read") {
        let answer = ask(http, host, "/api/users/@me/", &key).await.ok();
        answer.and_then(|answer| answer.json())
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

/// What an old version tells: that it takes the key, at best whose it is, and what it opens. What the key may
/// do shows when it is used.
async fn look_up_at_old_host(
    http: &reqwest::Client,
    host: &Host,
    key: SecretString,
) -> Result<KnownKey, ApiKeyError> {
    let answer = ask(http, host, "/api/users/@me/", &key).await?;
    let me: Option<Me> = match answer.status.as_u16() {
        200 => Some(answer.json().ok_or_else(|| bad_answer(host, &answer))?),
        401 => return Err(ApiKeyError::Rejected(host.name())),
        // A key with scopes, and without `user:read`.
        403 => None,
        _ => return Err(bad_answer(host, &answer)),
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

pub(crate) async fn ask(
    http: &reqwest::Client,
    host: &Host,
    path: &str,
    key: &SecretString,
) -> Result<Answer, NoAnswer> {
    http::send_to_api(http.get(host.join(path)).bearer_auth(key.expose_secret())).await
}

pub(crate) fn bad_answer(host: &Host, answer: &Answer) -> ApiKeyError {
    let (host, status) = (host.name(), answer.status.as_u16());
    if matches!(status, 408 | 425 | 429 | 500..) {
        ApiKeyError::Busy { host, status }
    } else {
        ApiKeyError::BadAnswer { host, status }
    }
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

    /// What it is limited to; `None` if what stands there makes no sense, which must not be taken for
    /// everything.
    fn reach(&self) -> Option<Reach> {
        let (teams, organizations) = (&self.scoped_teams, &self.scoped_organizations);
        if teams.is_none() && organizations.is_none() {
            // Nothing was written down, so nothing is limited.
            return Some(Reach::All);
        }
        Reach::from_json(teams.as_ref(), organizations.as_ref())
    }
}

#[derive(Deserialize)]
pub(crate) struct Me {
    #[serde(default)]
    uuid: Option<String>,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    organizations: Option<Value>,
}

impl Me {
    /// The organizations that the person belongs to, whatever the key reaches.
    pub(crate) fn organizations(&self) -> impl Iterator<Item = &str> {
        let all = self.organizations.as_ref().and_then(Value::as_array);
        let ids = all.into_iter().flatten().map(|known| known.get("id"));
        ids.filter_map(|id| id.and_then(Value::as_str))
    }

    fn name(&self) -> Option<String> {
        let parts = [&self.first_name, &self.last_name].into_iter().flatten();
        let name: Vec<&str> = parts.map(|part| part.trim()).collect();
        let name = name.join(" ").trim().to_owned();
        (!name.is_empty()).then_some(name)
    }

    fn email(self) -> Option<String> {
        self.email.filter(|email| !email.is_empty())
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
