//! Explains why Snapshots cannot be stored on this device: which file, who owns it, what to do.

use std::path::{Path, PathBuf};

use pockethog_device::private_files::{PrivateError, other_owner, quoted};
use rusqlite::ErrorCode;

/// Why Snapshots are not kept on this device. Numbers are in memory until the program ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unkept {
    path: PathBuf,
    reason: String,
    remedy: String,
}

impl std::fmt::Display for Unkept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        write!(
            f,
            "numbers are not stored: {path} {}. {}",
            self.reason, self.remedy
        )
    }
}

impl Unkept {
    /// The database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in the way.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }

    /// A folder that is not ours, or cannot be made private.
    pub(super) fn private(path: &Path, error: &PrivateError) -> Self {
        let folder = path.parent().unwrap_or(path);
        let (reason, remedy) = match error {
            PrivateError::Foreign { .. } | PrivateError::ForeignDevice { .. } => {
                ("cannot be used".to_owned(), format!("{error}."))
            }
            PrivateError::Io { .. } => (format!("cannot be used ({error})"), read_only(folder)),
        };
        Self {
            path: path.to_owned(),
            reason,
            remedy,
        }
    }

    /// A newer version of PocketHog has begun to use the file while this one runs.
    pub(super) fn newer(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            reason: "was written by a newer version of PocketHog".to_owned(),
            remedy: "Stop this version and start the newer one.".to_owned(),
        }
    }

    /// What SQLite's refusal means. Whose file it is comes first: a file of root's looks read-only to us.
    pub(super) fn refused(path: &Path, error: &rusqlite::Error) -> Self {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        let (reason, remedy) = match (owner(path, folder), error.sqlite_error_code()) {
            (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => (
                "is locked by another program".to_owned(),
                format!(
                    "Stop the program that uses it (`fuser {}` names it). On a network drive a lock may stay \
                     behind: set POCKETHOG_HOME to another folder.",
                    quoted(path)
                ),
            ),
            (_, Some(ErrorCode::FileLockingProtocolFailed | ErrorCode::NoLargeFileSupport)) => (
                "is on a drive that cannot lock files".to_owned(),
                "Set POCKETHOG_HOME to a folder on a local disk.".to_owned(),
            ),
            (_, Some(ErrorCode::DiskFull)) => (
                "cannot be extended: the disk is full".to_owned(),
                "Free some space, and numbers are stored again.".to_owned(),
            ),
            (Some(owner), _) => (
                format!("belongs to {owner} and cannot be written ({error})"),
                format!(
                    "`sudo chown -R \"$(id -un)\" {}` gives it back to you.",
                    quoted(folder)
                ),
            ),
            (None, Some(ErrorCode::SystemIoFailure)) => (
                format!("cannot be written ({error})"),
                "Check whether the disk is full or failing. On a network drive, set POCKETHOG_HOME to a folder \
                 on a local disk."
                    .to_owned(),
            ),
            (None, _) => (
                format!("cannot be written ({error})"),
                read_only(folder),
            ),
        };
        Self {
            path: path.to_owned(),
            reason,
            remedy,
        }
    }
}

fn read_only(folder: &Path) -> String {
    format!(
        "Check whether {} is read-only, or set POCKETHOG_HOME to a folder that PocketHog can write to.",
        folder.display()
    )
}

fn owner(path: &Path, folder: &Path) -> Option<String> {
    other_owner(path).or_else(|| other_owner(folder))
}
