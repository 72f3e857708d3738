//! The state that all handlers share.

use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sign_in_with_posthog::{Connection, ConnectionId};
use url::Url;

use super::access::{Access, Permit};
use super::deleted_annotations::DeletedAnnotations;
use super::handshake::Keyholder;
use super::launch_error::LaunchError;
use super::listener::Clients;
use super::lock::lock;
use super::mount::Mount;
use super::pending_attempts::PendingAttempts;
use super::persistent::Persistent;
use super::proof::PageKeys;
use pockethog_alerts::{Alert, Store};
use pockethog_core::app_context::AppContext;
use pockethog_core::live::{Live, blocking};
use pockethog_core::overview::Range;
use pockethog_screens::AnnouncedEnds;
use pockethog_views::format::minute;
use pockethog_views::pages::Shell;
use pockethog_views::pages::layout::{Notice, Tone, Welcome};
use pockethog_views::sentence::sentence;

/// An alert that nobody dismisses stays on the page for a day.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

/// What handlers share: what is known, and what only HTTP needs.
#[derive(Debug)]
pub struct State {
    live: Arc<Live>,
    address: Url,
    mount: Mount,
    page_keys: PageKeys,
    access: Access,
    keyholder: Keyholder,
    clients: Arc<Clients>,
    notices: Mutex<Vec<Notice>>,
    /// What was said about how numbers are kept.
    remarked: Mutex<Vec<String>>,
    /// Ends of sessions that the person was informed of.
    announced_ends: Mutex<AnnouncedEnds>,
    /// Who has just signed in, until a page has said so.
    welcome: Mutex<Option<Welcome>>,
    /// The range of the project page that was looked at last.
    last_range: Mutex<Range>,
    attempts: PendingAttempts,
    deleted_annotations: DeletedAnnotations,
}

impl State {
    /// For the app at `address`, an origin like `http://127.0.0.1:49152/`, with what earlier runs kept.
    ///
    /// # Errors
    ///
    /// The in-memory database cannot be opened, or no random numbers.
    pub(super) fn new(
        program: Arc<AppContext>,
        address: Url,
        persistent: Persistent,
    ) -> Result<Arc<Self>, LaunchError> {
        let keyholder = Keyholder::new(address.as_str()).ok_or(LaunchError::NoRandomNumbers)?;
        let mount = persistent.mount.clone();
        let page_keys = PageKeys::new(persistent.page_key.clone());
        let access = Access::new(persistent, program.folders.page_server());
        Ok(Arc::new(Self {
            live: Live::new(program)?,
            address,
            mount,
            page_keys,
            access,
            keyholder,
            clients: Arc::default(),
            notices: Mutex::default(),
            remarked: Mutex::default(),
            announced_ends: Mutex::default(),
            welcome: Mutex::new(None),
            last_range: Mutex::default(),
            attempts: PendingAttempts::default(),
            deleted_annotations: DeletedAnnotations::default(),
        }))
    }

    /// What is known, what changes, and the refresher.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// The app's own origin.
    pub fn address(&self) -> &Url {
        &self.address
    }

    /// The path that all pages are below.
    pub fn mount(&self) -> &Mount {
        &self.mount
    }

    /// The range that a project page is shown in if its address names none.
    pub(super) fn last_range(&self) -> Range {
        *lock(&self.last_range)
    }

    /// Somebody chose to look at this range.
    pub(super) fn look_at(&self, range: Range) {
        *lock(&self.last_range) = range;
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
        blocking(move || work(&state)).await
    }

    /// Sign-ins whose response has not come.
    pub fn attempts(&self) -> &PendingAttempts {
        &self.attempts
    }

    /// Annotations that were deleted lately, to be brought back.
    pub fn deleted_annotations(&self) -> &DeletedAnnotations {
        &self.deleted_annotations
    }

    /// Forgets the projects of a Connection that has ended.
    pub(super) async fn forget_projects(self: &Arc<Self>, id: ConnectionId) {
        let forgotten = self
            .blocking(move |state| state.live().snapshots().forget_connection(&id))
            .await;
        if let Err(error) = forgotten {
            tracing::warn!(%error, "the projects of an ended connection are still listed");
        }
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

    /// Whether a session has ended by itself and the person has not been informed of it. Now they are.
    pub(super) fn announce_ends(&self, connections: &[Connection]) -> bool {
        lock(&self.announced_ends).announce(connections)
    }

    /// The shell of a page that shows nothing of an account: the look alone.
    pub fn plain_shell(&self) -> Shell {
        let (preferences, _) = self.live.preferences();
        Shell {
            scheme: preferences.scheme,
            mode: preferences.mode,
            demo: self.live.program().is_demo(),
            ..Shell::default()
        }
    }

    /// The shell of a page for a browser that was let in: who is connected, and what there is to say. See
    /// [`super::Admitted::shell`].
    pub(super) fn shell(&self, _: &Permit) -> Shell {
        let (preferences, problem) = self.live.preferences();
        let mut notices = std::mem::take(&mut *lock(&self.notices));
        if let Some(problem) = problem {
            notices.insert(0, plain(Tone::Bad, format!("Preferences: {problem}.")));
        }
        notices.extend(self.new_remarks());
        let connected = self
            .live
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
            alerts: self.unseen_alerts(),
            welcome: lock(&self.welcome).take(),
            key: self.page_keys.new_page(),
            demo: self.live.program().is_demo(),
            made: Some(minute(Timestamp::now(), &TimeZone::system())),
            ..Shell::default()
        }
    }

    /// What the person was told on this device within a day and has not dismissed, newest first.
    pub(super) fn unseen_alerts(&self) -> Vec<Alert> {
        if !self.live.preferences().0.alerts.on {
            return Vec::new();
        }
        match Store::new(&self.live.program().folders).read() {
            Ok(told) => {
                let unseen = told.unseen(SHOWN, Timestamp::now());
                unseen.into_iter().cloned().collect()
            }
            Err(error) => {
                tracing::warn!(%error, "what was told cannot be read");
                Vec::new()
            }
        }
    }

    /// What there is to say about how numbers are kept, each once; again if it was well in between.
    fn new_remarks(&self) -> Vec<Notice> {
        let remarks = self.live.snapshots().remarks();
        let mut remarked = lock(&self.remarked);
        let new = remarks.iter().filter(|remark| !remarked.contains(remark));
        let new = new
            .map(|remark| plain(Tone::Warn, sentence(remark)))
            .collect();
        *remarked = remarks;
        new
    }
}

fn plain(tone: Tone, text: String) -> Notice {
    Notice {
        tone,
        text,
        action: None,
    }
}
