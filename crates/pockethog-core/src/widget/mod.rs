//! What a widget shows, whatever the format.
//!
//! Every state has words of its own: a bar must never print nothing, or a number that is silently old.
//!
//! | module | what it knows |
//! |---|---|
//! | `content` | what is shown: rows, sums, states |
//! | `compose` | how that follows from Snapshots, Connections and preferences |

mod compose;
mod content;

use std::time::Duration;

use jiff::Timestamp;

pub use compose::compose;
pub use content::{Content, Numbers, Row, State};

use crate::overview::Range;
use crate::preferences::Preferences;
use crate::project::{Project, ProjectKey};

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

/// Finds the project that a person named, or says why not in a sentence.
pub type Resolve<'a> = &'a dyn Fn(&str, &[Project], &Preferences) -> Result<ProjectKey, String>;

/// A request, with what decides how it is answered.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What is asked for.
    pub request: &'a Request,
    /// Finds the projects that the request names.
    pub resolve: Resolve<'a>,
    /// The preferences.
    pub preferences: &'a Preferences,
    /// When the process began: what it has asked PostHog for since then it does not ask for again.
    pub started: Timestamp,
}

/// What is due of the total of all projects.
#[cfg(test)]
pub(crate) fn due_of_total(
    connections: &[sign_in_with_posthog::Connection],
    snapshots: &crate::snapshot::Snapshots,
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
        request: &request,
        resolve: &|_, _, _| Err(String::new()),
        preferences: &Preferences::default(),
        started: Timestamp::now(),
    };
    let content = compose(&asked, Some(snapshots), connections);
    let due = content.rows.iter().filter(|row| row.due);
    let due = due.map(|row| row.project.key.clone()).collect();
    (content.old_lists, due)
}
