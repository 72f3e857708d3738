//! The highest generation of each record that this device has seen, kept apart from the records.
//!
//! A backup of the records brings back refresh tokens that are long spent, and PostHog ends the whole
//! session when one of those is presented. So the generation of each record is noted beside the device's
//! key, in another folder than the records, and in another place than the keychain: a record of an older
//! generation is refused without asking PostHog. Only a restore of both places at once goes unnoticed.
//!
//! A record is written first and noted after it. A program that ends in between leaves a record that is
//! newer than the note, which the next one to read it puts right.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Content, Record};
use crate::file::{self, FileError};

/// More bytes than a note has.
const LARGEST: u64 = 4 << 10;

/// What is stored about the generation of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) generation: u64,
    /// Tells whether an older record holds the credential that is still in use: a server that does not
    /// rotate gives the same refresh token for the life of the session, and an API key stays the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

impl Seen {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            generation: record.generation,
            credential: credential(&record.content).map(fingerprint),
        }
    }

    /// Whether `record` holds the credential that was noted.
    pub(super) fn is_of(&self, record: &Record) -> bool {
        self.credential.is_some() && self.credential == Self::of(record).credential
    }
}

/// The notes about the records of one folder.
#[derive(Clone, Debug)]
pub(super) struct Generations {
    folder: PathBuf,
}

impl Generations {
    pub(super) fn new(device_folder: &Path) -> Self {
        Self {
            folder: device_folder.join("generations"),
        }
    }

    fn folder_of(&self, folder_name: &str) -> PathBuf {
        let safe: String = folder_name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        self.folder.join(safe)
    }

    fn path(&self, folder_name: &str, key: &str) -> PathBuf {
        self.folder_of(folder_name).join(format!("{key}.json"))
    }

    /// Forgets one folder. Returns whether no other folder has records on this device.
    pub(super) fn erase(&self, folder_name: &str) -> Result<bool, FileError> {
        file::remove_folder(&self.folder_of(folder_name))?;
        // Only an empty one can be removed.
        Ok(std::fs::remove_dir(&self.folder).is_ok() || !self.folder.exists())
    }

    /// What is noted. A note that cannot be read does not block a session: it protects against an accident, and the
    /// record itself is authenticated.
    pub(super) fn read(&self, folder_name: &str, key: &str) -> Option<Seen> {
        let path = self.path(folder_name, key);
        let bytes = file::read(&path, LARGEST).unwrap_or_else(|error| {
            tracing::warn!(%error, "the newest generation of the stored sign-in is not known");
            None
        })?;
        let seen = serde_json::from_slice(&bytes);
        if seen.is_err() {
            tracing::warn!(path = %path.display(), "the stored generation of a sign-in is not valid");
        }
        seen.ok()
    }

    /// Notes that `record` was written or read, if that is not known.
    pub(super) fn note(&self, folder_name: &str, key: &str, known: Option<&Seen>, record: &Record) {
        let now = Seen::of(record);
        if known.is_some_and(|known| *known == now || known.generation > now.generation) {
            return;
        }
        let bytes = serde_json::to_vec(&now).unwrap_or_default();
        if let Err(error) = file::write(&self.path(folder_name, key), &bytes) {
            tracing::warn!(%error, "a restored backup of this sign-in could not be detected");
        }
    }
}

/// The secret that PostHog knows the session by.
fn credential(content: &Content) -> Option<&SecretString> {
    match content {
        Content::Tokens(tokens) => Some(tokens.credential()),
        Content::ApiKey { key, .. } => Some(key),
        Content::Ended { .. } => None,
    }
}

/// 96 bits of a hash: enough to tell two random tokens apart, and of no use to find one.
fn fingerprint(secret: &SecretString) -> String {
    let hash = digest::digest(&digest::SHA256, secret.expose_secret().as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().iter().take(12).copied().collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::connection::EndReason;
    use crate::token_set::sample_tokens;

    fn tokens(generation: u64, refresh_token: &str) -> Record {
        let mut tokens = sample_tokens();
        tokens.refresh_token = Some(refresh_token.into());
        Record::new(generation, Content::Tokens(Box::new(tokens)))
    }

    #[test]
    fn a_note_is_private_and_holds_no_secret() {
        let device = tempfile::tempdir().unwrap();
        let files = Generations::new(device.path());
        assert_eq!(files.read("one", "us-1"), None);
        let record = tokens(7, "phr_secret");
        files.note("one", "us-1", None, &record);
        let seen = files.read("one", "us-1").unwrap();
        assert_eq!(seen.generation, 7);
        assert!(seen.is_of(&record) && !seen.is_of(&tokens(7, "phr_other")));
        assert_eq!(files.read("two", "us-1"), None);
        let path = files.path("one", "us-1");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("secret"), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600);
        }
    }

    #[test]
    fn an_older_generation_never_lowers_the_note() {
        let device = tempfile::tempdir().unwrap();
        let files = Generations::new(device.path());
        files.note("one", "us-1", None, &tokens(7, "phr_new"));
        let known = files.read("one", "us-1");
        files.note("one", "us-1", known.as_ref(), &tokens(6, "phr_old"));
        assert_eq!(files.read("one", "us-1"), known);
    }

    #[test]
    fn a_mark_that_the_session_has_ended_is_of_no_credential() {
        let reason = EndReason::SignedOut;
        let ended = Record::new(8, Content::Ended { reason });
        assert!(!Seen::of(&ended).is_of(&ended));
        assert!(!Seen::of(&ended).is_of(&tokens(7, "phr_old")));
    }

    #[test]
    fn the_last_folder_on_a_device_is_told_from_one_of_several() {
        let device = tempfile::tempdir().unwrap();
        let files = Generations::new(device.path());
        for name in ["one", "two"] {
            files.note(name, "us-1", None, &tokens(7, "phr_secret"));
        }
        assert!(!files.erase("one").unwrap());
        assert!(files.read("one", "us-1").is_none() && files.read("two", "us-1").is_some());
        assert!(files.erase("two").unwrap());
        assert!(!device.path().join("generations").exists());
        assert!(files.erase("two").unwrap());
    }

    #[test]
    fn a_note_that_makes_no_sense_is_no_note() {
        let device = tempfile::tempdir().unwrap();
        let files = Generations::new(device.path());
        file::write(&files.path("one", "us-1"), b"{").unwrap();
        assert_eq!(files.read("one", "us-1"), None);
        assert!(
            files
                .path("../one", "us-1")
                .starts_with(device.path().join("generations"))
        );
    }
}
