//! What the rows of the query mean.

use std::collections::BTreeMap;

use posthog_api::Rows;

use super::query::{ALL, MOST_ROWS};
use super::{Dimension, Question};
use crate::overview::RowsError;
use crate::overview::rows::Table;

/// A day with fewer visitors than this share of what is in the middle, or more than its inverse, says nothing about what
/// is usual: it was out of the ordinary itself.
const ODD: f64 = 0.5;

/// Visitors of today and of the days that it is compared with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// Today.
    pub(super) today: u64,
    /// What is usual: the mean of the other days, at the level that is usual today if that is known.
    pub(super) usual: f64,
    /// How many days that is.
    pub(super) days: usize,
    /// What each value has.
    pub(super) values: Vec<Value>,
}

/// Visitors whose first view of the day had a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) dimension: Dimension,
    pub(super) name: String,
    pub(super) today: f64,
    pub(super) usual: f64,
}

impl Counts {
    pub(super) fn usual_rounded(&self) -> u64 {
        rounded(self.usual)
    }
}

pub(super) fn read(question: &Question, rows: &Rows) -> Result<Counts, RowsError> {
    if rows.rows.len() >= MOST_ROWS {
        return Err(RowsError::TooMany(MOST_ROWS));
    }
    let table = Table::new(rows, ["kind", "ago", "label", "visitors"])?;
    let mut totals: BTreeMap<u64, u64> = BTreeMap::new();
    let mut values: BTreeMap<(Dimension, String), BTreeMap<u64, u64>> = BTreeMap::new();
    for row in table.iter() {
        let (ago, visitors) = (row.count(1)?, row.count(3)?);
        if row.text(0) == ALL {
            totals.insert(ago, visitors);
            continue;
        }
        let dimension = Dimension::ALL
            .into_iter()
            .find(|dimension| dimension.name() == row.text(0));
        if let Some(dimension) = dimension {
            let of_value = values
                .entry((dimension, row.text(2).to_owned()))
                .or_default();
            of_value.insert(ago, visitors);
        }
    }
    let kept = ordinary(&question.compared_with, &totals);
    let mean = |counts: &BTreeMap<u64, u64>| {
        let sum: u64 = kept.iter().filter_map(|ago| counts.get(ago)).sum();
        sum as f64 / kept.len().max(1) as f64
    };
    // The days say how visitors are usually distributed; how many are usual may be known better.
    let plain = mean(&totals);
    let level = match question.usual {
        Some(usual) if plain > 0.0 => usual as f64 / plain,
        _ => 1.0,
    };
    Ok(Counts {
        today: totals.get(&0).copied().unwrap_or(0),
        usual: plain * level,
        days: kept.len().max(1),
        values: values
            .iter()
            .map(|((dimension, name), counts)| Value {
                dimension: *dimension,
                name: name.clone(),
                today: counts.get(&0).copied().unwrap_or(0) as f64,
                usual: mean(counts) * level,
            })
            .collect(),
    })
}

/// The days whose number of visitors is not far from what is in the middle.
fn ordinary(compared_with: &[u16], totals: &BTreeMap<u64, u64>) -> Vec<u64> {
    let total = |ago: u64| totals.get(&ago).copied().unwrap_or(0) as f64;
    let mut lively: Vec<u64> = compared_with
        .iter()
        .map(|ago| u64::from(*ago))
        .filter(|ago| *ago > 0 && total(*ago) > 0.0)
        .collect();
    lively.dedup();
    let mut sorted: Vec<f64> = lively.iter().map(|ago| total(*ago)).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = (
        sorted.get(sorted.len().saturating_sub(1) / 2),
        sorted.get(sorted.len() / 2),
    );
    let (Some(low), Some(high)) = (low, high) else {
        return Vec::new();
    };
    let middle = f64::midpoint(*low, *high);
    let near = |ago: &u64| total(*ago) >= middle * ODD && total(*ago) <= middle / ODD;
    let near: Vec<u64> = lively.iter().copied().filter(near).collect();
    if near.is_empty() { lively } else { near }
}

/// Visitors are counted in whole numbers.
pub(super) fn rounded(count: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded on both sides"
    )]
    let whole = count.round().clamp(0.0, 9e15) as u64;
    whole
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::causes::Direction;
    use crate::overview::LeftOut;

    fn rows(rows: &[(&str, u64, &str, u64)]) -> Rows {
        let row = |(kind, ago, label, visitors): &(&str, u64, &str, u64)| -> Vec<Json> {
            vec![json!(kind), json!(ago), json!(label), json!(visitors)]
        };
        Rows {
            columns: ["kind", "ago", "label", "visitors"]
                .map(ToOwned::to_owned)
                .to_vec(),
            rows: rows.iter().map(row).collect(),
            ..Rows::default()
        }
    }

    fn question(compared_with: &[u16], usual: Option<u64>) -> Question {
        Question {
            direction: Direction::Down,
            since: Timestamp::UNIX_EPOCH,
            hours: None,
            compared_with: compared_with.to_vec(),
            until: None,
            usual,
            left_out: LeftOut::default(),
        }
    }

    #[test]
    fn a_project_that_grows_is_compared_with_its_level_of_today() {
        let answer = rows(&[
            ("all", 0, "", 110),
            ("all", 7, "", 110),
            ("all", 14, "", 90),
            ("page", 0, "/", 50),
            ("page", 7, "/", 60),
            ("page", 14, "/", 40),
        ]);
        let counts = read(&question(&[7, 14], Some(130)), &answer).unwrap();
        assert!((counts.usual - 130.0).abs() < 1e-9, "{}", counts.usual);
        assert!((counts.values[0].usual - 65.0).abs() < 1e-9);
    }

    #[test]
    fn a_day_that_was_odd_itself_is_not_usual() {
        let counts = read(
            &question(&[7, 14, 21, 28], None),
            &rows(&[
                ("all", 0, "", 300),
                ("all", 7, "", 100),
                ("all", 14, "", 900),
                ("all", 21, "", 120),
                ("page", 0, "/", 250),
                ("page", 7, "/", 50),
                ("page", 14, "/", 800),
                ("page", 21, "/old", 30),
            ]),
        )
        .unwrap();
        assert_eq!((counts.today, counts.days), (300, 2));
        assert!((counts.usual - 110.0).abs() < 1e-9, "{}", counts.usual);
        let usual: Vec<(&str, f64)> = counts
            .values
            .iter()
            .map(|value| (value.name.as_str(), value.usual))
            .collect();
        assert_eq!(usual, [("/", 25.0), ("/old", 15.0)]);
    }

    #[test]
    fn without_a_day_to_compare_with_nothing_is_usual() {
        let counts = read(&question(&[7], None), &rows(&[("all", 0, "", 12)])).unwrap();
        assert_eq!(
            (counts.today, counts.usual_rounded(), counts.days),
            (12, 0, 1)
        );
        let lacking = Rows {
            columns: vec!["kind".to_owned()],
            ..Rows::default()
        };
        assert_eq!(
            read(&question(&[7], Some(9)), &lacking),
            Err(RowsError::NoColumn("ago"))
        );
    }
}
