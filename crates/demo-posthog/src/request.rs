//! A request, read completely: what the endpoints look at.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri, header};
use serde_json::Value;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The query, decoded, in its order.
    pub(crate) query: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn new(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Self {
        let query = pairs(uri.query().unwrap_or_default().as_bytes());
        Self {
            method,
            uri,
            headers,
            body,
            query,
        }
    }

    /// A parameter of the query; the last one counts, as in Django.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        last(&self.query, name)
    }

    /// The body as a form.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// Whether the body says that it is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.header(header::CONTENT_TYPE.as_str())
            .is_some_and(|kind| {
                kind.trim_start()
                    .to_ascii_lowercase()
                    .starts_with("application/json")
            })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of `Authorization: Bearer`.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self
            .header(header::AUTHORIZATION.as_str())?
            .trim()
            .split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim())
            .filter(|token| !token.is_empty())
    }

    /// A cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

/// The last value of a field.
pub(crate) fn last<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .rev()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// Every value of a field.
pub(crate) fn every<'a>(
    pairs: &'a [(String, String)],
    name: &'a str,
) -> impl Iterator<Item = &'a str> {
    pairs
        .iter()
        .filter(move |(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}
