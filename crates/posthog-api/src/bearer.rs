//! Where bearer tokens come from.
//!
//! The client asks for a token before every request and reports a refused one; what a token is,
//! how long it lives and where it lies stays with whoever implements [`Bearer`].

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

/// Why no token could be had.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BearerError {
    /// The session has ended; only signing in again helps. The text says why.
    #[error("{0}")]
    SignedOut(String),
    /// The session stands, but the place where the token is stored does not give it out right now: PostHog was not
    /// asked. The text says why.
    #[error("{0}")]
    Locked(String),
    /// The session stands, but PostHog could not be reached to renew the token. The text says why.
    #[error("{sentence}")]
    Offline {
        /// One sentence for people.
        sentence: String,
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The session stands, but no valid token could be had right now. The text says why.
    #[error("{sentence}")]
    Unavailable {
        /// One sentence for people.
        sentence: String,
        /// When it is worth asking again.
        retry_after: Option<Duration>,
    },
}
