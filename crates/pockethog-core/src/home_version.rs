//! Which version of PocketHog has written what is stored on this device.
//!
//! Each file says the version of its layout. A newer version may have changed one, and its files are left to it: two
//! versions that are used in turns must not undo each other's work.

use std::path::PathBuf;

use pockethog_device::folders::Folders;
use sign_in_with_posthog::SignIn;

use crate::snapshot;

/// A newer version of PocketHog has used the folders.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} was written by a newer version of PocketHog; this is version {}, and it has changed nothing. Update it, or set \
     POCKETHOG_HOME to another folder",
    path.display(),
    env!("CARGO_PKG_VERSION")
)]
pub struct NewerHome {
    path: PathBuf,
}

/// Looks at the layouts without opening anything, so that nothing is changed.
///
/// # Errors
///
/// The first file with a layout that this version does not know.
pub fn check(folders: &Folders) -> Result<(), NewerHome> {
    let snapshots = folders.snapshots();
    let newer = SignIn::newer_in(&folders.state)
        .or_else(|| snapshot::is_newer(&snapshots).then_some(snapshots));
    newer.map_or(Ok(()), |path| Err(NewerHome { path }))
}
