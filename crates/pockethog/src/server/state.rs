//! What handlers share.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId, IndexError};
use tokio::sync::{broadcast, watch};
use url::Url;

use super::access::Access;
use super::answer::sentence;
use super::board::Board;
use super::events::Change;
use super::guard::Admitted;
use super::handshake::Keyholder;
use super::launch::LaunchError;
use super::listener::Clients;
use super::mount::Mount;
use super::notes::Deleted;
use super::persistent::Persistent;
use super::proof::PageKeys;
use super::refresher::Refresher;
use super::sign_in::Waiting;
use crate::pages::layout::{Notice, Tone, Welcome};
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
    mount: Mount,
    page_keys: PageKeys,
    access: Access,
    keyholder: Keyholder,
    clients: Arc<Clients>,
    snapshots: Mutex<Snapshots>,
    board: Mutex<Board>,
    preferences: Mutex<Option<(FileStamp, Preferences)>>,
    changes: broadcast::Sender<Change>,
    closing: watch::Sender<bool>,
    notices: Mutex<Vec<Notice>>,
    /// What was said about how numbers are kept.
    remarked: Mutex<Vec<String>>,
    /// Ends of sessions that the person was told of, by Connection and time of sign-in.
    told: Mutex<HashSet<(ConnectionId, i64)>>,
    /// Who has just signed in, until a page has said so.
    welcome: Mutex<Option<Welcome>>,
    refresher: Refresher,
    attempts: Waiting,
    deleted_notes: Deleted,
}

/// What a file looks like from outside.
type FileStamp = (Option<SystemTime>, u64);

impl State {
    /// For the app at `address`, an origin like `http://127.0.0.1:49152/`, with what earlier runs kept.
    ///
    /// # Errors
    ///
    /// Not even Snapshots in memory can be had, or no random numbers.
    pub(super) fn new(
        program: Arc<Program>,
        address: Url,
        persistent: Persistent,
    ) -> Result<Arc<Self>, LaunchError> {
        let snapshots = program.snapshots()?;
        let keyholder = Keyholder::new(address.as_str()).ok_or(LaunchError::NoRandomNumbers)?;
        let mount = persistent.mount.clone();
        let page_keys = PageKeys::new(persistent.page_key.clone());
        let access = Access::new(persistent, program.folders.page_server());
        Ok(Arc::new(Self {
            program,
            address,
            mount,
            page_keys,
            access,
            keyholder,
            clients: Arc::default(),
            snapshots: Mutex::new(snapshots),
            board: Mutex::new(Board::default()),
            preferences: Mutex::new(None),
            changes: broadcast::Sender::new(BACKLOG),
            closing: watch::Sender::new(false),
            notices: Mutex::default(),
            remarked: Mutex::default(),
            told: Mutex::new(HashSet::new()),
            welcome: Mutex::new(None),
            refresher: Refresher::default(),
            attempts: Waiting::default(),
            deleted_notes: Deleted::default(),
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

    /// The path that all pages are below.
    pub fn mount(&self) -> &Mount {
        &self.mount
    }

    /// The app's port.
    pub fn port(&self) -> u16 {
        self.address.port_or_known_default().unwrap_or(80)
    }

    /// Who was let in.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Proves to open pages what they are sent.
    pub(super) fn page_keys(&self) -> &PageKeys {
        &self.page_keys
    }

    /// Proves to other instances that this is the one that runs.
    pub(super) fn keyholder(&self) -> &Keyholder {
        &self.keyholder
    }

    /// The open connections.
    pub(super) fn clients(&self) -> &Arc<Clients> {
        &self.clients
    }

    /// The Snapshots, for a short while: never held across an `await`.
    pub fn snapshots(&self) -> MutexGuard<'_, Snapshots> {
        lock(&self.snapshots)
    }

    /// What the home screen knows, up to date; for a short while, as [`State::snapshots`].
    ///
    /// # Errors
    ///
    /// Snapshots that cannot be read.
    pub fn board(&self) -> Result<MutexGuard<'_, Board>, SnapshotError> {
        let mut board = lock(&self.board);
        board.follow(&self.snapshots())?;
        Ok(board)
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

    /// The preferences, and what is wrong with the file, if something is. Read again only where the file
    /// has changed.
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

    /// Notes that were deleted lately, to be brought back.
    pub fn deleted_notes(&self) -> &Deleted {
        &self.deleted_notes
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

    /// Ready when the app ends.
    pub async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        while !*closing.borrow_and_update() {
            if closing.changed().await.is_err() {
                return;
            }
        }
    }

    /// Ends open streams.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Says something on the next page that is shown: what became of a form.
    pub fn say(&self, notice: Notice) {
        lock(&self.notices).push(notice);
    }

    /// Says on the next page that is shown who has signed in, with a way to undo it.
    pub(super) fn welcome(&self, connection: &Connection) {
        *lock(&self.welcome) = Some(Welcome {
            host: connection.host.name(),
            who: connection.account.label().to_owned(),
            undo: format!("/sign-in/not-me/{}", connection.id),
        });
    }

    /// Sessions that have ended by themselves and that the person has not been told of, once each.
    pub(super) fn ends_to_tell(&self, connections: &[Connection]) -> bool {
        let mut told = lock(&self.told);
        let mut any = false;
        for connection in connections {
            if connection.ended_by_itself().is_some() {
                any |= told.insert((connection.id.clone(), connection.signed_in_at));
            }
        }
        any
    }

    /// The shell of a page that shows nothing of an account: the look alone.
    pub fn plain_shell(&self) -> Shell {
        let (preferences, _) = self.preferences();
        Shell {
            scheme: preferences.scheme,
            mode: preferences.mode,
            ..Shell::default()
        }
    }

    /// See [`super::Admitted::shell`], by which alone it is reached.
    pub(super) fn shell(&self, _: &Admitted) -> Shell {
        let (preferences, problem) = self.preferences();
        let mut notices = std::mem::take(&mut *lock(&self.notices));
        if let Some(problem) = problem {
            notices.insert(0, plain(Tone::Bad, format!("Preferences: {problem}.")));
        }
        notices.extend(self.new_remarks());
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
            welcome: lock(&self.welcome).take(),
            key: self.page_keys.new_page(),
            ..Shell::default()
        }
    }

    /// What there is to say about how numbers are kept, each once; again if it was well in between.
    fn new_remarks(&self) -> Vec<Notice> {
        let remarks = self.snapshots().remarks();
        let mut remarked = lock(&self.remarked);
        let new = remarks.iter().filter(|remark| !remarked.contains(remark));
        let new = new
            .map(|remark| plain(Tone::Warn, sentence(remark)))
            .collect();
        *remarked = remarks;
        new
    }

    /// The state of numbers of which the oldest were measured at `oldest`; `None` where there are none.
    pub fn status(&self, oldest: Option<Timestamp>) -> Status {
        let (preferences, _) = self.preferences();
        let connections = self.connections().unwrap_or_default();
        let active: Vec<&ConnectionId> = connections
            .iter()
            .filter(|connection| connection.is_active())
            .map(|connection| &connection.id)
            .collect();
        self.refresher
            .status(&active, oldest, preferences.refresh, Timestamp::now())
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
