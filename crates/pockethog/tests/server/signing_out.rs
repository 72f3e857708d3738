//! When access ends: one sentence, and nothing lost.

#![allow(clippy::unwrap_used)]

use demo_posthog::Consent;

use crate::desk::{Desk, location};

#[tokio::test]
async fn a_revoked_session_leads_to_the_sign_in_screen_and_back_with_everything_kept() {
    let desk = Desk::signed_in().await;
    let name = desk.demo.us().world().projects[0].name.clone();
    desk.app
        .home_until(|page| page.contains(&name) && page.contains("data-state=\"live\""))
        .await;
    let key = desk.app.state.board().unwrap().projects[0].key.clone();
    desk.app
        .state
        .prefer(|preferences| preferences.project_mut(&key).favourite = true)
        .unwrap();

    let mut stream = desk.app.stream("/events/home").await;
    desk.demo.us().revoke_all();
    let client = {
        let connection = &desk.app.state.connections().unwrap()[0];
        desk.app.state.program().client(connection)
    };
    client.projects().await.unwrap_err();
    desk.app.state.refresher().hurry();
    stream
        .until(|name, data| name == "status" && data.contains("signed-out"))
        .await;
    let page = desk.app.text("/").await;
    assert!(page.contains("revoked or has expired"), "{page}");
    assert!(page.contains("Sign in with US Cloud"));

    let end = desk.sign_in("us", &Consent::default()).await;
    assert_eq!(location(&end), "/");
    let page = desk.app.text("/").await;
    assert!(page.contains("visitors today"), "numbers are there at once");
    assert!(page.contains("title=\"Favourite\""), "{page}");
}

#[tokio::test]
async fn one_of_two_that_ends_is_told_once_and_the_other_stays() {
    let desk = Desk::signed_in().await;
    desk.sign_in("eu", &Consent::default()).await;
    let name = desk.demo.eu().world().projects[0].name.clone();
    desk.app.home_until(|page| page.contains(&name)).await;
    desk.demo.us().revoke_all();
    let us = desk.app.state.connections().unwrap().remove(0);
    let client = desk.app.state.program().client(&us);
    client.projects().await.unwrap_err();
    let first = desk.app.text("/").await;
    assert!(
        first.contains("US Cloud: Your access was revoked"),
        "{first}"
    );
    assert!(first.contains("Back to my projects"));
    let second = desk.app.text("/").await;
    assert!(second.contains(&name) && second.contains("Your access was revoked"));
}
