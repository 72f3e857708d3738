//! HogQL, executed: read by PostHog's grammar, checked against what HogQL knows, translated to SQL,
//! and run by SQLite over the invented events of one project.
//!
//! No query is known beforehand. What HogQL has and this does not is refused with a sentence.

mod functions;
mod parse;
mod schema;
mod sql;
mod syntax;
mod token;
mod translate;
mod types;

#[cfg(test)]
mod tests;

use std::sync::mpsc;
use std::time::Duration;

use jiff::tz::TimeZone;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::store::ProjectStore;
use schema::Schema;
use syntax::{Constant, Expression, ExpressionKind, Query, Select};
use translate::{Output, Translator};
use types::{Kind, Type};

pub(crate) use functions::register;

/// Rows of a query without a LIMIT of its own.
const DEFAULT_ROWS: i64 = 100;
/// Rows of any query.
const MOST_ROWS: i64 = 50_000;
/// How long a query may take: what PostHog allows to anything but a personal API key.
const PATIENCE: Duration = Duration::from_secs(60);

/// The rows that a query gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Names and types of the columns, as ClickHouse calls them.
    pub types: Vec<(String, String)>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// Where the query had no LIMIT: whether there would be more rows.
    pub has_more: Option<bool>,
    /// Where the query had no LIMIT: the one that was used.
    pub limit: Option<i64>,
}

/// Why a query was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// HTTP status that PostHog answers with.
    pub status: u16,
    /// `code` of the error body.
    pub code: &'static str,
    /// What is wrong, as PostHog says it.
    pub message: String,
    /// First character of the place, where there is one.
    pub start: Option<usize>,
    /// The character after it.
    pub end: Option<usize>,
}

/// What PostHog's `HogQLMetadata` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Whether the query can run.
    pub is_valid: bool,
    /// The text that was checked.
    pub query: String,
    /// What is wrong with it.
    pub errors: Vec<Notice>,
    /// What is doubtful; always empty here.
    pub warnings: Vec<Notice>,
    /// What is worth knowing; always empty here.
    pub notices: Vec<Notice>,
    /// The tables that are read.
    #[serde(rename = "table_names")]
    pub table_names: Vec<String>,
}

/// A remark on a place in a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The remark.
    pub message: String,
    /// First character of the place.
    pub start: Option<usize>,
    /// The character after it.
    pub end: Option<usize>,
    /// A text to put there instead; never known here.
    pub fix: Option<String>,
}

impl QueryError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
            start: None,
            end: None,
        }
    }

    fn syntax(message: impl Into<String>, start: usize, end: usize) -> Self {
        Self::new("invalid_input", message).at(start, end)
    }

    fn unsupported(what: &str, start: usize, end: usize) -> Self {
        Self::syntax(
            format!("Unsupported in the embedded PostHog: {what}"),
            start,
            end,
        )
    }

    /// The same with its place, unless it has one.
    fn at(self, start: usize, end: usize) -> Self {
        if self.start.is_some() {
            return self;
        }
        Self {
            start: Some(start),
            end: Some(end),
            ..self
        }
    }

    fn over(self, expression: &Expression) -> Self {
        self.at(expression.start, expression.end)
    }

    /// Bytes of the text become characters, which is what PostHog counts.
    fn in_characters(self, text: &str) -> Self {
        let characters = |at: usize| {
            text.char_indices()
                .take_while(|(place, _)| *place < at)
                .count()
        };
        Self {
            start: self.start.map(characters),
            end: self.end.map(characters),
            ..self
        }
    }
}

/// Runs a query against a project, with `now` (Unix seconds) as the present.
pub fn run(
    store: &ProjectStore,
    text: &str,
    values: &Map<String, Value>,
    now: i64,
) -> Result<Answer, QueryError> {
    run_bytes(store, text, values, now).map_err(|error| error.in_characters(text))
}

fn run_bytes(
    store: &ProjectStore,
    text: &str,
    values: &Map<String, Value>,
    now: i64,
) -> Result<Answer, QueryError> {
    let mut query = parse::parse(text)?;
    let limited = limit(&mut query)?;
    store.with(|database, words| {
        let schema = Schema {
            zone: &store.project.time_zone,
            website: &store.project.website,
            words,
            now,
        };
        let output = Translator::new(&schema, Some(values)).whole(&query)?;
        let mut rows = execute(database, &output, &store.project.time_zone)?;
        let most = usize::try_from(limited.unwrap_or(MOST_ROWS)).unwrap_or(usize::MAX);
        let has_more = limited.map(|_| rows.len() > most);
        rows.truncate(most);
        Ok(Answer {
            columns: output
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
            types: output
                .columns
                .iter()
                .map(|column| (column.name.clone(), column.ty.to_string()))
                .collect(),
            rows,
            has_more,
            limit: limited,
        })
    })?
}

/// Checks a query without running it, and without the constants of its placeholders.
pub fn check(store: &ProjectStore, text: &str) -> Metadata {
    let checked = parse::parse(text).and_then(|mut query| {
        limit(&mut query)?;
        store.with(|_, words| {
            let schema = Schema {
                zone: &store.project.time_zone,
                website: &store.project.website,
                words,
                now: 0,
            };
            let mut translator = Translator::new(&schema, None);
            translator.whole(&query)?;
            Ok(translator.tables())
        })?
    });
    let (table_names, error) = match checked {
        Ok(tables) => (tables, None),
        Err(error) => (Vec::new(), Some(error.in_characters(text))),
    };
    Metadata {
        is_valid: error.is_none(),
        query: text.to_owned(),
        errors: error
            .into_iter()
            .map(|error| Notice {
                message: error.message,
                start: error.start,
                end: error.end,
                fix: None,
            })
            .collect(),
        warnings: Vec::new(),
        notices: Vec::new(),
        table_names,
    }
}

/// Whether a text skips rows anywhere, which PostHog refuses to personal API keys. What is no HogQL is
/// refused with a better reason when it runs.
pub fn skips_rows(text: &str) -> bool {
    parse::skips_rows(text)
}

/// Puts PostHog's LIMIT where there is none, and lowers what is too large. Gives the LIMIT that a
/// query alone was given; one row more is asked for then, to see whether there are more.
fn limit(query: &mut Query) -> Result<Option<i64>, QueryError> {
    match query {
        Query::Select(select) if select.limit.is_none() => {
            select.limit = Some(number(DEFAULT_ROWS + 1));
            Ok(Some(DEFAULT_ROWS))
        }
        Query::Select(select) => {
            lower(select);
            Ok(None)
        }
        Query::Set { first, rest } => {
            for branch in
                std::iter::once(first.as_mut()).chain(rest.iter_mut().map(|(_, branch)| branch))
            {
                if let Query::Select(select) = branch
                    && select.limit.is_none()
                {
                    select.limit = Some(number(DEFAULT_ROWS));
                } else {
                    limit(branch)?;
                }
            }
            Ok(None)
        }
    }
}

fn lower(select: &mut Select) {
    if let Some(Expression {
        kind: ExpressionKind::Constant(Constant::Integer(limit)),
        ..
    }) = &mut select.limit
    {
        *limit = (*limit).min(MOST_ROWS);
    }
}

fn number(number: i64) -> Expression {
    Expression {
        kind: ExpressionKind::Constant(Constant::Integer(number)),
        start: 0,
        end: 0,
    }
}

fn execute(
    database: &Connection,
    output: &Output,
    zone: &str,
) -> Result<Vec<Vec<Value>>, QueryError> {
    // A query that takes too long is interrupted by another thread, which leaves with the sender.
    let (done, ended) = mpsc::channel::<()>();
    let interrupt = database.get_interrupt_handle();
    let watch = std::thread::spawn(move || {
        if ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            interrupt.interrupt();
        }
    });
    let rows = read(database, output, zone);
    drop(done);
    drop(watch.join());
    rows.map_err(|error| match error {
        rusqlite::Error::SqliteFailure(failure, _) if failure.code == rusqlite::ErrorCode::OperationInterrupted => {
            QueryError {
                status: 504,
                ..QueryError::new(
                    "error",
                    "Query has hit the max execution time before completing. See our docs for how to improve your query performance.",
                )
            }
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => QueryError::new("error", message),
        error => QueryError::new("error", error.to_string()),
    })
}

fn read(database: &Connection, output: &Output, zone: &str) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = database.prepare(&output.sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    let shown: Vec<(&Type, TimeZone)> = output
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
        let cells = shown.iter().enumerate().map(|(at, (ty, zone))| {
            let value = match row.get_ref(at)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::from(number),
                ValueRef::Real(number) => Value::from(number),
                ValueRef::Text(text) | ValueRef::Blob(text) => {
                    Value::from(String::from_utf8_lossy(text))
                }
            };
            Ok(answered(value, ty, zone))
        });
        found.push(cells.collect::<rusqlite::Result<_>>()?);
    }
    Ok(found)
}

/// A value as PostHog answers it.
fn answered(value: Value, ty: &Type, zone: &TimeZone) -> Value {
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
                .map(|item| answered(item, element, zone))
                .collect(),
            _ => Value::Null,
        },
        (Kind::Tuple(members), Value::String(text)) => match serde_json::from_str(&text) {
            Ok(Value::Array(items)) => items
                .into_iter()
                .zip(members)
                .map(|(item, member)| answered(item, member, zone))
                .collect(),
            _ => Value::Null,
        },
        // Members of arrays inside arrays come as arrays, not as text.
        (Kind::Array(element), Value::Array(items)) => items
            .into_iter()
            .map(|item| answered(item, element, zone))
            .collect(),
        (Kind::Tuple(members), Value::Array(items)) => items
            .into_iter()
            .zip(members)
            .map(|(item, member)| answered(item, member, zone))
            .collect(),
        (Kind::Float, value) => value.as_f64().map_or(value, Value::from),
        (_, value) => value,
    }
}
