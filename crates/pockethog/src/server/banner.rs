//! The way over from an API key to signing in, offered by a banner on the home page.
//!
//! Nothing is taken away before its replacement is there: the key's projects are handed to the new
//! Connection as far as that one reaches them, and the key is removed only where that is all of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use axum::routing::post;
use jiff::{SignedDuration, Timestamp};
use sign_in_with_posthog::{Connection, ConnectionId, CredentialKind};

use super::project::not_saved;
use super::sign_in::{self, Purpose};
use super::{Change, NotFound, PageError, State, see_other};
use crate::discovery::{Discovery, discover};
use crate::format::counted;
use crate::pages::layout::{Notice, Tone};
use crate::preferences::Banner;
use crate::project::{Project, ProjectKey};
use crate::refresh::keep_discovery;
use crate::snapshot::SnapshotError;

/// How long a snoozed banner stays away.
const SNOOZE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long the way back from PostHog's page may wait for the list of projects.
const PATIENCE: Duration = Duration::from_secs(10);

/// Projects that are named before the rest is counted.
const MOST_NAMES: usize = 5;

/// What a person answers to the banner.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/banner/{id}/sign-in", post(begin))
        .route("/banner/{id}/snooze", post(snooze))
        .route("/banner/{id}/dismiss", post(dismiss))
}

async fn begin(
    Extract(state): Extract<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let Some(connection) = key_connection(&state, &id)? else {
        return Ok(NotFound::Page.answer(&state));
    };
    let purpose = Purpose {
        replaces: Some(connection.id.clone()),
        ..Purpose::default()
    };
    Ok(sign_in::begin(&state, &connection.host, purpose).await)
}

async fn snooze(
    Extract(state): Extract<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let until = Timestamp::now().saturating_add(SNOOZE).ok();
    answer(&state, &id, move |banner| banner.snoozed_until = until).await
}

async fn dismiss(
    Extract(state): Extract<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    answer(&state, &id, |banner| banner.dismissed = true).await
}

async fn answer(
    state: &Arc<State>,
    id: &str,
    change: impl FnOnce(&mut Banner) + Send + 'static,
) -> Result<Response, PageError> {
    let Some(connection) = key_connection(state, id)? else {
        return Ok(NotFound::Page.answer(state));
    };
    let saved = state.blocking(move |state| {
        state.prefer(|preferences| {
            let name = connection.id.to_string();
            change(preferences.banner.entry(name).or_default());
        })
    });
    if let Err(error) = saved.await {
        state.say(not_saved(error));
    }
    Ok(see_other("/"))
}

/// A Connection by API key at US or EU Cloud: self-hosted keys are never asked to go.
fn key_connection(state: &State, id: &str) -> Result<Option<Connection>, PageError> {
    Ok(state.connections()?.into_iter().find(|connection| {
        connection.id.as_str() == id
            && connection.kind == CredentialKind::ApiKey
            && connection.host.region().is_some()
    }))
}

/// Lets the Connection `new` take the place of `old`, which was signed in by API key: projects that
/// `new` reaches belong to it from now on. The key is removed where those are all; otherwise it stays
/// for the rest, and that is said.
pub async fn swap(state: &Arc<State>, old: &ConnectionId, new: &Connection) {
    let found = tokio::time::timeout(PATIENCE, find(state, old, new)).await;
    let Ok(Some(found)) = found else {
        state.say(warning(
            "You are signed in. PostHog could not list your projects just now, so your API key is kept until it can: choose “Sign in” in the banner again.".to_owned(),
        ));
        return;
    };
    let (from, to) = (old.clone(), new.id.clone());
    let handed = state
        .blocking(move |state| hand_over(state, &from, &to, &found))
        .await;
    let left = match handed {
        Ok(left) => left,
        Err(error) => {
            state.say(warning(format!(
                "You are signed in, and your API key is kept, because its projects could not be handed over: {error}."
            )));
            return;
        }
    };
    if left.is_empty() {
        remove(state, old, new).await;
    } else {
        state.say(Notice {
            tone: Tone::Warn,
            text: format!(
                "You are signed in as {}, who does not reach {} of your API key: {}. The key is kept for {}.",
                new.account.label(),
                counted(left.len(), "project", "projects"),
                names(&left),
                if left.len() == 1 { "it" } else { "them" },
            ),
            action: Some(("Connections".to_owned(), "/connections".to_owned())),
        });
    }
    state.announce(Change::Projects);
}

/// What the new Connection reaches. `None` where PostHog cannot tell just now, for either of the two:
/// what the key reaches has to be known before it goes.
async fn find(state: &Arc<State>, old: &ConnectionId, new: &Connection) -> Option<Discovery> {
    let client = state.program().client(new);
    let of_key = async {
        if state.snapshots().discovery(old).ok()?.is_some() {
            return Some(());
        }
        let connections = state.connections().ok()?;
        let key = connections.into_iter().find(|known| known.id == *old)?;
        let found = discover(&state.program().client(&key), &key).await;
        let now = Timestamp::now();
        let told = !is_in_doubt(&found);
        told.then(|| state.snapshots().put_discovery(old, &found, now).ok())?
    };
    let (found, of_key) = tokio::join!(discover(&client, new), of_key);
    of_key?;
    (!is_in_doubt(&found)).then_some(found)
}

fn is_in_doubt(found: &Discovery) -> bool {
    found.failures.iter().any(|failure| failure.transient)
}

/// Hands over what the new Connection reaches, and returns what it does not.
fn hand_over(
    state: &State,
    from: &ConnectionId,
    to: &ConnectionId,
    found: &Discovery,
) -> Result<Vec<Project>, SnapshotError> {
    let reached: HashSet<&ProjectKey> = found.projects.iter().map(|project| &project.key).collect();
    let mut snapshots = state.snapshots();
    snapshots.hand_over(from, to, &|key| reached.contains(key))?;
    keep_discovery(state.program(), &mut snapshots, to, found)?;
    snapshots.projects_of(from)
}

/// The swap has succeeded: the key is not needed any more.
async fn remove(state: &Arc<State>, old: &ConnectionId, new: &Connection) {
    if let Err(error) = state.program().sign_in.remove(old).await {
        state.say(warning(format!(
            "You are signed in. The API key could not be removed from this device: {error}. Remove it on the Connections page."
        )));
        return;
    }
    let gone = old.clone();
    let tidied = state
        .blocking(move |state| {
            let forgotten = state.snapshots().forget_connection(&gone);
            let name = gone.to_string();
            let preferred = state.prefer(|preferences| {
                preferences.banner.remove(&name);
            });
            forgotten.map(|()| preferred.is_ok())
        })
        .await;
    if let Err(error) = tidied {
        tracing::warn!(%error, "what the key had found is still listed");
    }
    state.say(Notice {
        tone: Tone::Good,
        text: format!(
            "You are signed in to {}, and your API key was removed from this device. You can delete it in PostHog’s settings too.",
            new.host.name()
        ),
        action: None,
    });
}

fn names(projects: &[Project]) -> String {
    let mut names: Vec<&str> = projects
        .iter()
        .take(MOST_NAMES)
        .map(|project| project.name.as_str())
        .collect();
    let more = projects.len().saturating_sub(MOST_NAMES);
    let rest = format!("{more} more");
    if more > 0 {
        names.push(&rest);
    }
    names.join(", ")
}

fn warning(text: String) -> Notice {
    Notice {
        tone: Tone::Warn,
        text,
        action: None,
    }
}
