//! Projects: all, of an organization, and one by its number.

use serde_json::{Value, json};

use super::credential::Credential;
use super::page::{PAGE, page};
use super::{allow, errors};
use crate::region::Region;
use crate::request::Request;
use crate::response::Response;
use crate::world::{Project, uuid};

/// `/api/projects/`: all that the person sees, as far as the Reach goes.
pub(crate) fn list(region: &Region, request: &Request) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET"])?;
    credential.not_for_projects()?;
    credential.reach_current_organization(region)?;
    credential.require("project:read")?;
    let projects: Vec<&Project> = credential
        .organizations(region)
        .flat_map(|organization| region.world.projects_of(&organization.id))
        .filter(|project| matches(request, project))
        .collect();
    Ok(page(region, request, &projects, PAGE, |project| {
        basic(project)
    }))
}

/// `/api/organizations/:id/projects/`: empty for somebody who is no member.
pub(crate) fn of_organization(
    region: &Region,
    request: &Request,
    id: &str,
) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET"])?;
    let missing = || errors::not_found("Organization not found.");
    credential.not_for_projects()?;
    let organization = if id == "@current" {
        credential.current_organization(region)
    } else {
        region.world.organization(id)
    };
    let organization = organization.ok_or_else(missing)?;
    credential.reach_organization(&organization.id)?;
    credential.require("project:read")?;
    credential.organization_answers(region, organization)?;
    let projects: Vec<&Project> = region
        .world
        .projects_of(&organization.id)
        .filter(|project| {
            region.world.sees(credential.person, project) && matches(request, project)
        })
        .collect();
    Ok(page(region, request, &projects, PAGE, |project| {
        basic(project)
    }))
}

/// `/api/projects/:id/`. What the person does not see is not there. The address names no organization, so the
/// one that the person last opened is looked at.
pub(crate) fn one(region: &Region, request: &Request, id: &str) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET"])?;
    credential.reach_current_organization(region)?;
    let project = if id == "@current" {
        credential.current_project(region)
    } else {
        id.parse().ok().and_then(|id| region.world.project(id))
    };
    show_one(region, &credential, project)
}

/// `/api/organizations/:id/projects/:id/`.
pub(crate) fn one_of_organization(
    region: &Region,
    request: &Request,
    organization: &str,
    id: &str,
) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET"])?;
    let organization = region
        .world
        .organization(organization)
        .ok_or_else(|| errors::not_found("Organization not found."))?;
    credential.reach_organization(&organization.id)?;
    let project = id.parse().ok().and_then(|id| region.world.project(id));
    let project = project.filter(|project| project.organization == organization.id);
    show_one(region, &credential, project)
}

fn show_one(
    region: &Region,
    credential: &Credential,
    project: Option<&Project>,
) -> Result<Response, Response> {
    let project = project
        .filter(|project| {
            region.world.sees(credential.person, project)
                && credential.reaches(&project.organization)
        })
        .ok_or_else(|| errors::not_found("Not found."))?;
    credential.reach_project(project.id)?;
    credential.require("project:read")?;
    credential.project_answers(region, project)?;
    Ok(Response::json(200, &full(project)))
}

fn matches(request: &Request, project: &Project) -> bool {
    request
        .parameter("search")
        .is_none_or(|search| project.name.to_lowercase().contains(&search.to_lowercase()))
}

/// The fields of a list.
pub(crate) fn basic(project: &Project) -> Value {
    json!({
        "id": project.id,
        "uuid": uuid("project", &format!("{} {}", project.organization, project.id)),
        "organization": project.organization,
        "project_id": project.id,
        "api_token": api_token(project),
        "name": project.name,
        "completed_snippet_onboarding": project.visitors > 0,
        "has_completed_onboarding_for": {"product_analytics": true},
        "ingested_event": project.visitors > 0,
        "is_demo": false,
        "timezone": project.time_zone,
        "access_control": false,
    })
}

/// The fields of one project.
fn full(project: &Project) -> Value {
    let mut body = basic(project);
    if let Value::Object(members) = &mut body {
        for (name, value) in [
            ("created_at", json!("2024-02-05T09:00:00Z")),
            ("updated_at", json!("2026-01-12T10:30:00Z")),
            ("product_description", Value::Null),
            ("effective_membership_level", json!(15)),
            ("has_group_types", json!(false)),
            ("group_types", json!([])),
            (
                "week_start_day",
                json!(i32::from(project.time_zone != "UTC")),
            ),
            ("app_urls", json!([format!("https://{}", project.website)])),
            ("anonymize_ips", json!(false)),
            ("timezone", json!(project.time_zone)),
            ("test_account_filters", json!(project.test_account_filters)),
            ("test_account_filters_default_checked", Value::Null),
            ("path_cleaning_filters", json!([])),
            ("modifiers", Value::Null),
            ("default_modifiers", json!({})),
            ("person_on_events_querying_enabled", json!(true)),
            (
                "live_events_token",
                json!(uuid("live", &project.id.to_string())),
            ),
            ("product_intents", json!([])),
            ("primary_dashboard", Value::Null),
        ] {
            members.insert(name.to_owned(), value);
        }
    }
    body
}

/// The public token that websites send events with.
fn api_token(project: &Project) -> String {
    let letters = uuid("token", &format!("{} {}", project.organization, project.id));
    format!("phc_{}", letters.replace('-', ""))
}
