//! What the API answers about keys and projects.

use serde_json::json;
use test_support::{Request, Response};

pub(super) fn unauthenticated() -> Response {
    Response::json(
        401,
        &json!({"type": "authentication_error", "code": "authentication_failed",
            "detail": "Invalid access token.", "attr": null}),
    )
}

pub(super) fn forbidden(scope: &str) -> Response {
    let detail = format!("API key missing required scope '{scope}'");
    Response::json(
        403,
        &json!({"type": "authentication_error", "code": "permission_denied", "detail": detail,
            "attr": null}),
    )
}

pub(super) fn projects(request: &Request) -> Response {
    match request.bearer.as_deref() {
        Some("phx_right" | "phx_projects") => {
            Response::json(200, &json!({"next": null, "results": []}))
        }
        _ => unauthenticated(),
    }
}

pub(super) fn current_key(request: &Request) -> Response {
    match request.bearer.as_deref() {
        Some("phx_right") => Response::json(
            200,
            &json!({"user_id": 7, "scopes": ["project:read", "query:read", "user:read"]}),
        ),
        Some("phx_narrow") => {
            Response::json(200, &json!({"user_id": 7, "scopes": ["project:read"]}))
        }
        _ => unauthenticated(),
    }
}
