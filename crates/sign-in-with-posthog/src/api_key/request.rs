//! Requests with an API key to PostHog's API, and the person that one of them describes.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::error::ApiKeyError;
use crate::connection::Account;
use crate::host::Host;
use crate::http::{self, NoAnswer, Response};

/// Gets `path` of `host` with a key.
pub(super) async fn get(
    http: &reqwest::Client,
    host: &Host,
    path: &str,
    key: &SecretString,
) -> Result<Response, NoAnswer> {
    http::send_to_api(http.get(host.join(path)).bearer_auth(key.expose_secret())).await
}

/// The error for a response that is not one of PostHog's.
pub(super) fn unexpected(host: &Host, response: &Response) -> ApiKeyError {
    let (host, status) = (host.name(), response.status.as_u16());
    if matches!(status, 408 | 425 | 429 | 500..) {
        ApiKeyError::Busy { host, status }
    } else {
        ApiKeyError::BadAnswer { host, status }
    }
}

/// The person whom a key belongs to.
#[derive(Deserialize)]
pub(super) struct Me {
    #[serde(default)]
    pub(super) uuid: Option<String>,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    organizations: Option<Value>,
}

impl Me {
    /// The organizations that the person belongs to, whatever the key reaches.
    pub(super) fn organizations(&self) -> impl Iterator<Item = &str> {
        let all = self.organizations.as_ref().and_then(Value::as_array);
        let ids = all.into_iter().flatten().map(|known| known.get("id"));
        ids.filter_map(|id| id.and_then(Value::as_str))
    }

    /// Given and family name.
    pub(super) fn name(&self) -> Option<String> {
        Account::name_of(None, self.first_name.as_deref(), self.last_name.as_deref())
    }

    /// The e-mail address.
    pub(super) fn email(self) -> Option<String> {
        self.email.filter(|email| !email.is_empty())
    }
}
