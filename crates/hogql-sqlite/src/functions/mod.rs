//! What HogQL knows and SQLite does not: functions written here, registered with SQLite under the
//! prefix `h_`.

#![allow(
    clippy::unnecessary_wraps,
    reason = "the rows of the tables are closures that may be NULL, and most end in a plain value"
)]

mod aggregates;
mod arrays;
mod numbers;
mod text;
mod time;

use std::sync::Arc;

use jiff::tz::TimeZone;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};

pub(super) use time::{date_text, instant, instant_text};

/// A function that only looks at its arguments.
pub(super) struct Plain {
    /// As HogQL writes it.
    pub(super) name: &'static str,
    /// Fewest and most arguments.
    pub(super) arity: (usize, usize),
    pub(super) returns: Returns,
    /// `None` is NULL. Not called if an argument is NULL: the result is NULL then.
    pub(super) run: fn(&Arguments<'_, '_>) -> Option<Value>,
}

/// A row of the tables of such functions.
const fn of(
    name: &'static str,
    arity: (usize, usize),
    returns: Returns,
    run: fn(&Arguments<'_, '_>) -> Option<Value>,
) -> Plain {
    Plain {
        name,
        arity,
        returns,
        run,
    }
}

/// The type of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returns {
    Flag,
    Boolean,
    Integer(&'static str),
    Float,
    Text,
    /// What the first argument is.
    Same,
    /// The type, or NULL even if no argument is NULL.
    FloatOrNull,
    IntegerOrNull,
    UuidOrNull,
    Texts,
    Integers,
}

/// The arguments of one call, read leniently.
pub(super) struct Arguments<'a, 'b>(&'a Context<'b>);

impl Arguments<'_, '_> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn raw(&self, at: usize) -> ValueRef<'_> {
        if at < self.0.len() {
            self.0.get_raw(at)
        } else {
            ValueRef::Null
        }
    }

    pub(super) fn is_null(&self, at: usize) -> bool {
        matches!(self.raw(at), ValueRef::Null)
    }

    pub(super) fn value(&self, at: usize) -> Value {
        owned(self.raw(at))
    }

    /// The argument as text, or `""` if it is missing.
    pub(super) fn text(&self, at: usize) -> String {
        as_text(self.raw(at))
    }

    pub(super) fn float(&self, at: usize) -> Option<f64> {
        as_float(self.raw(at))
    }

    /// The whole part of a number.
    pub(super) fn integer(&self, at: usize) -> Option<i64> {
        match self.raw(at) {
            ValueRef::Integer(number) => Some(number),
            other => as_float(other).and_then(whole),
        }
    }

    /// The zone named by an argument, looked up once per statement.
    fn zone(&self, at: usize) -> Option<Arc<TimeZone>> {
        let at = i32::try_from(at).ok()?;
        self.0
            .get_or_create_aux(at, |name| match name {
                ValueRef::Text(name) => TimeZone::get(&String::from_utf8_lossy(name)),
                _ => Ok(TimeZone::UTC),
            })
            .ok()
    }
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

fn as_text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => float_text(number),
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
    }
}

fn as_float(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Integer(number) => Some(number as f64),
        ValueRef::Real(number) => Some(number),
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// As ClickHouse prints one: whole numbers without a point.
fn float_text(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    number.to_string()
}

fn whole(number: f64) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "in range, as just compared"
    )]
    (number.abs() < 9.0e18).then_some(number.trunc() as i64)
}

fn flag(yes: bool) -> Option<Value> {
    Some(Value::Integer(i64::from(yes)))
}

/// Every plain function.
pub(super) fn plain() -> impl Iterator<Item = &'static Plain> {
    text::FUNCTIONS
        .iter()
        .chain(numbers::FUNCTIONS)
        .chain(arrays::FUNCTIONS)
}

/// Registers everything with a database: `words` are the texts of the dictionary, `seed` makes the
/// identifiers of one project differ from those of another.
pub(crate) fn register(
    database: &Connection,
    words: Vec<String>,
    seed: u64,
) -> rusqlite::Result<()> {
    for function in plain() {
        let (run, flags) = (function.run, deterministic());
        database.create_scalar_function(
            format!("h_{}", function.name).as_str(),
            -1,
            flags,
            move |context| {
                let arguments = Arguments(context);
                if (0..arguments.len()).any(|at| arguments.is_null(at)) {
                    return Ok(Value::Null);
                }
                Ok(run(&arguments).unwrap_or(Value::Null))
            },
        )?;
    }
    database.create_scalar_function("h_word", 1, deterministic(), move |context| {
        Ok(match context.get_raw(0) {
            ValueRef::Integer(nth) => usize::try_from(nth)
                .ok()
                .and_then(|nth| words.get(nth).cloned()),
            _ => None,
        })
    })?;
    database.create_scalar_function("h_identifier", 2, deterministic(), move |context| {
        Ok(match (context.get_raw(0), context.get_raw(1)) {
            (ValueRef::Integer(space), ValueRef::Integer(number)) => {
                Some(identifier(seed, space, number))
            }
            _ => None,
        })
    })?;
    text::register(database)?;
    time::register(database)?;
    aggregates::register(database)
}

fn deterministic() -> FunctionFlags {
    FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC
}

/// A UUID that is the same for the same numbers, and looks like a random one.
fn identifier(seed: u64, space: i64, number: i64) -> String {
    let mut random =
        fastrand::Rng::with_seed(seed ^ (space.cast_unsigned() << 56) ^ number.cast_unsigned());
    let (a, b) = (random.u64(..), random.u64(..));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        0x8000 | b >> 48 & 0x3fff,
        b & 0xffff_ffff_ffff
    )
}
