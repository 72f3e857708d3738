//! The banner on the home page that offers to sign in instead of using an API key.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use axum::routing::post;
use jiff::Timestamp;
use sign_in_with_posthog::Connection;

use super::project::not_saved;
use super::sign_in::{self, Purpose};
use super::{NotFound, PageError, State, see_other};
use pockethog_core::preferences::Banner;
use pockethog_screens::SignInOffer;

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
