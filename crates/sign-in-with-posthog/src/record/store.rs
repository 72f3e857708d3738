//! The records of all Connections: what the Vault holds, checked against what this device has seen.

use std::path::Path;

use super::generations::Generations;
use super::{Record, RecordError};
use crate::connection::ConnectionId;
use crate::vault::{Vault, VaultError};

/// The records of one folder. Every call may block. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct RecordStore {
    vault: Vault,
    generations: Generations,
}

impl RecordStore {
    /// The records in `vault`, with the generations seen noted in `device_folder`.
    pub(crate) fn new(vault: Vault, device_folder: &Path) -> Self {
        Self {
            vault,
            generations: Generations::new(device_folder),
        }
    }

    /// Where the records are stored.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The record of a Connection.
    ///
    /// A record that is older than one that this device has used is refused, unless its credential is still in
    /// use.
    pub(crate) fn read(&self, id: &ConnectionId) -> Result<Option<Record>, RecordError> {
        let Some(opened) = self.vault.opened()? else {
            return Ok(None);
        };
        let key = id.as_str();
        // Before the record: a writer notes after it has written.
        let seen = self.generations.read(opened.name(), key);
        let Some(bytes) = opened.read(key)? else {
            return Ok(None);
        };
        let mut record = Record::parse(key, &bytes)?;
        match &seen {
            Some(seen) if seen.generation > record.generation => {
                if !seen.is_of(&record) {
                    return Err(RecordError::Outdated(key.to_owned()));
                }
                record.generation = seen.generation;
            }
            _ => self
                .generations
                .note(opened.name(), key, seen.as_ref(), &record),
        }
        Ok(Some(record))
    }

    /// The generation that the next record of a Connection has to exceed, as far as this device knows.
    pub(crate) fn generation_seen(&self, id: &ConnectionId) -> u64 {
        let opened = self.vault.opened().ok().flatten();
        let seen = opened.and_then(|opened| self.generations.read(opened.name(), id.as_str()));
        seen.map_or(0, |seen| seen.generation)
    }

    /// Replaces the record of a Connection.
    pub(crate) fn write(&self, id: &ConnectionId, record: &Record) -> Result<(), VaultError> {
        let opened = self.vault.opened_or_chosen()?;
        let key = id.as_str();
        opened.write(key, &record.to_bytes())?;
        let seen = self.generations.read(opened.name(), key);
        self.generations
            .note(opened.name(), key, seen.as_ref(), record);
        Ok(())
    }

    /// Removes the record of a Connection.
    pub(crate) fn delete(&self, id: &ConnectionId) -> Result<(), VaultError> {
        match self.vault.opened()? {
            Some(opened) => opened.delete(id.as_str()),
            None => Ok(()),
        }
    }

    /// Removes these records, the choice of the Vault and, unless another folder uses it, the key of this device.
    pub(crate) fn erase(&self, ids: &[ConnectionId]) -> Result<(), VaultError> {
        let Some(opened) = self.vault.opened()? else {
            return Ok(());
        };
        for id in ids {
            opened.delete(id.as_str())?;
        }
        let is_last = self.generations.erase(opened.name())?;
        self.vault.erase(is_last)
    }

    /// Finds out, before PostHog is asked for new tokens, whether they could be stored.
    pub(crate) fn check_writable(&self, record: &Record) -> Result<(), VaultError> {
        let opened = self.vault.opened_or_chosen()?;
        opened.check_writable(record.to_bytes().len())
    }

    /// Uses the encrypted file from now on and leaves what the keychain holds, for a keychain that is gone.
    /// Returns those of `ids` that have no usable record in the file.
    pub(crate) fn leave_keychain(
        &self,
        ids: Vec<ConnectionId>,
    ) -> Result<Vec<ConnectionId>, VaultError> {
        self.vault.leave_keychain()?;
        let mut lost = ids;
        lost.retain(|id| !matches!(self.read(id), Ok(Some(_))));
        Ok(lost)
    }
}
