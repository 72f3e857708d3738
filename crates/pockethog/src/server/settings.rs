//! Settings: look, cadence, order of projects, and the preferences file itself.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Form, RawForm, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use sign_in_with_posthog::CredentialKind;

use super::answer::sentence;
use super::project::{host_label, not_saved, scheme};
use super::{Change, PageError, State, page, see_other, upload};
use crate::pages::layout::{Notice, Tone};
use crate::pages::settings::{self, ProjectLine, Settings};
use crate::preferences::{Mode, Preferences, WeekStart};
use crate::project::Project;

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

async fn show(Extract(state): Extract<Arc<State>>) -> Result<Response, PageError> {
    state
        .blocking(|state| Ok(page(settings::render(&view(state)?))))
        .await
}

fn view(state: &State) -> Result<Settings, PageError> {
    let (preferences, problem) = state.preferences();
    let mut shell = state.shell();
    // The page has a place of its own for it.
    if problem.is_some() {
        shell
            .notices
            .retain(|notice| !notice.text.starts_with("Preferences: "));
    }
    let connections = state.connections()?;
    let host = |project: &Project| {
        connections
            .iter()
            .find(|connection| connection.id == project.connection)
            .map_or_else(|| project.key.host.clone(), host_label)
    };
    let mut projects = state.snapshots().projects()?;
    preferences.sort(&mut projects);
    Ok(Settings {
        shell,
        refresh: preferences.refresh,
        week_starts_on: preferences.week_starts_on,
        path: state.program().folders.preferences().display().to_string(),
        broken: problem.map(sentence),
        projects: projects
            .into_iter()
            .map(|project| ProjectLine {
                host: host(&project),
                preferences: preferences.project(&project.key),
                key: project.key,
                original_name: project.name,
            })
            .collect(),
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
struct Chosen {
    mode: String,
    scheme: String,
    refresh: String,
    week_starts_on: String,
}

async fn save(Extract(state): Extract<Arc<State>>, Form(chosen): Form<Chosen>) -> Response {
    let saved = state.blocking(move |state| {
        state.prefer(|preferences| {
            if let Some(mode) = [Mode::Auto, Mode::Light, Mode::Dark]
                .into_iter()
                .find(|&mode| settings::mode_name(mode) == chosen.mode)
            {
                preferences.mode = mode;
            }
            if let Some(scheme) = scheme(&chosen.scheme) {
                preferences.scheme = scheme;
            }
            if let Some(&(cadence, ..)) = settings::CADENCES
                .iter()
                .find(|(_, name, _)| *name == chosen.refresh)
            {
                preferences.refresh = cadence;
            }
            match chosen.week_starts_on.as_str() {
                "monday" => preferences.week_starts_on = WeekStart::Monday,
                "sunday" => preferences.week_starts_on = WeekStart::Sunday,
                _ => {}
            }
        })
    });
    match saved.await {
        Ok(_) => {
            good(&state, "Saved.");
            state.refresher().hurry();
        }
        Err(error) => state.say(not_saved(error)),
    }
    see_other("/settings")
}

/// Takes the new order of all projects (`key` several times), or one `move` of one `key`.
async fn order(
    Extract(state): Extract<Arc<State>>,
    RawForm(form): RawForm,
) -> Result<Response, PageError> {
    let mut keys: Vec<String> = Vec::new();
    let mut step = None;
    for (name, value) in url::form_urlencoded::parse(&form) {
        match &*name {
            "key" => keys.push(value.into_owned()),
            "move" => step = Some(value.into_owned()),
            _ => {}
        }
    }
    let moved = step.is_some().then(|| keys.first().cloned()).flatten();
    let saved = state
        .blocking(move |state| {
            let mut projects = state.snapshots().projects()?;
            Ok::<_, PageError>(state.prefer(|preferences| {
                preferences.sort(&mut projects);
                let shown: Vec<String> = projects
                    .iter()
                    .map(|project| project.key.to_string())
                    .collect();
                preferences.order = match (&step, keys.as_slice()) {
                    (Some(step), [key, ..]) => moved_by(preferences, shown, key, step == "up"),
                    _ => ordered(&shown, &keys, &preferences.order),
                };
            }))
        })
        .await?;
    match saved {
        Ok(_) => state.announce(Change::Projects),
        Err(error) => {
            let text = error.to_string();
            state.say(not_saved(error));
            if moved.is_none() {
                // A script asks; the page it is on says so when it is read anew.
                return Ok((StatusCode::CONFLICT, text).into_response());
            }
        }
    }
    Ok(match moved {
        Some(_) => see_other("/settings#projects"),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// `shown` with one project a place up or down. Favourites stand before the others whatever happens,
/// so a project changes places with its neighbour of the same kind.
fn moved_by(preferences: &Preferences, mut shown: Vec<String>, key: &str, up: bool) -> Vec<String> {
    let favourite = |key: &String| {
        preferences
            .projects
            .get(key)
            .is_some_and(|chosen| chosen.favourite)
    };
    if let Some(place) = shown.iter().position(|known| known == key) {
        let other = if up {
            place.checked_sub(1)
        } else {
            Some(place + 1).filter(|&next| next < shown.len())
        };
        if let Some(other) = other
            && favourite(&shown[place]) == favourite(&shown[other])
        {
            shown.swap(place, other);
        }
    }
    keep_unknown(shown, &preferences.order)
}

/// The order that was asked for, then what it does not name.
fn ordered(shown: &[String], asked: &[String], before: &[String]) -> Vec<String> {
    let mut order: Vec<String> = Vec::with_capacity(shown.len());
    for key in asked.iter().chain(shown) {
        if shown.contains(key) && !order.contains(key) {
            order.push(key.clone());
        }
    }
    keep_unknown(order, before)
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

/// The file as it is, comments and all; the defaults where there is none.
async fn export(Extract(state): Extract<Arc<State>>) -> Response {
    let text = state
        .blocking(|state| std::fs::read_to_string(state.program().folders.preferences()))
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
            state.say(not_saved("The file is no text in UTF-8"));
            return see_other("/settings");
        }
        _ => {
            state.say(not_saved("Choose a preferences file first"));
            return see_other("/settings");
        }
    };
    let imported = state.blocking(move |state| {
        let path = state.program().folders.preferences();
        Preferences::import(&path, &text, FilePath::new(IMPORTED))
    });
    match imported.await {
        Ok(_) => {
            good(
                &state,
                "Imported. Names, order, favourites and colours are those of the file.",
            );
            state.announce(Change::Projects);
            state.refresher().hurry();
        }
        Err(error) => {
            let words = error.to_string();
            let words = words
                .strip_suffix("; defaults are in use until it is mended")
                .unwrap_or(&words);
            let problem = if words.starts_with(IMPORTED) {
                words.to_owned()
            } else {
                format!("The file in use has to be mended first: {words}")
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

    #[test]
    fn a_move_changes_places_with_the_neighbour_of_the_same_kind() {
        let mut preferences = Preferences::default();
        preferences
            .projects
            .entry("us/1".to_owned())
            .or_default()
            .favourite = true;
        let shown = || keys(&["us/1", "us/2", "us/3"]);
        let order = |key, up| moved_by(&preferences, shown(), key, up);
        assert_eq!(order("us/3", true), keys(&["us/1", "us/3", "us/2"]));
        assert_eq!(order("us/2", true), shown());
        assert_eq!(order("us/3", false), shown());
        assert_eq!(order("us/9", true), shown());
    }

    #[test]
    fn an_order_takes_in_known_projects_and_forgets_none() {
        let asked = keys(&["us/3", "us/66", "us/3", "us/1"]);
        let before = keys(&["eu/9", "us/1"]);
        let order = ordered(&keys(&["us/1", "us/2", "us/3"]), &asked, &before);
        assert_eq!(order, keys(&["us/3", "us/1", "us/2", "eu/9"]));
    }
}
