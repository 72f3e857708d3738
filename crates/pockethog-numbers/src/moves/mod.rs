//! What is usual of a project today, and whether it has left that.
//!
//! A person wants to know whether anything is out of the ordinary, how much and since when. [`judge()`] compares the closed
//! quarters of an hour of today with the closed days of [`History`](crate::history::History) by crate `usual`, and
//! answers with a [`Judged`]: for each number the range that is usual by now, and the [`Move`] if one has left it. It
//! is stored beside the numbers of today, so that a page, a widget, a terminal and an alert say the same. Coloured,
//! listed and told is exactly what [`Judged::moved`] answers.
//!
//! | module | what it knows |
//! |---|---|
//! | `change` | the change that is shown beside a number of today |
//! | `judge` | from the numbers of today and the closed days to a [`Judged`] |
//! | `lag` | how late events of a project arrive |
//! | `marks` | which closed days were out of the ordinary themselves |
//! | `list` | the moves of all projects, most surprising first |
//! | `total` | what is usual of several projects together |

mod change;
mod judge;
mod lag;
mod list;
mod marks;
#[cfg(test)]
mod tests;
mod total;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use change::visitors_change;
pub use judge::{Baselines, Counted, judge};
pub use lag::Lag;
pub use list::{Listed, Moves, moves};
pub use marks::Marks;
pub use total::{UsualTotal, usual_curve};
pub use usual::{Basis, Compare, Direction, Look, Sensitivity, Together};

use crate::age;

/// A project that is back to usual is listed for this long.
const BACK_LISTED: SignedDuration = SignedDuration::from_hours(2);

/// Seconds of a quarter of an hour.
const QUARTER: i64 = 900;

/// Seconds of an hour.
const HOUR: i64 = 3600;

/// Older numbers say nothing about now, in seconds.
const OLD_SECONDS: i64 = 3600;

/// PostHog's event of an exception. It is counted like a conversion: persons who met one.
pub const ERRORS: &str = "$exception";

/// A number of a project that is compared with what is usual.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Distinct persons with a view.
    Visitors,
    /// Views.
    Pageviews,
    /// Distinct persons with this conversion event.
    Conversion(String),
}

/// What a person wants to compare with, and how readily a number leaves its range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// What today is compared with.
    pub compare: Compare,
    /// How readily.
    pub sensitivity: Sensitivity,
}

/// A count is usual from `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsualRange {
    /// The middle.
    pub centre: f64,
    /// The least.
    pub low: u64,
    /// The most.
    pub high: u64,
}

/// A count of the closed quarters of today beside its usual range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByNow {
    /// What was counted.
    pub count: u64,
    /// What is usual by then.
    pub usual: UsualRange,
    /// What that comes from.
    pub basis: Basis,
}

/// A number that has left its range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// More or less than usual.
    pub direction: Direction,
    /// Which look shows it: the day so far, or the last hours.
    pub look: Look,
    /// When it was outside for the first time: the start of that quarter of an hour.
    pub since: Timestamp,
    /// What was counted in this look.
    pub count: u64,
    /// What is usual in this look.
    pub usual: UsualRange,
    /// Whether the day before ended like this.
    pub continues: bool,
}

/// Where a number is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is nothing to compare with.
    Unknown,
    /// As usual.
    Ordinary,
    /// Outside its range.
    Moved(Left),
    /// It had moved and is inside again.
    BackToUsual {
        /// The end of the quarter of an hour that settled it.
        at: Timestamp,
        /// Where it had been.
        was: Direction,
    },
}

/// One number of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Number {
    /// Which.
    pub metric: Metric,
    /// The day so far. `None` if there is nothing to compare with, or no quarter of an hour has closed.
    pub by_now: Option<ByNow>,
    /// What usually comes on the whole day.
    pub whole_day: f64,
    /// Where it is.
    pub state: State,
}

/// No event for much longer than there ever is at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silent {
    /// The last event.
    pub since: Timestamp,
    /// The longest that is usual at this time, in seconds.
    pub usual_seconds: u64,
}

/// What is usual of a project today, and what has left that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// When the numbers were measured that were judged.
    pub measured_at: Timestamp,
    /// What they were judged by.
    pub settings: Settings,
    /// The project's day.
    pub date: Date,
    /// When it began.
    pub day_began: Timestamp,
    /// When it ends.
    pub day_ends: Timestamp,
    /// The numbers: visitors, pageviews, then the chosen conversions.
    pub numbers: Vec<Number>,
    /// Whether the project is silent.
    pub silent: Option<Silent>,
    /// The last event of any kind, as far as one was seen.
    pub last_event_at: Option<Timestamp>,
    /// How late events of this project arrive.
    pub lag: Lag,
    /// Views by quarter of an hour as they were read: what the next reading has more of has arrived late.
    pub pageviews: Vec<u64>,
    /// Visitors that are usual in each hour: from the first hour of yesterday to the last one of today, in the
    /// order in which they pass. Empty if there is nothing to compare with.
    pub usual_hours: Vec<f64>,
    /// When the first of `usual_hours` begins.
    pub usual_hours_from: Timestamp,
}

/// How a project has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No event for much longer than usual.
    Silent,
    /// More than usual.
    Spike,
    /// Less than usual.
    Drop,
    /// It had moved and is inside its range again.
    BackToUsual,
}

/// A project that has left its usual range, or has just come back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// How.
    pub kind: Kind,
    /// Which number. Of a silent project: visitors.
    pub metric: Metric,
    /// Since when: the first quarter of an hour outside, the last event, or the quarter that was inside again.
    pub since: Timestamp,
    /// Which look shows it.
    pub look: Look,
    /// What was counted in this look.
    pub count: u64,
    /// What is usual in this look, if that is known.
    pub usual: Option<UsualRange>,
    /// What that comes from.
    pub basis: Option<Basis>,
    /// Of a silent project: the longest gap that is usual at this time, in seconds.
    pub usual_gap: Option<u64>,
    /// Whether the day before ended like this.
    pub continues: bool,
}

impl UsualRange {
    /// How far a count is from the centre, in half-widths of the range on its side: above 1 is outside.
    #[must_use]
    pub fn distance(&self, count: u64) -> f64 {
        let count = count as f64;
        let half = if count > self.centre {
            self.high as f64 - self.centre
        } else {
            self.centre - self.low as f64
        };
        (count - self.centre).abs() / half.max(1.0)
    }

    /// How much more or less than the centre, in percent. `None` if nothing is usual.
    #[must_use]
    pub fn change_percent(&self, count: u64) -> Option<f64> {
        (self.centre > 0.0).then(|| (count as f64 - self.centre) / self.centre * 100.0)
    }
}

impl From<usual::Range> for UsualRange {
    /// The whole numbers inside: a count is outside of these exactly if it is outside of those.
    fn from(range: usual::Range) -> Self {
        Self {
            centre: range.centre.max(0.0),
            low: whole(range.low.ceil()),
            high: whole(range.high.floor()),
        }
    }
}

impl Judged {
    /// The number of this metric.
    #[must_use]
    pub fn number(&self, metric: &Metric) -> Option<&Number> {
        self.numbers.iter().find(|number| number.metric == *metric)
    }

    /// The visitors so far, beside what is usual.
    #[must_use]
    pub fn visitors_by_now(&self) -> Option<ByNow> {
        self.number(&Metric::Visitors)?.by_now
    }

    /// Whether it still says something: its day is not over and its numbers are not old.
    #[must_use]
    pub fn speaks_of(&self, now: Timestamp) -> bool {
        now < self.day_ends && !age::is_at_least(self.measured_at, OLD_SECONDS, now)
    }

    /// The end of the last quarter of an hour that was judged; the start of the day if none has closed.
    #[must_use]
    pub fn closed_until(&self) -> Timestamp {
        let closed = self.lag.closed_quarters(self.measured_at, self.day_began);
        let after = SignedDuration::from_secs(closed.saturating_mul(QUARTER));
        let until = self.day_began.checked_add(after);
        until.map_or(self.day_ends, |until| until.min(self.day_ends))
    }

    /// Visitors usual in the hour that is nearest to the one that begins at `start`: hours of some zones begin on the
    /// half, and count with the full hour half an hour later.
    #[must_use]
    pub fn usual_near_hour(&self, start: Timestamp) -> Option<f64> {
        let full_hour = |at: Timestamp| (at.as_second() + HOUR / 2).div_euclid(HOUR);
        let hour = full_hour(start) - full_hour(self.usual_hours_from);
        self.usual_hours.get(usize::try_from(hour).ok()?).copied()
    }

    /// How this project has moved, in one: silence before everything else, then visitors, pageviews and conversions in
    /// their order. `None` if it is as usual, or if these numbers do not speak of `now`.
    #[must_use]
    pub fn moved(&self, now: Timestamp) -> Option<Move> {
        self.moves(now).into_iter().next()
    }

    /// Every number of this project that has moved: silence alone, or those outside their range, and then those that are
    /// back, each in the order of [`Judged::moved`]. Fewer errors than usual are no news.
    #[must_use]
    pub fn moves(&self, now: Timestamp) -> Vec<Move> {
        if !self.speaks_of(now) {
            return Vec::new();
        }
        if let Some(silent) = self.silent {
            let visitors = self
                .number(&Metric::Visitors)
                .and_then(|number| number.by_now);
            return vec![Move {
                kind: Kind::Silent,
                metric: Metric::Visitors,
                since: silent.since,
                look: Look::SoFar,
                count: visitors.map_or(0, |by_now| by_now.count),
                usual: visitors.map(|by_now| by_now.usual),
                basis: visitors.map(|by_now| by_now.basis),
                usual_gap: Some(silent.usual_seconds),
                continues: false,
            }];
        }
        let outside = self.numbers.iter().filter_map(|number| match number.state {
            State::Moved(left) => Some(number.left(left)),
            _ => None,
        });
        let outside =
            outside.filter(|moved| !(moved.kind == Kind::Drop && moved.metric.is_errors()));
        let back = self.numbers.iter().filter_map(|number| match number.state {
            State::BackToUsual { at, was }
                if !(was == Direction::Down && number.metric.is_errors()) =>
            {
                number.back(at, now)
            }
            _ => None,
        });
        outside.chain(back).collect()
    }
}

impl Metric {
    /// Whether this counts persons who met an exception.
    #[must_use]
    pub fn is_errors(&self) -> bool {
        matches!(self, Self::Conversion(event) if event == ERRORS)
    }
}

impl Number {
    fn basis(&self) -> Option<Basis> {
        self.by_now.map(|by_now| by_now.basis)
    }

    fn left(&self, left: Left) -> Move {
        Move {
            kind: match left.direction {
                Direction::Up => Kind::Spike,
                Direction::Down => Kind::Drop,
            },
            metric: self.metric.clone(),
            since: left.since,
            look: left.look,
            count: left.count,
            usual: Some(left.usual),
            basis: self.basis(),
            usual_gap: None,
            continues: left.continues,
        }
    }

    fn back(&self, at: Timestamp, now: Timestamp) -> Option<Move> {
        let by_now = self.by_now?;
        (now.duration_since(at) < BACK_LISTED).then(|| Move {
            kind: Kind::BackToUsual,
            metric: self.metric.clone(),
            since: at,
            look: Look::SoFar,
            count: by_now.count,
            usual: Some(by_now.usual),
            basis: Some(by_now.basis),
            usual_gap: None,
            continues: false,
        })
    }
}

impl Move {
    /// The direction of a spike, a drop or a silence; `None` once it is back.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        match self.kind {
            Kind::Spike => Some(Direction::Up),
            Kind::Drop | Kind::Silent => Some(Direction::Down),
            Kind::BackToUsual => None,
        }
    }
}

/// A count from arithmetic. What is negative or no number is 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // bounded on both sides
fn whole(count: f64) -> u64 {
    if count.is_finite() && count > 0.0 {
        count.min(9e15) as u64
    } else {
        0
    }
}
