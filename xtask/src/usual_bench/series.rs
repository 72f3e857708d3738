//! A file `timestamp,value` with any regular step from seconds to a day, with gaps.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};
use usual::Day;

/// A slot is known if at least this share of its values is there.
const KNOWN_SLOT: f64 = 0.5;
/// A day is used if at least this share of its slots is known; what is missing is filled as on the days before.
const KNOWN_DAY: f64 = 0.5;
/// The first and the last day are used if this share is known: they may have begun late or end early.
const KNOWN_EDGE: f64 = 0.95;
/// A gap is filled from this many days of the same weekday before.
const LIKE_DAYS: usize = 4;

/// The days of a series that can be used, by slots of 15, 30 or 60 minutes.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) days: Vec<Day>,
}

impl FromStr for Series {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut rows: Vec<(DateTime, f64)> = text.lines().filter_map(row).collect();
        rows.sort_by_key(|(when, _)| *when);
        let mut seconds = step(&rows).ok_or("it has fewer than two rows `timestamp,value`")?;
        if (3601..=86_400).contains(&seconds) {
            rows = by_hour(&rows, seconds);
            seconds = 3600;
        }
        let minutes = match seconds {
            ..=900 => 15,
            901..=1800 => 30,
            1801..=3600 => 60,
            _ => {
                return Err(format!(
                    "its step of {} hours is longer than a day",
                    seconds / 3600
                ));
            }
        };
        let mut days: BTreeMap<Date, Vec<(f64, f64)>> = BTreeMap::new();
        let slots = 1440 / minutes;
        for (when, value) in rows {
            let minute = usize::try_from(when.hour()).unwrap_or(0) * 60
                + usize::try_from(when.minute()).unwrap_or(0);
            let day = days
                .entry(when.date())
                .or_insert_with(|| vec![(0.0, 0.0); slots]);
            if let Some((sum, rows)) = day.get_mut(minute / minutes) {
                *sum += value;
                *rows += 1.0;
            }
        }
        let in_a_slot = (minutes * 60) as f64 / seconds as f64;
        let days: Vec<(Date, Vec<Option<f64>>)> = days
            .into_iter()
            .map(|(date, slots)| {
                let known =
                    |(sum, rows)| (rows >= KNOWN_SLOT * in_a_slot).then(|| sum / rows * in_a_slot);
                (date, slots.into_iter().map(known).collect())
            })
            .collect();
        Ok(Self {
            days: without_gaps(&days),
        })
    }
}

/// A line of the file; `None` for its head and for what is no row.
fn row(line: &str) -> Option<(DateTime, f64)> {
    let (when, value) = line.split_once(',')?;
    let when = when
        .trim()
        .trim_matches('"')
        .trim_end_matches('Z')
        .parse()
        .ok()?;
    let value: f64 = value.trim().trim_matches('"').parse().ok()?;
    value.is_finite().then_some((when, value))
}

/// Rows of a longer step, spread evenly over its hours.
fn by_hour(rows: &[(DateTime, f64)], seconds: i64) -> Vec<(DateTime, f64)> {
    let hours = (seconds + 3599) / 3600;
    rows.iter()
        .flat_map(|(when, value)| {
            (0..hours).filter_map(move |hour| {
                let when = when.checked_add(hour.hours()).ok()?;
                Some((when, value / hours as f64))
            })
        })
        .collect()
}

/// The usual distance of two rows, in seconds.
fn step(rows: &[(DateTime, f64)]) -> Option<i64> {
    let mut steps: Vec<i64> = rows
        .iter()
        .zip(rows.iter().skip(1))
        .map(|((a, _), (b, _))| b.duration_since(*a).as_secs())
        .filter(|step| *step > 0)
        .collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied()
}

/// Days with their gaps filled: by the same slots of the same weekday before, at the level of what is known of the day.
fn without_gaps(days: &[(Date, Vec<Option<f64>>)]) -> Vec<Day> {
    let mut filled: Vec<Day> = Vec::with_capacity(days.len());
    for (index, (date, slots)) in days.iter().enumerate() {
        let known = slots.iter().flatten().count() as f64 / slots.len() as f64;
        let at_an_edge = index == 0 || index + 1 == days.len();
        if known < if at_an_edge { KNOWN_EDGE } else { KNOWN_DAY } {
            continue;
        }
        let like: Vec<&Day> = filled
            .iter()
            .rev()
            .filter(|day| day.date.weekday() == date.weekday())
            .take(LIKE_DAYS)
            .collect();
        let usual = |slot: usize| {
            like.iter()
                .filter_map(|day| day.counts.get(slot))
                .sum::<f64>()
        };
        let (mut here, mut there) = (0.0, 0.0);
        for (slot, value) in slots.iter().enumerate() {
            if let Some(value) = value {
                here += value;
                there += usual(slot);
            }
        }
        let mean = here / slots.iter().flatten().count().max(1) as f64;
        let fill = |slot| {
            if there > 0.0 {
                usual(slot) * here / there
            } else {
                mean
            }
        };
        let counts = slots
            .iter()
            .enumerate()
            .map(|(slot, value)| value.unwrap_or_else(|| fill(slot)));
        filled.push(Day::new(*date, counts.collect()));
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn file(minutes: i64, days: i64, left_out: impl Fn(i64, i64) -> bool) -> String {
        let start = date(2026, 3, 2).at(0, 0, 53, 0);
        let rows = (0..days * 1440 / minutes).filter_map(|row| {
            let (day, minute) = (row * minutes / 1440, row * minutes % 1440);
            let value = if minute < 720 { 1 } else { 3 };
            (!left_out(day, minute))
                .then(|| format!("{},{value}\n", start + (row * minutes).minutes()))
        });
        format!("timestamp,value\n{}", rows.collect::<String>())
    }

    #[test]
    fn every_step_up_to_a_day_becomes_slots() {
        for (minutes, slots, first) in [
            (1, 96, 15.0),
            (5, 96, 3.0),
            (15, 96, 1.0),
            (30, 48, 1.0),
            (60, 24, 1.0),
            (180, 24, 1.0 / 3.0),
        ] {
            let series: Series = file(minutes, 3, |_, _| false).parse().unwrap();
            assert_eq!(series.days.len(), 3, "{minutes}");
            assert_eq!(series.days[1].counts.len(), slots);
            assert_eq!(
                (series.days[1].counts[0], series.days[1].counts[slots - 1]),
                (first, 3.0 * first)
            );
        }
        let daily: Series = file(1440, 9, |_, _| false).parse().unwrap();
        assert!((daily.days[3].total() - 1.0).abs() < 1e-9);
        let weekly = file(7 * 1440, 70, |_, _| false).parse::<Series>();
        assert!(weekly.unwrap_err().contains("168 hours"));
        assert!("timestamp,value\n".parse::<Series>().is_err());
    }

    #[test]
    fn a_gap_is_filled_as_usual_and_a_part_of_a_day_is_left_out() {
        let hole = |day, minute| match day {
            0 => minute < 300,
            7 => true,
            16 => (700..800).contains(&minute),
            20 => minute > 900,
            _ => false,
        };
        let series: Series = file(5, 21, hole).parse().unwrap();
        let dates: Vec<_> = series.days.iter().map(|day| day.date).collect();
        assert!(
            !dates.contains(&date(2026, 3, 2))
                && !dates.contains(&date(2026, 3, 9))
                && !dates.contains(&date(2026, 3, 22))
        );
        assert_eq!(series.days.len(), 18);
        let mended = series
            .days
            .iter()
            .find(|day| day.date == date(2026, 3, 18))
            .unwrap();
        assert_eq!(mended.counts, series.days[3].counts);
    }

    #[test]
    fn rows_that_are_none_are_passed_over() {
        let mut text = file(30, 2, |_, _| false);
        text.push_str("2026-03-03 12:10:00,\nnonsense\n2026-03-03 12:11:00,NaN\n");
        assert_eq!(text.parse::<Series>().unwrap().days.len(), 2);
    }
}
