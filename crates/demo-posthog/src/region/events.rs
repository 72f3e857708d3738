//! Invented events: months of visits with a daily and a weekly rhythm, from a fixed seed.
//!
//! They run a day past the start of the program, and a query sees only what is before now: numbers
//! grow while one watches. They reach twice ninety days back, so that a quarter has one to compare with.
//!
//! Most projects are ordinary. Three are not: one has a [`story::Story`] of a sudden crowd, one of a source that dries
//! up, one of a failure. Whoever starts the demo sees them at once, at any time of day.

mod audience;
mod story;
mod visits;

use fastrand::Rng;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, ZonedDateTime};

use self::audience::Audience;
use self::story::Story;
use self::visits::Visits;
use crate::world::Project;

/// Days of events before now.
const DAYS: i64 = 181;

/// One event.
pub type Event = hogql_sqlite::Event<'static>;

/// How far an ordinary day is from what its weekday usually has, at most.
const WOBBLE: f64 = 0.06;

/// The same for today: it is as usual, so that what a story adds stands out.
const WOBBLE_OF_TODAY: f64 = 0.015;

/// All events of a project, by time.
pub fn generate(project: &Project, seed: u64, now: Timestamp) -> Vec<Event> {
    let mut random = Rng::with_seed(seed ^ project.id.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let zone = TimeZone::get(&project.time_zone).unwrap_or(TimeZone::UTC);
    let today = now.to_zoned_datetime(zone);
    if project.visitors == 0 {
        return Vec::new();
    }
    let audience = Audience::of(&project.name);
    let story = Story::of(&project.name, now);
    let mut visits = Visits::new(project, audience, story.dried_up());
    for days in (-1..=DAYS).rev() {
        let Ok(day) = today
            .checked_sub(days.days())
            .and_then(|day| day.start_of_day())
        else {
            continue;
        };
        let is_now = days <= 0;
        let wobble = if is_now { WOBBLE_OF_TODAY } else { WOBBLE };
        let expected = f64::from(project.visitors)
            * growth(days)
            * audience.of_weekday(day.weekday())
            * (1.0 + (2.0 * random.f64() - 1.0) * wobble);
        let count = whole(expected).max(1);
        let clock = WallClock::of(&day);
        // People come when they like; today, and if machines are the visitors, at a steady pace.
        let steady = is_now || audience.is_steady();
        for nth in 0..count {
            let share = if steady {
                (f64::from(nth) + random.f64()) / f64::from(count)
            } else {
                random.f64()
            };
            let at = clock.at(audience.second_of_day(share));
            visits.visit(&mut random, at, is_now);
        }
    }
    let mut events = visits.into_events();
    story.change(project, &mut random, &mut events);
    events.sort_by_key(|event| event.timestamp);
    events
}

/// What the clocks of a zone show on one day: people keep to them when they are changed.
struct WallClock {
    start: i64,
    /// The day, if its clock is changed.
    changed: Option<ZonedDateTime>,
}

impl WallClock {
    fn of(day: &ZonedDateTime) -> Self {
        let start = day.timestamp().as_second();
        let end = day.tomorrow().map(|next| next.timestamp().as_second());
        let is_whole = end.is_ok_and(|end| end - start == 86_400);
        Self {
            start,
            changed: (!is_whole).then(|| day.clone()),
        }
    }

    /// When the clock shows this second of its day.
    fn at(&self, second: i64) -> i64 {
        let passed = self.start + second;
        let Some(day) = &self.changed else {
            return passed;
        };
        day.datetime()
            .date()
            .to_datetime(Time::midnight())
            .checked_add(second.seconds())
            .and_then(|at| day.time_zone().to_timestamp(at))
            .map_or(passed, Timestamp::as_second)
    }
}

/// Grows by a half over the time.
fn growth(days: i64) -> f64 {
    1.0 + (DAYS - days) as f64 / DAYS as f64 / 2.0
}

fn whole(expected: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small and positive"
    )]
    let whole = expected.round().max(0.0) as u32;
    whole
}

/// Minutes since midnight, as a clock on the wall shows them.
fn minute_of_day(at: &ZonedDateTime) -> i64 {
    i64::from(at.hour()) * 60 + i64::from(at.minute())
}

/// The first ones are picked more often.
fn skewed<T: Copy>(random: &mut Rng, choices: &[T]) -> T {
    choices[random
        .usize(0..choices.len())
        .min(random.usize(0..choices.len()))]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::world::{RegionName, Size, World};

    #[test]
    fn one_seed_makes_the_same_events() {
        let world = World::new(RegionName::Eu, Size::Standard);
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        let project = world.projects.last().unwrap();
        assert_eq!(generate(project, 1, now), generate(project, 1, now));
        assert_ne!(generate(project, 1, now), generate(project, 2, now));
    }

    #[test]
    fn an_empty_project_is_empty() {
        let world = World::new(RegionName::Us, Size::Standard);
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        let empty = world
            .projects
            .iter()
            .find(|project| project.visitors == 0)
            .unwrap();
        assert!(generate(empty, 1, now).is_empty());
    }
}
