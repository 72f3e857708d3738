//! A range of the project page: totals, the curve and conversions, each with the period before.

use jiff::Timestamp;
use posthog_api::{HogQl, Rows};
use serde::{Deserialize, Serialize};

use super::buckets::{Days, as_cut};
use super::clock::DayClock;
use super::hogql::{VIEWS, between, instant};
use super::rows::{RowsError, Table, epoch};
use super::today::{empty, fill};
use super::window::{Range, Window};
use super::{Counts, LeftOut, Point};

/// Numbers of one project over one range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// The range.
    pub range: Range,
    /// The time zone that the days are cut in.
    pub time_zone: String,
    /// False if PostHog's days are not those that this program knows: see [`Today::time_zone_known`].
    ///
    /// [`Today::time_zone_known`]: super::Today::time_zone_known
    pub time_zone_known: bool,
    /// The range up to now.
    pub now: Counts,
    /// The period before, up to the same time of day.
    pub before: Counts,
    /// Sessions of the range: distinct `$session_id`s of its views.
    pub sessions: u64,
    /// Sessions of the period before.
    pub sessions_before: u64,
    /// Hours or days of the range.
    pub points: Vec<Point>,
    /// Hours or days of the period before, complete.
    pub points_before: Vec<Point>,
    /// The chosen conversion events, in the order they were chosen.
    pub conversions: Vec<ConversionFigure>,
    /// What was left out.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
    /// True if bots were to be left out, and the server cannot tell them: they are counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacks_bots: bool,
}

/// One conversion event over the range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionFigure {
    /// The event's name.
    pub event: String,
    /// Unique persons with the event in the range.
    pub persons: u64,
    /// Unique persons with the event in the period before.
    pub persons_before: u64,
}

impl Period {
    /// The one query that brings all of it. Event names travel as placeholder values.
    pub fn query(window: &Window, conversions: &[String]) -> HogQl {
        let whole = between(window.before_from(), window.until);
        let points = between(window.points_from, window.until);
        let start = instant(window.from());
        let before_end = instant(window.before_until);
        let bucket = match window.range {
            Range::Day => "toStartOfHour",
            Range::Week | Range::Month | Range::Quarter => "toStartOfDay",
        };
        let mut text = format!(
            "SELECT kind, bucket, now, before, pageviews, pageviews_before, sessions, sessions_before FROM (\
             SELECT 'total' AS kind, 0 AS bucket, \
             uniqExactIf(person_id, timestamp >= {start}) AS now, \
             uniqExactIf(person_id, timestamp < {before_end}) AS before, \
             countIf(timestamp >= {start}) AS pageviews, \
             countIf(timestamp < {before_end}) AS pageviews_before, \
             uniqExactIf($session_id, timestamp >= {start} AND $session_id != '') AS sessions, \
             uniqExactIf($session_id, timestamp < {before_end} AND $session_id != '') AS sessions_before \
             FROM events WHERE {VIEWS} AND {whole} \
             UNION ALL \
             SELECT 'point' AS kind, toUnixTimestamp({bucket}(timestamp)) AS bucket, \
             uniqExact(person_id) AS now, 0 AS before, count() AS pageviews, \
             0 AS pageviews_before, 0 AS sessions, 0 AS sessions_before \
             FROM events WHERE {VIEWS} AND {points} GROUP BY bucket"
        );
        for nth in 0..conversions.len() {
            let branch = format!(
                " UNION ALL SELECT 'conversion' AS kind, {nth} AS bucket, \
                 uniqExactIf(person_id, timestamp >= {start}) AS now, \
                 uniqExactIf(person_id, timestamp < {before_end}) AS before, \
                 0 AS pageviews, 0 AS pageviews_before, 0 AS sessions, 0 AS sessions_before \
                 FROM events WHERE event = {{conversion_{nth}}} AND {whole}"
            );
            text.push_str(&branch);
        }
        text.push_str(") LIMIT 1000");
        conversions.iter().enumerate().fold(
            HogQl::new("pockethog period", text),
            |query, (nth, event)| query.set(&format!("conversion_{nth}"), event.as_str()),
        )
    }

    /// Reads the rows of [`Period::query`].
    pub fn from_rows(
        clock: &DayClock,
        window: &Window,
        conversions: &[String],
        measured_at: Timestamp,
        rows: &Rows,
    ) -> Result<Self, RowsError> {
        let columns = [
            "kind",
            "bucket",
            "now",
            "before",
            "pageviews",
            "pageviews_before",
            "sessions",
            "sessions_before",
        ];
        let table = Table::new(rows, columns)?;
        let cut = table.starts_of("point", 1)?;
        let calendar = Calendar::new(clock, window, &cut);
        let mut points = empty(&calendar.starts);
        let mut period = Self {
            measured_at,
            range: window.range,
            time_zone: calendar.zone,
            time_zone_known: calendar.as_expected,
            now: Counts::default(),
            before: Counts::default(),
            sessions: 0,
            sessions_before: 0,
            points: Vec::new(),
            points_before: Vec::new(),
            conversions: conversions
                .iter()
                .map(|event| ConversionFigure {
                    event: event.clone(),
                    persons: 0,
                    persons_before: 0,
                })
                .collect(),
            left_out: LeftOut::default(),
            lacks_bots: rows.without_newer,
        };
        for row in table.iter() {
            let (now, before) = (row.count(2)?, row.count(3)?);
            match row.text(0) {
                "total" => {
                    period.now = Counts {
                        visitors: now,
                        pageviews: row.count(4)?,
                    };
                    period.before = Counts {
                        visitors: before,
                        pageviews: row.count(5)?,
                    };
                    period.sessions = row.count(6)?;
                    period.sessions_before = row.count(7)?;
                }
                "point" => {
                    let counts = Counts {
                        visitors: now,
                        pageviews: row.count(4)?,
                    };
                    fill(&mut points, epoch(row.count(1)?), counts);
                }
                "conversion" => {
                    let nth = usize::try_from(row.count(1)?).unwrap_or(usize::MAX);
                    if let Some(figure) = period.conversions.get_mut(nth) {
                        figure.persons = now;
                        figure.persons_before = before;
                    }
                }
                _ => {}
            }
        }
        period.points = points.split_off(points.len().saturating_sub(window.buckets.len()));
        period.points_before = points;
        Ok(period)
    }
}

/// The hours or days of both periods as PostHog cut them.
struct Calendar {
    starts: Vec<Timestamp>,
    zone: String,
    as_expected: bool,
}

impl Calendar {
    fn new(clock: &DayClock, window: &Window, cut: &[Timestamp]) -> Self {
        let ours: Vec<Timestamp> = window
            .buckets_before
            .iter()
            .chain(&window.buckets)
            .copied()
            .collect();
        if window.range == Range::Day {
            return Self {
                starts: as_cut(&ours, cut, window.until),
                zone: clock.zone_name(),
                as_expected: clock.zone_known(),
            };
        }
        let days = Days::new(clock, ours.len(), cut, &[]);
        Self {
            starts: days.starts,
            zone: days.zone,
            as_expected: days.as_expected,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn clock() -> DayClock {
        DayClock::new("UTC", "2026-11-24T10:00:30Z".parse().unwrap())
    }

    #[test]
    fn an_event_name_never_stands_in_the_text() {
        let window = Window::new(Range::Week, &clock());
        let event = "x') OR 1=1 --".to_owned();
        let query = Period::query(&window, std::slice::from_ref(&event));
        assert!(!query.text.contains("OR 1=1"));
        assert_eq!(query.values["conversion_0"], event.as_str());
    }

    #[test]
    fn points_of_both_periods_are_told_apart() {
        use serde_json::json;
        let clock = clock();
        let window = Window::new(Range::Week, &clock);
        let point = |at: Timestamp, n: u64| {
            vec![
                json!("point"),
                json!(at.as_second()),
                json!(n),
                json!(0),
                json!(n),
                json!(0),
                json!(0),
                json!(0),
            ]
        };
        let rows = Rows {
            columns: [
                "kind",
                "bucket",
                "now",
                "before",
                "pageviews",
                "pageviews_before",
                "sessions",
                "sessions_before",
            ]
            .map(ToOwned::to_owned)
            .to_vec(),
            rows: vec![
                point(window.buckets[6], 3),
                point(window.buckets_before[6], 4),
            ],
            ..Rows::default()
        };
        let period = Period::from_rows(&clock, &window, &[], Timestamp::UNIX_EPOCH, &rows).unwrap();
        assert_eq!(period.points[6].visitors, 3);
        assert_eq!(period.points_before[6].visitors, 4);
    }
}
