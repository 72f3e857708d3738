//! How late events of a project arrive.
//!
//! A phone sends its events once it has a network, a server in batches. Quarters of an hour that still grow would look
//! like a drop, so they are judged once they have settled. How long that takes is not known beforehand: it is seen
//! when the same quarter is read again and counts more.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A quarter of an hour is closed after this many seconds at least: PostHog takes events in within a minute or two.
const LEAST: i64 = 120;
/// A longer lag is not waited for: such events belong to another day's look.
const MOST: i64 = 6 * 3600;
/// What was seen counts for this many seconds.
const REMEMBERED: i64 = 24 * 3600;
/// A quarter has grown if it counts more by this share at least …
const SHARE: f64 = 0.02;
/// … and by this many.
const COUNTS: u64 = 2;

/// How late events arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    seen_seconds: i64,
    seen_at: Option<Timestamp>,
}

/// Views by quarter of an hour of a day, as they were read at some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) measured_at: Timestamp,
    pub(super) day_began: Timestamp,
    pub(super) quarters: &'a [u64],
}

impl Lag {
    /// After how many seconds a quarter of an hour is closed.
    #[must_use]
    pub fn seconds(self, now: Timestamp) -> i64 {
        let is_remembered = |at: Timestamp| (0..REMEMBERED).contains(&seconds_between(at, now));
        if self.seen_at.is_some_and(is_remembered) {
            self.seen_seconds.clamp(LEAST, MOST)
        } else {
            LEAST
        }
    }

    /// How many quarters of an hour of a day were closed when it was read.
    #[must_use]
    pub(super) fn closed_quarters(self, measured_at: Timestamp, day_began: Timestamp) -> i64 {
        let settled = seconds_between(day_began, measured_at) - self.seconds(measured_at);
        settled.div_euclid(super::QUARTER).max(0)
    }

    /// What a second reading of the same day says about it.
    #[must_use]
    pub(super) fn seen(self, before: Reading<'_>, after: Reading<'_>) -> Self {
        if before.day_began != after.day_began || before.measured_at >= after.measured_at {
            return self;
        }
        let late = (0_i64..)
            .zip(before.quarters.iter().zip(after.quarters))
            .filter(|(_, (then, now))| {
                let more = now.saturating_sub(**then);
                more >= COUNTS && more as f64 >= SHARE * **now as f64
            })
            // Of what came after the first reading it is only known that it came by the second one.
            .map(|(quarter, _)| {
                let ended = after.day_began.as_second() + (quarter + 1) * super::QUARTER;
                before.measured_at.as_second() - ended
            })
            .filter(|late| (LEAST..=MOST).contains(late))
            .max();
        match late {
            // Kept until it is forgotten or surpassed.
            Some(late) if late + 60 >= self.seconds(after.measured_at) => Self {
                seen_seconds: late + 60,
                seen_at: Some(after.measured_at),
            },
            _ => self,
        }
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::ToSpan as _;

    fn began() -> Timestamp {
        "2026-11-27T00:00:00Z".parse().unwrap()
    }

    fn reading(minutes: i64, quarters: &[u64]) -> Reading<'_> {
        Reading {
            measured_at: began() + minutes.minutes(),
            day_began: began(),
            quarters,
        }
    }

    #[test]
    fn a_quarter_that_grows_long_after_its_end_makes_others_wait() {
        let lag = Lag::default();
        let noon = began() + 12.hours();
        assert_eq!(lag.seconds(noon), 120);
        // The first quarter ended at 00:15, was read at 00:35 and has grown by 00:45.
        let seen = lag.seen(reading(35, &[100, 100, 10]), reading(45, &[150, 110, 90]));
        assert_eq!(seen.seconds(began() + 1.hours()), 20 * 60 + 60);
        assert_eq!(seen.seconds(began() + 25.hours()), 120);
    }

    #[test]
    fn the_quarter_that_is_not_over_and_a_straggler_say_nothing() {
        let lag = Lag::default();
        let seen = lag.seen(reading(35, &[100, 100, 10]), reading(36, &[101, 101, 50]));
        assert_eq!(seen, lag);
        let backwards = lag.seen(reading(45, &[100]), reading(35, &[200]));
        assert_eq!(backwards, lag);
    }
}
