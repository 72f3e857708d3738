//! What the page server turns away, tried from a real browser.

use crate::stage::{Allow, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_changes_nothing() {
    let stage = Stage::set().await;
    let form = format!(
        "data:text/html,<form method=post action='{}'><input name=mode value=dark>\
         <input name=scheme value=plum><button>Go</button></form>",
        stage.page("/settings")
    );
    stage.browser.open(&form).await;
    stage.browser.click("button").await;
    stage.browser.shows("Refused").await;
    stage.go("/").await;
    stage
        .browser
        .until("document.documentElement.dataset.mode === 'auto'")
        .await;
    stage.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_cookie_a_browser_is_told_how_to_open_pockethog() {
    let stage = Stage::set().await;
    stage
        .browser
        .find("button[formaction$=\"/sign-in/us\"]")
        .await;
    stage.browser.clear_cookies().await;
    stage.go("/").await;
    stage.browser.shows("pockethog").await;
    assert!(
        !stage
            .browser
            .has("button[formaction$=\"/sign-in/us\"]")
            .await
    );
    // The address that has opened it opens nothing again; running it again gives another one.
    stage.browser.open(stage.opening()).await;
    stage.browser.shows("used already").await;
    stage.browser.open(&stage.another_opening()).await;
    stage
        .browser
        .find("button[formaction$=\"/sign-in/us\"]")
        .await;
    stage.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_for_loopback_gets_no_page() {
    let stage = Stage::set().await;
    let rebound = stage.opening().replace("127.0.0.1", "rebound.example");
    stage.browser.open(&rebound).await;
    stage.browser.shows("not PocketHog’s address").await;
    // These are the requests that were meant to go there.
    assert!(!stage.browser.strangers().await.is_empty());
    stage.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_stays_in_no_address_and_no_page() {
    let stage = Stage::set().await;
    let secret = stage.opening().rsplit('/').next().unwrap().to_owned();
    let path = stage.browser.address().await.path().to_owned();
    assert!(path.starts_with("/~") && path.ends_with('/'), "{path}");
    stage.sign_in("us", &Allow::default()).await;
    for path in ["/", "/settings", "/connections"] {
        stage.go(path).await;
        let page = stage
            .browser
            .run(
                "return document.documentElement.outerHTML + document.cookie",
                vec![],
            )
            .await;
        assert!(!page.as_str().unwrap().contains(&secret), "{path}");
    }
    stage.browser.finish_without_errors().await;
}
