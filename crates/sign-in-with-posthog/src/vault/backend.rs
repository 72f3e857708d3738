//! What the Vault needs of a place that stores bytes.

use std::fmt;

use zeroize::Zeroizing;

use super::error::VaultError;

/// A place that stores secret bytes under a name.
pub(super) trait Backend: Send + Sync + fmt::Debug {
    /// The bytes called `key`.
    fn read(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError>;
    /// Replaces the bytes called `key`; they are safe on disk when this returns.
    fn write(&self, key: &str, bytes: &[u8]) -> Result<(), VaultError>;
    /// Removes the bytes called `key`.
    fn delete(&self, key: &str) -> Result<(), VaultError>;
    /// Finds out whether `length` bytes could be written now, if that can be tried without harm.
    fn check_writable(&self, length: usize) -> Result<(), VaultError>;
}
