//! The authorization server: the endpoints of OAuth and OpenID Connect.

pub(crate) mod authorize;
pub(crate) mod consent;
mod document;
mod errors;
pub(crate) mod introspection;
pub(crate) mod metadata;
pub(crate) mod registration;
pub(crate) mod revocation;
pub(crate) mod signing;
pub(crate) mod token;
pub(crate) mod userinfo;
