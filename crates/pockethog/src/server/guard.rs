//! Who may talk to the app. Other users and programs of this machine can reach the port, and so can every
//! page that the browser shows.
//!
//! | against | check |
//! |---|---|
//! | another name that resolves to loopback (DNS rebinding) | `Host` is a loopback name with our port |
//! | a page of another site that sends a form | `Sec-Fetch-Site` and `Origin` on everything that writes |
//! | another user of this machine | a cookie that only the opened address could set |
//! | markup in what PostHog says | a Content-Security-Policy without exceptions for scripts |
//! | being shown inside of another page | `frame-ancestors 'none'` |
//!
//! The cookie is `Lax` and not `Strict`: PostHog's page leads back to `/callback` and from there to the home
//! page, and a browser sends no `Strict` cookie on the way from another site. What writes is a POST, on
//! which other sites send no `Lax` cookie either. Its path is that of [`Mount`], because the browser keeps
//! cookies of 127.0.0.1 for all ports together.

use std::sync::Arc;

use axum::Router;
use axum::body::{self, Body};
use axum::extract::{DefaultBodyLimit, Path, Request, State as Extract};
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use super::answer::{page, see_other};
use super::mount::{ASSETS, Mount};
use super::{State, assets};
use crate::pages::message::{self, Message};

/// Longest body that is read, in bytes. A note may have 8,192 characters, percent-encoded twelve bytes each.
const LONGEST_BODY: usize = 256 * 1024;

/// Longest address that is read, in bytes.
const LONGEST_ADDRESS: usize = 16 * 1024;

/// What pages may do. Browsers apply `form-action` to the redirects that follow a form, so a sign-in leaves
/// by a page of ours that navigates: PostHog may lead on to wherever its users log in.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Puts the guards around the routes.
pub fn guarded(routes: Router<Arc<State>>, state: &Arc<State>) -> Router {
    let routes = routes
        .merge(assets::routes())
        .route("/open/{secret}", get(open))
        .route("/running", get(running))
        .with_state(Arc::clone(state));
    // Only the fallback of a router is routed after the router's own layers, so that they may change the
    // address.
    Router::new()
        .fallback_service(routes)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(state), guard))
        // The way is short: what matters is how soon the page is there, not its last byte saved.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    AddressTooLong,
    ForeignHost,
    ForeignSite,
    Locked,
}

async fn guard(Extract(state): Extract<Arc<State>>, request: Request, next: Next) -> Response {
    let response = match check(&state, &request) {
        Ok(uri) => {
            let mut request = request;
            *request.uri_mut() = uri;
            next.run(request).await
        }
        Err(refusal) => refusal.answer(),
    };
    let mut response = mounted(state.mount(), response).await;
    harden(response.headers_mut());
    response
}

/// Whether a request is answered, and as which address: the one that it asks for, without the prefix.
fn check(state: &State, request: &Request) -> Result<Uri, Refusal> {
    let uri = request.uri();
    if uri.path_and_query().map_or(0, |path| path.as_str().len()) > LONGEST_ADDRESS {
        return Err(Refusal::AddressTooLong);
    }
    let host = only(request.headers(), &header::HOST).ok_or(Refusal::ForeignHost)?;
    let named_in_address = uri.authority().map(axum::http::uri::Authority::as_str);
    if !is_ours(host, state.port()) || named_in_address.is_some_and(|name| name != host) {
        return Err(Refusal::ForeignHost);
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !is_same_origin(request.headers(), host) {
        return Err(Refusal::ForeignSite);
    }
    if reads && is_open_to_all(uri.path()) {
        return Ok(uri.clone());
    }
    let below = state.mount().strip(uri.path()).ok_or(Refusal::Locked)?;
    if !has_cookie(state, request.headers()) || is_open_to_all(below) {
        return Err(Refusal::Locked);
    }
    with_path(uri, below).ok_or(Refusal::Locked)
}

/// Addresses at the root, which need no cookie.
fn is_open_to_all(path: &str) -> bool {
    path == "/callback"
        || path == "/running"
        || path.starts_with(ASSETS)
        || path.starts_with("/open/")
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let path_and_query = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.ok()?);
    Uri::from_parts(parts).ok()
}

/// The answer with its addresses below the prefix.
async fn mounted(mount: &Mount, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let location = parts.headers.get(header::LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    if let Some(Ok(location)) = location.map(|location| mount.address(location).parse()) {
        parts.headers.insert(header::LOCATION, location);
    }
    let is_page = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !is_page {
        return Response::from_parts(parts, body);
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    // A page is in memory already.
    let Ok(page) = body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let body = match std::str::from_utf8(&page) {
        Ok(html) => Body::from(mount.html(html).into_owned()),
        Err(_) => Body::from(page),
    };
    Response::from_parts(parts, body)
}

/// The value of a header that must occur once.
fn only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// True for a loopback name with our port.
fn is_ours(host: &str, port: u16) -> bool {
    let (name, given) = match host.rsplit_once(':') {
        Some((name, given)) if !given.ends_with(']') => (name, given.parse().ok()),
        _ => (host, Some(80)),
    };
    matches!(name, "127.0.0.1" | "localhost" | "[::1]") && given == Some(port)
}

/// True where a page of ours sends, or no browser at all: every browser tells at least one of the two for
/// what writes. `Sec-Fetch-Site` decides where it is there; a page cannot set it.
fn is_same_origin(headers: &HeaderMap, host: &str) -> bool {
    if headers.contains_key("sec-fetch-site") {
        return only(headers, &header::HeaderName::from_static("sec-fetch-site"))
            == Some("same-origin");
    }
    if headers.contains_key(header::ORIGIN) {
        return only(headers, &header::ORIGIN)
            .and_then(|origin| origin.strip_prefix("http://"))
            .is_some_and(|origin| origin == host);
    }
    true
}

/// The name of the cookie.
const COOKIE: &str = "pockethog";

fn has_cookie(state: &State, headers: &HeaderMap) -> bool {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .any(|(known, value)| known == COOKIE && state.cookie().is(value))
}

/// The opened address: its secret becomes a cookie, and the address is cleaned.
async fn open(Extract(state): Extract<Arc<State>>, Path(secret): Path<String>) -> Response {
    if !state.secret().is(&secret) {
        return Refusal::Locked.answer();
    }
    let cookie = format!(
        "{COOKIE}={}; Path={}; HttpOnly; SameSite=Lax",
        state.cookie().expose(),
        state.mount().path()
    );
    let mut response = see_other("/");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Tells another `pockethog` that this one lives. It knows the secret from a file of this user alone.
async fn running(Extract(state): Extract<Arc<State>>, headers: HeaderMap) -> Response {
    let knows = only(&headers, &header::AUTHORIZATION)
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|secret| state.secret().is(secret));
    if knows {
        "PocketHog".into_response()
    } else {
        Refusal::Locked.answer()
    }
}

impl Refusal {
    fn answer(self) -> Response {
        let (status, title, text) = match self {
            Self::AddressTooLong => (
                StatusCode::URI_TOO_LONG,
                "This address is too long",
                "No address of PocketHog is as long as this one.",
            ),
            Self::ForeignHost => (
                StatusCode::MISDIRECTED_REQUEST,
                "This is not PocketHog’s address",
                "PocketHog answers at 127.0.0.1 alone, with the port that it printed.",
            ),
            Self::ForeignSite => (
                StatusCode::FORBIDDEN,
                "Refused",
                "Another site tried to change something here. Nothing has changed.",
            ),
            Self::Locked => (
                StatusCode::FORBIDDEN,
                "Open PocketHog from this device",
                "This page shows your numbers to nobody but you. Run pockethog in a terminal: it opens this page in your browser, or prints the address that does.",
            ),
        };
        let view = Message {
            title: title.to_owned(),
            text: text.to_owned(),
            ..Message::default()
        };
        (status, page(message::render(&view))).into_response()
    }
}

/// What every answer carries.
fn harden(headers: &mut HeaderMap) {
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: under it browsers send `Origin: null` with our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_loopback_names_with_the_right_port_are_ours() {
        for host in ["127.0.0.1:4000", "localhost:4000", "[::1]:4000"] {
            assert!(is_ours(host, 4000), "{host}");
        }
        for host in [
            "127.0.0.1",
            "127.0.0.1:4001",
            "127.0.0.1:4000.evil.example",
            "evil.example:4000",
            "127.0.0.1.evil.example:4000",
            "127.0.0.1:04000x",
            "user@127.0.0.1:4000",
            "",
        ] {
            assert!(!is_ours(host, 4000), "{host}");
        }
        assert!(is_ours("127.0.0.1", 80) && is_ours("[::1]", 80));
    }

    #[test]
    fn what_another_site_sends_is_told_from_our_own() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            headers
        };
        let same = |pairs| is_same_origin(&headers(pairs), "127.0.0.1:4000");
        assert!(same(&[]));
        assert!(same(&[("sec-fetch-site", "same-origin")]));
        assert!(same(&[("origin", "http://127.0.0.1:4000")]));
        assert!(!same(&[("sec-fetch-site", "same-site")]));
        assert!(!same(&[("sec-fetch-site", "cross-site")]));
        assert!(!same(&[("sec-fetch-site", "none")]));
        assert!(!same(&[("origin", "null")]));
        assert!(!same(&[("origin", "http://127.0.0.1:4001")]));
        assert!(!same(&[("origin", "https://127.0.0.1:4000")]));
        assert!(!same(&[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site")
        ]));
    }
}
