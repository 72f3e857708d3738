//! The home screen: found again from Snapshots, filtered and paged, in every script.

use demo_posthog::{Options, Size};
use jiff::Timestamp;
use pockethog_core::overview::Today;
use pockethog_core::snapshot::{Snapshots, View};
use pockethog_device::folders::Folders;
use test_support::browser::accessibility::violations;
use test_support::browser::layout::misfits;

use crate::harness::{Allow, Harness};

#[tokio::test(flavor = "multi_thread")]
async fn without_posthog_the_last_numbers_stand_there_with_their_age() {
    let mut harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.complete(harness.us().world().projects.len()).await;
    let numbers = harness.browser.texts("#cards .number").await;
    let (us, eu) = (
        harness.us().address().to_owned(),
        harness.eu().address().to_owned(),
    );
    harness.stop_posthog();
    harness.restart(&us, &eu).await;
    assert_eq!(harness.browser.texts("#cards .number").await, numbers);
    harness
        .browser
        .until("document.querySelector('#status').dataset.state === 'offline'")
        .await;
    harness.browser.shows("ago").await;
    harness.browser.finish_without_errors().await;
}

/// Stores, as another program would that has just read it, that the last project on the page has most visitors.
pub fn overtake(harness: &Harness, name: &str) {
    let path = Folders::below(harness.home().join("pockethog")).snapshots();
    let mut snapshots = Snapshots::open(&path).unwrap();
    let projects = snapshots.projects().unwrap();
    let project = projects.iter().find(|project| project.name == name);
    let key = &project.unwrap().key;
    let mut today: Today = snapshots.view(key, View::Today).unwrap().unwrap();
    today.today.visitors = 1_000_000;
    today.measured_at = Timestamp::now();
    snapshots.put(key, &today).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn live_is_not_said_while_something_newer_waits_nor_after_the_program_has_ended() {
    let mut harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.complete(harness.us().world().projects.len()).await;
    let shown =
        |name: &str| format!("document.querySelector('#status').dataset.state === '{name}'");
    harness.browser.until(&shown("live")).await;
    let before = harness.projects().await;
    let last = before.last().unwrap().clone();
    let place = "const box = document.querySelector('#cards li').getBoundingClientRect(); return [box.x + 9, box.y + 9]";
    let place = harness.browser.run(place, vec![]).await;
    let at = |nth: usize| place[nth].as_f64().unwrap();
    harness.browser.point(at(0), at(1)).await;
    overtake(&harness, &last);
    harness.browser.shows("New numbers wait").await;
    harness.browser.until(&shown("updated")).await;
    assert_eq!(
        harness.projects().await,
        before,
        "nothing moves under a mouse"
    );
    harness.browser.point(1.0, 1.0).await;
    harness.browser.until(&shown("live")).await;
    assert_eq!(harness.projects().await[0], last);

    harness.end_program();
    harness.browser.shows("PocketHog has ended").await;
    let grey = "getComputedStyle(document.querySelector('main')).filter.includes('grayscale')";
    harness.browser.until(grey).await;
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_projects_are_paged_and_searched() {
    let options = Options {
        size: Size::Large {
            organizations: 10,
            projects_each: 50,
        },
        ..Options::default()
    };
    let harness = Harness::start_with(options).await;
    harness.sign_in("us", &Allow::default()).await;
    harness.browser.shows("500 projects").await;
    assert!(
        harness.projects().await.len() < 500,
        "all cards are on one page"
    );
    harness.browser.fill(".filter input", "Site 1477").await;
    harness.browser.press("Enter").await;
    harness.browser.shows("1 project").await;
    assert_eq!(harness.projects().await, ["Site 1477"]);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_filters_at_once_in_any_script() {
    let harness = Harness::start().await;
    harness.sign_in("eu", &harness.quiet_only()).await;
    harness.complete(harness.quiet().len()).await;
    harness.browser.fill(".filter input", "قنفذ").await;
    harness.browser.shows("1 project").await;
    let visible = harness
        .browser
        .run("return [...document.querySelectorAll('#cards > li:not([hidden]) h3 bdi')].map((name) => name.textContent)", vec![])
        .await;
    assert_eq!(visible, serde_json::json!(["مقهى القنفذ"]));
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sorting_by_name_keeps_in_the_address() {
    let harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.complete(harness.us().world().projects.len()).await;
    harness
        .browser
        .click(".tools .segments a[href*='sort=name']")
        .await;
    harness
        .browser
        .until("location.search.includes('sort=name')")
        .await;
    harness.complete(harness.us().world().projects.len()).await;
    let shown = harness.projects().await;
    let mut sorted = shown.clone();
    sorted.sort_by_key(|name| name.to_lowercase());
    assert_eq!(shown, sorted);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_pages_are_accessible_and_fit() {
    let harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.go("/connections").await;
    harness.sign_in("eu", &harness.quiet_only()).await;
    harness
        .complete(harness.us().world().projects.len() + harness.quiet().len())
        .await;
    let project = harness
        .browser
        .run(
            "return document.querySelector('#cards h3 a').getAttribute('href')",
            vec![],
        )
        .await;
    let project = project.as_str().unwrap();
    let mut found = Vec::new();
    for path in [
        "/",
        project,
        &format!("{project}/conversions"),
        "/settings",
        "/connections",
        "/api-key",
    ] {
        harness.go(path).await;
        harness.browser.gone(".bone").await;
        for width in [320, 390, 1280] {
            harness.browser.size(width, 900).await;
            for misfit in misfits(&harness.browser).await {
                found.push(format!("{path} at {width}: {misfit}"));
            }
        }
        for violation in violations(&harness.browser).await {
            found.push(format!("{path}: {violation}"));
        }
    }
    harness.browser.finish_without_errors().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}
