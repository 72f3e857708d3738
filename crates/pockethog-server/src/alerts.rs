//! Alerts that the person has seen.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, State as Extract};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::post;
use pockethog_alerts::Store;
use pockethog_core::live::Change;
use serde::Deserialize;
use url::Url;

use super::answer::local;
use super::{State, see_other};

/// `/alerts/seen`.
pub fn routes() -> Router<Arc<State>> {
    Router::new().route("/alerts/seen", post(seen))
}

/// The alerts up to this number.
#[derive(Debug, Deserialize)]
struct SeenForm {
    up_to: u64,
}

async fn seen(
    Extract(state): Extract<Arc<State>>,
    headers: HeaderMap,
    Form(form): Form<SeenForm>,
) -> Response {
    let noted = state
        .blocking(move |state| Store::new(&state.live().program().folders).see(form.up_to))
        .await;
    if let Err(error) = noted {
        state.say(super::project::not_saved(error));
    }
    state.live().announce(Change::Alerts);
    see_other(&page_of(&state, &headers))
}

/// The page that the form was on.
fn page_of(state: &State, headers: &HeaderMap) -> String {
    let from = headers
        .get(header::REFERER)
        .and_then(|from| from.to_str().ok());
    let from = from.and_then(|from| Url::parse(from).ok());
    let page = from.and_then(|from| {
        let path = from
            .path()
            .strip_prefix(state.mount().path().trim_end_matches('/'))?;
        let page = match from.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        local(&page).map(ToOwned::to_owned)
    });
    page.unwrap_or_else(|| "/".to_owned())
}
