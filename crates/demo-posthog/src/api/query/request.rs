//! The body of a query request, held to PostHog's schema.

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

/// The kind, the text and the values of a request.
pub(super) fn read(
    body: &Map<String, Value>,
    behaviour: &Behaviour,
) -> Result<(String, String, Map<String, Value>), Response> {
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
    if text.contains("{filters}") {
        check_filters(query.get("filters"))?;
    }
    Ok((kind.to_owned(), text.to_owned(), values))
}

/// Refuses the filters of PostHog that are not applied here, rather than giving rows that they would leave out. No
/// project here has filters of test accounts, so leaving those out changes nothing.
fn check_filters(filters: Option<&Value>) -> Result<(), Response> {
    let is_set = |pointer: &str| {
        let value = filters.and_then(|filters| filters.pointer(pointer));
        value.is_some_and(|value| {
            !value.is_null() && value.as_array().is_none_or(|all| !all.is_empty())
        })
    };
    for (pointer, name) in [
        ("/properties", "properties"),
        ("/dateRange/date_from", "dateRange.date_from"),
        ("/dateRange/date_to", "dateRange.date_to"),
    ] {
        if is_set(pointer) {
            return Err(errors::validation(
                "invalid_input",
                &format!("Not supported by the embedded PostHog: filters.{name}"),
                None,
            ));
        }
    }
    Ok(())
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
