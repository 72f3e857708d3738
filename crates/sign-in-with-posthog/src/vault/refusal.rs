//! The last refusal of the keychain, remembered for a minute by all processes of this user.
//!
//! A locked keychain asks the person to unlock it, once for each call, and one that does not answer costs each
//! call its whole deadline. A bar that starts a program every few seconds would ask without end. So the first
//! refusal is written down, and for a minute the others take its word: without asking a keychain that was
//! locked to unlock, and without asking at all one that did not answer.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::error::VaultError;
use crate::file;

/// How long a refusal is remembered, in seconds.
const MEMORY_SECONDS: u64 = 60;

/// More bytes than the note has.
const LARGEST: u64 = 4 << 10;

/// How the keychain refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refusal {
    /// It is locked, and was not unlocked.
    Locked,
    /// It was reached and does not answer.
    Silent,
    /// It cannot be reached from here, for this reason.
    Unreachable(String),
}

impl From<Refusal> for VaultError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Locked => Self::KeychainLocked,
            Refusal::Silent => Self::KeychainHangs,
            Refusal::Unreachable(why) => Self::KeychainUnreachable(why),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    /// Unix seconds.
    at: u64,
    /// Which keychain: another session of the same user may reach it where this one does not.
    way: u64,
    refusal: Refusal,
}

/// The note of the last refusal.
#[derive(Clone, Debug)]
pub(super) struct RefusalFile {
    path: PathBuf,
    way: u64,
}

impl RefusalFile {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("keychain.json"),
            way: way(),
        }
    }

    /// The refusal of the last minute.
    pub(super) fn recent(&self) -> Option<Refusal> {
        let bytes = file::read(&self.path, LARGEST).ok().flatten()?;
        let note: Note = serde_json::from_slice(&bytes).ok()?;
        let age = now().checked_sub(note.at)?;
        (note.way == self.way && age < MEMORY_SECONDS).then_some(note.refusal)
    }

    /// Remembers a refusal. One that cannot be written down is found out again by the next process.
    pub(super) fn remember(&self, refusal: Refusal) {
        let note = Note {
            at: now(),
            way: self.way,
            refusal,
        };
        let bytes = serde_json::to_vec(&note).unwrap_or_default();
        if let Err(error) = file::write(&self.path, &bytes) {
            tracing::debug!(%error, "the keychain's refusal could not be stored");
        }
    }

    pub(super) fn forget(&self) {
        file::remove(&self.path).ok();
    }
}

/// Tells apart the ways to a keychain: on Linux the session bus.
fn way() -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"] {
        std::env::var_os(name).hash(&mut hasher);
    }
    hasher.finish()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_refusal_is_remembered_for_a_minute_and_for_this_bus() {
        let folder = tempfile::tempdir().unwrap();
        let file = RefusalFile::new(folder.path());
        assert_eq!(file.recent(), None);
        file.remember(Refusal::Locked);
        assert_eq!(file.recent(), Some(Refusal::Locked));
        let elsewhere = RefusalFile {
            way: file.way ^ 1,
            ..file.clone()
        };
        assert_eq!(elsewhere.recent(), None);
        let write = |at| {
            let note = Note {
                at,
                way: file.way,
                refusal: Refusal::Silent,
            };
            std::fs::write(&file.path, serde_json::to_vec(&note).unwrap()).unwrap();
        };
        write(now() - MEMORY_SECONDS - 1);
        assert_eq!(file.recent(), None);
        // The clock was set back.
        write(now() + 3600);
        assert_eq!(file.recent(), None);
        file.remember(Refusal::Locked);
        file.forget();
        assert_eq!(file.recent(), None);
    }
}
