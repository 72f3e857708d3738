//! Revocation (RFC 7009). A refresh token of a program that registered itself takes all sign-ins of
//! that person by that program with it.

use axum::http::header;

use super::errors::error;
use super::token;
use crate::region::Region;
use crate::region::clients::Kind;
use crate::request::{Request, last};
use crate::response::Response;

/// Answers `/oauth/revoke/`. The body is a form, and JSON is not read.
pub(crate) fn answer(region: &Region, request: &Request) -> Response {
    if request.method != "POST" {
        return Response::empty(405).with(header::ALLOW, "POST, OPTIONS");
    }
    let form = if request.is_json() {
        Vec::new()
    } else {
        request.form()
    };
    let Some(presented) = last(&form, "token").filter(|token| !token.is_empty()) else {
        return error(400, "invalid_request", Some("Missing token parameter."));
    };
    let client = match token::client(region, request, &form) {
        Ok(client) => client,
        Err(refusal) => return refusal,
    };
    let now = region.clock.seconds();
    let mut grants = region.grants();
    let owner = |number: &u64| {
        grants
            .sign_ins
            .get(number)
            .filter(|sign_in| sign_in.client_id == client.id)
            .map(|sign_in| sign_in.person)
    };
    let access = grants.access.get(presented).map(|token| token.sign_in);
    let refresh = grants.refresh.get(presented).map(|token| token.sign_in);
    if access.as_ref().and_then(owner).is_some() {
        grants.access.remove(presented);
    } else if let Some(person) = refresh.as_ref().and_then(owner) {
        match client.kind {
            Kind::Dynamic => grants.sweep(person, &client.id),
            Kind::Manual => {
                // It still refreshes within the grace: a hole that PostHog knows of.
                let revoked = grants.refresh.get_mut(presented).map(|token| {
                    token.ended_at.get_or_insert(now);
                    token.access.clone()
                });
                if let Some(access) = revoked {
                    grants.access.remove(&access);
                }
            }
        }
    }
    Response::empty(200)
}
