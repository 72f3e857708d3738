//! What is out of the ordinary today.
//!
//! Each story has two projects that it can happen to, in zones far apart: a day that has hardly begun cannot be out of
//! the ordinary yet, so then it happens to the second one.

use fastrand::Rng;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::audience::Audience;
use super::visits::{DriedUp, first_view};
use super::{Event, minute_of_day};
use crate::world::Project;

/// A project that a story can happen to, and its zone.
type Place = (&'static str, &'static str);

const CROWDS: [Place; 2] = [
    ("Snuffle App", "America/Los_Angeles"),
    ("Hedgerow Blog", "Europe/Berlin"),
];
/// A crowd is seen after two quarters of an hour.
const CROWD_AFTER: i64 = 35;

const DROUGHTS: [Place; 2] = [
    ("Fernway Travel", "Europe/Lisbon"),
    ("Thistle & Co", "America/New_York"),
];
/// It takes some hours to see that people stay away.
const DROUGHT_AFTER: i64 = 4 * 60;

/// Silence has no day.
const SILENT: &str = "Pebble POS";
const SILENT_SECONDS: i64 = 138 * 60;

/// A crowd came so long ago, and grows and goes like this.
const CROWD_SECONDS: i64 = 200 * 60;
const CROWD_RISE: f64 = 15.0 * 60.0;
const CROWD_FALL: f64 = 5.0 * 3600.0;
/// Visitors an hour when it is largest.
const CROWD_PEAK: f64 = 150.0;
const CROWD_FROM: &str = "news.ycombinator.com";
const CROWD_PAGE: &str = "/blog/why-we-moved";

/// What happens to a project today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// Nothing.
    Ordinary,
    /// A page is passed on, and everybody comes from there. Since when, in Unix seconds.
    Crowd(i64),
    /// The search engine sends hardly anybody, least of all from Germany.
    Drought,
    /// Nothing has come in since then, in Unix seconds.
    Silence(i64),
}

impl Story {
    /// What happens to the project of this name when the demo starts.
    pub(super) fn of(project: &str, now: Timestamp) -> Self {
        let second = now.as_second();
        if place(&CROWDS, CROWD_AFTER, now) == Some(project) {
            // Since a time that is easy to say.
            let since = second - CROWD_SECONDS;
            Self::Crowd(since - since.rem_euclid(600))
        } else if place(&DROUGHTS, DROUGHT_AFTER, now) == Some(project) {
            Self::Drought
        } else if project == SILENT {
            Self::Silence(second - SILENT_SECONDS)
        } else {
            Self::Ordinary
        }
    }

    /// Who stays away.
    pub(super) fn dried_up(self) -> Option<DriedUp> {
        (self == Self::Drought).then_some(DriedUp {
            from_germany: 98,
            from_elsewhere: 55,
        })
    }

    /// Adds and removes events.
    pub(super) fn change(self, project: &Project, random: &mut Rng, events: &mut Vec<Event>) {
        match self {
            Self::Ordinary | Self::Drought => {}
            Self::Silence(since) => events.retain(|event| event.timestamp < since),
            Self::Crowd(since) => crowd(project, random, since, events),
        }
    }
}

/// Which project a story happens to.
fn place(places: &[Place; 2], after: i64, now: Timestamp) -> Option<&'static str> {
    let [(first, zone), (second, _)] = places;
    let zone = TimeZone::get(zone).ok()?;
    let begun = minute_of_day(&now.to_zoned_datetime(zone));
    Some(if begun >= after { first } else { second })
}

/// People who have never been here, minute by minute, for a day.
fn crowd(project: &Project, random: &mut Rng, since: i64, events: &mut Vec<Event>) {
    let most = |of: fn(&Event) -> u32| events.iter().map(of).max().unwrap_or(0);
    let mut person = most(|event| event.person);
    let mut session = most(|event| event.session);
    let mut due = 0.0;
    for minute in 0_i32..24 * 60 {
        let passed = f64::from(minute) * 60.0;
        let size = (passed / CROWD_RISE).min(1.0) * (-passed / CROWD_FALL).exp();
        due += CROWD_PEAK / 60.0 * size * (0.6 + 0.8 * random.f64());
        while due >= 1.0 {
            due -= 1.0;
            session += 1;
            let start = since + i64::from(minute) * 60 + random.i64(0..60);
            let on_the_page = random.u32(0..100) < 93;
            // Who follows a link does so in a browser.
            let view = loop {
                person += 1;
                let view = first_view(project, Audience::Readers, person, session, start);
                if view.event == "$pageview" {
                    break view;
                }
            };
            events.push(Event {
                pathname: Some(if on_the_page { CROWD_PAGE } else { "/" }),
                referring_domain: Some(CROWD_FROM),
                ..view
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_story_happens_at_every_time_of_day() {
        let names = [
            "Snuffle App",
            "Hedgerow Blog",
            "Fernway Travel",
            "Thistle & Co",
            SILENT,
        ];
        let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        for minute in (0..24 * 60).step_by(20) {
            let now = midnight + jiff::SignedDuration::from_mins(minute);
            let stories: Vec<Story> = names.iter().map(|name| Story::of(name, now)).collect();
            let count = |is: fn(&Story) -> bool| stories.iter().filter(|story| is(story)).count();
            assert_eq!(count(|story| matches!(story, Story::Crowd(_))), 1, "{now}");
            assert_eq!(count(|story| *story == Story::Drought), 1, "{now}");
            assert_eq!(
                count(|story| matches!(story, Story::Silence(_))),
                1,
                "{now}"
            );
        }
    }
}
