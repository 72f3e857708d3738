//! The home screen: found again from Snapshots, filtered and paged, in every script.

use demo_posthog::{Options, Size};
use jiff::Timestamp;
use pockethog::folders::Folders;
use pockethog::overview::Today;
use pockethog::snapshot::{Snapshots, View};

use crate::browser::accessibility::violations;
use crate::browser::layout::misfits;
use crate::harness::{Allow, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn without_posthog_the_last_numbers_stand_there_with_their_age() {
    let mut stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    stage.complete(stage.us().world().projects.len()).await;
    let numbers = stage.browser.texts("#cards .number").await;
    let (us, eu) = (
        stage.us().address().to_owned(),
        stage.eu().address().to_owned(),
    );
    stage.stop_posthog();
    stage.restart(&us, &eu).await;
    assert_eq!(stage.browser.texts("#cards .number").await, numbers);
    stage
        .browser
        .until("document.querySelector('#status').dataset.state === 'offline'")
        .await;
    stage.browser.shows("ago").await;
    stage.browser.finish_without_errors().await;
}

/// Stores, as another program would that has just read it, that the last project on the page has most visitors.
pub fn overtake(stage: &Stage, name: &str) {
    let path = Folders::below(stage.home().join("pockethog")).snapshots();
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
    let mut stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    stage.complete(stage.us().world().projects.len()).await;
    let shown =
        |name: &str| format!("document.querySelector('#status').dataset.state === '{name}'");
    stage.browser.until(&shown("live")).await;
    let before = stage.projects().await;
    let last = before.last().unwrap().clone();
    let place = "const box = document.querySelector('#cards li').getBoundingClientRect(); return [box.x + 9, box.y + 9]";
    let place = stage.browser.run(place, vec![]).await;
    let at = |nth: usize| place[nth].as_f64().unwrap();
    stage.browser.point(at(0), at(1)).await;
    overtake(&stage, &last);
    stage.browser.shows("New numbers wait").await;
    stage.browser.until(&shown("updated")).await;
    assert_eq!(
        stage.projects().await,
        before,
        "nothing moves under a mouse"
    );
    stage.browser.point(1.0, 1.0).await;
    stage.browser.until(&shown("live")).await;
    assert_eq!(stage.projects().await[0], last);

    stage.end_program();
    stage.browser.shows("PocketHog has ended").await;
    let grey = "getComputedStyle(document.querySelector('main')).filter.includes('grayscale')";
    stage.browser.until(grey).await;
    stage.browser.finish().await;
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
    let stage = Stage::set_with(options).await;
    stage.sign_in("us", &Allow::default()).await;
    stage.browser.shows("500 projects").await;
    assert!(
        stage.projects().await.len() < 500,
        "all cards are on one page"
    );
    stage.browser.fill(".filter input", "Site 1477").await;
    stage.browser.press("Enter").await;
    stage.browser.shows("1 project").await;
    assert_eq!(stage.projects().await, ["Site 1477"]);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_filters_at_once_in_any_script() {
    let stage = Stage::set().await;
    stage.sign_in("eu", &stage.quiet_only()).await;
    stage.complete(stage.quiet().len()).await;
    stage.browser.fill(".filter input", "قنفذ").await;
    stage.browser.shows("1 project").await;
    let visible = stage
        .browser
        .run("return [...document.querySelectorAll('#cards > li:not([hidden]) h3 bdi')].map((name) => name.textContent)", vec![])
        .await;
    assert_eq!(visible, serde_json::json!(["مقهى القنفذ"]));
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sorting_by_name_keeps_in_the_address() {
    let stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    stage.complete(stage.us().world().projects.len()).await;
    stage
        .browser
        .click(".tools .segments a[href*='sort=name']")
        .await;
    stage
        .browser
        .until("location.search.includes('sort=name')")
        .await;
    stage.complete(stage.us().world().projects.len()).await;
    let shown = stage.projects().await;
    let mut sorted = shown.clone();
    sorted.sort_by_key(|name| name.to_lowercase());
    assert_eq!(shown, sorted);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_pages_are_accessible_and_fit() {
    let stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    stage.go("/connections").await;
    stage.sign_in("eu", &stage.quiet_only()).await;
    stage
        .complete(stage.us().world().projects.len() + stage.quiet().len())
        .await;
    let project = stage
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
        stage.go(path).await;
        stage.browser.gone(".bone").await;
        for width in [320, 390, 1280] {
            stage.browser.size(width, 900).await;
            for misfit in misfits(&stage.browser).await {
                found.push(format!("{path} at {width}: {misfit}"));
            }
        }
        for violation in violations(&stage.browser).await {
            found.push(format!("{path}: {violation}"));
        }
    }
    stage.browser.finish_without_errors().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}
