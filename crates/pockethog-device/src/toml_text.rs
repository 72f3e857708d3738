//! Writes changed settings into the user's text of TOML and keeps its comments, order and spelling.
//!
//! The wanted values are laid over the existing document. What did not change is not touched at all;
//! what did change takes the place of the old value, with the comments around it.

use toml_edit::{Array, DocumentMut, Item, RawString, Table, TableLike, Value};

/// Lays `wanted` over `document`. Keys that `wanted` lacks are removed, except for `ignored` ones; one that
/// `document` lacks is added if it says something else than `defaults`.
pub fn lay_over(
    document: &mut DocumentMut,
    wanted: &DocumentMut,
    defaults: &DocumentMut,
    ignored: &[Vec<String>],
) {
    let ignored: Vec<&[String]> = ignored.iter().map(Vec::as_slice).collect();
    let mut wanted = wanted.as_table().clone();
    wanted.retain(|key, item| {
        let usual = match (item.as_value(), defaults.get(key).and_then(Item::as_value)) {
            (Some(value), Some(usual)) => same(value, usual),
            _ => false,
        };
        let understood = !ignored.iter().any(|keys| *keys == [key]);
        !usual || (document.contains_key(key) && understood)
    });
    lay_over_table(document.as_table_mut(), &wanted, &ignored);
}

fn lay_over_table(existing: &mut dyn TableLike, wanted: &dyn TableLike, ignored: &[&[String]]) {
    let below = |key: &str| -> Vec<&[String]> {
        let inside = ignored.iter().filter_map(|keys| {
            let (first, rest) = keys.split_first()?;
            (first == key).then_some(rest)
        });
        inside.collect()
    };
    let gone: Vec<String> = existing
        .iter()
        .map(|(key, _)| key.to_owned())
        .filter(|key| !wanted.contains_key(key))
        .collect();
    for key in gone {
        let ignored = below(&key);
        if ignored.is_empty() {
            existing.remove(&key);
        } else if let Some(table) = existing.get_mut(&key).and_then(Item::as_table_like_mut)
            && ignored.iter().all(|keys| !keys.is_empty())
        {
            lay_over_table(table, &Table::new(), &ignored);
        }
    }
    for (key, item) in wanted.iter() {
        match existing.get_mut(key) {
            Some(old) => lay_over_item(old, item, &below(key)),
            None => {
                existing.insert(key, fresh(item));
            }
        }
    }
}

fn lay_over_item(old: &mut Item, wanted: &Item, ignored: &[&[String]]) {
    if let (Some(old), Some(wanted)) = (old.as_table_like_mut(), wanted.as_table_like()) {
        lay_over_table(old, wanted, ignored);
        return;
    }
    if let (Some(old), Some(wanted)) = (old.as_array_mut(), wanted.as_array()) {
        lay_over_array(old, wanted);
        return;
    }
    match (old.as_value_mut(), wanted.as_value()) {
        (Some(old), Some(wanted)) => {
            if !same(old, wanted) {
                let mut value = wanted.clone();
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
        }
        _ => *old = fresh(wanted),
    }
}

/// A comment at the end of a line belongs to the next element, so each element takes along what
/// is above it and what is behind it on its line.
fn lay_over_array(old: &mut Array, wanted: &Array) {
    let equal = old.len() == wanted.len() && old.iter().zip(wanted).all(|(a, b)| same(a, b));
    if equal {
        return;
    }
    let behind_last = before_line_end(&text(Some(old.trailing())));
    let mut known: Vec<(Value, String, String)> = Vec::new();
    for value in old.iter() {
        let lead = text(value.decor().prefix());
        let (behind_previous, above) = split_line(&lead);
        if let Some(previous) = known.last_mut() {
            behind_previous.clone_into(&mut previous.2);
        }
        known.push((value.clone(), above.to_owned(), String::new()));
    }
    if let Some(last) = known.last_mut() {
        last.2 = behind_last;
    }
    let opening = old
        .get(0)
        .map(|value| before_line_end(&text(value.decor().prefix())))
        .unwrap_or_default();
    let broken_lines = known.iter().any(|(_, above, _)| above.contains('\n'));
    let indent = known
        .iter()
        .rev()
        .find_map(|(_, above, _)| above.rsplit_once('\n').map(|(_, indent)| indent.to_owned()))
        .unwrap_or_default();

    let mut behind = opening;
    let mut array = Array::new();
    for (place, value) in wanted.iter().enumerate() {
        let mut value = value.clone();
        let found = known.iter().find(|(old, ..)| same(old, &value));
        let above = match found {
            Some((_, above, _)) if above.contains('\n') || !broken_lines => above.clone(),
            _ if broken_lines => format!("\n{indent}"),
            _ if place > 0 => " ".to_owned(),
            _ => String::new(),
        };
        let above = if !broken_lines && place > 0 && above.is_empty() {
            " ".to_owned()
        } else if !broken_lines && place == 0 {
            String::new()
        } else {
            above
        };
        *value.decor_mut() = toml_edit::Decor::new(format!("{behind}{above}"), "");
        behind = found.map(|(.., behind)| behind.clone()).unwrap_or_default();
        array.push_formatted(value);
    }
    if broken_lines {
        array.set_trailing_comma(true);
        array.set_trailing(format!("{behind}\n"));
    }
    *array.decor_mut() = old.decor().clone();
    *old = array;
}

fn text(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// What is on the line that ends, and the lines after it.
fn split_line(lead: &str) -> (&str, &str) {
    match lead.find('\n') {
        Some(end) => lead.split_at(end),
        None => ("", lead),
    }
}

fn before_line_end(lead: &str) -> String {
    split_line(lead).0.to_owned()
}

/// The same value, however it is spelled.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.value() == b.value(),
        (Value::Boolean(a), Value::Boolean(b)) => a.value() == b.value(),
        (Value::Integer(a), Value::Integer(b)) => a.value() == b.value(),
        (Value::Datetime(a), Value::Datetime(b)) => a.value() == b.value(),
        _ => false,
    }
}

/// A copy that does not remember where it was in the other document.
fn fresh(item: &Item) -> Item {
    match item {
        Item::Table(table) => {
            let mut copy = Table::new();
            copy.set_implicit(table.is_implicit());
            for (key, item) in table {
                copy.insert(key, fresh(item));
            }
            Item::Table(copy)
        }
        other => other.clone(),
    }
}
