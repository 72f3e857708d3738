//! Time zones by their IANA names, the same on every machine.
//!
//! The database inside the program comes first. The system's may be years old, may have rules that PostHog
//! does not follow, and on some systems lacks names that PostHog knows (`US/Eastern`, `Asia/Calcutta`). It is
//! asked only for names that are younger than this program.

use jiff::Timestamp;
use jiff::tz::{self, Offset, TimeZone, TimeZoneDatabase};

/// Names that left the databases, with what they meant.
const LEFT: [(&str, &str); 1] = [("US/Pacific-New", "America/Los_Angeles")];

/// How the zone of a project is named if only its distance from UTC is known: `UTC+05:30`.
const DISTANCE: &str = "UTC";

const DAY: i64 = 86_400;

/// The time zone called `name`, or `None` if neither database knows it.
///
/// Besides IANA names this reads the distances from UTC that `distance_name` writes.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    known(name)
        .or_else(|| {
            let (_, meant) = LEFT
                .iter()
                .find(|(left, _)| left.eq_ignore_ascii_case(name))?;
            known(meant)
        })
        .or_else(|| distance(name))
}

fn known(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled()
        .get(name)
        .or_else(|_| tz::db().get(name))
        .ok()
}

/// `UTC+02:00` for 7,200 seconds east of Greenwich.
pub(super) fn distance_name(seconds: i64) -> String {
    if seconds == 0 {
        return DISTANCE.to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{DISTANCE}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn distance(name: &str) -> Option<TimeZone> {
    let rest = name.strip_prefix(DISTANCE)?;
    let (sign, rest) = match rest.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let seconds = two_digits(hours, 25)? * 3600 + two_digits(minutes, 59)? * 60;
    Some(Offset::from_seconds(sign * seconds).ok()?.to_time_zone())
}

/// A number of two digits that is at most `most`. The name of a zone comes from outside.
fn two_digits(text: &str, most: i32) -> Option<i32> {
    let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| *number <= most)?;
    is_plain.then_some(number)
}

/// How far from UTC a place is whose day begins at `midnight`, in seconds. Of the two distances that are a day
/// apart it is the one with people: from 11 hours west, not included, to 13 hours east.
pub(super) fn distance_of(midnight: Timestamp) -> i64 {
    let east = (-midnight.as_second()).rem_euclid(DAY);
    if east > 13 * 3600 { east - DAY } else { east }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn legacy_names_are_known_on_every_machine() {
        for name in [
            "US/Eastern",
            "Asia/Calcutta",
            "Europe/Kiev",
            "GMT+0",
            "Etc/GMT-5",
            "US/Pacific-New",
            "europe/berlin",
            "UTC",
        ] {
            assert!(time_zone(name).is_some(), "{name}");
        }
        assert!(time_zone("Mars/Olympus").is_none());
        assert!(time_zone("").is_none());
    }

    #[test]
    fn a_distance_from_utc_is_written_and_read() {
        for seconds in [0, 7200, 19_800, -12_600] {
            let zone = time_zone(&distance_name(seconds)).unwrap();
            let offset = zone.to_offset(Timestamp::UNIX_EPOCH).seconds();
            assert_eq!(i64::from(offset), seconds);
        }
        for odd in [
            "UTC+",
            "UTC+99:00",
            "UTC*02:00",
            "UTC+2",
            "UTCé02:00",
            "UTC+596523:35791394",
            "UTC+-5:30",
            "UTC+26:00",
        ] {
            assert!(time_zone(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn a_midnight_says_how_far_east_it_is() {
        let of = |at: &str| distance_of(at.parse().unwrap());
        assert_eq!(of("2026-11-24T00:00:00Z"), 0);
        assert_eq!(of("2026-11-23T18:30:00Z"), 19_800);
        assert_eq!(of("2026-11-24T08:00:00Z"), -8 * 3600);
        assert_eq!(of("2026-11-23T11:00:00Z"), 13 * 3600);
    }
}
