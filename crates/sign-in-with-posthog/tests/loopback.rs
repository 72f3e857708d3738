//! Attacks on the one-shot listener: the sign-in still ends well.
#![allow(clippy::unwrap_used)]

mod posthog;

use posthog::PostHog;
use sign_in_with_posthog::{LoopbackListener, Page, Scopes, SignIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// Sends these bytes and returns what comes back; a listener that hangs up is an answer too.
async fn send(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answer = Vec::new();
    if stream.write_all(bytes).await.is_ok() {
        drop(stream.read_to_end(&mut answer).await);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(address: &str, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    send(address, request.as_bytes()).await
}

/// Begins, lets `attack` have its way with the listener and the right response's query, then sends
/// the right response and expects to be signed in.
async fn survives<F, Fut>(attack: F)
where
    F: FnOnce(String, String) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let posthog = PostHog::start(true).await;
    let folder = tempfile::tempdir().unwrap();
    let program: SignIn = posthog.program(folder.path());
    let listener = LoopbackListener::bind().await.unwrap();
    let redirect = listener.redirect_uri();
    let address = format!("127.0.0.1:{}", redirect.port().unwrap());
    let (host, scopes) = (posthog.host(), Scopes::default());
    let attempt = program.begin(&host, &redirect, &scopes).await.unwrap();
    let authorization = attempt.authorization_url().clone();
    let answer = posthog::client().get(authorization).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap();
    let location: Url = location.parse().unwrap();
    let query = location.query().unwrap().to_owned();
    let attack = attack(address.clone(), query.clone());
    let browser = tokio::spawn(async move {
        attack.await;
        get(&address, &format!("/callback?{query}")).await
    });
    let arrival = listener.wait(&attempt).await.unwrap();
    let connection = program.complete(&attempt, &arrival.response).await.unwrap();
    assert!(connection.is_active());
    let page = Page {
        title: "Signed in".to_owned(),
        text: "as <ada>".to_owned(),
        success: true,
    };
    arrival.finish(page).await;
    let page = browser.await.unwrap();
    assert!(page.contains("Signed in"), "{page}");
    assert!(page.contains("&lt;ada&gt;"), "{page}");
}

#[tokio::test]
async fn rule_r2_a_thousand_forged_callbacks() {
    survives(|address, _| async move {
        for number in 0..1000 {
            let forged = format!("/callback?code=forged&state=guess-{number}");
            let answer = get(&address, &forged).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn rule_r3_the_right_state_with_duplicates_and_with_both_code_and_error() {
    survives(|address, query| async move {
        for extra in [
            "&code=second",
            "&state=second",
            "&error=access_denied",
            "&iss=a&iss=b",
        ] {
            let answer = get(&address, &format!("/callback?{query}{extra}")).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{extra}: {answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn rule_r4_the_right_state_with_another_issuer() {
    survives(|address, query| async move {
        let target = format!("/callback?{query}&iss=https%3A%2F%2Fevil.example.org");
        let answer = get(&address, &target).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn rule_r1_wrong_path_method_and_host() {
    survives(|address, query| async move {
        for target in ["/", "/favicon.ico", "/callback/", "//callback"] {
            let answer = get(&address, &format!("{target}?{query}")).await;
            assert!(!answer.starts_with("HTTP/1.1 200"), "{target}: {answer}");
        }
        for method in ["POST", "HEAD", "PUT", "OPTIONS", "get"] {
            let request = format!("{method} /callback?{query} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            let answer = send(&address, request.as_bytes()).await;
            assert!(!answer.starts_with("HTTP/1.1 200"), "{method}: {answer}");
        }
        for host in ["evil.example.org", "localhost", ""] {
            let request = format!("GET /callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let answer = send(&address, request.as_bytes()).await;
            assert!(!answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn rule_r8_a_head_of_a_megabyte_and_garbage() {
    survives(|address, _| async move {
        let long = format!("GET /callback?{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20));
        let answer = send(&address, long.as_bytes()).await;
        assert!(!answer.starts_with("HTTP/1.1 200"));
        for garbage in [
            &b"\x16\x03\x01\x02\x00"[..],
            b"\r\n\r\n",
            b"\0\0\r\n\r\n",
            b"GET\r\n\r\n",
        ] {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(garbage).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn rule_r8_idle_connections_make_room() {
    survives(|address, _| async move {
        let mut idle = Vec::new();
        for _ in 0..100 {
            idle.push(TcpStream::connect(&address).await.unwrap());
        }
        drop(idle);
        // The listener sees the closed connections in its own time; a browser tries again too.
        while get(&address, "/favicon.ico").await.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn rule_r6_a_second_program_with_the_right_response_comes_too_late() {
    let posthog = PostHog::start(true).await;
    let folder = tempfile::tempdir().unwrap();
    let program = posthog.program(folder.path());
    let redirect = "http://127.0.0.1:1/callback".parse().unwrap();
    let (host, scopes) = (posthog.host(), Scopes::default());
    let attempt = program.begin(&host, &redirect, &scopes).await.unwrap();
    let response = posthog.browse(attempt.authorization_url()).await;
    let (one, two) = tokio::join!(
        program.complete(&attempt, &response),
        program.complete(&attempt, &response)
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
    assert_eq!(posthog.count("/oauth/token/"), 1);
}
