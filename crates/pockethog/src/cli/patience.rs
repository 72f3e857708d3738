//! One time limit for a whole run, however many requests it makes and however slow the responses are.

use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use sign_in_with_posthog::{Connection, SignIn};
use tokio::runtime::Runtime;

use super::console::{CliError, Console, Exit, TimeIsUp};
use pockethog_core::age;
use pockethog_core::app_context::AppContext;
use pockethog_core::discovery::{Cause, Failure};
use pockethog_core::live::due::LIST_SECONDS;
use pockethog_core::overview::{Period, Today};
use pockethog_core::project::Project;
use pockethog_core::snapshot::{SnapshotError, Snapshots, Trouble, View};

/// How long a token that is being renewed may take once a run's time is over. PostHog takes a spent refresh token
/// again for two minutes, so one that takes longer is renewed by the next run.
const TOKEN_GRACE: Duration = Duration::from_secs(3);

/// How long files that are being written may take once a run's time is over.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// The option of the commands that ask PostHog.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Patience {
    /// How long to wait for PostHog in total, for example 10s or 2m.
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        value_parser = super::duration::duration,
        default_value = "25s"
    )]
    pub(super) timeout: Duration,
}

/// Runs a command that gives up once it has waited for PostHog long enough. What works on for it is left alone
/// then, but for a token that is being renewed: it is waited for a moment, so that it is stored and not thrown away.
pub(super) fn in_time(
    program: &AppContext,
    console: &Console,
    work: impl Future<Output = Result<Exit, CliError>>,
) -> Result<Exit, CliError> {
    let runtime = super::runtime()?;
    let ended = runtime.block_on(work);
    console.flush();
    if let Err(error) = runtime.block_on(program.sign_in.remove_replaced()) {
        tracing::warn!(%error, "a replaced API key is still stored");
    }
    after_renewals(&runtime, &program.sign_in);
    if console.time_is_up() {
        runtime.shutdown_timeout(LAST_WRITES);
    }
    ended
}

/// Waits a moment for tokens that are being renewed, before the runtime is shut down: it would cut the renewal
/// wherever it is.
pub(super) fn after_renewals(runtime: &Runtime, sign_in: &SignIn) {
    runtime.block_on(async {
        tokio::time::timeout(TOKEN_GRACE, sign_in.close())
            .await
            .ok()
    });
}

/// Notes beside the last numbers of each project that they could not be read again in time.
///
/// # Errors
///
/// Snapshots that cannot be read or written.
pub(super) fn give_up_numbers<'a>(
    snapshots: &mut Snapshots,
    projects: impl IntoIterator<Item = &'a Project>,
    view: View,
    started: Timestamp,
    time: TimeIsUp,
) -> Result<(), SnapshotError> {
    let now = Timestamp::now();
    let trouble = Trouble {
        at: now,
        reason: time.to_string(),
        transient: true,
        cause: Cause::Busy,
        retry_at: None,
    };
    for project in projects {
        let measured = if view == View::Today {
            let known: Option<Today> = snapshots.view(&project.key, view)?;
            known.map(|known| known.measured_at)
        } else {
            let known: Option<Period> = snapshots.view(&project.key, view)?;
            known.map(|known| known.measured_at)
        };
        let refused = snapshots.trouble(&project.key, view)?;
        let answered = [measured, refused.map(|refused| refused.at)];
        let in_this_run = |at| age::is_since_second(at, started, now);
        if !answered.into_iter().flatten().any(in_this_run) {
            snapshots.put_trouble(&project.key, view, &trouble)?;
        }
    }
    Ok(())
}

/// The lists of projects that were due and could not be read again in time.
///
/// # Errors
///
/// Snapshots that cannot be read.
pub(super) fn unread_lists(
    snapshots: &Snapshots,
    connections: &[Connection],
    due_after: i64,
    started: Timestamp,
    time: TimeIsUp,
) -> Result<Vec<Failure>, SnapshotError> {
    let now = Timestamp::now();
    let due = started - SignedDuration::from_secs(due_after);
    let mut failures = Vec::new();
    for connection in connections.iter().filter(|known| known.is_active()) {
        let known = snapshots.discovery(&connection.id)?;
        let is_read = known.is_some_and(|known| {
            age::is_since_second(known.found_at, due, now) && !known.is_before(connection)
        });
        if !is_read {
            failures.push(time.failure(format!("Projects at {}", connection.host.name())));
        }
    }
    Ok(failures)
}

/// Lists of projects younger than this need not be read again for an overview.
pub(super) const OLD_LISTS: i64 = LIST_SECONDS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::console::PATIENCE;

    #[test]
    fn a_run_ends_within_half_a_minute() {
        assert!(PATIENCE + TOKEN_GRACE + LAST_WRITES < Duration::from_secs(30));
    }
}
