//! PostHog's error bodies: `{"type","code","detail","attr"}`.
//!
//! 401 and 403 share their `type`; only a 401 carries `WWW-Authenticate`.

use axum::http::header;
use serde_json::{Value, json};

use hogql_sqlite::{ErrorKind, QueryError};

use crate::response::Response;

fn body(kind: &str, code: &str, detail: &str, attr: Option<&str>) -> Value {
    json!({"type": kind, "code": code, "detail": detail, "attr": attr})
}

/// 401 without credentials.
pub(crate) fn not_authenticated(site: &str) -> Response {
    unauthorized(
        site,
        "not_authenticated",
        "Authentication credentials were not provided.",
    )
}

/// 401 with credentials that are not accepted.
pub(crate) fn authentication_failed(site: &str, detail: &str) -> Response {
    unauthorized(site, "authentication_failed", detail)
}

fn unauthorized(site: &str, code: &str, detail: &str) -> Response {
    Response::json(401, &body("authentication_error", code, detail, None)).with(
        header::WWW_AUTHENTICATE,
        format!("Bearer resource_metadata=\"{site}/.well-known/oauth-protected-resource\""),
    )
}

/// 403.
pub(crate) fn permission_denied(detail: &str) -> Response {
    Response::json(
        403,
        &body("authentication_error", "permission_denied", detail, None),
    )
}

/// 404.
pub(crate) fn not_found(detail: &str) -> Response {
    Response::json(404, &body("invalid_request", "not_found", detail, None))
}

/// 405 with the methods that are allowed.
pub(crate) fn method_not_allowed(method: &str, allowed: &str) -> Response {
    let detail = format!("Method \"{method}\" not allowed.");
    Response::json(
        405,
        &body("invalid_request", "method_not_allowed", &detail, None),
    )
    .with(header::ALLOW, allowed)
}

/// 400 for a field.
pub(crate) fn validation(code: &str, detail: &str, attr: Option<&str>) -> Response {
    Response::json(400, &body("validation_error", code, detail, attr))
}

/// A query that gave no rows.
pub(crate) fn query_failed(error: &QueryError) -> Response {
    let (status, kind, code) = match error.kind {
        ErrorKind::TimedOut => (504, "server_error", "error"),
        ErrorKind::Database => (500, "server_error", error.code),
        _ => (400, "validation_error", error.code),
    };
    Response::json(status, &body(kind, code, &query_failure(error), None))
}

/// Why a query gave no rows, in PostHog's words.
pub(crate) fn query_failure(error: &QueryError) -> String {
    match error.kind {
        ErrorKind::TimedOut => "Query has hit the max execution time before completing. See our docs for how to improve your query performance.".to_owned(),
        _ => error.to_string(),
    }
}

/// 400 for a body that does not parse.
pub(crate) fn parse_error(detail: &str) -> Response {
    let detail = format!("JSON parse error - {detail}");
    Response::json(400, &body("invalid_request", "parse_error", &detail, None))
}

/// 413.
pub(crate) fn too_large() -> Response {
    Response::json(
        413,
        &body(
            "invalid_request",
            "request_entity_too_large",
            "Request body is too large.",
            None,
        ),
    )
}

/// 429 with the seconds to wait.
pub(crate) fn throttled(seconds: u64) -> Response {
    let plural = if seconds == 1 { "" } else { "s" };
    let detail = format!("Request was throttled. Expected available in {seconds} second{plural}.");
    Response::json(429, &body("throttled_error", "throttled", &detail, None))
        .with(header::RETRY_AFTER, seconds.to_string())
}

/// 429 for too many queries at once, without a time.
pub(crate) fn too_many_queries(detail: &str) -> Response {
    Response::json(429, &body("throttled_error", "throttled", detail, None))
}

/// 429 for a project whose read budget is used up.
pub(crate) fn read_budget_spent(seconds: u64) -> Response {
    let detail = "This project has used up its hourly read budget for API queries.";
    let code = "api_queries_budget_exceeded";
    Response::json(429, &body("throttled_error", code, detail, None))
        .with(header::RETRY_AFTER, seconds.to_string())
}

/// 513 for a query that needs too much memory; 504 from older servers, as for one that takes too long.
pub(crate) fn too_much_memory(old: bool) -> Response {
    let (status, code, detail) = if old {
        (
            504,
            "error",
            "Query has reached the max memory limit before completing. You may need to narrow date range or materialize.",
        )
    } else {
        (
            513,
            "clickhouse_memory_limit_exceeded",
            "This query ran out of memory before it could finish, usually because it's scanning too much data.",
        )
    };
    Response::json(status, &body("server_error", code, detail, None))
}

/// 403 of an organization that lets in addresses of its verified domains alone.
pub(crate) fn verified_domain_required() -> Response {
    let detail = "Your organization only allows members with a verified email domain. Contact your organization's admin for access.";
    Response::json(
        403,
        &body(
            "authentication_error",
            "verified_domain_required",
            detail,
            None,
        ),
    )
}

/// 500.
pub(crate) fn server_error() -> Response {
    Response::json(
        500,
        &body("server_error", "error", "A server error occurred.", None),
    )
}

/// 503.
pub(crate) fn database_unavailable() -> Response {
    Response::json(
        503,
        &body(
            "server_error",
            "database_unavailable",
            "The database is temporarily unavailable. Please try again.",
            None,
        ),
    )
    .with(header::RETRY_AFTER, "1")
}

/// A status of the caller's choice, in the shape of an error of the server.
pub(crate) fn status(code: u16) -> Response {
    match code {
        403 => permission_denied("You don't have access to the organization."),
        404 => not_found("Not found."),
        503 => database_unavailable(),
        _ => Response {
            status: code,
            ..server_error()
        },
    }
}
