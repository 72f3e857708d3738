//! How old stored things are, by a clock that can be set.
//!
//! An instant in the future was noted while the clock was ahead, and nothing says how old it is. Such a thing counts
//! as older than everything else: it is asked for again once, and what is noted now replaces it. Everything that
//! compares a stored instant with the clock, or two stored instants, does it here.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How far ahead of the clock an instant may be: clocks are corrected in small steps.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// The latest instant that can have been noted by the clock as it is set now.
pub fn latest(now: Timestamp) -> Timestamp {
    now.saturating_add(TOLERANCE).unwrap_or(Timestamp::MAX)
}

/// `at`, or `None` if the clock was ahead when it was noted. As `None` is less than any instant, two of these
/// compare by age, and what is of unknown age is older.
pub fn trusted(at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (at <= latest(now)).then_some(at)
}

/// Time since `at`; `None` if that is unknown.
pub fn of(at: Timestamp, now: Timestamp) -> Option<Duration> {
    let at = trusted(at, now)?;
    Some(Duration::try_from(now.duration_since(at)).unwrap_or_default())
}

/// Whole seconds since `at`; `None` if that is unknown.
pub fn seconds(at: Timestamp, now: Timestamp) -> Option<i64> {
    let at = trusted(at, now)?;
    Some((now.as_second() - at.as_second()).max(0))
}

/// Whether `at` is at least this many seconds ago, or of unknown age.
pub fn is_at_least(at: Timestamp, least: i64, now: Timestamp) -> bool {
    seconds(at, now).is_none_or(|age| age >= least)
}

/// Whether `at` is surely not before `start`, which is an instant of this run.
pub fn is_since(at: Timestamp, start: Timestamp, now: Timestamp) -> bool {
    trusted(at, now).is_some_and(|at| at >= start)
}

/// As [`is_since`] for an instant that was stored as a whole second.
pub fn is_since_second(at: Timestamp, start: Timestamp, now: Timestamp) -> bool {
    trusted(at, now).is_some_and(|at| at.as_second() >= start.as_second())
}

/// The oldest of these: one of unknown age, if there is one.
pub fn oldest(all: impl IntoIterator<Item = Timestamp>, now: Timestamp) -> Option<Timestamp> {
    all.into_iter().min_by_key(|at| trusted(*at, now))
}

/// The newest of those whose age is known.
pub fn newest(all: impl IntoIterator<Item = Timestamp>, now: Timestamp) -> Option<Timestamp> {
    all.into_iter().filter_map(|at| trusted(at, now)).max()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_a_clock_that_was_ahead_noted_is_older_than_everything() {
        let now = at(1_000);
        assert_eq!(seconds(at(940), now), Some(60));
        assert_eq!(seconds(at(1_005), now), Some(0));
        assert_eq!((seconds(at(1_006), now), of(at(1_006), now)), (None, None));
        assert!(trusted(at(4_600), now) < trusted(at(1), now));
        assert!(is_at_least(at(4_600), i64::MAX, now));
        assert!(is_since(at(1_000), at(990), now) && !is_since(at(4_600), at(990), now));
        let all = [at(10), at(4_600), at(20)];
        assert_eq!(oldest(all, now), Some(at(4_600)));
        assert_eq!(newest(all, now), Some(at(20)));
        assert_eq!(newest([at(4_600)], now), None);
    }
}
