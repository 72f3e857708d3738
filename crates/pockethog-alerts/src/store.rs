//! What the person has been told on this device, in a file that all processes share.
//!
//! It is kept beside the sign-ins and not beside the Snapshots: those may be set aside at any time, and then everything
//! would be told a second time. Who has something to tell takes the lock, reads, decides, writes, and delivers only what
//! is written down.

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use pockethog_device::folders::Folders;
use pockethog_device::private_files::{
    PrivateError, make_folder, open_lock, read_small, write_durably,
};
use serde::{Deserialize, Serialize};
use sign_in_with_posthog::ConnectionId;

use super::{Alert, News, Subject};
use pockethog_core::preferences::Goal;
use pockethog_core::project::ProjectKey;

/// Alerts that are kept to be shown.
const MOST_RECENT: usize = 50;

/// What was told longer ago is forgotten. A clock that is set back by less tells nothing twice.
const KEPT: SignedDuration = SignedDuration::from_hours(8 * 24);

/// That an event still lasts is noted this often.
const LASTS: SignedDuration = SignedDuration::from_mins(15);

/// A larger file is none of ours.
const LARGEST: u64 = 4 << 20;

/// What the person has been told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The last alerts, oldest first.
    pub recent: Vec<Alert>,
    /// The person has seen the alerts up to this number, and they are no longer shown on the page.
    pub seen_up_to: u64,
    /// How the last delivery by each channel went.
    pub outcomes: Vec<(Channel, Outcome)>,
    pub(super) events: Vec<Event>,
    pub(super) goals: Vec<GoalTold>,
    pub(super) ends: Vec<EndTold>,
    last_number: u64,
}

/// A way to the person that may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A desktop notification.
    Desktop,
    /// The command of the person's own.
    Command,
}

/// How a delivery went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// When.
    pub at: Timestamp,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// A move that was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) project: ProjectKey,
    pub(super) subject: Subject,
    pub(super) since: Timestamp,
    /// When it was noted last that it lasts.
    pub(super) seen: Timestamp,
    pub(super) ended: Option<Timestamp>,
    /// Told in one sentence with other projects.
    #[serde(default)]
    pub(super) together: bool,
}

/// A goal that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GoalTold {
    pub(super) project: ProjectKey,
    pub(super) goal: Goal,
    /// When the day began on which it was reached.
    pub(super) day: Timestamp,
}

/// The end of a sign-in that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EndTold {
    pub(super) connection: ConnectionId,
    pub(super) signed_in_at: i64,
}

/// Why nothing could be told.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or the lock belongs to another user, or cannot be opened.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The file with what was told.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
}

impl Store {
    /// The store of this device. Nothing is opened yet.
    pub fn new(folders: &Folders) -> Self {
        Self {
            path: folders.alerts(),
        }
    }

    /// What was told so far. Nothing if the file is missing or damaged.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn read(&self) -> Result<Told, StoreError> {
        let bytes = read_small(&self.path, LARGEST).map_err(|source| self.io(source))?;
        let told = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(told.unwrap_or_default())
    }

    /// Decides what to tell, while no other process does. What is returned is written down, and no other process returns
    /// it.
    ///
    /// # Errors
    ///
    /// It cannot be written down: nothing is told then, and everything is decided again the next time.
    pub fn tell(
        &self,
        now: Timestamp,
        decide: impl FnOnce(&mut Told) -> Vec<News>,
    ) -> Result<Vec<Alert>, StoreError> {
        self.change(|told| {
            let news = decide(told);
            news.into_iter().map(|news| told.add(news, now)).collect()
        })
    }

    /// Notes how a delivery went.
    ///
    /// # Errors
    ///
    /// It cannot be written down.
    pub fn note(&self, channel: Channel, outcome: Outcome) -> Result<(), StoreError> {
        self.change(|told| {
            told.outcomes.retain(|(known, _)| *known != channel);
            told.outcomes.push((channel, outcome));
        })
    }

    /// Notes that the person has seen the alerts up to this number.
    ///
    /// # Errors
    ///
    /// It cannot be written down.
    pub fn see(&self, up_to: u64) -> Result<(), StoreError> {
        self.change(|told| told.seen_up_to = told.seen_up_to.max(up_to.min(told.last_number)))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Told) -> T) -> Result<T, StoreError> {
        let _turn = self.take_turn()?;
        let before = self.read()?;
        let mut told = before.clone();
        let result = change(&mut told);
        if told != before {
            self.write(&told)?;
        }
        Ok(result)
    }

    fn take_turn(&self) -> Result<File, StoreError> {
        if let Some(folder) = self.path.parent() {
            make_folder(folder)?;
        }
        let path = self.path.with_extension("lock");
        let lock = open_lock(&path)?;
        // It is held for as long as a small file takes to be written.
        lock.lock()
            .map_err(|source| StoreError::Io { path, source })?;
        Ok(lock)
    }

    fn write(&self, told: &Told) -> Result<(), StoreError> {
        self.keep_damaged();
        let bytes = serde_json::to_vec(told).map_err(|error| self.io(error.into()))?;
        write_durably(&self.path, &bytes).map_err(|source| self.io(source))
    }

    /// A file that cannot be understood is not overwritten: a newer version may have written it.
    fn keep_damaged(&self) {
        let is_damaged = |path: &Path| match read_small(path, LARGEST) {
            Ok(Some(bytes)) => serde_json::from_slice::<Told>(&bytes).is_err(),
            _ => false,
        };
        if is_damaged(&self.path) {
            let aside = self.path.with_extension("damaged.json");
            if let Err(error) = std::fs::rename(&self.path, &aside) {
                tracing::warn!(%error, "what was told could not be set aside");
            }
        }
    }

    fn io(&self, source: std::io::Error) -> StoreError {
        StoreError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

impl Told {
    /// The alerts of the last `within` that the person has not seen, newest first.
    pub fn unseen(&self, within: SignedDuration, now: Timestamp) -> Vec<&Alert> {
        let is_new = |alert: &&Alert| {
            alert.number > self.seen_up_to && now.duration_since(alert.at).abs() < within
        };
        self.recent.iter().rev().filter(is_new).collect()
    }

    /// How the last delivery by a channel went.
    pub fn outcome(&self, channel: Channel) -> Option<&Outcome> {
        let mut known = self.outcomes.iter();
        let (_, outcome) = known.find(|(known, _)| *known == channel)?;
        Some(outcome)
    }

    /// The number of the last alert; 0 if there was none.
    pub fn last_number(&self) -> u64 {
        self.last_number
    }

    fn add(&mut self, news: News, at: Timestamp) -> Alert {
        self.last_number += 1;
        let alert = Alert {
            number: self.last_number,
            at,
            news,
        };
        self.recent.push(alert.clone());
        let more = self.recent.len().saturating_sub(MOST_RECENT);
        self.recent.drain(..more);
        alert
    }

    /// Forgets what is too old to come again, and what a clock noted that was far ahead.
    pub(super) fn forget_old(&mut self, now: Timestamp) {
        let is_kept = |at: Timestamp| now.duration_since(at).abs() < KEPT;
        self.events
            .retain(|event| is_kept(event.ended.unwrap_or(event.seen)));
        self.goals.retain(|goal| is_kept(goal.day));
        let more = self.ends.len().saturating_sub(MOST_RECENT);
        self.ends.drain(..more);
    }
}

impl Event {
    /// It lasts at `now`. Not every look is worth a write.
    pub(super) fn lasts_at(&mut self, now: Timestamp) {
        if now.duration_since(self.seen) >= LASTS {
            self.seen = now;
        }
    }
}
