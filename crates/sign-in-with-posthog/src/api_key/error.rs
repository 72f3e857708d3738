//! Why a personal API key was not accepted.

use crate::device::ReplaceError;
use crate::file::FileError;
use crate::http::NoAnswer;
use crate::index::IndexError;
use crate::vault::VaultError;

/// Why an API key was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// The response is not one of PostHog's: another server, or a proxy in between. Check the address.
    #[error("{host} does not seem to be a PostHog (status {status}); check the address")]
    BadAnswer {
        /// The Host.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// The key is limited, and an old version of PostHog does not say to what. Make a key without that limit.
    #[error(
        "this API key is limited to {limit}, and this version of PostHog does not say which; create a key \
         without that limit{remedy}"
    )]
    LimitUnknown {
        /// What it is limited to.
        limit: &'static str,
        /// Another way out, if there is one.
        remedy: &'static str,
    },
    /// PostHog is overloaded or restarting. A retry can succeed.
    #[error("{host} is busy ({status}); try again in a moment")]
    Busy {
        /// The Host.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// The key is empty.
    #[error("the API key is missing")]
    Empty,
    /// The list of Connections could not be written; see there.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The key lacks these scopes. Add them in PostHog, or make a new key.
    #[error("the API key lacks the scopes {}; edit it in PostHog or create a new one", .0.join(", "))]
    MissingScopes(Vec<String>),
    /// There was no response; see there.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// It is another kind of PostHog key or token, or not a key. A personal API key is needed.
    #[error("this is {0}, not a personal API key; a personal key starts with phx_")]
    OtherKind(&'static str),
    /// PostHog refuses the key. It is wrong, was deleted, or belongs to another region.
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
