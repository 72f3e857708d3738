//! What the screens have to show, worked out from the events themselves and without any query.

use std::collections::HashSet;

use demo_posthog::{Event, Instance, Project};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Persons who viewed something today, in the project's time zone, up to the second `until`.
pub fn visitors_today(posthog: &Instance, project: &Project, until: Timestamp) -> u64 {
    let zone = TimeZone::get(&project.time_zone).unwrap();
    let midnight = until
        .to_zoned_datetime(zone)
        .start_of_day()
        .unwrap()
        .timestamp();
    visitors(posthog, project, midnight, until)
}

/// Persons who viewed something in the last 30 days, today included.
pub fn visitors_of_30_days(posthog: &Instance, project: &Project, until: Timestamp) -> u64 {
    let zone = TimeZone::get(&project.time_zone).unwrap();
    let today = until.to_zoned_datetime(zone).start_of_day().unwrap();
    let start = (&today - 29.days()).start_of_day().unwrap().timestamp();
    visitors(posthog, project, start, until)
}

fn visitors(posthog: &Instance, project: &Project, from: Timestamp, until: Timestamp) -> u64 {
    let viewed = |event: &&Event| {
        matches!(event.event, "$pageview" | "$screen")
            && event.timestamp >= from.as_second()
            && event.timestamp <= until.as_second()
    };
    let persons: HashSet<u32> = posthog
        .events(project.id)
        .unwrap_or_default()
        .iter()
        .filter(viewed)
        .map(|event| event.person)
        .collect();
    persons.len() as u64
}

/// True if `shown` was right at some second from `since` to now. Numbers grow while one looks.
pub fn was_right(
    shown: u64,
    since: Timestamp,
    until: Timestamp,
    at: impl Fn(Timestamp) -> u64,
) -> bool {
    (since.as_second()..=until.as_second())
        .any(|second| at(Timestamp::from_second(second).unwrap()) == shown)
}
