//! What every user interface that stays open needs: the current data, change notices, and the task that refreshes.
//!
//! A page, a terminal or a window reads from [`Live`] and draws; it never waits for PostHog. It says what it
//! looks at ([`Refresher::watch`]), and hears of each [`Change`] ([`Live::subscribe`]).

#[cfg(test)]
mod alike;
mod cache;
mod change;
pub mod digesting;
pub mod due;
pub mod explaining;
pub mod in_turn;
pub mod judging;
pub mod refresh;
mod refresher;
mod status;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId, IndexError};
use tokio::sync::{broadcast, watch};

pub use cache::HomeCache;
pub use change::Change;
pub use refresher::{Interest, Outage, Refresher, Watch, run};
pub use status::Status;

use crate::app_context::AppContext;
use crate::moves::Baselines;
use crate::preferences::{Preferences, PreferencesError};
use crate::project::ProjectKey;
use crate::snapshot::{KnownDiscovery, SnapshotError, Snapshots};

/// Changes that a slow surface may be behind by. One that is further behind is brought up to date as a whole.
const BACKLOG: usize = 1024;

/// What every surface that stays open needs.
#[derive(Debug)]
pub struct Live {
    program: Arc<AppContext>,
    snapshots: Mutex<Snapshots>,
    cache: Mutex<Arc<HomeCache>>,
    baselines: Mutex<Baselines>,
    preferences: Mutex<Option<(FileStamp, Preferences)>>,
    changes: broadcast::Sender<Change>,
    closing: watch::Sender<bool>,
    refresher: Refresher,
}

/// Modification time and length of a file.
type FileStamp = (Option<SystemTime>, u64);

/// Why what is stored on this device cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The Snapshots cannot be read.
    #[error(transparent)]
    Snapshots(#[from] SnapshotError),
    /// The list of Connections cannot be read.
    #[error(transparent)]
    Connections(#[from] IndexError),
}

impl Live {
    /// Opens the Snapshots. Nothing is refreshed until [`run`] is called.
    ///
    /// # Errors
    ///
    /// The in-memory database cannot be opened either.
    pub fn new(program: Arc<AppContext>) -> Result<Arc<Self>, SnapshotError> {
        let snapshots = program.snapshots()?;
        Ok(Arc::new(Self {
            program,
            snapshots: Mutex::new(snapshots),
            cache: Mutex::default(),
            baselines: Mutex::default(),
            preferences: Mutex::new(None),
            changes: broadcast::Sender::new(BACKLOG),
            closing: watch::Sender::new(false),
            refresher: Refresher::default(),
        }))
    }

    /// Folders, HTTP client, signed-in accounts, API clients.
    pub fn program(&self) -> &Arc<AppContext> {
        &self.program
    }

    /// The Snapshots, for a short while: never held across an `await`.
    pub fn snapshots(&self) -> MutexGuard<'_, Snapshots> {
        lock(&self.snapshots)
    }

    /// What the home screen knows, up to date. It stays as it is while it is held.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read.
    pub fn cache(&self) -> Result<Arc<HomeCache>, SnapshotError> {
        let mut cache = lock(&self.cache);
        let snapshots = self.snapshots();
        if cache.is_behind(&snapshots)? {
            Arc::make_mut(&mut cache).follow(&snapshots)?;
        }
        Ok(Arc::clone(&cache))
    }

    /// Judges these projects by what is stored of them. The Snapshots are free in between: the first time takes as long as
    /// eight weeks of each project do.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read or written.
    pub(crate) fn judge(&self, projects: &[ProjectKey]) -> Result<(), SnapshotError> {
        let (preferences, _) = self.preferences();
        projects.iter().try_for_each(|key| {
            let mut baselines = lock(&self.baselines);
            let mut snapshots = self.snapshots();
            judging::judge(
                &mut snapshots,
                &mut baselines,
                &preferences,
                std::slice::from_ref(key),
            )
        })
    }

    /// Runs work that reads files or Snapshots on a thread that may block.
    ///
    /// # Panics
    ///
    /// If `work` does.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> T + Send + 'static,
    ) -> T {
        let live = Arc::clone(self);
        blocking(move || work(&live)).await
    }

    /// The preferences, and what is wrong with the file, if something is. Read again only if the file has
    /// changed.
    pub fn preferences(&self) -> (Preferences, Option<PreferencesError>) {
        let stamp = std::fs::metadata(self.program.folders.preferences())
            .map_or((None, 0), |found| (found.modified().ok(), found.len()));
        let mut known = lock(&self.preferences);
        if let Some((at, preferences)) = known.as_ref()
            && *at == stamp
        {
            return (preferences.clone(), None);
        }
        let (preferences, problem) = self.program.preferences();
        *known = problem.is_none().then(|| (stamp, preferences.clone()));
        (preferences, problem)
    }

    /// Changes the preferences.
    ///
    /// # Errors
    ///
    /// As [`Preferences::update`].
    pub fn prefer(
        &self,
        change: impl FnOnce(&mut Preferences),
    ) -> Result<Preferences, PreferencesError> {
        let changed = Preferences::update(&self.program.folders.preferences(), change);
        *lock(&self.preferences) = None;
        changed
    }

    /// The last list of projects of each of these Connections, as far as one was read.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read.
    pub fn discoveries(
        &self,
        connections: &[Connection],
    ) -> Result<HashMap<ConnectionId, KnownDiscovery>, SnapshotError> {
        self.snapshots().discoveries(connections)
    }

    /// All Connections, ended ones with their reason.
    ///
    /// # Errors
    ///
    /// The list cannot be read.
    pub fn connections(&self) -> Result<Vec<Connection>, IndexError> {
        self.program.sign_in.connections()
    }

    /// The refresher.
    pub fn refresher(&self) -> &Refresher {
        &self.refresher
    }

    /// Tells every surface of a change.
    pub fn announce(&self, change: Change) {
        // It is no error that no surface listens.
        self.changes.send(change).ok();
    }

    /// Receives every change from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Ready once the app ends.
    pub async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        while !*closing.borrow_and_update() {
            if closing.changed().await.is_err() {
                return;
            }
        }
    }

    /// Ends the refresher and open streams.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// The state of numbers of which the oldest were measured at `oldest`; `None` if there are none.
    pub fn status(
        &self,
        connections: &[Connection],
        preferences: &Preferences,
        oldest: Option<Timestamp>,
        now: Timestamp,
    ) -> Status {
        let active: Vec<&ConnectionId> = connections
            .iter()
            .filter(|connection| connection.is_active())
            .map(|connection| &connection.id)
            .collect();
        self.refresher
            .status(&active, oldest, preferences.refresh, now)
    }
}

/// Runs work that may block on a thread of its own, and passes on its panic.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
