//! How many requests run at once, and when PostHog asked to wait.
//!
//! PostHog allows an organization 20 queries at a time by OAuth, shared with the people who use its
//! web app, and a personal API key 3 per project. There are no `X-RateLimit` headers to steer by, so
//! the client keeps a bound of its own and, once told to wait, sends nothing until the time is over:
//! requests that would be refused anyway cost both sides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Requests to anything but the query endpoint that run at once per Connection.
pub const REQUESTS_AT_ONCE: usize = 24;

/// Queries that run at once per Connection, over all organizations.
pub const QUERIES_AT_ONCE: usize = 32;

/// Queries that run at once per organization: leaves 6 of PostHog's 20 to people.
pub const QUERIES_AT_ONCE_PER_ORGANIZATION: usize = 14;

/// The pace of one Connection: shared by all clones of its [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    requests: Arc<Semaphore>,
    queries: Arc<Semaphore>,
    queries_per_organization: usize,
    organizations: Mutex<HashMap<String, Arc<Semaphore>>>,
    paused_until: Mutex<Option<Instant>>,
}

impl Pace {
    /// The usual pace, within PostHog's limits for both kinds of credential.
    pub fn new() -> Self {
        Self::with_limits(
            REQUESTS_AT_ONCE,
            QUERIES_AT_ONCE,
            QUERIES_AT_ONCE_PER_ORGANIZATION,
        )
    }

    /// A pace with its own bounds, each at least 1.
    pub fn with_limits(requests: usize, queries: usize, queries_per_organization: usize) -> Self {
        Self(Arc::new(Inner {
            requests: Arc::new(Semaphore::new(requests.max(1))),
            queries: Arc::new(Semaphore::new(queries.max(1))),
            queries_per_organization: queries_per_organization.max(1),
            organizations: Mutex::new(HashMap::new()),
            paused_until: Mutex::new(None),
        }))
    }

    /// How long PostHog still wants to be left alone.
    pub fn pause(&self) -> Option<Duration> {
        let until = (*lock(&self.0.paused_until))?;
        let left = until.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then_some(left)
    }

    /// Sends nothing for `wait` from now on; a longer pause already under way stays.
    pub(crate) fn pause_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut paused = lock(&self.0.paused_until);
        *paused = Some(paused.map_or(until, |known| known.max(until)));
    }

    /// Waits for a place among the ordinary requests.
    pub(crate) async fn request(&self) -> Place {
        Place(vec![acquire(&self.0.requests).await])
    }

    /// Waits for a place among the queries, of `organization` where it is known.
    pub(crate) async fn query(&self, organization: Option<&str>) -> Place {
        let mut place = Vec::with_capacity(2);
        if let Some(organization) = organization {
            let semaphore = Arc::clone(
                lock(&self.0.organizations)
                    .entry(organization.to_owned())
                    .or_insert_with(|| Arc::new(Semaphore::new(self.0.queries_per_organization))),
            );
            place.push(acquire(&semaphore).await);
        }
        place.push(acquire(&self.0.queries).await);
        Place(place)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new()
    }
}

/// A place among the running requests; given back on drop.
#[derive(Debug)]
pub(crate) struct Place(
    #[expect(dead_code, reason = "held for its drop")] Vec<Option<OwnedSemaphorePermit>>,
);

async fn acquire(semaphore: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    // The semaphores are never closed; `None` would only mean one bound less.
    Arc::clone(semaphore).acquire_owned().await.ok()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_by_itself() {
        let pace = Pace::new();
        assert_eq!(pace.pause(), None);
        pace.pause_for(Duration::from_secs(57));
        assert_eq!(pace.pause(), Some(Duration::from_secs(57)));
        tokio::time::advance(Duration::from_secs(58)).await;
        assert_eq!(pace.pause(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_pause_does_not_end_a_longer_one() {
        let pace = Pace::new();
        pace.pause_for(Duration::from_secs(57));
        pace.pause_for(Duration::from_secs(1));
        assert_eq!(pace.pause(), Some(Duration::from_secs(57)));
    }

    #[tokio::test]
    async fn an_organization_has_its_own_bound() {
        let pace = Pace::with_limits(9, 9, 1);
        let _held = pace.query(Some("a")).await;
        let _other = pace.query(Some("b")).await;
        let third = tokio::time::timeout(Duration::from_millis(20), pace.query(Some("a"))).await;
        assert!(third.is_err());
    }
}
