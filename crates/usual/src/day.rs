//! Counts of a day by wall time.

use std::collections::VecDeque;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::range::Direction;

/// What is known about a closed day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Nobody has compared it with the days before it.
    #[default]
    Unjudged,
    /// It was as usual.
    Ordinary,
    /// It left its range, and first in this direction.
    Moved(Direction),
}

/// A closed day: one count for each slot of wall time, of a quarter of an hour (96), half an hour (48) or an hour (24).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Day {
    /// Which day.
    pub date: Date,
    /// What was counted in each slot, from midnight on.
    pub counts: Vec<f64>,
    /// What [`crate::mark_days`] made of it.
    #[serde(default)]
    pub mark: Mark,
}

impl Day {
    /// A day that nobody has judged. A count that is negative or no number becomes 0.
    pub fn new(date: Date, counts: Vec<f64>) -> Self {
        Self {
            date,
            counts: counts.into_iter().map(sane).collect(),
            mark: Mark::Unjudged,
        }
    }

    /// A day from its slots in the order in which they passed: 92 to 100 quarters if the clock was changed.
    ///
    /// `slots` says which slot of wall time each of them was, as [`wall_slots`] does. A slot that came twice gets
    /// the mean of both, one that was left out what is between its neighbours: this day is compared with
    /// days on which that hour passed once.
    pub fn from_passed(date: Date, slots: &[usize], counts: &[f64], slots_per_day: usize) -> Self {
        let mut sums = vec![(0.0, 0.0); slots_per_day];
        for (&slot, &count) in slots.iter().zip(counts) {
            if let Some((sum, times)) = sums.get_mut(slot) {
                *sum += sane(count);
                *times += 1.0;
            }
        }
        let known: Vec<Option<f64>> = sums
            .into_iter()
            .map(|(sum, times)| (times > 0.0).then(|| sum / times))
            .collect();
        Self::new(date, between_neighbours(&known))
    }

    /// The sum of the day.
    pub fn total(&self) -> f64 {
        self.counts.iter().sum()
    }
}

/// The day that is not over: what was counted in the slots that have closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Today {
    /// Which day.
    pub date: Date,
    /// What was counted in each closed slot, in the order in which they passed. A slot is closed once its end is
    /// longer ago than events of this project arrive late.
    pub counts: Vec<f64>,
    /// Which slot of wall time each of them is.
    pub slots: Vec<usize>,
}

impl Today {
    /// A day without a change of the clock so far.
    pub fn new(date: Date, counts: Vec<f64>) -> Self {
        let slots = (0..counts.len()).collect();
        Self::with_slots(date, counts, slots)
    }

    /// A day whose slots of wall time are given, as by [`wall_slots`]. What is longer than the other is cut off.
    pub fn with_slots(date: Date, counts: Vec<f64>, mut slots: Vec<usize>) -> Self {
        let mut counts: Vec<f64> = counts.into_iter().map(sane).collect();
        slots.truncate(counts.len());
        counts.truncate(slots.len());
        Self {
            date,
            counts,
            slots,
        }
    }
}

/// The slots of wall time that pass on a day, in order: `0, 1, … 95` on most, without those that the clock leaves out,
/// and with those twice that it repeats.
pub fn wall_slots(date: Date, zone: &TimeZone, slots_per_day: usize) -> Vec<usize> {
    let Some(minutes) = 1440_usize
        .checked_div(slots_per_day)
        .filter(|minutes| *minutes > 0)
    else {
        return Vec::new();
    };
    let ordinary = || (0..slots_per_day).collect();
    let start_of = |date: Date| {
        Some(
            zone.to_timestamp(date.to_datetime(Time::midnight()))
                .ok()?
                .as_second(),
        )
    };
    let (Some(start), Some(end)) = (start_of(date), date.tomorrow().ok().and_then(start_of)) else {
        return ordinary();
    };
    let mut slots = Vec::with_capacity(slots_per_day + 4);
    let mut at = start;
    while at < end {
        let Ok(instant) = jiff::Timestamp::from_second(at) else {
            return ordinary();
        };
        let time = zone.to_datetime(instant).time();
        let minute = usize::try_from(time.hour()).unwrap_or(0) * 60
            + usize::try_from(time.minute()).unwrap_or(0);
        slots.push((minute / minutes).min(slots_per_day.saturating_sub(1)));
        at += i64::try_from(minutes).unwrap_or(60) * 60;
    }
    slots
}

fn sane(count: f64) -> f64 {
    if count.is_finite() {
        count.clamp(0.0, 1e15)
    } else {
        0.0
    }
}

/// Fills each gap with the line between the values beside it; at an end, with the only one there is.
fn between_neighbours(known: &[Option<f64>]) -> Vec<f64> {
    let mut filled = Vec::with_capacity(known.len());
    let mut ahead: VecDeque<(usize, f64)> = known
        .iter()
        .enumerate()
        .filter_map(|(slot, value)| Some((slot, (*value)?)))
        .collect();
    let mut before: Option<(usize, f64)> = None;
    for (slot, value) in known.iter().enumerate() {
        if let Some(value) = value {
            before = Some((slot, *value));
            ahead.pop_front();
            filled.push(*value);
            continue;
        }
        filled.push(match (before, ahead.front()) {
            (Some((from, a)), Some(&(to, b))) => {
                a + (b - a) * (slot - from) as f64 / (to - from) as f64
            }
            (Some((_, only)), None) | (None, Some(&(_, only))) => only,
            (None, None) => 0.0,
        });
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_day_has_the_quarters_that_its_clock_shows() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let ordinary = wall_slots(date(2026, 6, 1), &berlin, 96);
        assert_eq!(ordinary, (0..96).collect::<Vec<_>>());
        // 02:00 to 03:00 does not happen in spring, and happens twice in autumn.
        let spring = wall_slots(date(2026, 3, 29), &berlin, 96);
        assert_eq!(spring.len(), 92);
        assert_eq!(spring[7..9], [7, 12]);
        let autumn = wall_slots(date(2026, 10, 25), &berlin, 96);
        assert_eq!(autumn.len(), 100);
        assert_eq!(autumn[11..13], [11, 8]);
        // Half an hour, on an island.
        let howe = TimeZone::get("Australia/Lord_Howe").unwrap();
        assert_eq!(wall_slots(date(2026, 10, 4), &howe, 96).len(), 94);
    }

    #[test]
    fn an_hour_that_came_twice_counts_once_and_a_missing_one_is_filled() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for day in [date(2026, 3, 29), date(2026, 10, 25)] {
            let slots = wall_slots(day, &berlin, 96);
            let counts: Vec<f64> = slots.iter().map(|slot| *slot as f64).collect();
            let made = Day::from_passed(day, &slots, &counts, 96);
            assert_eq!(
                made.counts,
                (0..96).map(f64::from).collect::<Vec<_>>(),
                "{day}"
            );
        }
        assert_eq!(
            Day::from_passed(date(2026, 1, 1), &[], &[], 4).counts,
            [0.0; 4]
        );
    }

    #[test]
    fn what_is_no_count_is_zero() {
        let day = Day::new(date(2026, 1, 1), vec![f64::NAN, -3.0, f64::INFINITY, 2.0]);
        assert_eq!(day.counts, [0.0, 0.0, 0.0, 2.0]);
    }
}
