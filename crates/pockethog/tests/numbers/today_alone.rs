//! A refresh that reads today alone has the numbers of one that reads all days.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pockethog_core::history::{Asked, History, MOST_DAYS};
use pockethog_core::overview::{ClosedDays, Today};

use super::{CONVERSIONS, Site, history, sites, start};
use demo_posthog::{Event, Instance};

fn asked(site: &Site) -> Asked {
    Asked::new(&site.zone, &CONVERSIONS.map(ToOwned::to_owned))
}

async fn read(site: &Site, closed: Option<&ClosedDays>) -> Today {
    let (clock, asked) = (site.clock(), asked(site));
    let rows = site.ask(&Today::query(&clock, &asked, closed)).await;
    Today::from_rows(&clock, &asked, closed, site.now, &rows).unwrap()
}

/// Without any day that is known before.
pub async fn everything(site: &Site) -> Today {
    read(site, None).await
}

/// Both ways are compared now, and after the midnight of each project.
async fn compare_all(instance: &Instance, wanted: impl Fn(&str) -> bool) {
    let sites = sites(instance, wanted);
    assert!(!sites.is_empty());
    for mut site in sites {
        let closed = history::read(&site, MOST_DAYS).await;
        let midnight = site.clock().day_start(0).timestamp();
        let now = site.now;
        let around = [2, 61].map(|minutes| midnight + SignedDuration::from_mins(minutes));
        for at in around.into_iter().chain([now]).filter(|at| *at <= now) {
            site.now = at;
            compare(
                &site,
                History {
                    measured_at: at,
                    ..closed.clone()
                },
            )
            .await;
        }
    }
}

async fn compare(site: &Site, history: History) {
    let name = format!("project {} in {}, {}", site.id, site.zone, site.now);
    let closed = history.before_today(&asked(site), &site.clock());
    let closed = closed.expect(&name);
    let alone = read(site, Some(&closed)).await;
    let mut everything = everything(site).await;
    // A closed day knows its last event to the minute.
    let to_the_minute = |at: Timestamp| {
        let second = at.as_second();
        if at < alone.began().unwrap() {
            second - second.rem_euclid(60)
        } else {
            second
        }
    };
    let last = [alone.last_event_at, everything.last_event_at].map(|at| at.map(to_the_minute));
    assert_eq!(last[0], last[1], "{name}: last event");
    everything.last_event_at = alone.last_event_at;
    assert_eq!(alone, everything, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn today_alone_has_the_same_numbers_in_every_project_of_the_us_region() {
    let demo = start("2026-11-24T17:43:21Z").await;
    compare_all(demo.us(), |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn today_alone_has_the_same_numbers_on_the_day_that_summer_begins() {
    let demo = start("2026-03-29T14:10:05Z").await;
    compare_all(demo.eu(), |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn today_alone_has_the_same_numbers_on_the_day_after_summer_began() {
    let demo = start("2026-03-30T00:59:59Z").await;
    compare_all(demo.eu(), |zone| zone.starts_with("Europe")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn today_alone_has_the_same_numbers_on_the_day_that_summer_ends_and_on_the_next() {
    for now in ["2026-10-25T02:10:00Z", "2026-10-26T02:10:00Z"] {
        let demo = start(now).await;
        compare_all(demo.eu(), |zone| zone.starts_with("Europe")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn today_alone_has_the_same_numbers_when_summer_ends_in_america_and_australia_has_it() {
    let demo = start("2026-11-01T16:05:30Z").await;
    let moved = |zone: &str| zone.starts_with("America") || zone.starts_with("Australia");
    compare_all(demo.us(), moved).await;
}

/// The rows that a server whose events are in the order of time reads: for each SELECT that reads events, those
/// between its two instants.
fn rows_read(text: &str, events: &[Event]) -> usize {
    let selects = text.split(" FROM events WHERE ").skip(1);
    let instant = |text: &str| {
        let (literal, _) = text.split_once('\'').unwrap();
        let at: DateTime = literal.parse().unwrap();
        TimeZone::UTC.to_timestamp(at).unwrap().as_second()
    };
    let rows = selects.map(|select| {
        let (_, from) = select.split_once("timestamp >= toDateTime64('").unwrap();
        let (_, until) = select.split_once("timestamp < toDateTime64('").unwrap();
        let stretch = instant(from)..instant(until);
        events
            .iter()
            .filter(|event| stretch.contains(&event.timestamp))
            .count()
    });
    rows.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_of_today_alone_reads_at_most_a_tenth_of_the_rows() {
    // The end of the day in Berlin: no other hour has more of today.
    let demo = start("2026-11-24T22:58:00Z").await;
    let mut all = (0, 0);
    for site in sites(demo.eu(), |_| true) {
        let events = demo.eu().events(site.id).unwrap();
        let history = history::read(&site, MOST_DAYS).await;
        let closed = history.before_today(&asked(&site), &site.clock());
        let rows = |closed| {
            rows_read(
                &Today::query(&site.clock(), &asked(&site), closed).text,
                &events,
            )
        };
        let (everything, alone) = (rows(None), rows(closed.as_ref()));
        println!(
            "project {}: {everything} rows, today alone {alone}",
            site.id
        );
        assert!(
            alone * 10 <= everything,
            "project {}: {alone} of {everything}",
            site.id
        );
        all = (all.0 + everything, all.1 + alone);
    }
    println!("in all: {} rows, today alone {}", all.0, all.1);
    assert!(all.1 > 0, "a comparison of nothing shows nothing");
}
