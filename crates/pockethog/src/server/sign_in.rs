//! Signing in: by PostHog's own page, or with an API key.
//!
//! A button is a form; its answer leads to PostHog. PostHog leads back to `/callback`, which finds the
//! Attempt that the response belongs to, exchanges the code, and ends on the home page. Many Attempts wait
//! at once: a person may open both regions in two tabs. A response that belongs to none changes nothing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Form, RawQuery, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use secrecy::SecretString;
use serde::Deserialize;
use sign_in_with_posthog::{
    ATTEMPT_SECONDS, ApiKeyError, Attempt, AuthorizationResponse, CallbackError, CompleteError,
    Connection, ConnectionId, Host, Region, Scopes,
};
use url::Url;

use super::answer::{PageError, page, see_other, sentence};
use super::banner;
use super::events::Change;
use super::state::{State, ended_by_itself, lock};
use crate::accounts::EMAIL_SCOPE;
use crate::pages::api_key::{self, ApiKey, Fault};
use crate::pages::layout::{Notice, Tone};
use crate::pages::message::{self, Message};
use crate::pages::sign_in::{self, Cloud};

/// Attempts that wait at most; past them the oldest makes room.
const MOST_WAITING: usize = 32;

/// In the order in which they are offered.
const REGIONS: [Region; 2] = [Region::Us, Region::Eu];

/// What a sign-in is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purpose {
    /// Also ask for the e-mail address.
    pub with_email: bool,
    /// The Connection by API key that the new one takes the place of.
    pub replaces: Option<ConnectionId>,
}

/// Attempts whose response has not come.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<Vec<Entry>>);

#[derive(Clone, Debug)]
struct Entry {
    attempt: Arc<Attempt>,
    purpose: Purpose,
    since: Instant,
}

/// `/sign-in`, `/callback` and `/api-key`.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/sign-in", get(screen))
        .route("/sign-in/us", post(begin_us))
        .route("/sign-in/eu", post(begin_eu))
        .route("/sign-in/host", post(begin_at_host))
        .route("/callback", get(callback))
        .route("/api-key", get(api_key_form).post(add_api_key))
}

/// The sign-in screen, with why access has ended where it has.
pub(super) fn sign_in_screen(state: &State, connections: &[Connection]) -> Response {
    state.ends_to_tell(connections);
    let any_active = connections.iter().any(Connection::is_active);
    let ended: Vec<String> = connections
        .iter()
        .filter_map(|connection| {
            let reason = ended_by_itself(connection)?;
            Some(format!("{}: {}", connection.host.name(), reason.sentence()))
        })
        .collect();
    let view = sign_in::SignIn {
        shell: state.shell(),
        clouds: REGIONS.map(|region| Cloud::of(state.program().clouds.host(region))),
        reason: (!ended.is_empty())
            .then(|| ended.join(" ") + " Your projects, favourites and colours are kept."),
        may_cancel: any_active,
    };
    page(sign_in::render(&view))
}

async fn screen(Extract(state): Extract<Arc<State>>) -> Result<Response, PageError> {
    state
        .blocking(|state| Ok(sign_in_screen(state, &state.connections()?)))
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
        replaces: None,
    };
    let host = state.program().clouds.host(region).clone();
    begin(&state, &host, purpose).await
}

/// Answers with the way to PostHog's page, or with the sign-in screen and the reason why there is none.
pub async fn begin(state: &Arc<State>, host: &Host, purpose: Purpose) -> Response {
    let extra = Scopes::parse(if purpose.with_email { EMAIL_SCOPE } else { "" });
    let redirect = callback_address(state.address());
    match state.program().sign_in.begin(host, &redirect, &extra).await {
        Ok(attempt) => {
            let address = attempt.authorization_url().to_string();
            state.attempts().put(attempt, purpose);
            see_other(&address)
        }
        Err(error) => {
            say(
                state,
                format!("Signing in at {} could not begin: {error}", host.name()),
            );
            see_other("/sign-in")
        }
    }
}

/// Where PostHog leads back to. It ends on the home page in the same tab, which does not wait for anything:
/// projects and numbers stream in.
async fn callback(Extract(state): Extract<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let found = AuthorizationResponse::parse_query(query.as_deref().unwrap_or_default())
        .and_then(|response| Ok((state.attempts().find(&response)?, response)));
    let (entry, response) = match found {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(%error, "a callback was turned away");
            return foreign_callback(&state, &error);
        }
    };
    // In a task of its own: a page that is reloaded meanwhile must not leave a swap half done.
    let task = tokio::spawn(async move { end(&state, &entry, &response).await });
    task.await.unwrap_or_else(|_| see_other("/"))
}

async fn end(state: &Arc<State>, entry: &Entry, response: &AuthorizationResponse) -> Response {
    let completed = state
        .program()
        .sign_in
        .complete(&entry.attempt, response)
        .await;
    match completed {
        // The first response of the two is being exchanged, and tells the outcome.
        Err(CompleteError::AlreadyUsed) => return see_other("/"),
        Err(CompleteError::Callback(error)) => return foreign_callback(state, &error),
        _ => state.attempts().remove(&entry.attempt),
    }
    match completed {
        Ok(connection) => {
            if let Some(old) = &entry.purpose.replaces {
                banner::swap(state, old, &connection).await;
            }
            signed_in(state);
            see_other("/")
        }
        Err(error) => {
            tracing::info!(%error, "a sign-in did not end well");
            say(state, error);
            see_other("/sign-in")
        }
    }
}

/// Somebody is signed in now: what is looked at has to be asked for.
fn signed_in(state: &State) {
    state.announce(Change::Projects);
    state.refresher().hurry();
}

/// Rules R2, R3, R4 and R8: nothing changes, and a sign-in under way goes on waiting.
fn foreign_callback(state: &State, error: &CallbackError) -> Response {
    let view = Message {
        shell: state.shell(),
        title: "This is no sign-in that waits here".to_owned(),
        text: format!(
            "{} Nothing has changed. If you reloaded the page, you may be signed in already.",
            sentence(error)
        ),
        actions: vec![
            ("All projects".to_owned(), "/".to_owned()),
            ("Sign in".to_owned(), "/sign-in".to_owned()),
        ],
    };
    (StatusCode::BAD_REQUEST, page(message::render(&view))).into_response()
}

async fn api_key_form(Extract(state): Extract<Arc<State>>) -> Response {
    page(api_key::render(&empty_form(&state)))
}

/// The form for an API key with nothing typed.
fn empty_form(state: &State) -> ApiKey {
    let host = |region| state.program().clouds.host(region);
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
async fn add_api_key(
    Extract(state): Extract<Arc<State>>,
    Form(KeyForm { address, key }): Form<KeyForm>,
) -> Response {
    let key = SecretString::from(key);
    let fault = match state.program().clouds.parse(&address) {
        Err(error) => Fault::Address(sentence(error)),
        Ok(host) => match state.program().sign_in.add_api_key(&host, &key).await {
            Ok(_) => {
                state.allow_forms_to(&host);
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

fn refused(state: &State, address: String, fault: Fault) -> Response {
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
    #[serde(default)]
    confirmed: Option<String>,
}

/// Signs in at one's own PostHog with the browser, where that is offered. The first answer shows where the
/// way leads and lets the page's policy know that address; the second one leads there.
async fn begin_at_host(
    Extract(state): Extract<Arc<State>>,
    Form(form): Form<HostForm>,
) -> Response {
    let host = match state.program().clouds.parse(&form.address) {
        Ok(host) => host,
        Err(error) => return refused(&state, form.address, Fault::Address(sentence(error))),
    };
    if form.confirmed.is_some() || host.region().is_some() {
        return begin(&state, &host, Purpose::default()).await;
    }
    let redirect = callback_address(state.address());
    let tried = state
        .program()
        .sign_in
        .begin(&host, &redirect, &Scopes::default())
        .await;
    if let Err(error) = tried {
        return refused(&state, form.address, Fault::Address(sentence(error)));
    }
    state.allow_forms_to(&host);
    let view = ApiKey {
        address: form.address,
        browser: Some(host.name()),
        ..empty_form(&state)
    };
    page(api_key::render(&view))
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

impl Waiting {
    /// The Attempt that a response belongs to.
    fn find(&self, response: &AuthorizationResponse) -> Result<Entry, CallbackError> {
        let mut refusal = CallbackError::StateMismatch;
        for entry in lock(&self.0).iter() {
            match entry.attempt.accepts(response) {
                Ok(()) => return Ok(entry.clone()),
                Err(CallbackError::StateMismatch) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn remove(&self, attempt: &Arc<Attempt>) {
        lock(&self.0).retain(|entry| !Arc::ptr_eq(&entry.attempt, attempt));
    }

    fn put(&self, attempt: Attempt, purpose: Purpose) {
        let mut waiting = lock(&self.0);
        let patience = Duration::from_secs(ATTEMPT_SECONDS.unsigned_abs());
        waiting.retain(|entry| entry.since.elapsed() <= patience);
        if waiting.len() >= MOST_WAITING {
            waiting.remove(0);
        }
        waiting.push(Entry {
            attempt: Arc::new(attempt),
            purpose,
            since: Instant::now(),
        });
    }
}
