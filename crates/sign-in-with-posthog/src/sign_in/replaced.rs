//! Credentials that another one has replaced: off the list, and kept for a day so that this can be undone.

use super::SignIn;
use crate::connection::{Connection, ConnectionId};
use crate::index::{IndexError, Replaced};
use crate::session::SessionError;
use crate::task::blocking;

/// How long what was replaced is kept, in seconds.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

impl SignIn {
    /// Takes a Connection off the list because `by` has taken its place. Its secret stays in the Vault for a day,
    /// in which [`SignIn::bring_back`] undoes this; then [`SignIn::remove_replaced`] removes it. Signing `by` out
    /// removes it at once.
    ///
    /// # Errors
    ///
    /// A list that could not be written.
    pub async fn set_aside(
        &self,
        id: &ConnectionId,
        by: &ConnectionId,
    ) -> Result<(), SessionError> {
        let _lock = self.device.lock(id).await?;
        self.session(id).forget();
        let (index, id, by) = (self.device.index.clone(), id.clone(), by.clone());
        let since = self.device.clock.unix_seconds();
        blocking(move || index.update(|index| index.set_aside(&id, by, since))).await?;
        Ok(())
    }

    /// Puts back on the list, as it was, what `by` has taken the place of within the last day.
    ///
    /// # Errors
    ///
    /// A list that could not be read or written.
    pub async fn bring_back(&self, by: &ConnectionId) -> Result<Vec<Connection>, IndexError> {
        let (index, by, now) = (
            self.device.index.clone(),
            by.clone(),
            self.device.clock.unix_seconds(),
        );
        blocking(move || {
            index.update(|index| {
                let wanted = |known: &Replaced| known.by == by && !is_overdue(known, now);
                let back: Vec<Connection> = index
                    .replaced
                    .iter()
                    .filter(|known| wanted(known))
                    .map(|known| known.connection.clone())
                    .collect();
                for connection in &back {
                    index.put(connection.clone());
                }
                back
            })
        })
        .await
    }

    /// Removes what was replaced more than a day ago, secrets first. For a program to call now and then; without
    /// anything to remove it only reads the list.
    ///
    /// # Errors
    ///
    /// A Vault or list that could not be read or written.
    pub async fn remove_replaced(&self) -> Result<(), SessionError> {
        let now = self.device.clock.unix_seconds();
        self.remove_replaced_that(|known| is_overdue(known, now))
            .await
    }

    pub(super) async fn remove_replaced_that(
        &self,
        gone: impl Fn(&Replaced) -> bool,
    ) -> Result<(), SessionError> {
        let index = self.device.index.clone();
        let replaced = blocking(move || index.read()).await?.replaced;
        for known in replaced.iter().filter(|known| gone(known)) {
            self.remove_record(&known.connection.id, |index, id| {
                // Not one that was added again in the meantime.
                index
                    .replaced
                    .iter()
                    .any(|known| known.connection.id == *id)
            })
            .await?;
        }
        Ok(())
    }

    /// Every Connection with a record in the Vault: those on the list, and those that were replaced.
    pub(super) fn stored(&self) -> Result<Vec<Connection>, IndexError> {
        let index = self.device.index.read()?;
        let replaced = index.replaced.into_iter().map(|known| known.connection);
        Ok(index.connections.into_iter().chain(replaced).collect())
    }
}

/// A clock that was set back keeps nothing for longer.
fn is_overdue(known: &Replaced, now: i64) -> bool {
    !(0..KEPT_SECONDS).contains(&now.saturating_sub(known.since))
}
