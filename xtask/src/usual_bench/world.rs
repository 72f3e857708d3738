//! Invented projects: weekly shape, growth, holidays, and noise beyond chance.

use std::f64::consts::TAU;

use fastrand::Rng;
use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use usual::Day;

/// Quarters of an hour in a day.
pub(crate) const QUARTERS: usize = 96;
/// Visitors, pageviews, two conversions.
pub(crate) const NUMBERS: usize = 4;

/// The ways of one project.
pub(crate) struct Project {
    /// Visitors a day at the beginning.
    pub(crate) size: f64,
    week: [f64; 7],
    quarters: Vec<f64>,
    growth_per_week: f64,
    /// By what share days stray (one after another alike), and hours.
    pub(crate) day_noise: f64,
    pub(crate) hour_noise: f64,
    pages_per_visitor: f64,
    conversion_rates: [f64; 2],
    holidays: Vec<(usize, f64)>,
}

/// A project as it goes on.
pub(crate) struct Life<'a> {
    project: &'a Project,
    rng: &'a mut Rng,
    drift: f64,
    day: usize,
}

/// One day of all numbers.
pub(crate) struct Lived {
    pub(crate) numbers: [Day; NUMBERS],
    pub(crate) holiday: bool,
}

impl Project {
    pub(crate) fn invent(rng: &mut Rng, size: f64, days: usize) -> Self {
        let mut week = [1.0; 7].map(|even: f64| even + 0.1 * (rng.f64() - 0.5));
        let weekend = 0.3 + 0.9 * rng.f64();
        week[5] *= weekend;
        week[6] *= weekend;
        let (peak, night) = (8.0 + 10.0 * rng.f64(), 0.05 + 0.4 * rng.f64());
        let wave = |hour: f64| night + (0.5 + 0.5 * ((hour - peak) / 24.0 * TAU).cos()).powi(2);
        let mut quarters: Vec<f64> = (0..QUARTERS)
            .map(|quarter| wave(quarter as f64 / 4.0))
            .collect();
        let sum: f64 = quarters.iter().sum();
        for quarter in &mut quarters {
            *quarter /= sum;
        }
        Self {
            size,
            week,
            quarters,
            growth_per_week: -0.005 + 0.02 * rng.f64(),
            day_noise: 0.02 + 0.04 * rng.f64(),
            hour_noise: 0.02 + 0.06 * rng.f64(),
            pages_per_visitor: 1.3 + 3.0 * rng.f64(),
            conversion_rates: [0.02 + 0.08 * rng.f64(), 0.002 + 0.01 * rng.f64()],
            holidays: (0..days / 36)
                .map(|_| (rng.usize(0..days.max(1)), 0.3 + 0.5 * rng.f64()))
                .collect(),
        }
    }

    /// From ten to a hundred thousand visitors a day, each power of ten alike.
    pub(crate) fn any_size(rng: &mut Rng) -> f64 {
        10.0 * 10_f64.powf(4.0 * rng.f64())
    }

    pub(crate) fn live<'a>(&'a self, rng: &'a mut Rng) -> Life<'a> {
        Life {
            project: self,
            rng,
            drift: 0.0,
            day: 0,
        }
    }
}

impl Life<'_> {
    /// The next day; `effect` multiplies its quarters.
    pub(crate) fn next(&mut self, effect: impl Fn(usize) -> f64) -> Lived {
        let Self {
            project,
            rng,
            drift,
            day,
        } = self;
        let date = first_day() + i64::try_from(*day).unwrap_or(0).days();
        *drift = 0.5 * *drift + 0.75_f64.sqrt() * project.day_noise * normal(rng);
        let holiday = project.holidays.iter().find(|(when, _)| when == day);
        let level = project.size
            * (project.growth_per_week * *day as f64 / 7.0).exp()
            * project.week.get(*day % 7).copied().unwrap_or(1.0)
            * drift.exp()
            * holiday.map_or(1.0, |(_, share)| *share);
        let mut counts = [(); NUMBERS].map(|()| Vec::with_capacity(QUARTERS));
        let mut hour = 1.0;
        for (quarter, share) in project.quarters.iter().enumerate() {
            if quarter % 4 == 0 {
                let noise = project.hour_noise;
                hour = (noise * normal(rng) - noise * noise / 2.0).exp();
            }
            let visitors = poisson(rng, level * share * hour * effect(quarter));
            let [first, second] = project.conversion_rates;
            // A visitor's further pages come beside their first one.
            let pageviews = visitors + poisson(rng, visitors * (project.pages_per_visitor - 1.0));
            let all = [
                visitors,
                pageviews,
                poisson(rng, visitors * first),
                poisson(rng, visitors * second),
            ];
            for (counts, count) in counts.iter_mut().zip(all) {
                counts.push(count);
            }
        }
        let holiday = holiday.is_some();
        *day += 1;
        Lived {
            numbers: counts.map(|counts| Day::new(date, counts)),
            holiday,
        }
    }
}

/// A Monday.
fn first_day() -> Date {
    date(2026, 1, 5)
}

pub(crate) fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * rng.f64().max(1e-12).ln()).sqrt() * (TAU * rng.f64()).cos()
}

fn poisson(rng: &mut Rng, mean: f64) -> f64 {
    if mean > 50.0 {
        return (mean + mean.sqrt() * normal(rng)).round().max(0.0);
    }
    let (limit, mut count, mut product) = ((-mean).exp(), 0.0, rng.f64());
    while product > limit {
        product *= rng.f64();
        count += 1.0;
    }
    count
}
