//! `/api/personal_api_keys/@current/`: what a personal API key may do. An OAuth token is no key.

use jiff::Timestamp;
use serde_json::json;

use super::credential::Credential;
use super::{allow, errors};
use crate::region::Region;
use crate::request::Request;
use crate::response::Response;

/// The key that asks.
pub(crate) fn current(region: &Region, request: &Request) -> Result<Response, Response> {
    let site = &region.address;
    if request
        .bearer()
        .is_some_and(|bearer| bearer.starts_with("pha_"))
    {
        return Err(errors::not_authenticated(site));
    }
    if let Some(status) = region.behaviour().keys_cannot_ask {
        return Err(match status {
            401 => errors::not_authenticated(site),
            403 => {
                errors::permission_denied("This action does not support personal API key access")
            }
            _ => errors::status(status),
        });
    }
    let credential = Credential::of(region, request)?;
    allow(request, &["GET"])?;
    let name = credential.api_key.unwrap_or_default();
    let grants = region.grants();
    let key = grants
        .api_keys
        .get(&name)
        .ok_or_else(|| errors::not_authenticated(site))?;
    let instant = |seconds: i64| Timestamp::from_second(seconds).ok();
    let masked: String = name.chars().rev().take(4).collect();
    let masked: String = masked.chars().rev().collect();
    Ok(Response::json(
        200,
        &json!({
            "id": key.id,
            "label": key.label,
            "value": null,
            "mask_value": format!("phx_...{masked}"),
            "created_at": instant(key.created_at),
            "last_used_at": key.last_used_at.and_then(instant),
            "last_rolled_at": null,
            "user_id": key.person,
            "scopes": key.scopes,
            "scoped_teams": key.reach.teams(),
            "scoped_organizations": key.reach.organizations(),
        }),
    ))
}
