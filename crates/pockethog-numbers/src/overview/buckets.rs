//! The days as PostHog delimits them, as far as its response shows.
//!
//! PostHog cuts days by its own rules. They are not always ours: the zone may be unknown here, or its rules
//! may have changed after this program was built. What came back decides; our own calendar only fills the days
//! without events, and says which of them is today.

use jiff::{Timestamp, ToSpan};

use super::clock::DayClock;
use super::zone::{distance_name, distance_of};

const DAY: i64 = 86_400;

/// Two starts of the same day are never further apart than this, in seconds.
const NEAR: i64 = 12 * 3600;

/// Days as PostHog cut them.
pub(crate) struct Days {
    /// Their starts, oldest first. The last one is today.
    pub(crate) starts: Vec<Timestamp>,
    /// The zone to show them in.
    pub(crate) zone: String,
    /// False if PostHog's days are not those that this program would have cut.
    pub(crate) as_expected: bool,
}

impl Days {
    /// Today and the days before it, `count` in all. `cut` are the starts of the days with events, `seen` those
    /// of the hours with events.
    pub(crate) fn new(
        clock: &DayClock,
        count: usize,
        cut: &[Timestamp],
        seen: &[Timestamp],
    ) -> Self {
        let now = clock.until().timestamp().as_second() - 1;
        let mut cut: Vec<i64> = cut.iter().map(|start| start.as_second()).collect();
        cut.sort_unstable();
        cut.dedup();
        let expected = expected(clock, count, cut.last().copied(), now);
        let apart: Vec<Option<i64>> = expected
            .iter()
            .map(|&start| {
                cut.iter()
                    .map(|cut| cut - start)
                    .min_by_key(|apart| apart.abs())
                    .filter(|apart| apart.abs() <= NEAR)
            })
            .collect();
        let mut starts: Vec<i64> = expected
            .iter()
            .enumerate()
            .map(|(place, start)| start + nearest(&apart, place))
            .collect();
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|&start| start <= now);
        // No day begins where PostHog counted hours, but no new day: the day before has 25 hours.
        while let Some(&last) = starts.last()
            && !cut.contains(&last)
            && seen
                .iter()
                .any(|hour| (last..=now).contains(&hour.as_second()))
        {
            starts.pop();
        }
        let surplus = starts.len().saturating_sub(count);
        starts.drain(..surplus);
        let as_expected = clock.zone_known() && apart.iter().flatten().all(|&apart| apart == 0);
        let starts: Vec<Timestamp> = starts.into_iter().filter_map(instant).collect();
        let zone = match starts.last() {
            Some(_) if as_expected => clock.zone_name(),
            Some(&midnight) if !cut.is_empty() => distance_name(distance_of(midnight)),
            _ => clock.zone_name(),
        };
        Self {
            starts,
            zone,
            as_expected,
        }
    }

    /// When the day before today began.
    pub(crate) fn yesterday(&self) -> Option<Timestamp> {
        let place = self.starts.len().checked_sub(2)?;
        self.starts.get(place).copied()
    }

    /// When today began.
    pub(crate) fn today(&self) -> Option<Timestamp> {
        self.starts.last().copied()
    }
}

/// Starts of the days by our own calendar, from before the first one that is wanted to tomorrow. For a zone
/// that is unknown here they follow from the newest day that PostHog cut.
fn expected(clock: &DayClock, count: usize, newest: Option<i64>, now: i64) -> Vec<i64> {
    let count = i64::try_from(count).unwrap_or(0);
    let days = (-1..=count + 1).rev();
    match newest {
        Some(newest) if !clock.zone_known() => {
            let today = now - (now - newest).rem_euclid(DAY);
            days.map(|ago| today - ago * DAY).collect()
        }
        _ => days
            .map(|ago| clock.day_start(ago).timestamp().as_second())
            .collect(),
    }
}

/// How far PostHog's start is from ours, or that of the nearest day with events.
fn nearest(apart: &[Option<i64>], place: usize) -> i64 {
    apart
        .iter()
        .enumerate()
        .filter_map(|(other, apart)| Some((other.abs_diff(place), (*apart)?)))
        .min_by_key(|(distance, _)| *distance)
        .map_or(0, |(_, apart)| apart)
}

fn instant(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// The starts of the hours from `from` up to `until`.
pub(crate) fn hours(from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let mut hours = Vec::with_capacity(25);
    let mut hour = from;
    // A day has at most 25 hours; a nonsensical answer must not fill the memory.
    while hour < until && hours.len() < 50 {
        hours.push(hour);
        hour += 1.hour();
    }
    hours
}

/// `starts` of hours, moved by less than an hour so that they are those that PostHog cut.
pub(crate) fn as_cut(starts: &[Timestamp], cut: &[Timestamp], until: Timestamp) -> Vec<Timestamp> {
    let (Some(first), Some(newest)) = (starts.first(), cut.iter().max()) else {
        return starts.to_vec();
    };
    let mut apart = (newest.as_second() - first.as_second()).rem_euclid(3600);
    let last = starts.last().unwrap_or(first).as_second() + apart;
    if last >= until.as_second() {
        apart -= 3600;
    }
    starts
        .iter()
        .filter_map(|start| instant(start.as_second() + apart))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn days(zone: &str, now: &str, cut: &[&str], seen: &[&str]) -> Days {
        let all = |texts: &[&str]| texts.iter().map(|text| at(text)).collect::<Vec<_>>();
        Days::new(&DayClock::new(zone, at(now)), 3, &all(cut), &all(seen))
    }

    fn texts(days: &Days) -> Vec<String> {
        days.starts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn days_without_events_are_those_of_the_calendar() {
        let days = days(
            "Europe/Berlin",
            "2026-10-26T10:00:00Z",
            &["2026-10-25T23:00:00Z"],
            &[],
        );
        assert_eq!(
            texts(&days),
            [
                "2026-10-23T22:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z"
            ]
        );
        assert!(days.as_expected);
        assert_eq!(days.zone, "Europe/Berlin");
    }

    #[test]
    fn an_unknown_zone_has_the_days_that_posthog_cut() {
        // Tonga, 13 hours east: today began yesterday at 11:00 UTC.
        let days = days(
            "Mars/Olympus",
            "2026-11-24T10:00:00Z",
            &["2026-11-21T11:00:00Z", "2026-11-23T11:00:00Z"],
            &[],
        );
        assert_eq!(
            texts(&days),
            [
                "2026-11-21T11:00:00Z",
                "2026-11-22T11:00:00Z",
                "2026-11-23T11:00:00Z"
            ]
        );
        assert_eq!(days.zone, "UTC+13:00");
        assert!(!days.as_expected);
    }

    #[test]
    fn an_unknown_zone_without_events_today_begins_a_day_all_the_same() {
        let days = days(
            "Mars/Olympus",
            "2026-11-24T10:00:00Z",
            &["2026-11-21T18:30:00Z"],
            &[],
        );
        assert_eq!(days.today(), Some(at("2026-11-23T18:30:00Z")));
    }

    #[test]
    fn a_day_of_25_hours_in_an_unknown_zone_goes_on_while_posthog_counts_in_it() {
        let cut = ["2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z"];
        let days = days(
            "Mars/Olympus",
            "2026-10-25T22:30:00Z",
            &cut,
            &["2026-10-25T22:00:00Z"],
        );
        assert_eq!(days.today(), Some(at("2026-10-24T22:00:00Z")));
    }

    #[test]
    fn rules_that_changed_move_the_days_and_not_the_numbers() {
        // Our rules: two hours east in summer. PostHog's: three, the whole year.
        let later = days(
            "Europe/Berlin",
            "2026-07-24T10:00:00Z",
            &["2026-07-23T21:00:00Z"],
            &[],
        );
        assert_eq!(later.today(), Some(at("2026-07-23T21:00:00Z")));
        assert_eq!(later.yesterday(), Some(at("2026-07-22T21:00:00Z")));
        assert_eq!(later.zone, "UTC+03:00");
        // In the hour between the two midnights it is PostHog that says which day it is.
        let early = days(
            "Europe/Berlin",
            "2026-07-23T22:30:00Z",
            &["2026-07-22T23:00:00Z"],
            &[],
        );
        assert_eq!(early.today(), Some(at("2026-07-22T23:00:00Z")));
    }

    #[test]
    fn hours_of_an_unknown_half_hour_zone_begin_on_the_half() {
        let starts = [at("2026-11-24T08:00:00Z"), at("2026-11-24T09:00:00Z")];
        let cut = [at("2026-11-23T20:30:00Z")];
        let moved = as_cut(&starts, &cut, at("2026-11-24T09:20:00Z"));
        assert_eq!(
            moved,
            [at("2026-11-24T07:30:00Z"), at("2026-11-24T08:30:00Z")]
        );
        let moved = as_cut(&starts, &cut, at("2026-11-24T09:40:00Z"));
        assert_eq!(
            moved,
            [at("2026-11-24T08:30:00Z"), at("2026-11-24T09:30:00Z")]
        );
    }
}
