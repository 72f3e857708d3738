//! The one HTTP client: shared by the token endpoint and the API, so that one connection serves both.

use std::time::Duration;

use posthog_api::OneConnection;
use reqwest::redirect::Policy;

/// `PocketHog/<version>`, sent with every request.
pub const USER_AGENT: &str = concat!("PocketHog/", env!("CARGO_PKG_VERSION"));

const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long an unused connection is kept: longer than the usual refresh cadence of a minute.
const IDLE_TIME: Duration = Duration::from_secs(90);

/// Builds the client. It follows no redirects: codes and tokens would leave their Host.
///
/// # Errors
///
/// Where the operating system's certificates cannot be loaded.
pub fn client() -> reqwest::Result<reqwest::Client> {
    // A second call in one process finds the provider in place, which is as good.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIME)
        .pool_idle_timeout(IDLE_TIME)
        .connector_layer(OneConnection::default())
        .build()
}
