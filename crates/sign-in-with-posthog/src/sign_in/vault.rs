//! Where the secrets are stored: which Vault, moving them to another one, and doing without a keychain.

use std::time::Duration;

use super::{LOCK_PATIENCE, MoveError, SignIn, held_too_long};
use crate::connection::{ConnectionId, EndReason};
use crate::file::{FileError, Lock};
use crate::session::blocking;
use crate::vault::{VaultBackend, VaultError};

impl SignIn {
    /// Which Vault holds the records; `None` before the first account signed in.
    ///
    /// # Errors
    ///
    /// A note of the choice that cannot be read.
    pub fn vault(&self) -> Result<Option<VaultBackend>, VaultError> {
        self.0.vault.chosen()
    }

    /// Gives the keychain less time for a call than its three seconds: for a program that has little itself.
    /// Has an effect before the keychain is first used.
    pub fn limit_keychain(&self, patience: Duration) {
        self.0.vault.limit_keychain(patience);
    }

    /// Why the first sign-in was stored in the encrypted file although the keychain was preferred: a sentence
    /// for people. Answered once, by the process that chose.
    pub fn take_vault_notice(&self) -> Option<String> {
        let error = self.0.vault.take_passed_over()?;
        Some(format!(
            "The sign-in is stored in an encrypted file that only this user on this device can read, because \
             {error}."
        ))
    }

    /// Moves all records to another Vault, and removes what was left behind by a move that was cut.
    /// Nobody is signed out by it, whatever happens meanwhile.
    ///
    /// # Errors
    ///
    /// A Vault that fails; the records stay usable where they were.
    pub async fn move_vault(&self, target: VaultBackend) -> Result<(), MoveError> {
        let _hold = self.hold_vault(true).await?;
        let ids: Vec<ConnectionId> = self
            .stored()?
            .into_iter()
            .map(|connection| connection.id)
            .collect();
        let mut locks = Vec::with_capacity(ids.len());
        for id in &ids {
            locks.push(self.lock(id).await?);
        }
        let vault = self.0.vault.clone();
        blocking(move || vault.move_to(target, &ids)).await?;
        let index = self.0.index.clone();
        blocking(move || {
            index.update(|index| {
                let replaced = index.replaced.iter_mut().map(|known| &mut known.connection);
                for connection in index.connections.iter_mut().chain(replaced) {
                    connection.vault = target;
                }
            })
        })
        .await?;
        drop(locks);
        Ok(())
    }

    /// Uses the encrypted file from now on, without asking the keychain for what it holds: for one that is gone or
    /// stays out of reach. Whoever is signed in there has to sign in again, and nothing is revoked.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written to.
    pub async fn leave_keychain(&self) -> Result<(), MoveError> {
        let _hold = self.hold_vault(true).await?;
        let ids = self.stored()?.into_iter().map(|known| known.id).collect();
        let (vault, index) = (self.0.vault.clone(), self.0.index.clone());
        let lost = blocking(move || vault.leave_keychain(ids)).await?;
        for id in &lost {
            self.shared(id).forget();
        }
        let now = self.0.clock.unix_seconds();
        blocking(move || {
            index.update(|index| {
                index
                    .replaced
                    .retain(|known| !lost.contains(&known.connection.id));
                for connection in &mut index.connections {
                    connection.vault = VaultBackend::EncryptedFile;
                    if connection.is_active() && lost.contains(&connection.id) {
                        connection.end(EndReason::RecordLost, now);
                    }
                }
            })
        })
        .await?;
        Ok(())
    }

    /// Keeps the Vault where it is while an account signs in (`alone` false), or keeps sign-ins out
    /// while the Vault moves. Taken before the lock of any Connection.
    pub(super) async fn hold_vault(&self, alone: bool) -> Result<Lock, FileError> {
        let path = self.0.folder.join("vault.lock");
        blocking(move || {
            let lock = if alone {
                Lock::take(&path, LOCK_PATIENCE)
            } else {
                Lock::take_shared(&path, LOCK_PATIENCE)
            };
            lock?.ok_or_else(|| held_too_long(&path))
        })
        .await
    }

    pub(super) async fn choose_vault(&self) -> Result<VaultBackend, VaultError> {
        let vault = self.0.vault.clone();
        blocking(move || vault.choose()).await
    }
}
