//! Dynamic client registration (RFC 7591): one public client per device and issuer.
//!
//! A client id of its own makes signing out here revoke this device alone: PostHog's revocation of a
//! registered client sweeps everything that the user granted to that client id. No `scope` is sent; it
//! would become a list that the user cannot narrow.

use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::host::Host;
use crate::http::{self, NoAnswer};

/// The redirect addresses that are registered. PostHog matches both with any port; the second is used on systems
/// without IPv4.
const REDIRECT_URIS: [&str; 2] = ["http://127.0.0.1/callback", "http://[::1]/callback"];

/// Why PostHog gave no client id to this program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The server registers no clients.
    ///
    /// Set [`Config::client_id`](crate::Config::client_id) to one that was registered by hand, or use an API key.
    #[error(
        "{0} does not let programs register themselves; use a personal API key, or configure a client id"
    )]
    NotOffered(String),
    /// There was no response; see there.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// A self-hosted PostHog without a signing key.
    ///
    /// Its administrator has to set `OIDC_RSA_PRIVATE_KEY`. Until then an API key works.
    #[error(
        "{0} cannot register programs: its setting OIDC_RSA_PRIVATE_KEY is probably missing. \
         Until it is set, use a personal API key there"
    )]
    NoSigningKey(String),
    /// The server refused, in its own words. A retry succeeds if the status is one of overload (429, 5xx).
    #[error("PostHog did not register this program ({status}): {words}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's words, shortened.
        words: String,
    },
}

/// Registers a public client called `name`.
pub(crate) async fn register(
    http: &reqwest::Client,
    host: &Host,
    endpoint: &Url,
    name: &str,
) -> Result<String, RegistrationError> {
    #[derive(Deserialize)]
    struct Registered {
        client_id: String,
    }
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(default)]
        error: String,
        #[serde(default)]
        error_description: String,
        #[serde(default)]
        detail: String,
    }
    let body = json!({
        "client_name": name,
        "redirect_uris": REDIRECT_URIS,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let answer = http::send(http.post(endpoint.clone()).json(&body)).await?;
    let status = answer.status.as_u16();
    if let (true, Some(Registered { client_id })) = (answer.status.is_success(), answer.json()) {
        let printable = |byte: u8| byte.is_ascii_graphic();
        if !client_id.is_empty() && client_id.len() <= 512 && client_id.bytes().all(printable) {
            return Ok(client_id);
        }
    }
    let words = match answer.json::<Refusal>() {
        // Nobody's fault in the cloud; at home it means that there is no key to sign with.
        Some(refusal)
            if host.region().is_none() && status == 500 && refusal.error == "server_error" =>
        {
            return Err(RegistrationError::NoSigningKey(host.name()));
        }
        Some(refusal) => [refusal.error_description, refusal.detail, refusal.error]
            .into_iter()
            .find(|words| !words.is_empty())
            .unwrap_or_default(),
        None => "the answer could not be read".to_owned(),
    };
    Err(RegistrationError::Refused {
        status,
        words: http::words(&words),
    })
}
