//! The record of one Connection as it is stored in the Vault: the only place where secrets are serialized.
//!
//! `generation` grows with every write that changes what the record means. Whoever acted on an older
//! generation must not write: that is what keeps a late loser from overwriting a winner's tokens.

pub(crate) mod generations;
pub(crate) mod store;

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::connection::{CredentialKind, EndReason};
use crate::secret;
use crate::token_set::TokenSet;
use crate::vault::VaultError;

/// Version of the layout that this program writes.
const VERSION: u32 = 1;

/// What the Vault holds about one Connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    /// Grows with every change.
    pub(crate) generation: u64,
    /// The credential, or why there no longer is one.
    pub(crate) content: Content,
}

/// Why the stored credential of a Connection could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes that the Vault returned are no record. The parser's error is left out: it may quote a secret.
    ///
    /// Signing in again replaces the record.
    #[error("the stored sign-in {0} cannot be read; sign in again to replace it")]
    Corrupt(String),
    /// The record was written by a newer version of the program.
    ///
    /// Updating this program helps. Signing in again replaces the record.
    #[error("{0} was written by a newer version of this program; update this one")]
    Newer(String),
    /// The record is for another Host, or of another kind, than the list of Connections says.
    ///
    /// The credential is not sent anywhere. Signing in again replaces it.
    #[error(transparent)]
    OtherHost(#[from] OtherHost),
    /// The record is older than one that this device has used: it was restored from a backup.
    ///
    /// Its refresh token was spent long ago, so it is not presented. The user has to sign in again.
    #[error("the stored sign-in {0} is older than the last one used on this device; sign in again")]
    Outdated(String),
    /// The Vault that holds it failed; see there.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl RecordError {
    /// Whether the cause is the operating system's keychain.
    pub fn is_of_keychain(&self) -> bool {
        matches!(self, Self::Vault(error) if error.is_of_keychain())
    }
}

/// A stored credential is for another Host, or of another kind, than the list of Connections says: the list
/// was edited, or a file was swapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherHost {
    /// What is stored.
    pub(crate) kind: CredentialKind,
    /// The Host that it is for, if that is stored with it.
    pub(crate) sealed: Option<String>,
    /// The Host that the list names.
    pub(crate) listed: String,
}

impl fmt::Display for OtherHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            CredentialKind::OAuth => "The stored sign-in",
            CredentialKind::ApiKey => "The stored API key",
        })?;
        if let Some(sealed) = &self.sealed {
            write!(f, " is for {sealed} and")?;
        }
        write!(
            f,
            " does not belong to the account at {} that connections.json lists; it is not sent. Sign in \
             again.",
            self.listed
        )
    }
}

impl std::error::Error for OtherHost {}

/// The credential of a Connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Content {
    /// The tokens of an OAuth sign-in.
    Tokens(Box<TokenSet>),
    /// A personal API key.
    ApiKey {
        #[serde(with = "secret::stored")]
        key: SecretString,
        /// The Host that it is for; absent in records from before it was sealed with the key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
    },
    /// A mark that the session has ended, so that nobody brings it back.
    Ended { reason: EndReason },
}

impl Record {
    pub(crate) fn new(generation: u64, content: Content) -> Self {
        Self {
            version: VERSION,
            generation,
            content,
        }
    }

    /// The record called `name`, from the bytes of [`Record::to_bytes`].
    pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let corrupt = || RecordError::Corrupt(name.to_owned());
        let Version { version } = serde_json::from_slice(bytes).map_err(|_| corrupt())?;
        if version > VERSION {
            return Err(RecordError::Newer(name.to_owned()));
        }
        serde_json::from_slice(bytes).map_err(|_| corrupt())
    }

    /// The record as it is stored.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Strings, numbers and maps with string keys always serialize.
        Zeroizing::new(serde_json::to_vec(self).expect("a record serializes"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use secrecy::ExposeSecret;

    use super::*;
    use crate::scope::Scopes;
    use crate::token_set::{Trouble, sample_tokens};

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

    /// As version 0.1.0 wrote them. The same bytes serve the other way round.
    #[test]
    fn a_record_of_the_first_version_is_read_and_written_byte_for_byte() {
        for stored in [
            concat!(
                r#"{"version":1,"generation":7,"content":{"kind":"tokens","access_token":"pha_a","#,
                r#""refresh_token":"phr_r","expires_at":1000,"obtained_at":0,"scopes":"openid query:read","#,
                r#""subject":"s","client_id":"c","registered_dynamically":true,"#,
                r#""token_endpoint":"https://us.posthog.com/oauth/token/","revocation_endpoint":null,"#,
                r#""not_before":9,"trouble":{"kind":"offline","sentence":"why"},"failures":2,"refusals":1}}"#,
            ),
            concat!(
                r#"{"version":1,"generation":1,"content":{"kind":"api_key","key":"phx_k","#,
                r#""issuer":"https://us.posthog.com"}}"#,
            ),
            r#"{"version":1,"generation":1,"content":{"kind":"api_key","key":"phx_k"}}"#,
            r#"{"version":1,"generation":8,"content":{"kind":"ended","reason":"revoked_or_expired"}}"#,
        ] {
            let record = Record::parse("k", stored.as_bytes()).unwrap();
            let written = String::from_utf8(record.to_bytes().to_vec()).unwrap();
            assert_eq!(written, stored);
        }
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
            Err(RecordError::Newer(_))
        ));
        assert!(matches!(
            Record::parse("k", b"{"),
            Err(RecordError::Corrupt(_))
        ));
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
