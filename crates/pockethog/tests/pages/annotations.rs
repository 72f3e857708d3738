//! Annotations: added, changed, deleted, brought back; and what was typed is never lost.

#![allow(clippy::unwrap_used)]

use demo_posthog::{Consent, Endpoint, Failure, Fault, When};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use reqwest::StatusCode;

use crate::harness::{Harness, location};
use crate::place::{annotations, first, form, page_until, path, signed_in, value};

/// A day in the demo's last month, in the project's time zone.
fn yesterday(harness: &Harness) -> String {
    let zone = TimeZone::get(&first(harness).time_zone).unwrap();
    let yesterday = harness
        .demo
        .us()
        .now()
        .saturating_add((-24).hours())
        .unwrap();
    let local = yesterday.to_zoned_datetime(zone);
    local.strftime("%Y-%m-%d").to_string()
}

async fn add(harness: &Harness, text: &str, date: &str) -> reqwest::Response {
    let path = format!("{}/annotations", path(&first(harness)));
    let fields = [
        ("range", "30d"),
        ("text", text),
        ("date", date),
        ("time", "14:30"),
    ];
    harness.app.post(&path, &fields).await
}

/// Adds an annotation and returns its number.
async fn added(harness: &Harness, text: &str) -> u64 {
    annotations(harness).await;
    let answer = add(harness, text, &yesterday(harness)).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    at_posthog(harness, text).unwrap().id
}

fn at_posthog(harness: &Harness, text: &str) -> Option<demo_posthog::Annotation> {
    harness
        .demo
        .us()
        .annotations(first(harness).id)
        .into_iter()
        .find(|annotation| annotation.content.as_deref() == Some(text))
}

#[tokio::test]
async fn an_annotation_is_added_at_the_time_of_the_project() {
    let harness = signed_in(&Consent::default()).await;
    annotations(&harness).await;
    let date = yesterday(&harness);
    let answer = add(&harness, "Launch\r\nof <b>everything</b>", &date).await;
    assert_eq!(
        location(&answer),
        format!("{}?range=30d&saved=new", path(&first(&harness)))
    );
    let annotation = at_posthog(&harness, "Launch\nof <b>everything</b>").unwrap();
    assert_eq!(annotation.scope, "project");
    let local = annotation
        .date_marker
        .unwrap()
        .to_zoned_datetime(TimeZone::get(&first(&harness).time_zone).unwrap());
    assert_eq!(
        local.strftime("%F %H:%M").to_string(),
        format!("{date} 14:30")
    );
    let page = page_until(&harness, "range=30d&saved=new", |page| {
        page.contains("Show as table")
    })
    .await;
    assert!(page.contains("of &lt;b&gt;everything&lt;/b&gt;"), "{page}");
    assert!(page.contains("data-saved"), "the kept text may go");
}

#[tokio::test]
async fn an_annotation_that_cannot_be_saved_keeps_its_text() {
    let harness = signed_in(&Consent::default()).await;
    let long = "ü".repeat(8193);
    let now = yesterday(&harness);
    for (text, date, reason) in [
        ("  ", now.as_str(), "needs a text"),
        (long.as_str(), now.as_str(), "8193 characters"),
        ("Someday", "2206-01-01", "more than a year ahead"),
        ("Someday", "soon", "is not a day"),
    ] {
        let answer = add(&harness, text, date).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let page = answer.text().await.unwrap();
        let form = form(&page, "add-note");
        assert!(form.contains(reason), "{reason}: {form}");
        assert!(form.contains(&format!("\n{text}</textarea>")), "{reason}");
    }
}

#[tokio::test]
async fn a_connection_lost_while_saving_keeps_the_text() {
    let harness = signed_in(&Consent::default()).await;
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::Annotations,
        times: 100,
        what: Fault::Html502,
        when: When::Before,
    });
    let answer = add(&harness, "Launch & more", &yesterday(&harness)).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let page = answer.text().await.unwrap();
    let form = form(&page, "add-note");
    assert!(
        form.contains("was not saved, but your text is kept here"),
        "{form}"
    );
    assert!(form.contains("Launch &amp; more</textarea>"), "{form}");
}

#[tokio::test]
async fn an_edit_is_saved_while_nobody_was_faster() {
    let harness = signed_in(&Consent::default()).await;
    let id = added(&harness, "Launch").await;
    let before = at_posthog(&harness, "Launch").unwrap();
    let page = page_until(&harness, &format!("range=30d&note={id}"), |page| {
        page.contains("Show as table")
    })
    .await;
    let form = form(&page, &format!("note-{id}"));
    assert!(page.contains(&format!("id=\"note-{id}\" open")), "{page}");
    let fields = [
        ("range", "30d"),
        ("version", value(form, "version")),
        ("text", "Launch party"),
        ("date", value(form, "date")),
        ("time", value(form, "time")),
    ];
    let to = format!("{}/annotations/{id}", path(&first(&harness)));
    let answer = harness.app.post(&to, &fields).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let after = at_posthog(&harness, "Launch party").unwrap();
    assert_eq!((after.id, after.date_marker), (id, before.date_marker));

    // The form is older than the annotation now.
    let answer = harness.app.post(&to, &fields).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let page = answer.text().await.unwrap();
    assert!(
        page.contains("Somebody else has changed this annotation in the meantime"),
        "{page}"
    );
    assert!(page.contains("Save mine"), "{page}");
}

#[tokio::test]
async fn an_annotation_deleted_meanwhile_can_be_added_anew() {
    let harness = signed_in(&Consent::default()).await;
    let id = added(&harness, "Launch").await;
    let to = format!("{}/annotations/{id}", path(&first(&harness)));
    harness
        .app
        .post(&format!("{to}/delete"), &[("range", "30d")])
        .await;
    let date = yesterday(&harness);
    let fields = [
        ("version", "x"),
        ("text", "Launch party"),
        ("date", &*date),
        ("time", "09:00"),
    ];
    let answer = harness.app.post(&to, &fields).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let page = answer.text().await.unwrap();
    let form = form(&page, "add-note");
    assert!(
        form.contains("has been deleted in the meantime") && form.contains("Launch party"),
        "{form}"
    );
}

#[tokio::test]
async fn a_deletion_can_be_taken_back() {
    let harness = signed_in(&Consent::default()).await;
    let id = added(&harness, "Launch").await;
    let to = format!("{}/annotations/{id}", path(&first(&harness)));
    let answer = harness
        .app
        .post(&format!("{to}/delete"), &[("range", "7d")])
        .await;
    let back = location(&answer);
    assert_eq!(
        back,
        format!("{}?range=7d&deleted={id}", path(&first(&harness)))
    );
    assert!(at_posthog(&harness, "Launch").unwrap().deleted);
    let page = harness.app.text(&back).await;
    assert!(
        page.contains("Deleted “") && page.contains("Undo"),
        "{page}"
    );
    let answer = harness
        .app
        .post(&format!("{to}/undo"), &[("range", "7d")])
        .await;
    assert!(!at_posthog(&harness, "Launch").unwrap().deleted);
    // It is said in the window where it was undone, and in no other, even if that one is faster.
    let other = format!("{}?range=7d", path(&first(&harness)));
    assert!(
        !harness
            .app
            .text(&other)
            .await
            .contains("The annotation was restored.")
    );
    let page = harness.app.text(&location(&answer)).await;
    assert!(page.contains("The annotation was restored."), "{page}");
    page_until(&harness, "range=7d", |page| page.contains("Launch")).await;
}

#[tokio::test]
async fn what_was_not_granted_is_explained_and_nothing_fails() {
    let all = "organization:read project:read query:read event_definition:read";
    for (more, sentence) in [
        ("annotation:read", "Annotations can be read but not written"),
        ("", "Annotations are not shown"),
    ] {
        let scopes = format!("{all} {more}");
        let consent = Consent {
            scopes: Some(&scopes),
            ..Consent::default()
        };
        let harness = signed_in(&consent).await;
        let page = page_until(&harness, "range=30d", |page| page.contains("Show as table")).await;
        assert!(page.contains(sentence), "{page}");
        assert!(page.contains("Give permission"), "{page}");
        assert!(!page.contains("id=\"add-note\""), "{page}");
    }
}

#[tokio::test]
async fn an_annotation_of_the_organization_is_shown_and_not_changed_here() {
    let harness = signed_in(&Consent::default()).await;
    let known = annotations(&harness).await;
    let Some(annotation) = known
        .annotations
        .iter()
        .find(|annotation| annotation.organization_wide)
    else {
        panic!("the demo has a note of the whole organization");
    };
    let to = format!("{}/annotations/{}", path(&first(&harness)), annotation.id);
    let (date, time) = annotation.day_and_time(&TimeZone::UTC);
    let fields = [
        ("version", &*annotation.version),
        ("text", "Mine"),
        ("date", &*date),
        ("time", &*time),
    ];
    let answer = harness.app.post(&to, &fields).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let page = answer.text().await.unwrap();
    assert!(page.contains("belongs to the whole organization"), "{page}");
    assert!(at_posthog(&harness, "Mine").is_none());
    assert!(Timestamp::now() > annotation.at);
}
