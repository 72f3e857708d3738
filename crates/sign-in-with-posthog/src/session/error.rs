//! Why no token could be handed out.

use std::time::Duration;

use crate::connection::EndReason;
use crate::file::FileError;
use crate::index::IndexError;
use crate::record::{OtherHost, RecordError};
use crate::token_set::Trouble;
use crate::vault::VaultError;

/// Why no token could be handed out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// PostHog answers and cannot serve right now, or another process is refreshing.
    ///
    /// Retry after the time given.
    #[error("PostHog is busy; retrying automatically")]
    Busy {
        /// When the next try is due.
        retry_after: Duration,
    },
    /// The program is ending, so no refresh may begin: [`SignIn::close`](crate::SignIn::close) was called, or
    /// the runtime is shutting down. The session is not affected.
    #[error("the program is shutting down")]
    Closing,
    /// PostHog refuses the refresh for a reason other than the user's tokens, in its words.
    ///
    /// Later tries may succeed, once the cause is removed at PostHog or in the program's configuration.
    #[error("PostHog does not renew the sign-in: {0}; if this lasts, sign in again")]
    Configuration(String),
    /// The list of Connections could not be used; see there. The session is not affected.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The operating system's keychain is locked, out of reach or silent. PostHog was not asked; the session is
    /// not affected.
    ///
    /// A retry succeeds once the keychain works again.
    #[error(transparent)]
    Keychain(VaultError),
    /// The lock of the Connection could not be used; see there. The session is not affected.
    #[error(transparent)]
    Lock(#[from] FileError),
    /// The stored credential is for another Host, or of another kind, than the list of Connections says.
    ///
    /// It is not sent. The user has to sign in again.
    #[error(transparent)]
    OtherHost(#[from] OtherHost),
    /// PostHog cannot be reached.
    ///
    /// Retry after the time given.
    #[error("offline: {sentence}")]
    Offline {
        /// The cause, in a sentence. It is text since another process may have met it.
        sentence: String,
        /// When the next try is due.
        retry_after: Duration,
    },
    /// The record could not be read or written; see there. The session is not affected.
    ///
    /// A retry can succeed once the cause is removed: a full disk, a folder without permission.
    #[error(transparent)]
    Record(RecordError),
    /// The session has ended, for this reason. This is final: the user has to sign in again.
    #[error("{}", .0.sentence())]
    SignedOut(EndReason),
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

impl From<RecordError> for SessionError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::OtherHost(error) => Self::OtherHost(error),
            RecordError::Outdated(_) => Self::SignedOut(EndReason::Outdated),
            // Nothing is written: the record still serves on the device that it belongs to.
            RecordError::Vault(VaultError::OtherDevice(_)) => {
                Self::SignedOut(EndReason::RecordLost)
            }
            RecordError::Vault(error) if error.is_of_keychain() => Self::Keychain(error),
            other => Self::Record(other),
        }
    }
}

impl From<VaultError> for SessionError {
    fn from(error: VaultError) -> Self {
        RecordError::from(error).into()
    }
}
