//! Where bearer tokens come from.
//!
//! The client asks for a token before every request and reports a refused one. What a token is, how long it is
//! valid and where it is stored is up to the implementation of [`Bearer`].

use std::error::Error;
use std::fmt;
use std::sync::Arc;
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

/// The provider's own error, shared by all who waited for the token. Its text is a sentence for people.
#[derive(Clone, Debug)]
pub struct BearerCause(Arc<dyn Error + Send + Sync>);

impl BearerCause {
    fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into().into())
    }
}

impl fmt::Display for BearerCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why there is no token: for each variant the cause, and what to do about it.
///
/// As a [`std::io::Error`] around another error, it speaks with the text of the provider's own error and goes on with that
/// error's source, so that a chain of sources says nothing twice. [`BearerError::get_ref`] is the error itself, for those who
/// know its type.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BearerError {
    /// The session has ended. The user has to sign in again. The text says why.
    SignedOut(BearerCause),
    /// The session is valid, but the token cannot be read from where it is stored, for example a locked keychain.
    /// Unlock it, then retry. The text says why.
    Locked(BearerCause),
    /// The session is valid, but PostHog could not be reached to renew the token. Retry once the network is back.
    Offline {
        /// The provider's own error.
        cause: BearerCause,
        /// How long to wait before a retry.
        retry_after: Duration,
    },
    /// The session is valid, but there is no valid token right now. Retry later.
    Unavailable {
        /// The provider's own error.
        cause: BearerCause,
        /// How long to wait before a retry.
        retry_after: Option<Duration>,
    },
}

impl fmt::Display for BearerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.get_ref(), f)
    }
}

impl Error for BearerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.get_ref().source()
    }
}

impl BearerError {
    /// A [`BearerError::SignedOut`], from the provider's own error or from a sentence.
    pub fn signed_out(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::SignedOut(BearerCause::new(cause))
    }

    /// A [`BearerError::Locked`], from the provider's own error or from a sentence.
    pub fn locked(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Locked(BearerCause::new(cause))
    }

    /// A [`BearerError::Offline`], from the provider's own error or from a sentence.
    pub fn offline(cause: impl Into<Box<dyn Error + Send + Sync>>, retry_after: Duration) -> Self {
        Self::Offline {
            cause: BearerCause::new(cause),
            retry_after,
        }
    }

    /// A [`BearerError::Unavailable`], from the provider's own error or from a sentence.
    pub fn unavailable(
        cause: impl Into<Box<dyn Error + Send + Sync>>,
        retry_after: Option<Duration>,
    ) -> Self {
        Self::Unavailable {
            cause: BearerCause::new(cause),
            retry_after,
        }
    }

    /// The provider's own error; `downcast_ref` gives it its type back.
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        match self {
            Self::SignedOut(cause)
            | Self::Locked(cause)
            | Self::Offline { cause, .. }
            | Self::Unavailable { cause, .. } => &*cause.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the keychain is locked")]
    struct Locked(#[source] std::fmt::Error);

    #[test]
    fn a_chain_of_sources_says_each_text_once_and_the_cause_keeps_its_type() {
        let error = crate::Error::from(BearerError::locked(Locked(std::fmt::Error)));
        let mut texts = vec![error.to_string()];
        let mut next = error.source();
        while let Some(source) = next {
            texts.push(source.to_string());
            next = source.source();
        }
        let innermost = std::fmt::Error.to_string();
        assert_eq!(texts, ["the keychain is locked", innermost.as_str()]);
        let crate::Error::Bearer(error) = error else {
            unreachable!("it was made from a BearerError");
        };
        assert!(error.get_ref().is::<Locked>());
    }
}
