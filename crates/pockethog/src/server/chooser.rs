//! Choosing conversion events.

use std::sync::Arc;

use axum::Router;

use super::State;

/// The routes of this module.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
}
