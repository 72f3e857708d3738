//! API keys: self-hosted PostHog, and migrating to a sign-in.

use demo_posthog::ApiKeyOptions;

use crate::harness::{Allow, Harness};

/// Types an address and a key into the form.
async fn connect(harness: &Harness, address: &str, key: &str) {
    harness.browser.fill("input[name=address]", address).await;
    harness.browser.fill("input[name=key]", key).await;
    harness
        .browser
        .click("form[action$='/api-key'] button[type=submit]")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_hosted_posthog_is_reached_by_key_and_never_urged_to_sign_in() {
    let harness = Harness::start().await;
    // The region that nobody configured: for the program it is some address.
    let own = demo_posthog::Demo::start(demo_posthog::Options::default())
        .await
        .unwrap();
    own.eu().play_self_hosted();
    let key = own.eu().create_api_key(ApiKeyOptions {
        scoped_teams: harness.quiet().iter().map(|project| project.id).collect(),
        ..ApiKeyOptions::default()
    });
    harness.browser.click("a[href$='/api-key']").await;
    connect(&harness, own.eu().address(), &key).await;
    harness.at("/").await;
    harness.complete(harness.quiet().len()).await;
    assert!(!harness.browser.has("form[action$='/snooze']").await);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_said_beside_the_form_and_the_address_stays() {
    let harness = Harness::start().await;
    harness.browser.click("a[href$='/api-key']").await;
    let address = harness.us().address().to_owned();
    connect(&harness, &address, "phx_this_is_not_a_key_of_anybody").await;
    harness.browser.find(".notice.bad, [role=alert]").await;
    let kept = harness
        .browser
        .run("return [document.querySelector('[name=address]').value, document.querySelector('[name=key]').value]", vec![])
        .await;
    assert_eq!(kept[0].as_str().unwrap().trim_end_matches('/'), address);
    assert_eq!(kept[1], "");
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_banner_leads_over_to_signing_in_and_cancelling_half_way_changes_nothing() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    harness.go("/api-key").await;
    let address = harness.us().address().to_owned();
    connect(&harness, &address, &key).await;
    harness.at("/").await;
    let all = harness.us().world().projects.len();
    harness.complete(all).await;
    let before = harness.projects().await;

    harness
        .browser
        .click(".offer [formaction*='/sign-in'], .offer form[action*='/sign-in'] button")
        .await;
    harness.log_in(1).await;
    harness.browser.click("#deny").await;
    harness
        .browser
        .until("location.pathname !== '/oauth/authorize/'")
        .await;
    harness.go("/").await;
    harness.complete(all).await;
    assert_eq!(harness.projects().await, before);

    harness
        .browser
        .click(".offer [formaction*='/sign-in'], .offer form[action*='/sign-in'] button")
        .await;
    harness.consent(&Allow::default()).await;
    harness.at("/").await;
    harness.complete(all).await;
    assert_eq!(harness.projects().await, before);
    harness.browser.gone(".offer").await;
    harness.go("/connections").await;
    harness.browser.shows("signed in with the browser").await;
    assert_eq!(harness.browser.texts(".connection h2").await.len(), 1);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_banner_never_comes_back() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    harness.go("/api-key").await;
    let address = harness.us().address().to_owned();
    connect(&harness, &address, &key).await;
    harness.at("/").await;
    harness
        .browser
        .click(".offer [formaction*='/dismiss'], .offer form[action*='/dismiss'] button")
        .await;
    harness.browser.gone(".offer").await;
    harness.go("/").await;
    harness.browser.find("#cards li").await;
    assert!(!harness.browser.has(".offer").await);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snoozed_banner_is_gone_for_now() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    harness.go("/api-key").await;
    let address = harness.us().address().to_owned();
    connect(&harness, &address, &key).await;
    harness.at("/").await;
    harness
        .browser
        .click(".offer [formaction*='/snooze'], .offer form[action*='/snooze'] button")
        .await;
    harness.browser.gone(".offer").await;
    let preferences =
        std::fs::read_to_string(harness.home().join("pockethog/preferences.toml")).unwrap();
    assert!(preferences.contains("banner"), "{preferences}");
    harness.browser.finish_without_errors().await;
}
