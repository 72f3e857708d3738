//! From the numbers of today and the closed days to what is usual and what has moved.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use usual::{Baseline, Direction, GapDay, Mark, UsualGaps};

use super::lag::{Lag, Reading};
use super::marks::{Marks, by_wall_time, marked_days, metrics};
use super::{
    ByNow, Judged, Left, Metric, Number, QUARTER, Settings, Silent, State, UsualRange, whole,
};
use crate::ProjectKey;
use crate::history::History;

/// What was counted today: by quarter of an hour, in the order in which they passed.
#[derive(Clone, Debug)]
pub struct Counted {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// When the project's day began.
    pub day_began: Timestamp,
    /// Persons whose first view of the day was in this quarter.
    pub first_views: Vec<u64>,
    /// Views.
    pub pageviews: Vec<u64>,
    /// For each conversion event of [`History::asked`], persons who did it for the first time today in this quarter.
    pub first_conversions: Vec<Vec<u64>>,
    /// The last event of any kind, if there was one today.
    pub last_event_at: Option<Timestamp>,
}

/// What is usual of projects on a day, fitted once and used for every look at it.
#[derive(Debug, Default)]
pub struct Baselines {
    by_project: HashMap<ProjectKey, Arc<Fitted>>,
}

/// What the closed days of a project say about one day.
#[derive(Debug)]
struct Fitted {
    basis: FittedTo,
    zone: TimeZone,
    day_ends: Timestamp,
    numbers: Vec<FittedNumber>,
    gaps: UsualGaps,
    hours: Vec<f64>,
    hours_from: Timestamp,
}

/// If any of these differs, it is fitted again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FittedTo {
    measured_at: Timestamp,
    day_began: Timestamp,
    settings: Settings,
    conversions: Vec<String>,
}

#[derive(Debug)]
struct FittedNumber {
    metric: Metric,
    baseline: Baseline,
    /// The direction in which it was still moved when the day before ended.
    carried: Option<Direction>,
}

impl Baselines {
    /// What is usual of a project on the day of `counted`, and what has moved.
    ///
    /// `fitted_to` says which History there is: when it was measured, and its conversion events. `history` is only
    /// asked for if nothing is fitted to that one yet: the closed days, and their marks. `before` is what was judged last.
    pub fn judge<E>(
        &mut self,
        key: &ProjectKey,
        fitted_to: (Timestamp, &[String]),
        counted: &Counted,
        settings: Settings,
        before: Option<&Judged>,
        history: impl FnOnce() -> Result<Option<(History, Marks)>, E>,
    ) -> Result<Option<Judged>, E> {
        let basis = FittedTo {
            measured_at: fitted_to.0,
            day_began: counted.day_began,
            settings,
            conversions: fitted_to.1.to_vec(),
        };
        let known = self.by_project.get(key);
        let fitted = if let Some(known) = known.filter(|known| known.basis == basis) {
            Arc::clone(known)
        } else {
            let Some((history, marks)) = history()? else {
                return Ok(None);
            };
            let fitted = Arc::new(Fitted::new(&history, &marks, basis));
            self.by_project.insert(key.clone(), Arc::clone(&fitted));
            fitted
        };
        Ok(Some(fitted.judge(counted, before)))
    }
}

/// Judges one project by itself; see [`Baselines::judge`].
#[must_use]
pub fn judge(
    history: &History,
    marks: &Marks,
    counted: &Counted,
    settings: Settings,
    before: Option<&Judged>,
) -> Judged {
    let basis = FittedTo {
        measured_at: history.measured_at,
        day_began: counted.day_began,
        settings,
        conversions: history.asked.conversions.clone(),
    };
    Fitted::new(history, marks, basis).judge(counted, before)
}

impl Fitted {
    fn new(history: &History, marks: &Marks, basis: FittedTo) -> Self {
        let zone = history.zone();
        let date = date_of(basis.day_began, &zone);
        let yesterday = date.yesterday().unwrap_or(date);
        let day_ends = starts(date.tomorrow().unwrap_or(date), &zone);
        let Settings {
            compare,
            sensitivity,
        } = basis.settings;
        let numbers = metrics(history)
            .into_iter()
            .enumerate()
            .map(|(nth, metric)| {
                let days = marked_days(history, marks, nth);
                let day_before = days.iter().find(|day| day.date == yesterday);
                let carried = day_before.and_then(|day| {
                    let today = usual::Today::new(day.date, day.counts.clone());
                    Baseline::new(&days, yesterday, compare, sensitivity)
                        .judge(&today, None)
                        .direction()
                });
                FittedNumber {
                    metric,
                    baseline: Baseline::new(&days, date, compare, sensitivity),
                    carried,
                }
            })
            .collect();
        let (hours, hours_from) = usual_hours(history, marks, [yesterday, date], basis.settings);
        Self {
            gaps: UsualGaps::new(&gap_days(history, marks)),
            basis,
            zone,
            day_ends,
            numbers,
            hours,
            hours_from,
        }
    }

    fn judge(&self, counted: &Counted, before: Option<&Judged>) -> Judged {
        let now = counted.measured_at;
        let reading = Reading {
            measured_at: now,
            day_began: counted.day_began,
            quarters: &counted.pageviews,
        };
        let lag = before.map_or_else(Lag::default, |before| {
            let earlier = Reading {
                measured_at: before.measured_at,
                day_began: before.day_began,
                quarters: &before.pageviews,
            };
            before.lag.seen(earlier, reading)
        });
        let date = date_of(counted.day_began, &self.zone);
        let slots = usual::wall_slots(date, &self.zone, 96);
        let closed = usize::try_from(lag.closed_quarters(now, counted.day_began)).unwrap_or(0);
        let numbers = self
            .numbers
            .iter()
            .enumerate()
            .map(|(nth, number)| {
                let counts: &[u64] = match nth {
                    0 => &counted.first_views,
                    1 => &counted.pageviews,
                    _ => counted
                        .first_conversions
                        .get(nth - 2)
                        .map_or(&[], Vec::as_slice),
                };
                // A quarter after the last one with an event has none.
                let counts = (0..closed.min(slots.len()))
                    .map(|quarter| counts.get(quarter).map_or(0.0, |count| *count as f64))
                    .collect();
                let today = usual::Today::with_slots(date, counts, slots.clone());
                number.judge(&today, counted.day_began)
            })
            .collect();
        let last_event_at = counted.last_event_at.filter(|at| *at <= now).max(
            before
                .and_then(|before| before.last_event_at)
                .filter(|at| *at <= now),
        );
        Judged {
            measured_at: now,
            settings: self.basis.settings,
            date,
            day_began: counted.day_began,
            day_ends: self.day_ends,
            silent: last_event_at.and_then(|at| self.silent(at, now, lag)),
            numbers,
            last_event_at,
            lag,
            pageviews: counted.pageviews.clone(),
            usual_hours: self.hours.clone(),
            usual_hours_from: self.hours_from,
        }
    }

    fn silent(&self, last_event_at: Timestamp, now: Timestamp, lag: Lag) -> Option<Silent> {
        let hour = usize::try_from(self.zone.to_datetime(now).hour()).ok()?;
        let seconds = now.as_second() - last_event_at.as_second() - lag.seconds(now);
        let silence = self.gaps.silence(hour, seconds as f64)?;
        Some(Silent {
            since: last_event_at,
            usual_seconds: whole(silence.usual),
        })
    }
}

impl FittedNumber {
    fn judge(&self, today: &usual::Today, day_began: Timestamp) -> Number {
        let quarter = |nth: usize| {
            let seconds = QUARTER.saturating_mul(i64::try_from(nth).unwrap_or(0));
            day_began
                .checked_add(seconds.seconds())
                .unwrap_or(day_began)
        };
        let judgement = self.baseline.judge(today, self.carried);
        let by_now = judgement.by_now.map(|by_now| ByNow {
            count: whole(by_now.count),
            usual: by_now.range.into(),
            basis: by_now.basis,
        });
        let state = match judgement.state {
            usual::State::Unknown => State::Unknown,
            usual::State::Ordinary => State::Ordinary,
            usual::State::Moved(moved) => State::Moved(Left {
                direction: moved.direction,
                look: moved.look,
                since: quarter(moved.since),
                count: whole(moved.count),
                usual: UsualRange::from(moved.range),
                continues: moved.continues,
            }),
            usual::State::BackToUsual { at, was } => State::BackToUsual {
                at: quarter(at + 1),
                was,
            },
        };
        Number {
            metric: self.metric.clone(),
            by_now,
            whole_day: self.baseline.whole_day(),
            state,
        }
    }
}

/// The gaps between events on the closed days, by hour of wall time.
fn gap_days(history: &History, marks: &Marks) -> Vec<GapDay> {
    let zone = history.zone();
    history
        .lived()
        .iter()
        .map(|day| {
            let date = day.date(&zone);
            let mut longest = vec![None; 24];
            for (slot, hour) in usual::wall_slots(date, &zone, 24)
                .into_iter()
                .zip(&day.hours)
            {
                if let Some(known) = longest.get_mut(slot) {
                    let gap = hour.longest_gap as f64;
                    *known = Some(known.map_or(gap, |known: f64| known.max(gap)));
                }
            }
            GapDay {
                longest,
                moved: matches!(marks.mark(0, date), Mark::Moved(_)),
            }
        })
        .collect()
}

/// Visitors usual in each hour of these days, which follow each other, in the order in which they pass.
fn usual_hours(
    history: &History,
    marks: &Marks,
    dates: [Date; 2],
    settings: Settings,
) -> (Vec<f64>, Timestamp) {
    let zone = history.zone();
    let days: Vec<usual::Day> = history
        .lived()
        .iter()
        .map(|day| {
            let visitors: Vec<f64> = day.hours.iter().map(|hour| hour.visitors as f64).collect();
            let mut by_hour = by_wall_time(day, &zone, &visitors, 24);
            by_hour.mark = marks.mark(0, by_hour.date);
            by_hour
        })
        .collect();
    let mut hours = Vec::new();
    for date in dates {
        let curve = Baseline::new(&days, date, settings.compare, settings.sensitivity).curve();
        if curve.is_empty() {
            return (Vec::new(), starts(dates[0], &zone));
        }
        let slots = usual::wall_slots(date, &zone, 24);
        hours.extend(
            slots
                .into_iter()
                .map(|slot| curve.get(slot).copied().unwrap_or(0.0)),
        );
    }
    (hours, starts(dates[0], &zone))
}

/// The date of the day that begins at `began`.
fn date_of(began: Timestamp, zone: &TimeZone) -> Date {
    // Noon is in the day, whatever the clock does around midnight.
    zone.to_datetime(began + 12.hours()).date()
}

fn starts(date: Date, zone: &TimeZone) -> Timestamp {
    let midnight = date.to_datetime(jiff::civil::Time::midnight());
    zone.to_timestamp(midnight).unwrap_or(Timestamp::MAX)
}
