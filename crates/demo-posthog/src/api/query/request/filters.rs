//! `HogQLFilters`, held to PostHog's schema: what it means is for [`hogql_sqlite`] to say.

use serde_json::{Map, Value};

use super::parse_error;
use crate::response::Response;

const MEMBERS: [&str; 3] = ["dateRange", "filterTestAccounts", "properties"];
const RANGE: [&str; 3] = ["date_from", "date_to", "explicitDate"];
const PROPERTY: [&str; 6] = [
    "group_type_index",
    "key",
    "label",
    "operator",
    "type",
    "value",
];

/// The types of property filters.
const TYPES: [&str; 16] = [
    "cohort",
    "data_warehouse",
    "data_warehouse_person_property",
    "element",
    "error_tracking_issue",
    "event",
    "event_metadata",
    "feature",
    "flag",
    "group",
    "hogql",
    "log_entry",
    "person",
    "recording",
    "revenue_analytics",
    "session",
];

/// Types whose filters need no operator.
const WITHOUT_OPERATOR: [&str; 3] = ["cohort", "flag", "hogql"];

/// `PropertyOperator`.
const OPERATORS: [&str; 34] = [
    "between",
    "exact",
    "flag_evaluates_to",
    "gt",
    "gte",
    "icontains",
    "icontains_multi",
    "in",
    "is_cleaned_path_exact",
    "is_date_after",
    "is_date_before",
    "is_date_exact",
    "is_not",
    "is_not_set",
    "is_set",
    "lt",
    "lte",
    "max",
    "min",
    "not_between",
    "not_icontains",
    "not_icontains_multi",
    "not_in",
    "not_regex",
    "regex",
    "semver_caret",
    "semver_eq",
    "semver_gt",
    "semver_gte",
    "semver_lt",
    "semver_lte",
    "semver_neq",
    "semver_tilde",
    "semver_wildcard",
];

/// Refuses what the schema does not have.
pub(super) fn check(filters: &Value, place: &str) -> Result<(), Response> {
    let Some(filters) = object(filters, place)? else {
        return Ok(());
    };
    only(filters, &MEMBERS, place)?;
    if let Some(flag) = filters.get("filterTestAccounts")
        && !flag.is_null()
        && !flag.is_boolean()
    {
        return Err(wrong(
            place,
            "filterTestAccounts",
            "Input should be a valid boolean",
        ));
    }
    let range_place = format!("{place}.dateRange");
    if let Some(range) = filters.get("dateRange")
        && let Some(range) = object(range, &range_place)?
    {
        only(range, &RANGE, &range_place)?;
        for bound in ["date_from", "date_to"] {
            if range
                .get(bound)
                .is_some_and(|date| !date.is_null() && !date.is_string())
            {
                return Err(wrong(&range_place, bound, "Input should be a valid string"));
            }
        }
    }
    match filters.get("properties") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(properties)) => (0..).zip(properties).try_for_each(|(nth, property)| {
            check_property(property, &format!("{place}.properties.{nth}"))
        }),
        Some(_) => Err(wrong(place, "properties", "Input should be a valid list")),
    }
}

fn check_property(property: &Value, place: &str) -> Result<(), Response> {
    let Some(property) = property.as_object() else {
        return Err(parse_error(&format!(
            "{place}\n  Input should be a valid dictionary"
        )));
    };
    only(property, &PROPERTY, place)?;
    let of = property.get("type").and_then(Value::as_str);
    let Some(of) = of.filter(|of| TYPES.contains(of)) else {
        return Err(wrong(
            place,
            "type",
            "Input should be the type of a property filter",
        ));
    };
    if !property.get("key").is_some_and(Value::is_string) {
        return Err(wrong(place, "key", "Field required"));
    }
    match property.get("operator") {
        // The schema gives these a default.
        None if of == "event" || WITHOUT_OPERATOR.contains(&of) => Ok(()),
        None => Err(wrong(place, "operator", "Field required")),
        Some(Value::Null) if WITHOUT_OPERATOR.contains(&of) => Ok(()),
        Some(Value::String(operator)) if OPERATORS.contains(&operator.as_str()) => Ok(()),
        Some(_) => Err(wrong(
            place,
            "operator",
            "Input should be an operator of property filters",
        )),
    }
}

fn object<'a>(value: &'a Value, place: &str) -> Result<Option<&'a Map<String, Value>>, Response> {
    match value {
        Value::Null => Ok(None),
        Value::Object(members) => Ok(Some(members)),
        _ => Err(parse_error(&format!(
            "{place}\n  Input should be a valid dictionary"
        ))),
    }
}

fn only(members: &Map<String, Value>, known: &[&str], place: &str) -> Result<(), Response> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(wrong(
            place,
            name,
            "Extra inputs are not permitted [type=extra_forbidden]",
        )),
        None => Ok(()),
    }
}

fn wrong(place: &str, name: &str, what: &str) -> Response {
    parse_error(&format!("{place}.{name}\n  {what}"))
}
