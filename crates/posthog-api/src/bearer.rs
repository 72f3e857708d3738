//! Where bearer tokens come from.
//!
//! The client asks for a token before every request and reports a refused one. What a token is, how long it is
//! valid and where it is stored is up to the implementation of [`Bearer`].

use std::time::Duration;

/// A bearer token on its way into one `Authorization` header.
///
/// Implemented by the caller's own redacted type, so that the text is only ever seen here.
pub trait Token: Send + Sync {
    /// The token's text. Marks the boundary: only a request header may hold the result.
    fn expose(&self) -> &str;
}

/// Hands out tokens for one signed-in account.
pub trait Bearer: Send + Sync {
    /// The caller's token type.
    type Token: Token;

    /// A token that is valid now.
    fn token(&self) -> impl Future<Output = Result<Self::Token, BearerError>> + Send;

    /// A token to use instead of `refused`, which PostHog has just answered with 401.
    fn replacement(
        &self,
        refused: &Self::Token,
    ) -> impl Future<Output = Result<Self::Token, BearerError>> + Send;
}

/// Why there is no token: for each variant the cause, and what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BearerError {
    /// The session has ended. The user has to sign in again. The text says why.
    #[error("{0}")]
    SignedOut(String),
    /// The session is valid, but the token cannot be read from where it is stored, for example a locked keychain.
    /// Unlock it, then retry. The text says why.
    #[error("{0}")]
    Locked(String),
    /// The session is valid, but PostHog could not be reached to renew the token. Retry once the network is back.
    #[error("{sentence}")]
    Offline {
        /// One sentence for people.
        sentence: String,
        /// How long to wait before a retry.
        retry_after: Duration,
    },
    /// The session is valid, but there is no valid token right now. Retry later.
    #[error("{sentence}")]
    Unavailable {
        /// One sentence for people.
        sentence: String,
        /// How long to wait before a retry.
        retry_after: Option<Duration>,
    },
}
