//! Several connections: what each can see, signing out, granting more.

#![allow(clippy::unwrap_used)]

use demo_posthog::{Consent, Reach};
use reqwest::StatusCode;

use crate::harness::location;
use crate::place::{first, key, signed_in};

#[tokio::test]
async fn each_connection_tells_who_where_and_what_is_missing() {
    let only = {
        let harness = crate::harness::Harness::new().await;
        first(&harness).id
    };
    let consent = Consent {
        scopes: Some("project:read query:read"),
        reach: Reach::Projects(vec![only]),
        ..Consent::default()
    };
    let harness = signed_in(&consent).await;
    harness.sign_in("eu", &Consent::default()).await;
    let page = harness.app.text("/connections").await;
    assert!(
        page.contains("US Cloud") && page.contains("EU Cloud"),
        "{page}"
    );
    assert!(page.contains("Ada Lovelace"), "{page}");
    assert!(
        page.contains(&format!("1 project: {}", first(&harness).name)),
        "{page}"
    );
    assert!(page.contains("Everything you can see"), "{page}");
    assert!(page.contains("events have to be typed by name"), "{page}");
    assert!(page.contains("Sign in again to grant more"), "{page}");
}

#[tokio::test]
async fn signing_out_keeps_what_was_chosen_and_ends_on_the_sign_in_screen() {
    let harness = signed_in(&Consent::default()).await;
    let key = key(&first(&harness));
    harness
        .app
        .state
        .live()
        .prefer(|preferences| preferences.project_mut(&key).favourite = true)
        .unwrap();
    let id = harness.app.state.live().connections().unwrap()[0]
        .id
        .clone();
    let answer = harness
        .app
        .post(&format!("/connections/{id}/sign-out"), &[])
        .await;
    assert_eq!(location(&answer), "/");
    assert!(!harness.app.state.live().connections().unwrap()[0].is_active());
    assert!(
        harness
            .app
            .state
            .live()
            .preferences()
            .0
            .project(&key)
            .favourite
    );

    let page = harness.app.text("/connections").await;
    assert!(page.contains("You signed out on this device."), "{page}");
    let begun = harness
        .app
        .post(&format!("/connections/{id}/sign-in"), &[])
        .await;
    let back = harness
        .demo
        .us()
        .consent(&harness.app.leads_to(&begun).await, &Consent::default());
    assert_eq!(location(&harness.app.follow(&back).await), "/");
    let connections = harness.app.state.live().connections().unwrap();
    assert!(connections.len() == 1 && connections[0].is_active());
}

#[tokio::test]
async fn a_connection_that_was_signed_out_can_be_taken_off_the_list() {
    let harness = signed_in(&Consent::default()).await;
    let id = harness.app.state.live().connections().unwrap()[0]
        .id
        .clone();
    harness
        .app
        .post(&format!("/connections/{id}/remove"), &[])
        .await;
    assert_eq!(
        harness.app.state.live().connections().unwrap().len(),
        1,
        "not while it is in use"
    );
    harness
        .app
        .post(&format!("/connections/{id}/sign-out"), &[])
        .await;
    harness
        .app
        .post(&format!("/connections/{id}/remove"), &[])
        .await;
    assert!(harness.app.state.live().connections().unwrap().is_empty());
    let answer = harness
        .app
        .post(&format!("/connections/{id}/sign-in"), &[])
        .await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}
