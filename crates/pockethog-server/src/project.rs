//! The project page: drawn at once from Snapshots, kept up to date by its event stream.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use sign_in_with_posthog::Connection;

use super::answer::local;
use super::events::{self, Fragment, part};
use super::guard::Admitted;
use super::{NotFound, PageError, State, page, see_other};
use pockethog_core::access;
use pockethog_core::live::{Change, Interest};
use pockethog_core::moves::Metric;
use pockethog_core::overview::{DayClock, Range};
use pockethog_core::preferences::{Goal, NoGoal, Preferences, ProjectPreferences, Scheme};
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::snapshot::View;
use pockethog_screens::ProjectScreen;
use pockethog_views::colours;
use pockethog_views::moved::note_text;
use pockethog_views::pages::annotations::{AnnotationDialog, SavedAnnotation};
use pockethog_views::pages::layout::{Notice, Tone};
use pockethog_views::pages::project::{self, ProjectPage};
use pockethog_views::pages::settings;
use pockethog_views::pages::{Shell, StatusLine, project_path};
use pockethog_views::sentence::sentence;

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
struct ProjectQuery {
    range: String,
    #[serde(rename = "note")]
    annotation: String,
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

/// The project that an address names. `None` if no connection can read it.
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
    let Some(project) = state.live().snapshots().project(&key)? else {
        return Ok(None);
    };
    let connection = state
        .live()
        .connections()?
        .into_iter()
        .find(|connection| connection.id == project.connection && access::is_shown(connection));
    Ok(connection.map(|connection| Located {
        project,
        connection,
    }))
}

/// The range of a page's address. If it names none, as a link from the home page, the one that was looked at last.
fn chosen_range(state: &State, name: &str) -> Range {
    match Range::from_name(name) {
        Some(range) => {
            state.look_at(range);
            range
        }
        None => state.last_range(),
    }
}

/// The range of an address; a month if it names none.
pub(super) fn range_of(name: &str) -> Range {
    Range::from_name(name).unwrap_or_default()
}

/// The address of a project's page with its range.
pub(super) fn address(key: &ProjectKey, range: Range) -> String {
    format!("{}?range={}", project_path(key), range.name())
}

/// The page of a project, from what is known.
pub(super) fn view(
    state: &State,
    located: &Located,
    range: Range,
    mut shell: Shell,
) -> Result<ProjectPage, PageError> {
    let Located {
        project,
        connection,
    } = located;
    let screen =
        ProjectScreen::of_live(state.live(), project, connection, range, Timestamp::now())?;
    let signed_in = if connection.is_active() {
        "&signed_in=1"
    } else {
        ""
    };
    shell.stream = Some(format!(
        "{}/events?range={}{signed_in}",
        project_path(&project.key),
        range.name()
    ));
    Ok(ProjectPage::new(shell, screen))
}

async fn show(
    state: Admitted,
    Path(path): Path<(String, String)>,
    Query(query): Query<ProjectQuery>,
) -> Result<Response, PageError> {
    let found = state.blocking({
        let path = path.clone();
        move |state| locate(state, &path)
    });
    let Some(located) = found.await? else {
        return missing(&state);
    };
    let range = chosen_range(&state, &query.range);
    state
        .live()
        .refresher()
        .watch_briefly(Interest::Project(located.project.key.clone(), range));
    state
        .blocking(move |state| {
            let mut view = view(state, &located, range, state.shell())?;
            view.dialog = asked_dialog(&view.screen, &query.annotation);
            view.saved = match query.saved.parse() {
                Ok(id) => Some(SavedAnnotation::Changed(id)),
                Err(_) => (query.saved == "new").then_some(SavedAnnotation::Added),
            };
            view.deleted =
                query.deleted.parse().ok().and_then(|id| {
                    Some((id, state.deleted_annotations().text(&view.screen.key, id)?))
                });
            view.restored = query.restored.parse().is_ok_and(|id: u64| {
                view.screen
                    .annotations
                    .iter()
                    .any(|annotation| annotation.id == id)
            });
            Ok(page(project::render(&view)))
        })
        .await
}

/// The form that an address asks for: `new`, `move` for one that is filled in from how the project has moved, or the
/// number of an annotation that can be changed here.
fn asked_dialog(screen: &ProjectScreen, annotation: &str) -> Option<AnnotationDialog> {
    if annotation == "new" || annotation == "move" {
        // It may be back to usual by now: then the form is empty.
        let here = screen.moved.as_ref().filter(|_| annotation == "move");
        let at = here.map_or_else(Timestamp::now, |here| here.moved.since);
        let local = at.to_zoned_datetime(screen.zone.clone());
        return Some(AnnotationDialog {
            text: here.map_or_else(String::new, |here| {
                note_text(&here.moved, here.explanation.as_ref())
            }),
            date: local.strftime("%Y-%m-%d").to_string(),
            time: local.strftime("%H:%M").to_string(),
            ..AnnotationDialog::default()
        });
    }
    let id: u64 = annotation.parse().ok()?;
    screen
        .annotations
        .iter()
        .find(|annotation| annotation.id == id && !annotation.organization_wide)
        .map(|annotation| AnnotationDialog::of(annotation, &screen.zone))
}

/// There is no such project, or it is not known yet.
fn missing(state: &Arc<State>) -> Result<Response, PageError> {
    let connections = state.live().connections()?;
    if !connections.iter().any(Connection::is_active) {
        return Ok(see_other("/"));
    }
    Ok(NotFound::Project.answer(state))
}

async fn live(
    Extract(state): Extract<Arc<State>>,
    Path(path): Path<(String, String)>,
    Query(query): Query<ProjectQuery>,
) -> Result<Response, PageError> {
    let found = state.blocking({
        let path = path.clone();
        move |state| locate(state, &path)
    });
    let Some(located) = found.await? else {
        return Ok(NotFound::Project.answer(&state));
    };
    let range = range_of(&query.range);
    let key = located.project.key;
    let interest = Interest::Project(key.clone(), range);
    let leaves = query.signed_in.is_some();
    Ok(events::stream(&state, interest, move |state, changes| {
        parts(state, &path, &key, range, leaves, changes).unwrap_or_else(|error| {
            tracing::warn!(%error, "a project page could not be updated");
            Vec::new()
        })
    }))
}

/// What of a page is to be replaced after `changes`; everything if there are none. A page that was made
/// while its project could be read `leaves` once that is over, also where it was over before the stream
/// began; one that was opened afterwards shows what is left.
fn parts(
    state: &Arc<State>,
    path: &(String, String),
    key: &ProjectKey,
    range: Range,
    leaves: bool,
    changes: &[Change],
) -> Result<Vec<Fragment>, PageError> {
    let all = changes.is_empty() || changes.contains(&Change::Projects);
    let touched = |view: View| all || changes.contains(&Change::View(key.clone(), view));
    let numbers = touched(View::Period(range));
    let lists = touched(View::Breakdowns(range)) || numbers;
    let annotations =
        touched(View::Annotations) || changes.contains(&Change::Annotations(key.clone()));
    let online = touched(View::Today);
    let ended = changes
        .iter()
        .any(|change| matches!(change, Change::SignedOut(_)));
    if !(numbers || lists || annotations || online || ended || changes.contains(&Change::Status)) {
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
    if numbers || annotations {
        parts.push(part("numbers", &project::render_numbers(&view)));
    }
    if lists {
        parts.push(part("lists", &project::render_lists(&view)));
    }
    if online {
        parts.push(part("online", &project::render_online(view.screen.online)));
    }
    let status = view.screen.status;
    let status = status.map(|status| StatusLine::new(&status, view.screen.now));
    parts.extend(status.as_ref().map(events::status));
    Ok(parts)
}

/// What a person chose about a project.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PreferencesForm {
    back: String,
    name: String,
    scheme: String,
    /// Empty as for all projects. Absent in a form that does not have it.
    test_accounts: Option<String>,
    bots: Option<String>,
    favourite: Option<String>,
    hidden: Option<String>,
    muted: Option<String>,
    /// One a line. Absent in a form that does not have it.
    goals: Option<String>,
}

impl PreferencesForm {
    fn apply(&self, original_name: &str, of_project: &mut ProjectPreferences) {
        of_project.rename(&self.name, original_name);
        of_project.scheme = scheme(&self.scheme);
        if let Some(chosen) = &self.test_accounts {
            of_project.without_test_accounts = settings::left_out(chosen);
        }
        if let Some(chosen) = &self.bots {
            of_project.without_bots = settings::left_out(chosen);
        }
        of_project.favourite = self.favourite.is_some();
        of_project.hidden = self.hidden.is_some();
        if self.goals.is_some() {
            of_project.muted = self.muted.is_some();
        }
        // Those that make no sense leave the old ones.
        if let Ok(Some(goals)) = self.goals() {
            of_project.goals = goals;
        }
    }

    /// The goals that were typed.
    fn goals(&self) -> Result<Option<Vec<Goal>>, NoGoal> {
        let typed = self.goals.as_deref().map(|goals| {
            let lines = goals.lines().filter(|line| !line.trim().is_empty());
            lines.map(str::parse).collect()
        });
        typed.transpose()
    }
}

async fn prefer(
    state: Admitted,
    Path(path): Path<(String, String)>,
    Form(form): Form<PreferencesForm>,
) -> Result<Response, PageError> {
    let back = local(&form.back).unwrap_or("/").to_owned();
    state
        .blocking(move |state| {
            let Some(located) = locate(state, &path)? else {
                return Ok(NotFound::Project.answer(state));
            };
            let Project { key, name, .. } = &located.project;
            let saved = state
                .live()
                .prefer(|preferences| form.apply(name, preferences.project_mut(key)));
            if let Err(error) = &saved {
                state.say(not_saved(error));
                // The form is shown again with what was chosen.
                let range = back.split_once("range=").map_or("", |(_, range)| range);
                let mut view = view(state, &located, range_of(range), state.shell())?;
                let mut refused = view.screen.preferences.clone();
                form.apply(name, &mut refused);
                view.refused = Some(refused);
                let answer = page(project::render(&view));
                return Ok((StatusCode::CONFLICT, answer).into_response());
            }
            state.live().announce(Change::Projects);
            state.say(match form.goals() {
                Err(error) => not_saved(error),
                Ok(goals) => match uncounted(&goals.unwrap_or_default(), saved.as_ref().ok(), key) {
                    Some(event) => Notice {
                        tone: Tone::Warn,
                        text: format!(
                            "Saved. “{event}” is not a conversion of this project: choose it as one, and it is counted."
                        ),
                        action: None,
                    },
                    None => Notice {
                        tone: Tone::Good,
                        text: "Saved.".to_owned(),
                        action: None,
                    },
                },
            });
            Ok(see_other(&back))
        })
        .await
}

/// An event that a goal waits for and that is not counted, since it is no conversion of the project.
fn uncounted(goals: &[Goal], saved: Option<&Preferences>, key: &ProjectKey) -> Option<String> {
    let conversions = saved.map(|saved| saved.project(key).conversions)?;
    goals.iter().find_map(|goal| match &goal.metric {
        Metric::Conversion(event) if !conversions.contains(event) => Some(event.clone()),
        _ => None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

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
