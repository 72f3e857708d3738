//! What a region remembers of its queries: responses in the cache, and asynchronous queries.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Seconds after which an asynchronous query is forgotten.
pub(crate) const STATUS_LIFETIME: i64 = 600;

/// The queries of a region.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    cache: Mutex<HashMap<String, Cached>>,
    asynchronous: Mutex<HashMap<String, Status>>,
}

#[derive(Clone, Debug)]
struct Cached {
    body: Value,
    made_at: Timestamp,
}

/// How far an asynchronous query is.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) project: u64,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    /// The body of the response, or why there is not one.
    pub(crate) outcome: Option<Result<Value, String>>,
}

impl Queries {
    /// The body in the cache, if it is younger than `fresh`.
    pub(crate) fn cached(&self, key: &str, fresh: SignedDuration, now: Timestamp) -> Option<Value> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = cache.get(key)?;
        (now.duration_since(cached.made_at) < fresh).then(|| cached.body.clone())
    }

    /// Puts a body into the cache.
    pub(crate) fn remember(&self, key: String, body: Value, made_at: Timestamp) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(key, Cached { body, made_at });
    }

    /// Begins an asynchronous query.
    pub(crate) fn begin(&self, id: String, status: Status) {
        self.lock().insert(id, status);
    }

    /// The end of an asynchronous query; the first one counts.
    pub(crate) fn end(&self, id: &str, now: Timestamp, outcome: Result<Value, String>) {
        if let Some(status) = self.lock().get_mut(id)
            && status.outcome.is_none()
        {
            status.ended_at = Some(now);
            status.outcome = Some(outcome);
        }
    }

    /// How far an asynchronous query is, unless it is unknown or forgotten.
    pub(crate) fn status(&self, id: &str, now: Timestamp) -> Option<Status> {
        let mut asynchronous = self.lock();
        asynchronous
            .retain(|_, status| now.as_second() - status.started_at.as_second() < STATUS_LIFETIME);
        asynchronous.get(id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Status>> {
        self.asynchronous
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
