//! The part of [`Today`](super::Today) that the home screen shows, small enough to keep thousands in memory.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};

use super::{Counts, Point};

/// Hours of a day on the clock; a day of 23 or 25 hours is put onto them by what the clock shows.
const HOURS: usize = 24;

/// The part of [`Today`](super::Today) that the home screen shows. Read from the same JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// When the project's day began.
    pub day_began: Timestamp,
    /// Visitors today.
    pub visitors: u64,
    /// Visitors yesterday by now.
    pub before: u64,
    /// Persons seen within the last five minutes.
    pub online: u64,
    /// Visitors of the last 30 days, oldest first.
    pub days: Vec<u64>,
    /// Visitors by hour on the clock, up to the current one.
    pub hours: Vec<u64>,
    /// Visitors of yesterday by hour on the clock.
    pub hours_before: Vec<u64>,
}

#[derive(Deserialize)]
struct Stored {
    measured_at: Timestamp,
    time_zone: String,
    today: Counts,
    yesterday_by_now: Counts,
    online: u64,
    days: Vec<Point>,
    hours: Vec<Point>,
    hours_yesterday: Vec<Point>,
}

impl<'de> Deserialize<'de> for Glance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let zone = TimeZone::get(&stored.time_zone).unwrap_or(TimeZone::UTC);
        Ok(Self {
            measured_at: stored.measured_at,
            day_began: stored
                .hours
                .first()
                .map_or(stored.measured_at, |hour| hour.start),
            visitors: stored.today.visitors,
            before: stored.yesterday_by_now.visitors,
            online: stored.online,
            days: stored.days.iter().map(|day| day.visitors).collect(),
            hours: by_clock(&stored.hours, &zone),
            hours_before: by_clock(&stored.hours_yesterday, &zone),
        })
    }
}

fn by_clock(hours: &[Point], zone: &TimeZone) -> Vec<u64> {
    let mut places = Vec::with_capacity(HOURS);
    for hour in hours {
        let place = usize::try_from(zone.to_datetime(hour.start).hour()).unwrap_or(0);
        if places.len() <= place {
            places.resize(place + 1, 0);
        }
        places[place] += hour.visitors;
    }
    places
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::overview::Today;

    fn today(zone: &str, hours: &[&str]) -> Today {
        let points: Vec<Point> = hours
            .iter()
            .map(|start| Point {
                start: start.parse().unwrap(),
                visitors: 1,
                pageviews: 2,
            })
            .collect();
        Today {
            measured_at: "2026-03-29T12:00:00Z".parse().unwrap(),
            time_zone: zone.to_owned(),
            time_zone_known: true,
            today: Counts {
                visitors: 7,
                pageviews: 9,
            },
            yesterday_by_now: Counts::default(),
            online: 2,
            days: points.clone(),
            hours: points,
            hours_yesterday: vec![],
        }
    }

    #[test]
    fn the_hour_that_a_change_of_clock_leaves_out_counts_nothing() {
        // Berlin, 29 March 2026: 02:00 does not exist.
        let hours = [
            "2026-03-28T23:00:00Z",
            "2026-03-29T00:00:00Z",
            "2026-03-29T01:00:00Z",
        ];
        let text = serde_json::to_string(&today("Europe/Berlin", &hours)).unwrap();
        let glance: Glance = serde_json::from_str(&text).unwrap();
        assert_eq!(glance.hours, [1, 1, 0, 1]);
        assert_eq!(glance.visitors, 7);
        assert_eq!(glance.day_began, "2026-03-28T23:00:00Z".parse().unwrap());
    }
}
