//! What a newcomer sees: three projects that are out of the ordinary, whenever the demo starts, and the others that are not.
//!
//! Each number is judged as the program judges it, by the crate `usual`.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use demo_posthog::{Demo, Event, Instance, Options};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, ZonedDateTime};
use usual::{Baseline, Compare, Day, Direction, GapDay, Sensitivity, State, Today, UsualGaps};

/// Quarters of an hour in a day.
const SLOTS: usize = 96;

/// A number of a project, by day and quarter of an hour.
type Counts = BTreeMap<Date, Vec<f64>>;

struct Site {
    name: String,
    now: ZonedDateTime,
    /// Those that have happened, by the clock of the project.
    events: Vec<(Event, Date, usize)>,
}

impl Site {
    /// First views of persons and days.
    fn visitors(&self) -> Counts {
        self.firsts(|event| matches!(event.event, "$pageview" | "$screen"))
    }

    fn converted(&self) -> Counts {
        self.firsts(|event| event.event == "signed_up")
    }

    fn firsts(&self, counts: impl Fn(&Event) -> bool) -> Counts {
        let mut seen = BTreeSet::new();
        self.count(|event, date| counts(event) && seen.insert((date, event.person)))
    }

    fn pageviews(&self) -> Counts {
        self.count(|event, _| matches!(event.event, "$pageview" | "$screen"))
    }

    fn count(&self, mut counts: impl FnMut(&Event, Date) -> bool) -> Counts {
        let mut by_day = Counts::new();
        let today = self.now.date();
        for ago in 0..=56 {
            by_day.insert(today - ago.days(), vec![0.0; SLOTS]);
        }
        for (event, date, slot) in &self.events {
            if let Some(day) = by_day.get_mut(date)
                && counts(event, *date)
            {
                day[*slot] += 1.0;
            }
        }
        by_day
    }

    /// Where a number is now, by the closed quarters of today.
    fn state(&self, mut counts: Counts) -> State {
        let today = self.now.date();
        let mut so_far = counts.remove(&today).unwrap();
        so_far.truncate(slot(&self.now));
        let mut days: Vec<Day> = counts
            .into_iter()
            .map(|(date, counts)| Day::new(date, counts))
            .collect();
        usual::mark_days(&mut days);
        let baseline = Baseline::new(&days, today, Compare::Usual, Sensitivity::Normal);
        baseline.judge(&Today::new(today, so_far), None).state
    }

    fn moved(&self, counts: Counts) -> Option<Direction> {
        match self.state(counts) {
            State::Moved(moved) => Some(moved.direction),
            _ => None,
        }
    }

    /// Whether nothing has come in for much longer than ever at this hour.
    fn is_silent(&self) -> bool {
        let mut at: Vec<i64> = self
            .events
            .iter()
            .map(|(event, ..)| event.timestamp)
            .collect();
        at.sort_unstable();
        let today = self.now.date();
        let mut days = Vec::new();
        for ago in 1..=56 {
            let day = today - ago.days();
            let start = day.to_zoned_datetime(self.now.time_zone().clone()).unwrap();
            let start = start.timestamp().as_second();
            let longest = (0..24).map(|hour| {
                let (from, until) = (start + hour * 3600, start + (hour + 1) * 3600);
                let first = at.partition_point(|at| *at < from);
                let last = at.partition_point(|at| *at < until);
                let near = &at[first.saturating_sub(1)..last];
                let gaps = near.windows(2).map(|pair| pair[1] - pair[0]);
                let open = near.last().map_or(0, |last| until - last);
                Some(gaps.chain([open]).max().unwrap_or(0) as f64)
            });
            days.push(GapDay {
                longest: longest.collect(),
                moved: false,
            });
        }
        let since = self.now.timestamp().as_second() - at.last().copied().unwrap_or(0);
        let hour = usize::try_from(self.now.hour()).unwrap();
        UsualGaps::new(&days).silence(hour, since as f64).is_some()
    }
}

fn slot(at: &ZonedDateTime) -> usize {
    usize::try_from(i32::from(at.hour()) * 4 + i32::from(at.minute()) / 15).unwrap()
}

fn sites(instance: &Instance) -> Vec<Site> {
    let now = instance.now();
    let site = |project: &demo_posthog::Project| {
        let zone = TimeZone::get(&project.time_zone).unwrap();
        let local = now.to_zoned_datetime(zone.clone());
        // Days with when they began, and the slots that pass on them.
        let days: Vec<(i64, Date, Vec<usize>)> = (-1..=57)
            .rev()
            .map(|ago| {
                let date = local.date() - ago.days();
                let start = date.to_zoned_datetime(zone.clone()).unwrap().timestamp();
                let slots = usual::wall_slots(date, &zone, SLOTS);
                (start.as_second(), date, slots)
            })
            .collect();
        let place = |event: Event| {
            let after = days.partition_point(|(start, ..)| *start <= event.timestamp);
            let (start, date, slots) = days.get(after.checked_sub(1)?)?;
            let passed = usize::try_from((event.timestamp - start) / 900).ok()?;
            Some((event, *date, *slots.get(passed)?))
        };
        let events = instance.events(project.id).unwrap().into_iter();
        Site {
            name: project.name.clone(),
            now: local.clone(),
            events: events
                .filter(|event| event.timestamp <= now.as_second())
                .filter_map(place)
                .collect(),
        }
    };
    let projects = &instance.world().projects;
    let lively = projects.iter().filter(|project| project.visitors > 0);
    lively.map(site).collect()
}

/// Starts the demo, and checks what its projects show.
async fn look(now: &str) {
    let options = Options {
        now: Some(now.parse().unwrap()),
        ..Options::default()
    };
    let demo = Demo::start(options).await.unwrap();
    let mut seen = Vec::new();
    for instance in [demo.us(), demo.eu()] {
        for site in sites(instance) {
            if site.is_silent() {
                seen.push((site.name, "silent".to_owned()));
                continue;
            }
            let numbers = [
                ("visitors", site.visitors()),
                ("pageviews", site.pageviews()),
                ("signed_up", site.converted()),
            ];
            for (number, counts) in numbers {
                if let Some(direction) = site.moved(counts) {
                    seen.push((site.name.clone(), format!("{number} {direction:?}")));
                }
            }
        }
    }
    let shown = |of: [&str; 2], what: &str| {
        seen.iter()
            .any(|(name, state)| of.contains(&name.as_str()) && state == what)
    };
    let crowds = ["Snuffle App", "Hedgerow Blog"];
    let droughts = ["Fernway Travel", "Thistle & Co"];
    assert!(shown(crowds, "visitors Up"), "{now}: {seen:?}");
    assert!(shown(droughts, "visitors Down"), "{now}: {seen:?}");
    assert!(shown(["Pebble POS"; 2], "silent"), "{now}: {seen:?}");
    let stories: BTreeSet<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(stories.len(), 3, "{now}: {seen:?}");
}

/// A working day and a Sunday, at these times of UTC.
async fn at(times: &[&str]) {
    for day in ["2026-11-24", "2026-11-29"] {
        for time in times {
            look(&format!("{day}T{time}Z")).await;
        }
    }
}

#[tokio::test]
async fn on_days_of_a_change_of_the_clock() {
    look("2026-03-29T12:15:00Z").await;
    look("2026-10-25T02:30:00Z").await;
}

#[tokio::test]
async fn at_night_in_europe() {
    at(&["00:40:00", "03:10:00"]).await;
}

#[tokio::test]
async fn in_the_morning_in_europe() {
    at(&["05:20:00", "08:31:00"]).await;
}

#[tokio::test]
async fn at_noon_in_europe() {
    at(&["10:59:00", "12:00:00"]).await;
}

#[tokio::test]
async fn in_the_afternoon_in_europe() {
    at(&["15:05:00", "17:43:21"]).await;
}

#[tokio::test]
async fn in_the_evening_in_europe() {
    at(&["20:30:00", "23:40:00"]).await;
}
