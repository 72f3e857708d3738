//! The refresh policy: what is due, given what has been asked recently.
//!
//! Decided from what is stored alone, so that the app, the command line and the widgets come to the same answer,
//! whichever of them asked last. docs/limits.md has the figures.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId};

use crate::access;
use crate::age;
use crate::causes::{self, Explanation, Question};
use crate::history::{self, Asked, Known};
use crate::overview::DayClock;
use crate::preferences::Preferences;
use crate::project::{Project, ProjectKey};
use crate::snapshot::{KnownDiscovery, SnapshotError, Snapshots, Trouble};

/// A list of projects that is at least this many seconds old is read again.
pub const LIST_SECONDS: i64 = 600;

/// What PostHog refuses for good is asked again this often, in seconds: permissions change.
const REFUSED_SECONDS: i64 = 600;

/// The longest rest after a failure that a retry can fix, in seconds.
const LONGEST_PAUSE: i64 = 60;

/// Closed days and causes are large queries: after a failure they rest this long, in seconds.
const HISTORY_PAUSE: i64 = 600;

/// The refresh interval that was chosen, in seconds.
pub fn cadence(preferences: &Preferences) -> i64 {
    i64::try_from(preferences.refresh.seconds()).unwrap_or(i64::MAX)
}

/// Seconds between two reads of closed days, so that a twentieth of the budget suffices for this many projects.
pub fn history_seconds(projects: usize, queries_per_hour: u32) -> i64 {
    let projects = i64::try_from(projects).unwrap_or(i64::MAX);
    projects.saturating_mul(3600 * 20) / i64::from(queries_per_hour).max(1)
}

/// How fresh somebody wants what is shown. Every answer is in seconds from now; 0 is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    now: Timestamp,
    max_age: i64,
    pause: i64,
    refused: i64,
    started: Option<Timestamp>,
}

impl Policy {
    /// Numbers that are at least `max_age` seconds old are due; none are due sooner because they failed.
    pub fn new(now: Timestamp, max_age: i64) -> Self {
        Self {
            now,
            max_age,
            pause: max_age.min(LONGEST_PAUSE),
            refused: REFUSED_SECONDS,
            started: None,
        }
    }

    /// Somebody asks for it right now: everything is due but what PostHog wants to be asked for later.
    pub fn on_request(now: Timestamp) -> Self {
        Self {
            refused: 0,
            ..Self::new(now, 0)
        }
    }

    /// What was asked since `started`, the start of this process, is not asked again by it.
    #[must_use]
    pub(crate) fn in_run_since(mut self, started: Timestamp) -> Self {
        self.started = Some(started);
        self
    }

    /// What failed is tried again without a pause: something else decides when.
    #[must_use]
    pub(crate) fn without_pause(mut self) -> Self {
        self.pause = 0;
        self
    }

    /// Numbers that are at least `max_age` seconds old are due, everything else is as before.
    #[must_use]
    pub(crate) fn with_max_age(mut self, max_age: i64) -> Self {
        self.max_age = max_age;
        self
    }

    /// The list of projects of an active Connection. What may have changed since it was read, a sign-in or the end
    /// of another Connection whose projects it may reach, makes it due at once.
    pub fn list(
        &self,
        known: Option<&KnownDiscovery>,
        connection: &Connection,
        connections: &[Connection],
    ) -> i64 {
        let Some(known) = known else {
            return 0;
        };
        if access::is_outdated(known, connection, connections, self.now) {
            return 0;
        }
        // It is stored to the second.
        let of_this_run = |started| age::is_since_second(known.found_at, started, self.now);
        if self.started.is_some_and(of_this_run) {
            return LIST_SECONDS;
        }
        let is_transient = known.failures.iter().any(|failure| failure.transient);
        let patience = match known.failures.is_empty() {
            true => LIST_SECONDS,
            false if is_transient => self.pause,
            false => self.refused,
        };
        self.left(known.found_at, patience)
    }

    /// Numbers or annotations that `connection` reads, from when they were measured and what happened to the last
    /// attempt.
    pub fn view(
        &self,
        measured: Option<Timestamp>,
        trouble: Option<&Trouble>,
        connection: &Connection,
    ) -> i64 {
        let fresh = measured.map_or(0, |measured| {
            if self
                .started
                .is_some_and(|started| age::is_since(measured, started, self.now))
            {
                return self.max_age.max(1);
            }
            self.left(measured, self.max_age)
        });
        fresh.max(trouble.map_or(0, |trouble| self.rest(trouble, connection)))
    }

    /// The closed days of a project: what was asked for, its clock, and the seconds between two reads that the budget
    /// allows.
    pub fn history(
        &self,
        known: Option<&Known>,
        trouble: Option<&Trouble>,
        (asked, clock, least): (&Asked, &DayClock, i64),
        connection: &Connection,
    ) -> i64 {
        let patient = Self {
            pause: self.pause.max(HISTORY_PAUSE),
            ..*self
        };
        let rest = trouble.map_or(0, |trouble| patient.rest(trouble, connection));
        history::Due::of(known, asked, clock, least)
            .seconds
            .max(rest)
    }

    /// What made a project move.
    pub fn causes(
        &self,
        explained: Option<&Explanation>,
        trouble: Option<&Trouble>,
        question: &Question,
        connection: &Connection,
    ) -> i64 {
        let patient = Self {
            pause: self.pause.max(HISTORY_PAUSE),
            ..*self
        };
        let rest = trouble.map_or(0, |trouble| patient.rest(trouble, connection));
        causes::seconds_until_due(explained, question, self.now).max(rest)
    }

    /// Whether numbers that were measured then are old even if the next read is late.
    pub(crate) fn is_behind(&self, measured: Option<Timestamp>) -> bool {
        measured.is_none_or(|measured| self.left(measured, self.max_age.saturating_mul(3)) == 0)
    }

    /// How long to leave alone what could not be read.
    fn rest(&self, trouble: &Trouble, connection: &Connection) -> i64 {
        if trouble.is_before(connection) || age::trusted(trouble.at, self.now).is_none() {
            return 0;
        }
        let patience = if trouble.transient {
            self.pause
        } else {
            self.refused
        };
        let of_this_run = |started| age::is_since(trouble.at, started, self.now);
        let rest = if self.started.is_some_and(of_this_run) {
            patience.max(1)
        } else {
            self.left(trouble.at, patience)
        };
        // PostHog has said when: to this program or to another one.
        let told = trouble.retry_at.map_or(0, |retry_at| {
            let millis = retry_at.as_millisecond() - self.now.as_millisecond();
            millis.max(0).saturating_add(999) / 1000
        });
        rest.max(told)
    }

    /// Seconds until something of `at` is `patience` seconds old. What a clock that was ahead noted is due.
    fn left(&self, at: Timestamp, patience: i64) -> i64 {
        age::seconds(at, self.now).map_or(0, |age| (patience - age).max(0))
    }
}

/// What is due of a home: today's numbers of these projects, and lists of projects.
#[derive(Debug, Default)]
pub struct Due {
    /// Projects whose numbers are due, in the order they were given in.
    pub numbers: Vec<Project>,
    /// Projects whose numbers are not due.
    pub resting: Vec<ProjectKey>,
    /// Active Connections whose list of projects is due.
    pub lists: HashSet<ConnectionId>,
}

impl Due {
    /// What is due of `projects` and of the lists of `connections`, of which ended ones are part.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read.
    pub(crate) fn of_home(
        snapshots: &Snapshots,
        connections: &[Connection],
        projects: Vec<Project>,
        policy: Policy,
    ) -> Result<Self, SnapshotError> {
        let mut due = Self::default();
        let active: HashMap<&ConnectionId, &Connection> = connections
            .iter()
            .filter(|connection| connection.is_active())
            .map(|connection| (&connection.id, connection))
            .collect();
        let troubles: HashMap<ProjectKey, Trouble> = snapshots.all_trouble()?.into_iter().collect();
        for project in projects {
            let Some(connection) = active.get(&project.connection) else {
                continue;
            };
            // On request, numbers are due whatever their age.
            let measured = match policy.max_age {
                0 => None,
                _ => snapshots
                    .today_summary(&project.key)?
                    .map(|known| known.measured_at),
            };
            if policy.view(measured, troubles.get(&project.key), connection) == 0 {
                due.numbers.push(project);
            } else {
                due.resting.push(project.key);
            }
        }
        for connection in active.values() {
            let known = snapshots.discovery(&connection.id)?;
            if policy.list(known.as_ref(), connection, connections) == 0 {
                due.lists.insert(connection.id.clone());
            }
        }
        Ok(due)
    }
}
