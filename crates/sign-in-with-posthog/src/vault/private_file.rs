//! Records in files of mode 0600.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Backend, VaultError};
use crate::file;

/// One file per record.
#[derive(Debug)]
pub(super) struct PrivateFile {
    folder: PathBuf,
}

impl PrivateFile {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.join("vault"),
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }
}

impl Backend for PrivateFile {
    fn read(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        Ok(file::read(&self.path(key))?.map(Zeroizing::new))
    }

    fn write(&self, key: &str, record: &[u8]) -> Result<(), VaultError> {
        Ok(file::write(&self.path(key), record)?)
    }

    fn delete(&self, key: &str) -> Result<(), VaultError> {
        Ok(file::remove(&self.path(key))?)
    }
}
