//! Sign-ins that wait for the response of a browser.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sign_in_with_posthog::{ATTEMPT_SECONDS, Attempt, AuthorizationResponse, CallbackError};

use super::lock::lock;

/// Attempts that wait at most; past them the oldest makes room.
const MOST_WAITING: usize = 32;

/// Attempts whose response has not come.
#[derive(Debug, Default)]
pub struct PendingAttempts(Mutex<Vec<Entry>>);

/// One of them.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The sign-in.
    pub attempt: Arc<Attempt>,
    since: Instant,
}

impl PendingAttempts {
    /// The Attempt that a response of this browser belongs to.
    ///
    /// # Errors
    ///
    /// There is none, or it does not accept the response.
    pub fn find(
        &self,
        response: &AuthorizationResponse,
        cookies: &[&str],
    ) -> Result<Entry, CallbackError> {
        let mut refusal = CallbackError::StateMismatch;
        for entry in lock(&self.0).iter() {
            match entry.attempt.accepts_from_browser(response, cookies) {
                Ok(()) => return Ok(entry.clone()),
                Err(CallbackError::StateMismatch) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// The Attempt that begins at `/start/{id}`.
    pub fn started(&self, id: &str) -> Option<Entry> {
        lock(&self.0)
            .iter()
            .find(|entry| entry.attempt.starts_at(id) && entry.since.elapsed() <= patience())
            .cloned()
    }

    /// True if it was still waiting.
    pub fn remove(&self, attempt: &Arc<Attempt>) -> bool {
        let mut waiting = lock(&self.0);
        let before = waiting.len();
        waiting.retain(|entry| !Arc::ptr_eq(&entry.attempt, attempt));
        waiting.len() < before
    }

    /// Lets an Attempt wait for its response.
    pub fn put(&self, attempt: Arc<Attempt>) {
        let mut waiting = lock(&self.0);
        if waiting.len() >= MOST_WAITING {
            waiting.remove(0);
        }
        waiting.push(Entry {
            attempt,
            since: Instant::now(),
        });
    }
}

/// How long an Attempt waits.
pub fn patience() -> Duration {
    Duration::from_secs(ATTEMPT_SECONDS.unsigned_abs())
}
