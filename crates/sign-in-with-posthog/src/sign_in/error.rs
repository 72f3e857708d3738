//! Why a sign-in could not begin, end, or move, in sentences for people.

use crate::callback::{AuthorizationError, CallbackError};
use crate::file::FileError;
use crate::id_token::IdTokenError;
use crate::index::IndexError;
use crate::metadata::MetadataError;
use crate::registration::RegistrationError;
use crate::token_endpoint::TokenError;
use crate::vault::VaultError;

/// Why an Attempt could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// The configured client id is neither one that a PostHog gives out nor the address of a document.
    #[error(
        "the configured client id “{0}” cannot be used: it has to be one that PostHog gave you, or the \
         https address of a client metadata document, with a path and nothing after it"
    )]
    ClientId(String),
    /// The list of Connections, which holds the client ids, could not be used.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The Host's metadata is not used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// No client id.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
}

/// Why an Attempt did not end in a Connection. A new Attempt is needed, except for
/// [`CompleteError::Callback`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompleteError {
    /// The response is already being exchanged (rule R6).
    #[error("this sign-in was already finished; start again")]
    AlreadyUsed,
    /// The response does not belong to this Attempt, which goes on waiting.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The user said no.
    #[error("access was denied on PostHog's page; nothing has changed")]
    Denied,
    /// Ten minutes are over.
    #[error("this sign-in took longer than ten minutes; start again")]
    Expired,
    /// The `id_token` is not what it has to be.
    #[error(transparent)]
    IdToken(#[from] IdTokenError),
    /// The list of Connections could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A lock could not be used.
    #[error(transparent)]
    Lock(#[from] FileError),
    /// PostHog did not tell who signed in.
    #[error("PostHog did not say which account signed in; start again")]
    NoIdentity,
    /// PostHog sent the browser back with another error.
    #[error("PostHog did not sign you in: {} {}", .0.error, .0.description)]
    Refused(AuthorizationError),
    /// The code was not exchanged.
    #[error("the sign-in could not be finished: {0}")]
    Token(#[from] TokenError),
    /// The tokens could not be stored.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Why the records could not be moved to another Vault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// The list of Connections could not be used.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A lock could not be used.
    #[error(transparent)]
    Lock(#[from] FileError),
    /// One of the Vaults failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}
