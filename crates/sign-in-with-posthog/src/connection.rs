//! What is known about a signed-in account without any of its secrets.

use std::fmt;

use ring::digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::host::Host;
use crate::scope::Scopes;

/// Names one Connection in files, in the keychain and in addresses. Holds `a-z`, `0-9` and `-` only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectionId(String);

impl ConnectionId {
    /// The id of the account `subject` at `host`: the same whenever this account signs in again.
    pub fn new(host: &Host, kind: CredentialKind, subject: &str) -> Self {
        let name = format!("{}\n{}\n{subject}", host.key(), kind.name());
        let hash = digest::digest(&digest::SHA256, name.as_bytes());
        let prefix = host.region().map_or("host", super::host::Region::key);
        let bytes = hash.as_ref().iter().take(6);
        let number = bytes.fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        Self(format!("{prefix}-{number:012x}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ConnectionId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let safe = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > 40 || !text.bytes().all(safe) {
            return Err("a connection id holds a-z, 0-9 and - only");
        }
        Ok(Self(text))
    }
}

impl From<ConnectionId> for String {
    fn from(id: ConnectionId) -> Self {
        id.0
    }
}

/// How an account signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// OAuth 2.0 Authorization Code with PKCE.
    // Earlier versions wrote the other name.
    #[serde(rename = "oauth", alias = "o_auth")]
    OAuth,
    /// A personal API key.
    ApiKey,
}

impl CredentialKind {
    fn name(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::ApiKey => "api_key",
        }
    }
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// PostHog's UUID of the user, or the user's number if only an API key's response gives that.
    pub subject: String,
    /// Given and family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// E-mail address, if the scope `email` was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl Account {
    /// What “Connected as …” shows: the e-mail address, otherwise the name, otherwise a word.
    pub fn label(&self) -> &str {
        self.email
            .as_deref()
            .or(self.name.as_deref())
            .unwrap_or("PostHog user")
    }

    /// The name of a person: given and family name, or the whole name if neither is known.
    pub(crate) fn name_of(
        name: Option<&str>,
        given: Option<&str>,
        family: Option<&str>,
    ) -> Option<String> {
        let known = |text: Option<&str>| {
            let text = text.map(str::trim).filter(|text| !text.is_empty());
            text.map(ToOwned::to_owned)
        };
        let parts: Vec<String> = [known(given), known(family)]
            .into_iter()
            .flatten()
            .collect();
        known(Some(&parts.join(" "))).or_else(|| known(name))
    }
}

/// What the user agreed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Scopes that were really granted.
    pub scopes: Scopes,
    /// Organizations or projects it is limited to.
    pub reach: Reach,
}

/// Organizations or projects that a grant is limited to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Everything that the user may see.
    #[default]
    All,
    /// These organizations, by UUID (`scoped_organizations`).
    Organizations(Vec<String>),
    /// These projects, by number (`scoped_teams`).
    Projects(Vec<u64>),
}

impl Reach {
    /// From PostHog's two lists as JSON; `None` if they are absent or make no sense, which must not be
    /// taken for everything. A number may be written as text.
    pub(crate) fn from_json(teams: Option<&Value>, organizations: Option<&Value>) -> Option<Self> {
        let number = |value: &Value| match value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        };
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        if teams.is_none() && organizations.is_none() {
            return None;
        }
        Some(Self::from_lists(
            list(teams, number)?,
            list(organizations, text)?,
        ))
    }

    /// From PostHog's two lists; both empty mean everything, and PostHog fills only one of them.
    pub fn from_lists(teams: Vec<u64>, organizations: Vec<String>) -> Self {
        if !teams.is_empty() {
            Self::Projects(teams)
        } else if !organizations.is_empty() {
            Self::Organizations(organizations)
        } else {
            Self::All
        }
    }
}

/// An absent list is empty. `None` if an item is of another type.
fn list<T>(value: Option<&Value>, item: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(item).collect(),
        Some(_) => None,
    }
}

/// Why a session has ended. There is no other way for one to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// PostHog refuses the API key.
    ApiKeyRejected,
    /// A refresh came back with fewer scopes than were granted.
    Narrowed,
    /// The record is older than the last one used on this device.
    Outdated,
    /// The record belongs to another device, or its keychain entry is gone.
    RecordLost,
    /// PostHog said `invalid_grant`: revoked in its settings, or unused for too long.
    RevokedOrExpired,
    /// Signed out on this device.
    SignedOut,
}

impl EndReason {
    /// One sentence for the sign-in screen.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::ApiKeyRejected => {
                "PostHog no longer accepts this API key: it was deleted or replaced."
            }
            Self::Narrowed => {
                "Your access was narrowed in PostHog. Sign in again to choose what this program may see."
            }
            Self::Outdated => {
                "The stored sign-in is older than the last one used on this device, probably because a backup was restored. Sign in again to continue."
            }
            Self::RecordLost => {
                "The stored sign-in cannot be opened on this device. Sign in again on this device."
            }
            Self::RevokedOrExpired => {
                "Your access was revoked or has expired. Sign in again to continue."
            }
            Self::SignedOut => "You signed out on this device.",
        }
    }
}

/// Whether a Connection can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Signed in.
    #[default]
    Active,
    /// Ended, and why.
    Ended(EndReason),
}

/// Which Vault holds the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultBackend {
    /// A file that only this user can read, sealed with a key of this device.
    EncryptedFile,
    /// The operating system's keychain.
    Keychain,
}

impl fmt::Display for VaultBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EncryptedFile => "an encrypted file",
            Self::Keychain if cfg!(target_os = "macos") => "the macOS keychain",
            Self::Keychain if cfg!(windows) => "the Windows Credential Manager",
            Self::Keychain => "the keyring",
        })
    }
}

/// One signed-in account at one Host. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// The PostHog that it is at.
    pub host: Host,
    /// How the account signed in.
    pub kind: CredentialKind,
    /// Who signed in.
    pub account: Account,
    /// What it may do.
    pub grant: Grant,
    /// Whether it can be used.
    #[serde(default)]
    pub state: ConnectionState,
    /// Where its secrets are stored.
    pub vault: VaultBackend,
    /// When it signed in, in Unix seconds.
    pub signed_in_at: i64,
    /// When its token was last refreshed, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refresh_at: Option<i64>,
    /// When its access token expires, in Unix seconds. An API key does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// When this device noticed that it has ended, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
}

impl Connection {
    /// Whether it can be used.
    pub fn is_active(&self) -> bool {
        self.state == ConnectionState::Active
    }

    /// Why the session has ended, unless the person ended it: revoked, expired, narrowed, lost.
    pub fn ended_by_itself(&self) -> Option<EndReason> {
        match self.state {
            ConnectionState::Active | ConnectionState::Ended(EndReason::SignedOut) => None,
            ConnectionState::Ended(reason) => Some(reason),
        }
    }

    /// Marks it as ended at `now`. The time of the first end is kept.
    pub(crate) fn end(&mut self, reason: EndReason, now: i64) {
        if self.is_active() || self.ended_at.is_none() {
            self.ended_at = Some(now);
        }
        self.state = ConnectionState::Ended(reason);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::Region;
    use serde_json::json;

    #[test]
    fn the_same_account_has_the_same_id_and_another_region_another() {
        let us = Host::cloud(Region::Us);
        let id = ConnectionId::new(&us, CredentialKind::OAuth, "a");
        assert_eq!(id, ConnectionId::new(&us, CredentialKind::OAuth, "a"));
        assert_ne!(
            id,
            ConnectionId::new(&Host::cloud(Region::Eu), CredentialKind::OAuth, "a")
        );
        assert!(id.as_str().starts_with("us-"));
    }

    #[test]
    fn an_id_from_a_file_cannot_name_another_file() {
        assert!(ConnectionId::try_from("../x".to_owned()).is_err());
    }

    #[test]
    fn lists_that_make_no_sense_are_not_everything() {
        let reach = |teams: Value, organizations: Value| {
            let known = |value: Value| (!value.is_null()).then_some(value);
            let (teams, organizations) = (known(teams), known(organizations));
            Reach::from_json(teams.as_ref(), organizations.as_ref())
        };
        assert_eq!(reach(json!([]), json!([])), Some(Reach::All));
        assert_eq!(reach(json!([]), json!(null)), Some(Reach::All));
        assert_eq!(reach(json!(null), json!(null)), None);
        assert_eq!(
            reach(json!(["11", 12]), json!([])),
            Some(Reach::Projects(vec![11, 12]))
        );
        assert_eq!(
            reach(json!(null), json!(["o"])),
            Some(Reach::Organizations(vec!["o".into()]))
        );
        for (teams, organizations) in [
            (json!("eleven"), json!([])),
            (json!([11, {}]), json!([])),
            (json!([-1]), json!([])),
            (json!([]), json!([5])),
        ] {
            assert_eq!(reach(teams, organizations), None);
        }
    }

    #[test]
    fn empty_lists_reach_everything() {
        assert_eq!(Reach::from_lists(vec![], vec![]), Reach::All);
        assert_eq!(Reach::from_lists(vec![1], vec![]), Reach::Projects(vec![1]));
    }
}
