//! The ranges that a person can choose, as stretches of time in a project's own time zone.
//!
//! The end of a window is the next full minute. It is a literal in the query text, so PostHog's result cache answers at
//! most for that minute.

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::clock::{DayClock, back};

/// The ranges that a person can choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Range {
    /// The last 24 hours, by hour.
    #[serde(rename = "24h")]
    Day,
    /// Today and the 6 days before, by day.
    #[serde(rename = "7d")]
    Week,
    /// Today and the 29 days before, by day.
    #[default]
    #[serde(rename = "30d")]
    Month,
    /// Today and the 89 days before, by day.
    #[serde(rename = "90d")]
    Quarter,
}

impl Range {
    /// All ranges, shortest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Quarter];

    /// `24h`, `7d`, `30d` or `90d`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
        }
    }

    /// The range called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.name() == name)
    }

    fn days(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
            Self::Quarter => 90,
        }
    }
}

/// A range and the period of the same length directly before it.
#[derive(Clone, Debug)]
pub struct Window {
    /// The range.
    pub range: Range,
    /// Starts of the hours or days of the range, oldest first.
    pub buckets: Vec<Timestamp>,
    /// Starts of the hours or days of the period before.
    pub buckets_before: Vec<Timestamp>,
    /// End of the range.
    pub until: Timestamp,
    /// Where the totals of the period before end: the same time of day as now.
    pub before_until: Timestamp,
    /// From when on hours and days are asked for. PostHog's first day may begin before ours if we do not know
    /// the zone.
    pub(super) points_from: Timestamp,
}

impl Window {
    /// The window of `range` that ends now.
    pub fn new(range: Range, clock: &DayClock) -> Self {
        let days = range.days();
        let (buckets, buckets_before, before_until): (_, Vec<Timestamp>, _) = if range == Range::Day
        {
            let hours = |first: i64, last: i64| {
                (last..=first)
                    .rev()
                    .map(|h| clock.hour_start(h).timestamp())
                    .collect()
            };
            let before_until = back(clock.until(), 24.hours());
            (hours(23, 0), hours(47, 24), before_until)
        } else {
            let starts = |first: i64, last: i64| {
                (last..=first)
                    .rev()
                    .map(|d| clock.day_start(d).timestamp())
                    .collect()
            };
            (
                starts(days - 1, 0),
                starts(2 * days - 1, days),
                clock.same_time(days),
            )
        };
        let until = clock.until().timestamp();
        let first = buckets_before.first().copied().unwrap_or(until);
        Self {
            range,
            buckets,
            buckets_before,
            until,
            before_until: before_until.timestamp(),
            points_from: clock.asked_from(first),
        }
    }

    /// Start of the range.
    pub fn from(&self) -> Timestamp {
        self.buckets.first().copied().unwrap_or(self.until)
    }

    /// Start of the period before.
    pub(crate) fn before_from(&self) -> Timestamp {
        self.buckets_before.first().copied().unwrap_or(self.until)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn clock(zone: &str, now: &str) -> DayClock {
        DayClock::new(zone, now.parse().unwrap())
    }

    #[test]
    fn the_period_before_is_as_long_and_directly_before() {
        let clock = clock("America/New_York", "2026-11-05T15:00:30Z");
        let window = Window::new(Range::Week, &clock);
        assert_eq!(window.buckets.len(), 7);
        assert_eq!(window.buckets_before.len(), 7);
        assert_eq!(window.from().to_string(), "2026-10-30T04:00:00Z");
        assert_eq!(window.before_until.to_string(), "2026-10-29T14:01:00Z");
    }

    #[test]
    fn the_last_24_hours_are_24_hours() {
        let window = Window::new(Range::Day, &clock("UTC", "2026-11-24T10:15:20Z"));
        assert_eq!(window.buckets.len(), 24);
        assert_eq!(window.from().to_string(), "2026-11-23T11:00:00Z");
        assert_eq!(window.before_until.to_string(), "2026-11-23T10:16:00Z");
    }
}
