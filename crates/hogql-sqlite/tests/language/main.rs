//! HogQL against rows made by hand.
#![allow(clippy::unwrap_used)]

mod aggregations;
mod events;
mod filters;
mod functions;
mod limits;
mod properties;
mod refusals;
mod tables;
mod zones;

use serde_json::{Map, Value, json};

use hogql_sqlite::{Database, Event, Project, Query, QueryError, QueryResult};

fn project(zone: &str) -> Project {
    Project {
        id: 7,
        time_zone: zone.to_owned(),
        website: "burrow.example".to_owned(),
        test_account_filters: Vec::new(),
    }
}

fn at(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap().as_second()
}

/// A view of `/` by person 1 in session 1, to be changed as needed.
fn view(time: &str) -> Event<'static> {
    Event {
        referring_domain: Some("github.com"),
        country: Some("DE"),
        browser: Some("Firefox"),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ..Event::pageview(at(time), 1, 1)
    }
}

fn store(zone: &str, events: Vec<Event<'_>>) -> Database {
    Database::open(project(zone), events).unwrap()
}

const NOW: &str = "2026-11-24T10:00:00Z";

fn run(
    store: &Database,
    text: &str,
    values: &Map<String, Value>,
) -> Result<QueryResult, QueryError> {
    store.run(&Query::new(text).values(values.clone()).now(at(NOW)))
}

fn ask(store: &Database, text: &str) -> Result<QueryResult, QueryError> {
    run(store, text, &Map::new())
}

/// The rows of a query that has to run.
fn rows(store: &Database, text: &str) -> Value {
    match ask(store, text) {
        Ok(answer) => json!(answer.rows),
        Err(error) => panic!("{error:?}: {text}"),
    }
}

/// The one value of an expression, in a project without events.
fn value_in(zone: &str, expression: &str) -> Value {
    let rows = rows(&store(zone, vec![]), &format!("SELECT {expression}"));
    rows[0][0].clone()
}

fn value(expression: &str) -> Value {
    value_in("UTC", expression)
}

/// The code of a refusal.
fn refused(text: &str) -> QueryError {
    match ask(&store("UTC", vec![]), text) {
        Ok(answer) => panic!("ran: {text}: {answer:?}"),
        Err(error) => error,
    }
}
