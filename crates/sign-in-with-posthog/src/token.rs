//! The access token on its way into one `Authorization` header.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::connection::CredentialKind;
use crate::secret::same_secret;

/// An access token or API key that was valid when it was handed out.
///
/// It has no `Display` and no `Serialize`; [`AccessToken::expose`] marks the boundary.
#[derive(Clone)]
pub struct AccessToken {
    secret: SecretString,
    kind: CredentialKind,
    issuer: Option<String>,
}

impl AccessToken {
    pub(crate) fn new(secret: SecretString, kind: CredentialKind, issuer: Option<String>) -> Self {
        Self {
            secret,
            kind,
            issuer,
        }
    }

    /// The origin that it may be sent to, as sealed with it: [`crate::Host::issuer`] of its Host. `None` for an
    /// API key that was stored before its Host was sealed with it and has not been used since.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    pub(crate) fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// The text, for the `Authorization` header and nothing else.
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    pub(crate) fn is(&self, other: &SecretString) -> bool {
        same_secret(self.expose(), other.expose_secret())
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken([redacted])")
    }
}
