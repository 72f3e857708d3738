//! The home page.

use std::sync::Arc;

use axum::Router;

use super::State;

/// `/` and its stream.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
}
