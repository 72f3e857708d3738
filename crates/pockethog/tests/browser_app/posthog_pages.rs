//! The embedded PostHog's own pages are what newcomers to the demo see first, so the same rules apply to them.

use test_support::browser::Look;
use test_support::browser::accessibility::{unreadable, violations};
use test_support::browser::layout::{WIDTHS, misfits};

use crate::harness::{Allow, Harness};

/// What is wrong with the page that the browser is on, each with the page's name.
async fn faults(harness: &Harness, name: &str) -> Vec<String> {
    let browser = &harness.browser;
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
    let harness = Harness::start().await;
    let browser = &harness.browser;
    browser.click("button[formaction$=\"/sign-in/us\"]").await;
    browser.find("#login-as-1").await;
    let mut found = faults(&harness, "login").await;
    harness.log_in(1).await;
    found.extend(faults(&harness, "consent").await);
    browser.click("label[for=access-project]").await;
    found.extend(faults(&harness, "consent with projects").await);
    browser.click("#authorize").await;
    browser.find("[role=alert], .mistake").await;
    found.extend(faults(&harness, "consent with nothing chosen").await);
    let first = harness.us().world().projects[0].id;
    let allow = Allow {
        projects: vec![first],
        ..Allow::default()
    };
    harness.consent(&allow).await;
    harness.at("/").await;
    let posthog = harness.us().address();
    browser
        .open(&format!("{posthog}/settings/connected-apps"))
        .await;
    browser.find("[id^=revoke-]").await;
    found.extend(faults(&harness, "connected apps").await);
    browser.click("[id^=revoke-]").await;
    browser.shows("Access was revoked").await;
    found.extend(faults(&harness, "no connected apps").await);
    assert!(found.is_empty(), "{}", found.join("\n"));
    harness.browser.finish().await;
}
