//! The body of a query request, held to PostHog's schema.

mod filters;

use serde_json::{Map, Value};

use crate::api::errors;
use crate::region::behaviour::Behaviour;
use crate::response::Response;

/// Members of a request, as PostHog's schema has them; any other is refused.
const REQUEST: [&str; 7] = [
    "async",
    "client_query_id",
    "filters_override",
    "name",
    "query",
    "refresh",
    "variables_override",
];
/// Members of `HogQLQuery`.
const HOGQL_QUERY: [&str; 11] = [
    "explain",
    "filters",
    "kind",
    "modifiers",
    "name",
    "query",
    "response",
    "tags",
    "values",
    "variables",
    "version",
];
/// Members of `HogQLMetadata`.
const HOGQL_METADATA: [&str; 12] = [
    "debug",
    "filters",
    "globals",
    "kind",
    "language",
    "modifiers",
    "query",
    "response",
    "sourceQuery",
    "tags",
    "variables",
    "version",
];

/// What `refresh` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    Blocking,
    ForceBlocking,
    Async,
    LazyAsync,
    ForceAsync,
}

impl Refresh {
    pub(super) fn read(body: &Map<String, Value>) -> Result<Self, Response> {
        if body.get("async") == Some(&Value::Bool(true)) {
            return Ok(Self::Async);
        }
        let text = match body.get("refresh") {
            None | Some(Value::Null | Value::Bool(false)) => return Ok(Self::Blocking),
            Some(Value::Bool(true)) => return Ok(Self::ForceBlocking),
            Some(Value::String(text)) => text.as_str(),
            Some(_) => "",
        };
        match text {
            "blocking" | "force_cache" | "async_except_on_cache_miss" => Ok(Self::Blocking),
            "force_blocking" => Ok(Self::ForceBlocking),
            "async" => Ok(Self::Async),
            "lazy_async" => Ok(Self::LazyAsync),
            "force_async" => Ok(Self::ForceAsync),
            _ => Err(errors::parse_error(
                "1 validation error for QueryRequest\nrefresh\n  Input should be 'async', 'async_except_on_cache_miss', 'blocking', 'force_async', 'force_blocking', 'force_cache' or 'lazy_async'",
            )),
        }
    }

    pub(super) fn forces(self) -> bool {
        matches!(self, Self::ForceBlocking | Self::ForceAsync)
    }

    pub(super) fn is_async(self) -> bool {
        matches!(self, Self::Async | Self::LazyAsync | Self::ForceAsync)
    }
}

/// A query that fits the schema.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Whether a text is only to be checked: `HogQLMetadata`.
    pub(super) is_metadata: bool,
    pub(super) text: String,
    /// Constants of placeholders.
    pub(super) values: Map<String, Value>,
    /// What `{filters}` stands for.
    pub(super) filters: Value,
}

/// The query of a request.
pub(super) fn read(body: &Map<String, Value>, behaviour: &Behaviour) -> Result<Asked, Response> {
    only(body, &REQUEST, behaviour.requests_have_names, "")?;
    let query = match body.get("query") {
        Some(Value::Object(query)) => query,
        Some(_) => return Err(parse_error("query\n  Input should be a valid dictionary")),
        None => return Err(parse_error("query\n  Field required")),
    };
    let kind = match query.get("kind").and_then(Value::as_str) {
        Some(kind @ ("HogQLQuery" | "HogQLMetadata")) => kind,
        Some(other) => {
            return Err(parse_error(&format!(
                "query\n  Input tag '{other}' does not match any of the expected tags: 'HogQLMetadata', 'HogQLQuery'"
            )));
        }
        None => {
            return Err(parse_error(
                "query\n  Unable to extract tag using discriminator 'kind'",
            ));
        }
    };
    let (members, named): (&[&str], bool) = if kind == "HogQLQuery" {
        (&HOGQL_QUERY, behaviour.queries_have_names)
    } else {
        (&HOGQL_METADATA, false)
    };
    only(query, members, named, &format!("query.{kind}."))?;
    let Some(text) = query.get("query").and_then(Value::as_str) else {
        return Err(parse_error(&format!(
            "query.{kind}.query\n  Field required"
        )));
    };
    let values = match query.get("values") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(values)) => values.clone(),
        Some(_) => {
            return Err(parse_error(&format!(
                "query.{kind}.values\n  Input should be a valid dictionary"
            )));
        }
    };
    let filters = query.get("filters").cloned().unwrap_or_default();
    filters::check(&filters, &format!("query.{kind}.filters"))?;
    Ok(Asked {
        is_metadata: kind == "HogQLMetadata",
        text: text.to_owned(),
        values,
        filters,
    })
}

/// Refuses a member that the schema does not have.
fn only(
    object: &Map<String, Value>,
    members: &[&str],
    named: bool,
    place: &str,
) -> Result<(), Response> {
    let unknown = |member: &&String| {
        !members.contains(&member.as_str()) || (!named && member.as_str() == "name")
    };
    object.keys().find(unknown).map_or(Ok(()), |member| {
        Err(parse_error(&format!(
            "{place}{member}\n  Extra inputs are not permitted [type=extra_forbidden]"
        )))
    })
}

pub(super) fn parse_error(detail: &str) -> Response {
    errors::parse_error(&format!("1 validation error for QueryRequest\n{detail}"))
}
