//! How many requests are sent, and when none are.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use demo_posthog::{ApiKeyOptions, Endpoint, Failure, Fault, ReadBudget, Size, When};
use secrecy::SecretString;
use sign_in_with_posthog::Region;

use crate::harness::Harness;

/// Signs in at US Cloud by an API key.
async fn add_key(harness: &Harness) {
    let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
    let program = harness.app.state.live().program();
    let host = program.clouds.host(Region::Us);
    let key = SecretString::from(key);
    program.sign_in.add_api_key(host, &key).await.unwrap();
}

#[tokio::test]
async fn the_first_numbers_take_one_query_per_project() {
    let harness = Harness::signed_in().await;
    harness
        .app
        .home_until(|page| page.contains("data-state=\"live\""))
        .await;
    let projects = harness.demo.us().world().projects.len();
    assert_eq!(
        harness.demo.us().counters().count(Endpoint::Query),
        projects
    );
}

#[tokio::test]
async fn fresh_numbers_are_not_asked_for_again_by_the_next_app() {
    let mut harness = Harness::signed_in().await;
    harness
        .app
        .home_until(|page| page.contains("data-state=\"live\""))
        .await;
    let (us, eu) = (harness.demo.us().address(), harness.demo.eu().address());
    let next = crate::harness::App::start;
    let ended = std::mem::replace(
        &mut harness.app,
        next(tempfile::tempdir().unwrap().path(), us, eu).await,
    );
    ended.end().await;
    harness.demo.us().reset_counters();
    let app = next(harness.home.path(), us, eu).await;
    let page = app
        .home_until(|page| page.contains("data-state=\"live\""))
        .await;
    assert!(page.contains("visitors today"));
    assert_eq!(harness.demo.us().counters().count(Endpoint::Any), 0);
}

#[tokio::test]
async fn with_no_page_open_nothing_is_asked() {
    let harness = Harness::signed_in().await;
    // Signing in alone opens no page.
    tokio::task::yield_now().await;
    assert_eq!(harness.demo.us().counters().count(Endpoint::Query), 0);
}

#[tokio::test]
async fn a_busy_posthog_is_told_and_left_alone() {
    let harness = Harness::signed_in().await;
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::Query,
        times: 1000,
        what: Fault::Throttled(57),
        when: When::Before,
    });
    let mut stream = harness.app.stream("/events/home").await;
    stream
        .until(|name, data| name == "status" && data.contains("\"busy\""))
        .await;
    let asked = harness.demo.us().counters().count(Endpoint::Query);
    let page = harness.app.text("/").await;
    assert!(page.contains("slow down"), "{page}");
    // What was under way may still arrive; nothing more than one request per project is sent.
    assert!(asked <= harness.demo.us().world().projects.len(), "{asked}");
}

#[tokio::test]
async fn a_project_that_has_read_too_much_waits_alone_and_says_so() {
    let harness = Harness::new().await;
    add_key(&harness).await;
    let us = harness.demo.us();
    let held_back = us.world().projects[0].id;
    us.change_behaviour(|behaviour| {
        behaviour.read_budget = Some(ReadBudget {
            per_hour: 1,
            ..ReadBudget::default()
        });
    });
    us.leave_read_budget(held_back, 0);
    let page = harness
        .app
        .home_until(|page| page.contains("read budget") && !page.contains("data-state=\"loading\""))
        .await;
    assert!(!page.contains("data-state=\"offline\""), "{page}");
    let asked = us.counters().count(Endpoint::Query);
    assert_eq!(asked, us.world().projects.len(), "each once");
}

#[tokio::test]
async fn an_organization_that_lets_two_queries_run_shows_all_its_projects() {
    let harness = Harness::with(Size::Large {
        organizations: 1,
        projects_each: 12,
    })
    .await;
    harness
        .demo
        .us()
        .change_behaviour(|behaviour| behaviour.queries_at_once_per_organization = 2);
    harness.demo.us().set_latency(Duration::from_millis(50));
    harness
        .sign_in("us", &demo_posthog::Consent::default())
        .await;
    let page = harness
        .app
        .home_until(|page| page.contains("data-state=\"live\""))
        .await;
    assert!(!page.contains("slow down"), "{page}");
}

#[tokio::test]
async fn a_server_older_than_names_of_queries_shows_its_numbers() {
    let harness = Harness::new().await;
    harness.demo.us().change_behaviour(|behaviour| {
        behaviour.requests_have_names = false;
        behaviour.queries_have_names = false;
    });
    harness
        .sign_in("us", &demo_posthog::Consent::default())
        .await;
    let page = harness
        .app
        .home_until(|page| page.contains("data-state=\"live\""))
        .await;
    assert!(!page.contains("Extra inputs"), "{page}");
}
