//! Signing in: on PostHog's own page, or with an API key.
//!
//! A button is a form; its answer leads to `/start/…`, a page of ours that gives the browser a cookie for
//! `/callback` and navigates to PostHog. PostHog leads back to `/callback`, which finds the Attempt that the
//! response belongs to, exchanges the code, and ends on the home page. Many Attempts wait at once: a person
//! may open both regions in two tabs. A response that belongs to none, or that another browser brings,
//! changes nothing.

use std::sync::{Arc, Weak};

use axum::Router;
use axum::extract::{Form, Path, RawQuery, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use sign_in_with_posthog::{
    ApiKeyError, Attempt, AuthorizationResponse, CallbackError, CompleteError, Connection, Host,
    Region, Scopes,
};
use url::Url;

use super::answer::{PageError, page, said, see_other};
use super::guard::Admitted;
use super::key_swap::swap;
use super::pending_attempts::{Entry, patience};
use super::state::State;
use pockethog_core::accounts::EMAIL_SCOPE;
use pockethog_core::key_swap;
use pockethog_core::live::Change;
use pockethog_screens::{Arrangement, Home, ends};
use pockethog_views::pages::api_key::{self, ApiKey, Fault};
use pockethog_views::pages::home::PAGE;
use pockethog_views::pages::layout::{Notice, Tone};
use pockethog_views::pages::message::Message;
use pockethog_views::pages::sign_in::{self, Cloud};
use pockethog_views::sentence::sentence;

/// In the order in which they are offered.
const REGIONS: [Region; 2] = [Region::Us, Region::Eu];

/// What a sign-in is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purpose {
    /// Also ask for the e-mail address.
    pub with_email: bool,
}

/// `/sign-in`, `/start/…`, `/callback` and `/api-key`.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/sign-in", get(screen))
        .route("/sign-in/us", post(begin_us))
        .route("/sign-in/eu", post(begin_eu))
        .route("/sign-in/host", post(begin_at_host))
        .route("/sign-in/not-me/{id}", post(not_me))
        .route("/start/{id}", get(start))
        .route("/callback", get(callback))
        .route("/api-key", get(api_key_form).post(add_api_key))
}

/// The sign-in screen, with why access has ended where it has.
pub(super) fn sign_in_screen(state: &Admitted, connections: &[Connection]) -> Response {
    state.announce_ends(connections);
    let any_active = connections.iter().any(Connection::is_active);
    let ended: Vec<String> = ends(connections)
        .iter()
        .map(|end| format!("{}: {}", end.host, end.reason.sentence()))
        .collect();
    let now = Timestamp::now();
    // Once no Connection is active any longer, the last numbers are shown below the buttons.
    let arrangement = Arrangement {
        page_size: Some(PAGE),
        ..Arrangement::default()
    };
    let last = (!any_active)
        .then(|| Home::of_live(state.live(), connections, &arrangement, now))
        .and_then(Result::ok)
        .unwrap_or_default();
    let view = sign_in::SignIn {
        shell: state.shell(),
        clouds: REGIONS.map(|region| Cloud::of(state.live().program().clouds.host(region))),
        reason: (!ended.is_empty())
            .then(|| ended.join(" ") + " Your projects, favourites and colours are kept."),
        may_cancel: any_active,
        now,
        last: last.shown_cards().cloned().collect(),
    };
    page(sign_in::render(&view))
}

async fn screen(state: Admitted) -> Result<Response, PageError> {
    state
        .blocking(|state| Ok(sign_in_screen(state, &state.live().connections()?)))
        .await
}

#[derive(Debug, Deserialize)]
struct Begin {
    #[serde(default)]
    with_email: Option<String>,
}

async fn begin_us(state: Extract<Arc<State>>, form: Form<Begin>) -> Response {
    begin_at(state, Region::Us, form).await
}

async fn begin_eu(state: Extract<Arc<State>>, form: Form<Begin>) -> Response {
    begin_at(state, Region::Eu, form).await
}

async fn begin_at(
    Extract(state): Extract<Arc<State>>,
    region: Region,
    Form(form): Form<Begin>,
) -> Response {
    let purpose = Purpose {
        with_email: form.with_email.is_some(),
    };
    let host = state.live().program().clouds.host(region).clone();
    begin(&state, &host, purpose).await
}

/// Answers with the way to PostHog's page, or with the sign-in screen and the reason why there is none.
pub async fn begin(state: &Arc<State>, host: &Host, purpose: Purpose) -> Response {
    let extra = Scopes::parse(if purpose.with_email { EMAIL_SCOPE } else { "" });
    let redirect = callback_address(state.address());
    match state
        .live()
        .program()
        .sign_in
        .begin(host, &redirect, &extra)
        .await
    {
        Ok(attempt) => wait_for(state, attempt),
        Err(error) => {
            say(
                state,
                format!("Signing in to {} could not start: {error}", host.name()),
            );
            see_other("/sign-in")
        }
    }
}

/// Lets an Attempt wait for its response, and answers with its start address.
fn wait_for(state: &Arc<State>, attempt: Attempt) -> Response {
    let path = attempt.start_url().path().to_owned();
    let attempt = Arc::new(attempt);
    state.attempts().put(Arc::clone(&attempt));
    tokio::spawn(look_after(Arc::downgrade(state), attempt));
    see_other(&path)
}

/// Looks up why nobody has answered: PostHog ends a sign-in by a client that it has forgotten on a page of
/// its own.
async fn look_after(state: Weak<State>, attempt: Arc<Attempt>) {
    tokio::time::sleep(patience()).await;
    let Some(state) = state.upgrade() else {
        return;
    };
    if state.attempts().remove(&attempt)
        && state.live().program().sign_in.was_forgotten(&attempt).await
    {
        say(
            &state,
            format!(
                "{} no longer knew PocketHog on this device, so the sign-in could not be completed. Sign in again, and PocketHog registers again",
                attempt.host().name()
            ),
        );
    }
}

/// Gives the browser the cookie that the callback requires, and leads it to PostHog. Only a browser that was
/// let in gets here.
async fn start(state: Admitted, Path(id): Path<String>) -> Response {
    let Some(entry) = state.attempts().started(&id) else {
        let view = Message {
            shell: state.shell(),
            title: "This sign-in has ended".to_owned(),
            text: "It was already finished or has timed out. Start again from PocketHog."
                .to_owned(),
            actions: vec![
                ("Sign in".to_owned(), "/sign-in".to_owned()),
                ("All projects".to_owned(), "/".to_owned()),
            ],
        };
        return said(StatusCode::GONE, view);
    };
    // It is gone in a moment: what there is to say waits for a page that stays.
    let view = sign_in::Leaving {
        shell: state.plain_shell(),
        host: entry.attempt.host().name(),
        address: entry.attempt.authorization_url().to_string(),
    };
    with_cookie(
        page(sign_in::render_leaving(&view)),
        &entry.attempt.bind_browser(),
    )
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Where PostHog leads back to. It ends on the home page in the same tab, which does not wait for anything:
/// projects and numbers stream in.
async fn callback(
    Extract(state): Extract<Arc<State>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies: Vec<&str> = cookies.filter_map(|value| value.to_str().ok()).collect();
    let found = AuthorizationResponse::parse_query(query.as_deref().unwrap_or_default())
        .and_then(|response| Ok((state.attempts().find(&response, &cookies)?, response)));
    let (entry, response) = match found {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(%error, "a callback was refused");
            return foreign_callback(&error);
        }
    };
    // In a task of its own: a page that is reloaded in the meantime must not leave a swap half done.
    let task = tokio::spawn(async move { end(&state, &entry, &response).await });
    task.await.unwrap_or_else(|_| see_other("/"))
}

async fn end(state: &Arc<State>, entry: &Entry, response: &AuthorizationResponse) -> Response {
    let completed = state
        .live()
        .program()
        .sign_in
        .complete(&entry.attempt, response)
        .await;
    match completed {
        // The first response of the two is being exchanged, and tells the outcome.
        Err(CompleteError::AlreadyUsed) => return see_other("/"),
        Err(CompleteError::Callback(error)) => return foreign_callback(&error),
        _ => {
            state.attempts().remove(&entry.attempt);
        }
    }
    let response = match completed {
        Ok(connection) => {
            state.welcome(&connection);
            let keys = key_swap::keys_at(state.live().program(), &connection.host);
            for key in keys.unwrap_or_default() {
                swap(state, &key, &connection).await;
            }
            signed_in(state);
            see_other("/")
        }
        Err(error) => {
            tracing::info!(%error, "a sign-in failed");
            say(state, error);
            see_other("/sign-in")
        }
    };
    with_cookie(response, &entry.attempt.farewell_cookie())
}

/// Undoes a sign-in that somebody else has answered: nothing of it stays, and the API key that it had replaced is
/// used again.
async fn not_me(Extract(state): Extract<Arc<State>>, Path(id): Path<String>) -> Response {
    let connections = state.blocking(|state| state.live().connections()).await;
    let connections = connections.unwrap_or_default().into_iter();
    let mut found = connections.filter(|known| known.id.as_str() == id);
    let Some(connection) = found.next() else {
        return see_other("/sign-in");
    };
    let gone = key_swap::undo(state.live().program(), &connection);
    let keys = match gone.await {
        Ok((keys, _)) => keys,
        Err(error) => {
            say(&state, format!("The account could not be removed: {error}"));
            return see_other("/connections");
        }
    };
    state.forget_projects(connection.id.clone()).await;
    state
        .live()
        .announce(Change::SignedOut(connection.id.clone()));
    state.live().announce(Change::Projects);
    state.say(Notice {
        tone: Tone::Good,
        text: format!(
            "{} was signed out of {} and removed from this device. If you did not sign in as {0}, somebody else may have done so. Sign in again.{}",
            connection.account.label(),
            connection.host.name(),
            if keys.is_empty() {
                ""
            } else {
                " Your API key is used again."
            },
        ),
        action: None,
    });
    if keys.is_empty() {
        return see_other("/sign-in");
    }
    state.live().refresher().hurry();
    see_other("/")
}

/// Somebody is signed in now: what is looked at has to be asked for.
fn signed_in(state: &State) {
    if let Some(text) = state.live().program().sign_in.take_vault_notice() {
        state.say(Notice {
            tone: Tone::Plain,
            text,
            action: None,
        });
    }
    state.live().announce(Change::Projects);
    state.live().refresher().hurry();
}

/// Rules R2, R3, R4 and R8: nothing changes, and a sign-in under way goes on waiting. Anybody can ask for
/// this page, so it shows nothing of the person.
fn foreign_callback(error: &CallbackError) -> Response {
    let view = Message {
        title: "Nothing has changed".to_owned(),
        text: format!(
            "{} If you reloaded this page, you may already be signed in: open PocketHog again. Otherwise start the sign-in again from PocketHog.",
            sentence(error)
        ),
        ..Message::default()
    };
    said(StatusCode::BAD_REQUEST, view)
}

async fn api_key_form(state: Admitted) -> Response {
    page(api_key::render(&empty_form(&state)))
}

/// The form for an API key with nothing typed.
fn empty_form(state: &Admitted) -> ApiKey {
    let host = |region| state.live().program().clouds.host(region);
    ApiKey {
        shell: state.shell(),
        hosts: REGIONS
            .map(|region| (host(region).issuer(), host(region).name()))
            .to_vec(),
        ..ApiKey::default()
    }
}

#[derive(Deserialize)]
struct KeyForm {
    #[serde(default)]
    address: String,
    #[serde(default)]
    key: String,
}

/// Takes an API key. It is shown nowhere again, neither in an answer nor in an address.
async fn add_api_key(state: Admitted, Form(KeyForm { address, key }): Form<KeyForm>) -> Response {
    let key = SecretString::from(key);
    let fault = match state.live().program().clouds.parse(&address) {
        Err(error) => Fault::Address(sentence(error)),
        Ok(host) => match state
            .live()
            .program()
            .sign_in
            .add_api_key(&host, &key)
            .await
        {
            Ok(_) => {
                signed_in(&state);
                return see_other("/");
            }
            Err(error) => key_fault(&error),
        },
    };
    refused(&state, address, fault)
}

fn key_fault(error: &ApiKeyError) -> Fault {
    let text = sentence(error);
    match error {
        ApiKeyError::Empty
        | ApiKeyError::MissingScopes(_)
        | ApiKeyError::OtherKind(_)
        | ApiKeyError::Rejected(_) => Fault::Key(text),
        ApiKeyError::BadAnswer { .. } | ApiKeyError::NoAnswer(_) => Fault::Address(text),
        _ => Fault::Other(text),
    }
}

fn refused(state: &Admitted, address: String, fault: Fault) -> Response {
    let view = ApiKey {
        address,
        fault: Some(fault),
        ..empty_form(state)
    };
    let answer = page(api_key::render(&view));
    (StatusCode::UNPROCESSABLE_ENTITY, answer).into_response()
}

#[derive(Debug, Deserialize)]
struct HostForm {
    #[serde(default)]
    address: String,
}

/// Signs in at one's own PostHog with the browser, if that is offered. If not, the form says why.
async fn begin_at_host(state: Admitted, Form(form): Form<HostForm>) -> Response {
    let host = match state.live().program().clouds.parse(&form.address) {
        Ok(host) => host,
        Err(error) => return refused(&state, form.address, Fault::Address(sentence(error))),
    };
    let redirect = callback_address(state.address());
    let sign_in = &state.live().program().sign_in;
    match sign_in.begin(&host, &redirect, &Scopes::default()).await {
        Ok(attempt) => wait_for(&state, attempt),
        Err(error) => refused(&state, form.address, Fault::Address(sentence(error))),
    }
}

/// Leaves what went wrong for the next page.
fn say(state: &State, error: impl std::fmt::Display) {
    state.say(Notice {
        tone: Tone::Bad,
        text: sentence(error),
        action: None,
    });
}

fn callback_address(app: &Url) -> Url {
    let mut url = app.clone();
    url.set_path("/callback");
    url
}
