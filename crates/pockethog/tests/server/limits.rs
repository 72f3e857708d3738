//! How much is asked, and when nothing is.

#![allow(clippy::unwrap_used)]

use demo_posthog::{Endpoint, Failure, Fault, When};

use crate::desk::Desk;

#[tokio::test]
async fn the_first_numbers_take_one_query_per_project() {
    let desk = Desk::signed_in().await;
    desk.app
        .home_until(|page| page.contains("data-state=\"live\""))
        .await;
    let projects = desk.demo.us().world().projects.len();
    assert_eq!(desk.demo.us().counters().count(Endpoint::Query), projects);
}

#[tokio::test]
async fn fresh_numbers_are_not_asked_for_again_by_the_next_app() {
    let mut desk = Desk::signed_in().await;
    desk.app
        .home_until(|page| page.contains("data-state=\"live\""))
        .await;
    let (us, eu) = (desk.demo.us().address(), desk.demo.eu().address());
    let next = crate::desk::App::start;
    let ended = std::mem::replace(
        &mut desk.app,
        next(tempfile::tempdir().unwrap().path(), us, eu).await,
    );
    ended.end().await;
    desk.demo.us().reset_counters();
    let app = next(desk.home.path(), us, eu).await;
    let page = app
        .home_until(|page| page.contains("data-state=\"live\""))
        .await;
    assert!(page.contains("visitors today"));
    assert_eq!(desk.demo.us().counters().count(Endpoint::Any), 0);
}

#[tokio::test]
async fn with_no_page_open_nothing_is_asked() {
    let desk = Desk::signed_in().await;
    // Signing in alone opens no page.
    tokio::task::yield_now().await;
    assert_eq!(desk.demo.us().counters().count(Endpoint::Query), 0);
}

#[tokio::test]
async fn a_busy_posthog_is_told_and_left_alone() {
    let desk = Desk::signed_in().await;
    desk.demo.us().fail_next(Failure {
        endpoint: Endpoint::Query,
        times: 1000,
        what: Fault::Throttled(57),
        when: When::Before,
    });
    let mut stream = desk.app.stream("/events/home").await;
    stream
        .until(|name, data| name == "status" && data.contains("\"busy\""))
        .await;
    let asked = desk.demo.us().counters().count(Endpoint::Query);
    let page = desk.app.text("/").await;
    assert!(page.contains("slow down"), "{page}");
    // What was under way may still arrive; nothing more than one request per project is sent.
    assert!(asked <= desk.demo.us().world().projects.len(), "{asked}");
}
