//! The embedded PostHog's own pages are what newcomers of the demo see first: they are held to the same
//! rules as ours.

use crate::browser::Look;
use crate::browser::accessibility::{unreadable, violations};
use crate::browser::layout::{WIDTHS, misfits};
use crate::harness::{Allow, Stage};

/// What is wrong with the page that the browser is on, each with the page's name.
async fn faults(stage: &Stage, name: &str) -> Vec<String> {
    let browser = &stage.browser;
    let mut found = Vec::new();
    for width in WIDTHS {
        browser.size(width, 900).await;
        found.extend(misfits(browser).await);
        if [390, 1280].contains(&width) {
            found.extend(violations(browser).await);
            browser.look(Look::Dark).await;
            found.extend(unreadable(browser).await);
            browser.look(Look::Light).await;
        }
    }
    browser.size(1280, 900).await;
    found
        .into_iter()
        .map(|fault| format!("{name}: {fault}"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn login_consent_and_connected_apps_are_accessible() {
    let stage = Stage::set().await;
    let browser = &stage.browser;
    browser.click("button[formaction$=\"/sign-in/us\"]").await;
    browser.find("#login-as-1").await;
    let mut found = faults(&stage, "login").await;
    stage.log_in(1).await;
    found.extend(faults(&stage, "consent").await);
    browser.click("label[for=access-project]").await;
    found.extend(faults(&stage, "consent with projects").await);
    browser.click("#authorize").await;
    browser.find("[role=alert], .mistake").await;
    found.extend(faults(&stage, "consent with nothing chosen").await);
    let first = stage.us().world().projects[0].id;
    let allow = Allow {
        projects: vec![first],
        ..Allow::default()
    };
    stage.consent(&allow).await;
    stage.at("/").await;
    let posthog = stage.us().address();
    browser
        .open(&format!("{posthog}/settings/connected-apps"))
        .await;
    browser.find("[id^=revoke-]").await;
    found.extend(faults(&stage, "connected apps").await);
    browser.click("[id^=revoke-]").await;
    browser.shows("Access was revoked").await;
    found.extend(faults(&stage, "no connected apps").await);
    assert!(found.is_empty(), "{}", found.join("\n"));
    stage.browser.finish().await;
}
