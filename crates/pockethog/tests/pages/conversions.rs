//! Choosing conversion events, and how they are shown and stored.

#![allow(clippy::unwrap_used)]

use demo_posthog::{Consent, Endpoint, Failure, Fault, When};
use reqwest::StatusCode;

use crate::harness::location;
use crate::place::{first, key, page_until, path, signed_in};

#[tokio::test]
async fn events_are_suggested_with_their_volume_and_counted_once_chosen() {
    let harness = signed_in(&Consent::default()).await;
    let to = format!("{}/conversions", path(&first(&harness)));
    let page = harness.app.text(&to).await;
    assert!(page.contains(" in 30 days"), "{page}");
    let own = page.find("name=\"event\" value=\"").unwrap();
    let event = &page[own + 20..];
    let event = event[..event.find('"').unwrap()].to_owned();
    assert!(
        !event.starts_with('$'),
        "the project's own come first: {event}"
    );

    let answer = harness
        .app
        .post(&to, &[("chosen", "1"), ("event", &event), ("event", "")])
        .await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let (preferences, _) = harness.app.state.live().preferences();
    assert_eq!(
        preferences.project(&key(&first(&harness))).conversions,
        [event]
    );
    page_until(&harness, "range=30d", |page| {
        page.contains(" people</span>") || page.contains(" person</span>")
    })
    .await;
}

#[tokio::test]
async fn the_range_is_there_after_choosing_events_and_from_the_home_page() {
    let harness = signed_in(&Consent::default()).await;
    let project = path(&first(&harness));
    let page = harness.app.text(&format!("{project}?range=7d")).await;
    let to = format!("{project}/conversions?range=7d");
    assert!(page.contains(&format!("href=\"{to}\"")), "{page}");
    // Another window looks at another range in the meantime.
    harness.app.text(&format!("{project}?range=90d")).await;
    let page = harness.app.text(&to).await;
    assert!(page.contains("name=\"range\" value=\"7d\""), "{page}");
    assert!(
        page.contains(&format!("href=\"{project}?range=7d\"")),
        "{page}"
    );
    let answer = harness
        .app
        .post(&to, &[("chosen", "1"), ("range", "7d"), ("event", "paid")])
        .await;
    assert_eq!(location(&answer), format!("{project}?range=7d"));
    // The cards of the home page lead to a project and say nothing of a range.
    let page = harness.app.text(&project).await;
    assert!(page.contains("aria-current=\"true\">90d"), "{page}");
}

#[tokio::test]
async fn a_search_keeps_what_is_ticked_and_stores_nothing() {
    let harness = signed_in(&Consent::default()).await;
    let to = format!("{}/conversions", path(&first(&harness)));
    let page = harness
        .app
        .text(&format!("{to}?chosen=1&event=my%20event&search=zzzz"))
        .await;
    assert!(page.contains("value=\"my event\" checked"), "{page}");
    assert!(page.contains("No other event matches."), "{page}");
    let (preferences, _) = harness.app.state.live().preferences();
    assert!(
        preferences
            .project(&key(&first(&harness)))
            .conversions
            .is_empty()
    );
}

#[tokio::test]
async fn without_event_definitions_a_name_can_be_typed() {
    let consent = Consent {
        scopes: Some("organization:read project:read query:read annotation:read"),
        ..Consent::default()
    };
    let harness = signed_in(&consent).await;
    harness.demo.us().reset_counters();
    let page = harness
        .app
        .text(&format!("{}/conversions", path(&first(&harness))))
        .await;
    assert!(page.contains("event_definition:read"), "{page}");
    assert!(page.contains("type=\"text\" name=\"event\""), "{page}");
    assert_eq!(
        harness
            .demo
            .us()
            .counters()
            .count(Endpoint::EventDefinitions),
        0
    );
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_explained() {
    let harness = signed_in(&Consent::default()).await;
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::EventDefinitions,
        times: 100,
        what: Fault::Html502,
        when: When::Before,
    });
    let page = harness
        .app
        .text(&format!("{}/conversions", path(&first(&harness))))
        .await;
    assert!(page.contains("Events cannot be suggested"), "{page}");
    assert!(page.contains("type=\"text\" name=\"event\""), "{page}");
}

#[tokio::test]
async fn more_events_than_are_shown_are_refused_and_stay_ticked() {
    let harness = signed_in(&Consent::default()).await;
    let to = format!("{}/conversions", path(&first(&harness)));
    let names: Vec<String> = (0..11).map(|n| format!("event {n}")).collect();
    let mut fields = vec![("chosen", "1")];
    fields.extend(names.iter().map(|name| ("event", name.as_str())));
    let answer = harness.app.post(&to, &fields).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = answer.text().await.unwrap();
    assert!(page.contains("value=\"event 10\" checked"), "{page}");
}
