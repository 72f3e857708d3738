//! Settings: appearance, refresh interval, order of projects, and the preferences file itself.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Form, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use sign_in_with_posthog::CredentialKind;

use super::guard::Admitted;
use super::project::{not_saved, scheme};
use super::{PageError, State, page, see_other, upload};
use pockethog_core::access;
use pockethog_core::live::Change;
use pockethog_core::overview::LeftOut;
use pockethog_core::preferences::{
    Alerts, Mode, NoQuietHours, Preferences, PreferencesError, QuietHours, WeekStart,
};
use pockethog_core::project::Project;
use pockethog_views::pages::layout::{Notice, Tone};
use pockethog_views::pages::order::{Control, ProjectLine, ProjectList, moved_path};
use pockethog_views::pages::settings::{self, Settings};
use pockethog_views::sentence::sentence;

/// What a file is called in sentences about an import.
const IMPORTED: &str = "The imported file";

/// `/settings` and what belongs to it.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/settings", get(show).post(save))
        .route("/settings/order", post(order))
        .route("/settings/export", get(export))
        .route("/settings/import", post(import))
}

/// What the address says about which projects to show.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SettingsQuery {
    filter: String,
    page: String,
    moved: String,
    by: String,
}

async fn show(state: Admitted, Query(asked): Query<SettingsQuery>) -> Result<Response, PageError> {
    state
        .blocking(move |state| Ok(page(settings::render(&view(state, asked)?))))
        .await
}

fn view(state: &Admitted, asked: SettingsQuery) -> Result<Settings, PageError> {
    let (preferences, problem) = state.live().preferences();
    let mut shell = state.shell();
    // The page has a place of its own for what keeps it from saving.
    let problem = problem.filter(PreferencesError::is_whole);
    if problem.is_some() {
        shell
            .notices
            .retain(|notice| !notice.text.starts_with("Preferences: "));
    }
    let connections = state.live().connections()?;
    let host = |project: &Project| {
        connections
            .iter()
            .find(|connection| connection.id == project.connection)
            .map_or_else(|| project.key.host.clone(), access::host_label)
    };
    let mut projects = state.live().snapshots().projects()?;
    preferences.sort(&mut projects);
    Ok(Settings {
        shell,
        mode: preferences.mode,
        scheme: preferences.scheme,
        refresh: preferences.refresh,
        week_starts_on: preferences.week_starts_on,
        compare: preferences.compare,
        sensitivity: preferences.sensitivity,
        alerts: preferences.alerts.clone(),
        left_out: LeftOut {
            test_accounts: preferences.without_test_accounts,
            bots: preferences.without_bots,
        },
        path: state
            .live()
            .program()
            .folders
            .preferences()
            .display()
            .to_string(),
        broken: problem.map(sentence),
        projects: ProjectList {
            lines: projects
                .into_iter()
                .map(|project| ProjectLine {
                    host: host(&project),
                    preferences: preferences.project(&project.key),
                    key: project.key,
                    original_name: project.name,
                })
                .collect(),
            filter: asked.filter.trim().to_owned(),
            page: asked.page.parse().unwrap_or(0),
            moved: Control::from_name(&asked.by).map(|control| (asked.moved, control)),
        },
        accounts: connections
            .iter()
            .filter(|connection| connection.is_active())
            .map(|connection| {
                let how = match connection.kind {
                    CredentialKind::OAuth => "signed in with the browser",
                    CredentialKind::ApiKey => "API key",
                };
                (
                    connection.account.label().to_owned(),
                    format!("{} · {how}", connection.host.name()),
                )
            })
            .collect(),
    })
}

/// The form's values are those of the preferences file; one that it does not know stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SettingsForm {
    mode: String,
    scheme: String,
    refresh: String,
    week_starts_on: String,
    compare: String,
    sensitivity: String,
    /// Whether the form has the alerts: a box that is not ticked sends nothing.
    alerts: Option<String>,
    alerts_on: Option<String>,
    alerts_desktop: Option<String>,
    alerts_errors: Option<String>,
    alerts_quiet_hours: String,
    test_accounts: String,
    bots: String,
}

impl SettingsForm {
    /// The quiet hours that were typed.
    fn quiet_hours(&self) -> Result<Option<QuietHours>, NoQuietHours> {
        match self.alerts_quiet_hours.trim() {
            "" => Ok(None),
            typed => typed.parse().map(Some),
        }
    }

    fn apply_alerts(&self, alerts: &mut Alerts) {
        if self.alerts.is_none() {
            return;
        }
        alerts.on = self.alerts_on.is_some();
        alerts.desktop = self.alerts_desktop.is_some();
        alerts.errors = self.alerts_errors.is_some();
        // Those that make no sense leave the old ones.
        if let Ok(hours) = self.quiet_hours() {
            alerts.quiet_hours = hours;
        }
    }

    fn apply(&self, preferences: &mut Preferences) {
        self.apply_alerts(&mut preferences.alerts);
        if let Some(mode) = [Mode::Auto, Mode::Light, Mode::Dark]
            .into_iter()
            .find(|&mode| settings::mode_name(mode) == self.mode)
        {
            preferences.mode = mode;
        }
        if let Some(scheme) = scheme(&self.scheme) {
            preferences.scheme = scheme;
        }
        if let Some(&(cadence, ..)) = settings::CADENCES
            .iter()
            .find(|(_, name, _)| *name == self.refresh)
        {
            preferences.refresh = cadence;
        }
        if let Some(&(compare, ..)) = settings::COMPARES
            .iter()
            .find(|(_, name, _)| *name == self.compare)
        {
            preferences.compare = compare;
        }
        if let Some(&(sensitivity, ..)) = settings::SENSITIVITIES
            .iter()
            .find(|(_, name, _)| *name == self.sensitivity)
        {
            preferences.sensitivity = sensitivity;
        }
        if let Some(left_out) = settings::left_out(&self.test_accounts) {
            preferences.without_test_accounts = left_out;
        }
        if let Some(left_out) = settings::left_out(&self.bots) {
            preferences.without_bots = left_out;
        }
        match self.week_starts_on.as_str() {
            "monday" => preferences.week_starts_on = WeekStart::Monday,
            "sunday" => preferences.week_starts_on = WeekStart::Sunday,
            _ => {}
        }
    }
}

async fn save(state: Admitted, Form(chosen): Form<SettingsForm>) -> Result<Response, PageError> {
    state
        .blocking(
            move |state| match state.live().prefer(|preferences| chosen.apply(preferences)) {
                Ok(_) => {
                    match chosen.quiet_hours() {
                        Ok(_) => good(state, "Saved."),
                        Err(error) => state.say(not_saved(error)),
                    }
                    state.live().refresher().hurry();
                    Ok(see_other("/settings"))
                }
                Err(error) => {
                    state.say(not_saved(error));
                    let view = refused(view(state, SettingsQuery::default())?, state, &chosen);
                    Ok((StatusCode::CONFLICT, page(settings::render(&view))).into_response())
                }
            },
        )
        .await
}

/// The page with what was chosen, so that sending it again is all that is left to do once its file is fixed.
fn refused(mut view: Settings, state: &State, chosen: &SettingsForm) -> Settings {
    let (mut preferences, _) = state.live().preferences();
    chosen.apply(&mut preferences);
    view.mode = preferences.mode;
    view.scheme = preferences.scheme;
    view.refresh = preferences.refresh;
    view.week_starts_on = preferences.week_starts_on;
    view.compare = preferences.compare;
    view.sensitivity = preferences.sensitivity;
    view.alerts = preferences.alerts;
    view.left_out = LeftOut {
        test_accounts: preferences.without_test_accounts,
        bots: preferences.without_bots,
    };
    // Why it was not saved is said already.
    view.broken = None;
    view
}

/// One project of the list and where it is to be placed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Move {
    key: String,
    before: Option<String>,
    after: Option<String>,
    place: Option<String>,
    /// What the list was searched for; it is shown so again.
    filter: String,
}

/// Where a project is to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Before(String),
    After(String),
    /// At this place of the whole list, from 1.
    Place(usize),
}

impl Move {
    fn target(&self) -> Option<(Target, Control)> {
        if let Some(other) = &self.before {
            return Some((Target::Before(other.clone()), Control::Up));
        }
        if let Some(other) = &self.after {
            return Some((Target::After(other.clone()), Control::Down));
        }
        let place = self.place.as_ref()?.trim().parse().ok()?;
        Some((Target::Place(place), Control::Place))
    }
}

/// Moves one project and shows it where it is now.
async fn order(
    Extract(state): Extract<Arc<State>>,
    Form(asked): Form<Move>,
) -> Result<Response, PageError> {
    let Some((target, control)) = asked.target() else {
        state.say(not_saved("A position is a whole number; 1 is the first"));
        return Ok(see_other("/settings#projects"));
    };
    let back = moved_path(&asked.filter, &asked.key, control);
    let saved = state
        .blocking(move |state| {
            let mut projects = state.live().snapshots().projects()?;
            Ok::<_, PageError>(state.live().prefer(|preferences| {
                preferences.sort(&mut projects);
                let shown: Vec<String> = projects
                    .iter()
                    .map(|project| project.key.to_string())
                    .collect();
                preferences.order = moved(preferences, shown, &asked.key, &target);
            }))
        })
        .await?;
    match saved {
        Ok(_) => state.live().announce(Change::Projects),
        Err(error) => state.say(not_saved(error)),
    }
    Ok(see_other(&back))
}

/// `shown` with one project at another place. Favourites are placed before the others whatever happens, so a
/// project goes no further than to the end of its kind.
fn moved(
    preferences: &Preferences,
    mut shown: Vec<String>,
    key: &str,
    target: &Target,
) -> Vec<String> {
    let is_favourite = |key: &String| {
        preferences
            .projects
            .get(key)
            .is_some_and(|chosen| chosen.favourite)
    };
    if let Some(place) = shown.iter().position(|known| known == key) {
        let key = shown.remove(place);
        let favourites = shown.iter().filter(|other| is_favourite(other)).count();
        let (first, last) = if is_favourite(&key) {
            (0, favourites)
        } else {
            (favourites, shown.len())
        };
        let beside = |other: &String| shown.iter().position(|known| known == other);
        let wanted = match target {
            Target::Before(other) => beside(other),
            Target::After(other) => beside(other).map(|place| place + 1),
            Target::Place(place) => Some(place.saturating_sub(1)),
        };
        // Beside a project that is gone in the meantime there is no place.
        shown.insert(wanted.unwrap_or(place).clamp(first, last), key);
    }
    keep_unknown(shown, &preferences.order)
}

/// Projects that nobody reaches at the moment keep their place in the file, at its end.
fn keep_unknown(mut order: Vec<String>, before: &[String]) -> Vec<String> {
    let gone: Vec<String> = before
        .iter()
        .filter(|key| !order.contains(key))
        .cloned()
        .collect();
    order.extend(gone);
    order
}

/// The file as it is, comments and all; the defaults if there is none.
async fn export(Extract(state): Extract<Arc<State>>) -> Response {
    let text = state
        .blocking(|state| std::fs::read_to_string(state.live().program().folders.preferences()))
        .await
        .unwrap_or_else(|_| Preferences::default().to_text());
    let headers = [
        (header::CONTENT_TYPE, "application/toml; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"pockethog-preferences.toml\"",
        ),
    ];
    (headers, text).into_response()
}

async fn import(Extract(state): Extract<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let text = upload::field(content_type, &body, "file")
        .map(|file| std::str::from_utf8(file).map(ToOwned::to_owned));
    let text = match text {
        Some(Ok(text)) if !text.trim().is_empty() => text,
        Some(Err(_)) => {
            state.say(not_saved("The file is not UTF-8 text"));
            return see_other("/settings");
        }
        _ => {
            state.say(not_saved("Choose a preferences file first"));
            return see_other("/settings");
        }
    };
    let imported = state.blocking(move |state| {
        let path = state.live().program().folders.preferences();
        Preferences::import(&path, &text, FilePath::new(IMPORTED))
    });
    match imported.await {
        Ok(_) => {
            good(
                &state,
                "Imported. Names, order, favourites and colours now come from the file.",
            );
            state.live().announce(Change::Projects);
            state.live().refresher().hurry();
        }
        Err(error) => {
            let words = error.to_string();
            let words = words
                .strip_suffix("; defaults are used until this is fixed")
                .unwrap_or(&words);
            let problem = if words.starts_with(IMPORTED) {
                words.to_owned()
            } else {
                format!("The current preferences file has to be fixed first: {words}")
            };
            state.say(not_saved(problem));
        }
    }
    see_other("/settings")
}

fn good(state: &State, text: &str) {
    state.say(Notice {
        tone: Tone::Good,
        text: text.to_owned(),
        action: None,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(list: &[&str]) -> Vec<String> {
        list.iter().map(|&key| key.to_owned()).collect()
    }

    fn with_favourite(key: &str) -> Preferences {
        let mut preferences = Preferences::default();
        preferences
            .projects
            .entry(key.to_owned())
            .or_default()
            .favourite = true;
        preferences
    }

    #[test]
    fn a_project_goes_beside_the_one_it_passes_and_no_favourite_is_passed() {
        let preferences = with_favourite("us/1");
        let shown = || keys(&["us/1", "us/2", "us/3", "us/4"]);
        let order = |key, target| moved(&preferences, shown(), key, &target);
        let before = |key: &str| Target::Before(key.to_owned());
        let after = |key: &str| Target::After(key.to_owned());
        assert_eq!(
            order("us/4", before("us/2")),
            keys(&["us/1", "us/4", "us/2", "us/3"])
        );
        assert_eq!(
            order("us/2", after("us/3")),
            keys(&["us/1", "us/3", "us/2", "us/4"])
        );
        assert_eq!(
            order("us/4", before("us/1")),
            keys(&["us/1", "us/4", "us/2", "us/3"])
        );
        assert_eq!(order("us/1", after("us/4")), shown());
        assert_eq!(order("us/3", before("us/99")), shown());
        assert_eq!(order("us/9", before("us/1")), shown());
    }

    #[test]
    fn a_place_is_counted_in_the_whole_list() {
        let preferences = with_favourite("us/1");
        let shown = || keys(&["us/1", "us/2", "us/3", "us/4"]);
        let order = |key, place| moved(&preferences, shown(), key, &Target::Place(place));
        assert_eq!(order("us/4", 2), keys(&["us/1", "us/4", "us/2", "us/3"]));
        assert_eq!(order("us/4", 0), keys(&["us/1", "us/4", "us/2", "us/3"]));
        assert_eq!(order("us/2", 99), keys(&["us/1", "us/3", "us/4", "us/2"]));
        assert_eq!(order("us/3", 3), shown());
    }

    #[test]
    fn an_order_forgets_nobody() {
        let preferences = Preferences {
            order: keys(&["eu/9", "us/1"]),
            ..Preferences::default()
        };
        let shown = keys(&["us/1", "us/2"]);
        let order = moved(&preferences, shown, "us/2", &Target::Place(1));
        assert_eq!(order, keys(&["us/2", "us/1", "eu/9"]));
    }
}
