//! `/api/organizations/`.

use serde_json::{Value, json};

use super::credential::Credential;
use super::page::{PAGE, page};
use super::{allow, errors, projects};
use crate::region::Region;
use crate::request::Request;
use crate::response::Response;
use crate::world::Organization;

/// The organizations of the person, as far as the Reach goes.
pub(crate) fn list(region: &Region, request: &Request) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET", "POST"])?;
    credential.not_for_projects()?;
    if request.method == "POST" {
        return Err(errors::permission_denied(
            "This action does not support personal API key access",
        ));
    }
    credential.require("organization:read")?;
    let reached: Vec<&Organization> = credential.organizations(region).collect();
    Ok(page(region, request, &reached, PAGE, |organization| {
        full(region, organization, credential.person)
    }))
}

/// One organization.
pub(crate) fn one(region: &Region, request: &Request, id: &str) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET"])?;
    credential.not_for_projects()?;
    let current = credential.current_organization(region);
    if id == "@current"
        && let Some(current) = current
    {
        credential.reach_organization(&current.id)?;
    }
    credential.require("organization:read")?;
    let organization = if id == "@current" {
        current
    } else {
        credential
            .organizations(region)
            .find(|known| known.id == id)
    };
    let organization = organization.ok_or_else(|| errors::not_found("Not found."))?;
    credential.organization_answers(region, organization)?;
    Ok(Response::json(
        200,
        &full(region, organization, credential.person),
    ))
}

/// The few fields that other answers embed.
pub(crate) fn basic(organization: &Organization, person: u64) -> Value {
    json!({
        "id": organization.id,
        "name": organization.name,
        "slug": slug(&organization.name),
        "logo_media_id": null,
        "membership_level": membership_level(person),
        "members_can_use_personal_api_keys": true,
    })
}

/// All fields.
pub(crate) fn full(region: &Region, organization: &Organization, person: u64) -> Value {
    let inside: Vec<_> = region.world.projects_of(&organization.id).collect();
    let forbidden = region
        .refusals()
        .without_api_keys
        .contains(&organization.id);
    json!({
        "id": organization.id,
        "name": organization.name,
        "slug": slug(&organization.name),
        "logo_media_id": null,
        "created_at": "2024-02-05T09:00:00Z",
        "updated_at": "2026-01-12T10:30:00Z",
        "membership_level": membership_level(person),
        "plugins_access_level": 3,
        "teams": inside.iter().map(|project| projects::basic(project)).collect::<Vec<_>>(),
        "projects": inside.iter().map(|project| json!({
            "id": project.id, "organization_id": project.organization, "name": project.name,
        })).collect::<Vec<_>>(),
        "available_product_features": features(),
        "is_member_join_email_enabled": true,
        "metadata": {"instance_tag": "none", "notes": "x".repeat(region.behaviour().longer_organizations)},
        "customer_id": null,
        "enforce_2fa": null,
        "members_can_invite": true,
        "members_can_use_personal_api_keys": !forbidden,
        "allow_publicly_shared_resources": true,
        "member_count": organization.members.len(),
        "is_ai_data_processing_approved": null,
        "default_experiment_stats_method": "bayesian",
        "default_role_id": null,
    })
}

/// What its plan has: a long list in every response that embeds an organization.
fn features() -> Vec<Value> {
    const KINDS: [&str; 9] = [
        "product_analytics",
        "web_analytics",
        "session_replay",
        "feature_flags",
        "experiments",
        "surveys",
        "data_warehouse",
        "error_tracking",
        "support",
    ];
    let of_kind = |kind: &str| {
        let kind = kind.to_owned();
        (1..=10).map(move |nth| {
            json!({
                "key": format!("{kind}_{nth}"),
                "name": format!("Feature {nth} of {}", kind.replace('_', " ")),
                "description": "What the plan of this organization includes, in a sentence of its own.",
                "unit": null,
                "limit": null,
                "note": null,
                "is_plan_default": true,
            })
        })
    };
    KINDS.into_iter().flat_map(of_kind).collect()
}

/// Owner for the first person, member for the others.
fn membership_level(person: u64) -> u8 {
    if person == 1 { 15 } else { 1 }
}

fn slug(name: &str) -> String {
    let dashed: String = name
        .to_lowercase()
        .chars()
        .map(|letter| {
            if letter.is_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect();
    let parts: Vec<&str> = dashed.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-")
}
