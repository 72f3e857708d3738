//! `{filters}`: the filters of PostHog's own screens, put into the tree of a query before anything else looks at it.
//!
//! Each SELECT that reads `events` or `sessions` itself may have them; in any other they are an error, as in PostHog.

mod dates;
mod properties;
mod replace;

use serde_json::{Map, Value};

use self::properties::property;
use crate::error::QueryError;
use crate::event::Project;
use crate::syntax::{Call, Constant, Expression, ExpressionKind, Operator, QueryTree};

/// The filters of one query, read.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    /// Of events, persons and whatever else belongs to an event.
    events: Vec<Expression>,
    /// The same filters of sessions, for a SELECT that reads `events` and for one that reads `sessions`.
    sessions: Vec<Expression>,
    sessions_alone: Vec<Expression>,
    test_accounts: Vec<Expression>,
    from: Option<Expression>,
    to: Option<Expression>,
}

impl Filters {
    /// Reads the `filters` of a `HogQLQuery`; `now` is in Unix seconds.
    pub(crate) fn read(
        filters: Option<&Value>,
        project: &Project,
        now: i64,
    ) -> Result<Self, QueryError> {
        let filters = match filters {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(filters)) => filters,
            Some(_) => return Err(invalid("filters have to be an object")),
        };
        let mut read = Self::default();
        for filter in list(filters, "properties")? {
            let Value::Object(filter) = filter else {
                return Err(invalid("a property filter has to be an object"));
            };
            if filter.get("type").and_then(Value::as_str) == Some("session") {
                read.sessions.push(property(filter, &["session"])?);
                read.sessions_alone.push(property(filter, &["sessions"])?);
            } else {
                read.events.push(property(filter, &["properties"])?);
            }
        }
        if filters.get("filterTestAccounts") == Some(&Value::Bool(true)) {
            for filter in &project.test_account_filters {
                // What was stored in part is left out, as PostHog does.
                if let Value::Object(filter) = filter
                    && filter.get("key").is_some_and(Value::is_string)
                {
                    let scope = match filter.get("type").and_then(Value::as_str) {
                        Some("session") => "session",
                        _ => "properties",
                    };
                    read.test_accounts.push(property(filter, &[scope])?);
                }
            }
        }
        if let Some(Value::Object(range)) = filters.get("dateRange") {
            let date = |name| dates::date(range.get(name), &project.time_zone, now);
            read.from = date("date_from")?;
            read.to = date("date_to")?;
        }
        Ok(read)
    }

    /// Puts them in the places of `{filters}`, `{filters.dateRange.from}` and `{filters.dateRange.to}`.
    pub(crate) fn replace(&self, query: &mut QueryTree) -> Result<(), QueryError> {
        replace::replace(self, query)
    }

    /// What stands for `{filters}` in a SELECT that reads from events, from sessions, or from both.
    fn condition(&self, events: bool, sessions: bool) -> Result<Expression, QueryError> {
        let mut parts = Vec::new();
        if sessions {
            if !events && !self.events.is_empty() {
                return Err(QueryError::new(
                    "invalid_input",
                    "Can only use session properties in a filter when selecting from only the sessions table.",
                ));
            }
            parts.extend_from_slice(&self.sessions_alone);
        } else {
            parts.extend_from_slice(&self.sessions);
        }
        parts.extend_from_slice(&self.events);
        let timestamp = || {
            field(&[if events {
                "timestamp"
            } else {
                "$start_timestamp"
            }])
        };
        let bounds = [
            (Operator::Less, &self.to),
            (Operator::GreaterOrEqual, &self.from),
        ];
        for (operator, bound) in bounds {
            if let Some(bound) = bound {
                parts.push(binary(operator, timestamp(), bound.clone()));
            }
        }
        parts.extend_from_slice(&self.test_accounts);
        Ok(all(parts))
    }
}

fn list<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a [Value], QueryError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(invalid(&format!("filters.{name} has to be a list"))),
    }
}

fn invalid(message: &str) -> QueryError {
    QueryError::new("invalid_input", message)
}

// Pieces of a tree. They come from no place of the text.

fn of(kind: ExpressionKind) -> Expression {
    Expression {
        kind,
        start: 0,
        end: 0,
    }
}

fn constant(constant: Constant) -> Expression {
    of(ExpressionKind::Constant(constant))
}

fn text(text: &str) -> Expression {
    constant(Constant::Text(text.to_owned()))
}

fn yes() -> Expression {
    constant(Constant::Boolean(true))
}

fn field(chain: &[&str]) -> Expression {
    of(ExpressionKind::Field(
        chain.iter().map(|part| (*part).to_owned()).collect(),
    ))
}

fn call(name: &str, arguments: Vec<Expression>) -> Expression {
    of(ExpressionKind::Call(Box::new(Call {
        name: name.to_owned(),
        parameters: None,
        arguments,
        distinct: false,
        over: None,
    })))
}

fn binary(operator: Operator, left: Expression, right: Expression) -> Expression {
    of(ExpressionKind::Binary(
        operator,
        Box::new(left),
        Box::new(right),
    ))
}

/// All conditions at once; none is true.
fn all(parts: Vec<Expression>) -> Expression {
    joined(Operator::And, parts)
}

fn joined(operator: Operator, parts: Vec<Expression>) -> Expression {
    parts
        .into_iter()
        .reduce(|left, right| binary(operator, left, right))
        .unwrap_or_else(yes)
}
