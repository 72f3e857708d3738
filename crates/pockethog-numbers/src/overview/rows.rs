//! Reads rows by column name, strictly: a missing number is an error, not a zero.

use jiff::Timestamp;
use posthog_api::Rows;
use serde_json::Value;

/// Why rows could not be read as numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// The answer lacks a column that was asked for.
    #[error("PostHog's response has no column {0}")]
    NoColumn(&'static str),
    /// A field holds something else than a whole number from 0.
    #[error("PostHog's response has no whole number in column {0}")]
    NoCount(&'static str),
    /// As many rows as were allowed, so that some may be missing.
    #[error("PostHog's answer has {0} rows or more, so that some may be missing")]
    TooMany(usize),
    /// PostHog cuts other days than those that are known.
    #[error("PostHog's days are not those that were read before")]
    OtherDays,
}

/// Rows with the places of their columns looked up once.
pub(crate) struct Table<'a, const N: usize> {
    rows: &'a Rows,
    names: [&'static str; N],
    places: [usize; N],
}

impl<'a, const N: usize> Table<'a, N> {
    pub(crate) fn new(rows: &'a Rows, names: [&'static str; N]) -> Result<Self, RowsError> {
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(names) {
            *place = rows
                .columns
                .iter()
                .position(|column| column == name)
                .ok_or(RowsError::NoColumn(name))?;
        }
        Ok(Self {
            rows,
            names,
            places,
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Record<'_, N>> {
        self.rows.rows.iter().map(|row| Record { row, table: self })
    }

    /// The instants in column `nth` of the rows of one kind, which is in the first column.
    pub(crate) fn starts_of(&self, kind: &str, nth: usize) -> Result<Vec<Timestamp>, RowsError> {
        self.iter()
            .filter(|row| row.text(0) == kind)
            .map(|row| Ok(epoch(row.count(nth)?)))
            .collect()
    }
}

/// One row.
pub(crate) struct Record<'a, const N: usize> {
    row: &'a [Value],
    table: &'a Table<'a, N>,
}

impl<const N: usize> Record<'_, N> {
    /// Text of the nth asked-for column; empty for NULL.
    pub(crate) fn text(&self, nth: usize) -> &str {
        self.field(nth).as_str().unwrap_or_default()
    }

    /// Whole number of the nth asked-for column. NULL is 0: an aggregate over nothing.
    pub(crate) fn count(&self, nth: usize) -> Result<u64, RowsError> {
        let name = self.table.names[nth];
        match self.field(nth) {
            Value::Null => Ok(0),
            Value::Number(number) => number
                .as_u64()
                .or_else(|| number.as_f64().and_then(whole))
                .ok_or(RowsError::NoCount(name)),
            // ClickHouse prints 64-bit numbers as text in some settings.
            Value::String(text) => text.parse().map_err(|_| RowsError::NoCount(name)),
            _ => Err(RowsError::NoCount(name)),
        }
    }

    fn field(&self, nth: usize) -> &Value {
        self.row.get(self.table.places[nth]).unwrap_or(&Value::Null)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn whole(number: f64) -> Option<u64> {
    ((0.0..9.0e15).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

/// The instant of a bucket, which PostHog counts in Unix seconds.
pub(super) fn epoch(seconds: u64) -> Timestamp {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn rows(value: Value) -> Rows {
        Rows {
            columns: vec!["n".to_owned()],
            rows: vec![vec![value]],
            ..Rows::default()
        }
    }

    #[test]
    fn a_count_may_come_as_text() {
        for value in [json!(7), json!("7"), json!(7.0)] {
            let rows = rows(value);
            let table = Table::new(&rows, ["n"]).unwrap();
            assert_eq!(table.iter().next().unwrap().count(0), Ok(7));
        }
    }

    #[test]
    fn anything_else_is_an_error() {
        for value in [json!(-1), json!("many"), json!(true), json!(1.5)] {
            let rows = rows(value);
            let table = Table::new(&rows, ["n"]).unwrap();
            assert_eq!(
                table.iter().next().unwrap().count(0),
                Err(RowsError::NoCount("n"))
            );
        }
    }

    #[test]
    fn a_missing_column_is_named() {
        let rows = rows(json!(1));
        assert_eq!(
            Table::new(&rows, ["m"]).err(),
            Some(RowsError::NoColumn("m"))
        );
    }
}
