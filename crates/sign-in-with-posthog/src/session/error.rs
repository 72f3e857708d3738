//! Why no token could be handed out, in sentences for people.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;

use crate::connection::EndReason;
use crate::file::FileError;
use crate::index::IndexError;
use crate::record::Trouble;
use crate::vault::VaultError;

/// Why no token could be handed out.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// PostHog answers and cannot serve right now.
    #[error("PostHog is busy; trying again by itself")]
    Busy {
        /// When the next try is due.
        retry_after: Duration,
    },
    /// PostHog refuses for a reason that neither waiting nor the user's tokens explain.
    #[error("PostHog does not renew the sign-in: {0}; if this lasts, sign in again")]
    Configuration(String),
    /// The operating system's keychain is the trouble: locked, out of reach or silent. PostHog was not asked;
    /// the session stands.
    #[error("{0}")]
    Keychain(Arc<str>),
    /// The stored credential is for another Host, or of another kind, than the list of Connections says.
    #[error("{0}")]
    OtherHost(String),
    /// PostHog cannot be reached.
    #[error("offline: {sentence}")]
    Offline {
        /// What went wrong, for people.
        sentence: String,
        /// When the next try is due.
        retry_after: Duration,
    },
    /// The session has ended.
    #[error("{}", .0.sentence())]
    SignedOut(EndReason),
    /// The record could not be read or written; the session stands.
    #[error("{0}")]
    Vault(Arc<str>),
}

impl SessionError {
    pub(super) fn of(trouble: Option<Trouble>, retry_after: Duration) -> Self {
        match trouble {
            Some(Trouble::Busy) | None => Self::Busy { retry_after },
            Some(Trouble::Configuration { words }) => Self::Configuration(words),
            Some(Trouble::Offline { sentence }) => Self::Offline {
                sentence,
                retry_after,
            },
        }
    }

    /// Whether a retry can succeed.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::SignedOut(_) | Self::OtherHost(_))
    }
}

impl From<VaultError> for SessionError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Outdated(_) => Self::SignedOut(EndReason::Outdated),
            // Nothing is written: the record still serves on the device that it belongs to.
            VaultError::OtherDevice(_) => Self::SignedOut(EndReason::RecordLost),
            other if other.is_of_keychain() => Self::Keychain(other.to_string().into()),
            other => Self::Vault(other.to_string().into()),
        }
    }
}

impl From<FileError> for SessionError {
    fn from(error: FileError) -> Self {
        Self::Vault(error.to_string().into())
    }
}

impl From<IndexError> for SessionError {
    fn from(error: IndexError) -> Self {
        Self::Vault(error.to_string().into())
    }
}

impl From<JoinError> for SessionError {
    fn from(_: JoinError) -> Self {
        Self::Vault("the program is ending".into())
    }
}
