//! The list of Connections and of this device's client ids: a file without secrets.
//!
//! Keychains cannot be listed, and asking them takes milliseconds and at times a prompt, so what is
//! shown about a Connection is stored beside them. If the two disagree, the Vault is right: a credential is
//! handed out only for the Host and the kind that are sealed with it, even if this file was changed.
//!
//! Two versions of a program may use the file in turns. One that finds a newer layout changes nothing, and members of
//! the same layout that only a newer program knows stay in the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
        match self.bytes()? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|source| self.corrupt(source)),
            None => Ok(Index::default()),
        }
    }

    /// The file, if its layout is one that this version knows.
    fn bytes(&self) -> Result<Option<Vec<u8>>, IndexError> {
        #[derive(Deserialize)]
        struct Version {
            #[serde(default)]
            version: u32,
        }
        let Some(bytes) = file::read(&self.path, LARGEST)? else {
            return Ok(None);
        };
        // Before the rest, which another layout may not have.
        match serde_json::from_slice(&bytes) {
            Ok(Version { version }) if version > VERSION => {
                Err(IndexError::Newer(self.path.clone()))
            }
            Ok(_) => Ok(Some(bytes)),
            Err(source) => Err(self.corrupt(source)),
        }
    }

    fn corrupt(&self, source: serde_json::Error) -> IndexError {
        IndexError::Corrupt {
            path: self.path.clone(),
            source,
        }
    }

    /// Reads, changes and replaces the index while no other process does. Blocks the thread.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Index) -> T) -> Result<T, IndexError> {
        let Some(_lock) = Lock::take(&self.lock, PATIENCE)? else {
            return Err(IndexError::Busy(self.lock.clone()));
        };
        let corrupt = |source| self.corrupt(source);
        let stored: Value = match self.bytes()? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(corrupt)?,
            None => Value::Object(serde_json::Map::new()),
        };
        let mut index = Index::deserialize(&stored).map_err(corrupt)?;
        let before = serde_json::to_value(&index).map_err(corrupt)?;
        let result = change(&mut index);
        let known = serde_json::to_value(&index).map_err(corrupt)?;
        // What says the same is not written: every program would read its Vault again.
        if index.version == VERSION && known == before {
            return Ok(result);
        }
        let mut whole = known.clone();
        keep_unknown(&mut whole, &stored, &before);
        let bytes = if whole == known {
            index.version = VERSION;
            serde_json::to_vec_pretty(&index)
        } else {
            whole["version"] = VERSION.into();
            serde_json::to_vec_pretty(&whole)
        };
        let bytes = bytes.map_err(corrupt)?;
        file::write(&self.path, &bytes)?;
        Ok(result)
    }

    /// Removes the file.
    pub(crate) fn erase(&self) -> Result<(), FileError> {
        file::remove(&self.path)
    }

    /// Changes when the file changes: cheap to ask, so that a sign-out elsewhere is noticed at once.
    pub(crate) fn stamp(&self) -> Stamp {
        let found = std::fs::metadata(&self.path).ok();
        Stamp(found.map(|found| (found.modified().ok(), found.len(), inode(&found))))
    }
}

/// Takes over into `after` what is `stored` and was not `understood`, in each object that is still there: reading and
/// writing it again has lost it.
fn keep_unknown(after: &mut Value, stored: &Value, understood: &Value) {
    match (after, stored, understood) {
        (Value::Object(after), Value::Object(stored), Value::Object(understood)) => {
            for (name, stored) in stored {
                match (after.get_mut(name), understood.get(name)) {
                    (Some(after), Some(understood)) => keep_unknown(after, stored, understood),
                    (None, None) => {
                        after.insert(name.clone(), stored.clone());
                    }
                    _ => {}
                }
            }
        }
        (Value::Array(after), Value::Array(stored), Value::Array(understood)) => {
            for after in after {
                let id = |entry: &Value| entry.get("id").cloned();
                let Some(wanted) = id(after) else { continue };
                // Reading keeps their order.
                let mut both = stored.iter().zip(understood);
                if let Some((stored, understood)) =
                    both.find(|(stored, _)| id(stored).as_ref() == Some(&wanted))
                {
                    keep_unknown(after, stored, understood);
                }
            }
        }
        _ => {}
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::connection::EndReason;

    fn stored(version: u32) -> Value {
        json!({
            "version": version,
            "connections": [{
                "id": "us-0123456789ab",
                "host": { "region": "us", "address": "https://us.posthog.com" },
                "kind": "oauth",
                "account": { "subject": "s", "name": "Ada", "avatar": "of a newer program" },
                "grant": { "scopes": "openid", "reach": "all" },
                "state": "active",
                "vault": "keychain",
                "signed_in_at": 1,
                "expires_at": 2,
                "colour": "of a newer program",
            }],
            "client_ids": {},
            "tags": ["of a newer program"],
        })
    }

    fn file_with(folder: &Path, text: &str) -> IndexFile {
        std::fs::write(folder.join("connections.json"), text).unwrap();
        IndexFile::new(folder)
    }

    #[test]
    fn what_only_a_newer_program_knows_survives_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_with(folder.path(), &stored(VERSION).to_string());
        file.update(|index| {
            index.connections[0].end(EndReason::SignedOut, 3);
            index.connections[0].expires_at = None;
        })
        .unwrap();
        let text = std::fs::read_to_string(&file.path).unwrap();
        let now: Value = serde_json::from_str(&text).unwrap();
        let before = stored(VERSION);
        assert_eq!(now["tags"], before["tags"]);
        let (now, before) = (&now["connections"][0], &before["connections"][0]);
        assert_eq!(now["colour"], before["colour"]);
        assert_eq!(now["account"], before["account"]);
        assert_eq!(now["state"], json!({ "ended": "signed_out" }));
        // Removed by this program, which knows it.
        assert!(now.get("expires_at").is_none_or(Value::is_null), "{now}");
        file.update(|index| index.connections.clear()).unwrap();
        assert!(
            !std::fs::read_to_string(&file.path)
                .unwrap()
                .contains("colour")
        );
    }

    #[test]
    fn a_newer_layout_is_told_from_a_broken_file_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let newer = r#"{"version":2,"connections":{"of":"another kind"}}"#;
        let file = file_with(folder.path(), newer);
        assert!(matches!(file.read(), Err(IndexError::Newer(_))));
        let changed = file.update(|index| index.connections.clear());
        assert!(matches!(changed, Err(IndexError::Newer(_))));
        assert_eq!(std::fs::read_to_string(&file.path).unwrap(), newer);
        let file = file_with(folder.path(), "{");
        assert!(matches!(file.read(), Err(IndexError::Corrupt { .. })));
    }
}
