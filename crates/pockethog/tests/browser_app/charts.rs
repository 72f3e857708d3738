//! The chart under a finger, a pointer and the keyboard.

use serde_json::json;

use crate::project::{notes_at_posthog, on_the_page, place_of_day};

#[tokio::test(flavor = "multi_thread")]
async fn a_finger_reads_a_day_and_notes_something_from_there() {
    let (harness, project) = on_the_page().await;
    let browser = &harness.browser;
    browser.size(390, 844).await;
    let (x, y) = place_of_day(&harness, 15).await;
    browser.tap(x, y).await;
    let said = browser.text(".chart-panel .tip").await;
    let points = browser
        .run(
            "return JSON.parse(document.querySelector('.chart-panel .chart').dataset.points)[15]",
            vec![],
        )
        .await;
    assert!(said.contains(points[0].as_str().unwrap()), "{said}");
    assert!(!browser.has("#add-note[open]").await, "a touch only reads");
    let small = browser
        .run(
            "return document.querySelector('.tip button').getBoundingClientRect().height < 44",
            vec![],
        )
        .await;
    assert_eq!(small, json!(false), "too small for a finger");
    let place = browser
        .run(
            "const box = document.querySelector('.tip button').getBoundingClientRect();
             return [box.x + box.width / 2, box.y + box.height / 2]",
            vec![],
        )
        .await;
    browser
        .tap(place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
        .await;
    browser.find("#add-note[open]").await;
    let days = browser
        .run("return [JSON.parse(document.querySelector('[data-dates]').dataset.dates)[15], document.querySelector('#add-note [name=date]').value]", vec![])
        .await;
    assert_eq!(days[0], days[1]);
    // By the keyboard from here: Ctrl+Enter saves.
    browser.fill("#add-note textarea", "By a finger").await;
    browser.press_with_control("Enter").await;
    browser.shows("By a finger").await;
    browser.gone("dialog[open]").await;
    assert!(notes_at_posthog(&harness, &project).contains(&"By a finger".to_owned()));
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn escape_closes_a_note_that_was_begun() {
    let (harness, project) = on_the_page().await;
    let browser = &harness.browser;
    let before = notes_at_posthog(&harness, &project);
    browser.click("a.add[data-dialog=add-note]").await;
    browser.fill("#add-note textarea", "Half a thought").await;
    browser.press("Escape").await;
    browser.gone("dialog[open]").await;
    assert_eq!(notes_at_posthog(&harness, &project), before);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pointer_marks_its_point_and_dates_both_values() {
    let (harness, _) = on_the_page().await;
    let browser = &harness.browser;
    let (x, y) = place_of_day(&harness, 10).await;
    browser.point(x, y).await;
    let said = browser.text(".chart-panel .tip").await;
    let seen = browser
        .run(
            "const point = JSON.parse(document.querySelector('.chart-panel .chart').dataset.points)[10];
             const plot = document.querySelector('.chart-panel .plot').getBoundingClientRect();
             const middle = (css) => { const box = document.querySelector(css).getBoundingClientRect(); return [box.x + box.width / 2 - plot.x, box.y + box.height / 2 - plot.y]; };
             return { point, now: middle('.chart-panel .spot:not(.then)'), then: middle('.chart-panel .spot.then'),
               at: plot.width * 10 / 29, high: (1 - point[4]) * plot.height, highThen: (1 - point[5]) * plot.height }",
            vec![],
        )
        .await;
    for day in [&seen["point"][0], &seen["point"][3]] {
        assert!(said.contains(day.as_str().unwrap()), "{said}: {seen}");
    }
    assert_ne!(seen["point"][0], seen["point"][3]);
    for (spot, high) in [("now", "high"), ("then", "highThen")] {
        let off = |nth: usize, wanted: &str| {
            (seen[spot][nth].as_f64().unwrap() - seen[wanted].as_f64().unwrap()).abs()
        };
        assert!(off(0, "at") < 1.5 && off(1, high) < 1.5, "{seen}");
    }
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_of_days_apart_keep_their_own_lines() {
    let (harness, _) = on_the_page().await;
    let browser = &harness.browser;
    // All of them before the one of the organization, which the demo has made.
    for (nth, text) in [(8, "One"), (10, "Two"), (12, "Three")] {
        let (x, y) = place_of_day(&harness, nth).await;
        browser.click_at(x, y).await;
        browser.fill("#add-note textarea", text).await;
        browser.press_with_control("Enter").await;
        browser.gone("dialog[open]").await;
        browser.shows(text).await;
    }
    browser
        .until("document.querySelectorAll('.notes li').length > 3")
        .await;
    let lines = browser
        .run(
            "const plot = document.querySelector('.chart-panel .plot').getBoundingClientRect();
             return [...document.querySelectorAll('.chart-panel .stem')].slice(0, 3).map((stem) => Math.round((stem.getBoundingClientRect().x - plot.x) / plot.width * 29))",
            vec![],
        )
        .await;
    assert_eq!(lines, json!([8, 10, 12]));
    harness.browser.finish_without_errors().await;
}
