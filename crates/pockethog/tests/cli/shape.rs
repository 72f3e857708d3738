//! The shape of a JSON document: names and types, without what changes from run to run.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use serde_json::Value;

/// One line per field, lists by their first entry.
pub fn shape(value: &Value) -> String {
    let mut text = String::new();
    walk(value, "", &mut text);
    text
}

fn walk(value: &Value, path: &str, text: &mut String) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(items) => {
            match items.first() {
                Some(first) => walk(first, &format!("{path}[]"), text),
                None => writeln!(text, "{path}[]: empty").unwrap(),
            }
            return;
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                walk(field, &format!("{path}.{name}"), text);
            }
            return;
        }
    };
    writeln!(text, "{path}: {kind}").unwrap();
}
