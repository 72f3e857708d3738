//! Days and hours are those of the project, with its changes of clock.

use serde_json::json;

use super::{rows, store, value_in, view};

/// One view every half hour, from and until.
fn half_hours(from: &str, until: &str) -> Vec<hogql_sqlite::Event<'static>> {
    let first = view(from);
    let until = super::at(until);
    (0..1000)
        .map(|nth| hogql_sqlite::Event {
            timestamp: first.timestamp + nth * 1800,
            ..first
        })
        .take_while(|event| event.timestamp < until)
        .collect()
}

const BY_DAY: &str =
    "SELECT toStartOfDay(timestamp) AS day, count() FROM events GROUP BY day ORDER BY day";
const BY_HOUR: &str =
    "SELECT toStartOfHour(timestamp) AS hour, count() FROM events GROUP BY hour ORDER BY hour";

#[test]
fn berlin_in_spring_has_a_day_of_23_hours() {
    let store = store(
        "Europe/Berlin",
        half_hours("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z"),
    );
    assert_eq!(
        rows(&store, BY_DAY),
        json!([
            ["2026-03-28T00:00:00+01:00", 48],
            ["2026-03-29T00:00:00+01:00", 46],
            ["2026-03-30T00:00:00+02:00", 48]
        ])
    );
}

#[test]
fn new_york_in_autumn_has_a_day_of_25_hours_and_one_hour_twice() {
    let store = store(
        "America/New_York",
        half_hours("2026-10-31T04:00:00Z", "2026-11-03T05:00:00Z"),
    );
    assert_eq!(
        rows(&store, BY_DAY),
        json!([
            ["2026-10-31T00:00:00-04:00", 48],
            ["2026-11-01T00:00:00-04:00", 50],
            ["2026-11-02T00:00:00-05:00", 48]
        ])
    );
    let hours = rows(&store, &format!("{BY_HOUR} LIMIT 30"));
    assert_eq!(hours[25], json!(["2026-11-01T01:00:00-04:00", 2]));
    assert_eq!(hours[26], json!(["2026-11-01T01:00:00-05:00", 2]));
    assert_eq!(hours[27], json!(["2026-11-01T02:00:00-05:00", 2]));
}

#[test]
fn hours_of_a_zone_with_half_an_hour_start_at_its_own_full_hours() {
    let store = store(
        "Asia/Kolkata",
        half_hours("2026-11-23T18:30:00Z", "2026-11-23T20:30:00Z"),
    );
    assert_eq!(
        rows(&store, BY_HOUR),
        json!([
            ["2026-11-24T00:00:00+05:30", 2],
            ["2026-11-24T01:00:00+05:30", 2]
        ])
    );
    assert_eq!(
        rows(&store, BY_DAY),
        json!([["2026-11-24T00:00:00+05:30", 4]])
    );
}

#[test]
fn a_day_that_begins_at_one_in_the_morning_begins_there() {
    // Cairo's clock skips midnight on 2026-04-24.
    let value = value_in(
        "Africa/Cairo",
        "toStartOfDay(toDateTime('2026-04-24 12:00:00'))",
    );
    assert_eq!(value, json!("2026-04-24T01:00:00+03:00"));
}

#[test]
fn a_text_without_zone_is_meant_in_the_projects() {
    let value = |expression| value_in("America/New_York", expression);
    assert_eq!(
        value("toDateTime('2026-07-01 00:00:00')"),
        json!("2026-07-01T00:00:00-04:00")
    );
    assert_eq!(
        value("toDateTime('2026-07-01 00:00:00', 'UTC')"),
        json!("2026-07-01T00:00:00Z")
    );
    assert_eq!(
        value("toTimeZone(toDateTime('2026-07-01 00:00:00'), 'Asia/Tokyo')"),
        json!("2026-07-01T13:00:00+09:00")
    );
    // With a zone it is an instant, whatever the project's zone is.
    assert_eq!(
        value("toDateTime64('2026-07-01 00:00:00', 6, 'UTC')"),
        json!("2026-07-01T00:00:00Z")
    );
    assert_eq!(
        value("toUnixTimestamp(toDateTime64('2026-07-01 00:00:00', 6, 'UTC'))"),
        json!(1_782_864_000)
    );
    // What may be NULL can keep ClickHouse from using its index.
    assert_eq!(
        value("toTypeName(toDateTime64('2026-07-01 00:00:00', 6, 'UTC'))"),
        json!("DateTime64(6, 'UTC')")
    );
    assert_eq!(
        value("toTypeName(toDateTime('2026-07-01 00:00:00', 'UTC'))"),
        json!("Nullable(DateTime64(6, 'UTC'))")
    );
    assert_eq!(value("toHour(now())"), json!(5));
    assert_eq!(
        value("toDate(toDateTime('2026-07-01 03:00:00', 'UTC'))"),
        json!("2026-07-01")
    );
    assert_eq!(
        value("toDate(toTimeZone(toDateTime('2026-07-01 03:00:00', 'UTC'), 'America/New_York'))"),
        json!("2026-06-30")
    );
    // The server's day, whatever the project's.
    assert_eq!(value_in("Pacific/Auckland", "today()"), json!("2026-11-24"));
    assert_eq!(
        value_in("Pacific/Auckland", "toDate(now())"),
        json!("2026-11-24")
    );
}

#[test]
fn a_day_later_is_the_same_time_of_day() {
    let value = |expression| value_in("Europe/Berlin", expression);
    assert_eq!(
        value("toDateTime('2026-03-28 12:00:00') + INTERVAL 1 DAY"),
        json!("2026-03-29T12:00:00+02:00")
    );
    assert_eq!(
        value("toDateTime('2026-03-28 12:00:00') + INTERVAL 24 HOUR"),
        json!("2026-03-29T13:00:00+02:00")
    );
    assert_eq!(
        value(
            "dateDiff('hour', toDateTime('2026-03-29 00:00:00'), toDateTime('2026-03-30 00:00:00'))"
        ),
        json!(24)
    );
}
