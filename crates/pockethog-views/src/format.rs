//! Numbers, changes, ages and dates as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::numerals::Numerals;
use pockethog_core::age;
use pockethog_core::overview::Change;

/// `2.9%`, `312%`, `new` or `–`; the direction is shown beside it.
pub fn change(change: Change) -> String {
    match change.percent() {
        None if change.is_new() => "new".to_owned(),
        None => "–".to_owned(),
        Some(percent) if percent.abs() < 99.95 => format!("{}%", decimal(percent.abs(), 1)),
        Some(percent) if percent < 999.5 => format!("{:.0}%", percent.abs()),
        Some(percent) => format!("{}×", grouped(rounded(percent / 100.0 + 1.0))),
    }
}

/// A change with its direction: `▲ 4.0%`, `▼ 5.3%`, `= 0%`, `▲ new`, or `–`.
pub fn arrow(of: Change) -> String {
    match (of.percent(), of.direction()) {
        (_, 1) => format!("▲ {}", change(of)),
        (Some(_), -1) => format!("▼ {}", change(of)),
        (Some(_), _) => "= 0%".to_owned(),
        (None, _) => change(of),
    }
}

/// A change as a phrase for those who hear the page.
pub fn spoken(of: Change) -> String {
    let text = change(of);
    match (of.percent(), of.direction()) {
        (None, _) if of.is_new() => "none before".to_owned(),
        (None, _) => "nothing to compare with".to_owned(),
        (_, 1) => format!("up {text}"),
        (_, -1) => format!("down {text}"),
        _ => "no change".to_owned(),
    }
}

/// `950`, `1.5k`, `12k`, `1.2M`, `3B`: at most two digits if it is shortened below ten.
pub(crate) fn compact(number: f64) -> String {
    for (size, unit) in [(1e9, "B"), (1e6, "M"), (1e3, "k")] {
        // 999,950 reads as 1M, not as 1000k.
        if number >= size * 0.999_95 && number >= 1000.0 {
            let short = number / size;
            let digits = usize::from(short < 99.95);
            return format!("{}{unit}", without_zero(short, digits));
        }
    }
    without_zero(number, 1)
}

/// A number with this many decimals, written as the user's locale does.
pub(crate) fn decimal(number: f64, decimals: usize) -> String {
    Numerals::chosen().decimal(number, decimals)
}

/// A number with its thousands set apart as the user's locale does.
pub fn grouped(number: u64) -> String {
    Numerals::chosen().grouped(number)
}

/// `3.7%`: a share of 1.
pub fn share(share: f64) -> String {
    format!("{}%", decimal(share * 100.0, 1))
}

/// `+0.6 pt`, `-0.2 pt` or `no change`: the difference of two shares of 1.
pub fn points(now: f64, before: f64) -> String {
    let points = (now - before) * 100.0;
    if points.abs() < 0.05 {
        "no change".to_owned()
    } else {
        let sign = if points < 0.0 { '−' } else { '+' };
        format!("{sign}{} pt", decimal(points.abs(), 1))
    }
}

/// `28 November 2026, 07:41`.
pub fn minute(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned_datetime(zone.clone());
    local.strftime("%-d %B %Y, %H:%M").to_string()
}

/// `just now`, `12 min ago`, `3 h ago`, `2 days ago`; `an unknown time ago` if the clock was ahead then.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let Some(seconds) = age::seconds(then, now) else {
        return "an unknown time ago".to_owned();
    };
    match seconds / 60 {
        i64::MIN..=0 => "just now".to_owned(),
        minutes @ 1..60 => format!("{minutes} min ago"),
        minutes @ 60..1440 => format!("{} h ago", minutes / 60),
        minutes @ 1440..2880 => format!("{} day ago", minutes / 1440),
        minutes => format!("{} days ago", minutes / 1440),
    }
}

/// `5 Nov`.
pub fn day(at: Timestamp, zone: &TimeZone) -> String {
    strftime(at, zone, "%-d %b")
}

/// `Thu 5 Nov`.
pub fn weekday(at: Timestamp, zone: &TimeZone) -> String {
    strftime(at, zone, "%a %-d %b")
}

/// `Thu 5 Nov 2026, 14:30`.
pub fn date_time(at: Timestamp, zone: &TimeZone) -> String {
    strftime(at, zone, "%a %-d %b %Y, %H:%M")
}

/// `14:00`.
pub fn hour(at: Timestamp, zone: &TimeZone) -> String {
    strftime(at, zone, "%H:%M")
}

/// The value of a date input.
pub(crate) fn date_value(at: Timestamp, zone: &TimeZone) -> String {
    strftime(at, zone, "%Y-%m-%d")
}

/// One thing or many: `1 project`, `12 projects`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    let word = if number == 1 { one } else { many };
    format!("{} {word}", grouped(number as u64))
}

/// `1.5`, but `2` where `2.0` would be printed.
fn without_zero(number: f64, decimals: usize) -> String {
    let whole = number.round();
    let shown = format!("{number:.decimals$}");
    if shown.parse() == Ok(whole) {
        return decimal(whole, 0);
    }
    decimal(number, decimals)
}

fn strftime(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    at.to_zoned_datetime(zone.clone())
        .strftime(format)
        .to_string()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and a count is not negative"
)]
fn rounded(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn axis_numbers_are_short() {
        let numbers = [
            0.0,
            0.5,
            500.0,
            1500.0,
            6000.0,
            12_000.0,
            150_000.0,
            999_990.0,
            2_500_000.0,
            3e9,
        ];
        assert_eq!(
            numbers.map(compact),
            [
                "0", "0.5", "500", "1.5k", "6k", "12k", "150k", "1M", "2.5M", "3B"
            ]
        );
    }

    #[test]
    fn changes_tell_nothing_from_new_from_none() {
        assert_eq!(Change::between(0, 0), Change::NONE);
        assert_eq!(change(Change::between(5, 0)), "new");
        assert_eq!(spoken(Change::between(0, 5)), "down 100%");
        assert_eq!(change(Change::between(103, 100)), "3.0%");
        assert_eq!(spoken(Change::between(500, 500)), "no change");
        assert_eq!(change(Change::between(5000, 100)), "50×");
    }

    #[test]
    fn a_change_has_its_direction() {
        for (now, before, expected) in [
            (104, 100, "▲ 4.0%"),
            (95, 100, "▼ 5.0%"),
            (0, 100, "▼ 100%"),
            (100, 100, "= 0%"),
            (1, 0, "▲ new"),
            (0, 0, "–"),
        ] {
            assert_eq!(arrow(Change::between(now, before)), expected);
        }
    }

    #[test]
    fn ages_are_short() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let before = |seconds: i64| ago(Timestamp::from_second(1_000_000 - seconds).unwrap(), now);
        assert_eq!(before(-3), "just now");
        assert_eq!(before(-50), "an unknown time ago");
        assert_eq!(before(12 * 60), "12 min ago");
        assert_eq!(before(3 * 3600), "3 h ago");
        assert_eq!(before(49 * 3600), "2 days ago");
    }

    #[test]
    fn dates_are_those_of_the_zone() {
        let at: Timestamp = "2026-11-05T23:30:00Z".parse().unwrap();
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        assert_eq!(day(at, &zone), "6 Nov");
        assert_eq!(date_value(at, &TimeZone::UTC), "2026-11-05");
        assert_eq!(date_time(at, &zone), "Fri 6 Nov 2026, 08:30");
    }
}
