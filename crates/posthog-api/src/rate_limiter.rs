//! How many requests run at once and per hour, and when PostHog asked to wait.
//!
//! PostHog counts requests and does not say how many are left, so the client keeps bounds of its own below
//! PostHog's: a request that would be refused anyway costs both sides. What is bounded depends on the credential
//! ([`Limits`]). PostHog counts the requests of a personal API key per minute and per hour, and gives its queries a
//! budget of bytes per project, which responses report (`X-PostHog-Query-Budget-Remaining-Bytes`). It does not
//! count the requests of an OAuth token today. That may change, so tokens have a budget per organization all the
//! same.
//!
//! A refusal applies only to what it is about. PostHog counts queries and other requests separately, so a pause of
//! one does not stop the other. A query that is refused with a time pauses its own project. A query that is refused
//! without a time was one too many at that moment, and fewer run at once from then on. A single project says
//! nothing about the hourly limit of all projects.
//!
//! Times are monotonic: while a laptop is suspended, a window seems shorter than it was, which errs on PostHog's
//! side. [`RateLimiter::slept`] corrects it.

mod limits;
mod place;
mod read_budget;
mod slots;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use self::limits::{Budget, Limits};
pub(crate) use self::place::Place;
use self::read_budget::ReadBudget;
pub(crate) use self::read_budget::Reading;
use self::slots::Slots;
use self::window::{MINUTE, Refusal, Window};
use crate::error::Error;

/// Queries per hour in projects that are still on PostHog's old limit of 120.
pub const OLD_QUERIES_PER_HOUR: u32 = 108;

/// The longest pause that a request waits out. A longer one is reported to the caller.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The rate limiter of one account: shared by all clones of its [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct RateLimiter(Arc<Inner>);

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
    /// A query of a project, in an organization if known.
    Query {
        project: u64,
        organization: Option<String>,
    },
}

impl RateLimiter {
    /// A limiter with these limits.
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

    /// How long PostHog still refuses all queries.
    pub fn pause(&self) -> Option<Duration> {
        left(self.state().queries_paused)
    }

    /// How long PostHog still refuses the queries of this project.
    pub fn pause_of(&self, project: u64) -> Option<Duration> {
        let state = self.state();
        let known = state.projects.get(&project);
        left(state.queries_paused).max(left(known.and_then(|known| known.paused)))
    }

    /// The device was suspended for this time. Pauses and hours went on in the meantime, but the monotonic clock did not.
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

    /// How long to wait before the next query of this project: PostHog's pause, or until its read budget has
    /// recovered. A refresh plan sends no query before.
    pub fn rest_of(&self, project: u64) -> Duration {
        let pause = self.pause_of(project).unwrap_or_default();
        let state = self.state();
        let known = state.projects.get(&project);
        pause.max(known.map_or(Duration::ZERO, |known| known.read_budget.rest()))
    }

    /// How many queries of this organization may run at once, as far as PostHog has accepted them.
    pub fn queries_at_once(&self, organization: &str) -> usize {
        let organizations = lock(&self.0.organizations);
        let most = self.0.limits.queries_at_once_per_organization.max(1);
        organizations
            .get(organization)
            .map_or(most, |slots| slots.limit())
    }

    /// Queries per hour that the budget of `organization` has. Falls to [`OLD_QUERIES_PER_HOUR`] once
    /// PostHog has shown that its old limit applies there. A refresh plan divides an hour by it.
    pub fn queries_per_hour(&self, organization: Option<&str>) -> u32 {
        self.window(&mut self.state(), organization).per_hour
    }

    /// How many queries of that budget may still be sent now, given those of the last hour.
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
mod tests;
