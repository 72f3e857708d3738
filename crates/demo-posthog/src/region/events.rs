//! Invented events: months of visits with a daily and a weekly rhythm, from a fixed seed.
//!
//! They run a day past the start of the program, and a query sees only what is before now: numbers
//! grow while one watches. They reach twice ninety days back, so that a quarter has one to compare with.

use fastrand::Rng;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::world::Project;

/// Days of events before now.
const DAYS: i64 = 181;

/// One event.
pub type Event = hogql_sqlite::Event<'static>;

const PATHS: [&str; 8] = [
    "/",
    "/pricing",
    "/blog/why-we-moved",
    "/docs/getting-started",
    "/features",
    "/changelog",
    "/about",
    "/login",
];
const SCREENS: [&str; 4] = ["Home", "Search", "Detail", "Settings"];
const REFERRERS: [&str; 6] = [
    "$direct",
    "www.google.com",
    "news.ycombinator.com",
    "github.com",
    "duckduckgo.com",
    "bsky.app",
];
const COUNTRIES: [Option<&str>; 9] = [
    Some("US"),
    Some("DE"),
    Some("GB"),
    Some("IN"),
    Some("FR"),
    Some("BR"),
    Some("JP"),
    Some("NZ"),
    None,
];
/// Type, operating system.
const DEVICES: [(&str, &str); 6] = [
    ("Desktop", "Mac OS X"),
    ("Desktop", "Windows"),
    ("Mobile", "iOS"),
    ("Mobile", "Android"),
    ("Desktop", "Linux"),
    ("Tablet", "iOS"),
];
const BROWSERS: [&str; 4] = ["Chrome", "Safari", "Firefox", "Microsoft Edge"];
const CAMPAIGNS: [&str; 3] = ["newsletter", "podcast", "partner"];

/// What people do besides looking, and how many of 1,000 sessions do it.
const ACTIONS: [(&str, u32); 5] = [
    ("signed_up", 46),
    ("trial_started", 25),
    ("paid", 10),
    ("invited_teammate", 18),
    ("newsletter_subscribed", 30),
];

/// Visits per hour of the day, in relation to one another.
const RHYTHM: [u32; 24] = [
    7, 6, 5, 5, 5, 6, 9, 14, 22, 30, 36, 39, 38, 40, 42, 40, 37, 33, 30, 28, 25, 20, 15, 10,
];

/// All events of a project, by time.
pub fn generate(project: &Project, seed: u64, now: Timestamp) -> Vec<Event> {
    let mut random = Rng::with_seed(seed ^ project.id.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let zone = TimeZone::get(&project.time_zone).unwrap_or(TimeZone::UTC);
    let today = now.to_zoned_datetime(zone);
    let mut events = Vec::new();
    if project.visitors == 0 {
        return events;
    }
    let total: u32 = RHYTHM.iter().sum();
    let mut sessions = 0;
    for days in (-1..=DAYS).rev() {
        let Ok(day) = today
            .checked_sub(days.days())
            .and_then(|day| day.start_of_day())
        else {
            continue;
        };
        let weekend = matches!(
            day.weekday(),
            jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday
        );
        // Grows by a half over the time, rests at weekends, and wobbles.
        let growth = 1.0 + (DAYS - days) as f64 / DAYS as f64 / 2.0;
        let rest = if weekend { 0.55 } else { 1.0 };
        let wobble = 0.85 + random.f64() * 0.3;
        let expected = f64::from(project.visitors) * growth * rest * wobble;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small and positive"
        )]
        let visits = expected.round().max(1.0) as u32;
        let start = day.timestamp().as_second();
        for _ in 0..visits {
            let mut pick = random.u32(0..total);
            let mut hour = 0;
            for weight in RHYTHM {
                if pick < weight {
                    break;
                }
                pick -= weight;
                hour += 1;
            }
            let at = start + hour * 3600 + random.i64(0..3600);
            sessions += 1;
            visit(project, &mut random, sessions, at, &mut events);
        }
    }
    events.sort_by_key(|event| event.timestamp);
    events
}

fn visit(project: &Project, random: &mut Rng, session: u32, start: i64, events: &mut Vec<Event>) {
    // A crowd of fifteen days' visitors, so that people come back.
    let person = random.u32(0..project.visitors.max(2) * 15);
    let mut habits = Rng::with_seed(u64::from(person) ^ project.id << 32);
    let (device, os) = skewed(&mut habits, &DEVICES);
    let in_app = device == "Mobile" && habits.u32(0..10) == 0;
    let mut base = Event {
        timestamp: start,
        event: if in_app { "$screen" } else { "$pageview" },
        person,
        session,
        pathname: None,
        screen: None,
        referring_domain: Some(skewed(random, &REFERRERS)),
        country: skewed(&mut habits, &COUNTRIES),
        device,
        browser: (!in_app).then(|| skewed(&mut habits, &BROWSERS)),
        os,
        campaign: (random.u32(0..12) == 0).then(|| skewed(random, &CAMPAIGNS)),
        amount: None,
    };
    let views = 1 + random.u32(0..4).saturating_sub(random.u32(0..3));
    for _ in 0..views {
        if in_app {
            base.screen = Some(skewed(random, &SCREENS));
        } else {
            base.pathname = Some(skewed(random, &PATHS));
        }
        events.push(base);
        base.timestamp += random.i64(4..180);
        base.referring_domain = None;
    }
    for (action, of_thousand) in ACTIONS {
        if random.u32(0..1000) < of_thousand {
            events.push(Event {
                event: action,
                amount: (action == "paid").then(|| random.u32(9..90)),
                ..base
            });
        }
    }
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
