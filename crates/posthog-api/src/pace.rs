//! How many requests run at once, how many an hour, and when PostHog asked to wait.
//!
//! PostHog sends no `X-RateLimit` headers to steer by, so the client keeps bounds of its own, below
//! PostHog's: requests that would be refused anyway cost both sides. What is bounded depends on the
//! credential ([`Limits`]). A personal API key is counted by the minute and by the hour; a token is not
//! counted today, which nobody promises, so it has a budget per organization all the same.
//!
//! Queries and other requests are counted apart at PostHog, so a pause of the one does not stop the other.
//! Times are monotonic: over a suspended laptop's night a window seems shorter than it was, which errs on
//! PostHog's side.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::error::Error;

/// Queries per hour in projects that are still on PostHog's old limit of 120.
pub const OLD_QUERIES_PER_HOUR: u32 = 108;

/// Longest pause of PostHog's that is waited out inside a request; a longer one is told to the caller.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(8);

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What one Connection allows itself. Every bound is at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests to anything but the query endpoint that run at once.
    pub requests_at_once: usize,
    /// Such requests per minute.
    pub requests_per_minute: u32,
    /// Such requests per hour.
    pub requests_per_hour: u32,
    /// Queries that run at once, over all organizations.
    pub queries_at_once: usize,
    /// Queries that run at once in one organization.
    pub queries_at_once_per_organization: usize,
    /// Queries that run at once in one project.
    pub queries_at_once_per_project: usize,
    /// Queries per minute of one budget.
    pub queries_per_minute: u32,
    /// Queries per hour of one budget.
    pub queries_per_hour: u32,
    /// Whether each organization has a budget, or all share one.
    pub budget: Budget,
}

/// Whose queries are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// All of the Connection.
    Connection,
    /// Those of one organization.
    Organization,
}

impl Limits {
    /// For tokens of OAuth. PostHog lets 20 queries run per organization and refuses the next at once,
    /// people in its web app included: 6 are left to them. It counts no minutes.
    pub const OAUTH: Self = Self {
        requests_at_once: 64,
        requests_per_minute: 430,
        requests_per_hour: 4_300,
        queries_at_once: 200,
        queries_at_once_per_organization: 14,
        queries_at_once_per_project: 14,
        queries_per_minute: u32::MAX,
        queries_per_hour: 2_200,
        budget: Budget::Organization,
    };

    /// For personal API keys: PostHog counts 240 queries a minute and 2,400 an hour, other requests 480
    /// and 4,800, and lets 3 queries run per project. A tenth is left to other programs of this device.
    pub const API_KEY: Self = Self {
        requests_at_once: 24,
        requests_per_minute: 430,
        requests_per_hour: 4_300,
        queries_at_once: 48,
        queries_at_once_per_organization: 48,
        queries_at_once_per_project: 3,
        queries_per_minute: 216,
        queries_per_hour: 2_160,
        budget: Budget::Connection,
    };
}

/// The pace of one Connection: shared by all clones of its [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    requests: Arc<Semaphore>,
    queries: Arc<Semaphore>,
    organizations: Mutex<HashMap<String, Arc<Semaphore>>>,
    projects: Mutex<HashMap<u64, Arc<Semaphore>>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    requests_paused: Option<Instant>,
    queries_paused: Option<Instant>,
    requests: Window,
    /// By organization, or one with an empty name.
    queries: HashMap<String, Window>,
}

/// What is about to be sent.
#[derive(Clone, Debug)]
pub(crate) enum Lane {
    /// Anything but a query.
    Request,
    /// A query of a project, in an organization where it is known.
    Query {
        project: u64,
        organization: Option<String>,
    },
}

impl Pace {
    /// A pace within these limits.
    pub fn new(limits: Limits) -> Self {
        let semaphore = |places: usize| Arc::new(Semaphore::new(places.max(1)));
        Self(Arc::new(Inner {
            requests: semaphore(limits.requests_at_once),
            queries: semaphore(limits.queries_at_once),
            organizations: Mutex::default(),
            projects: Mutex::default(),
            state: Mutex::new(State {
                requests_paused: None,
                queries_paused: None,
                requests: Window::new(limits.requests_per_minute, limits.requests_per_hour),
                queries: HashMap::new(),
            }),
            limits,
        }))
    }

    /// How long PostHog still wants to hear no query.
    pub fn pause(&self) -> Option<Duration> {
        left(self.state().queries_paused)
    }

    /// Queries per hour that the budget of `organization` has. Falls to [`OLD_QUERIES_PER_HOUR`] once
    /// PostHog has shown that its old limit holds there. Whoever refreshes on a timeline divides by it.
    pub fn queries_per_hour(&self, organization: Option<&str>) -> u32 {
        self.window(&mut self.state(), organization).per_hour
    }

    /// Queries of that budget that may still be sent now, the last hour's counted.
    pub fn queries_left(&self, organization: Option<&str>) -> u32 {
        let mut state = self.state();
        let window = self.window(&mut state, organization);
        window.forget_old(Instant::now());
        let sent = u32::try_from(window.sent.len()).unwrap_or(u32::MAX);
        window.per_hour.saturating_sub(sent)
    }

    /// Waits for a place among those that run at once.
    pub(crate) async fn place(&self, lane: &Lane) -> Place {
        let inner = &self.0;
        let Lane::Query {
            project,
            organization,
        } = lane
        else {
            return Place(vec![acquire(&inner.requests).await]);
        };
        let mut place = Vec::with_capacity(3);
        // The narrow bounds first: who waits for one of them must not hold a place that others could use.
        let at_once = inner.limits.queries_at_once_per_project;
        place.push(acquire(&of(&inner.projects, *project, at_once)).await);
        if let Some(organization) = organization {
            let at_once = inner.limits.queries_at_once_per_organization;
            let organization = of(&inner.organizations, organization.clone(), at_once);
            place.push(acquire(&organization).await);
        }
        place.push(acquire(&inner.queries).await);
        Place(place)
    }

    /// Waits until one more may be sent, and counts it.
    ///
    /// # Errors
    ///
    /// [`Error::RateLimited`] where PostHog's pause is long, [`Error::BudgetSpent`] where the hour is.
    pub(crate) async fn admit(&self, lane: &Lane) -> Result<(), Error> {
        loop {
            let wait = match self.ask(lane) {
                Ok(()) => return Ok(()),
                Err(Refusal::Paused(wait)) if wait > LONGEST_PAUSE => {
                    return Err(Error::RateLimited {
                        retry_after: Some(wait),
                    });
                }
                Err(Refusal::Hour(wait)) => return Err(Error::BudgetSpent { retry_after: wait }),
                Err(Refusal::Paused(wait) | Refusal::Minute(wait)) => wait,
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// PostHog refuses what is in this lane for `wait` from now on. A longer pause already under way stays.
    pub(crate) fn throttled(&self, lane: &Lane, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state();
        match lane {
            Lane::Request => extend(&mut state.requests_paused, until),
            Lane::Query { organization, .. } => {
                extend(&mut state.queries_paused, until);
                if wait > MINUTE {
                    self.window(&mut state, organization.as_deref())
                        .hourly_limit_hit();
                }
            }
        }
    }

    /// PostHog as a whole asks for `wait`.
    pub(crate) fn pause_all(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state();
        extend(&mut state.requests_paused, until);
        extend(&mut state.queries_paused, until);
    }

    fn ask(&self, lane: &Lane) -> Result<(), Refusal> {
        let mut state = self.state();
        let paused = match lane {
            Lane::Request => state.requests_paused,
            Lane::Query { .. } => state.queries_paused,
        };
        if let Some(left) = left(paused) {
            return Err(Refusal::Paused(left));
        }
        match lane {
            Lane::Request => state.requests.take(),
            Lane::Query { organization, .. } => {
                self.window(&mut state, organization.as_deref()).take()
            }
        }
    }

    fn window<'a>(&self, state: &'a mut State, organization: Option<&str>) -> &'a mut Window {
        let limits = self.0.limits;
        let name = match limits.budget {
            Budget::Connection => "",
            Budget::Organization => organization.unwrap_or_default(),
        };
        state
            .queries
            .entry(name.to_owned())
            .or_insert_with(|| Window::new(limits.queries_per_minute, limits.queries_per_hour))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

/// A place among the running requests; given back on drop.
#[derive(Debug)]
pub(crate) struct Place(
    #[expect(dead_code, reason = "held for its drop")] Vec<Option<OwnedSemaphorePermit>>,
);

/// Why not now, and for how long.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Paused(Duration),
    Minute(Duration),
    Hour(Duration),
}

/// What was sent within the last hour.
#[derive(Debug)]
struct Window {
    per_minute: u32,
    per_hour: u32,
    sent: VecDeque<Instant>,
}

impl Window {
    fn new(per_minute: u32, per_hour: u32) -> Self {
        Self {
            per_minute: per_minute.max(1),
            per_hour: per_hour.max(1),
            sent: VecDeque::new(),
        }
    }

    fn take(&mut self) -> Result<(), Refusal> {
        let now = Instant::now();
        self.forget_old(now);
        if let Some(wait) = self.wait(self.per_hour, HOUR, now) {
            return Err(Refusal::Hour(wait));
        }
        if let Some(wait) = self.wait(self.per_minute, MINUTE, now) {
            return Err(Refusal::Minute(wait));
        }
        self.sent.push_back(now);
        Ok(())
    }

    /// How long until fewer than `most` lie within `span`.
    fn wait(&self, most: u32, span: Duration, now: Instant) -> Option<Duration> {
        let at = self.sent.len().checked_sub(most as usize)?;
        let left = (*self.sent.get(at)? + span).checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some(&first) = self.sent.front()
            && now.duration_since(first) >= HOUR
        {
            self.sent.pop_front();
        }
    }

    /// PostHog has refused a query for longer than a minute: an hourly limit. Far from the usual one, it
    /// can only be the old one.
    fn hourly_limit_hit(&mut self) {
        self.forget_old(Instant::now());
        if self.sent.len() < self.per_hour as usize / 2 {
            self.per_hour = self.per_hour.min(OLD_QUERIES_PER_HOUR);
        }
    }
}

fn of<K: Eq + std::hash::Hash>(
    semaphores: &Mutex<HashMap<K, Arc<Semaphore>>>,
    key: K,
    places: usize,
) -> Arc<Semaphore> {
    let mut semaphores = lock(semaphores);
    let semaphore = semaphores
        .entry(key)
        .or_insert_with(|| Arc::new(Semaphore::new(places.max(1))));
    Arc::clone(semaphore)
}

async fn acquire(semaphore: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    // The semaphores are never closed; `None` would only mean one bound less.
    Arc::clone(semaphore).acquire_owned().await.ok()
}

fn left(until: Option<Instant>) -> Option<Duration> {
    let left = until?.checked_duration_since(Instant::now())?;
    (!left.is_zero()).then_some(left)
}

fn extend(pause: &mut Option<Instant>, until: Instant) {
    *pause = Some(pause.map_or(until, |known| known.max(until)));
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn query(project: u64, organization: &str) -> Lane {
        Lane::Query {
            project,
            organization: Some(organization.to_owned()),
        }
    }

    async fn is_free(pace: &Pace, lane: &Lane) -> bool {
        tokio::time::timeout(Duration::from_millis(20), pace.place(lane))
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_by_itself() {
        let pace = Pace::new(Limits::OAUTH);
        assert_eq!(pace.pause(), None);
        pace.throttled(&query(1, "a"), Duration::from_secs(57));
        assert_eq!(pace.pause(), Some(Duration::from_secs(57)));
        tokio::time::advance(Duration::from_secs(58)).await;
        assert_eq!(pace.pause(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_pause_does_not_end_a_longer_one() {
        let pace = Pace::new(Limits::OAUTH);
        pace.throttled(&query(1, "a"), Duration::from_secs(57));
        pace.throttled(&query(1, "a"), Duration::from_secs(1));
        assert_eq!(pace.pause(), Some(Duration::from_secs(57)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_queries_leaves_other_requests_alone() {
        let pace = Pace::new(Limits::API_KEY);
        pace.throttled(&query(1, "a"), Duration::from_secs(57));
        assert!(pace.admit(&Lane::Request).await.is_ok());
        let refused = pace.admit(&query(2, "b")).await;
        assert!(matches!(refused, Err(Error::RateLimited { .. })));
        pace.pause_all(Duration::from_secs(57));
        let refused = pace.admit(&Lane::Request).await;
        assert!(matches!(refused, Err(Error::RateLimited { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_pause_is_waited_out() {
        let pace = Pace::new(Limits::OAUTH);
        pace.throttled(&query(1, "a"), Duration::from_secs(5));
        let started = Instant::now();
        pace.admit(&query(1, "a")).await.unwrap();
        assert!(started.elapsed() >= Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn an_organization_has_its_own_bound() {
        let pace = Pace::new(Limits {
            queries_at_once_per_organization: 1,
            ..Limits::OAUTH
        });
        let _held = pace.place(&query(1, "a")).await;
        assert!(is_free(&pace, &query(2, "b")).await);
        assert!(!is_free(&pace, &query(3, "a")).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_runs_three_queries_of_a_project_at_once() {
        let pace = Pace::new(Limits::API_KEY);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(pace.place(&query(1, "a")).await);
        }
        assert!(!is_free(&pace, &query(1, "a")).await);
        assert!(is_free(&pace, &query(2, "a")).await);
        held.pop();
        assert!(is_free(&pace, &query(1, "a")).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_keys_minute_is_waited_for_and_never_exceeded() {
        let pace = Pace::new(Limits::API_KEY);
        let started = Instant::now();
        for _ in 0..Limits::API_KEY.queries_per_minute {
            pace.admit(&query(1, "a")).await.unwrap();
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        pace.admit(&query(2, "b")).await.unwrap();
        assert!(started.elapsed() >= MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_hour_is_told_with_its_end() {
        let pace = Pace::new(Limits::OAUTH);
        for _ in 0..Limits::OAUTH.queries_per_hour {
            pace.admit(&query(1, "a")).await.unwrap();
        }
        assert_eq!(pace.queries_left(Some("a")), 0);
        tokio::time::advance(Duration::from_secs(600)).await;
        let Err(Error::BudgetSpent { retry_after }) = pace.admit(&query(1, "a")).await else {
            panic!("the hour is not spent");
        };
        assert_eq!(retry_after, Duration::from_secs(3_000));
        // Another organization has its own.
        assert!(pace.admit(&query(9, "b")).await.is_ok());
        tokio::time::advance(retry_after).await;
        assert_eq!(pace.queries_left(Some("a")), Limits::OAUTH.queries_per_hour);
        assert!(pace.admit(&query(1, "a")).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_old_hourly_limit_is_learnt_from_the_refusal() {
        let pace = Pace::new(Limits::API_KEY);
        for _ in 0..120 {
            pace.admit(&query(1, "a")).await.unwrap();
        }
        pace.throttled(&query(1, "a"), Duration::from_secs(3_590));
        assert_eq!(pace.queries_per_hour(Some("a")), OLD_QUERIES_PER_HOUR);
        assert_eq!(pace.queries_left(Some("a")), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_for_some_seconds_teaches_nothing() {
        let pace = Pace::new(Limits::API_KEY);
        pace.throttled(&query(1, "a"), Duration::from_secs(57));
        let usual = Limits::API_KEY.queries_per_hour;
        assert_eq!(pace.queries_per_hour(Some("a")), usual);
    }
}
