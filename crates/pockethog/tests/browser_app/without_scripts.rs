//! The whole way with the scripts of all pages switched off.

use crate::harness::{Allow, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_links_and_forms() {
    let stage = Stage::set().await;
    let browser = &stage.browser;
    browser.scripts(false).await;
    browser.reload().await;
    let project = stage.us().world().projects[0].clone();
    let allow = Allow {
        projects: vec![project.id],
        ..Allow::default()
    };
    stage.sign_in("us", &allow).await;
    stage.reload_until("#cards [data-number]").await;
    browser.click("#cards h3 a").await;
    stage.reload_until("#numbers [data-number]").await;
    browser.click(".ranges a[href*='7d']").await;
    stage.reload_until("#numbers [data-number]").await;
    assert_eq!(browser.text(".ranges [aria-current]").await, "7d");

    browser.click("a.add[data-dialog=add-note]").await;
    browser
        .fill("dialog[open] textarea", "Written without scripts")
        .await;
    browser.click("dialog[open] button.primary").await;
    stage.reload_until(".notes li").await;
    assert!(
        browser
            .text(".notes li")
            .await
            .contains("Written without scripts")
    );
    let noted = stage.us().annotations(project.id);
    assert!(
        noted
            .iter()
            .any(|note| note.content.as_deref() == Some("Written without scripts"))
    );

    stage.go("/settings").await;
    browser.click("label:has([name=mode][value=dark])").await;
    browser
        .click("form[action$='/settings'] button[type=submit]")
        .await;
    browser
        .until("document.documentElement.dataset.mode === 'dark'")
        .await;
    stage.browser.finish_without_errors().await;
}
