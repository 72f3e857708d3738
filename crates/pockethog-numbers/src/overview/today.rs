//! What the home screen shows of a project: today so far, yesterday by now, the last 30 days.

mod found;
mod query;

use jiff::{Timestamp, ToSpan};
use posthog_api::{HogQl, Rows};
use serde::{Deserialize, Serialize};

use self::found::Found;
use super::buckets::hours;
use super::clock::DayClock;
use super::rows::RowsError;
use super::{Asked, ClosedDays, Counts, Point};

/// Days of the sparkline, today included.
pub(crate) const DAYS: i64 = 30;

/// Hours before the current one that are asked for at least: the last 24 that are over and the 24 before them, and
/// one more because the hours of some zones begin on the half.
const HOURS_BACK: i64 = 49;

/// Today's numbers of one project, in its own time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Today {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// The time zone that the days are cut in: the project's own, or `UTC+05:30` if only its distance from UTC
    /// could be read from PostHog's days.
    pub time_zone: String,
    /// False if PostHog's days are not those that this program knows: the project's zone is unknown here, or
    /// has other rules.
    pub time_zone_known: bool,
    /// Today up to now.
    pub today: Counts,
    /// Yesterday up to the same time of day.
    pub yesterday_by_now: Counts,
    /// Persons seen within the last five minutes.
    pub online: u64,
    /// The last 30 days, oldest first; the last one is today so far.
    pub days: Vec<Point>,
    /// The hours of today, up to the current one.
    pub hours: Vec<Point>,
    /// The hours of yesterday.
    pub hours_yesterday: Vec<Point>,
    /// The hours before yesterday, back to 49 hours before the current one. None in old Snapshots.
    #[serde(default)]
    pub hours_earlier: Vec<Point>,
    /// What was asked for. The default, which no project has, in old Snapshots.
    #[serde(default)]
    pub asked: Asked,
    /// The quarters of an hour of today in the order in which they pass, up to the current one, which is not over. The
    /// first one begins with the day, at [`Today::began`]. None in old Snapshots.
    #[serde(default)]
    pub quarters: Vec<Quarter>,
    /// When the last event of any kind happened, to the second. `None` if none is known of: nothing happened since
    /// yesterday began, or the Snapshot is an old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event_at: Option<Timestamp>,
    /// True if bots were to be left out, and the server cannot tell them: they are counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacks_bots: bool,
}

/// A quarter of an hour of a day that is not over. A [`Day`](crate::history::Day) has the same counts.
///
/// In a Snapshot it is an array: first views, pageviews, first conversions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, Vec<u64>)", into = "(u64, u64, Vec<u64>)")]
pub struct Quarter {
    /// Persons whose first view of the day was in this quarter of an hour: the sum of these up to a quarter is
    /// the number of visitors up to its end.
    pub first_views: u64,
    /// Views in it.
    pub pageviews: u64,
    /// For each event of [`Asked::conversions`], in that order, persons who did it for the first time on this day in
    /// this quarter of an hour.
    pub first_conversions: Vec<u64>,
}

impl From<(u64, u64, Vec<u64>)> for Quarter {
    fn from((first_views, pageviews, first_conversions): (u64, u64, Vec<u64>)) -> Self {
        Self {
            first_views,
            pageviews,
            first_conversions,
        }
    }
}

impl From<Quarter> for (u64, u64, Vec<u64>) {
    fn from(quarter: Quarter) -> Self {
        (
            quarter.first_views,
            quarter.pageviews,
            quarter.first_conversions,
        )
    }
}

impl Today {
    /// The one query that brings all of it. If the days before are known, it reads today alone.
    pub fn query(clock: &DayClock, asked: &Asked, closed: Option<&ClosedDays>) -> HogQl {
        query::query(clock, asked, closed)
    }

    /// Reads the rows of [`Today::query`]. Days, hours and quarters without events have no row and count 0.
    ///
    /// # Errors
    ///
    /// Rows that are not what was asked for; [`RowsError::OtherDays`] if PostHog's days do not continue the closed ones,
    /// which is when all of it has to be asked for.
    pub fn from_rows(
        clock: &DayClock,
        asked: &Asked,
        closed: Option<&ClosedDays>,
        measured_at: Timestamp,
        rows: &Rows,
    ) -> Result<Self, RowsError> {
        if rows.rows.len() >= query::MOST_ROWS {
            return Err(RowsError::TooMany(query::MOST_ROWS));
        }
        let found = Found::new(rows, asked.conversions.len())?;
        let until = clock.until().timestamp();
        let days = match closed {
            Some(closed) => found.days_after(closed, clock)?,
            None => found.days(clock),
        };
        let start_of_today = days.today().unwrap_or(until);
        let yesterday = days.yesterday().unwrap_or(start_of_today);
        let first_hour = clock.hour_start(HOURS_BACK).timestamp();
        let back = (yesterday.as_second() - first_hour.as_second()).div_euclid(3600);
        let earlier = yesterday
            .checked_sub(back.max(0).hours())
            .unwrap_or(yesterday);
        let mut today = Self {
            measured_at,
            time_zone: days.zone,
            time_zone_known: days.as_expected,
            today: Counts::default(),
            yesterday_by_now: Counts::default(),
            online: found.online(),
            days: empty(&days.starts),
            hours: empty(&hours(start_of_today, until)),
            hours_yesterday: empty(&hours(yesterday, start_of_today)),
            hours_earlier: empty(&hours(earlier, yesterday)),
            asked: asked.clone(),
            quarters: found.quarters(start_of_today, until, asked.conversions.len()),
            last_event_at: found.last_event_at,
            lacks_bots: rows.without_newer,
        };
        match closed {
            Some(closed) => today.add_closed(closed, &found),
            None => today.add_asked(&found, start_of_today, yesterday),
        }
        Ok(today)
    }

    /// The days and hours that were asked for.
    fn add_asked(&mut self, found: &Found, start_of_today: Timestamp, yesterday: Timestamp) {
        for day in &found.days {
            fill(&mut self.days, day.start, day.counts);
            if day.start >= start_of_today {
                self.today = day.counts;
            } else if day.start >= yesterday {
                self.yesterday_by_now = day.by_now;
            }
        }
        for hour in &found.hours {
            let hours = if hour.start >= start_of_today {
                &mut self.hours
            } else if hour.start >= yesterday {
                &mut self.hours_yesterday
            } else {
                &mut self.hours_earlier
            };
            fill(hours, hour.start, hour.counts);
        }
    }

    /// The days and hours that are known, and today's from its quarters.
    fn add_closed(&mut self, closed: &ClosedDays, found: &Found) {
        let (today, yesterday) = (closed.today, closed.yesterday());
        self.yesterday_by_now = closed.yesterday_by_now;
        self.last_event_at = self.last_event_at.or(closed.last_event_at);
        for day in &closed.days {
            fill(&mut self.days, day.start, counts_of(day));
        }
        for hour in &closed.hours {
            let hours = if hour.start >= yesterday {
                &mut self.hours_yesterday
            } else {
                &mut self.hours_earlier
            };
            fill(hours, hour.start, counts_of(hour));
        }
        for slot in found.slots.iter().filter(|slot| slot.day >= today) {
            self.today = self.today.plus(slot.counts);
            fill(&mut self.days, today, slot.counts);
            let in_hour = Counts {
                visitors: slot.hour_visitors,
                ..slot.counts
            };
            fill(&mut self.hours, slot.hour, in_hour);
        }
    }

    /// When the day began, as PostHog cuts it.
    pub fn began(&self) -> Option<Timestamp> {
        self.days.last().map(|day| day.start)
    }

    /// True if nothing happened for 30 days.
    pub fn is_empty(&self) -> bool {
        self.days.iter().all(|day| day.pageviews == 0)
    }
}

fn counts_of(point: &Point) -> Counts {
    Counts {
        visitors: point.visitors,
        pageviews: point.pageviews,
    }
}

pub(super) fn empty(starts: &[Timestamp]) -> Vec<Point> {
    starts
        .iter()
        .map(|&start| Point {
            start,
            visitors: 0,
            pageviews: 0,
        })
        .collect()
}

/// Adds counts to the bucket that contains `at`. An hour around a clock change may come in two parts.
pub(super) fn fill(points: &mut [Point], at: Timestamp, counts: Counts) {
    let after = points.partition_point(|point| point.start <= at);
    if let Some(point) = after.checked_sub(1).and_then(|place| points.get_mut(place)) {
        point.visitors = point.visitors.saturating_add(counts.visitors);
        point.pageviews = point.pageviews.saturating_add(counts.pageviews);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    const COLUMNS: [&str; 11] = [
        "kind",
        "day",
        "hour",
        "bucket",
        "visitors",
        "pageviews",
        "hour_visitors",
        "online",
        "visitors_by_now",
        "pageviews_by_now",
        "conversion_0",
    ];

    fn second(at: &str) -> i64 {
        at.parse::<Timestamp>().map_or(0, Timestamp::as_second)
    }

    /// A day or an hour: visitors, pageviews, and both by now.
    fn whole(kind: &str, bucket: &str, counts: [u64; 4]) -> Vec<Value> {
        let [visitors, pageviews, by_now, views_by_now] = counts;
        let row = json!([
            kind,
            0,
            0,
            second(bucket),
            visitors,
            pageviews,
            0,
            0,
            by_now,
            views_by_now,
            0
        ]);
        row.as_array().unwrap().clone()
    }

    /// A quarter of an hour: first views, views, visitors that are new in the hour, online, converted.
    fn quarter(day: &str, hour: &str, bucket: &str, counts: [u64; 5]) -> Vec<Value> {
        let [visitors, pageviews, in_hour, online, converted] = counts;
        let row = json!([
            "quarter",
            second(day),
            second(hour),
            second(bucket),
            visitors,
            pageviews,
            in_hour,
            online,
            0,
            0,
            converted
        ]);
        row.as_array().unwrap().clone()
    }

    fn paid() -> Asked {
        Asked::new("UTC", &["paid".to_owned()])
    }

    fn answer(rows: Vec<Vec<Value>>) -> Rows {
        Rows {
            columns: COLUMNS.map(ToOwned::to_owned).to_vec(),
            rows,
            ..Rows::default()
        }
    }

    fn read(clock: &DayClock, rows: Vec<Vec<Value>>) -> Today {
        let rows = answer(rows);
        Today::from_rows(clock, &paid(), None, Timestamp::UNIX_EPOCH, &rows).unwrap()
    }

    #[test]
    fn rows_land_on_their_days() {
        let clock = DayClock::new("Europe/Berlin", "2026-11-24T10:00:30Z".parse().unwrap());
        let today = read(
            &clock,
            vec![
                whole("day", "2026-11-23T23:00:00Z", [5, 9, 0, 0]),
                whole("day", "2026-11-22T23:00:00Z", [8, 20, 4, 10]),
                whole("hour", "2026-11-24T00:00:00Z", [2, 3, 0, 0]),
                whole("hour", "2026-11-22T22:00:00Z", [1, 1, 0, 0]),
                quarter(
                    "2026-11-22T23:00:00Z",
                    "2026-11-23T22:00:00Z",
                    "2026-11-23T22:45:00Z",
                    [4, 9, 4, 0, 3],
                ),
                quarter(
                    "2026-11-23T23:00:00Z",
                    "2026-11-23T23:00:00Z",
                    "2026-11-23T23:15:00Z",
                    [2, 3, 2, 0, 1],
                ),
                quarter(
                    "2026-11-23T23:00:00Z",
                    "2026-11-24T10:00:00Z",
                    "2026-11-24T10:00:00Z",
                    [3, 6, 3, 1, 0],
                ),
                whole("last", "2026-11-24T10:00:12Z", [0; 4]),
            ],
        );
        assert_eq!(today.days.len(), 30);
        assert_eq!(today.today.visitors, 5);
        assert_eq!(today.yesterday_by_now.pageviews, 10);
        assert_eq!(today.yesterday_by_now.visitors, 4);
        assert_eq!(today.hours.len(), 12);
        assert_eq!(today.hours[1].visitors, 2);
        assert_eq!(today.hours_earlier.len(), 14);
        assert_eq!(today.hours_earlier[13].visitors, 1);
        assert_eq!(today.online, 1);
        let quarters: Vec<(u64, u64, Vec<u64>)> =
            today.quarters.iter().cloned().map(Into::into).collect();
        assert_eq!(quarters.len(), 45);
        assert_eq!(quarters[1], (2, 3, vec![1]));
        assert_eq!(quarters[44], (3, 6, vec![0]));
        assert_eq!(
            today.last_event_at,
            Some("2026-11-24T10:00:12Z".parse().unwrap())
        );
        assert!(today.time_zone_known);
    }

    #[test]
    fn no_rows_are_an_empty_project() {
        let clock = DayClock::new("UTC", "2026-11-24T10:00:30Z".parse().unwrap());
        assert!(read(&clock, vec![]).is_empty());
    }

    #[test]
    fn a_zone_that_nobody_knows_makes_no_zero() {
        // PostHog's days are those of India; by UTC, today would begin at midnight, and the numbers of
        // PostHog's today under yesterday.
        let clock = DayClock::new("Mars/Olympus", "2026-11-24T10:00:30Z".parse().unwrap());
        let today = read(
            &clock,
            vec![
                whole("day", "2026-11-23T18:30:00Z", [5, 9, 0, 0]),
                whole("day", "2026-11-22T18:30:00Z", [8, 20, 4, 10]),
                whole("hour", "2026-11-23T18:30:00Z", [3, 3, 0, 0]),
                whole("hour", "2026-11-24T09:30:00Z", [2, 3, 0, 0]),
            ],
        );
        assert_eq!(
            (today.today.visitors, today.yesterday_by_now.visitors),
            (5, 4)
        );
        assert_eq!(today.days.last().unwrap().visitors, 5);
        let hours: Vec<u64> = today.hours.iter().map(|hour| hour.visitors).collect();
        assert_eq!((hours.len(), hours[0], hours[15]), (16, 3, 2));
        assert_eq!(today.time_zone, "UTC+05:30");
        assert!(!today.time_zone_known);
    }

    #[test]
    fn rules_that_this_program_does_not_know_do_not_put_today_under_yesterday() {
        // PostHog's Berlin keeps its summer time: midnight is an hour before ours.
        let clock = DayClock::new("Europe/Berlin", "2026-11-24T10:00:30Z".parse().unwrap());
        let today = read(
            &clock,
            vec![
                whole("day", "2026-11-23T22:00:00Z", [5, 9, 0, 0]),
                whole("day", "2026-11-22T22:00:00Z", [8, 20, 4, 10]),
            ],
        );
        assert_eq!(
            (today.today.visitors, today.yesterday_by_now.visitors),
            (5, 4)
        );
        assert!(!today.time_zone_known);
    }

    #[test]
    fn the_query_reaches_back_far_enough_for_a_day_before_the_last_24_hours() {
        let early = DayClock::new("UTC", "2026-11-24T00:30:00Z".parse().unwrap());
        let text = Today::query(&early, &paid(), None).text;
        assert!(
            text.contains("timestamp >= toDateTime64('2026-11-21 23:00:00', 6, 'UTC')"),
            "{text}"
        );
        let unknown = DayClock::new("Mars/Olympus", "2026-11-24T00:30:00Z".parse().unwrap());
        let text = Today::query(&unknown, &paid(), None).text;
        assert!(
            text.contains("timestamp >= toDateTime64('2026-11-20 23:00:00', 6, 'UTC')"),
            "{text}"
        );
    }
}
