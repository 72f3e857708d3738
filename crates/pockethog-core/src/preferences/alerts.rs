//! What a person wants to be told of, and when.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::moves::Metric;

/// The alerts of this device: the table `[alerts]`. Version 0.1.0 does not know it: not written unless chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// Whether anything is told at all. Off unless the person turns it on: PocketHog then asks PostHog for numbers while
    /// nobody looks, and interrupts.
    pub on: bool,
    /// Whether desktop notifications are shown.
    pub desktop: bool,
    /// Whether a rise of errors is told: people with an exception are counted beside the conversions.
    pub errors: bool,
    /// When nothing is told, by the clock of this device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// A program of the person's own with its arguments: it gets each alert as JSON. Never set by a page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            on: false,
            desktop: true,
            errors: false,
            quiet_hours: None,
            command: Vec::new(),
        }
    }
}

/// From one time of day to another, over midnight if the second one is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QuietHours {
    from: Time,
    to: Time,
}

impl QuietHours {
    /// Whether `now` is within, in this time zone.
    pub fn contains(self, now: Timestamp, zone: &TimeZone) -> bool {
        let time = zone.to_datetime(now).time();
        if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }
}

/// A text that names no quiet hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{0}” is no span of quiet hours; write two different times of day, for example 22:00-07:00"
)]
pub struct NoQuietHours(String);

impl FromStr for QuietHours {
    type Err = NoQuietHours;

    fn from_str(text: &str) -> Result<Self, NoQuietHours> {
        let wrong = || NoQuietHours(text.trim().to_owned());
        let (from, to) = text.split_once(['-', '–']).ok_or_else(wrong)?;
        let (from, to) = (time(from).ok_or_else(wrong)?, time(to).ok_or_else(wrong)?);
        (from != to).then_some(Self { from, to }).ok_or_else(wrong)
    }
}

/// `7:00`, `07:00`; a day ends at `24:00`.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| {
        let is_plain = (1..=2).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
        text.parse::<i8>().ok().filter(|_| is_plain)
    };
    match (number(hour)?, number(minute)?) {
        (24, 0) => Some(Time::midnight()),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from.hour(),
            from.minute(),
            to.hour(),
            to.minute()
        )
    }
}

impl TryFrom<String> for QuietHours {
    type Error = NoQuietHours;

    fn try_from(text: String) -> Result<Self, NoQuietHours> {
        text.parse()
    }
}

impl From<QuietHours> for String {
    fn from(hours: QuietHours) -> Self {
        hours.to_string()
    }
}

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

    fn quiet(text: &str, at: &str) -> bool {
        let hours: QuietHours = text.parse().unwrap();
        hours.contains(at.parse().unwrap(), &TimeZone::UTC)
    }

    #[test]
    fn quiet_hours_go_over_midnight_and_end_when_they_say() {
        for (hours, at, is_quiet) in [
            ("22:00-07:00", "2026-11-28T21:59:59Z", false),
            ("22:00-07:00", "2026-11-28T22:00:00Z", true),
            ("22:00-07:00", "2026-11-29T06:59:59Z", true),
            ("22:00-07:00", "2026-11-29T07:00:00Z", false),
            ("9:00 – 17:30", "2026-11-29T17:29:00Z", true),
            ("9:00 – 17:30", "2026-11-29T17:30:00Z", false),
            ("18:00-24:00", "2026-11-29T23:59:00Z", true),
            ("18:00-24:00", "2026-11-29T00:00:00Z", false),
        ] {
            assert_eq!(quiet(hours, at), is_quiet, "{hours} {at}");
        }
    }

    #[test]
    fn quiet_hours_that_make_no_sense_are_named() {
        for text in [
            "",
            "22-7",
            "25:00-07:00",
            "22:00-22:00",
            "22:60-07:00",
            "22:00",
            "a:b-c:d",
        ] {
            let error = text.parse::<QuietHours>().unwrap_err().to_string();
            assert!(error.contains("22:00-07:00"), "{text}: {error}");
        }
        let hours: QuietHours = "7:05-18:00".parse().unwrap();
        assert_eq!(hours.to_string(), "07:05-18:00");
    }

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
