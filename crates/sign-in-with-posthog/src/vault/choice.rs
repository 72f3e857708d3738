//! Which Vault a folder uses: chosen once, written down, followed from then on.
//!
//! Falling back from a keychain that fails to a file, or back again, could bring an older, long spent
//! refresh token to light and with it end the session. So the choice is made with the first record,
//! every process reads it, and only an explicit move changes it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::VaultError;
use crate::connection::VaultBackend;
use crate::file::{self, FileError, Lock};

const VERSION: u32 = 1;

/// More bytes than the note has.
const LARGEST: u64 = 64 << 10;

/// How long another process may take to choose; a keychain that hangs takes three calls.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chosen {
    version: u32,
    pub(super) backend: VaultBackend,
    /// Tells apart the folders of one program in the keychain.
    pub(super) name: String,
}

/// The file that holds the choice.
#[derive(Debug)]
pub(super) struct ChoiceFile {
    path: PathBuf,
    lock: PathBuf,
}

impl ChoiceFile {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("vault.json"),
            lock: folder.join("vault.choice.lock"),
        }
    }

    /// The choice; `None` before the first record.
    pub(super) fn read(&self) -> Result<Option<Chosen>, VaultError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Some(bytes) = file::read(&self.path, LARGEST)? else {
            return Ok(None);
        };
        let corrupt = |source| self.corrupt(source);
        let Version { version } = serde_json::from_slice(&bytes).map_err(corrupt)?;
        if version > VERSION {
            return Err(VaultError::Newer(self.path.display().to_string()));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(corrupt)
    }

    /// The file, if a newer version of the program wrote it.
    pub(super) fn newer(&self) -> Option<PathBuf> {
        matches!(self.read(), Err(VaultError::Newer(_))).then(|| self.path.clone())
    }

    /// The choice; if there is none yet, `choose` makes it. Processes take turns.
    pub(super) fn read_or(
        &self,
        choose: impl FnOnce(&str) -> Result<VaultBackend, VaultError>,
    ) -> Result<Chosen, VaultError> {
        if let Some(chosen) = self.read()? {
            return Ok(chosen);
        }
        let _lock = self.lock()?;
        if let Some(chosen) = self.read()? {
            return Ok(chosen);
        }
        let name = format!("{:016x}", fastrand::u64(..));
        let backend = choose(&name)?;
        self.write(backend, name)
    }

    /// Writes the choice down.
    pub(super) fn write(&self, backend: VaultBackend, name: String) -> Result<Chosen, VaultError> {
        let chosen = Chosen {
            version: VERSION,
            backend,
            name,
        };
        let bytes = serde_json::to_vec_pretty(&chosen).map_err(|source| self.corrupt(source))?;
        file::write(&self.path, &bytes)?;
        Ok(chosen)
    }

    /// Removes it.
    pub(super) fn erase(&self) -> Result<(), VaultError> {
        Ok(file::remove(&self.path)?)
    }

    fn corrupt(&self, source: serde_json::Error) -> VaultError {
        let path = self.path.clone();
        VaultError::ChoiceCorrupt { path, source }
    }

    fn lock(&self) -> Result<Lock, VaultError> {
        Lock::take(&self.lock, PATIENCE)?.ok_or_else(|| {
            let busy = std::io::Error::from(std::io::ErrorKind::TimedOut);
            FileError::new(
                &self.lock,
                "another program has kept it locked for too long",
                busy,
            )
            .into()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_choice_stands() {
        let folder = tempfile::tempdir().unwrap();
        let file = ChoiceFile::new(folder.path());
        assert_eq!(file.read().unwrap(), None);
        let first = file.read_or(|_| Ok(VaultBackend::EncryptedFile)).unwrap();
        let second = file.read_or(|_| Ok(VaultBackend::Keychain)).unwrap();
        assert_eq!(first, second);
    }

    #[test]
    fn a_choice_that_fails_is_not_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let file = ChoiceFile::new(folder.path());
        assert!(file.read_or(|_| Err(VaultError::KeychainLocked)).is_err());
        assert_eq!(file.read().unwrap(), None);
    }

    #[test]
    fn a_newer_choice_is_told_from_a_broken_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = ChoiceFile::new(folder.path());
        std::fs::write(folder.path().join("vault.json"), "{\"version\":2}").unwrap();
        assert!(matches!(file.read(), Err(VaultError::Newer(_))));
        std::fs::write(folder.path().join("vault.json"), "{").unwrap();
        assert!(matches!(file.read(), Err(VaultError::ChoiceCorrupt { .. })));
    }
}
