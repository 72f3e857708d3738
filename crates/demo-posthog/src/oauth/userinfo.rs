//! `/oauth/userinfo/` (OpenID Connect Core 5.3).

use axum::http::header;
use serde_json::Value;

use super::errors::error;
use super::token;
use crate::region::Region;
use crate::request::Request;
use crate::response::Response;

/// Answers `/oauth/userinfo/`. A token without `openid` is as good as none.
pub(crate) fn answer(region: &Region, request: &Request) -> Response {
    if !matches!(request.method.as_str(), "GET" | "POST") {
        return Response::empty(405).with(header::ALLOW, "GET, POST, OPTIONS");
    }
    let now = region.clock.seconds();
    let grants = region.grants();
    let sign_in = request
        .bearer()
        .and_then(|bearer| grants.access.get(bearer))
        .filter(|token| token.expires_at > now)
        .filter(|token| token.scopes.iter().any(|scope| scope == "openid"))
        .and_then(|token| {
            let mut sign_in = grants.sign_ins.get(&token.sign_in)?.clone();
            sign_in.scopes.clone_from(&token.scopes);
            Some(sign_in)
        });
    match sign_in {
        Some(sign_in) => Response::json(200, &Value::Object(token::claims(region, &sign_in))),
        None => error(
            401,
            "invalid_token",
            Some("The access token provided is expired, revoked, malformed, or invalid for other reasons."),
        )
        .with(
            header::WWW_AUTHENTICATE,
            "Bearer error=\"invalid_token\",error_description=\"The access token is invalid.\"",
        ),
    }
}
