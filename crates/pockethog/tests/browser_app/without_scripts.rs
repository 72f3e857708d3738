//! End to end, with the scripts of all pages switched off.

use crate::harness::{Allow, Harness};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_links_and_forms() {
    let harness = Harness::start().await;
    let browser = &harness.browser;
    browser.scripts(false).await;
    browser.reload().await;
    let project = harness.us().world().projects[0].clone();
    let allow = Allow {
        projects: vec![project.id],
        ..Allow::default()
    };
    harness.sign_in("us", &allow).await;
    harness.reload_until("#cards [data-number]").await;
    browser.click("#cards h3 a").await;
    harness.reload_until("#numbers [data-number]").await;
    browser.click(".ranges a[href*='7d']").await;
    harness.reload_until("#numbers [data-number]").await;
    assert_eq!(browser.text(".ranges [aria-current]").await, "7d");

    // The range is there after a look at the list of projects.
    browser.click(".brand").await;
    browser.click("#cards h3 a").await;
    assert_eq!(browser.text(".ranges [aria-current]").await, "7d");

    browser.click("a.add[data-dialog=add-note]").await;
    browser
        .fill("dialog[open] textarea", "Written without scripts")
        .await;
    browser.click("dialog[open] button.primary").await;
    harness.reload_until(".notes li").await;
    assert!(
        browser
            .text(".notes li")
            .await
            .contains("Written without scripts")
    );
    let noted = harness.us().annotations(project.id);
    assert!(
        noted
            .iter()
            .any(|annotation| annotation.content.as_deref() == Some("Written without scripts"))
    );

    harness.go("/settings").await;
    browser.click("label:has([name=mode][value=dark])").await;
    browser
        .click("form[action$='/settings'] button[type=submit]")
        .await;
    browser
        .until("document.documentElement.dataset.mode === 'dark'")
        .await;
    harness.browser.finish_without_errors().await;
}
