//! Reads what is due, in a process that ends.

use std::fs::File;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pockethog_core::app_context::AppContext;
use pockethog_core::live::due::{Policy, cadence};
use pockethog_core::live::{StoredError, in_turn, refresh};
use pockethog_core::preferences::Preferences;
use pockethog_core::project::Project;
use pockethog_device::private_files::{make_folder, open_lock};

/// How often it is tried to read in turn.
const LOOK_AGAIN: Duration = Duration::from_millis(30);

/// Reads the numbers and the closed days that are due of all projects that are shown, by the rules of the app and of the
/// widgets. One process reads at a time, the widgets included; those that have waited find what they need.
///
/// # Errors
///
/// Only if what is stored cannot be read or written.
pub async fn read_due(
    program: &AppContext,
    preferences: &Preferences,
    deadline: Instant,
) -> Result<(), StoredError> {
    let _turn = take_turn(program).await;
    let mut snapshots = program.snapshots()?;
    let connections = program.active_connections()?;
    let chosen = |project: &Project| !preferences.project(&project.key).hidden;
    let policy = Policy::new(Timestamp::now(), cadence(preferences));
    refresh::home_by(
        policy,
        program,
        &mut snapshots,
        &connections,
        preferences,
        &chosen,
        &mut |_, _| {},
    )
    .await?;
    let mut projects = snapshots.projects()?;
    projects.retain(chosen);
    let all = (projects.as_slice(), usize::MAX);
    in_turn::closed_days(program, &mut snapshots, preferences, all, deadline).await?;
    Ok(())
}

/// The lock of the widgets. A folder that cannot be written to has none, and nothing to share either.
async fn take_turn(program: &AppContext) -> Option<File> {
    let path = program.folders.snapshots().with_extension("refresh.lock");
    make_folder(path.parent()?).ok()?;
    let lock = open_lock(&path).ok()?;
    loop {
        match lock.try_lock() {
            Ok(()) => return Some(lock),
            Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(std::fs::TryLockError::Error(_)) => return None,
        }
    }
}
