//! Closed days, read by processes that end soon: widgets and commands.
//!
//! An app that is open reads them beside everything else. If widgets run alone, each of them reads what is due of its
//! projects, after it has printed, as long as its time lasts; the next one goes on.

use std::collections::HashMap;
use std::fs::File;
use std::time::{Duration, Instant};

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

/// Reads the closed days that are due of these projects, of at most `most` of them, one after the other, until
/// `deadline`. One process at a time does so; the others leave it to that one. Answers how many projects were read.
///
/// # Errors
///
/// The Snapshots cannot be read or written.
pub async fn closed_days(
    program: &AppContext,
    snapshots: &mut Snapshots,
    preferences: &Preferences,
    (projects, most): (&[Project], usize),
    deadline: Instant,
) -> Result<usize, SnapshotError> {
    let Some(_lock) = lock(program) else {
        return Ok(0);
    };
    let connections: HashMap<ConnectionId, Connection> = program
        .active_connections()
        .unwrap_or_default()
        .into_iter()
        .map(|connection| (connection.id.clone(), connection))
        .collect();
    let all = snapshots.projects()?;
    let mut baselines = Baselines::default();
    let mut read = 0;
    for project in projects {
        if read == most || deadline.saturating_duration_since(Instant::now()) < LEAST_TIME {
            break;
        }
        let Some(connection) = connections.get(&project.connection) else {
            continue;
        };
        if !is_due(program, snapshots, preferences, &all, project, connection)? {
            continue;
        }
        let (asked, now) = (preferences.asked(project), Timestamp::now());
        let known = snapshots.history(&project.key)?;
        let client = program.client(connection);
        let reading = refresh::history(&client, project, &asked, known, now);
        let answer = tokio::time::timeout_at(deadline.into(), reading).await;
        match answer {
            Ok(Ok(history)) => {
                snapshots.put_history(&project.key, &history)?;
                let key = std::slice::from_ref(&project.key);
                judging::judge(snapshots, &mut baselines, preferences, key)?;
                read += 1;
            }
            Ok(Err(error)) => {
                let trouble = error.trouble(Timestamp::now());
                snapshots.put_trouble(&project.key, View::History, &trouble)?;
                if error.needs_sign_in() {
                    break;
                }
            }
            Err(_) => {
                // It rests now, so that not every widget spends its time on it.
                let trouble = Trouble {
                    at: Timestamp::now(),
                    reason: "PostHog did not answer in time".to_owned(),
                    transient: true,
                    cause: Cause::Busy,
                    retry_at: None,
                };
                snapshots.put_trouble(&project.key, View::History, &trouble)?;
                break;
            }
        }
    }
    Ok(read)
}

/// Held while closed days are read. `None` if another process does so, or nothing can be stored.
fn lock(program: &AppContext) -> Option<File> {
    let path = program.folders.snapshots().with_extension("history.lock");
    let file = open_lock(&path).ok()?;
    file.try_lock().is_ok().then_some(file)
}

fn is_due(
    program: &AppContext,
    snapshots: &Snapshots,
    preferences: &Preferences,
    all: &[Project],
    project: &Project,
    connection: &Connection,
) -> Result<bool, SnapshotError> {
    if !connection.grant.scopes.allows("query:read") {
        return Ok(false);
    }
    let now = Timestamp::now();
    let trouble = snapshots.trouble(&project.key, View::History)?;
    let known = snapshots.known_history(&project.key)?;
    let same_budget = all.iter().filter(|other| {
        other.connection == project.connection && other.organization == project.organization
    });
    let client = program.client(connection);
    let per_hour = client
        .rate_limiter()
        .queries_per_hour(project.organization.as_deref());
    let least = due::history_seconds(same_budget.count(), per_hour);
    let clock = DayClock::new(&project.time_zone, now);
    let asked = preferences.asked(project);
    let policy = Policy::new(now, cadence(preferences));
    let seconds = policy.history(
        known.as_ref(),
        trouble.as_ref(),
        (&asked, &clock, least),
        connection,
    );
    Ok(seconds == 0)
}
