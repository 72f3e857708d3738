//! The connections page: signing out, and giving more than before.

use crate::harness::{Allow, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_takes_the_access_back_and_keeps_the_other_connection() {
    let stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    stage.go("/connections").await;
    let one = Allow {
        projects: vec![stage.quiet()[0].id],
        ..Allow::default()
    };
    stage.sign_in("eu", &one).await;
    stage.complete(stage.us().world().projects.len() + 1).await;
    stage.go("/connections").await;
    stage
        .browser
        .click("section[aria-label*='US Cloud'] form[action$='/sign-out'] button")
        .await;
    stage
        .browser
        .gone("section[aria-label*='US Cloud'] .delta.good")
        .await;
    stage.go("/").await;
    stage.complete(1).await;
    stage
        .browser
        .open(&format!("{}/settings/connected-apps", stage.us().address()))
        .await;
    stage.browser.find("#log-out").await;
    assert!(
        !stage.browser.has("[id^=revoke-]").await,
        "the access is still there"
    );
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named_and_can_be_given() {
    let stage = Stage::set().await;
    let project = stage.us().world().projects[0].id;
    let narrowed = Allow {
        projects: vec![project],
        narrowed: vec![("annotation", "none")],
        ..Allow::default()
    };
    stage.sign_in("us", &narrowed).await;
    stage.go("/connections").await;
    stage.browser.shows("notes are not shown").await;
    stage
        .browser
        .click(".connection form[action$='/sign-in'] button")
        .await;
    let whole = Allow {
        projects: vec![project],
        ..Allow::default()
    };
    stage.consent(&whole).await;
    stage.at("/").await;
    stage.go("/connections").await;
    stage.browser.shows("Write notes").await;
    assert!(!stage.browser.has(".not-granted").await);
    assert_eq!(stage.browser.texts(".connection h2").await.len(), 1);
    stage.browser.finish_without_errors().await;
}
