//! The bounds of `dateRange`: ISO dates and instants, and PostHog's relative ones.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _, ZonedDateTime};
use serde_json::Value;

use super::{call, constant, invalid, text};
use crate::error::QueryError;
use crate::syntax::{Constant, Expression};

/// The instant that a bound stands for; `None` if there is no bound.
pub(super) fn date(
    value: Option<&Value>,
    zone: &str,
    now: i64,
) -> Result<Option<Expression>, QueryError> {
    let given = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(given)) if given == "all" => return Ok(None),
        Some(Value::String(given)) => given.as_str(),
        Some(_) => return Err(invalid("A date has to be a text")),
    };
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let at = absolute(given, &zone)
        .or_else(|| relative(given, &zone, now))
        .ok_or_else(|| invalid(&format!("Invalid date: {given}")))?;
    let utc = at.to_zoned_datetime(TimeZone::UTC);
    Ok(Some(call(
        "toDateTime64",
        vec![
            text(&utc.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            constant(Constant::Integer(6)),
            text("UTC"),
        ],
    )))
}

/// With an offset, or else in the zone of the project.
fn absolute(given: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(at) = given.parse::<Timestamp>() {
        return Some(at);
    }
    let local = given
        .parse::<DateTime>()
        .or_else(|_| {
            given
                .parse()
                .map(|day: jiff::civil::Date| day.to_datetime(Time::midnight()))
        })
        .ok()?;
    local
        .to_zoned_datetime(zone.clone())
        .ok()
        .map(|at| at.timestamp())
}

/// `-7d`, `-1dStart`, `mStart`: so much time before now, and then the start or the end of the unit.
fn relative(given: &str, zone: &TimeZone, now: i64) -> Option<Timestamp> {
    let now = Timestamp::from_second(now)
        .ok()?
        .to_zoned_datetime(zone.clone());
    let given = given.strip_prefix('-').unwrap_or(given);
    let digits = given
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(given.len());
    let (count, rest) = given.split_at(digits);
    let count: i64 = if count.is_empty() {
        0
    } else {
        count.parse().ok()?
    };
    let unit = rest.chars().next()?;
    let back = span(unit, count)?;
    let at = now.checked_sub(back).ok()?;
    match rest.get(unit.len_utf8()..)? {
        "" => Some(at.timestamp()),
        "Start" => start(&at, unit).map(|at| at.timestamp()),
        "End" => {
            let next = start(&at, unit)?.checked_add(span(unit, 1)?).ok()?;
            next.timestamp().checked_sub(1.second()).ok()
        }
        _ => None,
    }
}

fn span(unit: char, count: i64) -> Option<Span> {
    let span = Span::new();
    match unit {
        'h' => span.try_hours(count).ok(),
        'd' => span.try_days(count).ok(),
        'w' => span.try_weeks(count).ok(),
        'M' => span.try_minutes(count).ok(),
        'm' => span.try_months(count).ok(),
        'q' => span.try_months(count.checked_mul(3)?).ok(),
        'y' => span.try_years(count).ok(),
        _ => None,
    }
}

/// When the hour, day, month or year of an instant began.
fn start(at: &ZonedDateTime, unit: char) -> Option<ZonedDateTime> {
    let begin = |at: ZonedDateTime| at.start_of_day().ok();
    match unit {
        'h' => at
            .with()
            .minute(0)
            .second(0)
            .subsec_nanosecond(0)
            .build()
            .ok(),
        'd' => begin(at.clone()),
        'm' => begin(at.first_of_month().ok()?),
        'y' => begin(at.first_of_year().ok()?),
        _ => None,
    }
}
