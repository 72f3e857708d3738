//! What the home screen shows of a project: today so far, yesterday by now, the last 30 days.

use jiff::{Timestamp, ToSpan};
use posthog_api::{HogQl, Rows};
use serde::{Deserialize, Serialize};

use super::hogql::{VIEWS, between, instant};
use super::rows::{RowsError, Table};
use super::window::DayClock;
use super::{Counts, Point};

/// Days of the sparkline, today included.
const DAYS: i64 = 30;

/// Minutes that count as now.
const ONLINE_MINUTES: i64 = 5;

/// Today's numbers of one project, in its own time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Today {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// The time zone that the days are cut in.
    pub time_zone: String,
    /// False where the project's zone is unknown to this device and UTC stands in.
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
}

impl Today {
    /// The one query that brings all of it.
    pub fn query(clock: &DayClock) -> HogQl {
        let until = clock.until().timestamp();
        let by_now = instant(clock.same_time(1).timestamp());
        let yesterday = clock.day_start(1).timestamp();
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
            month_window = between(month, until),
            hours_window = between(yesterday, until),
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
        let days: Vec<_> = (0..DAYS)
            .rev()
            .map(|days| clock.day_start(days).timestamp())
            .collect();
        let mut hours = clock.hours_of_day(0);
        hours.retain(|&hour| hour < clock.until().timestamp());
        let mut today = Self {
            measured_at,
            time_zone: zone_name(clock),
            time_zone_known: clock.zone_known(),
            today: Counts::default(),
            yesterday_by_now: Counts::default(),
            online: 0,
            days: empty(&days),
            hours: empty(&hours),
            hours_yesterday: empty(&clock.hours_of_day(1)),
        };
        let yesterday = clock.day_start(1).timestamp();
        let start_of_today = clock.day_start(0).timestamp();
        let columns = [
            "kind",
            "bucket",
            "visitors",
            "pageviews",
            "visitors_by_now",
            "pageviews_by_now",
        ];
        for row in Table::new(rows, columns)?.iter() {
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
                "hour" if bucket >= start_of_today => fill(&mut today.hours, bucket, counts),
                "hour" => fill(&mut today.hours_yesterday, bucket, counts),
                "online" => today.online = counts.visitors,
                _ => {}
            }
        }
        Ok(today)
    }

    /// True where nothing happened for 30 days.
    pub fn is_empty(&self) -> bool {
        self.days.iter().all(|day| day.pageviews == 0)
    }
}

/// The time zone's name, as it is shown.
pub(super) fn zone_name(clock: &DayClock) -> String {
    clock.zone().iana_name().unwrap_or("UTC").to_owned()
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

/// Puts counts into the bucket that holds `at`. Where the zone is unknown here, PostHog's days start
/// elsewhere than ours, so the bucket that contains the start is taken, not the one that equals it.
pub(super) fn fill(points: &mut [Point], at: Timestamp, counts: Counts) {
    let after = points.partition_point(|point| point.start <= at);
    if let Some(point) = after.checked_sub(1).and_then(|place| points.get_mut(place)) {
        point.visitors = counts.visitors;
        point.pageviews = counts.pageviews;
    }
}

pub(super) fn epoch(seconds: u64) -> Timestamp {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

fn minutes_before(at: Timestamp, minutes: i64) -> Timestamp {
    at.checked_sub(minutes.minutes()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_land_on_their_days() {
        let clock = DayClock::new("Europe/Berlin", "2026-11-24T10:00:30Z".parse().unwrap());
        let at = |days| clock.day_start(days).timestamp().as_second();
        let rows = Rows {
            columns: [
                "kind",
                "bucket",
                "visitors",
                "pageviews",
                "visitors_by_now",
                "pageviews_by_now",
            ]
            .map(ToOwned::to_owned)
            .to_vec(),
            rows: vec![
                vec![
                    json!("day"),
                    json!(at(0)),
                    json!(5),
                    json!(9),
                    json!(0),
                    json!(0),
                ],
                vec![
                    json!("day"),
                    json!(at(1)),
                    json!(8),
                    json!(20),
                    json!(4),
                    json!(10),
                ],
                vec![
                    json!("hour"),
                    json!(at(0) + 3600),
                    json!(2),
                    json!(3),
                    json!(0),
                    json!(0),
                ],
                vec![
                    json!("online"),
                    json!(0),
                    json!(1),
                    json!(1),
                    json!(0),
                    json!(0),
                ],
            ],
            ..Rows::default()
        };
        let today = Today::from_rows(&clock, Timestamp::UNIX_EPOCH, &rows).unwrap();
        assert_eq!(today.days.len(), 30);
        assert_eq!(today.today.visitors, 5);
        assert_eq!(today.yesterday_by_now.pageviews, 10);
        assert_eq!(today.yesterday_by_now.visitors, 4);
        assert_eq!(today.hours.len(), 12);
        assert_eq!(today.hours[1].visitors, 2);
        assert_eq!(today.online, 1);
    }

    #[test]
    fn no_rows_are_an_empty_project() {
        let clock = DayClock::new("UTC", "2026-11-24T10:00:30Z".parse().unwrap());
        let rows = Rows {
            columns: [
                "kind",
                "bucket",
                "visitors",
                "pageviews",
                "visitors_by_now",
                "pageviews_by_now",
            ]
            .map(ToOwned::to_owned)
            .to_vec(),
            ..Rows::default()
        };
        let today = Today::from_rows(&clock, Timestamp::UNIX_EPOCH, &rows).unwrap();
        assert!(today.is_empty());
    }
}
