//! `{filters}` as PostHog's screens send them.

use hogql_sqlite::{Database, ErrorKind, Event, Exception, Project, Query, QueryError};
use serde_json::{Value, json};

use super::{NOW, at, project, view};

const TYPE_ERROR: Exception<'static> = Exception {
    kind: "TypeError",
    message: "x is undefined",
    fingerprint: "f00d",
    handled: false,
};

/// Four views and an error: a visitor from Germany in Firefox, a colleague, an app, and somebody in Berlin's
/// night who came after midnight there.
fn site() -> Database {
    let project = Project {
        test_account_filters: vec![
            json!({"key": "email", "type": "person", "value": "@burrow.example", "operator": "not_icontains"}),
            json!({"key": "$host", "type": "event", "value": "^(localhost|127\\.0\\.0\\.1)($|:)", "operator": "not_regex"}),
            // Stored in part: PostHog leaves it out.
            json!({"type": "event"}),
        ],
        ..project("Europe/Berlin")
    };
    let app = Event {
        person: 3,
        session: 3,
        event: "$screen",
        pathname: None,
        screen: Some("Home"),
        browser: None,
        user_agent: None,
        os: "iOS",
        device: "Mobile",
        country: None,
        ..view("2026-11-22T12:00:00Z")
    };
    Database::open(
        project,
        [
            view("2026-11-20T12:00:00Z"),
            Event {
                pathname: Some("/pricing"),
                ..view("2026-11-20T12:00:30Z")
            },
            Event {
                person: 2,
                session: 2,
                internal: true,
                country: Some("FR"),
                amount: Some(12),
                ..view("2026-11-21T12:00:00Z")
            },
            app,
            Event {
                event: "$exception",
                exception: Some(&TYPE_ERROR),
                ..app
            },
            Event {
                person: 4,
                session: 4,
                os: "Windows",
                ..view("2026-11-22T23:30:00Z")
            },
        ],
    )
    .unwrap()
}

fn ask(text: &str, filters: &Value) -> Result<Value, QueryError> {
    let query = Query::new(text).now(at(NOW)).filters(filters.clone());
    site().run(&query).map(|result| json!(result.rows))
}

/// The events that are left: day and hour in UTC, and a mark for the error.
fn left(filters: &Value) -> Value {
    let found = ask(
        "SELECT formatDateTime(timestamp, '%d %H', 'UTC') AS t, event FROM events WHERE {filters} ORDER BY timestamp, event",
        filters,
    );
    let rows = found.unwrap_or_else(|error| panic!("{filters}: {error}"));
    let short = |row: &Value| {
        let event = if row[1] == "$exception" { "!" } else { "" };
        format!("{}{event}", row[0].as_str().unwrap())
    };
    json!(
        rows.as_array()
            .unwrap()
            .iter()
            .map(short)
            .collect::<Vec<_>>()
    )
}

#[allow(clippy::needless_pass_by_value)] // a literal at every call
fn of(filter: Value) -> Value {
    json!({"properties": [filter]})
}

const ALL: [&str; 6] = ["20 12", "20 12", "21 12", "22 12!", "22 12", "22 23"];

#[test]
fn without_filters_everything_is_there() {
    for none in [
        json!(null),
        json!({}),
        json!({"properties": [], "dateRange": {"date_from": null}}),
        json!({"filterTestAccounts": false}),
    ] {
        assert_eq!(left(&none), json!(ALL), "{none}");
    }
}

#[test]
fn test_accounts_are_left_out_by_the_projects_own_filters() {
    assert_eq!(
        left(&json!({"filterTestAccounts": true})),
        json!(["20 12", "20 12", "22 12!", "22 12", "22 23"])
    );
}

#[test]
fn property_filters_have_the_usual_operators() {
    let event = |key: &str, operator: &str, value: Value| {
        of(json!({"type": "event", "key": key, "operator": operator, "value": value}))
    };
    let table = [
        (
            event("$os", "exact", json!("iOS")),
            json!(["22 12!", "22 12"]),
        ),
        (
            event("$os", "exact", json!(["iOS", "Windows"])),
            json!(["22 12!", "22 12", "22 23"]),
        ),
        (
            event("$os", "is_not", json!(["iOS", "Linux"])),
            json!(["22 23"]),
        ),
        (
            event("$os", "icontains", json!("IN")),
            json!(["20 12", "20 12", "21 12", "22 23"]),
        ),
        (
            event("$os", "not_icontains", json!(["lin", "ios"])),
            json!(["22 23"]),
        ),
        (
            event("$os", "regex", json!("^(i|W)")),
            json!(["22 12!", "22 12", "22 23"]),
        ),
        // What is missing fits no pattern, and so fits what is not one.
        (
            event("$browser", "not_regex", json!("Fire")),
            json!(["22 12!", "22 12"]),
        ),
        (
            event("$browser", "is_set", json!("is_set")),
            json!(["20 12", "20 12", "21 12", "22 23"]),
        ),
        (
            event("$browser", "is_not_set", json!("is_not_set")),
            json!(["22 12!", "22 12"]),
        ),
        (
            event("$pathname", "is_not", json!("/")),
            json!(["20 12", "22 12!", "22 12"]),
        ),
        (event("amount", "gt", json!(11)), json!(["21 12"])),
        (event("amount", "between", json!([1, 12])), json!(["21 12"])),
        (event("amount", "exact", json!("12")), json!(["21 12"])),
        (event("amount", "not_between", json!([1, 12])), json!([])),
        (
            event("$virt_is_bot", "exact", json!(["true"])),
            json!(["22 12!", "22 12"]),
        ),
        (
            event("$exception_types", "exact", json!("TypeError")),
            json!(["22 12!"]),
        ),
        (
            event("$exception_values", "icontains", json!("UNDEFINED")),
            json!(["22 12!"]),
        ),
        (
            of(
                json!({"type": "person", "key": "email", "operator": "icontains", "value": "@burrow.example"}),
            ),
            json!(["21 12"]),
        ),
        (
            of(
                json!({"type": "session", "key": "$is_bounce", "operator": "exact", "value": ["false"]}),
            ),
            json!(["20 12", "20 12"]),
        ),
        (
            of(
                json!({"type": "session", "key": "$entry_pathname", "operator": "exact", "value": "/"}),
            ),
            json!(["20 12", "20 12", "21 12", "22 23"]),
        ),
        (
            of(json!({"type": "hogql", "key": "properties.$os = 'Windows' OR 1 = 2"})),
            json!(["22 23"]),
        ),
        // Without an operator it is `exact`, and an empty list leaves nothing out.
        (
            of(json!({"type": "event", "key": "$os", "value": "iOS"})),
            json!(["22 12!", "22 12"]),
        ),
        (
            of(json!({"type": "event", "key": "$os", "value": []})),
            json!(ALL),
        ),
    ];
    for (filters, expected) in table {
        assert_eq!(left(&filters), expected, "{filters}");
    }
}

#[test]
fn a_range_of_dates_is_of_the_projects_zone() {
    let range =
        |from: Value, to: Value| left(&json!({"dateRange": {"date_from": from, "date_to": to}}));
    assert_eq!(range(json!("2026-11-23"), json!(null)), json!(["22 23"]));
    assert_eq!(
        range(json!("2026-11-21"), json!("2026-11-23T00:00:00")),
        json!(["21 12", "22 12!", "22 12"])
    );
    assert_eq!(
        range(json!(null), json!("2026-11-20T12:00:30Z")),
        json!(["20 12"])
    );
    // It is Tuesday, 11:00 in Berlin.
    assert_eq!(
        range(json!("-2d"), json!(null)),
        json!(["22 12!", "22 12", "22 23"])
    );
    assert_eq!(range(json!("-1dStart"), json!(null)), json!(["22 23"]));
    assert_eq!(range(json!("all"), json!("mStart")), json!([]));
    let error = ask(
        "SELECT 1 FROM events WHERE {filters}",
        &json!({"dateRange": {"date_from": "soon"}}),
    );
    assert_eq!(error.unwrap_err().message, "Invalid date: soon");
}

#[test]
fn filters_belong_to_each_select_that_reads_events() {
    let filters = of(json!({"type": "event", "key": "$os", "value": "iOS"}));
    let union = "SELECT sum(n) FROM (SELECT count() AS n FROM events WHERE {filters} \
                 UNION ALL SELECT count() FROM events WHERE event = '$pageview')";
    assert_eq!(ask(union, &filters).unwrap(), json!([[6]]));
    let inside =
        "SELECT countIf({filters}), count() FROM events AS e WHERE e.event != '$exception'";
    assert_eq!(ask(inside, &filters).unwrap(), json!([[1, 5]]));
    let sessions = "SELECT count() FROM sessions WHERE {filters}";
    let entry = of(json!({"type": "session", "key": "$entry_pathname", "value": "/"}));
    assert_eq!(ask(sessions, &entry).unwrap(), json!([[3]]));
    let error = ask(sessions, &filters).unwrap_err();
    assert!(
        error.message.starts_with("Can only use session properties"),
        "{error}"
    );
}

#[test]
fn bounds_of_the_range_may_be_placed_in_a_comparison_alone() {
    let range = json!({"dateRange": {"date_from": "2026-11-23"}});
    let placed = "SELECT count() FROM events WHERE timestamp >= {filters.dateRange.from} AND timestamp < {filters.dateRange.to}";
    assert_eq!(ask(placed, &range).unwrap(), json!([[1]]));
    assert_eq!(ask(placed, &json!({})).unwrap(), json!([[6]]));
    let nested = "SELECT toDate({filters.dateRange.from}) FROM events";
    let error = ask(nested, &json!({})).unwrap_err();
    assert!(
        error
            .message
            .contains("must be used directly in a comparison"),
        "{error}"
    );
    let error = ask("SELECT {filters.properties} FROM events", &json!({})).unwrap_err();
    assert!(
        error.message.starts_with("Unsupported filters placeholder"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_applied_is_refused_instead_of_giving_too_many_rows() {
    for (filter, kind) in [
        (
            json!({"type": "cohort", "key": "id", "value": 1}),
            ErrorKind::Unsupported,
        ),
        (
            json!({"type": "group", "key": "plan", "value": "pro"}),
            ErrorKind::Unsupported,
        ),
        (
            json!({"type": "event", "key": "$os", "operator": "semver_gt", "value": "1.2"}),
            ErrorKind::Unsupported,
        ),
        (
            json!({"type": "event", "key": "amount", "operator": "between", "value": [2, 1]}),
            ErrorKind::Refused,
        ),
        (
            json!({"type": "event", "key": "$os", "operator": "gt", "value": 5}),
            ErrorKind::Refused,
        ),
        (
            json!({"type": "session", "key": "$nothing", "value": "x"}),
            ErrorKind::Refused,
        ),
    ] {
        let error = ask(
            "SELECT count() FROM events WHERE {filters}",
            &of(filter.clone()),
        );
        assert_eq!(error.unwrap_err().kind, kind, "{filter}");
    }
}
