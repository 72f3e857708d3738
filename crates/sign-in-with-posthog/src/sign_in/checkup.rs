//! Checks of the keychain, of stored records and of locks, for a program's own diagnosis.

use std::path::Path;

use super::SignIn;
use crate::connection::Connection;
use crate::file::{FileError, Lock};
use crate::record::RecordError;
use crate::task::blocking;
use crate::vault::VaultError;

impl SignIn {
    /// Writes, reads and removes a trial entry in the operating system's keychain, whichever Vault is
    /// in use. Takes at most a few seconds, even if the keychain hangs.
    ///
    /// # Errors
    ///
    /// What keeps the keychain from being used.
    pub async fn check_keychain(&self) -> Result<(), VaultError> {
        let vault = self.device.vault().clone();
        blocking(move || vault.check_keychain()).await
    }

    /// Whether a secret is stored for a Connection.
    ///
    /// # Errors
    ///
    /// A Vault that cannot be used, or a record that cannot be understood on this device or is not for the
    /// Connection's Host.
    pub async fn check_stored(&self, connection: &Connection) -> Result<bool, RecordError> {
        let (records, session) = (self.device.records.clone(), self.session_of(connection));
        blocking(move || {
            let Some(record) = records.read(session.id())? else {
                return Ok(false);
            };
            session.check(&record.content)?;
            Ok(true)
        })
        .await
    }

    /// The locks that other programs hold at this moment, by their file names: a refresh, a sign-in or
    /// a move of the Vault is under way.
    ///
    /// # Errors
    ///
    /// A lock file that cannot be opened.
    pub fn held_locks(&self) -> Result<Vec<String>, FileError> {
        held_locks(&self.device.folder)
    }
}

fn held_locks(folder: &Path) -> Result<Vec<String>, FileError> {
    let mut held = Vec::new();
    for place in [folder.to_owned(), folder.join("locks")] {
        let Ok(entries) = std::fs::read_dir(&place) else {
            continue;
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let is_lock = path.extension().is_some_and(|ending| ending == "lock");
            if is_lock && Lock::try_take(&path)?.is_none() {
                held.push(name_of(&path));
            }
        }
    }
    held.sort();
    Ok(held)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_lock_that_is_held_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks/us-1.lock");
        std::fs::create_dir(folder.path().join("locks")).unwrap();
        let lock = Lock::try_take(&path).unwrap();
        assert_eq!(held_locks(folder.path()).unwrap(), ["us-1.lock"]);
        drop(lock);
        assert!(held_locks(folder.path()).unwrap().is_empty());
    }
}
