//! Signing in: by PostHog's own page, or with an API key.
//!
//! A button is a form; its answer leads to PostHog. PostHog leads back to `/callback`, which finds the
//! Attempt that the response belongs to, exchanges the code, and ends on the home page. Many Attempts wait
//! at once: a person may open both regions in two tabs. A response that belongs to none changes nothing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Response;
use sign_in_with_posthog::{ATTEMPT_SECONDS, Attempt, ConnectionId, Host, Scopes};
use url::Url;

use super::answer::see_other;
use super::state::{State, lock};
use crate::accounts::EMAIL_SCOPE;
use crate::pages::layout::{Notice, Tone};

/// Attempts that wait at most; past them the oldest makes room.
const MOST_WAITING: usize = 32;

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
            state.say(Notice {
                tone: Tone::Bad,
                text: format!("Signing in at {} could not begin: {error}.", host.name()),
                action: None,
            });
            see_other("/sign-in")
        }
    }
}

fn callback_address(app: &Url) -> Url {
    let mut url = app.clone();
    url.set_path("/callback");
    url
}

impl Waiting {
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
