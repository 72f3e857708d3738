//! The project page: drawn from Snapshots, kept up to date, and open about what is missing.

#![allow(clippy::unwrap_used)]

use demo_posthog::{Consent, Endpoint, Failure, Fault, When};
use reqwest::StatusCode;

use crate::harness::App;
use crate::place::{first, key, page_until, path, signed_in};

fn has_numbers(page: &str) -> bool {
    page.contains("Show as table") && page.contains("Top pages") && page.contains("data-points")
}

#[tokio::test]
async fn numbers_lists_and_people_online_arrive_by_the_stream() {
    let harness = signed_in(&Consent::default()).await;
    let mut stream = harness
        .app
        .stream(&format!("{}/events?range=7d", path(&first(&harness))))
        .await;
    stream
        .until(|name, data| {
            name == "part" && data.contains("\"numbers\"") && data.contains("Show as table")
        })
        .await;
    let page = page_until(&harness, "range=7d", has_numbers).await;
    assert!(page.contains("aria-current=\"true\">7d"), "{page}");
    for list in ["Top pages", "Referrers", "Countries", "Devices"] {
        assert!(page.contains(list), "{list}");
    }
    page_until(&harness, "range=7d", |page| page.contains(" online</p>")).await;
}

#[tokio::test]
async fn a_range_is_one_request_for_numbers_and_one_for_lists() {
    let harness = signed_in(&Consent::default()).await;
    harness
        .app
        .home_until(|page| page.contains("data-state=\"live\""))
        .await;
    harness.demo.us().reset_counters();
    page_until(&harness, "range=90d", has_numbers).await;
    assert_eq!(harness.demo.us().counters().count(Endpoint::Query), 2);
}

#[tokio::test]
async fn an_unknown_project_is_a_clear_404() {
    let harness = signed_in(&Consent::default()).await;
    for path in [
        "/project/us/999999",
        "/project/eu/1",
        "/project/us/x",
        "/project/nowhere/1",
    ] {
        let answer = harness.app.get(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("No such project"), "{path}: {page}");
    }
}

#[tokio::test]
async fn the_page_opens_offline_from_what_was_read_before() {
    let harness = signed_in(&Consent::default()).await;
    page_until(&harness, "range=30d", has_numbers).await;
    harness.app.end().await;
    let app = App::start(
        harness.home.path(),
        "http://127.0.0.1:9",
        "http://127.0.0.1:9",
    )
    .await;
    let page = app
        .text(&path(&harness.demo.us().world().projects[0]))
        .await;
    assert!(has_numbers(&page), "{page}");
}

#[tokio::test]
async fn without_query_read_the_project_is_there_and_says_what_is_missing() {
    let scopes = "organization:read project:read event_definition:read annotation:read";
    let consent = Consent {
        scopes: Some(scopes),
        ..Consent::default()
    };
    let harness = signed_in(&consent).await;
    harness.demo.us().reset_counters();
    let page = page_until(&harness, "", |page| page.contains("Numbers are not shown")).await;
    assert!(page.contains("query:read"), "{page}");
    assert!(page.contains("Give permission"), "{page}");
    assert!(page.contains(&first(&harness).name));
    assert_eq!(harness.demo.us().counters().count(Endpoint::Query), 0);
}

#[tokio::test]
async fn numbers_that_cannot_be_read_are_explained_once() {
    let harness = signed_in(&Consent::default()).await;
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::Query,
        times: 1000,
        what: Fault::Html502,
        when: When::Before,
    });
    let page = page_until(&harness, "range=90d", |page| {
        page.contains("No numbers so far")
    })
    .await;
    assert!(!page.contains("bone-chart"), "{page}");
    harness.demo.us().heal();
}

#[tokio::test]
async fn what_is_chosen_about_a_project_is_kept_and_shown() {
    let harness = signed_in(&Consent::default()).await;
    let project = first(&harness);
    let fields = [
        ("back", "https://elsewhere.example/"),
        ("name", "  The <shop> "),
        ("scheme", "plum"),
        ("favourite", "1"),
    ];
    let answer = harness
        .app
        .post(&format!("{}/preferences", path(&project)), &fields)
        .await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        crate::harness::location(&answer),
        "/",
        "never to another site"
    );
    let page = harness.app.text(&path(&project)).await;
    assert!(page.contains("data-scheme=\"plum\""), "{page}");
    assert!(page.contains("The &lt;shop&gt;"), "{page}");
    let (preferences, problem) = harness.app.state.live().preferences();
    assert!(problem.is_none());
    let chosen = preferences.project(&key(&project));
    assert!(chosen.favourite && !chosen.hidden);
}
