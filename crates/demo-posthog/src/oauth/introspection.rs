//! Introspection (RFC 7662): a token may always introspect itself.

use axum::http::header;
use serde_json::json;

use super::{errors, token};
use crate::region::Region;
use crate::region::scopes;
use crate::request::{Request, last};
use crate::response::Response;

/// Answers `/oauth/introspect/`.
pub(crate) fn answer(region: &Region, request: &Request) -> Response {
    let fields = match request.method.as_str() {
        "GET" => request.query.clone(),
        "POST" => match token::fields(request) {
            Ok(fields) => fields,
            Err(description) => return errors::error(400, "invalid_request", Some(description)),
        },
        _ => return Response::empty(405).with(header::ALLOW, "GET, POST, HEAD, OPTIONS"),
    };
    let refused = || Response::empty(403);
    let now = region.clock.seconds();
    let grants = region.grants();
    let Some(bearer) = request.bearer() else {
        return refused();
    };
    let (Some(caller), Some(asked)) = (grants.access.get(bearer), last(&fields, "token")) else {
        return refused();
    };
    let inactive = || Response::json(200, &json!({"active": false}));
    if bearer == asked && caller.expires_at <= now {
        return inactive();
    }
    let may_ask = caller.expires_at > now && scopes::satisfies(&caller.scopes, "introspection");
    if bearer != asked && !may_ask {
        return refused();
    }
    let Some(client_id) = grants
        .sign_ins
        .get(&caller.sign_in)
        .map(|known| &known.client_id)
    else {
        return refused();
    };
    let name = grants
        .clients
        .get(client_id)
        .map(|client| client.name.as_str());
    let of_this_client = |number: &u64| {
        grants
            .sign_ins
            .get(number)
            .filter(|sign_in| sign_in.client_id == *client_id)
    };
    if let Some(token) = grants.access.get(asked) {
        let Some(sign_in) = of_this_client(&token.sign_in).filter(|_| token.expires_at > now)
        else {
            return inactive();
        };
        return Response::json(
            200,
            &json!({
                "active": true,
                "token_type": "access_token",
                "scope": token.scopes.join(" "),
                "is_impersonated": false,
                "scoped_teams": sign_in.reach.teams(),
                "scoped_organizations": sign_in.reach.organizations(),
                "exp": token.expires_at,
                "client_id": client_id,
                "client_name": name,
            }),
        );
    }
    let refresh = grants
        .refresh
        .get(asked)
        .filter(|token| token.ended_at.is_none())
        .and_then(|token| of_this_client(&token.sign_in));
    match refresh {
        Some(sign_in) => Response::json(
            200,
            &json!({
                "active": true,
                "token_type": "refresh_token",
                "scoped_teams": sign_in.reach.teams(),
                "scoped_organizations": sign_in.reach.organizations(),
                "client_id": client_id,
                "client_name": name,
            }),
        ),
        None => inactive(),
    }
}
