//! Why a query gave no rows.

use std::error::Error;
use std::ops::Range;
use std::time::Duration;

use crate::syntax::Expression;

/// Why a query gave no rows.
///
/// Its `Display` is the sentence that ClickHouse or PostHog would answer with. If SQLite failed, `source()` is
/// its error.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct QueryError {
    /// What went wrong, for a program that decides what to do next.
    pub kind: ErrorKind,
    /// ClickHouse's name for it in lower case (`illegal_type_of_argument`), or `invalid_input`, or `error`.
    pub code: &'static str,
    /// What is wrong, as a sentence for the author of the query.
    pub message: String,
    /// The part of the text that is at fault, in characters (not bytes), if one is.
    pub place: Option<Range<usize>>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`QueryError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not HogQL, names something that does not exist, or combines types that do not fit. Remedy:
    /// change the text.
    Refused,
    /// The text is HogQL, and this crate cannot run it. Remedy: say the same in another way.
    Unsupported,
    /// The query ran and failed on the values that it met. Remedy: change the text or the values.
    Failed,
    /// The query took longer than its time limit. Remedy: read less, or allow more time.
    TimedOut,
    /// The database in memory could not be made or read. No change of the text helps.
    Database,
}

impl QueryError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Refused,
            code,
            message: message.into(),
            place: None,
            source: None,
        }
    }

    pub(crate) fn syntax(message: impl Into<String>, start: usize, end: usize) -> Self {
        Self::new("invalid_input", message).at(start, end)
    }

    pub(crate) fn unsupported(what: &str) -> Self {
        Self {
            kind: ErrorKind::Unsupported,
            ..Self::new(
                "invalid_input",
                format!("Not supported by hogql-sqlite: {what}"),
            )
        }
    }

    pub(crate) fn timed_out(limit: Duration, source: rusqlite::Error) -> Self {
        Self {
            kind: ErrorKind::TimedOut,
            source: Some(Box::new(source)),
            ..Self::new(
                "timeout_exceeded",
                format!(
                    "The query took longer than {} seconds.",
                    limit.as_secs_f64()
                ),
            )
        }
    }

    pub(crate) fn failed(message: String, source: rusqlite::Error) -> Self {
        Self {
            kind: ErrorKind::Failed,
            source: Some(Box::new(source)),
            ..Self::new("error", message)
        }
    }

    /// The same with its place, in bytes, unless it has one.
    pub(crate) fn at(self, start: usize, end: usize) -> Self {
        Self {
            place: self.place.or(Some(start..end)),
            ..self
        }
    }

    pub(crate) fn over(self, expression: &Expression) -> Self {
        self.at(expression.start, expression.end)
    }

    /// Bytes of the text become characters.
    pub(crate) fn in_characters(self, text: &str) -> Self {
        let characters = |at: usize| {
            text.char_indices()
                .take_while(|(place, _)| *place < at)
                .count()
        };
        Self {
            place: self
                .place
                .map(|place| characters(place.start)..characters(place.end)),
            ..self
        }
    }
}

impl From<rusqlite::Error> for QueryError {
    /// An error of the database itself, not of a query.
    fn from(source: rusqlite::Error) -> Self {
        Self {
            kind: ErrorKind::Database,
            source: Some(Box::new(source)),
            ..Self::new("error", "The database in memory cannot be used.")
        }
    }
}
