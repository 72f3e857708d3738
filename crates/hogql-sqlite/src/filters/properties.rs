//! One property filter as a condition.

use serde_json::{Map, Value};

use super::{all, binary, call, constant, field, invalid, joined, of, text, yes};
use crate::error::QueryError;
use crate::syntax::{Constant, Expression, ExpressionKind, Operator};

/// Properties of events that hold a list of texts.
const LISTS: [&str; 4] = [
    "$exception_types",
    "$exception_values",
    "$exception_sources",
    "$exception_functions",
];

/// Fields of sessions that are true or false, as texts cannot be.
const FLAGS: [&str; 2] = ["$is_bounce", "$virt_is_bot"];

/// The condition of a filter. `scope` is where the table of the SELECT has what belongs to it.
pub(super) fn property(
    filter: &Map<String, Value>,
    scope: &[&str],
) -> Result<Expression, QueryError> {
    let member = |name: &str| filter.get(name).and_then(Value::as_str);
    let key = member("key").ok_or_else(|| invalid("a property filter needs a key"))?;
    let operator = member("operator").unwrap_or("exact");
    let chain: Vec<&str> = match member("type").unwrap_or("event") {
        "event" if key.starts_with("$virt_") => vec![key],
        "event" if key == "$elements_chain" => vec!["elements_chain"],
        "event" | "session" => [scope, &[key]].concat(),
        "event_metadata" => vec![key],
        "person" if key == "distinct_id" => vec!["distinct_id"],
        "person" => vec!["person", "properties", key],
        "hogql" => return crate::parse::condition(key),
        other => {
            return Err(QueryError::unsupported(&format!(
                "a property filter of type '{other}'"
            )));
        }
    };
    let tested = field(&chain);
    let value = filter.get("value").unwrap_or(&Value::Null);
    if scope == ["properties"] && LISTS.contains(&key) {
        // The property is the text of a list.
        let items = call(
            "JSONExtract",
            vec![
                call("ifNull", vec![tested, text("")]),
                text("Array(String)"),
            ],
        );
        let test = values(&field(&["v"]), operator, key, value)?;
        let lambda = of(ExpressionKind::Lambda(vec!["v".to_owned()], Box::new(test)));
        return Ok(call("arrayExists", vec![lambda, items]));
    }
    values(&tested, operator, key, value)
}

/// A test against a value or a list of values.
fn values(
    tested: &Expression,
    operator: &str,
    key: &str,
    value: &Value,
) -> Result<Expression, QueryError> {
    let Value::Array(items) = value else {
        return one(tested, operator, key, value);
    };
    if matches!(operator, "between" | "not_between") {
        return one(tested, operator, key, value);
    }
    match items.as_slice() {
        [] => Ok(yes()),
        [item] => one(tested, operator, key, item),
        items if matches!(operator, "exact" | "is_not" | "in" | "not_in") => {
            let items = items
                .iter()
                .map(|item| typed(key, item))
                .collect::<Result<_, _>>()?;
            Ok(of(ExpressionKind::In {
                value: Box::new(tested.clone()),
                set: Box::new(of(ExpressionKind::Tuple(items))),
                negated: matches!(operator, "is_not" | "not_in"),
            }))
        }
        items => {
            let tests = items
                .iter()
                .map(|item| one(tested, operator, key, item))
                .collect::<Result<_, _>>()?;
            let negative = operator.starts_with("not_");
            Ok(joined(
                if negative {
                    Operator::And
                } else {
                    Operator::Or
                },
                tests,
            ))
        }
    }
}

fn one(
    tested: &Expression,
    operator: &str,
    key: &str,
    value: &Value,
) -> Result<Expression, QueryError> {
    let compare = |operator: Operator, value: &Value| {
        Ok(binary(operator, tested.clone(), typed(key, value)?))
    };
    let null = || constant(Constant::Null);
    let textual = || call("toString", vec![tested.clone()]);
    let contains = |operator: Operator| {
        let pattern = text(&format!("%{}%", plain(value)));
        Ok(binary(operator, textual(), pattern))
    };
    let matches = || {
        let test = call("match", vec![textual(), text(&plain(value))]);
        call("ifNull", vec![test, constant(Constant::Integer(0))])
    };
    let instant = |operator: Operator| {
        let Value::String(day) = value else {
            return Err(invalid("A date has to be a text"));
        };
        let left = call("toDateTime", vec![textual()]);
        Ok(binary(operator, left, call("toDateTime", vec![text(day)])))
    };
    match operator {
        "exact" | "in" => compare(Operator::Equal, value),
        "is_not" | "not_in" => compare(Operator::NotEqual, value),
        "lt" => compare(Operator::Less, value),
        "lte" | "max" => compare(Operator::LessOrEqual, value),
        "gt" => compare(Operator::Greater, value),
        "gte" | "min" => compare(Operator::GreaterOrEqual, value),
        "is_set" => Ok(binary(Operator::NotEqual, tested.clone(), null())),
        "is_not_set" => Ok(binary(Operator::Equal, tested.clone(), null())),
        "icontains" | "icontains_multi" => contains(Operator::ILike),
        "not_icontains" | "not_icontains_multi" => contains(Operator::NotILike),
        "regex" => Ok(matches()),
        "not_regex" => Ok(call("not", vec![matches()])),
        "is_date_exact" => instant(Operator::Equal),
        "is_date_before" => instant(Operator::Less),
        "is_date_after" => instant(Operator::Greater),
        "between" | "not_between" => {
            let (low, high) = bounds(operator, value)?;
            if operator == "between" {
                Ok(all(vec![
                    compare(Operator::GreaterOrEqual, low)?,
                    compare(Operator::LessOrEqual, high)?,
                ]))
            } else {
                let (below, above) = (
                    compare(Operator::Less, low)?,
                    compare(Operator::Greater, high)?,
                );
                Ok(binary(Operator::Or, below, above))
            }
        }
        other => Err(QueryError::unsupported(&format!(
            "the operator '{other}' of a property filter"
        ))),
    }
}

fn bounds<'a>(operator: &str, value: &'a Value) -> Result<(&'a Value, &'a Value), QueryError> {
    let number = |value: &Value| plain(value).parse::<f64>().ok();
    let Some([low, high]) = value.as_array().map(Vec::as_slice) else {
        return Err(invalid(&format!(
            "{operator} operator requires a two-element array [min, max]"
        )));
    };
    match (number(low), number(high)) {
        (Some(a), Some(b)) if a <= b => Ok((low, high)),
        (Some(_), Some(_)) => Err(invalid(&format!(
            "{operator} operator requires min value to be less than or equal to max value"
        ))),
        _ => Err(invalid(&format!(
            "{operator} operator requires numeric values"
        ))),
    }
}

/// A value as a constant. Only few properties are known to be true or false; others hold the text.
fn typed(key: &str, value: &Value) -> Result<Expression, QueryError> {
    let flag = match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text == "true" => Some(true),
        Value::String(text) if text == "false" => Some(false),
        _ => None,
    };
    Ok(match (flag, value) {
        (Some(flag), _) if FLAGS.contains(&key) => constant(Constant::Boolean(flag)),
        (Some(flag), _) => text(&flag.to_string()),
        (None, Value::Null) => constant(Constant::Null),
        (None, Value::String(value)) => text(value),
        (None, Value::Number(number)) => constant(match number.as_i64() {
            Some(whole) => Constant::Integer(whole),
            None => Constant::Float(number.as_f64().unwrap_or(f64::NAN)),
        }),
        (None, _) => {
            return Err(invalid(
                "The value of a property filter cannot be a list or an object here",
            ));
        }
    })
}

/// A value as text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "None".to_owned(),
        other => other.to_string(),
    }
}
