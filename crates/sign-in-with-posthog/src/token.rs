//! The access token on its way into one `Authorization` header.

use std::fmt;

use ring::digest;
use secrecy::{ExposeSecret, SecretString};

/// An access token or API key that was valid when it was handed out.
///
/// It has no `Display` and no `Serialize`; [`AccessToken::expose`] marks the boundary.
#[derive(Clone)]
pub struct AccessToken(SecretString);

impl AccessToken {
    pub(crate) fn new(secret: SecretString) -> Self {
        Self(secret)
    }

    /// The text, for the `Authorization` header and nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(crate) fn is(&self, other: &SecretString) -> bool {
        let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
        hash(self.expose()).as_ref() == hash(other.expose_secret()).as_ref()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken([redacted])")
    }
}
