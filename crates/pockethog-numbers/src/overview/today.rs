//! What the home screen shows of a project: today so far, yesterday by now, the last 30 days.

use jiff::{Timestamp, ToSpan};
use posthog_api::{HogQl, Rows};
use serde::{Deserialize, Serialize};

use super::buckets::{Days, hours};
use super::hogql::{VIEWS, between, instant};
use super::rows::{RowsError, Table, epoch};
use super::window::DayClock;
use super::{Asked, Counts, Point};

/// Days of the sparkline, today included.
const DAYS: i64 = 30;

/// Hours before the current one that are asked for at least: the last 24 that are over and the 24 before them, and
/// one more because the hours of some zones begin on the half.
const HOURS_BACK: i64 = 49;

/// Minutes that count as now.
const ONLINE_MINUTES: i64 = 5;

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
    /// The one query that brings all of it.
    pub fn query(clock: &DayClock) -> HogQl {
        let until = clock.until().timestamp();
        let by_now = instant(clock.same_time(1).timestamp());
        let yesterday = clock.day_start(1).timestamp();
        let hours_from = yesterday.min(clock.hour_start(HOURS_BACK).timestamp());
        let month = clock.day_start(DAYS - 1).timestamp();
        let text = format!(
            "SELECT kind, bucket, visitors, pageviews, visitors_by_now, pageviews_by_now FROM (\
             SELECT 'day' AS kind, toUnixTimestamp(toStartOfDay(timestamp)) AS bucket, \
             uniqExact(person_id) AS visitors, count() AS pageviews, \
             uniqExactIf(person_id, timestamp < {by_now}) AS visitors_by_now, \
             countIf(timestamp < {by_now}) AS pageviews_by_now \
             FROM events WHERE {VIEWS} AND {month_window} GROUP BY bucket \
             UNION ALL \
             SELECT 'hour' AS kind, toUnixTimestamp(toStartOfHour(timestamp)) AS bucket, \
             uniqExact(person_id) AS visitors, count() AS pageviews, \
             0 AS visitors_by_now, 0 AS pageviews_by_now \
             FROM events WHERE {VIEWS} AND {hours_window} GROUP BY bucket \
             UNION ALL \
             SELECT 'online' AS kind, 0 AS bucket, \
             uniqExact(person_id) AS visitors, count() AS pageviews, \
             0 AS visitors_by_now, 0 AS pageviews_by_now \
             FROM events WHERE {VIEWS} AND {online_window}\
             ) LIMIT 200",
            month_window = between(clock.asked_from(month), until),
            hours_window = between(clock.asked_from(hours_from), until),
            online_window = between(minutes_before(until, ONLINE_MINUTES), until),
        );
        HogQl::new("pockethog today", text)
    }

    /// Reads the rows of [`Today::query`]. Days and hours without events have no row and count 0.
    pub fn from_rows(
        clock: &DayClock,
        measured_at: Timestamp,
        rows: &Rows,
    ) -> Result<Self, RowsError> {
        let columns = [
            "kind",
            "bucket",
            "visitors",
            "pageviews",
            "visitors_by_now",
            "pageviews_by_now",
        ];
        let table = Table::new(rows, columns)?;
        let days = Days::new(
            clock,
            usize::try_from(DAYS).unwrap_or(0),
            &table.starts_of("day", 1)?,
            &table.starts_of("hour", 1)?,
        );
        let until = clock.until().timestamp();
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
            online: 0,
            days: empty(&days.starts),
            hours: empty(&hours(start_of_today, until)),
            hours_yesterday: empty(&hours(yesterday, start_of_today)),
            hours_earlier: empty(&hours(earlier, yesterday)),
            asked: Asked::default(),
            quarters: Vec::new(),
            last_event_at: None,
        };
        for row in table.iter() {
            let bucket = epoch(row.count(1)?);
            let counts = Counts {
                visitors: row.count(2)?,
                pageviews: row.count(3)?,
            };
            match row.text(0) {
                "day" => {
                    fill(&mut today.days, bucket, counts);
                    if bucket >= start_of_today {
                        today.today = counts;
                    } else if bucket >= yesterday {
                        today.yesterday_by_now = Counts {
                            visitors: row.count(4)?,
                            pageviews: row.count(5)?,
                        };
                    }
                }
                "hour" => {
                    let hours = if bucket >= start_of_today {
                        &mut today.hours
                    } else if bucket >= yesterday {
                        &mut today.hours_yesterday
                    } else {
                        &mut today.hours_earlier
                    };
                    fill(hours, bucket, counts);
                }
                "online" => today.online = counts.visitors,
                _ => {}
            }
        }
        Ok(today)
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

fn minutes_before(at: Timestamp, minutes: i64) -> Timestamp {
    at.checked_sub(minutes.minutes()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    const COLUMNS: [&str; 6] = [
        "kind",
        "bucket",
        "visitors",
        "pageviews",
        "visitors_by_now",
        "pageviews_by_now",
    ];

    fn answer(rows: &[(&str, &str, [u64; 4])]) -> Rows {
        let row = |(kind, bucket, counts): &(&str, &str, [u64; 4])| {
            let seconds = bucket.parse::<Timestamp>().map_or(0, Timestamp::as_second);
            let mut row = vec![json!(kind), json!(seconds)];
            row.extend(counts.iter().map(|count| json!(count)));
            row
        };
        Rows {
            columns: COLUMNS.map(ToOwned::to_owned).to_vec(),
            rows: rows.iter().map(row).collect(),
            ..Rows::default()
        }
    }

    fn read(clock: &DayClock, rows: &[(&str, &str, [u64; 4])]) -> Today {
        Today::from_rows(clock, Timestamp::UNIX_EPOCH, &answer(rows)).unwrap()
    }

    #[test]
    fn rows_land_on_their_days() {
        let clock = DayClock::new("Europe/Berlin", "2026-11-24T10:00:30Z".parse().unwrap());
        let today = read(
            &clock,
            &[
                ("day", "2026-11-23T23:00:00Z", [5, 9, 0, 0]),
                ("day", "2026-11-22T23:00:00Z", [8, 20, 4, 10]),
                ("hour", "2026-11-24T00:00:00Z", [2, 3, 0, 0]),
                ("hour", "2026-11-22T22:00:00Z", [1, 1, 0, 0]),
                ("online", "", [1, 1, 0, 0]),
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
        assert!(today.time_zone_known);
    }

    #[test]
    fn no_rows_are_an_empty_project() {
        let clock = DayClock::new("UTC", "2026-11-24T10:00:30Z".parse().unwrap());
        assert!(read(&clock, &[]).is_empty());
    }

    #[test]
    fn a_zone_that_nobody_knows_makes_no_zero() {
        // PostHog's days are those of India; by UTC, today would begin at midnight, and the numbers of
        // PostHog's today under yesterday.
        let clock = DayClock::new("Mars/Olympus", "2026-11-24T10:00:30Z".parse().unwrap());
        let today = read(
            &clock,
            &[
                ("day", "2026-11-23T18:30:00Z", [5, 9, 0, 0]),
                ("day", "2026-11-22T18:30:00Z", [8, 20, 4, 10]),
                ("hour", "2026-11-23T18:30:00Z", [3, 3, 0, 0]),
                ("hour", "2026-11-24T09:30:00Z", [2, 3, 0, 0]),
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
            &[
                ("day", "2026-11-23T22:00:00Z", [5, 9, 0, 0]),
                ("day", "2026-11-22T22:00:00Z", [8, 20, 4, 10]),
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
        let text = Today::query(&early).text;
        assert!(
            text.contains("timestamp >= toDateTime64('2026-11-21 23:00:00', 6, 'UTC')"),
            "{text}"
        );
        let unknown = DayClock::new("Mars/Olympus", "2026-11-24T00:30:00Z".parse().unwrap());
        let text = Today::query(&unknown).text;
        assert!(
            text.contains("timestamp >= toDateTime64('2026-11-20 23:00:00', 6, 'UTC')"),
            "{text}"
        );
    }
}
