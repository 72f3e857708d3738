//! Why a personal API key was not accepted.

use crate::device::ReplaceError;
use crate::file::FileError;
use crate::http::NoAnswer;
use crate::index::IndexError;
use crate::vault::VaultError;

/// Why a key was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// No PostHog, or something before it.
    #[error("{host} answered in a way that is not PostHog's ({status})")]
    BadAnswer {
        /// The Host.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// It is limited, and an old server does not say to what.
    #[error(
        "this API key is limited to {limit}, and this version of PostHog does not say which; \
         make a key without that limit{remedy}"
    )]
    LimitUnknown {
        /// What it is limited to.
        limit: &'static str,
        /// Another way out, if there is one.
        remedy: &'static str,
    },
    /// PostHog is overloaded or restarting.
    #[error("{host} is busy ({status}); try again in a moment")]
    Busy {
        /// The Host.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// Nothing was typed.
    #[error("the API key is missing")]
    Empty,
    /// The list of Connections could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// It lacks scopes that are needed.
    #[error("the API key lacks the scopes {}; edit it in PostHog or make a new one", .0.join(", "))]
    MissingScopes(Vec<String>),
    /// No answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// Something else that PostHog hands out.
    #[error("this is {0}, not a personal API key; a personal key starts with phx_")]
    OtherKind(&'static str),
    /// PostHog refuses it.
    #[error(
        "{0} does not accept this API key: it is wrong, was deleted, or belongs to another region"
    )]
    Rejected(String),
    /// The lock of the Connection or of the Vault could not be taken: another program holds it, or the folder
    /// cannot be written to.
    #[error(transparent)]
    Lock(#[from] FileError),
    /// The key was accepted and could not be stored; see there.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<ReplaceError> for ApiKeyError {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Lock(error) => Self::Lock(error),
            ReplaceError::Vault(error) => Self::Vault(error),
        }
    }
}
