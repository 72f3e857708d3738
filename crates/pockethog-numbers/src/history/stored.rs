//! How a History is kept: as JSON, compressed by gzip, whose checksum shows what a disk has damaged.

use std::io::{self, Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::History;

/// A longer one is not ours: 56 days with 16 conversion events and large counts take a tenth of it.
const LONGEST: u64 = 8 << 20;

/// Why bytes are no History.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoredError {
    /// They are damaged.
    #[error("damaged: {0}")]
    Damaged(#[from] io::Error),
    /// They are of another version.
    #[error("of another version: {0}")]
    OtherVersion(#[from] serde_json::Error),
}

impl History {
    /// As it is kept.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoredError> {
        let json = serde_json::to_vec(self)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&json)?;
        Ok(encoder.finish()?)
    }

    /// As it was kept.
    ///
    /// # Errors
    ///
    /// See [`StoredError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let mut json = Vec::new();
        GzDecoder::new(bytes).take(LONGEST).read_to_end(&mut json)?;
        Ok(serde_json::from_slice(&json)?)
    }
}
