//! Closed days, read by processes that end: commands and widgets. An app that is open reads them beside everything else.
//!
//! One process at a time does so, so that no project is asked for twice. Each project is stored as it arrives: what time is
//! too short for is left to the next process.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use pockethog_device::private_files::open_lock;
use sign_in_with_posthog::{Connection, ConnectionId};

use super::due::{self, Policy, cadence};
use super::{judging, refresh};
use crate::app_context::AppContext;
use crate::discovery::Cause;
use crate::moves::Baselines;
use crate::overview::DayClock;
use crate::preferences::Preferences;
use crate::project::Project;
use crate::snapshot::{SnapshotError, Snapshots, Trouble, View};

/// With less time than this left, nothing is asked any more.
const LEAST_TIME: Duration = Duration::from_millis(500);

/// So many large queries are under way at once: PostHog lets an organization run twenty, and the numbers of today of
/// other programs come first.
const AT_ONCE: usize = 4;

/// How long to wait before the next look at a lock that another process has.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Reads the closed days that are due of these projects, of at most `most` of them, until `deadline`, and judges the
/// projects by them. If another process does so, it is left to that one. Answers how many projects were read.
///
/// # Errors
///
/// The Snapshots cannot be read or written. What PostHog refuses is stored as trouble.
pub async fn closed_days(
    program: &AppContext,
    snapshots: &mut Snapshots,
    preferences: &Preferences,
    (projects, most): (&[Project], usize),
    deadline: Instant,
) -> Result<usize, SnapshotError> {
    let Some(lock) = lock(program) else {
        return Ok(0);
    };
    let turn = Turn::new(program, snapshots, preferences, deadline)?;
    turn.read(snapshots, projects, most, &lock).await
}

/// Reads the closed days that are due of all these projects, as [`closed_days`] does. Waits for another process that does
/// so, until `deadline`.
///
/// # Errors
///
/// As [`closed_days`].
pub async fn all_closed_days(
    program: &AppContext,
    snapshots: &mut Snapshots,
    preferences: &Preferences,
    projects: &[Project],
    deadline: Instant,
) -> Result<usize, SnapshotError> {
    let lock = loop {
        match try_lock(program) {
            Locked::Ours(lock) => break lock,
            Locked::Impossible => return Ok(0),
            Locked::Elsewhere => {}
        }
        if left(deadline) < LEAST_TIME {
            return Ok(0);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    let turn = Turn::new(program, snapshots, preferences, deadline)?;
    turn.read(snapshots, projects, projects.len(), &lock).await
}

/// What a process needs while it reads.
struct Turn<'a> {
    program: &'a AppContext,
    preferences: &'a Preferences,
    connections: HashMap<ConnectionId, Connection>,
    /// All projects: those of an organization share a budget.
    all: Vec<Project>,
    deadline: Instant,
}

impl<'a> Turn<'a> {
    fn new(
        program: &'a AppContext,
        snapshots: &Snapshots,
        preferences: &'a Preferences,
        deadline: Instant,
    ) -> Result<Self, SnapshotError> {
        let connections = program.active_connections().unwrap_or_default();
        Ok(Self {
            program,
            preferences,
            connections: connections
                .into_iter()
                .map(|connection| (connection.id.clone(), connection))
                .collect(),
            all: snapshots.projects()?,
            deadline,
        })
    }

    /// Whether a project is due is decided right before it is asked for: the app may have read it in the meantime.
    async fn read(
        &self,
        snapshots: &mut Snapshots,
        projects: &[Project],
        most: usize,
        _lock: &File,
    ) -> Result<usize, SnapshotError> {
        let mut waiting = projects.iter();
        let mut under_way = FuturesUnordered::new();
        let mut baselines = Baselines::default();
        let (mut asked, mut read) = (0, 0);
        loop {
            while under_way.len() < AT_ONCE && asked < most && left(self.deadline) >= LEAST_TIME {
                let Some(project) = waiting.next() else {
                    break;
                };
                let Some(connection) = self.connections.get(&project.connection) else {
                    continue;
                };
                if !self.is_due(snapshots, project, connection)? {
                    continue;
                }
                asked += 1;
                let query = self.preferences.asked(project);
                let known = snapshots.history(&project.key)?;
                let client = self.program.client(connection);
                under_way.push(async move {
                    let now = Timestamp::now();
                    let reading = refresh::history(&client, project, &query, known, now);
                    let answer = tokio::time::timeout_at(self.deadline.into(), reading).await;
                    (project, answer)
                });
            }
            let Some((project, answer)) = under_way.next().await else {
                return Ok(read);
            };
            let trouble = match answer {
                Ok(Ok(history)) => {
                    snapshots.put_history(&project.key, &history)?;
                    let key = std::slice::from_ref(&project.key);
                    judging::judge(snapshots, &mut baselines, self.preferences, key)?;
                    read += 1;
                    continue;
                }
                Ok(Err(error)) => error.trouble(Timestamp::now()),
                // It rests now, so that not every process spends its time on it.
                Err(_) => Trouble {
                    at: Timestamp::now(),
                    reason: "PostHog did not answer in time".to_owned(),
                    transient: true,
                    cause: Cause::Busy,
                    retry_at: None,
                },
            };
            snapshots.put_trouble(&project.key, View::History, &trouble)?;
        }
    }

    fn is_due(
        &self,
        snapshots: &Snapshots,
        project: &Project,
        connection: &Connection,
    ) -> Result<bool, SnapshotError> {
        if !connection.grant.scopes.allows("query:read") {
            return Ok(false);
        }
        let now = Timestamp::now();
        let trouble = snapshots.trouble(&project.key, View::History)?;
        let known = snapshots.known_history(&project.key)?;
        let same_budget = self.all.iter().filter(|other| {
            other.connection == project.connection && other.organization == project.organization
        });
        let client = self.program.client(connection);
        let per_hour = client
            .rate_limiter()
            .queries_per_hour(project.organization.as_deref());
        let least = due::history_seconds(same_budget.count(), per_hour);
        let clock = DayClock::new(&project.time_zone, now);
        let query = self.preferences.asked(project);
        let policy = Policy::new(now, cadence(self.preferences));
        let of = (&query, &clock, least);
        Ok(policy.history(known.as_ref(), trouble.as_ref(), of, connection) == 0)
    }
}

/// The lock that is held while closed days are read.
enum Locked {
    Ours(File),
    /// Another process reads them.
    Elsewhere,
    /// Nothing can be stored there.
    Impossible,
}

fn lock(program: &AppContext) -> Option<File> {
    match try_lock(program) {
        Locked::Ours(file) => Some(file),
        Locked::Elsewhere | Locked::Impossible => None,
    }
}

fn try_lock(program: &AppContext) -> Locked {
    let path = program.folders.snapshots().with_extension("history.lock");
    let Ok(file) = open_lock(&path) else {
        return Locked::Impossible;
    };
    match file.try_lock() {
        Ok(()) => Locked::Ours(file),
        Err(TryLockError::WouldBlock) => Locked::Elsewhere,
        Err(TryLockError::Error(_)) => Locked::Impossible,
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
