//! What handlers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, IndexError};
use tokio::sync::{broadcast, watch};
use url::Url;

use super::events::Change;
use super::refresher::Refresher;
use super::sign_in::Waiting;
use crate::pages::layout::{Notice, Tone};
use crate::pages::{Shell, Status};
use crate::preferences::{Preferences, PreferencesError};
use crate::program::Program;
use crate::snapshot::{SnapshotError, Snapshots};

/// Changes that a slow page may be behind by; past them it is sent everything anew.
const BACKLOG: usize = 1024;

/// What handlers share.
#[derive(Debug)]
pub struct State {
    program: Arc<Program>,
    address: Url,
    snapshots: Mutex<Snapshots>,
    changes: broadcast::Sender<Change>,
    closing: watch::Sender<bool>,
    notices: Mutex<Vec<Notice>>,
    refresher: Refresher,
    attempts: Waiting,
}

impl State {
    /// For the app at `address`, an origin like `http://127.0.0.1:49152/`.
    ///
    /// # Errors
    ///
    /// Not even Snapshots in memory can be had.
    pub fn new(program: Arc<Program>, address: Url) -> Result<Arc<Self>, SnapshotError> {
        let mut notices = Vec::new();
        let snapshots = match program.snapshots() {
            Ok(snapshots) => {
                if let Some(aside) = snapshots.set_aside() {
                    notices.push(plain(
                        Tone::Warn,
                        format!(
                            "The stored numbers could not be used and were set aside as {}. They are being read anew.",
                            aside.display()
                        ),
                    ));
                }
                snapshots
            }
            Err(error) => {
                notices.push(plain(
                    Tone::Warn,
                    format!("Numbers are not kept after PocketHog ends: {error}"),
                ));
                Snapshots::in_memory()?
            }
        };
        Ok(Arc::new(Self {
            program,
            address,
            snapshots: Mutex::new(snapshots),
            changes: broadcast::Sender::new(BACKLOG),
            closing: watch::Sender::new(false),
            notices: Mutex::new(notices),
            refresher: Refresher::default(),
            attempts: Waiting::default(),
        }))
    }

    /// Folders, HTTP client, signed-in accounts, API clients.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The app's own origin.
    pub fn address(&self) -> &Url {
        &self.address
    }

    /// The Snapshots, for a short while: never held across an `await`.
    pub fn snapshots(&self) -> MutexGuard<'_, Snapshots> {
        lock(&self.snapshots)
    }

    /// Runs what reads files or Snapshots on a thread that may block.
    ///
    /// # Panics
    ///
    /// Where `work` does.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> T + Send + 'static,
    ) -> T {
        let state = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&state)).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// The preferences, and what is wrong with the file, if something is.
    pub fn preferences(&self) -> (Preferences, Option<PreferencesError>) {
        self.program.preferences()
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
        Preferences::update(&self.program.folders.preferences(), change)
    }

    /// All Connections, ended ones with their reason.
    ///
    /// # Errors
    ///
    /// A list that cannot be read.
    pub fn connections(&self) -> Result<Vec<Connection>, IndexError> {
        self.program.sign_in.connections()
    }

    /// The refresher.
    pub fn refresher(&self) -> &Refresher {
        &self.refresher
    }

    /// Sign-ins whose response has not come.
    pub fn attempts(&self) -> &Waiting {
        &self.attempts
    }

    /// Tells open pages of a change.
    pub fn announce(&self, change: Change) {
        // Nobody may be listening.
        self.changes.send(change).ok();
    }

    /// Hears every change from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Turns true when the app ends.
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Ends open streams.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Says something on the next page that is shown: what became of a form.
    pub fn say(&self, notice: Notice) {
        lock(&self.notices).push(notice);
    }

    /// The shell of a page: look, who is connected, what there is to say. What [`State::say`] left is
    /// taken out, so it is called once per page.
    pub fn shell(&self) -> Shell {
        let (preferences, problem) = self.preferences();
        let mut notices = std::mem::take(&mut *lock(&self.notices));
        if let Some(problem) = problem {
            notices.insert(0, plain(Tone::Bad, format!("Preferences: {problem}")));
        }
        let connected = self
            .connections()
            .unwrap_or_default()
            .iter()
            .filter(|connection| connection.is_active())
            .map(|connection| connection.account.label().to_owned())
            .collect();
        Shell {
            scheme: preferences.scheme,
            mode: preferences.mode,
            connected,
            notices,
            ..Shell::default()
        }
    }

    /// The state of numbers of which the oldest were measured at `oldest`, `None` where some are missing.
    pub fn status(&self, oldest: Option<Timestamp>) -> Status {
        self.refresher.status(oldest, Timestamp::now())
    }
}

fn plain(tone: Tone, text: String) -> Notice {
    Notice {
        tone,
        text,
        action: None,
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
