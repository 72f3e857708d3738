//! The query that reads closed days.

use posthog_api::HogQl;

use super::Stretch;
use crate::overview::MOST_CONVERSIONS;
use crate::overview::hogql::{CONVERSION_COLUMNS, VIEWS, between, instant};

/// Above the possible number of rows: 57 days have at most 5,700 quarters and 1,425 hours, and two of them
/// 3,000 minutes.
pub(super) const MOST_ROWS: usize = 20_000;

/// A row is a quarter of an hour, or a minute of the newest day, or an hour. What is counted in it comes from several
/// SELECTs, and is put into one row by the outer one: so there are as many rows whatever is counted.
///
/// `persons`, `seen` and so on are other names than those of the outer columns, since ClickHouse would take
/// one for the other.
pub(super) fn query(stretch: &Stretch, conversions: &[String]) -> HogQl {
    let window = between(stretch.from, stretch.until);
    let conversions = conversions.get(..MOST_CONVERSIONS).unwrap_or(conversions);
    let columns = || CONVERSION_COLUMNS.iter().zip(conversions);
    let none: Vec<String> = (0..conversions.len())
        .map(|nth| format!(", 0 AS converted_{nth}"))
        .collect();
    let sums: Vec<String> = columns()
        .enumerate()
        .map(|(nth, (column, _))| format!(", sum(converted_{nth}) AS {column}"))
        .collect();
    let (none, sums) = (none.concat(), sums.concat());
    let bucket = |at: &str| {
        format!(
            "toUnixTimestamp(if({at} >= {}, toStartOfMinute({at}), toStartOfFifteenMinutes({at})))",
            instant(stretch.minutes_from)
        )
    };
    let (of_first, of_each) = (bucket("first_seen"), bucket("timestamp"));
    let mut text = format!(
        "SELECT kind, day, bucket, sum(persons) AS visitors, sum(seen) AS pageviews, \
         max(gap_seconds) AS gap, max(last_seen) AS last_event{sums} FROM (\
         SELECT 'slot' AS kind, toUnixTimestamp(began) AS day, {of_first} AS bucket, \
         count() AS persons, 0 AS seen, 0 AS gap_seconds, 0 AS last_seen{none} FROM (\
         SELECT toStartOfDay(timestamp) AS began, person_id, min(timestamp) AS first_seen \
         FROM events WHERE {VIEWS} AND {window} GROUP BY began, person_id) GROUP BY day, bucket \
         UNION ALL \
         SELECT 'slot' AS kind, toUnixTimestamp(toStartOfDay(timestamp)) AS day, {of_each} AS bucket, \
         0 AS persons, count() AS seen, 0 AS gap_seconds, 0 AS last_seen{none} \
         FROM events WHERE {VIEWS} AND {window} GROUP BY day, bucket \
         UNION ALL \
         SELECT 'hour' AS kind, 0 AS day, toUnixTimestamp(toStartOfHour(timestamp)) AS bucket, \
         uniqExact(person_id) AS persons, count() AS seen, 0 AS gap_seconds, 0 AS last_seen{none} \
         FROM events WHERE {VIEWS} AND {window} GROUP BY bucket \
         UNION ALL \
         SELECT 'hour' AS kind, 0 AS day, toUnixTimestamp(toStartOfHour(minute)) AS bucket, \
         0 AS persons, 0 AS seen, max(toUnixTimestamp(minute) - toUnixTimestamp(before)) AS gap_seconds, \
         max(toUnixTimestamp(minute)) AS last_seen{none} FROM (\
         SELECT minute, lagInFrame(minute) OVER (ORDER BY minute) AS before FROM (\
         SELECT toStartOfMinute(timestamp) AS minute FROM events WHERE {window} GROUP BY minute)) \
         GROUP BY bucket"
    );
    if !conversions.is_empty() {
        let names: Vec<String> = columns()
            .map(|(column, _)| format!("{{{column}}}"))
            .collect();
        let counts: Vec<String> = names
            .iter()
            .enumerate()
            .map(|(nth, name)| format!(", countIf(event = {name}) AS converted_{nth}"))
            .collect();
        let (names, counts) = (names.join(", "), counts.concat());
        let branch = format!(
            " UNION ALL \
             SELECT 'slot' AS kind, toUnixTimestamp(began) AS day, {of_first} AS bucket, \
             0 AS persons, 0 AS seen, 0 AS gap_seconds, 0 AS last_seen{counts} FROM (\
             SELECT toStartOfDay(timestamp) AS began, event, person_id, min(timestamp) AS first_seen \
             FROM events WHERE event IN ({names}) AND {window} GROUP BY began, event, person_id) \
             GROUP BY day, bucket"
        );
        text.push_str(&branch);
    }
    let end = format!(") GROUP BY kind, day, bucket LIMIT {MOST_ROWS}");
    text.push_str(&end);
    columns().fold(
        HogQl::new("pockethog history", text),
        |query, (column, event)| query.set(column, event.as_str()),
    )
}
