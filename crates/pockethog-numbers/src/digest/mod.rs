//! A project over its last closed day or its last seven: what a digest is made of.
//!
//! One query brings what only a query can tell: distinct visitors of the whole stretch, the best pages and the
//! referrers that are new. What was out of the ordinary comes from [`History`](crate::history::History), judged by the
//! same rules as today.
//!
//! | module | what it knows |
//! |---|---|
//! | `stretch` | which days |
//! | `query` | the text that is asked, and what its rows mean |
//! | `verdict` | which of the days were out of the ordinary |

mod query;
mod stretch;
mod verdict;

use jiff::Timestamp;
use posthog_api::HogQl;
use serde::{Deserialize, Serialize};

pub use stretch::{ClosedStretch, Span};
pub use verdict::{ClosedDay, ClosedMove, verdicts};

use crate::causes::Explanation;
use crate::overview::{Asked, ConversionFigure, Counts, Row};

/// Pages and referrers of a digest, at most.
pub const MOST_ROWS: usize = 10;

/// What one query tells of a project's closed days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedFigures {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// What was asked for.
    pub asked: Asked,
    /// The days.
    pub stretch: ClosedStretch,
    /// Over these days.
    pub now: Counts,
    /// Over as many days before.
    pub before: Counts,
    /// The chosen conversion events, in the order they were chosen.
    pub conversions: Vec<ConversionFigure>,
    /// The pages with the most visitors, at most [`MOST_ROWS`].
    pub pages: Vec<Row>,
    /// The referrers with the most visitors of those that sent nobody in the days before, at most [`MOST_ROWS`].
    pub new_referrers: Vec<Row>,
    /// What made one of the days move: the most surprising one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explained: Option<Explained>,
}

/// What made a closed day move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// When the day began.
    pub day: Timestamp,
    /// Why.
    pub explanation: Explanation,
}

/// Every query text of a digest, for the check by PostHog's own grammar.
#[must_use]
pub fn query_texts() -> Vec<HogQl> {
    let stretch = ClosedStretch {
        span: Span::Day,
        before: Timestamp::UNIX_EPOCH,
        from: Timestamp::UNIX_EPOCH,
        until: Timestamp::UNIX_EPOCH,
    };
    [vec![], vec!["it's \"odd\"".to_owned()]]
        .iter()
        .map(|conversions| ClosedFigures::query(&stretch, &Asked::new("UTC", conversions)))
        .collect()
}
