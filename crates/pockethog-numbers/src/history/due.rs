//! When to read which days.
//!
//! Events arrive late, most of them within a day. So the last two closed days are read again every hour, and all of
//! them once a day.

use jiff::Timestamp;

use super::{Asked, FEWEST_DAYS, MOST_DAYS};
use crate::age;
use crate::overview::DayClock;

/// The newest days are read again this often, in seconds …
const NEWEST_SECONDS: i64 = 3600;

/// … and these are so many.
const NEWEST_DAYS: usize = 2;

/// All days are read again this often, in seconds.
const ALL_SECONDS: i64 = 86_400;

/// If a day has ended and the last read does not have it, it is read after this many seconds at least: PostHog may cut
/// days by other rules.
const ENDED_SECONDS: i64 = 300;

/// What is known of a History without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What was asked for.
    pub asked: Asked,
    /// When the newest days were read.
    pub measured_at: Timestamp,
    /// When all days were read.
    pub all_measured_at: Timestamp,
    /// When its newest day ended.
    pub ended_at: Option<Timestamp>,
    /// How many days can be read at once, if [`MOST_DAYS`] are too many.
    pub limited_to: Option<usize>,
}

/// What is to be read, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Seconds from now; 0 is due.
    pub seconds: i64,
    /// How many closed days to read.
    pub days: usize,
}

impl Due {
    /// What is due of a project. `least` are the seconds between two reads that the budget allows.
    pub fn of(known: Option<&Known>, asked: &Asked, clock: &DayClock, least: i64) -> Self {
        let Some(known) = known.filter(|known| known.asked == *asked) else {
            return Self::at_once(MOST_DAYS);
        };
        let now = clock.until().timestamp();
        let left = |at: Timestamp, patience: i64| {
            age::seconds(at, now).map_or(0, |age| (patience - age).max(0))
        };
        let all = Self {
            seconds: left(known.all_measured_at, ALL_SECONDS.max(least)),
            days: known.all_days(),
        };
        let Some(ended_at) = known.ended_at.filter(|ended_at| *ended_at <= now) else {
            // No day, or days of a clock that was ahead.
            return Self {
                seconds: left(known.measured_at, NEWEST_SECONDS.max(least)),
                ..all
            };
        };
        if all.seconds == 0 {
            return all;
        }
        let is_missing = if clock.zone_known() {
            ended_at < clock.day_start(0).timestamp()
        } else {
            now.as_second() - ended_at.as_second() >= 86_400
        };
        let patience = if is_missing {
            ENDED_SECONDS
        } else {
            NEWEST_SECONDS
        };
        let second_day = i64::try_from(NEWEST_DAYS).unwrap_or(1) - 1;
        let newest = Self {
            seconds: left(known.measured_at, patience.max(least)),
            days: if ended_at < clock.day_start(second_day).timestamp() {
                known.all_days()
            } else {
                NEWEST_DAYS
            },
        };
        if all.seconds < newest.seconds {
            all
        } else {
            newest
        }
    }

    /// Whether all days that the project can have are read.
    pub fn is_all(self) -> bool {
        self.days > NEWEST_DAYS
    }

    fn at_once(days: usize) -> Self {
        Self { seconds: 0, days }
    }
}

impl Known {
    /// In one sentence, that there is less of it than usual, and why.
    pub fn shortfall(&self) -> Option<String> {
        let days = self.limited_to?;
        Some(format!(
            "this project is too large to read {MOST_DAYS} days at once: its history has {days} days"
        ))
    }

    /// How many days to ask for. What was too much last time is tried again at twice the size that was not:
    /// PostHog may be faster now.
    fn all_days(&self) -> usize {
        self.limited_to.map_or(MOST_DAYS, |days| {
            days.saturating_mul(2).clamp(FEWEST_DAYS, MOST_DAYS)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn clock(now: &str) -> DayClock {
        DayClock::new("Europe/Berlin", at(now))
    }

    fn asked() -> Asked {
        Asked::new("Europe/Berlin", &[])
    }

    /// Read at ten o'clock, all of it at six.
    fn known() -> Known {
        Known {
            asked: asked(),
            measured_at: at("2026-11-24T10:00:00Z"),
            all_measured_at: at("2026-11-24T06:00:00Z"),
            ended_at: Some(at("2026-11-23T23:00:00Z")),
            limited_to: None,
        }
    }

    fn due(known: &Known, now: &str) -> (i64, usize) {
        let due = Due::of(Some(known), &asked(), &clock(now), 0);
        (due.seconds, due.days)
    }

    #[test]
    fn the_newest_days_are_due_hourly_and_all_of_them_daily() {
        assert_eq!(due(&known(), "2026-11-24T10:20:00Z"), (2400, 2));
        assert_eq!(due(&known(), "2026-11-24T11:00:00Z"), (0, 2));
        assert_eq!(due(&known(), "2026-11-25T06:00:00Z"), (0, 56));
        // Nobody looked for a day and a half.
        assert_eq!(due(&known(), "2026-11-25T23:30:00Z"), (0, 56));
    }

    #[test]
    fn a_day_that_has_just_ended_is_due() {
        let mut late = known();
        late.measured_at = at("2026-11-24T22:50:00Z");
        late.all_measured_at = late.measured_at;
        assert_eq!(due(&late, "2026-11-24T22:58:00Z"), (3120, 2));
        assert_eq!(due(&late, "2026-11-24T23:01:00Z"), (0, 2));
        // Days are missing between.
        assert_eq!(due(&late, "2026-11-26T00:00:00Z"), (0, 56));
    }

    #[test]
    fn another_zone_other_conversions_and_a_clock_that_was_ahead_are_due_at_once() {
        let now = clock("2026-11-24T10:20:00Z");
        let other = Asked::new("Asia/Tokyo", &[]);
        let due_of = |asked: &Asked, known: Option<&Known>| Due::of(known, asked, &now, 0);
        let at_once = Due::at_once(56);
        assert_eq!(due_of(&other, Some(&known())), at_once);
        let paid = Asked::new("Europe/Berlin", &["paid".to_owned()]);
        assert_eq!(due_of(&paid, Some(&known())), at_once);
        assert_eq!(due_of(&asked(), None), at_once);
        let mut ahead = known();
        ahead.measured_at = at("2026-12-24T10:00:00Z");
        ahead.all_measured_at = ahead.measured_at;
        ahead.ended_at = Some(at("2026-12-23T23:00:00Z"));
        assert_eq!(due_of(&asked(), Some(&ahead)), at_once);
    }

    #[test]
    fn a_project_that_was_too_large_is_tried_again_at_twice_the_size() {
        let mut large = known();
        large.limited_to = Some(14);
        assert_eq!(due(&large, "2026-11-25T06:00:00Z"), (0, 28));
        assert_eq!(due(&large, "2026-11-24T11:00:00Z"), (0, 2));
    }

    #[test]
    fn a_small_budget_stretches_every_read() {
        let due = Due::of(
            Some(&known()),
            &asked(),
            &clock("2026-11-24T11:00:00Z"),
            7200,
        );
        assert_eq!((due.seconds, due.days), (3600, 2));
    }
}
