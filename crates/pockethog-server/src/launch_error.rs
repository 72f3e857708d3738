//! Why the app could not start.

use std::io;
use std::path::PathBuf;

use pockethog_core::snapshot::SnapshotError;
use pockethog_device::private_files::PrivateError;

/// Why the app could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Another program has the port.
    #[error(
        "port {0} is in use by another program; choose another port with --port, or leave --port out"
    )]
    PortInUse(u16),
    /// The port cannot be used for another reason.
    #[error("port {port} of 127.0.0.1 cannot be used: {source}")]
    Port {
        /// Which port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the app cannot be written.
    #[error("{}: {source}; set POCKETHOG_HOME to a folder that PocketHog can write to", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The lock belongs to another user, or cannot be opened.
    #[error("{0}; set POCKETHOG_HOME to a folder that PocketHog can write to")]
    Private(#[from] PrivateError),
    /// Another running PocketHog has the lock and does not answer.
    #[error("another running PocketHog does not answer; stop it first ({0})")]
    Hangs(String),
    /// The system gives no random numbers.
    #[error("the system cannot provide random numbers")]
    NoRandomNumbers,
    /// The in-memory database cannot be opened.
    #[error(transparent)]
    Snapshots(#[from] SnapshotError),
}
