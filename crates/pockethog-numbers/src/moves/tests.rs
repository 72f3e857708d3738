//! Eight weeks of an even project, and what a day of it is judged as.
#![allow(clippy::unwrap_used)]

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::*;
use crate::ProjectKey;
use crate::history::{Asked, Day, History, Hour};

const ZONE: &str = "Europe/Berlin";
const TODAY: &str = "2026-11-27";

fn starts(date: Date) -> Timestamp {
    let zone = TimeZone::get(ZONE).unwrap();
    zone.to_timestamp(date.at(0, 0, 0, 0)).unwrap()
}

/// A deterministic count around `mean` that varies as visitors do.
fn count(mean: u64, seed: u64) -> u64 {
    let spread = (mean as f64).sqrt();
    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    let mixed = mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let unit = (mixed >> 11) as f64 / (1_u64 << 53) as f64;
    whole((mean as f64 + (unit - 0.5) * 3.4 * spread).round())
}

fn quarters(number: usize, mean: u64, seed: u64) -> Vec<u64> {
    (0..number)
        .map(|quarter| count(mean, seed * 1000 + u64::try_from(quarter).unwrap()))
        .collect()
}

fn history_until(today: Date, days: i64) -> History {
    let day = |ago: i64| {
        let date = today.checked_sub(ago.days()).unwrap();
        let (start, end) = (starts(date), starts(date.tomorrow().unwrap()));
        let number = usize::try_from((end.as_second() - start.as_second()) / 900).unwrap();
        let seed = u64::try_from(ago).unwrap();
        Day {
            start,
            end,
            first_views: quarters(number, 30, seed),
            pageviews: quarters(number, 40, seed + 100),
            first_conversions: vec![quarters(number, 2, seed + 200)],
            hours: vec![
                Hour {
                    visitors: 110,
                    pageviews: 160,
                    longest_gap: 240
                };
                number / 4
            ],
            minutes: None,
        }
    };
    let measured_at = starts(today) + 10.minutes();
    History {
        asked: Asked::new(ZONE, &["Paid".to_owned()]),
        measured_at,
        all_measured_at: measured_at,
        time_zone: ZONE.to_owned(),
        time_zone_known: true,
        days: (1..=days).rev().map(day).collect(),
        last_event_at: None,
        limited_to: None,
    }
}

/// Today up to `minutes` after midnight with this many first views in each quarter of an hour.
fn judged_after(minutes: i64, first_views: &[u64], days: i64) -> Judged {
    let today: Date = TODAY.parse().unwrap();
    let history = history_until(today, days);
    let marks = Marks::of(&history, None);
    let now = starts(today) + minutes.minutes();
    let pageviews: Vec<u64> = first_views.iter().map(|views| views * 4 / 3).collect();
    let counted = Counted {
        measured_at: now,
        day_began: starts(today),
        first_views: first_views.to_vec(),
        pageviews,
        first_conversions: vec![quarters(first_views.len(), 2, 7)],
        last_event_at: Some(now - 1.minutes()),
    };
    judge(&history, &marks, &counted, Settings::default(), None)
}

fn noon() -> Vec<u64> {
    quarters(48, 30, 900)
}

#[test]
fn an_ordinary_day_is_neither_listed_nor_coloured() {
    let judged = judged_after(12 * 60 + 5, &noon(), 56);
    assert_eq!(judged.moved(judged.measured_at), None);
    let visitors = judged.number(&Metric::Visitors).unwrap();
    let by_now = visitors.by_now.unwrap();
    assert_eq!(by_now.basis, Basis::Weeks(8));
    assert!(by_now.usual.low < by_now.count && by_now.count < by_now.usual.high);
    assert!((1300.0..1580.0).contains(&by_now.usual.centre));
    assert_eq!(visitors.state, State::Ordinary);
}

#[test]
fn a_morning_with_twice_as_many_is_a_spike_since_it_began() {
    let mut first_views = noon();
    for quarter in &mut first_views[40..] {
        *quarter *= 3;
    }
    let judged = judged_after(12 * 60 + 5, &first_views, 56);
    let moved = judged.moved(judged.measured_at).unwrap();
    assert_eq!((moved.kind, moved.metric), (Kind::Spike, Metric::Visitors));
    let usual = moved.usual.unwrap();
    assert!(moved.count > usual.high);
    let began = starts(TODAY.parse().unwrap()) + 10.hours();
    let after = moved.since.duration_since(began).as_mins();
    assert!((0..=30).contains(&after), "{after} minutes after it began");
}

#[test]
fn an_afternoon_that_collapses_is_a_drop_in_the_last_hours() {
    let mut first_views = quarters(72, 30, 900);
    for quarter in &mut first_views[64..] {
        *quarter /= 6;
    }
    let judged = judged_after(18 * 60 + 5, &first_views, 56);
    let moved = judged.moved(judged.measured_at).unwrap();
    assert_eq!(moved.kind, Kind::Drop);
    assert!(moved.count < moved.usual.unwrap().low);
}

#[test]
fn no_event_for_hours_is_silence_since_the_last_one() {
    let today: Date = TODAY.parse().unwrap();
    let history = history_until(today, 56);
    let marks = Marks::of(&history, None);
    let now = starts(today) + 12.hours();
    let last = now - 50.minutes();
    let first_views = noon();
    let counted = Counted {
        measured_at: now,
        day_began: starts(today),
        first_views: first_views.clone(),
        pageviews: first_views,
        first_conversions: Vec::new(),
        last_event_at: Some(last),
    };
    let judged = judge(&history, &marks, &counted, Settings::default(), None);
    let moved = judged.moved(now).unwrap();
    assert_eq!((moved.kind, moved.since), (Kind::Silent, last));
    assert_eq!(moved.usual_gap, Some(240));
    // An hour later these numbers are old, and say nothing about then.
    assert_eq!(judged.moved(now + 61.minutes()), None);
}

#[test]
fn half_past_midnight_compares_with_half_past_midnight() {
    let judged = judged_after(32, &[28, 33, 2], 56);
    let by_now = judged.number(&Metric::Visitors).unwrap().by_now.unwrap();
    assert_eq!(by_now.count, 61);
    assert!((50.0..70.0).contains(&by_now.usual.centre));
    assert_eq!(judged.moved(judged.measured_at), None);
    // Ten minutes after midnight no quarter has closed, and nothing is said.
    let early = judged_after(10, &[20], 56);
    assert_eq!(early.number(&Metric::Visitors).unwrap().by_now, None);
}

#[test]
fn too_little_history_is_compared_with_less_and_says_so() {
    let basis = |days| {
        let judged = judged_after(12 * 60 + 5, &noon(), days);
        let by_now = judged.number(&Metric::Visitors).unwrap().by_now;
        by_now.map(|by_now| by_now.basis)
    };
    assert_eq!(basis(14), Some(Basis::LastWeek));
    assert_eq!(basis(3), Some(Basis::Yesterday));
    assert_eq!(basis(0), None);
}

#[test]
fn a_day_of_a_clock_change_is_compared_by_wall_time() {
    // On 25 October the hour from 2 to 3 passed twice: 13 hours had passed at noon.
    let today: Date = "2026-10-25".parse().unwrap();
    let history = history_until(today, 56);
    let marks = Marks::of(&history, None);
    let now = starts(today) + 13.hours() + 5.minutes();
    let first_views = quarters(52, 30, 900);
    let counted = Counted {
        measured_at: now,
        day_began: starts(today),
        first_views: first_views.clone(),
        pageviews: first_views,
        first_conversions: Vec::new(),
        last_event_at: Some(now),
    };
    let judged = judge(&history, &marks, &counted, Settings::default(), None);
    let by_now = judged.number(&Metric::Visitors).unwrap().by_now.unwrap();
    assert!(by_now.usual.low <= by_now.count && by_now.count <= by_now.usual.high);
    assert_eq!(judged.usual_hours.len(), 49);
    assert!(judged.usual_near_hour(starts(today)).is_some());
}

#[test]
fn marks_of_settled_days_are_kept_and_the_newest_are_made_again() {
    let today: Date = TODAY.parse().unwrap();
    let mut history = history_until(today, 56);
    let marks = Marks::of(&history, None);
    assert_eq!(Marks::of(&history, Some(&marks)), marks);
    for views in &mut history.days[55].first_views {
        *views *= 4;
    }
    assert_ne!(Marks::of(&history, Some(&marks)), marks);
}

#[test]
fn what_is_fitted_once_is_used_until_the_closed_days_change() {
    let today: Date = TODAY.parse().unwrap();
    let history = history_until(today, 56);
    let key = ProjectKey {
        host: "eu".into(),
        id: 7,
    };
    let first_views = noon();
    let counted = Counted {
        measured_at: starts(today) + 12.hours(),
        day_began: starts(today),
        first_views: first_views.clone(),
        pageviews: first_views,
        first_conversions: Vec::new(),
        last_event_at: None,
    };
    let mut baselines = Baselines::default();
    let mut asked = 0;
    let mut judge = |measured_at| {
        let read = || {
            asked += 1;
            Ok::<_, ()>(Some((history.clone(), Marks::of(&history, None))))
        };
        let fitted_to = (measured_at, history.asked.conversions.as_slice());
        let judged = baselines.judge(&key, fitted_to, &counted, Settings::default(), None, read);
        assert!(judged.unwrap().is_some());
        asked
    };
    assert_eq!(judge(history.measured_at), 1);
    assert_eq!(judge(history.measured_at), 1);
    assert_eq!(judge(history.measured_at + 1.hours()), 2);
}

#[test]
fn silent_projects_come_first_and_most_moving_together_is_said_once() {
    let key = |id| ProjectKey {
        host: "eu".into(),
        id,
    };
    let mut busy = noon();
    for quarter in &mut busy[40..] {
        *quarter *= 3;
    }
    let spike = judged_after(12 * 60 + 5, &busy, 56);
    let ordinary = judged_after(12 * 60 + 5, &noon(), 56);
    let mut silent = ordinary.clone();
    silent.silent = Some(Silent {
        since: ordinary.measured_at - 2.hours(),
        usual_seconds: 600,
    });
    let now = ordinary.measured_at;
    let keys: Vec<ProjectKey> = (1..=5).map(key).collect();
    let moved = |judged: &Judged| judged.moved(now);
    let known = [
        moved(&spike),
        moved(&silent),
        moved(&ordinary),
        None,
        moved(&ordinary),
    ];
    let each = keys.iter().zip(&known);
    let all = moves(each.map(|(key, moved)| (key, key.id != 4, moved.as_ref())));
    let listed: Vec<(u64, Kind)> = all
        .listed
        .iter()
        .map(|listed| (listed.project.id, listed.moved.kind))
        .collect();
    assert_eq!(listed, [(2, Kind::Silent), (1, Kind::Spike)]);
    assert_eq!((all.ordinary, all.unknown, all.together), (2, 1, None));
    let most = moves(keys.iter().map(|key| (key, true, known[0].as_ref())));
    assert_eq!(most.together.map(|together| together.moved), Some(5));
}

#[test]
fn whole_numbers_are_outside_exactly_if_the_range_says_so() {
    let range = usual::Range {
        centre: 10.0,
        low: 7.3,
        high: 13.9,
    };
    let shown = UsualRange::from(range);
    for count in 0..30_u32 {
        let outside = u64::from(count) < shown.low || u64::from(count) > shown.high;
        assert_eq!(outside, range.side(f64::from(count)).is_some(), "{count}");
    }
}
