//! The banner that offers the way over from an API key.

use std::sync::Arc;

use axum::Router;
use sign_in_with_posthog::{Connection, ConnectionId};

use super::State;

/// The routes of this module.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
}

/// Lets the Connection `new` take the place of `old`, which was signed in by API key: its projects now
/// belong to `new`, and its key is removed.
pub async fn swap(state: &Arc<State>, old: &ConnectionId, new: &Connection) {
    let handed_over = state
        .blocking({
            let (old, new) = (old.clone(), new.id.clone());
            move |state| state.snapshots().hand_over(&old, &new, &|_| true)
        })
        .await;
    if let Err(error) = handed_over {
        tracing::warn!(%error, "projects will be found anew");
    }
    if let Err(error) = state.program().sign_in.remove(old).await {
        tracing::warn!(%error, "the API key is still in the Vault");
    }
}
