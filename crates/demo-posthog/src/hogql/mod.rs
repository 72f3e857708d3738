//! Queries. Their execution follows; until then every text is refused.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::store::ProjectStore;

/// Rows of a query.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) columns: Vec<String>,
    pub(crate) types: Vec<(String, String)>,
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) has_more: bool,
    pub(crate) limit: Option<usize>,
}

/// Why a query is refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct QueryError(String);

/// What is wrong with a text, and where.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Metadata {
    #[serde(rename = "isValid")]
    pub(crate) is_valid: bool,
}

pub(crate) fn run(
    _store: &ProjectStore,
    _text: &str,
    _values: &Map<String, Value>,
    _now: i64,
) -> Result<Answer, QueryError> {
    Err(QueryError("Queries are not executed yet.".to_owned()))
}

pub(crate) fn check(_store: &ProjectStore, _text: &str) -> Metadata {
    Metadata { is_valid: false }
}
