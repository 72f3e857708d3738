//! What the page server keeps from one run to the next, in a private file: where its pages are, so that
//! bookmarks and open tabs go on working.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::launch::LaunchError;
use super::mount::Mount;

/// What is kept.
#[derive(Debug)]
pub struct Persistent {
    /// The path that all pages are below.
    pub mount: Mount,
}

/// How it is written.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Document {
    mount: String,
}

impl Persistent {
    /// Reads what an earlier run kept, or begins with something new, and writes that.
    ///
    /// # Errors
    ///
    /// There are no random numbers. A file that cannot be written is no error: the next run then has
    /// other addresses.
    pub fn open(path: &Path) -> Result<Self, LaunchError> {
        let document: Document = std::fs::read(path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        if let Some(mount) = Mount::parse(&document.mount) {
            return Ok(Self { mount });
        }
        let mount = Mount::random().ok_or(LaunchError::NoRandomNumbers)?;
        let document = Document {
            mount: mount.path().to_owned(),
        };
        if let Err(error) = write_private(path, &serde_json::to_vec(&document).unwrap_or_default())
        {
            tracing::warn!(%error, path = %path.display(), "the address of the pages is not kept");
        }
        Ok(Self { mount })
    }
}

/// Writes a file that this user alone can read, whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    // A temporary file is made for its owner alone, and keeps that when it is renamed.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
