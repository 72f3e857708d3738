//! Removing everything that is stored, for a program that is uninstalled.

use super::SignIn;
use super::error::EraseError;
use crate::task::blocking;

impl SignIn {
    /// Removes every stored sign-in, and with them all that this crate keeps about the folder: the list, which Vault
    /// is used, and the notes about generations. The key of this device goes too, unless another folder uses it. Lock
    /// files stay for the program to remove with its folder. Nothing is revoked: call [`SignIn::sign_out`] for each
    /// Connection before.
    ///
    /// # Errors
    ///
    /// A Vault that fails, for example a keychain that is locked. What was not removed by then can be removed by
    /// another call.
    pub async fn erase(&self) -> Result<(), EraseError> {
        let _hold = self.device.hold_vault(true).await?;
        let mut locks = Vec::new();
        let mut ids = Vec::new();
        for connection in self.stored()? {
            locks.push(self.device.lock(&connection.id).await?);
            self.session(&connection.id).forget();
            ids.push(connection.id);
        }
        let (records, index) = (self.device.records.clone(), self.device.index.clone());
        blocking(move || {
            records.erase(&ids)?;
            Ok::<_, EraseError>(index.erase()?)
        })
        .await?;
        drop(locks);
        Ok(())
    }
}
