use serde_json::json;

use super::{ask, rows, store, view};
use hogql_sqlite::{Database, Event, QueryResult};

/// Person 1 looks at three pages within 2 minutes; person 2 at one, and is not done; both from afar.
fn site() -> Database {
    store(
        "UTC",
        vec![
            view("2026-11-24T08:00:00Z"),
            Event {
                pathname: Some("/pricing"),
                referring_domain: None,
                ..view("2026-11-24T08:01:00Z")
            },
            Event {
                pathname: Some("/"),
                referring_domain: None,
                ..view("2026-11-24T08:02:00Z")
            },
            Event {
                person: 2,
                session: 2,
                pathname: Some("/about"),
                referring_domain: Some("$direct"),
                ..view("2026-11-24T09:59:55Z")
            },
            Event {
                person: 2,
                session: 2,
                pathname: Some("/later"),
                referring_domain: None,
                ..view("2026-11-24T10:05:00Z")
            },
        ],
    )
}

fn names(result: &QueryResult) -> Vec<&str> {
    result
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect()
}

#[test]
fn columns_of_events() {
    let site = site();
    let text = "SELECT event, timestamp, properties.$pathname, properties['$host'], properties.`$browser`, properties.nothing, \
                properties.$referring_domain, session.$entry_referring_domain, session.$entry_pathname, session.$pageview_count \
                FROM events ORDER BY timestamp LIMIT 1 OFFSET 1";
    assert_eq!(
        rows(&site, text),
        json!([[
            "$pageview",
            "2026-11-24T08:01:00Z",
            "/pricing",
            "burrow.example",
            "Firefox",
            null,
            "burrow.example",
            "github.com",
            "/",
            3
        ]])
    );
}

#[test]
fn sessions_know_only_what_has_happened() {
    let text = "SELECT $start_timestamp, $end_timestamp, $session_duration, $pageview_count, $is_bounce, $entry_pathname, \
                $end_pathname, $num_uniq_urls, $channel_type FROM sessions ORDER BY $start_timestamp";
    assert_eq!(
        rows(&site(), text),
        json!([
            [
                "2026-11-24T08:00:00Z",
                "2026-11-24T08:02:00Z",
                120,
                3,
                false,
                "/",
                "/",
                2,
                "Referral"
            ],
            [
                "2026-11-24T09:59:55Z",
                "2026-11-24T09:59:55Z",
                0,
                1,
                true,
                "/about",
                "/about",
                1,
                "Direct"
            ]
        ])
    );
}

#[test]
fn a_star_is_every_column() {
    let answer = ask(&site(), "SELECT * FROM events ORDER BY timestamp LIMIT 1").unwrap();
    assert_eq!(
        names(&answer)[..4],
        ["uuid", "event", "properties", "timestamp"]
    );
    assert_eq!(answer.rows[0].len(), answer.columns.len());
    let answer = ask(&site(), "SELECT * FROM sessions").unwrap();
    assert!(names(&answer).contains(&"$entry_pathname"));
    let answer = ask(&site(), "SELECT p.* FROM persons AS p").unwrap();
    assert_eq!(
        names(&answer),
        ["id", "created_at", "properties", "is_identified"]
    );
    assert_eq!(answer.rows.len(), 2);
}

#[test]
fn identifiers_are_the_same_everywhere() {
    let site = site();
    let text = "SELECT count() FROM events AS e JOIN sessions AS s ON e.$session_id = s.session_id \
                JOIN persons AS p ON p.id = e.person_id WHERE e.person.id = s.person_id";
    assert_eq!(rows(&site, text), json!([[4]]));
    let text = "SELECT count() FROM events WHERE person_id IN (SELECT id FROM persons WHERE created_at >= '2026-11-24 09:00:00')";
    assert_eq!(rows(&site, text), json!([[1]]));
    let one = rows(
        &site,
        "SELECT person_id FROM events ORDER BY timestamp LIMIT 1",
    )[0][0]
        .as_str()
        .unwrap()
        .to_owned();
    let text = format!("SELECT count() FROM events WHERE person_id = '{one}'");
    assert_eq!(rows(&site, &text), json!([[3]]));
}

#[test]
fn an_outer_join_leaves_null_where_nothing_fits() {
    let text = "SELECT e.properties.$pathname AS path, o.person_mode, o.event FROM events e \
                LEFT JOIN (SELECT event, person_mode, properties.$pathname AS p FROM events WHERE properties.$pathname = '/pricing') o \
                ON e.properties.$pathname = o.p ORDER BY path";
    assert_eq!(
        rows(&site(), text),
        json!([
            ["/", null, null],
            ["/", null, null],
            ["/about", null, null],
            ["/pricing", "full", "$pageview"]
        ])
    );
    let text = "SELECT count(), countIf(e.event IS NULL), countIf(e.person_mode IS NULL) FROM persons p \
                LEFT JOIN events e ON e.person_id = p.id AND e.properties.$pathname = '/about'";
    assert_eq!(rows(&site(), text), json!([[2, 1, 1]]));
}

#[test]
fn subqueries_and_common_tables() {
    let site = site();
    let text = "WITH busy AS (SELECT person_id AS p, count() AS n FROM events GROUP BY p HAVING n > 1), \
                2 AS two SELECT count(), sum(n) * two FROM busy WHERE p IN (SELECT p FROM busy)";
    assert_eq!(rows(&site, text), json!([[1, 6]]));
    assert_eq!(
        rows(
            &site,
            "SELECT avg(n) FROM (SELECT count() AS n FROM events GROUP BY person_id)"
        ),
        json!([[2.0]])
    );
    assert_eq!(
        rows(&site, "SELECT (SELECT count() FROM persons) + 1"),
        json!([[3]])
    );
    assert_eq!(
        rows(
            &site,
            "SELECT event FROM events WHERE timestamp = (SELECT max(timestamp) FROM events)"
        ),
        json!([["$pageview"]])
    );
    assert_eq!(
        rows(
            &site,
            "SELECT properties.$pathname FROM (SELECT properties, timestamp FROM events ORDER BY timestamp LIMIT 1)"
        ),
        json!([["/"]])
    );
}

#[test]
fn unions() {
    let site = site();
    assert_eq!(
        rows(
            &site,
            "SELECT 'a' AS k, count() AS n FROM events UNION ALL SELECT 'b', 2.5"
        ),
        json!([["a", 4.0], ["b", 2.5]])
    );
    assert_eq!(
        rows(
            &site,
            "SELECT event FROM events UNION DISTINCT SELECT '$pageview'"
        ),
        json!([["$pageview"]])
    );
    assert_eq!(
        rows(
            &site,
            "SELECT n FROM (SELECT 1 AS n LIMIT 1 UNION ALL (SELECT 2 AS n)) ORDER BY n DESC"
        ),
        json!([[2], [1]])
    );
    assert_eq!(
        rows(
            &site,
            "WITH w AS (SELECT 1 AS n) SELECT n FROM w UNION ALL SELECT n + 1 FROM w"
        ),
        json!([[1], [2]])
    );
}

#[test]
fn arrays_become_rows() {
    let site = site();
    assert_eq!(
        rows(&site, "SELECT arrayJoin([1, 2]) AS n ORDER BY n DESC"),
        json!([[2], [1]])
    );
    assert_eq!(
        rows(
            &site,
            "SELECT arrayJoin(splitByChar('/', properties.$pathname)) AS part, count() AS n FROM events \
                     WHERE part != '' GROUP BY part ORDER BY part"
        ),
        json!([["about", 1], ["pricing", 1]])
    );
    assert_eq!(
        rows(
            &site,
            "SELECT a, b FROM (SELECT [1, 2] AS x) ARRAY JOIN x AS a, [3, 4] AS b"
        ),
        json!([[1, 3], [2, 4]])
    );
}

#[test]
fn names_of_columns_and_types() {
    let answer = ask(
        &site(),
        "SELECT event, count(), toStartOfHour(timestamp) AS hour, properties.$os, toDate(timestamp) AS d, 1.5 AS f, \
         person_id, timestamp, [1] AS a FROM events GROUP BY event, hour, properties.$os, d, person_id, timestamp",
    )
    .unwrap();
    let types: Vec<(&str, &str)> = answer
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.type_name.as_str()))
        .collect();
    assert_eq!(
        types,
        [
            ("event", "String"),
            ("count()", "UInt64"),
            ("hour", "DateTime('UTC')"),
            ("$os", "Nullable(String)"),
            ("d", "Date"),
            ("f", "Float64"),
            ("person_id", "UUID"),
            ("timestamp", "DateTime64(6, 'UTC')"),
            ("a", "Array(UInt8)"),
        ]
    );
}
