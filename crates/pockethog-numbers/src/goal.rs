//! A count of today that a person waits for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::moves::Metric;

/// A count of today that a person waits for: `1000 visitors`, `first Paid`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Goal {
    /// At least this many today.
    pub count: u64,
    /// Of what: a conversion counts the persons who did it.
    pub metric: Metric,
}

/// A text that names no goal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{0}” is no goal; write a number and what is counted, for example “1000 visitors”, “5000 pageviews”, “20 Paid” or “first Paid”"
)]
pub struct NoGoal(String);

impl FromStr for Goal {
    type Err = NoGoal;

    fn from_str(text: &str) -> Result<Self, NoGoal> {
        let text = text.trim();
        let wrong = || NoGoal(text.to_owned());
        let (count, rest) = text.split_once(char::is_whitespace).ok_or_else(wrong)?;
        let rest = rest.trim();
        let rest = rest.strip_suffix(" today").map_or(rest, str::trim_end);
        let count = match count {
            first if first.eq_ignore_ascii_case("first") => 1,
            number => whole(number).ok_or_else(wrong)?,
        };
        let metric = match rest.to_lowercase().as_str() {
            "" => return Err(wrong()),
            "visitors" | "visitor" => Metric::Visitors,
            "pageviews" | "pageview" => Metric::Pageviews,
            _ => Metric::Conversion(rest.to_owned()),
        };
        Ok(Self { count, metric })
    }
}

/// A whole number above 0, with or without marks between groups of three digits: `1000`, `1,000`, `1.000`, `1'000`.
fn whole(text: &str) -> Option<u64> {
    let mut groups = text.split([',', '.', '\'', '’', '_']);
    let first = groups.next()?;
    let mut digits = first.to_owned();
    let mut grouped = false;
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        grouped = true;
        digits.push_str(group);
    }
    let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit())
        && !first.is_empty()
        && (!grouped || first.len() <= 3);
    let number = digits.parse().ok().filter(|_| is_plain)?;
    (number > 0).then_some(number)
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.metric, self.count) {
            (Metric::Visitors, count) => write!(f, "{count} visitors"),
            (Metric::Pageviews, count) => write!(f, "{count} pageviews"),
            (Metric::Conversion(event), 1) => write!(f, "first {event}"),
            (Metric::Conversion(event), count) => write!(f, "{count} {event}"),
        }
    }
}

impl TryFrom<String> for Goal {
    type Error = NoGoal;

    fn try_from(text: String) -> Result<Self, NoGoal> {
        text.parse()
    }
}

impl From<Goal> for String {
    fn from(goal: Goal) -> Self {
        goal.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_goal_is_read_as_a_person_writes_it() {
        for (text, written) in [
            ("1000 visitors", "1000 visitors"),
            (" 1,000 Visitors today", "1000 visitors"),
            ("1.000.000 pageviews", "1000000 pageviews"),
            ("first Paid today", "first Paid"),
            ("1 Paid", "first Paid"),
            ("20 order placed", "20 order placed"),
        ] {
            let goal: Goal = text.parse().unwrap();
            assert_eq!(goal.to_string(), written, "{text}");
            assert_eq!(goal.to_string().parse::<Goal>().unwrap(), goal);
        }
    }

    #[test]
    fn a_goal_that_is_no_number_is_named() {
        for text in [
            "",
            "visitors",
            "many visitors",
            "0 visitors",
            "-3 Paid",
            "1,00 Paid",
            "1.5 Paid",
            "12",
            ",100 x",
        ] {
            let error = text.parse::<Goal>().unwrap_err().to_string();
            assert!(error.contains("1000 visitors"), "{text}: {error}");
        }
    }
}
