//! Instants, days and time zones. Instants are Unix seconds, days are days since 1970.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::{Arguments, deterministic};

const EPOCH: Date = Date::constant(1970, 1, 1);

pub(super) fn register(database: &Connection) -> rusqlite::Result<()> {
    // Unit, count, instant, zone: the start of the interval that contains the instant.
    let offsets = Offsets::default();
    database.create_scalar_function("h_start", 4, deterministic(), move |context| {
        let a = Arguments(context);
        let (Some(at), Some(zone)) = (a.integer(2), a.zone(3)) else {
            return Ok(None);
        };
        let count = a.integer(1).unwrap_or(1).max(1);
        let seconds = match a.0.get_raw(0).as_str()? {
            "second" => count,
            "minute" => count * 60,
            "hour" => count * 3600,
            "day" if count == 1 => return Ok(offsets.start_of_day(at, &zone)),
            unit => return Ok(zoned(at, &zone).and_then(|at| start_of_days(unit, count, &at))),
        };
        let offset = offsets.at(at, &zone);
        Ok(Some((at + offset).div_euclid(seconds) * seconds - offset))
    })?;
    // Unit, count, days: the first day of the interval that contains the day.
    database.create_scalar_function("h_start_day", 3, deterministic(), |context| {
        let a = Arguments(context);
        let day = a.integer(2).and_then(day);
        Ok(day
            .and_then(|day| first_day(a.0.get_raw(0).as_str().ok()?, a.integer(1)?.max(1), day))
            .map(days))
    })?;
    database.create_scalar_function("h_day", 2, deterministic(), |context| {
        let a = Arguments(context);
        let (Some(at), Some(zone)) = (a.integer(0), a.zone(1)) else {
            return Ok(None);
        };
        Ok(zoned(at, &zone).map(|at| days(at.date())))
    })?;
    database.create_scalar_function("h_midnight", 2, deterministic(), |context| {
        let a = Arguments(context);
        let (Some(day), Some(zone)) = (a.integer(0).and_then(day), a.zone(1)) else {
            return Ok(None);
        };
        Ok(start_of_day(day, &zone))
    })?;
    database.create_scalar_function("h_part", 3, deterministic(), |context| {
        let a = Arguments(context);
        let (Some(at), Some(zone)) = (a.integer(1), a.zone(2)) else {
            return Ok(None);
        };
        Ok(zoned(at, &zone).and_then(|at| part(a.0.get_raw(0).as_str().ok()?, &at)))
    })?;
    // Instant, count, unit, zone.
    database.create_scalar_function("h_add", 4, deterministic(), |context| {
        let a = Arguments(context);
        let (Some(at), Some(count), Some(zone)) = (a.integer(0), a.integer(1), a.zone(3)) else {
            return Ok(None);
        };
        Ok(add(at, count, a.0.get_raw(2).as_str()?, &zone))
    })?;
    // Unit, from, until, zone: how often the unit changed between.
    database.create_scalar_function("h_between", 4, deterministic(), |context| {
        let a = Arguments(context);
        let (Some(from), Some(until), Some(zone)) = (a.integer(1), a.integer(2), a.zone(3)) else {
            return Ok(None);
        };
        let unit = a.0.get_raw(0).as_str()?;
        Ok(zoned(from, &zone)
            .zip(zoned(until, &zone))
            .and_then(|(from, until)| Some(ordinal(unit, &until)? - ordinal(unit, &from)?)))
    })?;
    database.create_scalar_function("h_instant", 2, deterministic(), |context| {
        let a = Arguments(context);
        Ok(match (a.value(0), a.zone(1)) {
            (Value::Text(text), Some(zone)) => instant(&text, &zone),
            _ => a.integer(0),
        })
    })?;
    database.create_scalar_function("h_date", 1, deterministic(), |context| {
        let a = Arguments(context);
        let text = a.text(0);
        Ok(text
            .get(..10)
            .and_then(|text| text.parse::<Date>().ok())
            .map(days))
    })?;
    database.create_scalar_function("h_format", 3, deterministic(), |context| {
        let a = Arguments(context);
        let (Some(at), Some(zone)) = (a.integer(0), a.zone(2)) else {
            return Ok(None);
        };
        Ok(zoned(at, &zone).map(|at| format(&at, &a.text(1))))
    })?;
    database.create_scalar_function("h_date_text", 1, deterministic(), |context| {
        let a = Arguments(context);
        Ok(a.integer(0).and_then(date_text))
    })
}

/// The last answers: rows come by time, and most are in the same day.
#[derive(Default)]
struct Offsets {
    offset: RefCell<Option<(Stretch, i64)>>,
    day: RefCell<Option<Stretch>>,
}

/// The instants from a start to an end, in a zone.
struct Stretch {
    zone: Arc<TimeZone>,
    range: Range<i64>,
}

impl Stretch {
    fn contains(&self, at: i64, zone: &Arc<TimeZone>) -> bool {
        Arc::ptr_eq(&self.zone, zone) && self.range.contains(&at)
    }
}

impl Offsets {
    /// Seconds that the zone is ahead of UTC at an instant.
    fn at(&self, at: i64, zone: &Arc<TimeZone>) -> i64 {
        let mut last = self.offset.borrow_mut();
        if let Some((stretch, offset)) = last.as_ref()
            && stretch.contains(at, zone)
        {
            return *offset;
        }
        let Ok(instant) = Timestamp::from_second(at) else {
            return 0;
        };
        let offset = i64::from(zone.to_offset(instant).seconds());
        let until = zone
            .following(instant)
            .next()
            .map_or(i64::MAX, |change| change.timestamp().as_second());
        let zone = Arc::clone(zone);
        let range = at..until;
        *last = Some((Stretch { zone, range }, offset));
        offset
    }

    fn start_of_day(&self, at: i64, zone: &Arc<TimeZone>) -> Option<i64> {
        let mut last = self.day.borrow_mut();
        if let Some(stretch) = last.as_ref()
            && stretch.contains(at, zone)
        {
            return Some(stretch.range.start);
        }
        let date = zoned(at, zone)?.date();
        let range = start_of_day(date, zone)?..start_of_day(date.tomorrow().ok()?, zone)?;
        let start = range.start;
        let zone = Arc::clone(zone);
        *last = Some(Stretch { zone, range });
        Some(start)
    }
}

fn zoned(at: i64, zone: &TimeZone) -> Option<ZonedDateTime> {
    Some(
        Timestamp::from_second(at)
            .ok()?
            .to_zoned_datetime(zone.clone()),
    )
}

fn days(date: Date) -> i64 {
    i64::from(EPOCH.until(date).map_or(0, |span| span.get_days()))
}

fn day(days: i64) -> Option<Date> {
    EPOCH.checked_add(Span::new().try_days(days).ok()?).ok()
}

/// The first instant of a day, which is not midnight if the clock skips it.
fn start_of_day(date: Date, zone: &TimeZone) -> Option<i64> {
    let start = date
        .to_zoned_datetime(zone.clone())
        .ok()?
        .start_of_day()
        .ok()?;
    Some(start.timestamp().as_second())
}

fn start_of_days(unit: &str, count: i64, at: &ZonedDateTime) -> Option<i64> {
    start_of_day(first_day(unit, count, at.date())?, at.time_zone())
}

/// The first day of the `count` days, weeks (from Monday), months … that contain `date`.
fn first_day(unit: &str, count: i64, date: Date) -> Option<Date> {
    let months = |months_each: i64| {
        let month = i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
        let first = month.div_euclid(months_each * count) * months_each * count;
        Date::new(
            i16::try_from(first.div_euclid(12)).ok()?,
            i8::try_from(first.rem_euclid(12) + 1).ok()?,
            1,
        )
        .ok()
    };
    match unit {
        "day" => day(days(date).div_euclid(count) * count),
        // 1970 began on a Thursday.
        "week" => day((days(date) + 3).div_euclid(7 * count) * 7 * count - 3),
        "sunday" => day((days(date) + 4).div_euclid(7) * 7 - 4),
        "month" => months(1),
        "quarter" => months(3),
        "year" => months(12),
        _ => None,
    }
}

fn part(name: &str, at: &ZonedDateTime) -> Option<i64> {
    Some(match name {
        "toHour" => i64::from(at.hour()),
        "toMinute" => i64::from(at.minute()),
        "toSecond" => i64::from(at.second()),
        "toDayOfWeek" => i64::from(at.weekday().to_monday_one_offset()),
        "toDayOfMonth" => i64::from(at.day()),
        "toDayOfYear" => i64::from(at.day_of_year()),
        "toMonth" => i64::from(at.month()),
        "toQuarter" => i64::from((at.month() + 2) / 3),
        "toYear" => i64::from(at.year()),
        "toISOWeek" => i64::from(at.date().iso_week_date().week()),
        "toISOYear" => i64::from(at.date().iso_week_date().year()),
        "toYYYYMM" => i64::from(at.year()) * 100 + i64::from(at.month()),
        "toYYYYMMDD" => {
            i64::from(at.year()) * 10_000 + i64::from(at.month()) * 100 + i64::from(at.day())
        }
        _ => return None,
    })
}

fn add(at: i64, count: i64, unit: &str, zone: &TimeZone) -> Option<i64> {
    let seconds = match unit {
        "second" => Some(1),
        "minute" => Some(60),
        "hour" => Some(3600),
        _ => None,
    };
    if let Some(seconds) = seconds {
        return at.checked_add(count.checked_mul(seconds)?);
    }
    // Days and longer ones keep the time of day.
    let span = Span::new();
    let span = match unit {
        "day" => span.try_days(count),
        "week" => span.try_weeks(count),
        "month" => span.try_months(count),
        "quarter" => span.try_months(count.checked_mul(3)?),
        "year" => span.try_years(count),
        _ => return None,
    };
    Some(
        zoned(at, zone)?
            .checked_add(span.ok()?)
            .ok()?
            .timestamp()
            .as_second(),
    )
}

/// The number of the unit that contains an instant, counted from any start.
fn ordinal(unit: &str, at: &ZonedDateTime) -> Option<i64> {
    let local = at.timestamp().as_second() + i64::from(at.offset().seconds());
    let months = i64::from(at.year()) * 12 + i64::from(at.month()) - 1;
    Some(match unit {
        "second" => at.timestamp().as_second(),
        "minute" => local.div_euclid(60),
        "hour" => local.div_euclid(3600),
        "day" => days(at.date()),
        "week" => (days(at.date()) + 3).div_euclid(7),
        "month" => months,
        "quarter" => months.div_euclid(3),
        "year" => i64::from(at.year()),
        _ => return None,
    })
}

/// An instant as people and programs write it; without an offset it is meant in `zone`.
pub(crate) fn instant(text: &str, zone: &TimeZone) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_second());
    }
    if (9..=10).contains(&text.len())
        && let Ok(seconds) = text.parse::<i64>()
    {
        return Some(seconds);
    }
    let local = text.parse::<DateTime>().ok()?;
    Some(
        local
            .to_zoned_datetime(zone.clone())
            .ok()?
            .timestamp()
            .as_second(),
    )
}

/// An instant as PostHog writes it: with the zone's offset, `Z` if that is zero.
pub(crate) fn instant_text(at: i64, zone: &TimeZone) -> Option<String> {
    let text = zoned(at, zone)?
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string();
    Some(match text.strip_suffix("+00:00") {
        Some(utc) => format!("{utc}Z"),
        None => text,
    })
}

/// A day as PostHog writes it.
pub(crate) fn date_text(days: i64) -> Option<String> {
    day(days).map(|date| date.to_string())
}

/// ClickHouse's `formatDateTime`.
fn format(at: &ZonedDateTime, pattern: &str) -> String {
    let mut text = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let jiff = match letters.next() {
            Some('i') => "%M",
            Some('M') => "%B",
            Some('s' | 'S') => "%S",
            Some('W') => "%A",
            Some('c') => "%-m",
            Some('r') => "%I:%M %p",
            Some('h') => "%I",
            Some('n') => "\n",
            Some('t') => "\t",
            Some('f') => "000000",
            Some('Q') => {
                text.push_str(&((at.month() + 2) / 3).to_string());
                continue;
            }
            Some('w') => {
                text.push_str(&at.weekday().to_sunday_zero_offset().to_string());
                continue;
            }
            Some('%') => {
                text.push('%');
                continue;
            }
            Some(
                same @ ('Y' | 'y' | 'm' | 'd' | 'e' | 'D' | 'F' | 'H' | 'I' | 'T' | 'R' | 'j' | 'a'
                | 'b' | 'p' | 'V' | 'u' | 'G' | 'z' | 'k' | 'l' | 'C' | 'g'),
            ) => {
                text.push_str(&at.strftime(&format!("%{same}")).to_string());
                continue;
            }
            Some(other) => {
                text.extend(['%', other]);
                continue;
            }
            None => "%",
        };
        if jiff.starts_with('%') && jiff.len() > 1 {
            text.push_str(&at.strftime(jiff).to_string());
        } else {
            text.push_str(jiff);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::civil::Weekday;

    use super::*;

    #[test]
    fn a_day_of_changing_clocks_is_as_long_as_it_is() {
        let berlin = Arc::new(TimeZone::get("Europe/Berlin").unwrap());
        let offsets = Offsets::default();
        // 2026-03-29 has 23 hours, from 23:00 UTC to 22:00 UTC.
        let start = instant("2026-03-28T23:00:00Z", &berlin).unwrap();
        for at in start..start + 23 * 3600 {
            assert_eq!(offsets.start_of_day(at, &berlin), Some(start), "{at}");
        }
        assert_eq!(
            offsets.start_of_day(start + 23 * 3600, &berlin),
            Some(start + 23 * 3600)
        );
        assert_eq!(offsets.at(start + 3599, &berlin), 3600);
        assert_eq!(offsets.at(start + 2 * 3600, &berlin), 7200);
    }

    #[test]
    fn weeks_start_where_they_are_asked_to() {
        let tuesday: Date = "2026-11-24".parse().unwrap();
        assert_eq!(tuesday.weekday(), Weekday::Tuesday);
        assert_eq!(
            first_day("week", 1, tuesday).unwrap().to_string(),
            "2026-11-23"
        );
        assert_eq!(
            first_day("sunday", 1, tuesday).unwrap().to_string(),
            "2026-11-22"
        );
        assert_eq!(
            first_day("quarter", 1, tuesday).unwrap().to_string(),
            "2026-10-01"
        );
    }
}
