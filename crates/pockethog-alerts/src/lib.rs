//! Alerts: notices of what happens while nobody looks, delivered once per device and event.
//!
//! [`decide()`] is a pure function: what is there to tell, from what was judged of each project now, from what was
//! told before, from the preferences and the clock. [`Store`] keeps what was told, for every process of this device:
//! whoever notices something first writes it down under a lock and then delivers it, and the others find it told.
//! [`follow()`] does this in a process that stays, [`tell()`] once. [`Delivery`] brings an alert to
//! the person, by a desktop notification and by a command of their own; pages and terminals show it by themselves. Words
//! are not made here.

#![warn(unreachable_pub)]

mod decide;
mod delivery;
mod follow;
mod once;
mod store;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sign_in_with_posthog::{ConnectionId, CredentialKind, EndReason, Host};

use pockethog_core::moves::{Direction, Kind, Metric, Move};
use pockethog_core::preferences::Goal;
use pockethog_core::project::ProjectKey;

pub use decide::{Counts, Ended, Seen, decide};
pub use delivery::{COMMAND_LIMIT, Delivery, Stay, Wording, Words, find_program, run};
pub use follow::{TellError, follow, tell};
pub use once::read_due;
pub use store::{Channel, Outcome, Store, StoreError, Told};

/// Something that the person was told, or is to be told now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Counts up on this device.
    pub number: u64,
    /// When it was decided to tell it.
    pub at: Timestamp,
    /// What.
    pub news: News,
}

/// What an alert says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A project has left its usual range, or is silent.
    Moved {
        /// Which.
        project: Named,
        /// How. What contributed to it will be beside it.
        moved: Move,
    },
    /// A project is back to usual after that was told.
    Back {
        /// Which.
        project: Named,
        /// What had been told.
        was: Subject,
        /// Since when.
        since: Timestamp,
    },
    /// Most projects moved in one direction at once.
    Together {
        /// Where they went.
        direction: Direction,
        /// How many.
        moved: usize,
        /// Of how many that could be judged.
        of: usize,
    },
    /// The last of the projects that had moved together is back to usual.
    TogetherBack {
        /// Where they had gone.
        direction: Direction,
    },
    /// A goal is reached.
    Goal {
        /// Of which project.
        project: Named,
        /// Which.
        goal: Goal,
        /// What was counted.
        count: u64,
    },
    /// A sign-in has ended by itself.
    Ended {
        /// Which.
        connection: ConnectionId,
        /// What it is called: `US Cloud as Ada Lovelace`.
        name: String,
        /// Why.
        reason: EndReason,
        /// At which PostHog.
        host: Host,
        /// How it had signed in.
        by: CredentialKind,
    },
}

/// A project as an alert names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its key.
    pub key: ProjectKey,
    /// The name to show.
    pub name: String,
    /// Its time zone, by which times are written.
    pub time_zone: String,
}

/// What of a project has moved, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// No events at all.
    Silent,
    /// A number.
    Number {
        /// Which.
        metric: Metric,
        /// More or less than usual.
        direction: Direction,
    },
}

impl News {
    /// The project that it is about, if it is about one.
    pub fn project(&self) -> Option<&Named> {
        match self {
            Self::Moved { project, .. }
            | Self::Back { project, .. }
            | Self::Goal { project, .. } => Some(project),
            Self::Together { .. } | Self::TogetherBack { .. } | Self::Ended { .. } => None,
        }
    }
}

impl Subject {
    /// What of a project this move is about; `None` of one that is back.
    fn of(moved: &Move) -> Option<Self> {
        if moved.kind == Kind::Silent {
            return Some(Self::Silent);
        }
        Some(Self::Number {
            metric: moved.metric.clone(),
            direction: moved.direction()?,
        })
    }

    /// Where it went; silence is down.
    pub fn direction(&self) -> Direction {
        match self {
            Self::Silent => Direction::Down,
            Self::Number { direction, .. } => *direction,
        }
    }

    /// Whether this is about people who met an exception.
    pub fn is_errors(&self) -> bool {
        matches!(self, Self::Number { metric, .. } if metric.is_errors())
    }
}
