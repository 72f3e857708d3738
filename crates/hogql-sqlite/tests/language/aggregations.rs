use serde_json::json;

use super::{rows, store, view};
use hogql_sqlite::{Database, Event};

/// Three people: 1 looks at two pages, 2 at one, and 3 pays twice.
fn shop() -> Database {
    store(
        "UTC",
        vec![
            view("2026-11-24T08:00:00Z"),
            Event {
                pathname: Some("/pricing"),
                ..view("2026-11-24T08:01:00Z")
            },
            Event {
                person: 2,
                session: 2,
                country: None,
                ..view("2026-11-24T09:00:00Z")
            },
            Event {
                event: "paid",
                person: 3,
                session: 3,
                amount: Some(10),
                pathname: None,
                country: Some("FR"),
                ..view("2026-11-24T09:10:00Z")
            },
            Event {
                event: "paid",
                person: 3,
                session: 3,
                amount: Some(30),
                pathname: None,
                country: Some("FR"),
                ..view("2026-11-24T09:20:00Z")
            },
            // Has not happened yet.
            Event {
                person: 9,
                session: 9,
                ..view("2026-11-24T10:00:01Z")
            },
        ],
    )
}

#[track_caller]
fn hold(table: &[(&str, serde_json::Value)]) {
    let shop = shop();
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(expression, expected)| {
            let found = rows(&shop, &format!("SELECT {expression} FROM events"))[0][0].clone();
            (found != *expected).then(|| format!("{expression} is {found}, not {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn counting() {
    hold(&[
        ("count()", json!(5)),
        ("COUNT(*)", json!(5)),
        ("count(properties.$pathname)", json!(3)),
        ("countIf(event = 'paid')", json!(2)),
        (
            "countIf(properties.$pathname, event = '$pageview')",
            json!(3),
        ),
        ("count(DISTINCT person_id)", json!(3)),
        ("uniq(person_id)", json!(3)),
        ("uniqExact(person_id)", json!(3)),
        ("uniqExactIf(person_id, event = '$pageview')", json!(2)),
        ("uniqIf($session_id, event = 'paid')", json!(1)),
        ("uniqExact(event, properties.$geoip_country_code)", json!(2)),
        ("uniqExact(toStartOfHour(timestamp))", json!(2)),
        ("uniqHLL12(distinct_id)", json!(3)),
    ]);
}

#[test]
fn of_numbers() {
    hold(&[
        ("sum(properties.amount)", json!(40.0)),
        (
            "sumIf(properties.amount, properties.amount > 10)",
            json!(30.0),
        ),
        ("avg(properties.amount)", json!(20.0)),
        ("avgIf(properties.amount, event = 'none')", json!(null)),
        ("min(properties.amount)", json!(10.0)),
        (
            "maxIf(properties.amount, properties.amount < 20)",
            json!(10.0),
        ),
        ("quantile(0.5)(properties.amount)", json!(20.0)),
        ("median(toFloat(properties.amount))", json!(20.0)),
        ("quantiles(0, 1)(properties.amount)", json!([10.0, 30.0])),
        ("stddevPop(properties.amount)", json!(10.0)),
        ("varSamp(properties.amount)", json!(200.0)),
        ("sum(1)", json!(5)),
        (
            "round(100 * countIf(event = 'paid') / count(), 1)",
            json!(40.0),
        ),
    ]);
}

#[test]
fn of_values() {
    hold(&[
        ("min(timestamp)", json!("2026-11-24T08:00:00Z")),
        (
            "maxIf(timestamp, event = '$pageview')",
            json!("2026-11-24T09:00:00Z"),
        ),
        ("any(event)", json!("$pageview")),
        ("anyLast(event)", json!("paid")),
        ("argMin(properties.$pathname, timestamp)", json!("/")),
        ("argMax(event, timestamp)", json!("paid")),
        (
            "argMaxIf(properties.$pathname, timestamp, person_id = person_id)",
            json!("/"),
        ),
        (
            "groupArray(properties.$pathname)",
            json!(["/", "/pricing", "/"]),
        ),
        (
            "groupArrayIf(event, properties.amount > 10)",
            json!(["paid"]),
        ),
        (
            "arraySort(groupUniqArray(event))",
            json!(["$pageview", "paid"]),
        ),
        ("topK(1)(event)", json!(["$pageview"])),
        ("length(groupArray(event))", json!(5)),
    ]);
}

#[test]
fn over_no_rows_numbers_are_zero() {
    let empty = store("UTC", vec![]);
    let text = "SELECT count(), uniqExact(person_id), sum(1), max(timestamp), sum(properties.amount), avg(1), any(event) FROM events";
    assert_eq!(
        rows(&empty, text),
        json!([[0, 0, 0, "1970-01-01T00:00:00Z", null, null, ""]])
    );
    assert_eq!(
        rows(&empty, "SELECT event, count() FROM events GROUP BY event"),
        json!([])
    );
}

#[test]
fn groups() {
    let shop = shop();
    assert_eq!(
        rows(
            &shop,
            "SELECT event, count() AS n FROM events GROUP BY event ORDER BY n DESC"
        ),
        json!([["$pageview", 3], ["paid", 2]])
    );
    assert_eq!(
        rows(
            &shop,
            "SELECT properties.$geoip_country_code AS c, uniqExact(person_id) FROM events GROUP BY c ORDER BY c"
        ),
        json!([["DE", 1], ["FR", 1], [null, 1]]),
        "NULL is a group, and comes last"
    );
    assert_eq!(
        rows(
            &shop,
            "SELECT ifNull(toString(properties.$pathname), '') AS p, count() AS n FROM events GROUP BY p ORDER BY n DESC, p"
        ),
        json!([["", 2], ["/", 2], ["/pricing", 1]])
    );
    assert_eq!(
        rows(
            &shop,
            "SELECT event, count() n FROM events GROUP BY 1 HAVING n > 2"
        ),
        json!([["$pageview", 3]])
    );
    assert_eq!(
        rows(&shop, "SELECT DISTINCT event FROM events ORDER BY event"),
        json!([["$pageview"], ["paid"]])
    );
    assert_eq!(
        rows(
            &shop,
            "SELECT event, person_id = any(person_id), count() FROM events GROUP BY event, person_id ORDER BY 3 DESC, 1 LIMIT 1 BY event"
        ),
        json!([["$pageview", 1, 2], ["paid", 1, 2]])
    );
}

#[test]
fn windows() {
    let shop = shop();
    assert_eq!(
        rows(
            &shop,
            "SELECT toUnixTimestamp(timestamp) - 1795506000 AS t, row_number() OVER (PARTITION BY event ORDER BY timestamp), \
             count() OVER (ORDER BY timestamp ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), \
             lagInFrame(event) OVER w FROM events WINDOW w AS (ORDER BY timestamp) ORDER BY t LIMIT 4"
        )
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row[1], row[2], row[3]]))
        .collect::<Vec<_>>(),
        vec![json!([1, 1, ""]), json!([2, 2, "$pageview"]), json!([3, 2, "$pageview"]), json!([1, 2, "$pageview"])]
    );
    assert_eq!(
        rows(
            &shop,
            "SELECT event, sum(count()) OVER () AS total FROM events GROUP BY event ORDER BY event"
        ),
        json!([["$pageview", 5], ["paid", 5]])
    );
}
