//! A piece of SQLite's SQL together with what HogQL knows of it.

use crate::syntax::Constant;
use crate::types::{Kind, Type};

/// An expression in SQL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) ty: Type,
    /// A cheaper expression that is equal exactly when this one is.
    pub(crate) key: Option<Key>,
    /// The value, if it is known from the text of the query.
    pub(crate) constant: Option<Constant>,
    /// A column that is outside of any aggregation and is not grouped by.
    pub(crate) ungrouped: Option<String>,
    /// Whether an aggregation is inside.
    pub(crate) aggregates: bool,
    /// Whether a window function is inside.
    pub(crate) windows: bool,
}

/// What replaces a value if only equality matters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    /// What it numbers; keys of different spaces mean nothing to one another.
    pub(crate) space: u8,
}

/// The space of the dictionary.
pub(crate) const WORDS: u8 = 0;

impl Sql {
    pub(crate) fn new(text: String, ty: Type) -> Self {
        Self {
            text,
            ty,
            key: None,
            constant: None,
            ungrouped: None,
            aggregates: false,
            windows: false,
        }
    }

    pub(crate) fn constant(constant: Constant) -> Self {
        let (text, kind) = match &constant {
            Constant::Null => ("NULL".to_owned(), Kind::Nothing),
            Constant::Boolean(yes) => (i64::from(*yes).to_string(), Kind::Boolean),
            // The smallest number has no literal of its own.
            Constant::Integer(i64::MIN) => (
                "(-9223372036854775807 - 1)".to_owned(),
                Kind::Integer("Int64"),
            ),
            Constant::Integer(number) => (number.to_string(), Kind::Integer(width(*number))),
            Constant::Float(number) if number.is_nan() => ("NULL".to_owned(), Kind::Float),
            Constant::Float(number) if number.is_infinite() => (
                if *number > 0.0 { "9e999" } else { "-9e999" }.to_owned(),
                Kind::Float,
            ),
            Constant::Float(number) => (format!("{number:?}"), Kind::Float),
            Constant::Text(text) => (literal(text), Kind::Text),
        };
        let nullable = constant == Constant::Null;
        Self {
            constant: Some(constant),
            ..Self::new(text, Type { kind, nullable })
        }
    }

    /// The same around its text; what is grouped or aggregated inside stays so.
    pub(crate) fn wrapped(self, wrap: impl FnOnce(&str) -> String) -> Self {
        Self {
            text: wrap(&self.text),
            key: None,
            constant: None,
            ..self
        }
    }

    /// A new expression made of others.
    pub(crate) fn of(text: String, ty: Type, parts: &[&Self]) -> Self {
        let mut sql = Self::new(text, ty);
        for part in parts {
            sql.aggregates |= part.aggregates;
            sql.windows |= part.windows;
            if sql.ungrouped.is_none() {
                sql.ungrouped.clone_from(&part.ungrouped);
            }
        }
        sql
    }

    /// What to compare, count and group by.
    pub(crate) fn key_text(&self) -> &str {
        self.key.as_ref().map_or(&self.text, |key| &key.text)
    }

    pub(crate) fn text_constant(&self) -> Option<&str> {
        match &self.constant {
            Some(Constant::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// A text as a literal. SQLite ends a statement at a zero byte, so that one is written as a call.
pub(crate) fn literal(text: &str) -> String {
    let parts: Vec<String> = text
        .split('\0')
        .map(|part| format!("'{}'", part.replace('\'', "''")))
        .collect();
    match parts.as_slice() {
        [whole] => whole.clone(),
        parts => format!("({})", parts.join(" || char(0) || ")),
    }
}

/// The type that ClickHouse gives a number in a query.
fn width(number: i64) -> &'static str {
    match number {
        0..=0xff => "UInt8",
        0x100..=0xffff => "UInt16",
        0x1_0000..=0xffff_ffff => "UInt32",
        0x1_0000_0000.. => "UInt64",
        -0x80..=-1 => "Int8",
        -0x8000..=-0x81 => "Int16",
        -0x8000_0000..=-0x8001 => "Int32",
        _ => "Int64",
    }
}
