//! The project page: drawn at once from Snapshots, kept live by its stream.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State as Extract};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use sign_in_with_posthog::{Connection, ConnectionState, CredentialKind};

use super::answer::sentence;
use super::events::{self, Change, Part, part};
use super::refresher::Interest;
use super::{NotFound, PageError, State, page, see_other};
use crate::colours;
use crate::format::ago;
use crate::notes::Notes;
use crate::overview::{Breakdowns, DayClock, Period, Range, Today, Window};
use crate::pages::layout::{Notice, Tone};
use crate::pages::notes::{NoteAccess, NoteDialog, Remedy};
use crate::pages::project::{self, ProjectPage, Sibling};
use crate::pages::{Shell, Status, project_path};
use crate::preferences::{Preferences, Scheme};
use crate::project::{Project, ProjectKey};
use crate::snapshot::{Snapshots, Trouble, View};

/// Projects beside the page at most; the others are one click away.
const MOST_SIBLINGS: usize = 60;

/// Seconds after which nobody can be said to be online now.
const NOW_SECONDS: i64 = 900;

/// `/project/HOST/ID`, its stream, and what a person chooses about it.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/project/{host}/{id}", get(show))
        .route("/project/{host}/{id}/events", get(live))
        .route("/project/{host}/{id}/preferences", post(prefer))
}

/// A project with the Connection that reads it.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub project: Project,
    pub connection: Connection,
}

/// A page of a project, as its address asks for it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    range: String,
    note: String,
    deleted: String,
    restored: String,
    saved: String,
    /// On the address of a stream: its page was made while somebody was signed in.
    signed_in: Option<String>,
}

impl Located {
    /// The project's time zone; UTC where its name is unknown here.
    pub fn zone(&self) -> TimeZone {
        DayClock::new(&self.project.time_zone, Timestamp::now())
            .zone()
            .clone()
    }

    pub fn may(&self, scope: &str) -> bool {
        self.connection.grant.scopes.allows(scope)
    }
}

/// The project that an address names. `None` where there is none that anybody reaches.
pub(super) fn locate(
    state: &State,
    (host, id): &(String, String),
) -> Result<Option<Located>, PageError> {
    let Ok(id) = id.parse() else {
        return Ok(None);
    };
    let key = ProjectKey {
        host: host.clone(),
        id,
    };
    let Some(project) = state.snapshots().project(&key)? else {
        return Ok(None);
    };
    let connection = state
        .connections()?
        .into_iter()
        .find(|connection| connection.id == project.connection);
    Ok(connection.map(|connection| Located {
        project,
        connection,
    }))
}

/// The range of an address; a month where it names none.
pub(super) fn range_of(name: &str) -> Range {
    Range::from_name(name).unwrap_or_default()
}

/// The address of a project's page with its range.
pub(super) fn address(key: &ProjectKey, range: Range) -> String {
    format!("{}?range={}", project_path(key), range.name())
}

async fn show(
    Extract(state): Extract<Arc<State>>,
    Path(path): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let found = state.blocking({
        let path = path.clone();
        move |state| locate(state, &path)
    });
    let Some(located) = found.await? else {
        return missing(&state);
    };
    let range = range_of(&asked.range);
    state
        .refresher()
        .glance(Interest::Project(located.project.key.clone(), range));
    state
        .blocking(move |state| {
            let mut view = view(state, &located, range, state.shell())?;
            view.dialog = asked_dialog(&view, &asked.note);
            view.saved = match asked.saved.parse() {
                Ok(id) => Some(Some(id)),
                Err(_) => (asked.saved == "new").then_some(None),
            };
            view.deleted = asked
                .deleted
                .parse()
                .ok()
                .and_then(|id| Some((id, state.deleted_notes().text(&view.key, id)?)));
            view.restored = asked
                .restored
                .parse()
                .is_ok_and(|id: u64| view.notes.iter().any(|note| note.id == id));
            Ok(page(project::render(&view)))
        })
        .await
}

/// The form that an address asks for: `new`, or the number of a note that can be changed here.
fn asked_dialog(view: &ProjectPage, note: &str) -> Option<NoteDialog> {
    if note == "new" {
        let local = Timestamp::now().to_zoned_datetime(view.zone.clone());
        return Some(NoteDialog {
            date: local.strftime("%Y-%m-%d").to_string(),
            time: local.strftime("%H:%M").to_string(),
            ..NoteDialog::default()
        });
    }
    let id: u64 = note.parse().ok()?;
    view.notes
        .iter()
        .find(|note| note.id == id && !note.organization_wide)
        .map(|note| NoteDialog::of(note, &view.zone))
}

/// There is no such project, or it is not known yet.
fn missing(state: &Arc<State>) -> Result<Response, PageError> {
    let connections = state.connections()?;
    if !connections.iter().any(Connection::is_active) {
        return Ok(see_other("/"));
    }
    Ok(NotFound::Project.answer(state))
}

async fn live(
    Extract(state): Extract<Arc<State>>,
    Path(path): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let found = state.blocking({
        let path = path.clone();
        move |state| locate(state, &path)
    });
    let Some(located) = found.await? else {
        return Ok(NotFound::Project.answer(&state));
    };
    let range = range_of(&asked.range);
    let key = located.project.key;
    let interest = Interest::Project(key.clone(), range);
    let leaves = asked.signed_in.is_some();
    Ok(events::stream(&state, interest, move |state, changes| {
        parts(state, &path, &key, range, leaves, changes).unwrap_or_else(|error| {
            tracing::warn!(%error, "a project page could not be kept up to date");
            Vec::new()
        })
    }))
}

/// What of a page is to be replaced after `changes`; everything where there are none. A page that was made
/// while its project could be read `leaves` once that is over, also where it was over before the stream
/// began; one that was opened afterwards shows what is left.
fn parts(
    state: &Arc<State>,
    path: &(String, String),
    key: &ProjectKey,
    range: Range,
    leaves: bool,
    changes: &[Change],
) -> Result<Vec<Part>, PageError> {
    let all = changes.is_empty() || changes.contains(&Change::Projects);
    let touched = |view: View| all || changes.contains(&Change::View(key.clone(), view));
    let numbers = touched(View::Period(range));
    let lists = touched(View::Breakdowns(range)) || numbers;
    let notes = touched(View::Notes) || changes.contains(&Change::Notes(key.clone()));
    let online = touched(View::Today);
    let ended = changes
        .iter()
        .any(|change| matches!(change, Change::SignedOut(_)));
    if !(numbers || lists || notes || online || ended || changes.contains(&Change::Status)) {
        return Ok(Vec::new());
    }
    let located = locate(state, path)?;
    let readable = located
        .as_ref()
        .is_some_and(|located| located.connection.is_active());
    if leaves && !readable {
        return Ok(vec![events::signed_out()]);
    }
    let Some(located) = located else {
        return Ok(Vec::new());
    };
    let view = view(state, &located, range, Shell::default())?;
    let mut parts = Vec::new();
    if numbers || notes {
        parts.push(part("numbers", &project::render_numbers(&view)));
    }
    if lists {
        parts.push(part("lists", &project::render_lists(&view)));
    }
    if online {
        parts.push(part("online", &project::render_online(view.online)));
    }
    parts.extend(view.shell.status.as_ref().map(events::status));
    Ok(parts)
}

/// Everything that a project page shows, from what is known.
pub(super) fn view(
    state: &State,
    located: &Located,
    range: Range,
    shell: Shell,
) -> Result<ProjectPage, PageError> {
    let now = Timestamp::now();
    let (preferences, _) = state.preferences();
    let snapshots = state.snapshots();
    let known = Known::read(&snapshots, &located.project.key, range)?;
    drop(snapshots);
    let siblings = siblings(state, &preferences, &located.project.key)?;
    let mut view = assemble(located, &known, &preferences, range, now, shell);
    view.siblings = siblings;
    if view.may_query && located.connection.is_active() {
        view.shell.status = Some(status(state, &known));
    } else if let Some(period) = &known.period {
        view.shell.status = Some(Status::Updated(ago(period.measured_at, now)));
    }
    Ok(view)
}

/// The state of the two things that are read for a range.
fn status(state: &State, known: &Known) -> Status {
    let measured = [
        known.period.as_ref().map(|period| period.measured_at),
        known.breakdowns.as_ref().map(|lists| lists.measured_at),
    ];
    let oldest = measured.iter().flatten().min().copied();
    let total = measured.len();
    let done = measured.iter().flatten().count();
    match state.status(oldest) {
        // What was refused is not being loaded; the page says why it is missing.
        Status::Live | Status::Updated(_) | Status::Loading { .. }
            if done < total && known.trouble.is_none() =>
        {
            Status::Loading { done, total }
        }
        Status::Live if done == 0 => Status::Unread,
        status => status,
    }
}

/// The Snapshots of one project page.
#[derive(Clone, Debug, Default)]
struct Known {
    today: Option<Today>,
    period: Option<Period>,
    breakdowns: Option<Breakdowns>,
    notes: Option<Notes>,
    trouble: Option<Trouble>,
    note_trouble: Option<Trouble>,
}

impl Known {
    fn read(snapshots: &Snapshots, key: &ProjectKey, range: Range) -> Result<Self, PageError> {
        let of_numbers = snapshots.trouble(key, View::Period(range))?;
        let of_lists = snapshots.trouble(key, View::Breakdowns(range))?;
        Ok(Self {
            today: snapshots.view(key, View::Today)?,
            period: snapshots.view(key, View::Period(range))?,
            breakdowns: snapshots.view(key, View::Breakdowns(range))?,
            notes: snapshots.view(key, View::Notes)?,
            trouble: of_numbers.or(of_lists),
            note_trouble: snapshots.trouble(key, View::Notes)?,
        })
    }
}

/// The page from its Snapshots, without what stands beside it.
fn assemble(
    located: &Located,
    known: &Known,
    preferences: &Preferences,
    range: Range,
    now: Timestamp,
    mut shell: Shell,
) -> ProjectPage {
    let Located {
        project,
        connection,
    } = located;
    let clock = DayClock::new(&project.time_zone, now);
    let first = Window::new(range, &clock).from();
    let note_access = if located.may("annotation:write") {
        NoteAccess::Write
    } else if located.may("annotation:read") {
        NoteAccess::ReadOnly
    } else {
        NoteAccess::Missing
    };
    let notes = match &known.notes {
        Some(notes) if note_access != NoteAccess::Missing => {
            let shown = notes.notes.iter().filter(|note| note.at >= first);
            shown.cloned().collect()
        }
        _ => Vec::new(),
    };
    let measured = known.period.as_ref().map(|period| period.measured_at);
    let trouble = match connection.state {
        ConnectionState::Ended(reason) => {
            shell.notices.push(Notice {
                tone: Tone::Warn,
                text: format!(
                    "{} is signed out. {}",
                    connection.host.name(),
                    reason.sentence()
                ),
                action: Some(("Connections".to_owned(), "/connections".to_owned())),
            });
            measured.is_none().then(|| reason.sentence().to_owned())
        }
        ConnectionState::Active => known
            .trouble
            .as_ref()
            .map(|trouble| with_age(&trouble.reason, measured, now)),
    };
    let note_trouble = known
        .note_trouble
        .as_ref()
        .filter(|_| note_access != NoteAccess::Missing)
        .map(|trouble| {
            format!(
                "Notes could not be read anew: {}",
                sentence(&trouble.reason)
            )
        });
    let at_a_cloud = connection.host.region().is_some();
    shell.stream = Some(format!(
        "{}/events?range={}{}",
        project_path(&project.key),
        range.name(),
        if connection.is_active() {
            "&signed_in=1"
        } else {
            ""
        },
    ));
    ProjectPage {
        shell,
        key: project.key.clone(),
        original_name: project.name.clone(),
        subtitle: project
            .website
            .clone()
            .or_else(|| project.organization_name.clone())
            .unwrap_or_else(|| connection.host.name()),
        host: host_label(connection),
        connection: connection.id.to_string(),
        preferences: preferences.project(&project.key),
        siblings: Vec::new(),
        remedy: if connection.kind == CredentialKind::OAuth || at_a_cloud {
            Remedy::SignIn
        } else {
            Remedy::NewKey
        },
        may_query: located.may("query:read"),
        online: known
            .today
            .as_ref()
            .filter(|today| now.as_second() - today.measured_at.as_second() < NOW_SECONDS)
            .map(|today| today.online),
        range,
        zone: clock.zone().clone(),
        now,
        period: known.period.clone(),
        breakdowns: known.breakdowns.clone(),
        trouble,
        empty: project.has_events == Some(false),
        notes,
        note_access,
        note_trouble,
        dialog: None,
        saved: None,
        deleted: None,
        restored: false,
    }
}

/// `US`, `EU` or the host's name.
pub(super) fn host_label(connection: &Connection) -> String {
    match connection.host.region() {
        Some(region) => region.key().to_uppercase(),
        None => connection.host.name(),
    }
}

fn with_age(reason: &str, measured: Option<Timestamp>, now: Timestamp) -> String {
    let reason = sentence(reason);
    match measured {
        Some(at) => format!("{reason} These are the numbers from {}.", ago(at, now)),
        None => reason,
    }
}

/// The first projects as the home page has them, and the one that is shown.
fn siblings(
    state: &State,
    preferences: &Preferences,
    shown: &ProjectKey,
) -> Result<Vec<Sibling>, PageError> {
    let board = state.board()?;
    let visitors = |key: &ProjectKey| board.glance(key).map(|glance| glance.visitors);
    let mut projects = board.projects.clone();
    if preferences.order.is_empty() {
        projects.sort_by_key(|project| Reverse(visitors(&project.key)));
    }
    preferences.sort(&mut projects);
    let mut place = 0;
    projects.retain(|project| {
        let wanted = project.key == *shown
            || (place < MOST_SIBLINGS && !preferences.project(&project.key).hidden);
        place += usize::from(wanted);
        wanted
    });
    Ok(projects
        .into_iter()
        .map(|project| Sibling {
            name: preferences.name_of(&project).to_owned(),
            visitors: visitors(&project.key),
            key: project.key,
        })
        .collect())
}

/// What a person chose about a project.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chosen {
    back: String,
    name: String,
    scheme: String,
    favourite: Option<String>,
    hidden: Option<String>,
}

async fn prefer(
    Extract(state): Extract<Arc<State>>,
    Path(path): Path<(String, String)>,
    Form(chosen): Form<Chosen>,
) -> Result<Response, PageError> {
    let back = local(&chosen.back).unwrap_or("/").to_owned();
    state
        .blocking(move |state| {
            let Some(Located { project, .. }) = locate(state, &path)? else {
                return Ok(NotFound::Project.answer(state));
            };
            let saved = state.prefer(|preferences| {
                let name = chosen.name.trim();
                let of_project = preferences.project_mut(&project.key);
                of_project.name = (!name.is_empty() && name != project.name)
                    .then(|| name.chars().take(200).collect());
                of_project.scheme = scheme(&chosen.scheme);
                of_project.favourite = chosen.favourite.is_some();
                of_project.hidden = chosen.hidden.is_some();
            });
            match saved {
                Ok(_) => {
                    state.announce(Change::Projects);
                    state.say(Notice {
                        tone: Tone::Good,
                        text: "Saved.".to_owned(),
                        action: None,
                    });
                }
                Err(error) => state.say(not_saved(error)),
            }
            Ok(see_other(&back))
        })
        .await
}

/// The scheme that a form names.
pub(super) fn scheme(name: &str) -> Option<Scheme> {
    colours::SCHEMES
        .into_iter()
        .find(|&scheme| colours::name(scheme) == name)
}

/// Says that preferences were not saved, and why.
pub(super) fn not_saved(error: impl std::fmt::Display) -> Notice {
    Notice {
        tone: Tone::Bad,
        text: format!("Not saved. {}", sentence(error)),
        action: None,
    }
}

/// The path of a page of ours; a form cannot lead to another site.
fn local(path: &str) -> Option<&str> {
    let ours = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(['\\', '\n', '\r', '\t'])
        && path.is_ascii();
    ours.then_some(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sign_in_with_posthog::{
        Account, ConnectionId, EndReason, Grant, Host, Reach, Region, Scopes, VaultBackend,
    };

    use super::*;
    use crate::notes::Note;

    fn located(scopes: &str) -> Located {
        let host = Host::cloud(Region::Eu);
        let id = ConnectionId::new(&host, CredentialKind::OAuth, "ada");
        Located {
            project: Project {
                key: ProjectKey {
                    host: "eu".into(),
                    id: 7,
                },
                name: "Acorn Market".into(),
                organization: None,
                organization_name: Some("Acorn".into()),
                time_zone: "Europe/Berlin".into(),
                has_events: None,
                website: None,
                connection: id.clone(),
            },
            connection: Connection {
                id,
                host,
                kind: CredentialKind::OAuth,
                account: Account {
                    subject: "ada".into(),
                    name: None,
                    email: None,
                },
                grant: Grant {
                    scopes: Scopes::parse(scopes),
                    reach: Reach::All,
                },
                state: ConnectionState::Active,
                vault: VaultBackend::EncryptedFile,
                signed_in_at: 0,
                last_refresh_at: None,
                expires_at: None,
            },
        }
    }

    fn now() -> Timestamp {
        "2026-11-24T10:00:00Z".parse().unwrap()
    }

    fn assembled(located: &Located, known: &Known) -> ProjectPage {
        let preferences = Preferences::default();
        assemble(
            located,
            known,
            &preferences,
            Range::Week,
            now(),
            Shell::default(),
        )
    }

    fn note(id: u64, at: &str) -> Note {
        Note {
            id,
            text: "Launch".into(),
            at: at.parse().unwrap(),
            author: None,
            organization_wide: false,
            version: String::new(),
        }
    }

    #[test]
    fn only_notes_of_the_range_and_planned_ones_are_shown() {
        let known = Known {
            notes: Some(Notes {
                measured_at: now(),
                notes: vec![
                    note(1, "2026-11-17T22:59:00Z"),
                    note(2, "2026-11-17T23:00:00Z"),
                    note(3, "2026-12-24T00:00:00Z"),
                ],
            }),
            ..Known::default()
        };
        let page = assembled(&located("annotation:write query:read"), &known);
        let ids: Vec<u64> = page.notes.iter().map(|note| note.id).collect();
        assert_eq!(ids, [2, 3]);
        assert!(assembled(&located("query:read"), &known).notes.is_empty());
    }

    #[test]
    fn each_scope_switches_off_exactly_what_it_covers() {
        let page = |scopes| assembled(&located(scopes), &Known::default());
        assert!(!page("annotation:read").may_query);
        assert_eq!(page("annotation:read").note_access, NoteAccess::ReadOnly);
        assert_eq!(page("annotation:write").note_access, NoteAccess::Write);
        assert_eq!(page("query:read").note_access, NoteAccess::Missing);
        assert!(page("query:read").may_query);
    }

    #[test]
    fn a_session_that_ended_is_explained_and_the_numbers_stay() {
        let mut located = located("query:read");
        located.connection.state = ConnectionState::Ended(EndReason::RevokedOrExpired);
        let page = assembled(&located, &Known::default());
        assert!(
            page.shell.notices[0]
                .text
                .contains("revoked or has expired")
        );
    }

    #[test]
    fn an_unknown_time_zone_is_utc() {
        let mut located = located("query:read");
        located.project.time_zone = "Mars/Olympus".into();
        let page = assembled(&located, &Known::default());
        assert_eq!(page.zone, TimeZone::UTC);
    }

    #[test]
    fn a_form_leads_back_to_our_own_pages_only() {
        assert_eq!(
            local("/project/us/1?range=7d"),
            Some("/project/us/1?range=7d")
        );
        for path in [
            "https://example.com",
            "//example.com",
            "/\\example.com",
            "",
            "/a\r\nb",
        ] {
            assert_eq!(local(path), None, "{path}");
        }
    }
}
