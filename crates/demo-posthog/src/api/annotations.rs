//! `/api/projects/:id/annotations/`: list, make, change. Deleting is a change of `deleted`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::credential::Credential;
use super::page::page;
use super::{allow, errors, users};
use crate::region::Region;
use crate::region::annotations::{Annotation, shows};
use crate::request::Request;
use crate::response::Response;

/// Items of a page unless `limit` says otherwise.
const PAGE: usize = 1000;
const LONGEST_CONTENT: usize = 8192;
const LONGEST_EMOJI: usize = 16;

/// The list of a project, and making one in it.
pub(crate) fn all(region: &Region, request: &Request, id: &str) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET", "POST"])?;
    if request.method == "POST" {
        let project = credential.project(region, id, "annotation:write")?;
        let fields = fields(request)?;
        let mut note = Annotation::new(project.id, credential.person, region.clock.now());
        change(&mut note, &fields)?;
        let made = region.annotations().add(note);
        return Ok(Response::json(201, &show(region, &made)));
    }
    let project = credential.project(region, id, "annotation:read")?;
    let from = date(request, "date_from")?;
    let to = date(request, "date_to")?;
    let search = request
        .parameter("search")
        .unwrap_or_default()
        .to_lowercase();
    let scope = match request.parameter("scope") {
        Some("insight") => Some("dashboard_item"),
        other => other,
    };
    let mut annotations = region.annotations().shown(&region.world, project);
    annotations.retain(|note| {
        let content = note.content.as_deref().unwrap_or_default();
        !note.deleted
            && scope.is_none_or(|scope| note.scope == scope)
            && (search.is_empty() || content.to_lowercase().contains(&search))
            && from.is_none_or(|from| note.date_marker.is_some_and(|at| at >= from))
            && to.is_none_or(|to| note.date_marker.is_some_and(|at| at <= to))
    });
    Ok(page(region, request, &annotations, PAGE, |note| {
        show(region, note)
    }))
}

/// One annotation.
pub(crate) fn one(
    region: &Region,
    request: &Request,
    id: &str,
    note: &str,
) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET", "PUT", "PATCH", "DELETE"])?;
    let reading = matches!(request.method.as_str(), "GET" | "HEAD");
    let scope = if reading {
        "annotation:read"
    } else {
        "annotation:write"
    };
    let project = credential.project(region, id, scope)?;
    if request.method == "DELETE" {
        return Err(Response::empty(405));
    }
    let missing = || errors::not_found("Not found.");
    let number: u64 = note.parse().map_err(|_| missing())?;
    let mut annotations = region.annotations();
    let note = annotations
        .all
        .get_mut(&number)
        .filter(|note| shows(&region.world, note, project))
        .filter(|note| !note.deleted || request.method == "PATCH")
        .ok_or_else(missing)?;
    if reading {
        return Ok(Response::json(200, &show(region, note)));
    }
    let mut changed = note.clone();
    change(&mut changed, &fields(request)?)?;
    // Whatever project it came from: it belongs to the one in the address now.
    changed.project = project.id;
    changed.updated_at = region.clock.now();
    note.clone_from(&changed);
    Ok(Response::json(200, &show(region, &changed)))
}

fn date(request: &Request, name: &str) -> Result<Option<Timestamp>, Response> {
    let Some(text) = request.parameter(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    instant(text).map(Some).ok_or_else(|| {
        errors::validation(
            "invalid_input",
            &format!("Invalid date range: {name} must be a valid ISO 8601 date"),
            None,
        )
    })
}

/// An instant with an offset, or a time or a day in UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let utc =
        |at: jiff::civil::DateTime| Some(at.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp());
    text.parse()
        .ok()
        .or_else(|| utc(text.parse::<jiff::civil::DateTime>().ok()?))
        .or_else(|| utc(text.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0)))
}

fn fields(request: &Request) -> Result<Map<String, Value>, Response> {
    match request.json() {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(errors::validation(
            "invalid_input",
            "Invalid data. Expected a dictionary.",
            None,
        )),
        Err(error) => Err(errors::parse_error(&error.to_string())),
    }
}

/// Takes over the fields that can be written; the first one at fault is reported.
fn change(note: &mut Annotation, fields: &Map<String, Value>) -> Result<(), Response> {
    let invalid =
        |field: &str, detail: &str| errors::validation("invalid_input", detail, Some(field));
    for (field, value) in fields {
        match field.as_str() {
            "content" => note.content = text(field, value, LONGEST_CONTENT)?,
            "emoji" => note.emoji = text(field, value, LONGEST_EMOJI)?,
            "date_marker" => {
                note.date_marker = match value {
                    Value::Null => None,
                    Value::String(text) => Some(instant(text).ok_or_else(|| {
                        invalid(field, "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].")
                    })?),
                    _ => return Err(invalid(field, "Datetime has wrong format.")),
                };
            }
            "scope" => match value.as_str() {
                Some("recording") => {
                    return Err(errors::validation(
                        "invalid_input",
                        "Recording scope is deprecated",
                        None,
                    ));
                }
                Some(
                    scope @ ("project" | "organization" | "dashboard_item" | "dashboard" | "tag"),
                ) => {
                    scope.clone_into(&mut note.scope);
                }
                _ => {
                    let given = value
                        .as_str()
                        .map_or_else(|| value.to_string(), ToOwned::to_owned);
                    return Err(errors::validation(
                        "invalid_choice",
                        &format!("\"{given}\" is not a valid choice."),
                        Some(field),
                    ));
                }
            },
            "creation_type" => match value.as_str() {
                Some(kind @ ("USR" | "GIT")) => kind.clone_into(&mut note.creation_type),
                _ => return Err(invalid(field, "Not a valid choice.")),
            },
            "deleted" => {
                note.deleted = value
                    .as_bool()
                    .ok_or_else(|| invalid(field, "Must be a valid boolean."))?;
            }
            "hidden_in_user_interface" => note.hidden_in_user_interface = value.as_bool(),
            "dashboard_item" => note.dashboard_item = value.as_u64(),
            "dashboard_id" => note.dashboard_id = value.as_u64(),
            "tags" => {
                let tags = value.as_array().map(Vec::as_slice).unwrap_or_default();
                note.tags = tags
                    .iter()
                    .filter_map(|tag| tag.as_str().map(ToOwned::to_owned))
                    .collect();
            }
            _ => {}
        }
    }
    if note.tags.is_empty() || note.scope == "tag" {
        return Ok(());
    }
    Err(invalid(
        "tags",
        "Tags can only be set on annotations with the tag scope.",
    ))
}

fn text(field: &str, value: &Value, longest: usize) -> Result<Option<String>, Response> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.chars().count() <= longest => Ok(Some(text.clone())),
        Value::String(_) => Err(errors::validation(
            "max_length",
            &format!("Ensure this field has no more than {longest} characters."),
            Some(field),
        )),
        _ => Err(errors::validation(
            "invalid_input",
            "Not a valid string.",
            Some(field),
        )),
    }
}

fn show(region: &Region, note: &Annotation) -> Value {
    json!({
        "id": note.id,
        "content": note.content,
        "date_marker": note.date_marker,
        "creation_type": note.creation_type,
        "dashboard_item": note.dashboard_item,
        "dashboard_id": note.dashboard_id,
        "dashboard_name": null,
        "insight_short_id": null,
        "insight_name": null,
        "insight_derived_name": null,
        "created_by": region.world.person(note.created_by).map(users::basic),
        "created_at": note.created_at,
        "updated_at": note.updated_at,
        "deleted": note.deleted,
        "scope": note.scope,
        "emoji": note.emoji,
        "hidden_in_user_interface": note.hidden_in_user_interface,
        "tags": note.tags,
    })
}
