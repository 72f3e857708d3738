//! A response, before it becomes one of HTTP: failures still change it.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// A status without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            body: body.to_string().into_bytes(),
            ..Self::empty(status)
        }
        .with(header::CONTENT_TYPE, "application/json")
    }

    pub(crate) fn html(status: u16, body: impl Into<String>) -> Self {
        Self {
            body: body.into().into_bytes(),
            ..Self::empty(status)
        }
        .with(header::CONTENT_TYPE, "text/html; charset=utf-8")
    }

    /// A redirect with 302 (GET stays GET) or 303 (POST becomes GET).
    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::empty(status).with(header::LOCATION, location)
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Response> for axum::response::Response {
    fn from(from: Response) -> Self {
        let mut response = Self::new(Body::from(from.body));
        *response.status_mut() =
            StatusCode::from_u16(from.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in from.headers {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
