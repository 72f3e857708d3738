//! API keys: self-hosted PostHog, and the way over to signing in.

use demo_posthog::ApiKeyOptions;

use crate::harness::{Allow, Stage};

/// Types an address and a key into the form.
async fn connect(stage: &Stage, address: &str, key: &str) {
    stage.browser.fill("input[name=address]", address).await;
    stage.browser.fill("input[name=key]", key).await;
    stage
        .browser
        .click("form[action$='/api-key'] button[type=submit]")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_hosted_posthog_is_reached_by_key_and_never_urged_to_sign_in() {
    let stage = Stage::set().await;
    // The region that nobody configured: for the program it is some address.
    let own = demo_posthog::Demo::start(demo_posthog::Options::default())
        .await
        .unwrap();
    own.eu().play_self_hosted();
    let key = own.eu().create_api_key(ApiKeyOptions {
        scoped_teams: stage.quiet().iter().map(|project| project.id).collect(),
        ..ApiKeyOptions::default()
    });
    stage.browser.click("a[href$='/api-key']").await;
    connect(&stage, own.eu().address(), &key).await;
    stage.at("/").await;
    stage.complete(stage.quiet().len()).await;
    assert!(!stage.browser.has("form[action$='/snooze']").await);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_said_beside_the_form_and_the_address_stays() {
    let stage = Stage::set().await;
    stage.browser.click("a[href$='/api-key']").await;
    let address = stage.us().address().to_owned();
    connect(&stage, &address, "phx_this_is_not_a_key_of_anybody").await;
    stage.browser.find(".notice.bad, [role=alert]").await;
    let kept = stage
        .browser
        .run("return [document.querySelector('[name=address]').value, document.querySelector('[name=key]').value]", vec![])
        .await;
    assert_eq!(kept[0].as_str().unwrap().trim_end_matches('/'), address);
    assert_eq!(kept[1], "");
    stage.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_banner_leads_over_to_signing_in_and_cancelling_half_way_changes_nothing() {
    let stage = Stage::set().await;
    let key = stage.us().create_api_key(ApiKeyOptions::default());
    stage.go("/api-key").await;
    let address = stage.us().address().to_owned();
    connect(&stage, &address, &key).await;
    stage.at("/").await;
    let all = stage.us().world().projects.len();
    stage.complete(all).await;
    let before = stage.projects().await;

    stage
        .browser
        .click(".offer [formaction*='/sign-in'], .offer form[action*='/sign-in'] button")
        .await;
    stage.log_in(1).await;
    stage.browser.click("#deny").await;
    stage
        .browser
        .until("location.pathname !== '/oauth/authorize/'")
        .await;
    stage.go("/").await;
    stage.complete(all).await;
    assert_eq!(stage.projects().await, before);

    stage
        .browser
        .click(".offer [formaction*='/sign-in'], .offer form[action*='/sign-in'] button")
        .await;
    stage.consent(&Allow::default()).await;
    stage.at("/").await;
    stage.complete(all).await;
    assert_eq!(stage.projects().await, before);
    stage.browser.gone(".offer").await;
    stage.go("/connections").await;
    stage.browser.shows("signed in with the browser").await;
    assert_eq!(stage.browser.texts(".connection h2").await.len(), 1);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_banner_never_comes_back() {
    let stage = Stage::set().await;
    let key = stage.us().create_api_key(ApiKeyOptions::default());
    stage.go("/api-key").await;
    let address = stage.us().address().to_owned();
    connect(&stage, &address, &key).await;
    stage.at("/").await;
    stage
        .browser
        .click(".offer [formaction*='/dismiss'], .offer form[action*='/dismiss'] button")
        .await;
    stage.browser.gone(".offer").await;
    stage.go("/").await;
    stage.browser.find("#cards li").await;
    assert!(!stage.browser.has(".offer").await);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snoozed_banner_is_gone_for_now() {
    let stage = Stage::set().await;
    let key = stage.us().create_api_key(ApiKeyOptions::default());
    stage.go("/api-key").await;
    let address = stage.us().address().to_owned();
    connect(&stage, &address, &key).await;
    stage.at("/").await;
    stage
        .browser
        .click(".offer [formaction*='/snooze'], .offer form[action*='/snooze'] button")
        .await;
    stage.browser.gone(".offer").await;
    let preferences =
        std::fs::read_to_string(stage.home().join("pockethog/preferences.toml")).unwrap();
    assert!(preferences.contains("banner"), "{preferences}");
    stage.browser.finish_without_errors().await;
}
