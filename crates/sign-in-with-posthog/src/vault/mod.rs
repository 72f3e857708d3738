//! Where TokenSets and API keys lie.
//!
//! A Vault stores one small record per Connection as opaque bytes and knows nothing about tokens; what
//! a record means is [`crate::record`]'s business. Every call may block and is made from a thread that
//! may, under the lock of its Connection.

mod private_file;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::connection::ConnectionId;
use crate::file::FileError;
use crate::record::Record;
use private_file::PrivateFile;

/// Which Vault holds a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VaultBackend {
    /// A file that only this user can read.
    PrivateFile,
}

impl fmt::Display for VaultBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrivateFile => "a private file",
        })
    }
}

/// Why a Vault could not be used. The session is not lost by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// A file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The record is there and cannot be understood.
    #[error("the stored sign-in {0} cannot be read")]
    Corrupt(String),
    /// The record was written by a newer version of the program.
    #[error("the stored sign-in {0} was written by a newer version of this program")]
    Newer(String),
}

/// A place for records.
pub(crate) trait Backend: Send + Sync + fmt::Debug {
    /// The record called `key`.
    fn read(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError>;
    /// Replaces the record called `key`; it is safe on disk when this returns.
    fn write(&self, key: &str, record: &[u8]) -> Result<(), VaultError>;
    /// Removes the record called `key`.
    fn delete(&self, key: &str) -> Result<(), VaultError>;
}

/// The Vault of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    backend: Arc<dyn Backend>,
    kind: VaultBackend,
}

impl Vault {
    pub(crate) fn open(folder: &Path) -> Self {
        Self {
            backend: Arc::new(PrivateFile::new(folder)),
            kind: VaultBackend::PrivateFile,
        }
    }

    pub(crate) fn kind(&self) -> VaultBackend {
        self.kind
    }

    /// The record of a Connection.
    pub(crate) fn read(&self, id: &ConnectionId) -> Result<Option<Record>, VaultError> {
        let Some(bytes) = self.backend.read(id.as_str())? else {
            return Ok(None);
        };
        Record::parse(id.as_str(), &bytes).map(Some)
    }

    /// Replaces the record of a Connection.
    pub(crate) fn write(&self, id: &ConnectionId, record: &Record) -> Result<(), VaultError> {
        self.backend.write(id.as_str(), &record.to_bytes())
    }

    /// Removes the record of a Connection.
    pub(crate) fn delete(&self, id: &ConnectionId) -> Result<(), VaultError> {
        self.backend.delete(id.as_str())
    }
}
