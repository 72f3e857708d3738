//! The banner on the home page that offers to sign in instead of using an API key.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use axum::routing::post;
use jiff::Timestamp;
use sign_in_with_posthog::Connection;

use super::project::not_saved;
use super::sign_in::{self, Purpose};
use super::{NotFound, PageError, State, see_other};
use pockethog_core::key_swap::{self, Outcome};
use pockethog_core::live::Change;
use pockethog_core::preferences::Banner;
use pockethog_core::screens::SignInOffer;
use pockethog_views::pages::layout::{Notice, Tone};
use pockethog_views::wording;

/// How long the way back from PostHog's page may wait for the list of projects.
const PATIENCE: Duration = Duration::from_secs(10);

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
    Ok(sign_in::begin(&state, &connection.host, Purpose::default()).await)
}

async fn snooze(
    Extract(state): Extract<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    answer(&state, &id, |banner| banner.snooze(Timestamp::now())).await
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
        state.live().prefer(|preferences| {
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
    Ok(state
        .live()
        .connections()?
        .into_iter()
        .find(|connection| connection.id.as_str() == id && SignInOffer::concerns(connection)))
}

/// Lets the Connection `new` take the place of `key` as far as it reaches, and says what became of the key.
pub async fn swap(state: &Arc<State>, key: &Connection, new: &Connection) {
    let outcome = swapped(state, key, new).await;
    let mut text = wording::key_swap(&outcome, new);
    let (tone, action) = match &outcome {
        Outcome::Replaced => (Tone::Good, None),
        Outcome::NotListed => {
            text.push_str(" To replace it, choose “Sign in” in the banner again.");
            (Tone::Warn, None)
        }
        Outcome::NotHandedOver(_) => (Tone::Warn, None),
        Outcome::Ended(_, left) if left.is_empty() => (Tone::Warn, None),
        Outcome::Ended(..)
        | Outcome::KeptFor(_)
        | Outcome::NotKnown(_)
        | Outcome::NotRemoved(_) => {
            let connections = ("Connections".to_owned(), "/connections".to_owned());
            (Tone::Warn, Some(connections))
        }
    };
    state.say(Notice { tone, text, action });
    state.live().announce(Change::Projects);
}

async fn swapped(state: &Arc<State>, key: &Connection, new: &Connection) -> Outcome {
    let finding = key_swap::find(state.live().program(), key, new);
    let found = match tokio::time::timeout(PATIENCE, finding).await {
        Ok(Ok(found)) => found,
        Ok(Err(outcome)) => return outcome,
        Err(_) => return Outcome::NotListed,
    };
    let (from, to) = (key.clone(), new.clone());
    let handed = state
        .blocking(move |state| {
            let mut snapshots = state.live().snapshots();
            let left =
                key_swap::hand_over(state.live().program(), &mut snapshots, &from, &to, &found)?;
            Ok((found, left))
        })
        .await;
    let (found, left) = match handed {
        Ok(handed) => handed,
        Err(error) => return Outcome::NotHandedOver(error),
    };
    let outcome = key_swap::set_aside(state.live().program(), key, new, &found, left).await;
    if outcome.is_gone() {
        let gone = key.clone();
        let tidied = state
            .blocking(move |state| {
                let forgotten = key_swap::forget(&mut state.live().snapshots(), &gone);
                let preferred = state
                    .live()
                    .prefer(|preferences| key_swap::forget_banner(preferences, &gone));
                forgotten.map(|()| preferred.is_ok())
            })
            .await;
        if let Err(error) = tidied {
            tracing::warn!(%error, "the projects of the replaced key are still listed");
        }
    }
    outcome
}
