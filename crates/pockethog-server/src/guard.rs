//! Decides who may talk to the app. Other users and programs of this machine can reach the port, and so can every
//! page that the browser shows.
//!
//! | against | check |
//! |---|---|
//! | another user of this machine | on Linux, only connections of our own user ([`super::listener`]) |
//! | the same, if that is not known, and every program | a cookie that only an opened address could set ([`super::access`]) |
//! | another name that resolves to loopback (DNS rebinding) | `Host` is a loopback name with our port |
//! | a page of another site that sends a form | `Sec-Fetch-Site` and `Origin` on everything that writes |
//! | another server on 127.0.0.1 | the pages and the cookie have a path that it does not know ([`Mount`]) |
//! | markup in what PostHog says | a Content-Security-Policy without exceptions for scripts |
//! | being shown inside of another page | `frame-ancestors 'none'` |
//!
//! What is personal needs [`Admitted`], which only the check of the cookie makes.
//!
//! The cookie is `Lax` and not `Strict`: PostHog's page leads back to `/callback` and from there to the home
//! page, and a browser sends no `Strict` cookie on the way from another site. What writes is a POST, on
//! which other sites send no `Lax` cookie either.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::Router;
use axum::body::{self, Body};
use axum::extract::{
    ConnectInfo, DefaultBodyLimit, FromRequestParts, Path, Query, Request, State as Extract,
};
use axum::http::request::Parts;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use sign_in_with_posthog::Peer;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use super::access::{Entry, PRINTED_CODE_LIFE, Permit, SESSION_LIFE};
use super::answer::{local, of_demo, said, see_other};
use super::handshake;
use super::listener::Client;
use super::mount::{ASSETS, Mount};
use super::proof::{PROOF, Prover, Slot};
use super::{State, assets};
use pockethog_views::pages::Shell;
use pockethog_views::pages::message::Message;

/// Longest body that is read, in bytes. An annotation may have 8,192 characters, percent-encoded twelve bytes each.
const LONGEST_BODY: usize = 256 * 1024;

/// Longest address that is read, in bytes.
const LONGEST_ADDRESS: usize = 16 * 1024;

/// What pages may do. Browsers apply `form-action` to the redirects that follow a form, so a sign-in leaves
/// by a page of ours that navigates: PostHog may lead on to wherever its users log in.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Puts the guards around the routes.
pub fn guarded(routes: Router<Arc<State>>, state: &Arc<State>) -> Router {
    let routes = routes
        .merge(assets::routes())
        .route("/open/{code}", get(open))
        .route(handshake::PATH, get(prove).post(register))
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

/// The proof that a request came with the cookie of a browser that was let in, and what its handler needs.
///
/// Nothing but the check of the cookie makes one. A page that shows who is signed in, or what there is to say
/// to them, is made with it ([`Admitted::shell`]).
#[derive(Clone, Debug)]
pub struct Admitted {
    state: Arc<State>,
    permit: Permit,
}

impl Admitted {
    /// Runs what reads files or Snapshots on a thread that may block, as [`State::blocking`].
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let admitted = self.clone();
        self.state.blocking(move |_| work(&admitted)).await
    }

    /// The shell of a page: look, who is connected, what there is to say. What [`State::say`] left is
    /// taken out, so it is called once per page.
    pub fn shell(&self) -> Shell {
        self.state.shell(&self.permit)
    }
}

impl Deref for Admitted {
    type Target = Arc<State>;

    fn deref(&self) -> &Arc<State> {
        &self.state
    }
}

impl<S: Sync> FromRequestParts<S> for Admitted {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let admitted = parts.extensions.get::<Self>().cloned();
        admitted.ok_or_else(|| Refusal::Locked.answer())
    }
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    AddressTooLong,
    ForeignHost,
    /// It came by a port of another number: the one that was meant.
    ForwardedPort(u16),
    ForeignSite,
    Locked,
    CodeExpired,
    CodeUsed,
    SessionEnded,
}

/// What is done with a request.
enum Way {
    /// It is for the root, and needs no cookie.
    Open,
    /// It is for a page, which has this address below the prefix.
    Page(Uri, Permit),
    /// It is for a page, and was sent to the root by a program of our own user.
    Below(String),
}

async fn guard(Extract(state): Extract<Arc<State>>, mut request: Request, next: Next) -> Response {
    let client = client(&request);
    let is_demo = state.live().program().is_demo();
    let mut response = match check(&state, &request, client.as_ref()) {
        Ok(Way::Open) => {
            let response = of_demo(is_demo, next.run(request).await);
            mounted(state.mount(), response).await
        }
        Ok(Way::Page(uri, permit)) => {
            *request.uri_mut() = uri;
            let admitted = Admitted {
                state: Arc::clone(&state),
                permit,
            };
            request.extensions_mut().insert(admitted);
            if let Some(client) = &client {
                client.admitted(permit.session());
            }
            let keys = state.page_keys();
            let for_answer = keys.prover_for_answer(request.headers());
            let for_stream = keys.prover_for_stream(request.uri().query().unwrap_or_default());
            let mut response = of_demo(is_demo, next.run(request).await);
            if let Some(client) = &client
                && is_of_kind(response.headers(), "text/event-stream")
            {
                client.streams();
            }
            if let Some((slot, prover)) = response.extensions().get::<Slot>().zip(for_stream) {
                // A response has one slot, and nobody else fills it.
                slot.set(prover).ok();
            }
            response.extensions_mut().insert(ForOwner);
            let response = mounted(state.mount(), response).await;
            match for_answer {
                Some(prover) => proved(&prover, response).await,
                None => response,
            }
        }
        Ok(Way::Below(address)) => Redirect::temporary(&address).into_response(),
        Err(refusal) => of_demo(is_demo, refusal.answer()),
    };
    harden(response.headers_mut());
    response
}

/// The other end of the connection through which a request came.
fn client(request: &Request) -> Option<Client> {
    let client = request.extensions().get::<ConnectInfo<Client>>();
    client.map(|ConnectInfo(client)| client.clone())
}

/// What is done with a request, or why it is turned away.
fn check(state: &State, request: &Request, client: Option<&Client>) -> Result<Way, Refusal> {
    let uri = request.uri();
    if uri.path_and_query().map_or(0, |path| path.as_str().len()) > LONGEST_ADDRESS {
        return Err(Refusal::AddressTooLong);
    }
    let host = only(request.headers(), &header::HOST).ok_or(Refusal::ForeignHost)?;
    let named_in_address = uri.authority().map(axum::http::uri::Authority::as_str);
    if named_in_address.is_some_and(|name| name != host) {
        return Err(Refusal::ForeignHost);
    }
    if !is_ours(host, state.port()) {
        return Err(if is_loopback(host) {
            Refusal::ForwardedPort(state.port())
        } else {
            Refusal::ForeignHost
        });
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !is_same_origin(request.headers(), host) {
        return Err(Refusal::ForeignSite);
    }
    if is_open_to_all(uri.path()) && (reads || uri.path() == handshake::PATH) {
        return Ok(Way::Open);
    }
    let peer = client.map_or(Peer::Unknown, Client::peer);
    let Some(below) = state.mount().strip(uri.path()) else {
        // No secret to a program of the user, which can read it in a file. A browser that follows a link
        // of another site is sent nowhere.
        let by_hand = !request.headers().contains_key("sec-fetch-site")
            || matches!(
                only(
                    request.headers(),
                    &header::HeaderName::from_static("sec-fetch-site")
                ),
                Some("none" | "same-origin")
            );
        let address = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        return if peer == Peer::Own && by_hand {
            Ok(Way::Below(state.mount().address(address).into_owned()))
        } else {
            Err(Refusal::Locked)
        };
    };
    let permit = state.access().permit(&cookies(request.headers()), peer);
    let permit = permit.ok_or(Refusal::Locked)?;
    if is_open_to_all(below) {
        return Err(Refusal::Locked);
    }
    let uri = with_path(uri, below).ok_or(Refusal::Locked)?;
    Ok(Way::Page(uri, permit))
}

/// Addresses at the root, which need no cookie.
fn is_open_to_all(path: &str) -> bool {
    path == "/callback"
        || path == handshake::PATH
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

/// Marks an answer that only the owner's browser gets, so that its links may have the prefix.
#[derive(Clone, Copy, Debug)]
pub struct ForOwner;

/// The answer with its addresses below the prefix: where it leads, and the links of its page if that is for
/// the owner. A page for strangers must not tell the prefix.
async fn mounted(mount: &Mount, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let location = parts.headers.get(header::LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    if let Some(Ok(location)) = location.map(|location| mount.address(location).parse()) {
        parts.headers.insert(header::LOCATION, location);
    }
    let is_for_owner = parts.extensions.get::<ForOwner>().is_some();
    if !is_for_owner || !is_of_kind(&parts.headers, "text/html") {
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

/// An answer for a script, with its proof.
async fn proved(prover: &Prover, response: Response) -> Response {
    if !is_of_kind(response.headers(), "text/html") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let proof = std::str::from_utf8(&body).map(|text| prover.answer(text));
    if let Some(Ok(proof)) = proof.ok().map(|proof| HeaderValue::from_str(&proof)) {
        parts.headers.insert(PROOF, proof);
    }
    Response::from_parts(parts, Body::from(body))
}

fn is_of_kind(headers: &HeaderMap, kind: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE);
    given.is_some_and(|given| given.as_bytes().starts_with(kind.as_bytes()))
}

/// The value of a header that must occur once.
fn only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// True for a loopback name with our port.
fn is_ours(host: &str, port: u16) -> bool {
    port_of_loopback(host) == Some(port)
}

/// True for a loopback name with any port: a forward that has another number at its other end.
fn is_loopback(host: &str) -> bool {
    port_of_loopback(host).is_some()
}

fn port_of_loopback(host: &str) -> Option<u16> {
    let (name, given) = match host.rsplit_once(':') {
        Some((name, given)) if !given.ends_with(']') => (name, given.parse().ok()?),
        _ => (host, 80),
    };
    matches!(name, "127.0.0.1" | "localhost" | "[::1]").then_some(given)
}

/// True if a page of ours sends, or no browser at all: every browser tells at least one of the two for
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

/// What the request has as our cookie; more than one if another server has set one of that name.
fn cookies(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
        .collect()
}

/// The opened address: its code becomes a cookie, and the address is cleaned.
async fn open(
    Extract(state): Extract<Arc<State>>,
    Path(code): Path<String>,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Response {
    let to = wanted.to.as_deref().and_then(local).unwrap_or("/");
    // What only looks, or fetches ahead of its user, must not use up the code.
    let headers = request.headers();
    if request.method() != Method::GET || headers.contains_key("sec-purpose") {
        return Refusal::Locked.answer();
    }
    let client = client(&request);
    let peer = state.blocking(move |_| client.map_or(Peer::Unknown, |client| client.peer_now()));
    let peer = peer.await;
    if peer == Peer::Other {
        return Refusal::Locked.answer();
    }
    let access = state.access();
    match access.enter(&code, &cookies(headers), peer, Instant::now()) {
        Ok(Entry::Begun { cookie, kept }) => {
            let life = if kept {
                format!("; Max-Age={}", SESSION_LIFE.as_secs())
            } else {
                String::new()
            };
            let cookie = format!(
                "{COOKIE}={}; Path={}; HttpOnly; SameSite=Lax{life}",
                cookie.expose(),
                state.mount().path()
            );
            let mut response = see_other(to);
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Ok(Entry::AlreadyIn) => see_other(to),
        Ok(Entry::Expired) => Refusal::CodeExpired.answer(),
        Ok(Entry::Used) => Refusal::CodeUsed.answer(),
        Ok(Entry::Ended(session)) => {
            state.clients().end_session(session);
            Refusal::SessionEnded.answer()
        }
        Err(error) => {
            tracing::error!(%error, "no browser can be let in");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The page that the address of a code leads to.
#[derive(Deserialize)]
struct Wanted {
    to: Option<String>,
}

#[derive(Deserialize)]
struct Challenge {
    nonce: String,
}

/// Proves to another `pockethog` that this is the app which wrote `running.json`.
async fn prove(
    Extract(state): Extract<Arc<State>>,
    Query(Challenge { nonce }): Query<Challenge>,
) -> Response {
    match state.keyholder().prove(&nonce) {
        Some(proof) => Json(proof).into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// Takes in a code for another `pockethog`, which proves that it has read `running.json`.
async fn register(
    Extract(state): Extract<Arc<State>>,
    Json(request): Json<handshake::Request>,
) -> Response {
    let Some((code, life)) = state.keyholder().code(&request) else {
        return Refusal::Locked.answer();
    };
    let (access, life) = (state.access(), life.min(PRINTED_CODE_LIFE));
    access.register(code.digest(), life, Instant::now());
    StatusCode::NO_CONTENT.into_response()
}

impl Refusal {
    fn answer(self) -> Response {
        let (status, title, text) = match self {
            Self::AddressTooLong => (
                StatusCode::URI_TOO_LONG,
                "This address is too long",
                "PocketHog has no address that is this long.",
            ),
            Self::ForwardedPort(port) => {
                let text = format!(
                    "PocketHog uses port {port}, but this address has another port. Forward the same port number at both ends, because PostHog sends the browser back to it: ssh -L {port}:127.0.0.1:{port}. Then open the address that pockethog --no-browser prints."
                );
                return refusal(
                    StatusCode::MISDIRECTED_REQUEST,
                    "Forward the same port number",
                    &text,
                );
            }
            Self::ForeignHost => (
                StatusCode::MISDIRECTED_REQUEST,
                "This is not PocketHog’s address",
                "PocketHog only answers at 127.0.0.1, on the port that it printed.",
            ),
            Self::ForeignSite => (
                StatusCode::FORBIDDEN,
                "Refused",
                "Another site tried to change something here. Nothing has changed.",
            ),
            Self::CodeExpired => (
                StatusCode::FORBIDDEN,
                "This address has expired",
                "An address that opens PocketHog works only once and for a short time. Run pockethog again to open a new one.",
            ),
            Self::CodeUsed => (
                StatusCode::FORBIDDEN,
                "This address has already been used",
                "An address that opens PocketHog works only once. Run pockethog again to open a new one.",
            ),
            Self::SessionEnded => (
                StatusCode::FORBIDDEN,
                "This address was used twice",
                "Somebody else may have opened this address before you, so that session was ended. Run pockethog again to open a new one.",
            ),
            Self::Locked => (
                StatusCode::FORBIDDEN,
                "Open PocketHog from this device",
                "Only you can see this page. Run pockethog in a terminal: it opens this page in your browser, or prints an address that does.",
            ),
        };
        refusal(status, title, text)
    }
}

fn refusal(status: StatusCode, title: &str, text: &str) -> Response {
    let view = Message {
        title: title.to_owned(),
        text: text.to_owned(),
        ..Message::default()
    };
    said(status, view)
}

/// Sets the headers that every response has.
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
