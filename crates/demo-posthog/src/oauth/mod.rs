//! The authorization server: what was registered and granted, and the endpoints that change it.

pub(crate) mod authorize;
pub(crate) mod client;
pub(crate) mod consent;
mod document;
pub(crate) mod grant;
pub(crate) mod introspection;
pub(crate) mod metadata;
pub(crate) mod registration;
pub(crate) mod revocation;
pub(crate) mod scopes;
pub(crate) mod secrets;
pub(crate) mod signing;
pub(crate) mod token;
pub(crate) mod userinfo;

use serde_json::json;

use crate::answer::Answer;

/// An error of RFC 6749 §5.2.
pub(crate) fn error(status: u16, code: &str, description: Option<&str>) -> Answer {
    let body = match description {
        Some(description) => json!({"error": code, "error_description": description}),
        None => json!({"error": code}),
    };
    Answer::json(status, &body)
}

/// 401 for a client that this region does not know.
pub(crate) fn invalid_client() -> Answer {
    error(401, "invalid_client", None).with(
        axum::http::header::WWW_AUTHENTICATE,
        "Bearer error=\"invalid_client\"",
    )
}
