//! Which closed days were out of the ordinary themselves.
//!
//! Such a day says nothing about what is usual, unless it lasts. Finding out takes a comparison of each day with the days
//! before it, so what is found is kept with the days, and only new days are compared.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use usual::Mark;

use super::Metric;
use crate::history::{Day, History};

/// Slots of a day.
const SLOTS: usize = 96;

/// The newest days may still change by events that arrive late, and are compared again.
const UNSETTLED_DAYS: usize = 2;

/// The marks of the closed days of a project, by metric.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marks {
    /// For each metric in the order of [`metrics`], the mark of each day.
    by_metric: Vec<BTreeMap<Date, Mark>>,
}

/// The metrics of a History, in their order: visitors, pageviews, conversions.
pub(super) fn metrics(history: &History) -> Vec<Metric> {
    let conversions = history.asked.conversions.iter().cloned();
    [Metric::Visitors, Metric::Pageviews]
        .into_iter()
        .chain(conversions.map(Metric::Conversion))
        .collect()
}

impl Marks {
    /// Marks the days of a History; days that `known` has marked and that have settled are not compared again.
    #[must_use]
    pub fn of(history: &History, known: Option<&Self>) -> Self {
        let by_metric = (0..metrics(history).len())
            .map(|nth| {
                let known = known.and_then(|known| known.by_metric.get(nth));
                let mut days = unmarked(history, nth);
                let settled = days.len().saturating_sub(UNSETTLED_DAYS);
                for day in days.iter_mut().take(settled) {
                    if let Some(mark) = known.and_then(|known| known.get(&day.date)) {
                        day.mark = *mark;
                    }
                }
                usual::mark_days(&mut days);
                days.iter().map(|day| (day.date, day.mark)).collect()
            })
            .collect();
        Self { by_metric }
    }

    /// The mark that a day has for the metric of this place.
    pub(super) fn mark(&self, nth: usize, date: Date) -> Mark {
        let marks = self.by_metric.get(nth);
        marks
            .and_then(|marks| marks.get(&date).copied())
            .unwrap_or_default()
    }
}

/// The days of a History by wall time with their marks, for the metric of this place.
pub(super) fn marked_days(history: &History, marks: &Marks, nth: usize) -> Vec<usual::Day> {
    let mut days = unmarked(history, nth);
    for day in &mut days {
        day.mark = marks.mark(nth, day.date);
    }
    days
}

fn unmarked(history: &History, nth: usize) -> Vec<usual::Day> {
    let zone = history.zone();
    let day = |day: &Day| {
        let counts: Vec<f64> = quarters(day, nth)
            .iter()
            .map(|count| *count as f64)
            .collect();
        by_wall_time(day, &zone, &counts, SLOTS)
    };
    history.lived().iter().map(day).collect()
}

/// What was counted of a metric in each quarter of an hour of a day.
fn quarters(day: &Day, nth: usize) -> &[u64] {
    match nth {
        0 => &day.first_views,
        1 => &day.pageviews,
        _ => day
            .first_conversions
            .get(nth - 2)
            .map_or(&[], Vec::as_slice),
    }
}

/// Counts in the order in which they passed, by wall time.
pub(super) fn by_wall_time(
    day: &Day,
    zone: &TimeZone,
    counts: &[f64],
    slots_per_day: usize,
) -> usual::Day {
    let date = day.date(zone);
    let slots = usual::wall_slots(date, zone, slots_per_day);
    usual::Day::from_passed(date, &slots, counts, slots_per_day)
}
