//! In place of the keychain, in a build without the feature `keychain`: it cannot be reached.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::backend::Backend;
use super::error::VaultError;

/// As that of the keychain.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);

/// No keychain.
#[derive(Debug)]
pub(super) struct Keychain;

impl Keychain {
    pub(super) fn new(_: &str, _: &str, _: &Path, _: Duration) -> Self {
        Self
    }

    pub(super) fn probe(&self) -> Result<(), VaultError> {
        Err(left_out())
    }
}

impl Backend for Keychain {
    fn read(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        Err(left_out())
    }

    fn write(&self, _: &str, _: &[u8]) -> Result<(), VaultError> {
        Err(left_out())
    }

    fn delete(&self, _: &str) -> Result<(), VaultError> {
        Err(left_out())
    }

    fn check_writable(&self, _: usize) -> Result<(), VaultError> {
        Err(left_out())
    }
}

fn left_out() -> VaultError {
    VaultError::KeychainUnreachable("this program was built without it".to_owned())
}
