use std::error::Error as _;
use std::time::Duration;

use hogql_sqlite::{Database, ErrorKind, Event, Query, skips_rows};
use serde_json::{Map, json};

use super::{NOW, ask, at, refused, run, store, view};

fn many(count: i64) -> Database {
    let first = view("2026-11-24T01:00:00Z");
    store(
        "UTC",
        (0..count)
            .map(|nth| Event {
                timestamp: first.timestamp + nth,
                ..first
            })
            .collect(),
    )
}

#[test]
fn a_query_without_limit_is_cut_at_100_rows_and_says_so() {
    let answer = ask(&many(101), "SELECT timestamp FROM events").unwrap();
    assert_eq!(
        (answer.rows.len(), answer.has_more, answer.limit),
        (100, Some(true), Some(100))
    );
    let answer = ask(&many(100), "SELECT timestamp FROM events").unwrap();
    assert_eq!((answer.rows.len(), answer.has_more), (100, Some(false)));
    let answer = ask(&many(200), "SELECT timestamp FROM events LIMIT 150").unwrap();
    assert_eq!(
        (answer.rows.len(), answer.has_more, answer.limit),
        (150, None, None)
    );
}

#[test]
fn each_branch_of_a_union_is_cut_on_its_own() {
    let store = many(150);
    let answer = ask(
        &store,
        "SELECT timestamp FROM events UNION ALL SELECT timestamp FROM events LIMIT 120",
    )
    .unwrap();
    assert_eq!((answer.rows.len(), answer.limit), (220, None));
    let inside = "SELECT t FROM (SELECT timestamp AS t FROM events UNION ALL SELECT timestamp AS t FROM events) LIMIT 1000";
    assert_eq!(ask(&store, inside).unwrap().rows.len(), 300);
}

#[test]
fn nobody_gets_more_than_50_000_rows() {
    let answer = ask(&many(1), "SELECT arrayJoin(range(60000)) LIMIT 60000").unwrap();
    assert_eq!(answer.rows.len(), 50_000);
}

#[test]
fn placeholders_are_constants_whatever_they_hold() {
    let store = many(3);
    let text = "SELECT count(), {name} AS name FROM events WHERE event = {name} OR event IN {list}";
    let mut values = Map::new();
    values.insert("name".to_owned(), json!("x' OR 1=1 --\u{0}\\"));
    values.insert("list".to_owned(), json!(["a", "b"]));
    let answer = run(&store, text, &values).unwrap();
    assert_eq!(answer.rows, [[json!(0), json!("x' OR 1=1 --\u{0}\\")]]);
    values.insert("list".to_owned(), json!(["$pageview"]));
    assert_eq!(run(&store, text, &values).unwrap().rows[0][0], json!(3));
    assert_eq!(
        refused("SELECT {name}").message,
        "Unresolved placeholder: {name}"
    );
    assert_eq!(
        ask(&store, "SELECT count() FROM events WHERE {filters}")
            .unwrap()
            .rows,
        [[json!(3)]]
    );
}

#[test]
fn a_check_says_where_the_mistake_is() {
    let store = many(1);
    let good = store
        .check(&Query::new("SELECT count() FROM events"))
        .unwrap();
    assert_eq!(good, ["events"]);
    let bad = store
        .check(&Query::new("SELECT 'é', pathname FROM events"))
        .unwrap_err();
    assert_eq!(bad.message, "Unable to resolve field: pathname");
    assert_eq!(bad.place, Some(12..20), "in characters");
}

#[test]
fn a_query_that_takes_too_long_is_stopped() {
    let endless = "SELECT count() FROM events AS a JOIN events AS b ON a.timestamp != b.timestamp \
                   JOIN events AS c ON c.timestamp != b.timestamp";
    let query = Query::new(endless).now(at(NOW)).time_limit(Duration::ZERO);
    let error = many(2000).run(&query).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TimedOut);
    let cause = error.source().unwrap();
    assert_eq!(
        cause.to_string(),
        "interrupted",
        "SQLite's own error is kept"
    );
}

#[test]
fn an_offset_is_seen_and_one_in_a_string_is_not() {
    assert!(skips_rows("SELECT 1 LIMIT 5 OFFSET 5"));
    assert!(skips_rows(
        "SELECT n FROM (SELECT 2 AS n limit 1 by 3 offset 1)"
    ));
    assert!(skips_rows("SELECT 1 LIMIT 5, 5"));
    assert!(!skips_rows("SELECT 'offset', 1 AS `offset` -- offset"));
}

#[test]
fn filters_are_taken_only_beside_a_table_that_posthog_can_filter() {
    let store = many(2);
    for taken in [
        "SELECT count() FROM events AS e WHERE {filters}",
        "SELECT count() FROM sessions WHERE {filters}",
        "SELECT * FROM (SELECT count() FROM events WHERE {filters})",
    ] {
        assert!(ask(&store, taken).is_ok(), "{taken}");
        assert!(store.check(&Query::new(taken)).is_ok(), "{taken}");
    }
    for refused in [
        "SELECT 1 WHERE {filters}",
        "SELECT count() FROM persons WHERE {filters}",
        "SELECT count() FROM (SELECT event FROM events) WHERE {filters}",
        "WITH e AS (SELECT event FROM events) SELECT count() FROM e WHERE {filters}",
    ] {
        let error = ask(&store, refused).unwrap_err();
        assert!(
            error
                .message
                .starts_with("Cannot use 'filters' placeholder"),
            "{refused}: {error}"
        );
        assert!(store.check(&Query::new(refused)).is_err(), "{refused}");
    }
}
