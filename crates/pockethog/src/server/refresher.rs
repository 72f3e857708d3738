//! Asks PostHog for what is looked at, and for nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::state::lock;
use crate::overview::Range;
use crate::pages::Status;
use crate::project::ProjectKey;

/// What an open page looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// The home page: all projects, these first.
    Home(Vec<ProjectKey>),
    /// A project page with a range: its numbers, breakdowns and annotations.
    Project(ProjectKey, Range),
}

/// The one background task of the app, and what it knows.
#[derive(Clone, Debug, Default)]
pub struct Refresher(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    watched: Mutex<Watched>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Watched {
    last: u64,
    interests: HashMap<u64, Interest>,
}

/// Keeps an [`Interest`] alive until it is dropped.
#[derive(Debug)]
pub struct Watch {
    number: u64,
    refresher: Refresher,
}

impl Refresher {
    /// Looks after `interest` until the result is dropped.
    pub fn watch(&self, interest: Interest) -> Watch {
        let mut watched = lock(&self.0.watched);
        watched.last += 1;
        let number = watched.last;
        watched.interests.insert(number, interest);
        self.0.wake.notify_one();
        Watch {
            number,
            refresher: self.clone(),
        }
    }

    /// Looks after `interest` once: for a page without script, which opens no stream.
    pub fn glance(&self, interest: Interest) {
        drop(self.watch(interest));
    }

    /// Reads now what is looked at, however fresh it is: a setting has changed what is asked.
    pub fn hurry(&self) {
        self.0.wake.notify_one();
    }

    /// See [`super::State::status`].
    pub(super) fn status(&self, oldest: Option<Timestamp>, now: Timestamp) -> Status {
        match oldest {
            None => Status::Loading { done: 0, total: 0 },
            Some(oldest) => Status::Updated(crate::format::ago(oldest, now)),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.refresher.0.watched)
            .interests
            .remove(&self.number);
    }
}
