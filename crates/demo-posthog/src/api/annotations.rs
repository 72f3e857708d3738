//! `/api/projects/:id/annotations/`: list, make, change. Deleting is a change of `deleted`.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::credential::Credential;
use super::page::page;
use super::{allow, errors, users};
use crate::answer::Answer;
use crate::call::Call;
use crate::server::Server;
use crate::world::{Project, World};

/// Items of a page unless `limit` says otherwise.
const PAGE: usize = 1000;
const LONGEST_CONTENT: usize = 8192;
const LONGEST_EMOJI: usize = 16;

/// An annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// Its number, unique in its region.
    pub id: u64,
    /// The project that owns it.
    pub project: u64,
    /// What it says.
    pub content: Option<String>,
    /// The instant it marks.
    pub date_marker: Option<Timestamp>,
    /// `project`, `organization`, `dashboard_item`, `dashboard` or `tag`.
    pub scope: String,
    /// `USR` or `GIT`.
    pub creation_type: String,
    /// Number of the insight it belongs to.
    pub dashboard_item: Option<u64>,
    /// Number of the dashboard it belongs to.
    pub dashboard_id: Option<u64>,
    /// An emoji in place of a dot.
    pub emoji: Option<String>,
    /// Not shown in PostHog's own pages.
    pub hidden_in_user_interface: Option<bool>,
    /// Tags of the dashboards it shows on.
    pub tags: Vec<String>,
    /// Number of the person who made it.
    pub created_by: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Deleted, and still able to come back.
    pub deleted: bool,
}

/// Every annotation of a region.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    all: BTreeMap<u64, Annotation>,
    last: u64,
}

impl Notes {
    /// The invented ones: two or three in each project that has visitors, and one for an organization.
    pub(crate) fn invent(world: &World, seed: u64, now: Timestamp) -> Self {
        const TEXTS: [&str; 8] = [
            "New landing page",
            "Pricing page redesigned",
            "Release 2.4",
            "Linked from a newsletter",
            "Checkout moved to one page",
            "Front page of Hacker News",
            "Sign-up form shortened",
            "Outage: 40 minutes",
        ];
        let mut notes = Self::default();
        for project in world
            .projects
            .iter()
            .filter(|project| project.visitors > 20)
        {
            let mut random = fastrand::Rng::with_seed(seed ^ project.id);
            let mut texts = TEXTS;
            random.shuffle(&mut texts);
            for (nth, text) in (0..3_i64).zip(texts) {
                let days = 2 + nth * 9 + random.i64(0..8);
                notes.invented(project, text, "project", days, random.i64(8..20), now);
            }
        }
        if let Some(first) = world.projects.first() {
            notes.invented(first, "Autumn campaign", "organization", 12, 9, now);
        }
        notes
    }

    fn invented(
        &mut self,
        project: &Project,
        text: &str,
        scope: &str,
        days: i64,
        hour: i64,
        now: Timestamp,
    ) {
        let zone = TimeZone::get(&project.time_zone).unwrap_or(TimeZone::UTC);
        let marked = now
            .to_zoned_datetime(zone)
            .checked_sub(days.days())
            .and_then(|day| day.start_of_day())
            .and_then(|day| day.checked_add(hour.hours()))
            .map_or(now, |at| at.timestamp());
        self.add(Annotation {
            content: Some(text.to_owned()),
            date_marker: Some(marked),
            scope: scope.to_owned(),
            ..Annotation::new(project.id, 1, marked)
        });
    }

    fn add(&mut self, mut note: Annotation) -> Annotation {
        self.last += 1;
        note.id = self.last;
        self.all.insert(note.id, note.clone());
        note
    }

    /// Those that a project owns, by number.
    pub(crate) fn of_project(&self, project: u64) -> Vec<Annotation> {
        let owned = self.all.values().filter(|note| note.project == project);
        owned.cloned().collect()
    }

    /// Those that show in a project: its own, and those for its whole organization. Latest first.
    fn shown(&self, world: &World, project: &Project) -> Vec<Annotation> {
        let mut shown: Vec<Annotation> = self
            .all
            .values()
            .filter(|note| shows(world, note, project))
            .cloned()
            .collect();
        shown.sort_by_key(|note| std::cmp::Reverse((note.date_marker, note.id)));
        shown
    }
}

impl Annotation {
    fn new(project: u64, person: u64, now: Timestamp) -> Self {
        Self {
            id: 0,
            project,
            content: None,
            date_marker: None,
            scope: "dashboard_item".to_owned(),
            creation_type: "USR".to_owned(),
            dashboard_item: None,
            dashboard_id: None,
            emoji: None,
            hidden_in_user_interface: None,
            tags: Vec::new(),
            created_by: person,
            created_at: now,
            updated_at: now,
            deleted: false,
        }
    }
}

fn shows(world: &World, note: &Annotation, project: &Project) -> bool {
    note.project == project.id
        || (note.scope == "organization"
            && world
                .project(note.project)
                .is_some_and(|owner| owner.organization == project.organization))
}

/// The list of a project, and making one in it.
pub(crate) fn all(server: &Server, call: &Call, id: &str) -> Result<Answer, Answer> {
    let credential = Credential::of(server, call)?;
    allow(call, &["GET", "POST"])?;
    if call.method == "POST" {
        let project = credential.project(server, id, "annotation:write")?;
        let fields = fields(call)?;
        let mut note = Annotation::new(project.id, credential.person, server.clock.now());
        change(&mut note, &fields)?;
        let made = server.notes().add(note);
        return Ok(Answer::json(201, &show(server, &made)));
    }
    let project = credential.project(server, id, "annotation:read")?;
    let from = date(call, "date_from")?;
    let to = date(call, "date_to")?;
    let search = call.parameter("search").unwrap_or_default().to_lowercase();
    let scope = match call.parameter("scope") {
        Some("insight") => Some("dashboard_item"),
        other => other,
    };
    let mut notes = server.notes().shown(&server.world, project);
    notes.retain(|note| {
        let content = note.content.as_deref().unwrap_or_default();
        !note.deleted
            && scope.is_none_or(|scope| note.scope == scope)
            && (search.is_empty() || content.to_lowercase().contains(&search))
            && from.is_none_or(|from| note.date_marker.is_some_and(|at| at >= from))
            && to.is_none_or(|to| note.date_marker.is_some_and(|at| at <= to))
    });
    Ok(page(server, call, &notes, PAGE, |note| show(server, note)))
}

/// One annotation.
pub(crate) fn one(server: &Server, call: &Call, id: &str, note: &str) -> Result<Answer, Answer> {
    let credential = Credential::of(server, call)?;
    allow(call, &["GET", "PUT", "PATCH", "DELETE"])?;
    let reading = matches!(call.method.as_str(), "GET" | "HEAD");
    let scope = if reading {
        "annotation:read"
    } else {
        "annotation:write"
    };
    let project = credential.project(server, id, scope)?;
    if call.method == "DELETE" {
        return Err(Answer::empty(405));
    }
    let missing = || errors::not_found("Not found.");
    let number: u64 = note.parse().map_err(|_| missing())?;
    let mut notes = server.notes();
    let note = notes
        .all
        .get_mut(&number)
        .filter(|note| shows(&server.world, note, project))
        .filter(|note| !note.deleted || call.method == "PATCH")
        .ok_or_else(missing)?;
    if reading {
        return Ok(Answer::json(200, &show(server, note)));
    }
    let mut changed = note.clone();
    change(&mut changed, &fields(call)?)?;
    // Whatever project it came from: it belongs to the one in the address now.
    changed.project = project.id;
    changed.updated_at = server.clock.now();
    note.clone_from(&changed);
    Ok(Answer::json(200, &show(server, &changed)))
}

fn date(call: &Call, name: &str) -> Result<Option<Timestamp>, Answer> {
    let Some(text) = call.parameter(name).filter(|text| !text.is_empty()) else {
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

fn fields(call: &Call) -> Result<Map<String, Value>, Answer> {
    match call.json() {
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
fn change(note: &mut Annotation, fields: &Map<String, Value>) -> Result<(), Answer> {
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

fn text(field: &str, value: &Value, longest: usize) -> Result<Option<String>, Answer> {
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

fn show(server: &Server, note: &Annotation) -> Value {
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
        "created_by": server.world.person(note.created_by).map(users::basic),
        "created_at": note.created_at,
        "updated_at": note.updated_at,
        "deleted": note.deleted,
        "scope": note.scope,
        "emoji": note.emoji,
        "hidden_in_user_interface": note.hidden_in_user_interface,
        "tags": note.tags,
    })
}
