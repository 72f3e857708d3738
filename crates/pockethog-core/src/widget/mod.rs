//! Widgets: a short-lived process that prints the numbers of a few projects and exits.
//!
//! It reads the Snapshots, and where these are older than wanted it refreshes just the projects it
//! shows, through the same Vault, Session and API client as the app, and writes the Snapshots for
//! everybody else. A bar starts it every minute and must never hang, print nothing or print a number
//! that is silently old, so every state has an output of its own in every format, and everything that
//! waits has a deadline.
//!
//! The usual case, fresh Snapshots, takes no runtime, no TLS and no HTTP client: [`show`] decides
//! before any of them is made.
//!
//! | module | what it knows |
//! |---|---|
//! | `content` | what is shown, whatever the format: rows, sums, states |
//! | `compose` | how that follows from Snapshots, Connections and preferences |
//! | `freshen` | the refresh: one at a time over all processes, bounded in time |

mod compose;
mod content;
mod freshen;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pockethog_device::folders::Folders;
use sign_in_with_posthog::SignIn;

pub use content::{Content, Numbers, Row, State};
pub use freshen::Aftermath;

use crate::demo_home;
use crate::overview::Range;
use crate::preferences::Preferences;
use crate::project::{Project, ProjectKey};
use crate::snapshot::Snapshots;

/// Which projects a widget shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The sum over all projects that are not hidden.
    #[default]
    Total,
    /// The favourites, each on its own.
    Favourites,
    /// These, as a person named them.
    Named(Vec<String>),
}

/// What a widget is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which projects.
    pub which: Which,
    /// A range, or today.
    pub range: Option<Range>,
    /// Numbers older than this are refreshed, and shown with their age if that fails.
    pub max_age: Duration,
    /// How long a refresh may take, waiting for others included.
    pub patience: Duration,
    /// True if nothing is to be asked of PostHog.
    pub offline: bool,
}

/// Finds the project that a person named, or says why not.
pub type Resolve<'a> = &'a dyn Fn(&str, &[Project], &Preferences) -> Result<ProjectKey, String>;

/// What a widget shows, and what is still under way: see [`Aftermath`].
pub struct Shown {
    /// What is to be printed.
    pub content: Content,
    /// The preferences that were read.
    pub preferences: Preferences,
    /// Token renewals to finish after printing.
    pub aftermath: Option<Aftermath>,
    /// What did not keep the numbers from being shown, in sentences for standard error.
    pub remarks: Vec<String>,
}

/// Reads what is known and refreshes what is old. Never fails: what went wrong is in the content.
pub fn show(folders: &Folders, request: &Request, resolve: Resolve<'_>) -> Shown {
    let deadline = Instant::now() + request.patience;
    // A bar that starts this every minute gets no word about the preferences: the page and `status` have it.
    let (preferences, _) = Preferences::load(&folders.preferences());
    let asked = Asked {
        folders,
        request,
        resolve,
        preferences: &preferences,
        started: Timestamp::now(),
        remarks: RefCell::default(),
    };
    let mut aftermath = None;
    let device_folder = SignIn::device_folder_in(&folders.state);
    let failed =
        |error: &dyn std::error::Error| Content::failed(request, asked.started, error.to_string());
    let mut content = match (demo_home::find(folders), folders.claim(&device_folder)) {
        (Err(error), _) => failed(&error),
        (_, Err(error)) => failed(&error),
        (Ok(_), Ok(())) => asked.look(),
    };
    if !request.offline && content.is_due() {
        (content, aftermath) = freshen::run(&asked, deadline);
    }
    let remarks = asked.remarks.take();
    Shown {
        content,
        preferences,
        aftermath,
        remarks,
    }
}

/// A request with all that it is answered from.
struct Asked<'a> {
    folders: &'a Folders,
    request: &'a Request,
    resolve: Resolve<'a>,
    preferences: &'a Preferences,
    started: Timestamp,
    remarks: RefCell<Vec<String>>,
}

impl Asked<'_> {
    /// What is known now.
    fn look(&self) -> Content {
        Snapshots::look(&self.folders.snapshots(), |snapshots| {
            self.content(snapshots)
        })
    }

    /// What is known now, by a new look at the list of Connections.
    fn content(&self, snapshots: Option<&Snapshots>) -> Content {
        match SignIn::connections_in(&self.folders.state) {
            Ok(connections) => compose::compose(self, snapshots, &connections),
            Err(error) => Content::failed(self.request, self.started, error.to_string()),
        }
    }
}

/// What is due of the total of all projects.
#[cfg(test)]
pub(crate) fn due_of_total(
    folders: &Folders,
    connections: &[sign_in_with_posthog::Connection],
    snapshots: &Snapshots,
    max_age: Duration,
) -> (
    std::collections::HashSet<sign_in_with_posthog::ConnectionId>,
    std::collections::HashSet<ProjectKey>,
) {
    let request = Request {
        which: Which::Total,
        range: None,
        max_age,
        patience: Duration::ZERO,
        offline: false,
    };
    let asked = Asked {
        folders,
        request: &request,
        resolve: &|_, _, _| Err(String::new()),
        preferences: &Preferences::default(),
        started: Timestamp::now(),
        remarks: RefCell::default(),
    };
    let content = compose::compose(&asked, Some(snapshots), connections);
    let due = content.rows.iter().filter(|row| row.due);
    let due = due.map(|row| row.project.key.clone()).collect();
    (content.old_lists, due)
}
