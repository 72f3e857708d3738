//! What the page server turns away, tried from a real browser.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;

use crate::harness::{Allow, Stage};

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
    let mut stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    stage.go("/settings").await;
    let settings = stage.browser.address().await;
    stage.browser.second_tab(&stage.page("/")).await;
    stage.complete(9).await;
    let key = "return document.documentElement.dataset.key";
    let key = stage.browser.run(key, vec![]).await;
    let key = key.as_str().unwrap().to_owned();
    assert!(key.len() > 40, "{key}");
    stage.kill();
    let heard = impostor(settings.port().unwrap()).await;
    let unproven = "document.body.dataset.ended === 'unproven'";
    stage.browser.until(unproven).await;
    stage.browser.shows("PocketHog has ended").await;
    assert!(
        stage.browser.has("#cards").await,
        "the page stays as it was"
    );
    assert!(!stage.browser.text("body").await.contains("FORGED"));
    // The same for an answer that a script puts into the page.
    stage.browser.first_tab().await;
    let submit = "const form = document.querySelector('#project-list form.move'); \
                  form.requestSubmit(form.querySelector('button'))";
    stage.browser.run(submit, vec![]).await;
    stage.browser.until(unproven).await;
    assert!(!stage.browser.text("body").await.contains("FORGED"));
    assert!(stage.browser.has("#project-list li").await);
    let heard = heard.lock().unwrap().clone();
    assert!(
        heard.contains("/events/home") && heard.contains("/settings"),
        "{heard}"
    );
    assert!(!heard.contains(&key), "the key is never sent: {heard}");
    stage.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_goes_on_after_a_restart() {
    let mut stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    stage.complete(9).await;
    let live = "document.getElementById('status').dataset.state === 'live'";
    stage.browser.until(live).await;
    stage.browser.run("window.same = true", vec![]).await;
    stage.kill();
    stage.browser.shows("PocketHog has ended").await;
    stage.start_again();
    stage.browser.until(&format!("window.same && {live}")).await;
    // A bookmark works as well.
    stage.go("/settings").await;
    stage.browser.shows("Ada Lovelace").await;
    stage.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_eighth_window_loads_while_seven_follow_their_numbers() {
    let stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    for _ in 0..6 {
        stage.browser.second_window(&stage.page("/")).await;
        stage
            .browser
            .until("document.readyState === 'complete'")
            .await;
        stage.browser.until("!document.hidden").await;
    }
    stage.browser.second_window(&stage.page("/settings")).await;
    stage.browser.shows("Colour scheme").await;
    // The windows without a stream of their own have their numbers too.
    stage.browser.first_tab().await;
    stage.complete(9).await;
    stage.browser.finish().await;
}
