//! Why a sign-in could not begin or end, or records could not be moved.

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
    /// The configured client id is neither one that PostHog issues nor the address of a document.
    ///
    /// Correct [`Config::client_id`](crate::Config::client_id).
    #[error(
        "the configured client id “{0}” cannot be used: it has to be one that PostHog gave you, or the \
         https address of a client metadata document, with a path and without a query"
    )]
    ClientId(String),
    /// The list of Connections, which holds the client ids, could not be used; see there.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The Host's metadata is missing or not safe to use; see there.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// No client id could be registered; see there.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
}

/// Why an Attempt did not end in a Connection. A new Attempt is needed, except for
/// [`CompleteError::Callback`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompleteError {
    /// The Attempt has had its response already, for example because the browser loaded the page twice.
    #[error("this sign-in was already finished; start again")]
    AlreadyUsed,
    /// The response does not belong to this Attempt, which keeps waiting.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The user declined on PostHog's page.
    #[error("access was denied on PostHog's page; nothing has changed")]
    Denied,
    /// The response came more than ten minutes after the Attempt began.
    #[error("this sign-in took longer than ten minutes; start again")]
    Expired,
    /// A check of the `id_token` failed; see there.
    #[error(transparent)]
    IdToken(#[from] IdTokenError),
    /// The list of Connections could not be written; see there.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A lock could not be used; see there.
    #[error(transparent)]
    Lock(#[from] FileError),
    /// PostHog did not say who signed in: there is neither an `id_token` nor a userinfo response.
    #[error("PostHog did not say which account signed in; start again")]
    NoIdentity,
    /// PostHog sent the browser back with another error, in its words.
    #[error("PostHog did not sign you in: {} {}", .0.error, .0.description)]
    Refused(AuthorizationError),
    /// The code was not exchanged; see there.
    #[error("the sign-in could not be finished: {0}")]
    Token(#[from] TokenError),
    /// The tokens could not be stored and were revoked; see there.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Why not everything could be removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EraseError {
    /// A lock could not be used, or a file not be removed; see there.
    #[error(transparent)]
    File(#[from] FileError),
    /// The list of Connections could not be used; see there.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The Vault failed; see there.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Why the records could not be moved to another Vault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// The list of Connections could not be used; see there.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A lock could not be used; see there.
    #[error(transparent)]
    Lock(#[from] FileError),
    /// One of the Vaults failed; see there. The records are still usable in their old place.
    #[error(transparent)]
    Vault(#[from] VaultError),
}
