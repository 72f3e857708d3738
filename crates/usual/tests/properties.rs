//! What holds for any history: no number is ever nonsense, more visitors never make a spike vanish, a bad day does not
//! bend the centre, and the flag is the range.

#![allow(clippy::unwrap_used, clippy::float_cmp)]

use fastrand::Rng;
use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use usual::{
    Baseline, Basis, Compare, Day, Direction, Judgement, Mark, Sensitivity, State, Today,
    mark_days, wall_slots,
};

const QUARTERS: usize = 96;

/// A Friday.
fn today() -> Date {
    date(2026, 11, 27)
}

/// Days that end yesterday, from invented counts.
fn history(length: usize, mut count: impl FnMut(Date, usize) -> f64) -> Vec<Day> {
    (1..=i64::try_from(length).unwrap())
        .rev()
        .map(|ago| {
            let date = today() - ago.days();
            Day::new(
                date,
                (0..QUARTERS).map(|quarter| count(date, quarter)).collect(),
            )
        })
        .collect()
}

/// The shape of a day and a week, without chance.
fn shape(date: Date, quarter: usize) -> f64 {
    let weekend = date.weekday().to_monday_zero_offset() >= 5;
    let hour = quarter as f64 / 4.0;
    (1.0 - 0.8 * (hour / 24.0 * std::f64::consts::TAU).cos()) * if weekend { 0.4 } else { 1.0 }
}

fn noisy(rng: &mut Rng, mean: f64) -> f64 {
    let normal =
        (-2.0 * rng.f64().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
    (mean + mean.sqrt() * normal + 0.03 * mean * normal)
        .round()
        .max(0.0)
}

fn ordinary(seed: u64, length: usize, per_quarter: f64) -> Vec<Day> {
    let mut rng = Rng::with_seed(seed);
    history(length, |date, quarter| {
        noisy(&mut rng, per_quarter * shape(date, quarter))
    })
}

fn baseline(days: &[Day]) -> Baseline {
    Baseline::new(days, today(), Compare::Usual, Sensitivity::Normal)
}

fn judge(days: &[Day], counts: &[f64]) -> Judgement {
    baseline(days).judge(&Today::new(today(), counts.to_vec()), None)
}

fn is_sound(judgement: &Judgement) -> bool {
    [
        judgement.by_now,
        judgement.last_hour,
        judgement.last_ninety_minutes,
        judgement.last_six_hours,
        judgement.last_twelve_hours,
    ]
    .into_iter()
    .flatten()
    .all(|usual| {
        let range = usual.range;
        usual.count.is_finite()
            && range.high.is_finite()
            && 0.0 <= range.low
            && range.low <= range.centre
            && range.centre <= range.high
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_ever_nonsense(
        length in 0..60_usize,
        values in prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), 0.0..1e9_f64, Just(f64::NAN), Just(f64::INFINITY), Just(-5.0)], 1..40),
        closed in 0..100_usize,
    ) {
        let mut next = values.iter().cycle().copied();
        let mut days = history(length, |_, _| next.next().unwrap());
        mark_days(&mut days);
        let counts: Vec<f64> = next.take(closed).collect();
        for compare in [Compare::Usual, Compare::LastWeek, Compare::Yesterday] {
            let baseline = Baseline::new(&days, today(), compare, Sensitivity::Nervous);
            prop_assert!(baseline.curve().iter().all(|value| value.is_finite() && *value >= 0.0));
            prop_assert!(is_sound(&baseline.judge(&Today::new(today(), counts.clone()), Some(Direction::Up))));
        }
    }

    #[test]
    fn more_visitors_never_make_a_spike_vanish(seed in 0..1000_u64, from in 30..80_usize, factor in 1.0..4.0_f64, more in 1.0..5.0_f64) {
        let days = ordinary(seed, 56, 40.0);
        let mut rng = Rng::with_seed(seed + 5000);
        let counts = |factor: f64, rng: &mut Rng| -> Vec<f64> {
            (0..from + 8).map(|quarter| {
                let usual = noisy(rng, 40.0 * shape(today(), quarter));
                if quarter < from { usual } else { usual * factor }
            }).collect()
        };
        let less = counts(factor, &mut rng.clone());
        let greater = counts(factor * more, &mut rng);
        if let State::Moved(moved) = judge(&days, &less).state && moved.direction == Direction::Up {
            let after = judge(&days, &greater).direction();
            prop_assert_eq!(after, Some(Direction::Up), "seed {}", seed);
        }
    }

    #[test]
    fn outside_the_range_for_two_quarters_is_moved_and_nothing_else_is(seed in 0..1000_u64, from in 8..88_usize, factor in 0.0..3.0_f64) {
        let days = ordinary(seed, 56, 30.0);
        let mut rng = Rng::with_seed(seed);
        let counts: Vec<f64> = (0..QUARTERS)
            .map(|quarter| noisy(&mut rng, 30.0 * shape(today(), quarter) * if quarter < from { 1.0 } else { factor }))
            .collect();
        let mut outside_before: Vec<Option<Direction>> = vec![None; 5];
        let mut was_moved = false;
        for closed in 1..=QUARTERS {
            let judgement = judge(&days, &counts[..closed]);
            let looks = [
                judgement.by_now,
                judgement.last_hour,
                judgement.last_ninety_minutes,
                judgement.last_six_hours,
                judgement.last_twelve_hours,
            ];
            let outside: Vec<_> = looks.iter().map(|usual| usual.and_then(|usual| usual.range.side(usual.count))).collect();
            let twice = outside.iter().zip(&outside_before).any(|(now, before)| now.is_some() && now == before);
            let moved = judgement.direction().is_some();
            prop_assert!(!twice || moved, "seed {} at {}: outside twice and not moved", seed, closed);
            prop_assert!(!moved || was_moved || twice, "seed {} at {}: moved and not outside twice", seed, closed);
            (outside_before, was_moved) = (outside, moved);
        }
    }

    #[test]
    fn a_hundred_times_more_of_everything_has_a_hundred_times_the_centre(seed in 0..1000_u64) {
        let days = ordinary(seed, 56, 500.0);
        let larger: Vec<Day> = days.iter().map(|day| Day::new(day.date, day.counts.iter().map(|count| 100.0 * count).collect())).collect();
        let ratio = baseline(&larger).whole_day() / baseline(&days).whole_day();
        prop_assert!((ratio - 100.0).abs() < 0.1, "seed {}: {}", seed, ratio);
    }
}

#[test]
fn a_weekday_is_compared_with_its_own_kind() {
    let days = ordinary(1, 56, 40.0);
    let saturday = today() + 1.day();
    let friday = baseline(&days).whole_day();
    let weekend = Baseline::new(&days, saturday, Compare::Usual, Sensitivity::Normal);
    assert!(
        (weekend.whole_day() / friday - 0.4).abs() < 0.04,
        "{} {friday}",
        weekend.whole_day()
    );
    let quiet: Vec<f64> = (0..QUARTERS)
        .map(|quarter| 40.0 * shape(saturday, quarter))
        .collect();
    assert_eq!(
        weekend
            .judge(&Today::new(saturday, quiet.clone()), None)
            .state,
        State::Ordinary
    );
    // The same counts on a Friday are a drop.
    assert_eq!(judge(&days, &quiet).direction(), Some(Direction::Down));
}

#[test]
fn one_bad_day_hardly_bends_the_centre() {
    let days = ordinary(2, 56, 40.0);
    let before = baseline(&days).whole_day();
    for factor in [0.0, 20.0] {
        let mut bad = days.clone();
        let friday = bad.len() - 7;
        bad[friday]
            .counts
            .iter_mut()
            .for_each(|count| *count *= factor);
        let change = (baseline(&bad).whole_day() / before - 1.0).abs();
        assert!(change < 0.05, "{factor}: {change}");
    }
}

#[test]
fn a_day_that_moved_leaves_the_baseline() {
    let mut days = ordinary(3, 56, 40.0);
    let last = days.len() - 1;
    days[last].counts.iter_mut().for_each(|count| *count *= 5.0);
    mark_days(&mut days);
    assert_eq!(days[last].mark, Mark::Moved(Direction::Up));
    assert!(
        days[..last]
            .iter()
            .all(|day| day.mark != Mark::Unjudged || day.date < today() - 35.days())
    );
    let tomorrow = today() + 6.days();
    let Some(Basis::Weeks(weeks)) =
        Baseline::new(&days, tomorrow, Compare::Usual, Sensitivity::Normal).basis()
    else {
        panic!("eight weeks are enough");
    };
    assert_eq!(weeks, 8 - 1);
}

#[test]
fn a_lasting_change_is_a_move_for_two_weeks_and_then_the_usual() {
    let mut rng = Rng::with_seed(4);
    let mut days = history(80, |date, quarter| {
        let halved = date >= today() - 30.days();
        noisy(
            &mut rng,
            200.0 * shape(date, quarter) * if halved { 0.5 } else { 1.0 },
        )
    });
    mark_days(&mut days);
    let moved = |days: &[Day]| {
        days.iter()
            .filter(|day| day.mark == Mark::Moved(Direction::Down))
            .count()
    };
    assert!(
        moved(&days[50..64]) >= 10,
        "{} of 14 days",
        moved(&days[50..64])
    );
    assert!(
        moved(&days[66..]) <= 2,
        "{} of the last 14 days",
        moved(&days[66..])
    );
}

#[test]
fn too_little_history_is_said_and_its_range_is_wide() {
    let all = ordinary(5, 56, 40.0);
    let last = |count: usize| baseline(&all[all.len() - count..]);
    assert_eq!(last(0).basis(), None);
    assert_eq!(last(1).basis(), Some(Basis::Yesterday));
    assert_eq!(last(6).basis(), Some(Basis::Yesterday));
    assert_eq!(last(7).basis(), Some(Basis::LastWeek));
    assert_eq!(last(20).basis(), Some(Basis::LastWeek));
    assert_eq!(last(21).basis(), Some(Basis::Weeks(3)));
    assert_eq!(last(56).basis(), Some(Basis::Weeks(8)));
    let counts = vec![50.0; 60];
    let width = |baseline: Baseline| {
        let range = baseline
            .judge(&Today::new(today(), counts.clone()), None)
            .by_now
            .unwrap()
            .range;
        (range.high - range.low) / range.centre
    };
    assert!(width(last(56)) < width(last(7)) && width(last(7)) < width(last(6)));
    assert_eq!(
        last(0)
            .judge(&Today::new(today(), counts.clone()), None)
            .state,
        State::Unknown
    );
    // What a person chose to compare with, though there is more.
    let chosen = |compare| Baseline::new(&all, today(), compare, Sensitivity::Normal).basis();
    assert_eq!(chosen(Compare::LastWeek), Some(Basis::LastWeek));
    assert_eq!(chosen(Compare::Yesterday), Some(Basis::Yesterday));
}

#[test]
fn a_handful_of_visitors_never_shouts() {
    let mut rng = Rng::with_seed(6);
    // About five visitors a day.
    let days = history(56, |_, _| f64::from(u8::from(rng.f64() < 0.05)));
    for visitors in 0..=14 {
        let counts: Vec<f64> = (0..QUARTERS)
            .map(|quarter| f64::from(u8::from(quarter % 6 == 0 && quarter / 6 < visitors)))
            .collect();
        let changes = judge(&days, &counts).changes;
        assert!(changes.is_empty(), "{visitors} visitors: {changes:?}");
    }
}

#[test]
fn zeros_and_ties_are_ordinary() {
    let zeros = history(56, |_, _| 0.0);
    assert_eq!(judge(&zeros, &[0.0; QUARTERS]).state, State::Ordinary);
    let ties = history(56, |_, _| 20.0);
    let judgement = judge(&ties, &[20.0; QUARTERS]);
    assert_eq!(judgement.state, State::Ordinary);
    assert_eq!(judgement.by_now.unwrap().range.centre, 1920.0);
}

#[test]
fn a_change_of_the_clock_is_no_move() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    for clock in [date(2026, 3, 29), date(2026, 10, 25)] {
        let days: Vec<Day> = (1..=56_i64)
            .map(|ago| {
                let date = clock - ago.days();
                Day::new(
                    date,
                    (0..QUARTERS)
                        .map(|quarter| 300.0 * shape(date, quarter))
                        .collect(),
                )
            })
            .collect();
        let slots = wall_slots(clock, &zone, QUARTERS);
        let counts: Vec<f64> = slots
            .iter()
            .map(|slot| 300.0 * shape(clock, *slot))
            .collect();
        let baseline = Baseline::new(&days, clock, Compare::Usual, Sensitivity::Nervous);
        let judgement = baseline.judge(
            &Today::with_slots(clock, counts.clone(), slots.clone()),
            None,
        );
        assert_eq!(judgement.changes, [], "{clock}");
        // All of the hours that passed are usual, and no other.
        let by_now = judgement.by_now.unwrap();
        assert!(
            (by_now.count / by_now.range.centre - 1.0).abs() < 1e-9,
            "{clock}: {by_now:?}"
        );
        // As a day of the history it looks like the other Sundays.
        let closed = Day::from_passed(clock, &slots, &counts, QUARTERS);
        let other = 300.0
            * (0..QUARTERS)
                .map(|quarter| shape(clock, quarter))
                .sum::<f64>();
        assert!((closed.total() / other - 1.0).abs() < 0.01, "{clock}");
    }
}

#[test]
fn back_to_usual_is_said_once() {
    let days = ordinary(7, 56, 200.0);
    let counts: Vec<f64> = (0..QUARTERS)
        .map(|quarter| {
            200.0
                * shape(today(), quarter)
                * if (40..44).contains(&quarter) {
                    1.8
                } else {
                    1.0
                }
        })
        .collect();
    let judgement = judge(&days, &counts);
    let kinds: Vec<bool> = judgement
        .changes
        .iter()
        .map(|change| matches!(change.to, State::Moved(_)))
        .collect();
    assert_eq!(kinds, [true, false], "{:?}", judgement.changes);
    let State::Moved(moved) = judgement.changes[0].to else {
        panic!("{judgement:?}")
    };
    assert!(
        (40..44).contains(&moved.since) && moved.change().unwrap() > 0.25,
        "{moved:?}"
    );
    assert!(matches!(
        judgement.state,
        State::BackToUsual {
            was: Direction::Up,
            ..
        }
    ));
    // Fewer slots give the same changes, up to theirs.
    for closed in 0..QUARTERS {
        let changes = judge(&days, &counts[..closed]).changes;
        assert_eq!(changes[..], judgement.changes[..changes.len()], "{closed}");
    }
}

#[test]
fn what_moved_yesterday_is_back_to_usual_once_the_day_can_tell() {
    let days = ordinary(8, 56, 200.0);
    let counts: Vec<f64> = (0..QUARTERS)
        .map(|quarter| 200.0 * shape(today(), quarter))
        .collect();
    let baseline = baseline(&days);
    let at = |closed: usize| {
        baseline.judge(
            &Today::new(today(), counts[..closed].to_vec()),
            Some(Direction::Down),
        )
    };
    assert_eq!(at(8).state, State::Ordinary);
    assert_eq!(at(QUARTERS).changes.len(), 1);
    assert!(matches!(
        at(QUARTERS).state,
        State::BackToUsual {
            was: Direction::Down,
            ..
        }
    ));
    let halved: Vec<f64> = counts.iter().map(|count| count / 2.0).collect();
    let still = baseline.judge(&Today::new(today(), halved), Some(Direction::Down));
    assert!(
        matches!(still.state, State::Moved(moved) if moved.continues),
        "{still:?}"
    );
}

#[test]
fn changes_are_found_and_ordinary_days_are_left_alone() {
    let (mut found, mut wrong) = (0, 0);
    for seed in 100..120 {
        let days = ordinary(seed, 56, 52.0);
        let mut rng = Rng::with_seed(seed + 1000);
        let mut day = |factor: f64| -> Vec<f64> {
            (0..56)
                .map(|quarter| {
                    noisy(
                        &mut rng,
                        52.0 * shape(today(), quarter) * if quarter < 48 { 1.0 } else { factor },
                    )
                })
                .collect()
        };
        found += usize::from(judge(&days, &day(1.4)).direction() == Some(Direction::Up));
        found += usize::from(judge(&days, &day(0.6)).direction() == Some(Direction::Down));
        wrong += usize::from(!judge(&days, &day(1.0)).changes.is_empty());
    }
    assert!(
        found >= 38,
        "{found} of 40 changes found within two hours, seeds 100 to 119"
    );
    assert!(
        wrong <= 1,
        "{wrong} of 20 ordinary days flagged, seeds 100 to 119"
    );
}

/// Independent visitors, each of whom counts `pages` times: the variance is `pages` times that of visitors.
fn in_groups(rng: &mut Rng, visitors: f64, pages: f64) -> f64 {
    let (limit, mut count, mut product) = ((-visitors).exp(), 0.0, rng.f64());
    while product > limit {
        product *= rng.f64();
        count += pages;
    }
    count
}

#[test]
fn pageviews_that_come_several_to_a_visitor_do_not_shout() {
    // About 60 visitors a day with five pages each, on 60 ordinary days.
    let mut wrong = 0;
    for seed in 200..260 {
        let mut rng = Rng::with_seed(seed);
        let mut next = |quarter| in_groups(&mut rng, 0.6 * shape(today(), quarter), 5.0);
        let days = history(56, |_, quarter| next(quarter));
        let counts: Vec<f64> = (0..QUARTERS).map(&mut next).collect();
        wrong += usize::from(!judge(&days, &counts).changes.is_empty());
    }
    assert!(
        wrong <= 1,
        "{wrong} of 60 ordinary days flagged, seeds 200 to 259"
    );
}

#[test]
fn a_rise_after_a_busy_morning_is_found_in_a_small_project() {
    // 500 visitors, most of them before noon: twelve hours tell what the day so far drowns.
    let morning = |quarter: usize| if quarter < 36 { 8.0 } else { 3.5 };
    let found = (300..320)
        .filter(|seed| {
            let mut rng = Rng::with_seed(*seed);
            let days = history(56, |_, quarter| in_groups(&mut rng, morning(quarter), 1.0));
            let counts: Vec<f64> = (0..QUARTERS)
                .map(|quarter| {
                    let factor = if quarter < 36 { 1.0 } else { 1.5 };
                    in_groups(&mut rng, factor * morning(quarter), 1.0)
                })
                .collect();
            let changes = judge(&days, &counts).changes;
            changes.iter().any(|change| {
                matches!(change.to, State::Moved(moved) if moved.direction == Direction::Up)
            })
        })
        .count();
    assert!(found >= 17, "{found} of 20 found, seeds 300 to 319");
}
