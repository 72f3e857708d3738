//! What a number is compared with.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::HISTORY_DAYS;
use crate::day::{Day, Mark, Today};
use crate::fit::{Course, Courses, Look, Material, Seen, Strictness, pace, sums, wide_range};
use crate::judgement::Judgement;
use crate::level::{levels, usable};
use crate::range::{Basis, Direction};

/// A baseline needs this many days between its first day and the day that is judged.
const LEAST_DAYS_BEFORE: i32 = 21;

/// What a person wants to compare with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// The same weekday at the same time over the last weeks; with too little history, the best there is.
    #[default]
    Usual,
    /// The same weekday a week ago.
    LastWeek,
    /// The day before.
    Yesterday,
}

/// How readily a number leaves its range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Only what is far outside.
    Calm,
    /// What the benchmark measures.
    #[default]
    Normal,
    /// Earlier, and wrong more often.
    Nervous,
}

impl Sensitivity {
    fn strictness(self) -> Strictness {
        let (days_per_year, least_deviations) = match self {
            Self::Calm => (4.0, 3.5),
            Self::Normal => (12.0, 2.8),
            Self::Nervous => (30.0, 2.5),
        };
        Strictness {
            share_of_days: days_per_year / 365.0,
            least_deviations,
        }
    }
}

/// One number of one project, ready to judge one day.
#[derive(Clone, Debug)]
pub struct Baseline {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Fitted {
        courses: Courses,
        weeks: usize,
    },
    OneDay {
        counts: Vec<f64>,
        basis: Basis,
        factor: f64,
    },
    Nothing,
}

impl Baseline {
    /// Fits a baseline for the day `date` to the closed days before it; later days, and those that are older than
    /// [`HISTORY_DAYS`], are ignored. So is a day with another number of slots than the newest one.
    pub fn new(days: &[Day], date: Date, compare: Compare, sensitivity: Sensitivity) -> Self {
        let mut days: Vec<&Day> = days
            .iter()
            .filter(|day| {
                (1..=HISTORY_DAYS).contains(&days_between(day.date, date).try_into().unwrap_or(0))
            })
            .collect();
        days.sort_by_key(|day| day.date);
        days.dedup_by_key(|day| day.date);
        let slots = days.last().map_or(0, |day| day.counts.len());
        days.retain(|day| day.counts.len() == slots);
        if slots == 0 || !slots.is_multiple_of(24) {
            return Self {
                kind: Kind::Nothing,
            };
        }
        let one_day = |ago: i32, basis, factor| {
            let day = days
                .iter()
                .find(|day| days_between(day.date, date) == ago)?;
            Some(Kind::OneDay {
                counts: day.counts.clone(),
                basis,
                factor,
            })
        };
        let yesterday = || one_day(1, Basis::Yesterday, 3.0);
        let last_week = || one_day(7, Basis::LastWeek, 2.0).or_else(yesterday);
        let kind = match compare {
            Compare::Usual => {
                fitted(&days, date, slots, sensitivity.strictness()).or_else(last_week)
            }
            Compare::LastWeek => last_week(),
            Compare::Yesterday => yesterday(),
        };
        Self {
            kind: kind.unwrap_or(Kind::Nothing),
        }
    }

    /// What this day is compared with; `None` if there is nothing.
    pub fn basis(&self) -> Option<Basis> {
        match &self.kind {
            Kind::Fitted { weeks, .. } => Some(Basis::Weeks(*weeks)),
            Kind::OneDay { basis, .. } => Some(*basis),
            Kind::Nothing => None,
        }
    }

    /// What usually comes in each slot of the day, for curves; their sum by now is the centre by now. Empty
    /// if there is nothing to compare with.
    pub fn curve(&self) -> Vec<f64> {
        match &self.kind {
            Kind::Fitted { courses, .. } => increments(&courses.so_far.centre),
            Kind::OneDay { counts, .. } => counts.clone(),
            Kind::Nothing => Vec::new(),
        }
    }

    /// What usually comes on the whole day.
    pub fn whole_day(&self) -> f64 {
        self.curve().iter().sum()
    }

    /// Reads the closed slots of a day in order: what an attentive person would have seen, and where it has left them.
    ///
    /// `carried` is the direction in which the day before was still moved when it ended: what is back to usual since
    /// then is said once.
    pub fn judge(&self, today: &Today, carried: Option<Direction>) -> Judgement {
        Judgement::of(self.looks(today), self.whole_day(), self.basis(), carried)
    }

    /// All looks at the day at the end of each closed slot.
    fn looks(&self, today: &Today) -> Vec<Vec<Seen>> {
        match &self.kind {
            Kind::Fitted { courses, .. } => looks_at(courses, today),
            Kind::OneDay { counts, factor, .. } => looks_beside(counts, *factor, today),
            Kind::Nothing => Vec::new(),
        }
    }
}

/// Marks the days that moved, in order, each by the days before it. Days that are marked already keep their mark, and
/// those with less than three weeks before them stay unjudged. Call it when days have closed, and keep the marks.
pub fn mark_days(days: &mut [Day]) {
    days.sort_by_key(|day| day.date);
    for index in 0..days.len() {
        let (before, rest) = days.split_at_mut(index);
        let Some(day) = rest.first_mut().filter(|day| day.mark == Mark::Unjudged) else {
            continue;
        };
        let baseline = Baseline::new(before, day.date, Compare::Usual, Sensitivity::Normal);
        if let Kind::Fitted { .. } = baseline.kind {
            let judgement = baseline.judge(&Today::new(day.date, day.counts.clone()), None);
            day.mark = judgement
                .first_move()
                .map_or(Mark::Ordinary, |first| Mark::Moved(first.direction));
        }
    }
}

fn days_between(earlier: Date, later: Date) -> i32 {
    earlier.until(later).map_or(0, |span| span.get_days())
}

fn fitted(days: &[&Day], date: Date, slots: usize, strictness: Strictness) -> Option<Kind> {
    if days_between(days.first()?.date, date) < LEAST_DAYS_BEFORE {
        return None;
    }
    let weekday = |date: Date| usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
    let owned: Vec<Day> = days.iter().map(|day| (*day).clone()).collect();
    let usable = usable(&owned);
    let mut levels = levels(&owned, &usable);
    let material = Material {
        target_level: levels.pop()?,
        days: days.iter().map(|day| day.counts.as_slice()).collect(),
        weekdays: days.iter().map(|day| weekday(day.date)).collect(),
        usable,
        levels,
        target_weekday: weekday(date),
        slots,
    };
    let weeks = (0..days.len())
        .filter(|&day| {
            material.weekdays.get(day) == Some(&material.target_weekday)
                && material.usable.get(day) == Some(&true)
        })
        .count();
    Some(Kind::Fitted {
        courses: Courses::fit(&material, strictness)?,
        weeks,
    })
}

/// The differences of a growing sum.
fn increments(sums: &[f64]) -> Vec<f64> {
    let before = std::iter::once(&0.0).chain(sums);
    sums.iter()
        .zip(before)
        .map(|(sum, before)| (sum - before).max(0.0))
        .collect()
}

fn looks_at(courses: &Courses, today: &Today) -> Vec<Vec<Seen>> {
    let day = courses.whole_day();
    let usual = increments(&courses.so_far.centre);
    // By the slots that passed: an hour that the clock repeats is usual twice, one that it leaves out not at all.
    let usual_so_far = sums(&passed(&usual, today), None);
    let so_far = sums(&today.counts, None);
    let at = |values: &[f64], index: usize| values.get(index).copied().unwrap_or(0.0);
    let recent: Vec<(&Course, usize, Vec<f64>)> = courses
        .recent
        .iter()
        .filter_map(|course| Some((course, course.window?, sums(&today.counts, course.window))))
        .collect();
    today
        .slots
        .iter()
        .enumerate()
        .map(|(index, &slot)| {
            let seen = |course: &Course, count, centre| Seen {
                look: course.look,
                count,
                range: course.range(slot, centre, day),
            };
            let mut looks = vec![seen(
                &courses.so_far,
                at(&so_far, index),
                at(&usual_so_far, index),
            )];
            for (course, window, counts) in &recent {
                if index + 1 < *window {
                    continue;
                }
                let before = index.checked_sub(*window);
                let sum_before = |values: &[f64]| before.map_or(0.0, |before| at(values, before));
                let pace = pace(sum_before(&so_far), sum_before(&usual_so_far), day);
                looks.push(seen(
                    course,
                    at(counts, index),
                    pace * at(&course.centre, slot),
                ));
            }
            looks
        })
        .collect()
}

fn looks_beside(counts: &[f64], factor: f64, today: &Today) -> Vec<Vec<Seen>> {
    let usual = passed(counts, today);
    let hour = counts.len() / 24;
    let seen = |look, window, factor| {
        let counts = sums(&today.counts, window);
        let centres = sums(&usual, window);
        counts
            .into_iter()
            .zip(centres)
            .map(move |(count, centre)| Seen {
                look,
                count,
                range: wide_range(centre, factor),
            })
            .collect::<Vec<_>>()
    };
    let so_far = seen(Look::SoFar, None, factor);
    let last_hour = seen(Look::LastHour, Some(hour), factor + 1.0);
    so_far
        .into_iter()
        .zip(last_hour)
        .enumerate()
        .map(|(index, (so_far, last_hour))| {
            if index + 1 < hour {
                vec![so_far]
            } else {
                vec![so_far, last_hour]
            }
        })
        .collect()
}

/// The values of the slots that passed, in their order.
fn passed(by_slot: &[f64], today: &Today) -> Vec<f64> {
    today
        .slots
        .iter()
        .map(|slot| by_slot.get(*slot).copied().unwrap_or(0.0))
        .collect()
}
