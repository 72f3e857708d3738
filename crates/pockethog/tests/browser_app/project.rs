//! The project page: ranges, read-out, table, annotations, conversions.

use demo_posthog::{Endpoint, Failure, Fault, Project, When};
use jiff::Timestamp;
use serde_json::json;

use crate::harness::{Allow, Harness};
use crate::independent::{visitors_of_30_days, was_right};

/// A harness on the page of one project, with its numbers there.
pub async fn on_the_page() -> (Harness, Project) {
    let harness = Harness::start().await;
    let project = harness.us().world().projects[0].clone();
    let allow = Allow {
        projects: vec![project.id],
        ..Allow::default()
    };
    harness.sign_in("us", &allow).await;
    harness.complete(1).await;
    harness.browser.click("#cards h3 a").await;
    harness.browser.find("#numbers [data-number]").await;
    (harness, project)
}

/// Opens the form for a new annotation, types, and sends it.
async fn add_annotation(harness: &Harness, text: &str) {
    harness.browser.click("a.add[data-dialog=add-note]").await;
    harness.browser.fill("#add-note textarea", text).await;
    harness.browser.click("#add-note button.primary").await;
}

/// The texts of a project's annotations at PostHog that are not deleted.
pub fn notes_at_posthog(harness: &Harness, project: &Project) -> Vec<String> {
    harness
        .us()
        .annotations(project.id)
        .into_iter()
        .filter(|annotation| !annotation.deleted)
        .filter_map(|annotation| annotation.content)
        .collect()
}

/// The middle of the chart's place for the `nth` day of 30, in the window.
pub async fn place_of_day(harness: &Harness, nth: u32) -> (f64, f64) {
    let place = harness
        .browser
        .run(
            "const plot = document.querySelector('.chart-panel .plot');
             plot.scrollIntoView({ block: 'center' });
             const box = plot.getBoundingClientRect();
             return [box.left + box.width * arguments[0] / 29, box.top + box.height * 0.9]",
            vec![json!(nth)],
        )
        .await;
    (place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_visitors_of_30_days_are_those_of_the_events() {
    let since = Timestamp::now();
    let (harness, project) = on_the_page().await;
    let shown = harness
        .browser
        .run(
            "return Number(document.querySelector('#numbers [data-number]').dataset.number)",
            vec![],
        )
        .await;
    let until = harness.us().now();
    let right = |at: Timestamp| visitors_of_30_days(harness.us(), &project, at);
    assert!(
        was_right(shown.as_u64().unwrap(), since, until, right),
        "{shown} is shown, {} is right",
        right(until)
    );
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_range_is_a_link_with_its_own_chart_and_table() {
    let (harness, _) = on_the_page().await;
    for (range, places) in [("24h", 24), ("7d", 7), ("30d", 30), ("90d", 90)] {
        harness
            .browser
            .click(&format!(".ranges a[href*='{range}']"))
            .await;
        harness
            .browser
            .until(&format!(
                "document.querySelector('.ranges [aria-current]').textContent === '{range}' && document.querySelectorAll('.as-table tbody tr').length === {places}"
            ))
            .await;
    }
    harness.browser.click(".as-table summary").await;
    let first = harness.browser.text(".as-table tbody tr").await;
    assert!(
        first.split_whitespace().count() >= 5,
        "a row of the table is not shown: {first}"
    );
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pointer_reads_the_numbers_of_its_day() {
    let (harness, _) = on_the_page().await;
    let points = harness
        .browser
        .run(
            "return JSON.parse(document.querySelector('.chart-panel .chart').dataset.points)",
            vec![],
        )
        .await;
    let (x, y) = place_of_day(&harness, 10).await;
    harness.browser.point(x, y).await;
    let tip = harness.browser.text(".chart-panel .tip").await;
    let [name, now] = [0, 1].map(|nth| points[10][nth].clone());
    let (name, now) = (name.as_str().unwrap(), now.to_string());
    assert!(
        tip.contains(name) && tip.contains(now.trim_matches('"')),
        "{tip}"
    );
    harness.browser.point(2.0, 2.0).await;
    harness.browser.gone(".chart-panel .tip").await;
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_on_a_day_starts_an_annotation_of_that_day() {
    let (harness, project) = on_the_page().await;
    let (x, y) = place_of_day(&harness, 20).await;
    harness.browser.click_at(x, y).await;
    harness.browser.find("#add-note[open]").await;
    let days = harness
        .browser
        .run("return [JSON.parse(document.querySelector('[data-dates]').dataset.dates)[20], document.querySelector('#add-note [name=date]').value]", vec![])
        .await;
    assert_eq!(days[0], days[1]);
    harness
        .browser
        .fill("#add-note textarea", "Campaign starts")
        .await;
    harness.browser.click("#add-note button.primary").await;
    harness.browser.shows("Campaign starts").await;
    harness.browser.find(".chart-panel .marker").await;
    let annotation = harness
        .us()
        .annotations(project.id)
        .into_iter()
        .find(|annotation| annotation.content.as_deref() == Some("Campaign starts"))
        .expect("it is at PostHog");
    assert_eq!(annotation.scope, "project");
    let zone = jiff::tz::TimeZone::get(&project.time_zone).unwrap();
    let day = annotation
        .date_marker
        .unwrap()
        .to_zoned_datetime(zone)
        .date()
        .to_string();
    assert_eq!(days[0], day);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_is_edited_deleted_and_brought_back() {
    let (harness, project) = on_the_page().await;
    add_annotation(&harness, "First words").await;
    harness.browser.shows("First words").await;
    let draft = "return document.querySelector('#add-note textarea').value";
    let draft = harness.browser.run(draft, vec![]).await;
    assert_eq!(draft, "", "the next note begins with the words of the last");
    harness.browser.click(".notes li:has(bdi) a.edit").await;
    let field = "dialog[open] textarea";
    harness.browser.fill(field, "Better words").await;
    harness.browser.click("dialog[open] button.primary").await;
    harness.browser.shows("Better words").await;
    assert!(notes_at_posthog(&harness, &project).contains(&"Better words".to_owned()));

    harness
        .browser
        .run(
            "[...document.querySelectorAll('.notes li')].find((note) => note.textContent.includes('Better words')).querySelector('a.edit').click()",
            vec![],
        )
        .await;
    harness.browser.click("dialog[open] button.danger").await;
    harness.browser.shows("Deleted “Better words”").await;
    assert!(!notes_at_posthog(&harness, &project).contains(&"Better words".to_owned()));
    harness.browser.click("form[action$='/undo'] button").await;
    harness.browser.gone("form[action$='/undo']").await;
    harness.browser.shows("Better words").await;
    assert!(notes_at_posthog(&harness, &project).contains(&"Better words".to_owned()));
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_an_annotation_is_text() {
    let (harness, _) = on_the_page().await;
    let text = "<img src=x onerror=\"document.title='run'\"><b>bold</b>";
    add_annotation(&harness, text).await;
    harness.browser.shows(text).await;
    assert!(!harness.browser.has(".notes img, .notes b, .tip img").await);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_that_is_too_long_is_explained_and_kept() {
    let (harness, project) = on_the_page().await;
    harness.browser.click("a.add[data-dialog=add-note]").await;
    // The field stops at the limit; what arrives without the field has to meet the same limit.
    harness
        .browser
        .run(
            "const field = document.querySelector('#add-note textarea'); field.removeAttribute('maxlength'); field.value = 'x'.repeat(8193)",
            vec![],
        )
        .await;
    harness.browser.click("#add-note button.primary").await;
    let said = harness.browser.text("dialog[open] [role=alert]").await;
    assert!(said.contains("8192"), "{said}");
    let kept = harness
        .browser
        .run(
            "return document.querySelector('dialog[open] textarea').value.length",
            vec![],
        )
        .await;
    assert_eq!(kept, 8193);
    assert!(
        notes_at_posthog(&harness, &project)
            .iter()
            .all(|annotation| annotation.len() < 8000)
    );
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_while_saving_loses_no_text() {
    let (harness, _) = on_the_page().await;
    harness.us().fail_next(Failure {
        endpoint: Endpoint::Annotations,
        times: 20,
        what: Fault::Drop,
        when: When::Before,
    });
    add_annotation(&harness, "Words that must not be lost").await;
    harness.browser.find("dialog[open] [role=alert]").await;
    let kept = harness
        .browser
        .run(
            "return document.querySelector('dialog[open] textarea').value",
            vec![],
        )
        .await;
    assert_eq!(kept, "Words that must not be lost");
    harness.us().heal();
    harness.browser.click("dialog[open] button.primary").await;
    harness.browser.gone("dialog[open]").await;
    harness.browser.shows("Words that must not be lost").await;
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_event_is_chosen_from_the_suggestions() {
    let (harness, _) = on_the_page().await;
    harness
        .browser
        .click("section[aria-labelledby=conversions-title] a.link")
        .await;
    let event = harness.browser.text(".choice bdi").await;
    harness.browser.click(".choice input").await;
    harness.browser.click("main button.primary").await;
    harness
        .browser
        .until("document.querySelector('ul.conversions li') && !document.querySelector('ul.conversions .bone')")
        .await;
    let shown = harness.browser.text("ul.conversions li").await;
    assert!(shown.contains(&event) && shown.contains('%'), "{shown}");
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_nobody_reaches_is_said_to_be_unknown() {
    let (harness, _) = on_the_page().await;
    harness.go("/project/us/999999").await;
    harness.browser.shows("No such project").await;
    harness.browser.finish().await;
}
