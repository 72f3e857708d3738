//! Text: cutting, comparing, patterns, JSON.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use regex_lite::Regex;
use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::Value as Json;

use super::{Arguments, Plain, Returns, deterministic, flag, of};

pub(super) const FUNCTIONS: &[Plain] = &[
    of("toString", (1, 1), Returns::Text, |a| text(a.text(0))),
    of("lower", (1, 1), Returns::Text, |a| {
        text(a.text(0).to_ascii_lowercase())
    }),
    of("lowerUTF8", (1, 1), Returns::Text, |a| {
        text(a.text(0).to_lowercase())
    }),
    of("upper", (1, 1), Returns::Text, |a| {
        text(a.text(0).to_ascii_uppercase())
    }),
    of("upperUTF8", (1, 1), Returns::Text, |a| {
        text(a.text(0).to_uppercase())
    }),
    of("reverse", (1, 1), Returns::Text, |a| {
        text(a.text(0).chars().rev().collect())
    }),
    of("trim", (1, 1), Returns::Text, |a| {
        text(a.text(0).trim_matches(' ').to_owned())
    }),
    of("trimBoth", (1, 1), Returns::Text, |a| {
        text(a.text(0).trim_matches(' ').to_owned())
    }),
    of("trimLeft", (1, 1), Returns::Text, |a| {
        text(a.text(0).trim_start_matches(' ').to_owned())
    }),
    of("trimRight", (1, 1), Returns::Text, |a| {
        text(a.text(0).trim_end_matches(' ').to_owned())
    }),
    of("startsWith", (2, 2), Returns::Flag, |a| {
        flag(a.text(0).starts_with(&a.text(1)))
    }),
    of("endsWith", (2, 2), Returns::Flag, |a| {
        flag(a.text(0).ends_with(&a.text(1)))
    }),
    of("position", (2, 2), Returns::Integer("UInt64"), |a| {
        count(a.text(0).find(&a.text(1)).map_or(0, |at| at + 1))
    }),
    of(
        "positionCaseInsensitive",
        (2, 2),
        Returns::Integer("UInt64"),
        |a| {
            let (whole, part) = (
                a.text(0).to_ascii_lowercase(),
                a.text(1).to_ascii_lowercase(),
            );
            count(whole.find(&part).map_or(0, |at| at + 1))
        },
    ),
    of("substring", (2, 3), Returns::Text, |a| {
        let letters: Vec<char> = a.text(0).chars().collect();
        let length = i64::try_from(letters.len()).ok()?;
        let start = match a.integer(1)? {
            0 => return text(String::new()),
            start if start < 0 => (length + start).max(0),
            start => start - 1,
        };
        let end = if a.len() > 2 {
            start.saturating_add(a.integer(2)?.max(0))
        } else {
            length
        };
        let range = usize::try_from(start.min(length)).ok()?
            ..usize::try_from(end.clamp(start.min(length), length)).ok()?;
        text(letters.get(range)?.iter().collect())
    }),
    of("left", (2, 2), Returns::Text, |a| {
        text(
            a.text(0)
                .chars()
                .take(usize::try_from(a.integer(1)?).ok()?)
                .collect(),
        )
    }),
    of("right", (2, 2), Returns::Text, |a| {
        let letters: Vec<char> = a.text(0).chars().collect();
        let keep = usize::try_from(a.integer(1)?).ok()?.min(letters.len());
        text(letters[letters.len() - keep..].iter().collect())
    }),
    of("repeat", (2, 2), Returns::Text, |a| {
        let (part, times) = (a.text(0), usize::try_from(a.integer(1)?.max(0)).ok()?);
        // Longer ones are refused by ClickHouse too.
        (part.len().saturating_mul(times) <= 1 << 20).then(|| Value::Text(part.repeat(times)))
    }),
    of("replaceAll", (3, 3), Returns::Text, |a| {
        text(replaced(&a.text(0), &a.text(1), &a.text(2), usize::MAX))
    }),
    of("replace", (3, 3), Returns::Text, |a| {
        text(replaced(&a.text(0), &a.text(1), &a.text(2), usize::MAX))
    }),
    of("replaceOne", (3, 3), Returns::Text, |a| {
        text(replaced(&a.text(0), &a.text(1), &a.text(2), 1))
    }),
    of("empty", (1, 1), Returns::Flag, |a| {
        flag(matches!(a.text(0).as_str(), "" | "[]"))
    }),
    of("notEmpty", (1, 1), Returns::Flag, |a| {
        flag(!matches!(a.text(0).as_str(), "" | "[]"))
    }),
    of("lengthUTF8", (1, 1), Returns::Integer("UInt64"), |a| {
        count(a.text(0).chars().count())
    }),
    of("char_length", (1, 1), Returns::Integer("UInt64"), |a| {
        count(a.text(0).chars().count())
    }),
    of("domain", (1, 1), Returns::Text, |a| {
        text(host(&a.text(0)).to_owned())
    }),
    of("domainWithoutWWW", (1, 1), Returns::Text, |a| {
        let address = a.text(0);
        let host = host(&address);
        text(host.strip_prefix("www.").unwrap_or(host).to_owned())
    }),
    of("path", (1, 1), Returns::Text, |a| {
        let address = a.text(0);
        let rest = address.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        text(path.split(['?', '#']).next().unwrap_or_default().to_owned())
    }),
    of("protocol", (1, 1), Returns::Text, |a| {
        text(
            a.text(0)
                .split_once("://")
                .map_or("", |(scheme, _)| scheme)
                .to_owned(),
        )
    }),
    of("toUUID", (1, 1), Returns::UuidOrNull, |a| {
        let id = a.text(0).to_ascii_lowercase();
        let shaped = id.len() == 36
            && id.char_indices().all(|(at, letter)| match at {
                8 | 13 | 18 | 23 => letter == '-',
                _ => letter.is_ascii_hexdigit(),
            });
        shaped.then_some(Value::Text(id))
    }),
    of("JSONExtractString", (1, 9), Returns::Text, |a| {
        text(match json_at(a) {
            Some(Json::String(found)) => found,
            _ => String::new(),
        })
    }),
    of("JSONExtractFloat", (1, 9), Returns::Float, |a| {
        Some(Value::Real(
            json_at(a).and_then(|found| found.as_f64()).unwrap_or(0.0),
        ))
    }),
    of("JSONExtractInt", (1, 9), Returns::Integer("Int64"), |a| {
        Some(Value::Integer(
            json_at(a).and_then(|found| found.as_i64()).unwrap_or(0),
        ))
    }),
    of("JSONExtractBool", (1, 9), Returns::Flag, |a| {
        flag(json_at(a) == Some(Json::Bool(true)))
    }),
    of("JSONExtractRaw", (1, 9), Returns::Text, |a| {
        text(
            json_at(a)
                .map(|found| found.to_string())
                .unwrap_or_default(),
        )
    }),
    of("JSONExtractArrayRaw", (1, 9), Returns::Texts, |a| {
        let items = match json_at(a) {
            Some(Json::Array(items)) => items,
            _ => Vec::new(),
        };
        let raw: Vec<Json> = items
            .iter()
            .map(|item| Json::String(item.to_string()))
            .collect();
        text(Json::Array(raw).to_string())
    }),
    of("JSONHas", (2, 9), Returns::Flag, |a| {
        flag(json_at(a).is_some())
    }),
    of("JSONLength", (1, 9), Returns::Integer("UInt64"), |a| {
        count(match json_at(a) {
            Some(Json::Array(items)) => items.len(),
            Some(Json::Object(members)) => members.len(),
            _ => 0,
        })
    }),
    of("isValidJSON", (1, 1), Returns::Flag, |a| {
        flag(serde_json::from_str::<Json>(&a.text(0)).is_ok())
    }),
];

fn text(value: String) -> Option<Value> {
    Some(Value::Text(value))
}

fn count(number: usize) -> Option<Value> {
    i64::try_from(number).ok().map(Value::Integer)
}

fn replaced(whole: &str, part: &str, with: &str, times: usize) -> String {
    if part.is_empty() {
        whole.to_owned()
    } else {
        whole.replacen(part, with, times)
    }
}

/// The host of an address, without its port.
fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    host.split(':').next().unwrap_or_default()
}

/// What the JSON text of the first argument holds at the keys and places of the others.
fn json_at(a: &Arguments<'_, '_>) -> Option<Json> {
    let mut found: Json = serde_json::from_str(&a.text(0)).ok()?;
    for at in 1..a.len() {
        found = match (a.value(at), found) {
            (Value::Integer(nth), Json::Array(mut items)) => {
                let nth = usize::try_from(nth).ok()?.checked_sub(1)?;
                (nth < items.len()).then(|| items.swap_remove(nth))?
            }
            (Value::Text(key), Json::Object(mut members)) => members.remove(&key)?,
            _ => return None,
        };
    }
    Some(found)
}

/// The functions whose patterns are worth keeping between rows.
pub(super) fn register(database: &Connection) -> rusqlite::Result<()> {
    database.create_scalar_function("h_texts", -1, deterministic(), |context| {
        let items = match json_at(&Arguments(context)) {
            Some(Json::Array(items)) => items,
            _ => Vec::new(),
        };
        let texts = items.into_iter().filter(Json::is_string).collect();
        Ok(Json::Array(texts).to_string())
    })?;
    for (name, any_case) in [("h_like", false), ("h_ilike", true)] {
        let patterns = Patterns::default();
        // `(?i)` knows ASCII only.
        let folded = move |text: String| {
            if any_case { text.to_lowercase() } else { text }
        };
        database.create_scalar_function(name, 2, deterministic(), move |context| {
            let a = Arguments(context);
            if a.is_null(0) || a.is_null(1) {
                return Ok(None);
            }
            let regex = patterns.get(&folded(a.text(1)), like)?;
            Ok(Some(regex.is_match(&folded(a.text(0)))))
        })?;
    }
    let patterns = Patterns::default();
    // Text, pattern, what to do, replacement.
    database.create_scalar_function("h_regex", 4, deterministic(), move |context| {
        let a = Arguments(context);
        if a.is_null(0) || a.is_null(1) {
            return Ok(Value::Null);
        }
        // A dot matches line ends, as in ClickHouse.
        let regex = patterns.get(&a.text(1), |pattern| format!("(?s){pattern}"))?;
        let whole = a.text(0);
        // References are `\\1` there and `${1}` here.
        let replacement = || {
            let mut replacement = a.text(3).replace('$', "$$");
            for group in 0..10 {
                replacement = replacement.replace(&format!("\\{group}"), &format!("${{{group}}}"));
            }
            replacement
        };
        Ok(match a.text(2).as_str() {
            "match" => Value::Integer(i64::from(regex.is_match(&whole))),
            "extract" => {
                let found = regex
                    .captures(&whole)
                    .and_then(|groups| groups.get(1).or_else(|| groups.get(0)));
                Value::Text(found.map_or_else(String::new, |group| group.as_str().to_owned()))
            }
            "all" => Value::Text(regex.replace_all(&whole, replacement()).into_owned()),
            _ => Value::Text(regex.replace(&whole, replacement()).into_owned()),
        })
    })?;
    // Names and values in turn: an object of those that are not NULL.
    database.create_scalar_function("h_object", -1, deterministic(), |context| {
        let a = Arguments(context);
        let mut object = serde_json::Map::new();
        for at in (0..a.len()).step_by(2) {
            let value = match a.value(at + 1) {
                Value::Integer(number) => Json::from(number),
                Value::Real(number) => Json::from(number),
                Value::Text(text) => Json::from(text),
                Value::Null | Value::Blob(_) => continue,
            };
            object.insert(a.text(at), value);
        }
        Ok(Json::Object(object).to_string())
    })
}

/// Patterns that have been read. Unlike ClickHouse's they have no classes like `\\p{L}`, and `(?i)` folds ASCII.
#[derive(Default)]
struct Patterns(RefCell<HashMap<String, Arc<Regex>>>);

impl Patterns {
    fn get(&self, pattern: &str, regex: impl Fn(&str) -> String) -> rusqlite::Result<Arc<Regex>> {
        let mut known = self.0.borrow_mut();
        if let Some(known) = known.get(pattern) {
            return Ok(Arc::clone(known));
        }
        if known.len() > 100 {
            known.clear();
        }
        let read = Regex::new(&regex(pattern))
            .map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))?;
        let read = Arc::new(read);
        known.insert(pattern.to_owned(), Arc::clone(&read));
        Ok(read)
    }
}

/// A LIKE pattern as a regular expression.
fn like(pattern: &str) -> String {
    let mut regex = "(?s)^".to_owned();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        let literal = match letter {
            '%' => {
                regex.push_str(".*");
                continue;
            }
            '_' => {
                regex.push('.');
                continue;
            }
            '\\' => letters.next().unwrap_or('\\'),
            letter => letter,
        };
        regex.push_str(&regex_lite::escape(literal.encode_utf8(&mut [0; 4])));
    }
    regex.push('$');
    regex
}
