//! The home page: what is known at once, the rest as it arrives.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use demo_posthog::{Consent, Endpoint, Failure, Fault, Size, When};
use jiff::{SignedDuration, Timestamp};
use pockethog_core::snapshot::Snapshots;
use pockethog_device::folders::Folders;

use crate::harness::{App, Harness};

const LIVE: &str = "data-state=\"live\"";

#[tokio::test]
async fn numbers_stream_in_as_they_arrive() {
    let harness = Harness::signed_in().await;
    // Far longer than changes are gathered, so that the list of projects is told before the numbers.
    harness.demo.us().set_latency(Duration::from_millis(500));
    let mut stream = harness.app.stream("/events/home").await;
    let mut told = Vec::new();
    while !told.last().is_some_and(|(name, data): &(String, String)| {
        name == "status" && data.contains("\"live\"")
    }) {
        told.push(stream.next().await);
    }
    let part = |text: &str| {
        told.iter()
            .position(|(name, data)| name == "part" && data.contains(text))
            .unwrap()
    };
    let list = part(&harness.demo.us().world().projects[0].name);
    assert!(list < part("visitors today"), "{told:?}");
    assert!(told.iter().any(|(name, _)| name == "progress"), "{told:?}");
}

#[tokio::test]
async fn an_organization_that_is_refused_is_named_and_the_rest_is_there() {
    let harness = Harness::new().await;
    let world = harness.demo.us().world();
    let refused = world.organizations[1].clone();
    harness.demo.us().forbid_organization(&refused.id);
    harness.sign_in("us", &Consent::default()).await;
    let (there, gone): (Vec<_>, Vec<_>) = world
        .projects
        .iter()
        .partition(|project| project.organization != refused.id);
    let page = harness
        .app
        .home_until(|page| page.contains(&there[0].name) && page.contains(LIVE))
        .await;
    assert!(
        page.contains(&format!("Projects of {} could not be read", refused.name)),
        "{page}"
    );
    assert!(gone.iter().all(|project| !page.contains(&project.name)));
}

#[tokio::test]
async fn a_sign_in_that_reaches_no_project_is_told_so_and_not_left_waiting() {
    let harness = Harness::with(Size::Large {
        organizations: 1,
        projects_each: 0,
    })
    .await;
    harness.sign_in("us", &Consent::default()).await;
    let page = harness
        .app
        .home_until(|page| page.contains("No projects granted"))
        .await;
    assert!(page.contains("href=\"/connections\""), "{page}");
    assert!(!page.contains("class=\"bone\""), "nothing is on its way");
    let connections = harness.app.text("/connections").await;
    assert!(connections.contains("0 projects"), "{connections}");
}

#[tokio::test]
async fn a_project_that_fails_is_named_on_its_card_and_the_rest_is_there() {
    let harness = Harness::new().await;
    let project = harness.demo.us().world().projects[0].clone();
    harness.demo.us().fail_project(project.id, 500);
    harness.sign_in("us", &Consent::default()).await;
    let page = harness
        .app
        .home_until(|page| page.contains("PostHog failed (500)") && page.contains("visitors today"))
        .await;
    assert!(page.contains(&project.name), "{page}");
}

#[tokio::test]
async fn offline_the_page_opens_with_the_last_numbers_and_their_age() {
    let harness = Harness::signed_in().await;
    harness.app.home_until(|page| page.contains(LIVE)).await;
    let Harness { demo, home, app } = harness;
    let (us, eu) = (
        demo.us().address().to_owned(),
        demo.eu().address().to_owned(),
    );
    app.end().await;
    drop(demo);
    // The numbers are of an hour ago, so that they are asked for again.
    age_snapshots(home.path());
    let app = App::start(home.path(), &us, &eu).await;
    let first = app.text("/").await;
    assert!(first.contains("visitors today"), "at once: {first}");
    let page = app
        .home_until(|page| page.contains("data-state=\"offline\""))
        .await;
    assert!(page.contains("visitors today"));
    assert!(page.contains("PostHog cannot be reached"), "{page}");
}

/// Makes the numbers an hour old, so that they are due.
fn age_snapshots(home: &Path) {
    move_snapshots(home, SignedDuration::from_hours(-1));
}

/// As if the clock had been set otherwise when the numbers and the lists of projects were read.
fn move_snapshots(home: &Path, by: SignedDuration) {
    let path = Folders::below(home.to_owned()).snapshots();
    let known = Snapshots::open(&path).unwrap().all_today().unwrap();
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute("DELETE FROM views", []).unwrap();
    let lists = "UPDATE discoveries SET found_at = found_at + ?1";
    database.execute(lists, [by.as_secs()]).unwrap();
    drop(database);
    let mut snapshots = Snapshots::open(&path).unwrap();
    for (key, mut today) in known {
        today.measured_at += by;
        snapshots.put(&key, &today).unwrap();
    }
}

#[tokio::test]
async fn what_was_read_under_a_clock_that_was_ahead_is_asked_once_and_replaced() {
    let harness = Harness::signed_in().await;
    harness.app.home_until(|page| page.contains(LIVE)).await;
    let Harness { demo, home, app } = harness;
    app.end().await;
    move_snapshots(home.path(), SignedDuration::from_hours(1));
    demo.us().reset_counters();
    let app = App::start(home.path(), demo.us().address(), demo.eu().address()).await;
    let first = app.text("/").await;
    assert!(
        first.contains("Numbers from an unknown time ago."),
        "{first}"
    );
    app.home_until(|page| page.contains(LIVE) && !page.contains("unknown time"))
        .await;
    let snapshots = Snapshots::open(&Folders::below(home.path().to_owned()).snapshots()).unwrap();
    let known = snapshots.all_today().unwrap();
    assert!(
        known
            .iter()
            .all(|(_, today)| today.measured_at <= Timestamp::now())
    );
    // Each was asked for once, though every look at the page thinks about what is due.
    let mut stream = app.stream("/events/home").await;
    stream
        .until(|name, data| name == "status" && data.contains("\"live\""))
        .await;
    assert_eq!(demo.us().counters().count(Endpoint::Query), known.len());
}

#[tokio::test]
async fn a_connection_that_heals_is_told() {
    let harness = Harness::signed_in().await;
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::Query,
        times: 200,
        what: Fault::Drop,
        when: When::Before,
    });
    let mut stream = harness.app.stream("/events/home").await;
    stream
        .until(|name, data| name == "status" && data.contains("\"offline\""))
        .await;
    harness.demo.us().heal();
    stream
        .until(|name, data| name == "status" && data.contains("\"live\""))
        .await;
}

/// As a service that begins with the session: nothing is there yet, and it is not started again for that.
#[tokio::test]
async fn an_app_that_starts_before_the_network_has_numbers_once_it_is_there() {
    let Harness { demo, home, app } = Harness::signed_in().await;
    app.end().await;
    demo.us().fail_next(Failure {
        endpoint: Endpoint::Any,
        times: 10_000,
        what: Fault::Drop,
        when: When::Before,
    });
    let app = App::start(home.path(), demo.us().address(), demo.eu().address()).await;
    let mut stream = app.stream("/events/home").await;
    stream
        .until(|name, data| name == "status" && data.contains("\"offline\""))
        .await;
    demo.us().heal();
    app.home_until(|page| page.contains(LIVE)).await;
}

#[tokio::test]
async fn sorting_filtering_and_paging_are_links_that_work_without_scripts() {
    let harness = Harness::signed_in().await;
    harness.app.home_until(|page| page.contains(LIVE)).await;
    let project = &harness.demo.us().world().projects[0];
    let page = harness.app.text(&format!("/?filter={}", project.id)).await;
    assert!(page.contains(&project.name), "{page}");
    assert_eq!(page.matches("<li class=\"card project\"").count(), 1);
    let by_name = harness.app.text("/?sort=name").await;
    assert!(by_name.contains("http-equiv=\"refresh\""), "{by_name}");
    let mut names: Vec<&str> = by_name
        .split("<h3>")
        .skip(1)
        .filter_map(|rest| rest.split("<bdi>").nth(1)?.split("</bdi>").next())
        .collect();
    let shown = names.clone();
    names.sort_by_key(|name| name.to_lowercase());
    assert_eq!(shown, names);
}
