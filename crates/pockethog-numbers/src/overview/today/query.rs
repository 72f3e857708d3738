//! The query of today's numbers.

use jiff::{Timestamp, ToSpan};
use posthog_api::HogQl;

use super::{DAYS, HOURS_BACK};
use crate::overview::hogql::{CONVERSION_COLUMNS, VIEWS, between, instant};
use crate::overview::{Asked, ClosedDays, DayClock};

/// Minutes that count as now.
const ONLINE_MINUTES: i64 = 5;

/// Hours before today that are asked for if it is not known for certain when PostHog's today began.
const MARGIN_HOURS: i64 = 2;

/// Above the possible number of rows: two days have 200 quarters, and there are 31 days and 75 hours.
pub(super) const MOST_ROWS: usize = 1000;

/// A number that no quarter of an hour has: the largest one of 32 bits.
const NEVER: u32 = u32::MAX;

/// Each quarter of an hour of today, the last event, and unless they are known the days and hours before.
///
/// Everything of today comes from one pass over its views: by quarter and person first, from which follows in which
/// quarter each person was seen first on the day, in the hour and within the last minutes. The sum of these is the exact
/// number of persons.
pub(super) fn query(clock: &DayClock, asked: &Asked, closed: Option<&ClosedDays>) -> HogQl {
    let until = clock.until().timestamp();
    let online_from = minutes_before(until, ONLINE_MINUTES);
    let today = clock.day_start(0).timestamp();
    let quarters_from = match closed {
        Some(closed) => closed.today,
        None => minutes_before(clock.asked_from(today), MARGIN_HOURS * 60),
    };
    let last_from = match closed {
        Some(closed) => closed.today,
        None => clock.asked_from(hours_from(clock)),
    };
    let columns = || CONVERSION_COLUMNS.iter().zip(&asked.conversions);
    let each = |text: &dyn Fn(usize, &str) -> String| -> String {
        let texts = columns().enumerate();
        texts.map(|(nth, (column, _))| text(nth, column)).collect()
    };
    let events = if asked.conversions.is_empty() {
        VIEWS.to_owned()
    } else {
        let names = each(&|_, column| format!(", {{{column}}}"));
        format!("event IN ('$pageview', '$screen'{names})")
    };
    let mut text = format!(
        "SELECT kind, day, hour, bucket, visitors, pageviews, hour_visitors, online, \
         visitors_by_now, pageviews_by_now{outer} FROM (\
         SELECT 'quarter' AS kind, began_day AS day, began_hour AS hour, began_quarter AS bucket, \
         countIf(seen > 0 AND began_quarter = first_of_day) AS visitors, sum(seen) AS pageviews, \
         countIf(seen > 0 AND began_quarter = first_of_hour) AS hour_visitors, \
         countIf(just_seen > 0 AND began_quarter = first_of_now) AS online, \
         0 AS visitors_by_now, 0 AS pageviews_by_now{converted} FROM (\
         SELECT began_day, began_hour, began_quarter, seen, just_seen{done}, \
         min(if(seen > 0, began_quarter, {NEVER})) OVER (PARTITION BY began_day, person_id) AS first_of_day, \
         min(if(seen > 0, began_quarter, {NEVER})) OVER (PARTITION BY began_hour, person_id) AS first_of_hour, \
         min(if(just_seen > 0, began_quarter, {NEVER})) OVER (PARTITION BY person_id) AS first_of_now{firsts} FROM (\
         SELECT toUnixTimestamp(toStartOfDay(timestamp)) AS began_day, \
         toUnixTimestamp(toStartOfHour(timestamp)) AS began_hour, \
         toUnixTimestamp(toStartOfFifteenMinutes(timestamp)) AS began_quarter, person_id, \
         countIf({VIEWS}) AS seen, countIf({VIEWS} AND timestamp >= {online}) AS just_seen{counts} \
         FROM events WHERE {events} AND {quarters_window} \
         GROUP BY began_day, began_hour, began_quarter, person_id)) GROUP BY day, hour, bucket \
         UNION ALL \
         SELECT 'last' AS kind, 0 AS day, 0 AS hour, max(toUnixTimestamp(timestamp)) AS bucket, \
         0 AS visitors, 0 AS pageviews, 0 AS hour_visitors, 0 AS online, \
         0 AS visitors_by_now, 0 AS pageviews_by_now{none} \
         FROM events WHERE {last_window}",
        outer = each(&|_, column| format!(", {column}")),
        converted = each(&|nth, column| format!(
            ", countIf(done_{nth} > 0 AND began_quarter = first_done_{nth}) AS {column}"
        )),
        done = each(&|nth, _| format!(", done_{nth}")),
        firsts = each(&|nth, _| format!(
            ", min(if(done_{nth} > 0, began_quarter, {NEVER})) \
             OVER (PARTITION BY began_day, person_id) AS first_done_{nth}"
        )),
        counts = each(&|nth, column| format!(", countIf(event = {{{column}}}) AS done_{nth}")),
        none = each(&|_, column| format!(", 0 AS {column}")),
        online = instant(online_from),
        quarters_window = between(quarters_from.min(online_from), until),
        last_window = between(last_from, until),
    );
    if closed.is_none() {
        let none = each(&|_, column| format!(", 0 AS {column}"));
        text.push_str(&days_and_hours(clock, &none));
    }
    let end = format!(") LIMIT {MOST_ROWS}");
    text.push_str(&end);
    columns().fold(
        HogQl::new("pockethog today", text),
        |query, (column, event)| query.set(column, event.as_str()),
    )
}

/// The days of the sparkline, and the hours back to those before the last 24.
fn days_and_hours(clock: &DayClock, none: &str) -> String {
    let until = clock.until().timestamp();
    let month = clock.day_start(DAYS - 1).timestamp();
    format!(
        " UNION ALL \
         SELECT 'day' AS kind, 0 AS day, 0 AS hour, toUnixTimestamp(toStartOfDay(timestamp)) AS bucket, \
         uniqExact(person_id) AS visitors, count() AS pageviews, 0 AS hour_visitors, 0 AS online, \
         uniqExactIf(person_id, timestamp < {by_now}) AS visitors_by_now, \
         countIf(timestamp < {by_now}) AS pageviews_by_now{none} \
         FROM events WHERE {VIEWS} AND {month_window} GROUP BY bucket \
         UNION ALL \
         SELECT 'hour' AS kind, 0 AS day, 0 AS hour, toUnixTimestamp(toStartOfHour(timestamp)) AS bucket, \
         uniqExact(person_id) AS visitors, count() AS pageviews, 0 AS hour_visitors, 0 AS online, \
         0 AS visitors_by_now, 0 AS pageviews_by_now{none} \
         FROM events WHERE {VIEWS} AND {hours_window} GROUP BY bucket",
        by_now = instant(clock.same_time(1).timestamp()),
        month_window = between(clock.asked_from(month), until),
        hours_window = between(clock.asked_from(hours_from(clock)), until),
    )
}

/// The first hour that is shown.
fn hours_from(clock: &DayClock) -> Timestamp {
    let yesterday = clock.day_start(1).timestamp();
    yesterday.min(clock.hour_start(HOURS_BACK).timestamp())
}

fn minutes_before(at: Timestamp, minutes: i64) -> Timestamp {
    at.checked_sub(minutes.minutes()).unwrap_or(at)
}
