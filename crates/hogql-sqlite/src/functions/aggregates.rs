//! Aggregations that SQLite does not have. NULLs are passed over by all of them.

use std::collections::{HashMap, HashSet};

use rusqlite::functions::{Aggregate, Context};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};
use serde_json::Value as Json;

use super::{as_float, deterministic, owned};

/// Registers them: `h_unique(…)`, `h_any(x)`, `h_any_last(x)`, `h_least(x, by)`, `h_most(x, by)`,
/// `h_quantile(x, level)`, `h_top(x, count)`, `h_moment(x, which)`.
pub(super) fn register(database: &Connection) -> Result<()> {
    database.create_aggregate_function("h_unique", -1, deterministic(), Unique)?;
    database.create_aggregate_function("h_any", 1, deterministic(), Pick { last: false })?;
    database.create_aggregate_function("h_any_last", 1, deterministic(), Pick { last: true })?;
    database.create_aggregate_function("h_least", 2, deterministic(), Extreme { most: false })?;
    database.create_aggregate_function("h_most", 2, deterministic(), Extreme { most: true })?;
    database.create_aggregate_function("h_quantile", 2, deterministic(), Quantile)?;
    database.create_aggregate_function("h_top", 2, deterministic(), Top)?;
    database.create_aggregate_function("h_moment", 2, deterministic(), Moment)
}

/// A value that can be compared with others for equality.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    Integer(i64),
    Real(u64),
    Text(Vec<u8>),
}

impl Key {
    fn of(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Null => None,
            ValueRef::Integer(number) => Some(Self::Integer(number)),
            ValueRef::Real(number) => Some(Self::Real(number.to_bits())),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(Self::Text(bytes.to_vec())),
        }
    }

    fn json(self) -> Json {
        match self {
            Self::Integer(number) => Json::from(number),
            Self::Real(bits) => Json::from(f64::from_bits(bits)),
            Self::Text(bytes) => Json::from(String::from_utf8_lossy(&bytes)),
        }
    }
}

/// How many different values, or combinations of them, there are.
struct Unique;

#[derive(Default)]
struct Seen {
    integers: HashSet<i64>,
    others: HashSet<Vec<Key>>,
}

impl Aggregate<Seen, i64> for Unique {
    fn init(&self, _: &mut Context<'_>) -> Result<Seen> {
        Ok(Seen::default())
    }

    fn step(&self, context: &mut Context<'_>, seen: &mut Seen) -> Result<()> {
        if let (1, ValueRef::Integer(number)) = (context.len(), context.get_raw(0)) {
            seen.integers.insert(number);
        } else if let Some(keys) = (0..context.len())
            .map(|at| Key::of(context.get_raw(at)))
            .collect()
        {
            seen.others.insert(keys);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, seen: Option<Seen>) -> Result<i64> {
        let count = seen.map_or(0, |seen| seen.integers.len() + seen.others.len());
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// The first or the last value.
struct Pick {
    last: bool,
}

impl Aggregate<Value, Value> for Pick {
    fn init(&self, _: &mut Context<'_>) -> Result<Value> {
        Ok(Value::Null)
    }

    fn step(&self, context: &mut Context<'_>, picked: &mut Value) -> Result<()> {
        if (self.last || *picked == Value::Null) && context.get_raw(0) != ValueRef::Null {
            *picked = owned(context.get_raw(0));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, picked: Option<Value>) -> Result<Value> {
        Ok(picked.unwrap_or(Value::Null))
    }
}

/// The value beside the least or the greatest of another.
struct Extreme {
    most: bool,
}

impl Aggregate<Option<(Value, Value)>, Value> for Extreme {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<(Value, Value)>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, best: &mut Option<(Value, Value)>) -> Result<()> {
        let (value, by) = (context.get_raw(0), context.get_raw(1));
        if value == ValueRef::Null || by == ValueRef::Null {
            return Ok(());
        }
        let better = best.as_ref().is_none_or(|(_, best)| {
            if self.most {
                less(best.into(), by)
            } else {
                less(by, best.into())
            }
        });
        if better {
            *best = Some((owned(value), owned(by)));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, best: Option<Option<(Value, Value)>>) -> Result<Value> {
        Ok(best.flatten().map_or(Value::Null, |(value, _)| value))
    }
}

fn less(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Text(a), ValueRef::Text(b)) => a < b,
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a < b,
        _ => as_float(a) < as_float(b),
    }
}

/// The value at a level between 0 and 1, between two neighbours in proportion.
struct Quantile;

impl Aggregate<(Vec<f64>, f64), Option<f64>> for Quantile {
    fn init(&self, context: &mut Context<'_>) -> Result<(Vec<f64>, f64)> {
        Ok((Vec::new(), as_float(context.get_raw(1)).unwrap_or(0.5)))
    }

    fn step(&self, context: &mut Context<'_>, (numbers, _): &mut (Vec<f64>, f64)) -> Result<()> {
        numbers.extend(as_float(context.get_raw(0)));
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        gathered: Option<(Vec<f64>, f64)>,
    ) -> Result<Option<f64>> {
        Ok(gathered.and_then(|(mut numbers, level)| {
            numbers.sort_by(f64::total_cmp);
            let place = level.clamp(0.0, 1.0) * numbers.len().checked_sub(1)? as f64;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place in the list"
            )]
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            let (low, high) = (*numbers.get(below)?, *numbers.get(above)?);
            Some(low + (high - low) * place.fract())
        }))
    }
}

/// The most frequent values, as an array.
struct Top;

impl Aggregate<(HashMap<Key, u64>, usize), String> for Top {
    fn init(&self, context: &mut Context<'_>) -> Result<(HashMap<Key, u64>, usize)> {
        let count = as_float(context.get_raw(1)).unwrap_or(10.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped"
        )]
        Ok((HashMap::new(), count.clamp(0.0, 65_536.0) as usize))
    }

    fn step(
        &self,
        context: &mut Context<'_>,
        (counts, _): &mut (HashMap<Key, u64>, usize),
    ) -> Result<()> {
        if let Some(key) = Key::of(context.get_raw(0)) {
            *counts.entry(key).or_default() += 1;
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        gathered: Option<(HashMap<Key, u64>, usize)>,
    ) -> Result<String> {
        let (counts, most) = gathered.unwrap_or_default();
        let mut ranked: Vec<(Key, u64)> = counts.into_iter().collect();
        ranked.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
        Ok(Json::Array(
            ranked
                .into_iter()
                .take(most)
                .map(|(key, _)| key.json())
                .collect(),
        )
        .to_string())
    }
}

/// Variance and standard deviation, of a population or of a sample.
struct Moment;

#[derive(Default)]
struct Running {
    which: String,
    count: f64,
    mean: f64,
    squares: f64,
}

impl Aggregate<Running, Option<f64>> for Moment {
    fn init(&self, context: &mut Context<'_>) -> Result<Running> {
        Ok(Running {
            which: context.get(1)?,
            ..Running::default()
        })
    }

    /// Welford's way, which does not lose digits.
    fn step(&self, context: &mut Context<'_>, running: &mut Running) -> Result<()> {
        if let Some(number) = as_float(context.get_raw(0)) {
            running.count += 1.0;
            let distance = number - running.mean;
            running.mean += distance / running.count;
            running.squares += distance * (number - running.mean);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, running: Option<Running>) -> Result<Option<f64>> {
        Ok(running.map(|running| {
            let degrees = if running.which.ends_with("Samp") {
                running.count - 1.0
            } else {
                running.count
            };
            let variance = running.squares / degrees;
            if running.which.starts_with("stddev") {
                variance.sqrt()
            } else {
                variance
            }
        }))
    }
}
