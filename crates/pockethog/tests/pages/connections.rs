//! Connections side by side: what each may see, signing out, widening.

#![allow(clippy::unwrap_used)]

use demo_posthog::{Consent, Reach};
use reqwest::StatusCode;

use crate::harness::location;
use crate::place::{first, key, signed_in};

#[tokio::test]
async fn each_connection_tells_who_where_and_what_is_missing() {
    let only = {
        let desk = crate::harness::Desk::new().await;
        first(&desk).id
    };
    let consent = Consent {
        scopes: Some("project:read query:read"),
        reach: Reach::Projects(vec![only]),
        ..Consent::default()
    };
    let desk = signed_in(&consent).await;
    desk.sign_in("eu", &Consent::default()).await;
    let page = desk.app.text("/connections").await;
    assert!(
        page.contains("US Cloud") && page.contains("EU Cloud"),
        "{page}"
    );
    assert!(page.contains("Ada Lovelace"), "{page}");
    assert!(
        page.contains(&format!("1 project: {}", first(&desk).name)),
        "{page}"
    );
    assert!(page.contains("Everything you may see"), "{page}");
    assert!(page.contains("events have to be typed by name"), "{page}");
    assert!(page.contains("Sign in again to give more"), "{page}");
}

#[tokio::test]
async fn signing_out_keeps_what_was_chosen_and_ends_on_the_sign_in_screen() {
    let desk = signed_in(&Consent::default()).await;
    let key = key(&first(&desk));
    desk.app
        .state
        .live()
        .prefer(|preferences| preferences.project_mut(&key).favourite = true)
        .unwrap();
    let id = desk.app.state.live().connections().unwrap()[0].id.clone();
    let answer = desk
        .app
        .post(&format!("/connections/{id}/sign-out"), &[])
        .await;
    assert_eq!(location(&answer), "/");
    assert!(!desk.app.state.live().connections().unwrap()[0].is_active());
    assert!(
        desk.app
            .state
            .live()
            .preferences()
            .0
            .project(&key)
            .favourite
    );

    let page = desk.app.text("/connections").await;
    assert!(page.contains("You signed out on this device."), "{page}");
    let begun = desk
        .app
        .post(&format!("/connections/{id}/sign-in"), &[])
        .await;
    let back = desk
        .demo
        .us()
        .consent(&desk.app.leads_to(&begun).await, &Consent::default());
    assert_eq!(location(&desk.app.follow(&back).await), "/");
    let connections = desk.app.state.live().connections().unwrap();
    assert!(connections.len() == 1 && connections[0].is_active());
}

#[tokio::test]
async fn a_connection_that_was_signed_out_can_be_taken_off_the_list() {
    let desk = signed_in(&Consent::default()).await;
    let id = desk.app.state.live().connections().unwrap()[0].id.clone();
    desk.app
        .post(&format!("/connections/{id}/remove"), &[])
        .await;
    assert_eq!(
        desk.app.state.live().connections().unwrap().len(),
        1,
        "not while it is in use"
    );
    desk.app
        .post(&format!("/connections/{id}/sign-out"), &[])
        .await;
    desk.app
        .post(&format!("/connections/{id}/remove"), &[])
        .await;
    assert!(desk.app.state.live().connections().unwrap().is_empty());
    let answer = desk
        .app
        .post(&format!("/connections/{id}/sign-in"), &[])
        .await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}
