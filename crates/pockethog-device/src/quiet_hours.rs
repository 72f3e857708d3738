//! Hours of the day in which a person wants to hear nothing, by the clock of the device.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

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
}
