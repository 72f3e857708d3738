//! Error bodies of OAuth.

use serde_json::json;

use crate::response::Response;

/// An error of RFC 6749 §5.2.
pub(crate) fn error(status: u16, code: &str, description: Option<&str>) -> Response {
    let body = match description {
        Some(description) => json!({"error": code, "error_description": description}),
        None => json!({"error": code}),
    };
    Response::json(status, &body)
}

/// 401 for a client that this region does not know.
pub(crate) fn invalid_client() -> Response {
    error(401, "invalid_client", None).with(
        axum::http::header::WWW_AUTHENTICATE,
        "Bearer error=\"invalid_client\"",
    )
}
