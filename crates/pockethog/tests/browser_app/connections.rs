//! The connections page: signing out, and granting more than before.

use crate::harness::{Allow, Harness};

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_takes_the_access_back_and_keeps_the_other_connection() {
    let harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.go("/connections").await;
    let one = Allow {
        projects: vec![harness.quiet()[0].id],
        ..Allow::default()
    };
    harness.sign_in("eu", &one).await;
    harness
        .complete(harness.us().world().projects.len() + 1)
        .await;
    harness.go("/connections").await;
    harness
        .browser
        .click("section[aria-label*='US Cloud'] form[action$='/sign-out'] button")
        .await;
    harness
        .browser
        .gone("section[aria-label*='US Cloud'] .delta.good")
        .await;
    harness.go("/").await;
    harness.complete(1).await;
    harness
        .browser
        .open(&format!(
            "{}/settings/connected-apps",
            harness.us().address()
        ))
        .await;
    harness.browser.find("#log-out").await;
    assert!(
        !harness.browser.has("[id^=revoke-]").await,
        "the access is still there"
    );
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named_and_can_be_given() {
    let harness = Harness::start().await;
    let project = harness.us().world().projects[0].id;
    let narrowed = Allow {
        projects: vec![project],
        narrowed: vec![("annotation", "none")],
        ..Allow::default()
    };
    harness.sign_in("us", &narrowed).await;
    harness.go("/connections").await;
    harness.browser.shows("annotations are not shown").await;
    harness
        .browser
        .click(".connection form[action$='/sign-in'] button")
        .await;
    let whole = Allow {
        projects: vec![project],
        ..Allow::default()
    };
    harness.consent(&whole).await;
    harness.at("/").await;
    harness.go("/connections").await;
    harness.browser.shows("Write annotations").await;
    assert!(!harness.browser.has(".not-granted").await);
    assert_eq!(harness.browser.texts(".connection h2").await.len(), 1);
    harness.browser.finish_without_errors().await;
}
