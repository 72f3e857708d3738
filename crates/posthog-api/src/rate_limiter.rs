//! How many requests run at once, how many an hour, and when PostHog asked to wait.
//!
//! PostHog counts requests and says nothing about how many are left, so the client keeps bounds of its own,
//! below PostHog's: requests that would be refused anyway cost both sides. What is bounded depends on the
//! credential ([`Limits`]). A personal API key is counted by the minute and by the hour, and its queries have
//! a budget of bytes per project, of which the answers tell (`X-PostHog-Query-Budget-Remaining-Bytes`); a token
//! is not counted today, which nobody promises, so it has a budget per organization all the same.
//!
//! A refusal reaches as far as what it is about. Queries and other requests are counted apart at PostHog, so a
//! pause of the one does not stop the other; a query that is refused with a time pauses its own project; one
//! that is refused without a time was one too many at that moment, and fewer run at once from then on. Nothing
//! is concluded about the hourly limit of all projects from a single one.
//!
//! Times are monotonic: over a suspended laptop's night a window seems shorter than it was, which errs on
//! PostHog's side.

mod read_budget;
mod slots;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use self::read_budget::ReadBudget;
pub(crate) use self::read_budget::Reading;
use self::slots::{Slot, Slots};
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
    queries: Arc<Slots>,
    organizations: Mutex<HashMap<String, Arc<Slots>>>,
    projects: Mutex<HashMap<u64, Arc<Slots>>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    requests_paused: Option<Instant>,
    queries_paused: Option<Instant>,
    requests: Window,
    /// By organization, or one with an empty name.
    queries: HashMap<String, Window>,
    projects: HashMap<u64, ProjectState>,
}

/// What PostHog has said about the queries of one project.
#[derive(Debug, Default)]
struct ProjectState {
    paused: Option<Instant>,
    /// Whether the pause is about what was read, and not about how often was asked.
    has_read_too_much: bool,
    read_budget: ReadBudget,
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
        Self(Arc::new(Inner {
            requests: Arc::new(Semaphore::new(limits.requests_at_once.max(1))),
            queries: Slots::new(limits.queries_at_once),
            organizations: Mutex::default(),
            projects: Mutex::default(),
            state: Mutex::new(State {
                requests_paused: None,
                queries_paused: None,
                requests: Window::new(limits.requests_per_minute, limits.requests_per_hour),
                queries: HashMap::new(),
                projects: HashMap::new(),
            }),
            limits,
        }))
    }

    /// How long PostHog still wants to hear no query at all.
    pub fn pause(&self) -> Option<Duration> {
        left(self.state().queries_paused)
    }

    /// How long PostHog still wants to hear no query of this project.
    pub fn pause_of(&self, project: u64) -> Option<Duration> {
        let state = self.state();
        let known = state.projects.get(&project);
        left(state.queries_paused).max(left(known.and_then(|known| known.paused)))
    }

    /// The device has slept for so long. Pauses and hours went on meanwhile, and the clock that they are measured
    /// by stood still.
    pub fn slept(&self, time: Duration) {
        let earlier = |pause: &mut Option<Instant>| {
            *pause = pause.and_then(|until| until.checked_sub(time));
        };
        let mut state = self.state();
        let state = &mut *state;
        earlier(&mut state.requests_paused);
        earlier(&mut state.queries_paused);
        for project in state.projects.values_mut() {
            earlier(&mut project.paused);
        }
        for window in state.queries.values_mut().chain([&mut state.requests]) {
            let sent = std::mem::take(&mut window.sent).into_iter();
            window.sent = sent.filter_map(|at| at.checked_sub(time)).collect();
            earlier(&mut window.refused_since);
        }
    }

    /// How long the next query of this project had better wait: PostHog's pause, or until its read budget has
    /// recovered. Whoever refreshes on a timeline asks no sooner.
    pub fn rest_of(&self, project: u64) -> Duration {
        let pause = self.pause_of(project).unwrap_or_default();
        let state = self.state();
        let known = state.projects.get(&project);
        pause.max(known.map_or(Duration::ZERO, |known| known.read_budget.rest()))
    }

    /// How many queries of this organization run at once at most, as far as PostHog has let them.
    pub fn queries_at_once(&self, organization: &str) -> usize {
        let organizations = lock(&self.0.organizations);
        let most = self.0.limits.queries_at_once_per_organization.max(1);
        organizations
            .get(organization)
            .map_or(most, |slots| slots.limit())
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
            let requests = Arc::clone(&inner.requests);
            // The semaphore is never closed; `None` would only mean one bound less.
            return Place::Request(requests.acquire_owned().await.ok());
        };
        // The narrow bounds first: who waits for one of them must not hold a place that others could use.
        let at_once = inner.limits.queries_at_once_per_project;
        let of_project = of(&inner.projects, *project, at_once).take().await;
        let of_organization = if let Some(organization) = organization {
            let at_once = inner.limits.queries_at_once_per_organization;
            let slots = of(&inner.organizations, organization.clone(), at_once);
            Some(slots.take().await)
        } else {
            None
        };
        let of_all = inner.queries.take().await;
        // PostHog counts the queries of tokens by organization, those of keys by project.
        let (bound, other) = match (inner.limits.budget, of_organization) {
            (Budget::Organization, Some(of_organization)) => (of_organization, Some(of_project)),
            (_, other) => (of_project, other),
        };
        Place::Query {
            bound,
            others: (other, of_all),
        }
    }

    /// Waits until one more may be sent, and counts it.
    ///
    /// # Errors
    ///
    /// [`Error::RateLimited`] if PostHog's pause is long, [`Error::ReadBudget`] if the project has nearly
    /// read what it may, [`Error::BudgetSpent`] if the hour is spent.
    pub(crate) async fn admit(&self, lane: &Lane) -> Result<(), Error> {
        loop {
            let wait = match self.ask(lane) {
                Ok(()) => return Ok(()),
                Err(Refusal::Paused(wait)) if wait > LONGEST_PAUSE => {
                    return Err(Error::RateLimited {
                        retry_after: Some(wait),
                    });
                }
                Err(Refusal::ReadBudget(wait)) if wait > LONGEST_PAUSE => {
                    return Err(Error::ReadBudget {
                        retry_after: Some(wait),
                    });
                }
                Err(Refusal::Hour(wait)) => return Err(Error::BudgetSpent { retry_after: wait }),
                Err(Refusal::Paused(wait) | Refusal::ReadBudget(wait) | Refusal::Minute(wait)) => {
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// PostHog refuses what is in this lane for `wait` from now on: all other requests, or the queries of this
    /// one project. A longer pause already under way stays.
    pub(crate) fn throttled(&self, lane: &Lane, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state();
        let Lane::Query {
            project,
            organization,
        } = lane
        else {
            extend(&mut state.requests_paused, until);
            return;
        };
        let known = state.projects.entry(*project).or_default();
        extend(&mut known.paused, until);
        known.has_read_too_much = false;
        // Where PostHog keeps a read budget, an hour's pause is about that.
        if wait > MINUTE && !known.read_budget.is_known() {
            self.window(&mut state, organization.as_deref())
                .refused_for_long(*project);
        }
    }

    /// PostHog refuses the queries of this project for `wait`: it has read what it may.
    pub(crate) fn has_read_too_much(&self, lane: &Lane, wait: Duration) {
        if let Lane::Query { project, .. } = lane {
            let mut state = self.state();
            let known = state.projects.entry(*project).or_default();
            extend(&mut known.paused, Instant::now() + wait);
            known.has_read_too_much = true;
        }
    }

    /// What the headers of an answer said about the read budget of its project.
    pub(crate) fn note_reading(&self, lane: &Lane, reading: Reading) {
        if let Lane::Query { project, .. } = lane
            && reading != Reading::default()
        {
            let mut state = self.state();
            let known = state.projects.entry(*project).or_default();
            known.read_budget.note(reading);
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
        let Lane::Query {
            project,
            organization,
        } = lane
        else {
            return match left(state.requests_paused) {
                Some(left) => Err(Refusal::Paused(left)),
                None => state.requests.take(),
            };
        };
        if let Some(left) = left(state.queries_paused) {
            return Err(Refusal::Paused(left));
        }
        if let Some(known) = state.projects.get(project) {
            if let Some(left) = left(known.paused) {
                return Err(if known.has_read_too_much {
                    Refusal::ReadBudget(left)
                } else {
                    Refusal::Paused(left)
                });
            }
            let rest = known.read_budget.rest();
            if !rest.is_zero() {
                return Err(Refusal::ReadBudget(rest));
            }
        }
        self.window(&mut state, organization.as_deref()).take()
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
pub(crate) enum Place {
    /// Among those that are no queries.
    Request(#[expect(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>),
    /// Among the queries.
    Query {
        /// What PostHog counts: the organization's, or the project's.
        bound: Slot,
        #[expect(dead_code, reason = "held for its drop")]
        others: (Option<Slot>, Slot),
    },
}

impl Place {
    /// PostHog answered what was in this place.
    pub(crate) fn answered(&self) {
        if let Self::Query { bound, .. } = self {
            bound.answered();
        }
    }

    /// PostHog refused what was in this place for being too many at once.
    pub(crate) fn refused(&self) {
        if let Self::Query { bound, .. } = self {
            bound.refused();
        }
    }
}

/// Why not now, and for how long.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Paused(Duration),
    ReadBudget(Duration),
    Minute(Duration),
    Hour(Duration),
}

/// What was sent within the last hour.
#[derive(Debug)]
struct Window {
    per_minute: u32,
    per_hour: u32,
    sent: VecDeque<Instant>,
    /// The projects that were refused for longer than a minute within the last hour.
    refused_for_long: HashSet<u64>,
    refused_since: Option<Instant>,
}

impl Window {
    fn new(per_minute: u32, per_hour: u32) -> Self {
        Self {
            per_minute: per_minute.max(1),
            per_hour: per_hour.max(1),
            sent: VecDeque::new(),
            refused_for_long: HashSet::new(),
            refused_since: None,
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

    /// PostHog has refused queries of a project for longer than a minute. One project may have limits of its
    /// own. If a second one is refused as well, it is an hourly limit of all; far from the usual one, it can
    /// only be the old one.
    fn refused_for_long(&mut self, project: u64) {
        let now = Instant::now();
        if self
            .refused_since
            .is_none_or(|since| now.duration_since(since) >= HOUR)
        {
            self.refused_since = Some(now);
            self.refused_for_long.clear();
        }
        self.refused_for_long.insert(project);
        self.forget_old(now);
        if self.refused_for_long.len() > 1 && self.sent.len() < self.per_hour as usize / 2 {
            self.per_hour = self.per_hour.min(OLD_QUERIES_PER_HOUR);
        }
    }
}

fn of<K: Eq + std::hash::Hash>(
    all: &Mutex<HashMap<K, Arc<Slots>>>,
    key: K,
    places: usize,
) -> Arc<Slots> {
    let mut all = lock(all);
    Arc::clone(all.entry(key).or_insert_with(|| Slots::new(places)))
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
        assert_eq!(pace.pause_of(1), None);
        pace.throttled(&query(1, "a"), Duration::from_secs(57));
        assert_eq!(pace.pause_of(1), Some(Duration::from_secs(57)));
        tokio::time::advance(Duration::from_secs(58)).await;
        assert_eq!(pace.pause_of(1), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_goes_on_while_the_device_sleeps() {
        let pace = Pace::new(Limits::OAUTH);
        // A machine that has just started has no earlier instants.
        tokio::time::advance(Duration::from_secs(36_000)).await;
        pace.throttled(&query(1, "o"), Duration::from_secs(3600));
        pace.pause_all(Duration::from_secs(600));
        pace.slept(Duration::from_secs(660));
        assert_eq!(pace.pause(), None);
        assert_eq!(pace.pause_of(1), Some(Duration::from_secs(2940)));
        pace.slept(Duration::from_secs(8 * 3600));
        assert_eq!(pace.pause_of(1), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_pause_does_not_end_a_longer_one() {
        let pace = Pace::new(Limits::OAUTH);
        pace.throttled(&query(1, "a"), Duration::from_secs(57));
        pace.throttled(&query(1, "a"), Duration::from_secs(1));
        assert_eq!(pace.pause_of(1), Some(Duration::from_secs(57)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_one_project_leaves_everything_else_alone() {
        let pace = Pace::new(Limits::API_KEY);
        pace.throttled(&query(1, "a"), Duration::from_secs(3600));
        assert!(pace.admit(&Lane::Request).await.is_ok());
        assert!(pace.admit(&query(2, "a")).await.is_ok());
        let refused = pace.admit(&query(1, "a")).await;
        assert!(matches!(refused, Err(Error::RateLimited { .. })));
        assert_eq!(pace.pause(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_the_other_requests_leaves_queries_alone() {
        let pace = Pace::new(Limits::API_KEY);
        pace.throttled(&Lane::Request, Duration::from_secs(57));
        assert!(pace.admit(&query(2, "b")).await.is_ok());
        pace.pause_all(Duration::from_secs(57));
        for lane in [Lane::Request, query(2, "b")] {
            let refused = pace.admit(&lane).await;
            assert!(matches!(refused, Err(Error::RateLimited { .. })));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_read_budget_is_named_and_is_its_projects_own() {
        let pace = Pace::new(Limits::API_KEY);
        pace.has_read_too_much(&query(1, "a"), Duration::from_secs(1800));
        let Err(Error::ReadBudget { retry_after }) = pace.admit(&query(1, "a")).await else {
            panic!("the budget is not spent");
        };
        assert_eq!(retry_after, Some(Duration::from_secs(1800)));
        assert_eq!(pace.rest_of(1), Duration::from_secs(1800));
        assert!(pace.admit(&query(2, "a")).await.is_ok());
        let usual = Limits::API_KEY.queries_per_hour;
        assert_eq!(pace.queries_per_hour(Some("a")), usual);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_budget_that_runs_low_slows_its_project_down_before_the_refusal() {
        let pace = Pace::new(Limits::API_KEY);
        let reading = |remaining| Reading {
            read: Some(142_000_000),
            remaining: Some(remaining),
        };
        pace.note_reading(&query(1, "a"), reading(480_000_000_000));
        assert_eq!(pace.rest_of(1), Duration::ZERO);
        pace.note_reading(&query(1, "a"), reading(142_000_000));
        assert!(pace.rest_of(1) >= Duration::from_secs(25));
        assert!(matches!(
            pace.admit(&query(1, "a")).await,
            Err(Error::ReadBudget { .. })
        ));
        assert_eq!(pace.rest_of(2), Duration::ZERO);
        tokio::time::advance(Duration::from_secs(120)).await;
        assert!(pace.admit(&query(1, "a")).await.is_ok());
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
    async fn the_old_hourly_limit_is_learnt_from_the_refusals_of_two_projects() {
        let pace = Pace::new(Limits::API_KEY);
        for _ in 0..120 {
            pace.admit(&query(1, "a")).await.unwrap();
        }
        let usual = Limits::API_KEY.queries_per_hour;
        for _ in 0..3 {
            pace.throttled(&query(1, "a"), Duration::from_secs(3_590));
            assert_eq!(pace.queries_per_hour(Some("a")), usual, "one project");
        }
        pace.throttled(&query(2, "a"), Duration::from_secs(3_590));
        assert_eq!(pace.queries_per_hour(Some("a")), OLD_QUERIES_PER_HOUR);
        assert_eq!(pace.queries_left(Some("a")), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_for_some_seconds_teaches_nothing() {
        let pace = Pace::new(Limits::API_KEY);
        pace.throttled(&query(1, "a"), Duration::from_secs(57));
        pace.throttled(&query(2, "a"), Duration::from_secs(57));
        let usual = Limits::API_KEY.queries_per_hour;
        assert_eq!(pace.queries_per_hour(Some("a")), usual);
    }
}
