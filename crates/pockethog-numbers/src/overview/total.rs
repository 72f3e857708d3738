//! The total over several projects, and what is in it: one computation for page, terminal, JSON and widgets.
//!
//! Headline, change, curve and "online" speak of the same projects. Each project brings its own day up to now
//! and is compared with its own yesterday up to the same time. The curve is on the real time axis, because the
//! days of projects around the world do not begin together.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::zone::time_zone;
use super::{Change, Counts, Period, Point, Range, Today};

use crate::age;

/// Numbers that are this much older than the newest ones, in seconds, are of other hours and not counted.
const TOGETHER: i64 = 3600;

/// Hours of the curve.
const HOURS: i64 = 24;

const HOUR: i64 = 3600;

/// One project, as far as a total needs it.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// False if its numbers cannot be read any longer: its sign-in has ended, or may not.
    pub readable: bool,
    /// Its numbers. `None` if there are none.
    pub figures: Option<Figures<'a>>,
}

/// The numbers of one project.
#[derive(Clone, Debug)]
pub struct Figures<'a> {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// Today or the range, up to now.
    pub now: Counts,
    /// What they are compared with.
    pub before: Counts,
    /// Persons seen within the last five minutes, if that was asked.
    pub online: Option<u64>,
    /// Visitors by hour, if the numbers have hours.
    pub hours: Option<Hours<'a>>,
}

/// A count by hour, without gaps, up to the hour of the measurement.
#[derive(Clone, Debug)]
pub struct Hours<'a> {
    /// Start of the first hour.
    pub first: Timestamp,
    /// The counts.
    pub counts: Cow<'a, [u64]>,
    /// The project's day, if the numbers are those of today.
    pub day: Option<Day<'a>>,
}

/// A day of a project.
#[derive(Clone, Copy, Debug)]
pub struct Day<'a> {
    /// When it began.
    pub began: Timestamp,
    /// When the day before began.
    pub yesterday_began: Timestamp,
    /// The name of its zone.
    pub zone: &'a str,
}

/// A total and what is in it.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// For each project whether it is counted.
    pub members: Vec<bool>,
    /// The sums of the counted projects now and before. `None` if no project is counted.
    pub sums: Option<(Counts, Counts)>,
    /// Persons online now in the counted projects, if that was asked.
    pub online: Option<u64>,
    /// When the oldest of the counted numbers was measured.
    pub measured_at: Option<Timestamp>,
    /// Visitors by hour of the counted projects.
    pub curve: Option<Curve>,
}

/// The sum of counts by hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// What the hours are.
    pub axis: Axis,
    /// Starts of all hours. A day that is not over has more of them than counts.
    pub starts: Vec<Timestamp>,
    /// Up to the last hour that is over for all projects.
    pub now: Vec<u64>,
    /// A day earlier, hour by hour; empty if that is not known of every project.
    pub before: Vec<u64>,
}

/// What the hours of a curve are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Axis {
    /// The hours of the day that all projects share, by the clock of this zone.
    Day(TimeZone),
    /// The last 24 hours: the days of the projects begin at different times.
    LastHours,
}

impl<'a> Part<'a> {
    /// A project with its numbers of today.
    #[must_use]
    pub fn today(today: Option<&'a Today>, readable: bool) -> Self {
        let figures = today.map(|today| Figures {
            measured_at: today.measured_at,
            now: today.today,
            before: today.yesterday_by_now,
            online: Some(today.online),
            hours: Hours::of_today(today, |point| point.visitors),
        });
        Self { readable, figures }
    }

    /// A project with its numbers of a range.
    #[must_use]
    pub fn period(period: Option<&'a Period>, readable: bool) -> Self {
        let figures = period.map(|period| Figures {
            measured_at: period.measured_at,
            now: period.now,
            before: period.before,
            online: None,
            hours: Hours::of_period(period, |point| point.visitors),
        });
        Self { readable, figures }
    }

    fn day_is_over(&self, now: Timestamp) -> bool {
        let hours = self
            .figures
            .as_ref()
            .and_then(|figures| figures.hours.as_ref());
        hours
            .and_then(|hours| hours.day)
            .is_some_and(|day| now >= day.ends())
    }

    fn measured_at(&self) -> Option<Timestamp> {
        self.figures.as_ref().map(|figures| figures.measured_at)
    }
}

impl<'a> Hours<'a> {
    /// The hours of [`Today`], as `count` reads them.
    #[must_use]
    pub fn of_today(today: &'a Today, count: impl Fn(&Point) -> u64) -> Option<Self> {
        let all = || {
            today
                .hours_earlier
                .iter()
                .chain(&today.hours_yesterday)
                .chain(&today.hours)
        };
        Some(Self {
            first: all().next()?.start,
            counts: all().map(count).collect(),
            day: Some(Day {
                began: today.hours.first()?.start,
                yesterday_began: today.hours_yesterday.first()?.start,
                zone: &today.time_zone,
            }),
        })
    }

    /// The hours of the range of 24 hours; other ranges have none.
    #[must_use]
    pub fn of_period(period: &'a Period, count: impl Fn(&Point) -> u64) -> Option<Self> {
        if period.range != Range::Day {
            return None;
        }
        let all = || period.points_before.iter().chain(&period.points);
        Some(Self {
            first: all().next()?.start,
            counts: all().map(count).collect(),
            day: None,
        })
    }

    /// Each hour with its count.
    fn iter(&self) -> impl Iterator<Item = (Timestamp, u64)> {
        let first = self.first.as_second();
        (first..)
            .step_by(3600)
            .filter_map(|start| Timestamp::from_second(start).ok())
            .zip(self.counts.iter().copied())
    }

    fn at(&self, start: Timestamp) -> Option<u64> {
        let place = (start.as_second() - self.first.as_second()).div_euclid(HOUR);
        self.counts.get(usize::try_from(place).ok()?).copied()
    }

    /// The full hour of UTC of the last hour.
    fn last(&self) -> Option<i64> {
        let hours = i64::try_from(self.counts.len()).ok()?.checked_sub(1)?;
        Some(full_hour(self.first) + hours)
    }
}

impl Day<'_> {
    /// When it ends, by the clock of its zone.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        let zone = time_zone(self.zone).unwrap_or(TimeZone::UTC);
        // Noon is in the day, whatever the clock does around midnight.
        let noon = self.began + 12.hours();
        noon.to_zoned_datetime(zone)
            .tomorrow()
            .and_then(|tomorrow| tomorrow.start_of_day())
            .map_or(self.began + 24.hours(), |end| end.timestamp())
    }
}

impl Total {
    /// The total of `parts` at `now`.
    #[must_use]
    pub fn of(parts: &[Part<'_>], now: Timestamp) -> Self {
        let members = members(parts, now);
        let counted = || {
            parts
                .iter()
                .zip(&members)
                .enumerate()
                .filter_map(|(place, (part, counted))| {
                    Some((place, part.figures.as_ref().filter(|_| *counted)?))
                })
        };
        let sums = counted()
            .map(|(_, one)| (one.now, one.before))
            .reduce(|(now, before), (one, one_before)| (now.plus(one), before.plus(one_before)));
        let online = counted()
            .filter_map(|(_, one)| one.online)
            .reduce(u64::saturating_add);
        let hours: Option<Vec<&Hours<'_>>> = counted().map(|(_, one)| one.hours.as_ref()).collect();
        Self {
            sums,
            online,
            measured_at: age::oldest(counted().map(|(_, one)| one.measured_at), now),
            curve: hours.and_then(|hours| Curve::of(&hours)),
            members,
        }
    }

    /// How many projects are counted.
    #[must_use]
    pub fn counted(&self) -> usize {
        self.members.iter().filter(|counted| **counted).count()
    }

    /// How many projects there are.
    #[must_use]
    pub fn projects(&self) -> usize {
        self.members.len()
    }

    /// `9 of 16 projects` if some are not counted.
    #[must_use]
    pub fn partly(&self) -> Option<String> {
        (self.counted() < self.projects())
            .then(|| format!("{} of {} projects", self.counted(), self.projects()))
    }

    /// The change of the visitors.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        self.sums
            .map(|(now, before)| Change::between(now.visitors, before.visitors))
    }
}

/// Which projects a total counts: those whose numbers are of today and of the same hour. If there is none, as
/// after a night without a connection, those that could be read last.
fn members(parts: &[Part<'_>], now: Timestamp) -> Vec<bool> {
    let known = |part: &Part<'_>| part.figures.is_some();
    let current = |part: &Part<'_>| known(part) && part.readable && !part.day_is_over(now);
    let measured = |part: &Part<'_>| age::trusted(part.measured_at()?, now);
    let newest = parts
        .iter()
        .filter(|part| current(part))
        .filter_map(measured)
        .max();
    if let Some(newest) = newest {
        let together = |part: &Part<'_>| {
            measured(part).is_some_and(|at| newest.as_second() - at.as_second() <= TOGETHER)
        };
        return parts
            .iter()
            .map(|part| current(part) && together(part))
            .collect();
    }
    let readable = parts.iter().any(|part| known(part) && part.readable);
    parts
        .iter()
        .map(|part| known(part) && (part.readable || !readable))
        .collect()
}

impl Curve {
    /// The sum of the hours of several projects: their day if they share it, or else the last 24 hours.
    #[must_use]
    pub fn of(hours: &[&Hours<'_>]) -> Option<Self> {
        let first = hours.first()?;
        let shared = first.day.filter(|day| {
            hours.iter().all(|other| {
                other.day.is_some_and(|other| {
                    (other.began, other.yesterday_began) == (day.began, day.yesterday_began)
                })
            })
        });
        match shared {
            Some(day) => Some(Self::of_day(hours, day)),
            None => Self::of_last_hours(hours),
        }
    }

    fn of_day(hours: &[&Hours<'_>], day: Day<'_>) -> Self {
        let zone = time_zone(day.zone).unwrap_or(TimeZone::UTC);
        let starts = super::buckets::hours(day.began, day.ends());
        let sum = |at: Timestamp| {
            hours
                .iter()
                .map(|hours| hours.at(at))
                .try_fold(0_u64, |sum, one| Some(sum.saturating_add(one?)))
        };
        let mut now: Vec<u64> = starts.iter().map_while(|&start| sum(start)).collect();
        // The hour of the measurement is not over.
        now.pop();
        let before = starts
            .iter()
            .map_while(|&start| sum(a_day_earlier(start, &zone, day)))
            .collect();
        Self {
            axis: Axis::Day(zone),
            starts,
            now,
            before,
        }
    }

    fn of_last_hours(hours: &[&Hours<'_>]) -> Option<Self> {
        // The hour of the measurement is not over.
        let end = hours.iter().filter_map(|hours| hours.last()).min()? - 1;
        let first = end - 2 * HOURS + 1;
        let mut counts = vec![0_u64; usize::try_from(2 * HOURS).ok()?];
        for (start, count) in hours.iter().flat_map(|hours| hours.iter()) {
            let place = full_hour(start) - first;
            if let Some(sum) = usize::try_from(place)
                .ok()
                .and_then(|place| counts.get_mut(place))
            {
                *sum = sum.saturating_add(count);
            }
        }
        let reaches_back = |hours: &&Hours<'_>| full_hour(hours.first) <= first;
        let now = counts.split_off(counts.len() / 2);
        if !hours.iter().all(reaches_back) {
            counts.clear();
        }
        let starts = (end - HOURS + 1..=end)
            .filter_map(|hour| Timestamp::from_second(hour * HOUR).ok())
            .collect();
        Some(Self {
            axis: Axis::LastHours,
            starts,
            now,
            before: counts,
        })
    }
}

/// The full hour of UTC that is nearest to the start of an hour, since 1970: what begins on the half counts with
/// the hour that begins half an hour later, and has half of it in common.
fn full_hour(start: Timestamp) -> i64 {
    (start.as_second() + HOUR / 2).div_euclid(HOUR)
}

/// The hour that the clock showed the day before. If the clock was set forward over it, the hour after.
fn a_day_earlier(start: Timestamp, zone: &TimeZone, day: Day<'_>) -> Timestamp {
    let local = zone.to_datetime(start);
    let earlier = local
        .checked_sub(1.day())
        .ok()
        .and_then(|local| zone.to_timestamp(local).ok());
    let earlier = earlier.unwrap_or(start - 24.hours());
    // Of a day that began at one, no hour is of the day before it.
    earlier.max(day.yesterday_began)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A project in `zone` whose hours all have `each` visitors, measured at `now`.
    fn part(zone: &'static str, now: &str, each: u64) -> Part<'static> {
        let clock = crate::overview::DayClock::new(zone, at(now));
        let first = clock
            .hour_start(49)
            .timestamp()
            .min(clock.day_start(1).timestamp());
        let until = clock.until().timestamp();
        let hours = super::super::buckets::hours(first, until).len();
        let visitors = |visitors| Counts {
            visitors,
            pageviews: visitors,
        };
        Part {
            readable: true,
            figures: Some(Figures {
                measured_at: at(now),
                now: visitors(100),
                before: visitors(80),
                online: Some(1),
                hours: Some(Hours {
                    first,
                    counts: vec![each; hours].into(),
                    day: Some(Day {
                        began: clock.day_start(0).timestamp(),
                        yesterday_began: clock.day_start(1).timestamp(),
                        zone,
                    }),
                }),
            }),
        }
    }

    #[test]
    fn projects_around_the_world_are_added_on_the_real_time_axis() {
        let now = "2026-11-25T00:30:00Z";
        let parts = [
            "Pacific/Auckland",
            "Europe/Berlin",
            "America/Los_Angeles",
            "Asia/Kolkata",
        ]
        .map(|zone| part(zone, now, 10));
        let total = Total::of(&parts, at(now));
        assert_eq!(total.sums.unwrap().0.visitors, 400);
        let curve = total.curve.unwrap();
        assert_eq!(curve.axis, Axis::LastHours);
        assert_eq!(curve.starts.first(), Some(&at("2026-11-24T00:00:00Z")));
        assert_eq!(curve.starts.last(), Some(&at("2026-11-24T23:00:00Z")));
        // The same hours of the same projects: neither side falls anywhere.
        assert_eq!(curve.now, [40; 24]);
        assert_eq!(curve.before, [40; 24]);
    }

    #[test]
    fn projects_of_one_offset_show_their_day() {
        let now = "2026-11-24T10:30:00Z";
        let parts = ["Europe/Berlin", "Europe/Madrid"].map(|zone| part(zone, now, 10));
        let curve = Total::of(&parts, at(now)).curve.unwrap();
        assert!(matches!(curve.axis, Axis::Day(_)));
        assert_eq!(
            (curve.starts.len(), curve.now.len(), curve.before.len()),
            (24, 11, 24)
        );
    }

    #[test]
    fn a_day_of_25_hours_is_compared_by_the_clock() {
        // The hour from 2 to 3 comes twice on 25 October.
        let now = "2026-10-25T22:30:00Z";
        let mut one = part("Europe/Berlin", now, 0);
        if let Some(hours) = one.figures.as_mut().unwrap().hours.as_mut() {
            let counts = 0..u64::try_from(hours.counts.len()).unwrap();
            hours.counts = counts.collect();
        }
        let curve = Total::of(&[one], at(now)).curve.unwrap();
        assert_eq!((curve.starts.len(), curve.now.len()), (25, 24));
        let apart: Vec<u64> = curve
            .now
            .iter()
            .zip(&curve.before)
            .map(|(now, before)| now - before)
            .collect();
        assert_eq!(apart[..3], [24; 3]);
        assert_eq!(apart[3..], [25; 21]);
    }

    #[test]
    fn a_day_after_one_of_23_hours_has_no_hole_in_what_it_is_compared_with() {
        // From 2 to 3 there was no hour on 29 March.
        let now = "2026-03-30T10:30:00Z";
        let curve = Total::of(&[part("Europe/Berlin", now, 7)], at(now))
            .curve
            .unwrap();
        assert_eq!((curve.starts.len(), curve.now.len()), (24, 12));
        assert_eq!(curve.before, [7; 24]);
    }

    #[test]
    fn a_project_whose_sign_in_has_ended_is_not_counted_while_others_are() {
        let now = "2026-11-24T10:30:00Z";
        let mut parts = [part("UTC", now, 1), part("UTC", now, 1)];
        parts[1].readable = false;
        let total = Total::of(&parts, at(now));
        assert_eq!(total.members, [true, false]);
        assert_eq!(total.partly().unwrap(), "1 of 2 projects");
        assert_eq!(total.online, Some(1));
        parts[0].readable = false;
        assert_eq!(Total::of(&parts, at(now)).members, [true, true]);
    }

    #[test]
    fn numbers_of_yesterday_or_of_hours_ago_are_not_counted_among_fresh_ones() {
        let now = "2026-11-24T10:30:00Z";
        let parts = [
            part("UTC", now, 1),
            part("UTC", "2026-11-24T09:40:00Z", 1),
            part("UTC", "2026-11-24T08:00:00Z", 1),
            part("Asia/Tokyo", "2026-11-24T10:20:00Z", 1),
            part("America/New_York", "2026-11-24T04:59:00Z", 1),
        ];
        let total = Total::of(&parts, at(now));
        assert_eq!(total.members, [true, true, false, true, false]);
        // The curve ends with the last hour that was over for the oldest of them.
        assert_eq!(
            total.curve.unwrap().starts.last(),
            Some(&at("2026-11-24T08:00:00Z"))
        );
        assert_eq!(total.measured_at, Some(at("2026-11-24T09:40:00Z")));
    }

    #[test]
    fn numbers_of_a_clock_that_was_ahead_are_not_counted_and_keep_no_others_out() {
        let now = "2026-11-24T10:30:00Z";
        let future = "2026-11-24T12:30:00Z";
        let parts = [part("UTC", now, 1), part("UTC", future, 1)];
        let total = Total::of(&parts, at(now));
        assert_eq!(total.members, [true, false]);
        assert_eq!(total.measured_at, Some(at(now)));
        // If there is nothing else, they are what is known, and of unknown age.
        let parts = [part("UTC", future, 1), part("UTC", future, 1)];
        let total = Total::of(&parts, at(now));
        assert_eq!((total.counted(), total.measured_at), (2, Some(at(future))));
    }

    #[test]
    fn after_a_night_offline_all_last_numbers_are_counted() {
        let parts = [
            part("UTC", "2026-11-23T22:00:00Z", 1),
            part("UTC", "2026-11-23T15:00:00Z", 1),
        ];
        assert_eq!(Total::of(&parts, at("2026-11-24T10:30:00Z")).counted(), 2);
    }

    #[test]
    fn nothing_that_could_be_read_is_no_number() {
        let none = Part {
            readable: true,
            figures: None,
        };
        let total = Total::of(&[none.clone(), none], at("2026-11-24T10:30:00Z"));
        assert_eq!((total.sums, total.online, total.counted()), (None, None, 0));
        assert!(total.curve.is_none());
    }

    #[test]
    fn sums_that_are_too_large_do_not_wrap() {
        let now = "2026-11-24T10:30:00Z";
        let mut parts = [part("UTC", now, u64::MAX), part("UTC", now, 1)];
        parts[0].figures.as_mut().unwrap().now.visitors = u64::MAX;
        let total = Total::of(&parts, at(now));
        assert_eq!(total.sums.unwrap().0.visitors, u64::MAX);
        assert_eq!(total.curve.unwrap().now[0], u64::MAX);
    }
}
