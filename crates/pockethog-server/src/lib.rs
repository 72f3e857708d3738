//! The app: pages on loopback, kept up to date while they are viewed.
//!
//! A handler reads what is known (Snapshots, preferences, the list of Connections) and renders a page
//! from it; it never waits for PostHog. The refresher asks PostHog for what is looked at, writes
//! Snapshots, and announces each [`Change`](pockethog_core::live::Change), which open pages receive by server-sent events. What a
//! person changes arrives as a form, is stored, and is answered with 303 to a page; what there is to say
//! about it is left with [`State::say`] and shown on the next page, so that no address carries words.

mod access;
mod alerts;
mod annotations;
mod answer;
mod assets;
mod banner;
mod card;
mod chooser;
mod connections;
mod deleted_annotations;
mod events;
mod guard;
mod handshake;
mod home;
mod key_swap;
mod launch;
mod launch_error;
mod listener;
mod lock;
mod mount;
mod pending_attempts;
mod persistent;
mod project;
mod proof;
mod secret;
mod settings;
mod sign_in;
mod state;
mod upload;

use std::sync::Arc;

use axum::Router;

pub use access::{CODE_LIFE, PRINTED_CODE_LIFE};
pub use answer::{NotFound, PageError, page, see_other};
pub use events::{Fragment, part, stream};
pub use guard::Admitted;
pub use launch::{App, Launch, Running, find_running, launch, running};
pub use launch_error::LaunchError;
pub use sign_in::{Purpose, begin};
pub use state::State;

/// Everything the app answers, behind its guards.
pub fn router(state: &Arc<State>) -> Router {
    let routes = Router::new()
        .merge(home::routes())
        .merge(sign_in::routes())
        .merge(project::routes())
        .merge(card::routes())
        .merge(annotations::routes())
        .merge(chooser::routes())
        .merge(settings::routes())
        .merge(connections::routes())
        .merge(banner::routes())
        .merge(alerts::routes())
        .fallback(answer::not_found);
    guard::guarded(routes, state)
}
