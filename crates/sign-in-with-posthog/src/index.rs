//! The list of Connections and of this device's client ids: a file without secrets.
//!
//! Keychains cannot be listed, and asking them takes milliseconds and at times a prompt, so what is
//! shown about a Connection is stored beside them. If the two disagree, the Vault is right: a credential is
//! handed out only for the Host and the kind that are sealed with it, even if this file was changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::connection::{Connection, ConnectionId};
use crate::file::{self, FileError, Lock};

const VERSION: u32 = 1;

/// More bytes than any list of Connections has: each is about a kilobyte, with a long Reach some more.
const LARGEST: u64 = 8 << 20;

/// How long another process may hold the index: it only writes one small file in the meantime.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the list of Connections could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// Another process has held the list for ten seconds, where a few milliseconds are usual.
    ///
    /// A retry can succeed. Otherwise the other program has to be ended.
    #[error("{}: another program has kept it locked for too long", .0.display())]
    Busy(PathBuf),
    /// The file cannot be understood, for example after it was edited by hand.
    ///
    /// Repair it at the line that the source names, or move it away and sign in again.
    #[error("{}: {source}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        source: serde_json::Error,
    },
    /// The file could not be read or written; see there.
    #[error(transparent)]
    File(#[from] FileError),
    /// It was written by a newer version of the program, which has to be used instead.
    #[error("{}: written by a newer version of this program", .0.display())]
    Newer(PathBuf),
}

/// What the file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Index {
    #[serde(default)]
    version: u32,
    #[serde(default)]
    pub(crate) connections: Vec<Connection>,
    /// Dynamically registered client ids by issuer.
    #[serde(default)]
    pub(crate) client_ids: BTreeMap<String, String>,
    /// Connections that are off the list and whose secrets are kept for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) replaced: Vec<Replaced>,
}

/// A Connection whose place another one has taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Replaced {
    pub(crate) connection: Connection,
    pub(crate) by: ConnectionId,
    /// When, in Unix seconds.
    pub(crate) since: i64,
}

impl Index {
    pub(crate) fn connection_mut(&mut self, id: &ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|known| &known.id == id)
    }

    /// Adds a Connection, or replaces the one of the same id in its place.
    pub(crate) fn put(&mut self, connection: Connection) {
        self.replaced
            .retain(|known| known.connection.id != connection.id);
        match self.connection_mut(&connection.id) {
            Some(known) => *known = connection,
            None => self.connections.push(connection),
        }
    }

    /// Takes a Connection off the list because `by` has taken its place.
    pub(crate) fn set_aside(&mut self, id: &ConnectionId, by: ConnectionId, since: i64) {
        let Some(place) = self.connections.iter().position(|known| &known.id == id) else {
            return;
        };
        let connection = self.connections.remove(place);
        self.replaced.retain(|known| &known.connection.id != id);
        self.replaced.push(Replaced {
            connection,
            by,
            since,
        });
    }

    /// Forgets a Connection, wherever it is.
    pub(crate) fn remove(&mut self, id: &ConnectionId) {
        self.connections.retain(|known| &known.id != id);
        self.replaced.retain(|known| &known.connection.id != id);
    }
}

/// The index of a folder.
#[derive(Clone, Debug)]
pub(crate) struct IndexFile {
    path: PathBuf,
    lock: PathBuf,
}

impl IndexFile {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("connections.json"),
            lock: folder.join("connections.lock"),
        }
    }

    pub(crate) fn read(&self) -> Result<Index, IndexError> {
        let Some(bytes) = file::read(&self.path, LARGEST)? else {
            return Ok(Index::default());
        };
        let index: Index =
            serde_json::from_slice(&bytes).map_err(|source| IndexError::Corrupt {
                path: self.path.clone(),
                source,
            })?;
        if index.version > VERSION {
            return Err(IndexError::Newer(self.path.clone()));
        }
        Ok(index)
    }

    /// Reads, changes and replaces the index while no other process does. Blocks the thread.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Index) -> T) -> Result<T, IndexError> {
        let Some(_lock) = Lock::take(&self.lock, PATIENCE)? else {
            return Err(IndexError::Busy(self.lock.clone()));
        };
        let mut index = self.read()?;
        let before = serde_json::to_vec(&index).ok();
        let result = change(&mut index);
        // What says the same is not written: every program would read its Vault again.
        if index.version == VERSION && serde_json::to_vec(&index).ok() == before {
            return Ok(result);
        }
        index.version = VERSION;
        let bytes = serde_json::to_vec_pretty(&index).map_err(|source| IndexError::Corrupt {
            path: self.path.clone(),
            source,
        })?;
        file::write(&self.path, &bytes)?;
        Ok(result)
    }

    /// Changes when the file changes: cheap to ask, so that a sign-out elsewhere is noticed at once.
    pub(crate) fn stamp(&self) -> Stamp {
        let found = std::fs::metadata(&self.path).ok();
        Stamp(found.map(|found| (found.modified().ok(), found.len(), inode(&found))))
    }
}

/// What the index looked like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Option<(Option<std::time::SystemTime>, u64, u64)>);

#[cfg(unix)]
fn inode(found: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn inode(_found: &std::fs::Metadata) -> u64 {
    0
}
