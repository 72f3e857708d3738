//! The numbers of one project: the query texts, and what their rows mean.
//!
//! docs/metrics.md defines each number. One request per project brings everything the home screen
//! shows ([`Today`]), another one brings a range of the project page ([`Period`]), a third one its
//! breakdowns ([`Breakdowns`]).

mod asked;
mod breakdowns;
pub(crate) mod buckets;
mod change;
mod clock;
mod closed_days;
pub(crate) mod hogql;
mod period;
pub(crate) mod rows;
pub(crate) mod today;
mod today_summary;
mod total;
mod window;
mod zone;

pub use asked::{Asked, LeftOut, MOST_CONVERSIONS};
pub use breakdowns::{Breakdown, Breakdowns, Row};
pub use change::{Change, share_tone};
pub use clock::DayClock;
pub use closed_days::ClosedDays;
pub use period::{ConversionFigure, Period};
pub use rows::RowsError;
pub use today::{Quarter, Today};
pub use today_summary::TodaySummary;
pub use total::{Axis, Curve, Day, Figures, Hours, Part, Total};
pub use window::{Range, Window};
pub use zone::time_zone;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Counts over one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Unique persons.
    pub visitors: u64,
    /// `$pageview` and `$screen` events.
    pub pageviews: u64,
}

impl Counts {
    /// Both together. A sum that is too large stays at the largest number.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            visitors: self.visitors.saturating_add(other.visitors),
            pageviews: self.pageviews.saturating_add(other.pageviews),
        }
    }
}

/// Counts of one hour or day.
///
/// In a Snapshot it is three numbers, the start in Unix seconds: a widget reads a thousand of them before it
/// prints, and parsing dates would be most of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(i64, u64, u64)", into = "(i64, u64, u64)")]
pub struct Point {
    /// When the hour or day starts.
    pub start: Timestamp,
    /// Unique persons.
    pub visitors: u64,
    /// `$pageview` and `$screen` events.
    pub pageviews: u64,
}

impl Point {
    /// Adds the counts of another project's hour or day.
    pub fn add(&mut self, other: &Self) {
        self.visitors = self.visitors.saturating_add(other.visitors);
        self.pageviews = self.pageviews.saturating_add(other.pageviews);
    }
}

impl TryFrom<(i64, u64, u64)> for Point {
    type Error = jiff::Error;

    fn try_from((start, visitors, pageviews): (i64, u64, u64)) -> Result<Self, jiff::Error> {
        Ok(Self {
            start: Timestamp::from_second(start)?,
            visitors,
            pageviews,
        })
    }
}

impl From<Point> for (i64, u64, u64) {
    fn from(point: Point) -> Self {
        (point.start.as_second(), point.visitors, point.pageviews)
    }
}

/// Change against a comparison, in percent. `None` if there is nothing to compare with.
#[must_use]
pub fn change_percent(now: u64, before: u64) -> Option<f64> {
    (before > 0).then(|| (now as f64 - before as f64) / before as f64 * 100.0)
}

/// Every query text of this module, for the check by PostHog's own grammar.
#[must_use]
pub fn all_query_texts() -> Vec<posthog_api::HogQl> {
    let now = Timestamp::UNIX_EPOCH;
    let clock = DayClock::new("UTC", now);
    let mut texts = Vec::new();
    let closed = ClosedDays::none(&clock);
    for conversions in [0, MOST_CONVERSIONS] {
        let events: Vec<String> = (0..conversions)
            .map(|nth| format!("it's \"odd\" {nth}"))
            .collect();
        let asked = Asked::new("UTC", &events);
        texts.push(Today::query(&clock, &asked, None));
        texts.push(Today::query(&clock, &asked, Some(&closed)));
    }
    for range in Range::ALL {
        let window = Window::new(range, &clock);
        for conversions in [
            vec![],
            vec!["signed_up".to_owned(), "it's \"odd\"".to_owned()],
        ] {
            texts.push(Period::query(&window, &conversions));
        }
        texts.push(Breakdowns::query(&window));
    }
    texts
}
