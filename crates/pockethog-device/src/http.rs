//! The one HTTP client: shared by the token endpoint and the API, so that one connection serves both.

use std::time::Duration;

use posthog_api::OneConnection;
use reqwest::redirect::Policy;

/// `PocketHog/<version>`, sent with every request.
pub const USER_AGENT: &str = concat!("PocketHog/", env!("CARGO_PKG_VERSION"));

const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long an unused connection is kept: longer than the usual refresh cadence of a minute.
const IDLE_TIME: Duration = Duration::from_secs(90);

/// While an answer is waited for, the other side is asked this often whether it is there, and given up if it does
/// not say so in time: after a night's sleep the connection leads nowhere, and nothing else would tell.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
const SIGN_OF_LIFE_TIME: Duration = Duration::from_secs(5);

/// Builds the client. It follows no redirects: codes and tokens would leave their Host. Without the operating
/// system's certificates it trusts nobody, so that what needs no PostHog works nevertheless.
///
/// # Errors
///
/// TLS cannot be set up at all.
pub fn client() -> reqwest::Result<reqwest::Client> {
    builder()
        .build()
        .or_else(|_| builder().tls_certs_only([]).build())
}

/// Looks whether the operating system's certificates can be loaded.
///
/// # Errors
///
/// They cannot.
pub fn check_certificates() -> reqwest::Result<()> {
    builder().build().map(drop)
}

/// Chooses what encrypts, without which no client can be built. A second call in one process finds it in place, which
/// is as good.
pub fn choose_provider() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}

fn builder() -> reqwest::ClientBuilder {
    choose_provider();
    crate::proxy::applied(reqwest::Client::builder())
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIME)
        .pool_idle_timeout(IDLE_TIME)
        .http2_keep_alive_interval(SIGN_OF_LIFE)
        .http2_keep_alive_timeout(SIGN_OF_LIFE_TIME)
        .connector_layer(OneConnection::default())
}
