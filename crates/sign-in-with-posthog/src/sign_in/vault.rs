//! The Vault of a program: which one it is, moving records to another one, and giving up a keychain.

use std::time::Duration;

use super::SignIn;
use super::error::MoveError;
use crate::connection::{ConnectionId, EndReason, VaultBackend};
use crate::task::blocking;
use crate::vault::VaultError;

impl SignIn {
    /// Which Vault holds the records; `None` before the first account signed in.
    ///
    /// # Errors
    ///
    /// The file that names the Vault cannot be read.
    pub fn vault(&self) -> Result<Option<VaultBackend>, VaultError> {
        self.device.vault().chosen()
    }

    /// Gives the keychain less than its three seconds for a call, for a program that is short of time itself. Only
    /// effective before the keychain is first used.
    pub fn limit_keychain(&self, patience: Duration) {
        self.device.vault().limit_keychain(patience);
    }

    /// A sentence for people that says why the first sign-in was stored in an encrypted file although the keychain
    /// was preferred. Returned once, in the process that chose.
    pub fn take_vault_notice(&self) -> Option<String> {
        let error = self.device.vault().take_passed_over()?;
        Some(format!(
            "The sign-in is stored in an encrypted file that only this user on this device can read, because \
             {error}."
        ))
    }

    /// Moves all records to another Vault, and removes what an interrupted move left behind. No account is signed
    /// out by it, even if it is interrupted.
    ///
    /// # Errors
    ///
    /// A Vault that fails; the records stay usable where they were.
    pub async fn move_vault(&self, target: VaultBackend) -> Result<(), MoveError> {
        let _hold = self.device.hold_vault(true).await?;
        let ids: Vec<ConnectionId> = self
            .stored()?
            .into_iter()
            .map(|connection| connection.id)
            .collect();
        let mut locks = Vec::with_capacity(ids.len());
        for id in &ids {
            locks.push(self.device.lock(id).await?);
        }
        let vault = self.device.vault().clone();
        blocking(move || {
            let keys: Vec<&str> = ids.iter().map(ConnectionId::as_str).collect();
            vault.move_to(target, &keys)
        })
        .await?;
        let index = self.device.index.clone();
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

    /// Uses the encrypted file from now on without reading what the keychain holds, for a keychain that is gone or
    /// stays out of reach. Accounts whose records were there have to sign in again. Nothing is revoked.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written to.
    pub async fn leave_keychain(&self) -> Result<(), MoveError> {
        let _hold = self.device.hold_vault(true).await?;
        let ids = self.stored()?.into_iter().map(|known| known.id).collect();
        let (records, index) = (self.device.records.clone(), self.device.index.clone());
        let lost = blocking(move || records.leave_keychain(ids)).await?;
        for id in &lost {
            self.shared(id).forget();
        }
        let now = self.device.clock.unix_seconds();
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

    pub(super) async fn choose_vault(&self) -> Result<VaultBackend, VaultError> {
        let vault = self.device.vault().clone();
        blocking(move || vault.choose()).await
    }
}
