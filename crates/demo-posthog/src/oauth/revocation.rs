//! Revocation (RFC 7009). A refresh token of a program that registered itself takes all sign-ins of
//! that person by that program with it.

use axum::http::header;

use super::client::Kind;
use super::{error, token};
use crate::answer::Answer;
use crate::call::{Call, last};
use crate::server::Server;

/// Answers `/oauth/revoke/`. The body is a form, and JSON is not read.
pub(crate) fn answer(server: &Server, call: &Call) -> Answer {
    if call.method != "POST" {
        return Answer::empty(405).with(header::ALLOW, "POST, OPTIONS");
    }
    let form = if call.is_json() {
        Vec::new()
    } else {
        call.form()
    };
    let Some(presented) = last(&form, "token").filter(|token| !token.is_empty()) else {
        return error(400, "invalid_request", Some("Missing token parameter."));
    };
    let client = match token::client(server, call, &form) {
        Ok(client) => client,
        Err(refusal) => return refusal,
    };
    let now = server.clock.seconds();
    let mut grants = server.grants();
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
    Answer::empty(200)
}
