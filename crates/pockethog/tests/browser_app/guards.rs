//! Requests that the page server refuses, tried from a real browser.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;

use crate::harness::{Allow, Harness};

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_changes_nothing() {
    let harness = Harness::start().await;
    let form = format!(
        "data:text/html,<form method=post action='{}'><input name=mode value=dark>\
         <input name=scheme value=plum><button>Go</button></form>",
        harness.page("/settings")
    );
    harness.browser.open(&form).await;
    harness.browser.click("button").await;
    harness.browser.shows("Refused").await;
    harness.go("/").await;
    harness
        .browser
        .until("document.documentElement.dataset.mode === 'auto'")
        .await;
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_cookie_a_browser_is_told_how_to_open_pockethog() {
    let harness = Harness::start().await;
    harness
        .browser
        .find("button[formaction$=\"/sign-in/us\"]")
        .await;
    harness.browser.clear_cookies().await;
    harness.go("/").await;
    harness.browser.shows("pockethog").await;
    assert!(
        !harness
            .browser
            .has("button[formaction$=\"/sign-in/us\"]")
            .await
    );
    // The address that has opened it opens nothing again; running it again gives another one.
    harness.browser.open(harness.opening()).await;
    harness.browser.shows("already been used").await;
    harness.browser.open(&harness.another_opening()).await;
    harness
        .browser
        .find("button[formaction$=\"/sign-in/us\"]")
        .await;
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_for_loopback_gets_no_page() {
    let harness = Harness::start().await;
    let rebound = harness.opening().replace("127.0.0.1", "rebound.example");
    harness.browser.open(&rebound).await;
    harness.browser.shows("not PocketHog’s address").await;
    // These are the requests that were meant to go there.
    assert!(!harness.browser.strangers().await.is_empty());
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_stays_in_no_address_and_no_page() {
    let harness = Harness::start().await;
    let secret = harness.opening().rsplit('/').next().unwrap().to_owned();
    let path = harness.browser.address().await.path().to_owned();
    assert!(path.starts_with("/~") && path.ends_with('/'), "{path}");
    harness.sign_in("us", &Allow::default()).await;
    for path in ["/", "/settings", "/connections"] {
        harness.go(path).await;
        let page = harness
            .browser
            .run(
                "return document.documentElement.outerHTML + document.cookie",
                vec![],
            )
            .await;
        assert!(!page.as_str().unwrap().contains(&secret), "{path}");
    }
    harness.browser.finish_without_errors().await;
}

/// Listens where the program did and answers everything with forged content, as another user's program could.
/// Returns what it is asked.
async fn impostor(port: u16) -> Arc<Mutex<String>> {
    const FORGED: &str = "<main id=content><ul id=project-list>FORGED</ul></main>";
    let heard = Arc::new(Mutex::new(String::new()));
    let listening = Arc::clone(&heard);
    let answer = move |request: Request| {
        let asked = format!("{} {:?}\n", request.uri(), request.headers());
        listening.lock().unwrap().push_str(&asked);
        let is_stream = request.uri().path().contains("/events");
        async move {
            if is_stream {
                let data = serde_json::json!({ "id": "content", "html": FORGED });
                let event = format!("event: part\nid: 0 AAAA\ndata: {data}\n\n");
                ([("content-type", "text/event-stream")], event).into_response()
            } else {
                axum::response::Html(FORGED).into_response()
            }
        }
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_after_the_app_has_ended_cannot_write_into_the_open_page() {
    let mut harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.go("/settings").await;
    let settings = harness.browser.address().await;
    harness.browser.second_tab(&harness.page("/")).await;
    harness.complete(9).await;
    let key = "return document.documentElement.dataset.key";
    let key = harness.browser.run(key, vec![]).await;
    let key = key.as_str().unwrap().to_owned();
    assert!(key.len() > 40, "{key}");
    harness.kill();
    let heard = impostor(settings.port().unwrap()).await;
    let unproven = "document.body.dataset.ended === 'unproven'";
    harness.browser.until(unproven).await;
    harness.browser.shows("PocketHog has ended").await;
    assert!(
        harness.browser.has("#cards").await,
        "the page stays as it was"
    );
    assert!(!harness.browser.text("body").await.contains("FORGED"));
    // The same for an answer that a script puts into the page.
    harness.browser.first_tab().await;
    let submit = "const form = document.querySelector('#project-list form.move'); \
                  form.requestSubmit(form.querySelector('button'))";
    harness.browser.run(submit, vec![]).await;
    harness.browser.until(unproven).await;
    assert!(!harness.browser.text("body").await.contains("FORGED"));
    assert!(harness.browser.has("#project-list li").await);
    let heard = heard.lock().unwrap().clone();
    assert!(
        heard.contains("/events/home") && heard.contains("/settings"),
        "{heard}"
    );
    assert!(!heard.contains(&key), "the key is never sent: {heard}");
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_goes_on_after_a_restart() {
    let mut harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.complete(9).await;
    let live = "document.getElementById('status').dataset.state === 'live'";
    harness.browser.until(live).await;
    harness.browser.run("window.same = true", vec![]).await;
    harness.kill();
    harness.browser.shows("PocketHog has ended").await;
    harness.start_again();
    harness
        .browser
        .until(&format!("window.same && {live}"))
        .await;
    // A bookmark works as well.
    harness.go("/settings").await;
    harness.browser.shows("Ada Lovelace").await;
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_eighth_window_loads_while_seven_follow_their_numbers() {
    let harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    for _ in 0..6 {
        harness.browser.second_window(&harness.page("/")).await;
        harness
            .browser
            .until("document.readyState === 'complete'")
            .await;
        harness.browser.until("!document.hidden").await;
    }
    harness
        .browser
        .second_window(&harness.page("/settings"))
        .await;
    harness.browser.shows("Colour scheme").await;
    // The windows without a stream of their own have their numbers too.
    harness.browser.first_tab().await;
    harness.complete(9).await;
    harness.browser.finish().await;
}
