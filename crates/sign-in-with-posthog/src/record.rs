//! The record of one Connection as it is stored in the Vault: the only place where secrets are serialized.
//!
//! `generation` grows with every write that changes what the record means. Whoever acted on an older
//! generation must not write: that is what keeps a late loser from overwriting a winner's tokens.

pub(crate) mod generations;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::connection::{CredentialKind, EndReason};
use crate::scope::Scopes;
use crate::session::EARLY_SECONDS;
use crate::token::AccessToken;
use crate::vault::VaultError;

/// Version of the layout that this program writes.
const VERSION: u32 = 1;

/// What the Vault holds about one Connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    /// Grows with every change.
    pub(crate) generation: u64,
    /// The credential, or why there is none any more.
    pub(crate) content: Content,
}

/// The credential of a Connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Content {
    /// Tokens.
    Tokens(Box<TokenSet>),
    /// A personal API key.
    ApiKey {
        #[serde(with = "secret")]
        key: SecretString,
        /// The Host that it is for; absent in records from before it was sealed with the key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
    },
    /// A mark that the session has ended, so that nobody brings it back.
    Ended { reason: EndReason },
}

/// Access token, refresh token, expiry and what belongs to them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TokenSet {
    #[serde(with = "secret")]
    pub(crate) access_token: SecretString,
    #[serde(with = "optional_secret", default)]
    pub(crate) refresh_token: Option<SecretString>,
    /// Unix seconds by this device's clock.
    pub(crate) expires_at: i64,
    /// Unix seconds by this device's clock.
    pub(crate) obtained_at: i64,
    /// What was granted. The Reach, which may be long, lies in the index: Windows takes no entry of more
    /// than 2,560 bytes.
    pub(crate) scopes: Scopes,
    /// `sub` of the account.
    pub(crate) subject: String,
    pub(crate) client_id: String,
    pub(crate) registered_dynamically: bool,
    pub(crate) token_endpoint: url::Url,
    pub(crate) revocation_endpoint: Option<url::Url>,
    /// No refresh before this Unix second, in any process.
    #[serde(default)]
    pub(crate) not_before: i64,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<Trouble>,
    /// Failed refreshes in a row.
    #[serde(default)]
    pub(crate) failures: u32,
    /// Refreshes in a row that were caused by a refused token soon after the one before.
    #[serde(default)]
    pub(crate) refusals: u32,
}

/// Why the last refresh failed, for every process that waits for the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Trouble {
    /// PostHog answers and cannot serve.
    Busy,
    /// PostHog refuses for a reason that is not the tokens'.
    Configuration {
        /// PostHog's words, shortened.
        words: String,
    },
    /// PostHog cannot be reached.
    Offline {
        /// What went wrong, for people.
        sentence: String,
    },
}

impl Record {
    pub(crate) fn new(generation: u64, content: Content) -> Self {
        Self {
            version: VERSION,
            generation,
            content,
        }
    }

    pub(crate) fn parse(key: &str, bytes: &[u8]) -> Result<Self, VaultError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let corrupt = || VaultError::Corrupt(key.to_owned());
        let Version { version } = serde_json::from_slice(bytes).map_err(|_| corrupt())?;
        if version > VERSION {
            return Err(VaultError::Newer(key.to_owned()));
        }
        serde_json::from_slice(bytes).map_err(|_| corrupt())
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Strings, numbers and maps with string keys always serialize.
        Zeroizing::new(serde_json::to_vec(self).expect("a record serializes"))
    }
}

impl TokenSet {
    pub(crate) fn access(&self) -> AccessToken {
        let (token, issuer) = (self.access_token.clone(), self.issuer());
        AccessToken::new(token, CredentialKind::OAuth, Some(issuer))
    }

    /// The Host that issued them: an endpoint at another origin is never used.
    pub(crate) fn issuer(&self) -> String {
        self.token_endpoint.origin().ascii_serialization()
    }

    /// True where the access token still serves for `seconds`.
    pub(crate) fn is_valid_for(&self, seconds: i64, now: i64) -> bool {
        is_valid_for(self.obtained_at, self.expires_at, seconds, now)
    }

    /// True where it is time to refresh.
    pub(crate) fn is_due(&self, now: i64) -> bool {
        !self.is_valid_for(early(self.obtained_at, self.expires_at), now)
    }
}

/// True where a token of these times still serves for `seconds`. A clock that went back makes it due.
pub(crate) fn is_valid_for(obtained_at: i64, expires_at: i64, seconds: i64, now: i64) -> bool {
    expires_at.saturating_sub(now) > seconds && obtained_at <= now.saturating_add(60)
}

/// How many seconds before its end a token of these times is refreshed.
pub(crate) fn early(obtained_at: i64, expires_at: i64) -> i64 {
    let lifetime = expires_at.saturating_sub(obtained_at).max(0);
    EARLY_SECONDS.min(lifetime / 4)
}

mod secret {
    use super::{Deserialize, Deserializer, ExposeSecret, SecretString, Serializer};

    pub(super) fn serialize<S: Serializer>(
        secret: &SecretString,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose_secret())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SecretString, D::Error> {
        String::deserialize(from).map(SecretString::from)
    }
}

mod optional_secret {
    use super::{Deserialize, Deserializer, ExposeSecret, SecretString, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it with this type")]
    pub(super) fn serialize<S: Serializer>(
        secret: &Option<SecretString>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => to.serialize_some(secret.expose_secret()),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<SecretString>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
    }
}

/// Tokens for tests.
#[cfg(test)]
pub(crate) fn sample_tokens() -> TokenSet {
    TokenSet {
        access_token: "pha_access".into(),
        refresh_token: Some("phr_refresh".into()),
        expires_at: 1_000,
        obtained_at: 0,
        scopes: Scopes::default(),
        subject: "s".into(),
        client_id: "c".into(),
        registered_dynamically: true,
        token_endpoint: "https://us.posthog.com/oauth/token/".parse().unwrap(),
        revocation_endpoint: None,
        not_before: 0,
        trouble: None,
        failures: 0,
        refusals: 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_comes_back_and_hides_its_secrets() {
        let record = Record::new(7, Content::Tokens(Box::new(sample_tokens())));
        let back = Record::parse("k", &record.to_bytes()).unwrap();
        let Content::Tokens(tokens) = &back.content else {
            panic!("no tokens");
        };
        assert_eq!(tokens.access_token.expose_secret(), "pha_access");
        assert!(!format!("{back:?}").contains("pha_"));
        assert!(!format!("{back:?}").contains("phr_"));
    }

    #[test]
    fn the_longest_record_fits_into_every_keychain() {
        let long = |length| SecretString::from("x".repeat(length));
        let tokens = TokenSet {
            access_token: long(64),
            refresh_token: Some(long(64)),
            expires_at: i64::MAX,
            obtained_at: i64::MAX,
            scopes: Scopes::parse(
                "openid profile email organization:read project:read query:read \
                 event_definition:read annotation:read annotation:write",
            ),
            subject: "0195c2a0-ada0-7000-8000-000000000001".into(),
            client_id: "x".repeat(120),
            token_endpoint: format!("https://{}.example.org/oauth/token/", "x".repeat(120))
                .parse()
                .unwrap(),
            revocation_endpoint: Some(
                format!("https://{}.example.org/oauth/revoke/", "x".repeat(120))
                    .parse()
                    .unwrap(),
            ),
            trouble: Some(Trouble::Configuration {
                words: "x".repeat(400),
            }),
            not_before: i64::MAX,
            failures: u32::MAX,
            refusals: u32::MAX,
            ..sample_tokens()
        };
        let record = Record::new(u64::MAX, Content::Tokens(Box::new(tokens)));
        let length = record.to_bytes().len();
        assert!(length < 2_560, "{length} bytes");
    }

    #[test]
    fn a_newer_record_is_told_from_a_broken_one() {
        let newer = br#"{"version":2,"anything":1}"#;
        assert!(matches!(
            Record::parse("k", newer),
            Err(VaultError::Newer(_))
        ));
        assert!(matches!(
            Record::parse("k", b"{"),
            Err(VaultError::Corrupt(_))
        ));
    }

    #[test]
    fn a_short_lived_token_is_not_due_from_the_start() {
        assert_eq!(early(0, 7 * 24 * 3600), EARLY_SECONDS);
        assert_eq!(early(0, 3600), EARLY_SECONDS);
        assert_eq!(early(0, 60), 15);
        assert_eq!(early(0, 0), 0);
        assert_eq!(early(100, 0), 0);
    }

    #[test]
    fn a_clock_that_went_back_makes_a_token_due() {
        let mut tokens = sample_tokens();
        tokens.obtained_at = 500;
        assert!(tokens.is_valid_for(30, 500));
        assert!(!tokens.is_valid_for(30, 100));
        assert!(!tokens.is_valid_for(30, 980));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_record_or_refused(bytes: Vec<u8>) {
            drop(Record::parse("k", &bytes));
        }

        #[test]
        fn any_tokens_and_times_come_back(
            access in "[!-~]{1,80}",
            refresh in proptest::option::of("[!-~]{1,80}"),
            generation: u64,
            expires_at: i64,
            obtained_at: i64,
        ) {
            let mut tokens = sample_tokens();
            tokens.access_token = access.clone().into();
            tokens.refresh_token = refresh.clone().map(Into::into);
            (tokens.expires_at, tokens.obtained_at) = (expires_at, obtained_at);
            // Whatever the times are, nothing overflows.
            let _ = tokens.is_due(obtained_at);
            let record = Record::new(generation, Content::Tokens(Box::new(tokens)));
            let back = Record::parse("k", &record.to_bytes()).unwrap();
            proptest::prop_assert_eq!(back.generation, generation);
            let Content::Tokens(back) = back.content else {
                panic!("no tokens");
            };
            proptest::prop_assert_eq!(back.access_token.expose_secret(), &access);
            let back = back.refresh_token.map(|token| token.expose_secret().to_owned());
            proptest::prop_assert_eq!(back, refresh);
        }

        #[test]
        fn a_record_cut_anywhere_is_refused(part in 0.0..1.0_f64) {
            let record = Record::new(1, Content::Tokens(Box::new(sample_tokens())));
            let bytes = record.to_bytes();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of it")]
            let cut = (bytes.len() as f64 * part) as usize;
            proptest::prop_assert!(Record::parse("k", &bytes[..cut]).is_err());
        }
    }
}
