//! What made a project move: a referrer, a page, a campaign, a country, a kind of device, or nothing in particular.
//!
//! One query breaks the visitors of today and of the days that it is compared with down by what the first view of each
//! visitor had. Each visitor of a day has one first view, so contributions add up to the difference. A value
//! explains what it has more than it would if it had changed like everything else: a country that always has half of
//! the visitors explains nothing if all countries grow alike. docs/metrics.md has the formula.
//!
//! | module | what it knows |
//! |---|---|
//! | `query` | the text that is asked |
//! | `rows` | what the rows mean |
//! | `pick` | from the counts to a [`Cause`] |
//! | `due` | when to explain a move again |
//!
//! No sentence is made here: pages, terminal and widgets share their wording in `pockethog_views::moved`. Values
//! are what a website's visitors sent: data in any language and with any sign in it, never markup.

mod due;
mod pick;
mod query;
mod rows;

use jiff::Timestamp;
use posthog_api::{HogQl, Rows};
use serde::{Deserialize, Serialize};

pub use due::seconds_until_due;
pub use usual::Direction;

use crate::overview::{DayClock, LeftOut, RowsError};

/// What is to be explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Which way the project went.
    pub direction: Direction,
    /// Since when: the first quarter of an hour that was out of the ordinary.
    pub since: Timestamp,
    /// How many hours back the move shows; `None` if it is the day so far that shows it.
    pub hours: Option<u8>,
    /// How many days ago the days are that today is compared with, for example 7, 14, 21 and 28.
    pub compared_with: Vec<u16>,
    /// Until when today is looked at, if not until now: the end of the last quarter of an hour that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Visitors that are usual in this look, if that is known better than as the mean of the other days: a project that
    /// grows is ahead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<u64>,
    /// Whose events are left out.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
}

/// What visitors are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// `utm_source`.
    UtmSource,
    /// `$referring_domain`; `$direct` if there was none.
    Referrer,
    /// `$pathname`, or `$screen_name` in an app.
    Page,
    /// `$geoip_country_code`.
    Country,
    /// `$device_type`.
    Device,
}

impl Dimension {
    /// All of them. If two explain a difference equally well, the first one is named first: a campaign says more than
    /// the site that it was on, and where people came from says more than where they arrived.
    pub const ALL: [Self; 5] = [
        Self::UtmSource,
        Self::Referrer,
        Self::Page,
        Self::Country,
        Self::Device,
    ];

    /// `utm_source`, `referrer`, `page`, `country` or `device`.
    pub fn name(self) -> &'static str {
        match self {
            Self::UtmSource => "utm_source",
            Self::Referrer => "referrer",
            Self::Page => "page",
            Self::Country => "country",
            Self::Device => "device",
        }
    }
}

/// One value, and how many visitors more or fewer than usual came with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// What the value is of.
    pub dimension: Dimension,
    /// The value, as a visitor's program sent it.
    pub value: String,
    /// Visitors more than usual; negative if fewer.
    pub visitors: i64,
}

/// How much of a contribution has a further value in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// At least three quarters of it.
    NearlyAll,
    /// More than with any other value of its dimension.
    Most,
}

/// What explains a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// One value.
    One(Contribution),
    /// One value, and what its visitors have in common.
    Within {
        /// The value that explains most.
        whole: Contribution,
        /// The value of another dimension.
        part: Contribution,
        /// How many of them have it.
        share: Share,
    },
    /// Two values that add up: the larger one first.
    Two(Contribution, Contribution),
    /// No value explains a third of the difference.
    Spread,
    /// There are about as many visitors as usual: what moved was another number.
    NotVisitors,
}

impl Cause {
    /// The values that are named, the most important one first.
    pub fn contributions(&self) -> Vec<&Contribution> {
        match self {
            Self::One(only) => vec![only],
            Self::Within { whole, part, .. } => vec![whole, part],
            Self::Two(first, second) => vec![first, second],
            Self::Spread | Self::NotVisitors => Vec::new(),
        }
    }
}

/// Why a project moved, as far as its visitors tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// What was to be explained.
    pub question: Question,
    /// Visitors in this look at today.
    pub visitors: u64,
    /// Visitors that are usual in it.
    pub usual: u64,
    /// What explains the difference.
    pub cause: Cause,
    /// Whether every page has its part in the difference: no page explains a third of it.
    pub pages_alike: bool,
}

impl Explanation {
    /// The one query that brings what an explanation is made of.
    pub fn query(clock: &DayClock, question: &Question) -> HogQl {
        question.left_out.of(query::query(clock, question))
    }

    /// Reads the rows of [`Explanation::query`].
    ///
    /// # Errors
    ///
    /// Rows that are not what was asked for.
    pub fn from_rows(
        question: Question,
        measured_at: Timestamp,
        rows: &Rows,
    ) -> Result<Self, RowsError> {
        let counts = rows::read(&question, rows)?;
        let picked = pick::pick(&counts, question.direction);
        Ok(Self {
            measured_at,
            question,
            visitors: counts.today,
            usual: counts.usual_rounded(),
            cause: picked.cause,
            pages_alike: picked.pages_alike,
        })
    }

    /// Whether it explains this move. Another move goes the other way, or began half a day earlier or later; that the
    /// same one shows in another look now, or began a little earlier than was thought, makes no other one of it.
    #[must_use]
    pub fn is_about(&self, question: &Question) -> bool {
        let apart = self.question.since.as_second() - question.since.as_second();
        self.question.direction == question.direction && apart.abs() < 12 * 3600
    }

    /// Visitors more than usual; negative if fewer.
    pub fn difference(&self) -> i64 {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        count(self.visitors) - count(self.usual)
    }
}

/// Every query text that explains, for the check by PostHog's own grammar.
#[must_use]
pub fn query_texts() -> Vec<HogQl> {
    let clock = DayClock::new("Europe/Berlin", Timestamp::UNIX_EPOCH);
    let question = |hours, compared_with: &[u16]| Question {
        direction: Direction::Up,
        since: Timestamp::UNIX_EPOCH,
        hours,
        compared_with: compared_with.to_vec(),
        until: None,
        usual: None,
        left_out: LeftOut::default(),
    };
    [question(None, &[7, 14, 21, 28]), question(Some(6), &[1])]
        .iter()
        .map(|question| Explanation::query(&clock, question))
        .collect()
}
