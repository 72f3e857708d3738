//! Starting, finding and ending the app.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use pockethog_server::{Launch, LaunchError, launch};
use reqwest::StatusCode;
use reqwest::header::SET_COOKIE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Harness, browser, open};

const NOWHERE: &str = "http://127.0.0.1:9";

#[tokio::test]
async fn a_second_one_opens_the_one_that_runs_by_an_address_of_its_own() {
    let harness = Harness::new().await;
    let [one, other] = [
        harness.app.another_address().await,
        harness.app.another_address().await,
    ];
    assert_ne!(one, other);
    for address in [one, other] {
        assert_ne!(address, harness.app.open_address);
        let opened = browser().get(&address).send().await.unwrap();
        assert_eq!(opened.status(), StatusCode::SEE_OTHER);
        assert!(opened.headers().contains_key(SET_COOKIE));
        let again = browser().get(&address).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::FORBIDDEN);
    }
}

/// A program that holds the lock but not the key, and listens where a killed app was: what it was sent.
async fn impostor() -> (String, LaunchError) {
    let home = tempfile::tempdir().unwrap();
    let program = open(home.path(), NOWHERE, NOWHERE);
    let note = program.folders.running();
    let killed = launch(Arc::new(program), 0).await.unwrap();
    let left = std::fs::read_to_string(&note).unwrap();
    drop(killed);
    let lock = std::fs::File::create(note.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut left: serde_json::Value = serde_json::from_str(&left).unwrap();
    left["address"] = format!("http://{}/", listener.local_addr().unwrap()).into();
    std::fs::write(&note, left.to_string()).unwrap();
    let heard = tokio::spawn(async move {
        let mut heard = String::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap_or(0);
            heard.push_str(&String::from_utf8_lossy(&request[..read]));
            if heard.matches("GET /running").count() > 2 {
                return heard;
            }
            let body = r#"{"nonce":"AAAA","proof":"AAAA"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    let second = open(home.path(), NOWHERE, NOWHERE);
    let error = launch(Arc::new(second), 0).await.unwrap_err();
    let key = left["key"].as_str().unwrap().to_owned();
    let heard = heard.await.unwrap();
    assert!(!heard.contains(&key), "the key is never sent");
    (heard, error)
}

#[tokio::test]
async fn whoever_listens_where_an_app_was_killed_is_not_opened_and_learns_nothing() {
    let (heard, error) = impostor().await;
    assert!(matches!(error, LaunchError::Hangs(_)), "{error}");
    assert!(
        !heard.contains("POST") && !heard.contains("/open/"),
        "{heard}"
    );
    assert!(!heard.to_lowercase().contains("authorization"), "{heard}");
}

#[tokio::test]
async fn a_request_for_a_code_without_the_key_is_refused() {
    let harness = Harness::new().await;
    let address = format!("{}/running", harness.app.origin);
    let asked = browser().get(format!("{address}?nonce=AAAA")).send();
    let proof: serde_json::Value = asked.await.unwrap().json().await.unwrap();
    assert!(proof["proof"].is_string());
    let forged = serde_json::json!({ "nonce": "AAAA", "life": 60, "proof": proof["proof"] });
    let answer = browser().post(&address).json(&forged).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    // No page of another site gets so far.
    let answer = browser()
        .post(&address)
        .header("sec-fetch-site", "cross-site")
        .json(&forged);
    let text = answer.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("Another site"), "{text}");
}

#[tokio::test]
async fn a_code_that_is_asked_for_without_end_is_bounded() {
    let harness = Harness::new().await;
    let second = open(harness.home.path(), NOWHERE, NOWHERE);
    let Launch::Running(app) = launch(Arc::new(second), 0).await.unwrap() else {
        panic!("two of them run");
    };
    let address = app.open_address(Duration::MAX).await.unwrap();
    let opened = browser().get(&address).send().await.unwrap();
    assert_eq!(opened.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_port_is_the_same_at_every_start_while_it_is_free() {
    let home = tempfile::tempdir().unwrap();
    let started = || async {
        let program = open(home.path(), NOWHERE, NOWHERE);
        match launch(Arc::new(program), 0).await.unwrap() {
            Launch::New(app) => app,
            Launch::Running(_) => panic!("one runs already"),
        }
    };
    let first = started().await.state().port();
    assert_eq!(started().await.state().port(), first);
    let taken = std::net::TcpListener::bind(("127.0.0.1", first)).unwrap();
    let other = started().await.state().port();
    assert_ne!(other, first);
    drop(taken);
    assert_eq!(started().await.state().port(), other);
}

#[tokio::test]
async fn the_note_is_private_and_goes_with_the_app() {
    let harness = Harness::new().await;
    let note = harness.app.state.live().program().folders.running();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&note).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // An open stream does not keep it from ending.
    let _stream = harness.app.stream("/events/home").await;
    harness.app.end().await;
    assert!(!note.exists());
}

#[tokio::test]
async fn what_a_killed_one_left_behind_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let program = open(home.path(), NOWHERE, NOWHERE);
    let note = program.folders.running();
    std::fs::write(
        &note,
        r#"{"address":"http://127.0.0.1:9/","secret":"old","process":1}"#,
    )
    .unwrap();
    let Launch::New(app) = launch(Arc::new(program), 0).await.unwrap() else {
        panic!("a dead one was found");
    };
    let text = std::fs::read_to_string(&note).unwrap();
    assert!(text.contains(app.state().address().as_str()), "{text}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let home = tempfile::tempdir().unwrap();
    let program = open(home.path(), NOWHERE, NOWHERE);
    let error = launch(Arc::new(program), port).await.unwrap_err();
    assert!(matches!(error, LaunchError::PortInUse(_)));
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn one_that_starts_and_says_nothing_is_not_waited_for_for_ever() {
    let home = tempfile::tempdir().unwrap();
    let program = open(home.path(), NOWHERE, NOWHERE);
    let lock = std::fs::File::create(program.folders.running().with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let error = launch(Arc::new(program), 0).await.unwrap_err();
    assert!(matches!(error, LaunchError::Hangs(_)), "{error}");
}
