//! A simulated year of ordinary projects, changes that have to be found, and silences.

use std::thread;

use fastrand::Rng;
use usual::{
    Baseline, Compare, Day, Direction, GapDay, HISTORY_DAYS, Mark, Sensitivity, State, Today,
    UsualGaps,
};

use super::judge;
use super::world::{NUMBERS, Project, QUARTERS};

const SEED: u64 = 20_260_131;
const PROJECTS: usize = 200;
const YEAR: usize = 365;
/// Tries for each change and each kind of silence.
const TRIES: usize = 200;
const NAMES: [&str; NUMBERS] = [
    "visitors",
    "pageviews",
    "first conversion",
    "second conversion",
];

/// Prints all of it to standard error.
pub(crate) fn run() {
    eprintln!("Simulated, seed {SEED}");
    eprintln!("A change of 40 % in {TRIES} tries each, noise of days 2 to 6 %, of hours 2 to 8 %");
    for (size, factor) in [(5000.0, 1.4), (5000.0, 0.6), (500.0, 1.4), (500.0, 0.6)] {
        change(size, factor);
    }
    eprintln!("Silence in {TRIES} tries each");
    for events in [300.0, 3000.0] {
        silence(events);
    }
    eprintln!("A year of {PROJECTS} ordinary projects");
    year();
}

/// Runs `each` for 0 up to `count` on all processors; the result does not depend on how many there are.
fn on_all_processors<T: Send>(count: usize, each: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        let each = &each;
        let running: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    (worker..count)
                        .step_by(workers)
                        .map(each)
                        .collect::<Vec<T>>()
                })
            })
            .collect();
        running
            .into_iter()
            .flat_map(|running| {
                running
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

fn rng(purpose: u64, index: usize) -> Rng {
    Rng::with_seed(SEED ^ (purpose << 48) ^ (u64::try_from(index).unwrap_or(0) << 24))
}

#[derive(Clone, Copy, Default)]
struct Year {
    size: f64,
    false_flags: [usize; NUMBERS],
    days_with_any: usize,
    holidays: usize,
    holidays_flagged: usize,
}

impl Year {
    fn all(&self) -> usize {
        self.false_flags.iter().sum()
    }
}

fn year() {
    let years = on_all_processors(PROJECTS, |index| {
        let mut rng = rng(1, index);
        let size = Project::any_size(&mut rng);
        let project = Project::invent(&mut rng, size, HISTORY_DAYS + YEAR);
        let mut life = project.live(&mut rng);
        let mut histories: [Vec<Day>; NUMBERS] = Default::default();
        let mut year = Year {
            size,
            ..Year::default()
        };
        for passed in 0..HISTORY_DAYS + YEAR {
            let lived = life.next(|_| 1.0);
            let mut any = false;
            for ((history, day), flags) in histories
                .iter_mut()
                .zip(lived.numbers)
                .zip(&mut year.false_flags)
            {
                let (mark, moves) = judge(
                    history
                        .get(history.len().saturating_sub(HISTORY_DAYS)..)
                        .unwrap_or_default(),
                    &day,
                );
                history.push(Day { mark, ..day });
                if passed >= HISTORY_DAYS {
                    any |= moves > 0;
                    *flags += if lived.holiday { 0 } else { moves };
                }
            }
            if passed >= HISTORY_DAYS {
                year.holidays += usize::from(lived.holiday);
                year.holidays_flagged += usize::from(lived.holiday && any);
                year.days_with_any += usize::from(!lived.holiday && any);
            }
        }
        year
    });
    let per_project = |flags: usize, projects: usize| flags as f64 / projects.max(1) as f64;
    let sum = |of: &dyn Fn(&Year) -> usize| years.iter().map(of).sum::<usize>();
    eprintln!(
        "  false flags per project and year, over all numbers and looks: {:.1} on {:.1} days; most for one project: {}",
        per_project(sum(&Year::all), PROJECTS),
        per_project(sum(&|year| year.days_with_any), PROJECTS),
        years.iter().map(Year::all).max().unwrap_or(0),
    );
    for (number, name) in NAMES.iter().enumerate() {
        let flags = sum(&|year| year.false_flags.get(number).copied().unwrap_or(0));
        eprintln!("    {name}: {:.1}", per_project(flags, PROJECTS));
    }
    for (from, to) in [(10.0, 100.0), (100.0, 1e3), (1e3, 1e4), (1e4, 1e5)] {
        let sized: Vec<&Year> = years
            .iter()
            .filter(|year| (from..to).contains(&year.size))
            .collect();
        let flags: usize = sized.iter().map(|year| year.all()).sum();
        eprintln!(
            "    {from} to {to} visitors a day: {:.1}",
            per_project(flags, sized.len())
        );
    }
    let (flagged, holidays) = (
        sum(&|year| year.holidays_flagged),
        sum(&|year| year.holidays),
    );
    eprintln!("  holidays, which are no false flags: {flagged} of {holidays} flagged");
}

/// A change of `factor`: from a daytime quarter on, to be flagged within two hours, for a large project;
/// from 08:00 on, to be flagged by the day's end, for a small one.
fn change(size: f64, factor: f64) {
    let direction = if factor > 1.0 {
        Direction::Up
    } else {
        Direction::Down
    };
    let tries = on_all_processors(TRIES, |index| {
        let mut rng = rng(2, index);
        let project = Project::invent(&mut rng, size, 0);
        let (start, end) = if size > 1000.0 {
            let start = rng.usize(36..60);
            (start, start + 8)
        } else {
            (32, QUARTERS)
        };
        let quiet = project.day_noise < 0.04 && project.hour_noise < 0.05;
        let mut life = project.live(&mut rng);
        let history: Vec<Day> = (0..HISTORY_DAYS)
            .map(|_| visitors(life.next(|_| 1.0).numbers))
            .collect();
        let mut day = visitors(
            life.next(|quarter| if quarter < start { 1.0 } else { factor })
                .numbers,
        );
        day.counts.truncate(end);
        let baseline = Baseline::new(&history, day.date, Compare::Usual, Sensitivity::Normal);
        let judgement = baseline.judge(&Today::new(day.date, day.counts), None);
        let found = judgement.changes.iter().any(|change| {
            change.at >= start
                && matches!(change.to, State::Moved(moved) if moved.direction == direction)
        });
        (quiet, found)
    });
    let share = |tries: &mut dyn Iterator<Item = &(bool, bool)>| {
        let (all, found) = tries.fold((0, 0), |(all, found), (_, one)| {
            (all + 1, found + usize::from(*one))
        });
        100.0 * f64::from(u32::try_from(found).unwrap_or(0)) / f64::max(1.0, f64::from(all))
    };
    eprintln!(
        "  {size} visitors a day × {factor}, {}: {:.0} %; among the quieter projects {:.0} %",
        if size > 1000.0 {
            "two daytime hours"
        } else {
            "from 08:00, by the day's end"
        },
        share(&mut tries.iter()),
        share(&mut tries.iter().filter(|(quiet, _)| *quiet)),
    );
}

fn visitors(numbers: [Day; NUMBERS]) -> Day {
    let [visitors, ..] = numbers;
    Day {
        mark: Mark::Ordinary,
        ..visitors
    }
}

/// Events come at random over a day with a quiet night; at a daytime moment they stop. The first minute at which the
/// project is called silent is compared with three times the longest gap that its history has at this time.
fn silence(events_a_day: f64) {
    let outcomes = on_all_processors(TRIES, |index| {
        let mut rng = rng(3, index);
        let days: Vec<Vec<f64>> = (0..HISTORY_DAYS)
            .map(|_| instants(&mut rng, events_a_day))
            .collect();
        let gaps: Vec<GapDay> = days.iter().map(|day| gaps(day)).collect();
        let (history, later) = gaps.split_at(HISTORY_DAYS / 2);
        let usual = UsualGaps::new(history);
        let wrong = later
            .iter()
            .filter(|day| {
                let hours = day.longest.iter().enumerate();
                hours
                    .filter_map(|(hour, gap)| Some((hour, (*gap)?)))
                    .any(|(hour, gap)| usual.silence(hour, gap).is_some())
            })
            .count();
        let mut minutes = 0.0;
        let stop = 9.0 + 6.0 * rng.f64();
        let hour = |minutes: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an hour of the day"
            )]
            let hour = (stop + minutes / 60.0) as usize % 24;
            hour
        };
        while minutes < 1440.0 && usual.silence(hour(minutes), minutes * 60.0).is_none() {
            minutes += 1.0;
        }
        let longest = history
            .iter()
            .flat_map(|day| {
                [hour(minutes) + 23, hour(minutes), hour(minutes) + 1]
                    .map(|hour| day.longest.get(hour % 24).copied().flatten())
            })
            .flatten()
            .fold(0.0, f64::max);
        // Looked at once a minute, and never before a quarter of an hour.
        (
            minutes * 60.0 <= (3.0 * longest).max(900.0) + 60.0,
            minutes,
            wrong,
            later.len(),
        )
    });
    let found = outcomes.iter().filter(|(in_time, ..)| *in_time).count();
    let mut minutes: Vec<f64> = outcomes.iter().map(|(_, minutes, ..)| *minutes).collect();
    minutes.sort_by(f64::total_cmp);
    let (wrong, days) = outcomes.iter().fold((0, 0), |sum, (.., wrong, days)| {
        (sum.0 + wrong, sum.1 + days)
    });
    eprintln!(
        "  {events_a_day} events a day: {:.0} % within three times the longest usual gap, half of them within {:.0} minutes; \
         {:.1} false days per project and year",
        100.0 * found as f64 / outcomes.len().max(1) as f64,
        minutes.get(minutes.len() / 2).copied().unwrap_or(0.0),
        365.0 * wrong as f64 / f64::max(1.0, days as f64),
    );
}

/// Seconds of the day at which events come.
fn instants(rng: &mut Rng, events_a_day: f64) -> Vec<f64> {
    let mut at = 0.0;
    let mut all = Vec::new();
    loop {
        let by_day: f64 = at / 86_400.0;
        let rate = events_a_day / 86_400.0 * (1.0 - 0.8 * (by_day * std::f64::consts::TAU).cos());
        at -= rng.f64().max(1e-12).ln() / rate;
        if at >= 86_400.0 {
            return all;
        }
        all.push(at);
    }
}

fn gaps(instants: &[f64]) -> GapDay {
    let mut longest = vec![Some(0.0); 24];
    let ends = instants.iter().skip(1).chain([&86_400.0]);
    for (from, to) in instants.iter().zip(ends) {
        for (hour, longest) in longest.iter_mut().enumerate() {
            let (start, end) = (hour as f64 * 3600.0, (hour + 1) as f64 * 3600.0);
            if *from < end && *to > start {
                *longest = longest.map(|longest: f64| longest.max(to.min(end) - from));
            }
        }
    }
    GapDay {
        longest,
        moved: false,
    }
}
