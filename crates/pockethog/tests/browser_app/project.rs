//! The project page: ranges, read-out, table, notes, conversions.

use demo_posthog::{Endpoint, Failure, Fault, Project, When};
use jiff::Timestamp;
use serde_json::json;

use crate::harness::{Allow, Stage};
use crate::independent::{visitors_of_30_days, was_right};

/// A stage on the page of one project, with its numbers there.
pub async fn on_the_page() -> (Stage, Project) {
    let stage = Stage::set().await;
    let project = stage.us().world().projects[0].clone();
    let allow = Allow {
        projects: vec![project.id],
        ..Allow::default()
    };
    stage.sign_in("us", &allow).await;
    stage.complete(1).await;
    stage.browser.click("#cards h3 a").await;
    stage.browser.find("#numbers [data-number]").await;
    (stage, project)
}

/// Opens the form for a new note, types, and sends it.
async fn add_note(stage: &Stage, text: &str) {
    stage.browser.click("a.add[data-dialog=add-note]").await;
    stage.browser.fill("#add-note textarea", text).await;
    stage.browser.click("#add-note button.primary").await;
}

/// The texts of a project's notes at PostHog that are not deleted.
pub fn notes_at_posthog(stage: &Stage, project: &Project) -> Vec<String> {
    stage
        .us()
        .annotations(project.id)
        .into_iter()
        .filter(|note| !note.deleted)
        .filter_map(|note| note.content)
        .collect()
}

/// The middle of the chart's place for the `nth` day of 30, in the window.
pub async fn place_of_day(stage: &Stage, nth: u32) -> (f64, f64) {
    let place = stage
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
    let (stage, project) = on_the_page().await;
    let shown = stage
        .browser
        .run(
            "return Number(document.querySelector('#numbers [data-number]').dataset.number)",
            vec![],
        )
        .await;
    let until = stage.us().now();
    let right = |at: Timestamp| visitors_of_30_days(stage.us(), &project, at);
    assert!(
        was_right(shown.as_u64().unwrap(), since, until, right),
        "{shown} is shown, {} is right",
        right(until)
    );
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_range_is_a_link_with_its_own_chart_and_table() {
    let (stage, _) = on_the_page().await;
    for (range, places) in [("24h", 24), ("7d", 7), ("30d", 30), ("90d", 90)] {
        stage
            .browser
            .click(&format!(".ranges a[href*='{range}']"))
            .await;
        stage
            .browser
            .until(&format!(
                "document.querySelector('.ranges [aria-current]').textContent === '{range}' && document.querySelectorAll('.as-table tbody tr').length === {places}"
            ))
            .await;
    }
    stage.browser.click(".as-table summary").await;
    let first = stage.browser.text(".as-table tbody tr").await;
    assert!(
        first.split_whitespace().count() >= 5,
        "a row of the table is not shown: {first}"
    );
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pointer_reads_the_numbers_of_its_day() {
    let (stage, _) = on_the_page().await;
    let points = stage
        .browser
        .run(
            "return JSON.parse(document.querySelector('.chart-panel .chart').dataset.points)",
            vec![],
        )
        .await;
    let (x, y) = place_of_day(&stage, 10).await;
    stage.browser.point(x, y).await;
    let tip = stage.browser.text(".chart-panel .tip").await;
    let [name, now] = [0, 1].map(|nth| points[10][nth].clone());
    let (name, now) = (name.as_str().unwrap(), now.to_string());
    assert!(
        tip.contains(name) && tip.contains(now.trim_matches('"')),
        "{tip}"
    );
    stage.browser.point(2.0, 2.0).await;
    stage.browser.gone(".chart-panel .tip").await;
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_on_a_day_starts_a_note_of_that_day() {
    let (stage, project) = on_the_page().await;
    let (x, y) = place_of_day(&stage, 20).await;
    stage.browser.click_at(x, y).await;
    stage.browser.find("#add-note[open]").await;
    let days = stage
        .browser
        .run("return [JSON.parse(document.querySelector('[data-dates]').dataset.dates)[20], document.querySelector('#add-note [name=date]').value]", vec![])
        .await;
    assert_eq!(days[0], days[1]);
    stage
        .browser
        .fill("#add-note textarea", "Campaign starts")
        .await;
    stage.browser.click("#add-note button.primary").await;
    stage.browser.shows("Campaign starts").await;
    stage.browser.find(".chart-panel .marker").await;
    let note = stage
        .us()
        .annotations(project.id)
        .into_iter()
        .find(|note| note.content.as_deref() == Some("Campaign starts"))
        .expect("it is at PostHog");
    assert_eq!(note.scope, "project");
    let zone = jiff::tz::TimeZone::get(&project.time_zone).unwrap();
    let day = note
        .date_marker
        .unwrap()
        .to_zoned_datetime(zone)
        .date()
        .to_string();
    assert_eq!(days[0], day);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_edited_deleted_and_brought_back() {
    let (stage, project) = on_the_page().await;
    add_note(&stage, "First words").await;
    stage.browser.shows("First words").await;
    stage.browser.click(".notes li:has(bdi) a.edit").await;
    let field = "dialog[open] textarea";
    stage.browser.fill(field, "Better words").await;
    stage.browser.click("dialog[open] button.primary").await;
    stage.browser.shows("Better words").await;
    assert!(notes_at_posthog(&stage, &project).contains(&"Better words".to_owned()));

    stage
        .browser
        .run(
            "[...document.querySelectorAll('.notes li')].find((note) => note.textContent.includes('Better words')).querySelector('a.edit').click()",
            vec![],
        )
        .await;
    stage.browser.click("dialog[open] button.danger").await;
    stage.browser.shows("Deleted “Better words”").await;
    assert!(!notes_at_posthog(&stage, &project).contains(&"Better words".to_owned()));
    stage.browser.click("form[action$='/undo'] button").await;
    stage.browser.gone("form[action$='/undo']").await;
    stage.browser.shows("Better words").await;
    assert!(notes_at_posthog(&stage, &project).contains(&"Better words".to_owned()));
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_a_note_is_text() {
    let (stage, _) = on_the_page().await;
    let text = "<img src=x onerror=\"document.title='run'\"><b>bold</b>";
    add_note(&stage, text).await;
    stage.browser.shows(text).await;
    assert!(!stage.browser.has(".notes img, .notes b, .tip img").await);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_is_too_long_is_explained_and_kept() {
    let (stage, project) = on_the_page().await;
    stage.browser.click("a.add[data-dialog=add-note]").await;
    // The field stops at the limit; what arrives without the field has to meet the same limit.
    stage
        .browser
        .run(
            "const field = document.querySelector('#add-note textarea'); field.removeAttribute('maxlength'); field.value = 'x'.repeat(8193)",
            vec![],
        )
        .await;
    stage.browser.click("#add-note button.primary").await;
    let said = stage.browser.text("dialog[open] [role=alert]").await;
    assert!(said.contains("8192"), "{said}");
    let kept = stage
        .browser
        .run(
            "return document.querySelector('dialog[open] textarea').value.length",
            vec![],
        )
        .await;
    assert_eq!(kept, 8193);
    assert!(
        notes_at_posthog(&stage, &project)
            .iter()
            .all(|note| note.len() < 8000)
    );
    stage.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_while_saving_loses_no_text() {
    let (stage, _) = on_the_page().await;
    stage.us().fail_next(Failure {
        endpoint: Endpoint::Annotations,
        times: 20,
        what: Fault::Drop,
        when: When::Before,
    });
    add_note(&stage, "Words that must not be lost").await;
    stage.browser.find("dialog[open] [role=alert]").await;
    let kept = stage
        .browser
        .run(
            "return document.querySelector('dialog[open] textarea').value",
            vec![],
        )
        .await;
    assert_eq!(kept, "Words that must not be lost");
    stage.us().heal();
    stage.browser.click("dialog[open] button.primary").await;
    stage.browser.gone("dialog[open]").await;
    stage.browser.shows("Words that must not be lost").await;
    stage.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_event_is_chosen_from_the_suggestions() {
    let (stage, _) = on_the_page().await;
    stage
        .browser
        .click("section[aria-labelledby=conversions-title] a.link")
        .await;
    let event = stage.browser.text(".choice bdi").await;
    stage.browser.click(".choice input").await;
    stage.browser.click("main button.primary").await;
    stage
        .browser
        .until("document.querySelector('ul.conversions li') && !document.querySelector('ul.conversions .bone')")
        .await;
    let shown = stage.browser.text("ul.conversions li").await;
    assert!(shown.contains(&event) && shown.contains('%'), "{shown}");
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_nobody_reaches_is_said_to_be_unknown() {
    let (stage, _) = on_the_page().await;
    stage.go("/project/us/999999").await;
    stage.browser.shows("No such project").await;
    stage.browser.finish().await;
}
