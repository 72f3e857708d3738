//! `/oauth/userinfo/` (OpenID Connect Core 5.3).

use axum::http::header;
use serde_json::Value;

use super::{error, token};
use crate::answer::Answer;
use crate::call::Call;
use crate::server::Server;

/// Answers `/oauth/userinfo/`. A token without `openid` is as good as none.
pub(crate) fn answer(server: &Server, call: &Call) -> Answer {
    if !matches!(call.method.as_str(), "GET" | "POST") {
        return Answer::empty(405).with(header::ALLOW, "GET, POST, OPTIONS");
    }
    let now = server.clock.seconds();
    let grants = server.grants();
    let sign_in = call
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
        Some(sign_in) => Answer::json(200, &Value::Object(token::claims(server, &sign_in))),
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
