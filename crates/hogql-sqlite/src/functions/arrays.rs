//! Arrays, which SQLite keeps as JSON text.

use rusqlite::types::Value;
use serde_json::Value as Json;

use super::{Arguments, Plain, Returns, flag, of};

pub(super) const FUNCTIONS: &[Plain] = &[
    of("has", (2, 2), Returns::Flag, |a| {
        let wanted = json(a.value(1));
        flag(items(a, 0).iter().any(|item| same(item, &wanted)))
    }),
    of("indexOf", (2, 2), Returns::Integer("UInt64"), |a| {
        let wanted = json(a.value(1));
        let place = items(a, 0).iter().position(|item| same(item, &wanted));
        Some(Value::Integer(
            place.map_or(0, |at| i64::try_from(at + 1).unwrap_or(i64::MAX)),
        ))
    }),
    of("arrayReverse", (1, 1), Returns::Same, |a| {
        array(items(a, 0).into_iter().rev().collect())
    }),
    of("arrayDistinct", (1, 1), Returns::Same, |a| {
        let mut distinct: Vec<Json> = Vec::new();
        for item in items(a, 0) {
            if !distinct.contains(&item) {
                distinct.push(item);
            }
        }
        array(distinct)
    }),
    of("arrayConcat", (1, 20), Returns::Same, |a| {
        array((0..a.len()).flat_map(|at| items(a, at)).collect())
    }),
    of("arraySlice", (2, 3), Returns::Same, |a| {
        let all = items(a, 0);
        let length = i64::try_from(all.len()).ok()?;
        let start = a.integer(1)?;
        let start = if start < 0 {
            (length + start).max(0)
        } else {
            (start - 1).max(0)
        };
        let end = if a.len() > 2 {
            start.saturating_add(a.integer(2)?).min(length)
        } else {
            length
        };
        let (start, end) = (
            usize::try_from(start).ok()?,
            usize::try_from(end).unwrap_or(0),
        );
        array(all.get(start..end).unwrap_or_default().to_vec())
    }),
    of("arrayStringConcat", (1, 2), Returns::Text, |a| {
        let parts: Vec<String> = items(a, 0)
            .into_iter()
            .filter(|item| !item.is_null())
            .map(|item| match item {
                Json::String(text) => text,
                other => other.to_string(),
            })
            .collect();
        Some(Value::Text(parts.join(&a.text(1))))
    }),
    of("splitByChar", (2, 2), Returns::Texts, |a| {
        split(&a.text(0), &a.text(1))
    }),
    of("splitByString", (2, 2), Returns::Texts, |a| {
        split(&a.text(0), &a.text(1))
    }),
    of("arraySort", (1, 1), Returns::Same, |a| {
        let mut sorted = items(a, 0);
        sorted.sort_by(order);
        array(sorted)
    }),
    of("arrayReverseSort", (1, 1), Returns::Same, |a| {
        let mut sorted = items(a, 0);
        sorted.sort_by(|a, b| order(b, a));
        array(sorted)
    }),
    of("arrayMin", (1, 1), Returns::Same, |a| {
        Some(scalar(items(a, 0).into_iter().min_by(order)?))
    }),
    of("arrayMax", (1, 1), Returns::Same, |a| {
        Some(scalar(items(a, 0).into_iter().max_by(order)?))
    }),
    of("arraySum", (1, 1), Returns::Same, |a| {
        let items = items(a, 0);
        let whole: Option<Vec<i64>> = items.iter().map(Json::as_i64).collect();
        Some(match whole {
            Some(whole) => Value::Integer(whole.into_iter().fold(0, i64::wrapping_add)),
            None => Value::Real(items.iter().filter_map(Json::as_f64).sum()),
        })
    }),
    of("arrayAvg", (1, 1), Returns::Same, |a| {
        let numbers: Vec<f64> = items(a, 0).iter().filter_map(Json::as_f64).collect();
        Some(Value::Real(
            numbers.iter().sum::<f64>() / numbers.len() as f64,
        ))
    }),
    of("range", (1, 3), Returns::Integers, |a| {
        let (start, end) = if a.len() == 1 {
            (0, a.integer(0)?)
        } else {
            (a.integer(0)?, a.integer(1)?)
        };
        let step = if a.len() > 2 {
            usize::try_from(a.integer(2)?)
                .ok()
                .filter(|step| *step > 0)?
        } else {
            1
        };
        array(
            (start..end.min(start.saturating_add(1_000_000)))
                .step_by(step)
                .map(Json::from)
                .collect(),
        )
    }),
];

fn items(a: &Arguments<'_, '_>, at: usize) -> Vec<Json> {
    serde_json::from_str(&a.text(at)).unwrap_or_default()
}

fn array(items: Vec<Json>) -> Option<Value> {
    Some(Value::Text(Json::Array(items).to_string()))
}

fn split(separator: &str, whole: &str) -> Option<Value> {
    array(if separator.is_empty() {
        whole
            .chars()
            .map(|letter| Json::from(letter.to_string()))
            .collect()
    } else {
        whole.split(separator).map(Json::from).collect()
    })
}

fn json(value: Value) -> Json {
    match value {
        Value::Null | Value::Blob(_) => Json::Null,
        Value::Integer(number) => Json::from(number),
        Value::Real(number) => Json::from(number),
        Value::Text(text) => Json::from(text),
    }
}

/// Numbers are compared by value, whatever they are kept as.
fn same(a: &Json, b: &Json) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() < f64::EPSILON,
        _ => a == b,
    }
}

fn order(a: &Json, b: &Json) -> std::cmp::Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.as_str().cmp(&b.as_str()),
    }
}

fn scalar(item: Json) -> Value {
    match item {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Integer(i64::from(yes)),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => number.as_f64().map_or(Value::Null, Value::Real),
        },
        Json::String(text) => Value::Text(text),
        nested => Value::Text(nested.to_string()),
    }
}
