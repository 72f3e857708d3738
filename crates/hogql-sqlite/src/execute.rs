//! Runs a statement in SQLite, and turns its values into what HogQL would show.

use std::sync::mpsc;
use std::time::Duration;

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};
use serde_json::Value;

use crate::error::QueryError;
use crate::functions;
use crate::translate::Output;
use crate::types::{Kind, Type};

/// How often a statement that is over its time is interrupted again: SQLite forgets an interruption that comes
/// just before a statement starts.
const INSIST: Duration = Duration::from_millis(20);

/// The rows of a statement. Instants without a zone of their own are shown in `zone`.
pub(crate) fn execute(
    database: &Connection,
    output: &Output,
    zone: &str,
    limit: Duration,
) -> Result<Vec<Vec<Value>>, QueryError> {
    // Another thread interrupts a query that takes too long. It ends as soon as the sender is gone.
    let (done, ended) = mpsc::channel::<()>();
    let interrupt = database.get_interrupt_handle();
    let watch = std::thread::spawn(move || {
        let mut patience = limit;
        while ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            interrupt.interrupt();
            patience = INSIST;
        }
    });
    let rows = read(database, output, zone);
    drop(done);
    drop(watch.join());
    rows.map_err(|error| match &error {
        rusqlite::Error::SqliteFailure(failure, _)
            if failure.code == ErrorCode::OperationInterrupted =>
        {
            QueryError::timed_out(limit, error)
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => {
            QueryError::failed(message.clone(), error)
        }
        _ => QueryError::failed(error.to_string(), error),
    })
}

fn read(database: &Connection, output: &Output, zone: &str) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = database.prepare(&output.sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    let types: Vec<(&Type, TimeZone)> = output
        .columns
        .iter()
        .map(|column| {
            let zone = match &column.ty.kind {
                Kind::Timestamp { zone, .. } => zone,
                _ => zone,
            };
            (&column.ty, TimeZone::get(zone).unwrap_or(TimeZone::UTC))
        })
        .collect();
    while let Some(row) = rows.next()? {
        let cells = types.iter().enumerate().map(|(at, (ty, zone))| {
            let value = match row.get_ref(at)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::from(number),
                ValueRef::Real(number) => Value::from(number),
                ValueRef::Text(text) | ValueRef::Blob(text) => {
                    Value::from(String::from_utf8_lossy(text))
                }
            };
            Ok(shown(value, ty, zone))
        });
        found.push(cells.collect::<rusqlite::Result<_>>()?);
    }
    Ok(found)
}

/// A value as it is shown: instants and days as text, arrays and tuples as lists.
fn shown(value: Value, ty: &Type, zone: &TimeZone) -> Value {
    match (&ty.kind, value) {
        (_, Value::Null) => Value::Null,
        (Kind::Boolean, value) => Value::Bool(value.as_f64() != Some(0.0)),
        (Kind::Timestamp { .. }, value) => value
            .as_i64()
            .and_then(|at| functions::instant_text(at, zone))
            .map_or(Value::Null, Value::from),
        (Kind::Date, value) => value
            .as_i64()
            .and_then(functions::date_text)
            .map_or(Value::Null, Value::from),
        (Kind::Array(element), Value::String(text)) => match serde_json::from_str(&text) {
            Ok(Value::Array(items)) => items
                .into_iter()
                .map(|item| shown(item, element, zone))
                .collect(),
            _ => Value::Null,
        },
        (Kind::Tuple(members), Value::String(text)) => match serde_json::from_str(&text) {
            Ok(Value::Array(items)) => items
                .into_iter()
                .zip(members)
                .map(|(item, member)| shown(item, member, zone))
                .collect(),
            _ => Value::Null,
        },
        // Members of arrays inside arrays come as arrays, not as text.
        (Kind::Array(element), Value::Array(items)) => items
            .into_iter()
            .map(|item| shown(item, element, zone))
            .collect(),
        (Kind::Tuple(members), Value::Array(items)) => items
            .into_iter()
            .zip(members)
            .map(|(item, member)| shown(item, member, zone))
            .collect(),
        (Kind::Float, value) => value.as_f64().map_or(value, Value::from),
        (_, value) => value,
    }
}
