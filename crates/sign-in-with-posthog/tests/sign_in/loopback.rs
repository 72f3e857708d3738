//! Attacks on the one-shot listener. Each ends with the browser's own response arriving nevertheless.

use std::time::Duration;

use sign_in_with_posthog::{Arrival, Attempt, LoopbackListener, Page, Scopes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use url::Url;

use crate::harness::Harness;
use crate::posthog::Kind;

/// How long the browser may be kept waiting by anybody.
const PATIENCE: Duration = Duration::from_secs(4);

struct Flow {
    harness: Harness,
    redirect: Url,
    /// What the browser will bring back.
    query: String,
    /// The cookie that the browser got at the start address.
    cookie: String,
    waiting: JoinHandle<Option<Arrival>>,
    attempt: std::sync::Arc<Attempt>,
}

impl Flow {
    async fn begin() -> Self {
        let harness = Harness::new(Kind::Rotating);
        let listener = LoopbackListener::bind().await.unwrap();
        let redirect = listener.redirect_uri();
        let attempt = harness
            .sign_in
            .begin(&harness.host(), &redirect, &Scopes::default())
            .await;
        let attempt = std::sync::Arc::new(attempt.unwrap());
        let query = harness.posthog.agree(attempt.authorization_url());
        let waited = attempt.clone();
        let waiting = tokio::spawn(async move { listener.wait(&waited).await });
        let mut flow = Self {
            harness,
            redirect,
            query,
            cookie: String::new(),
            waiting,
            attempt,
        };
        let started = flow.start(&flow.attempt.start_url(), "").await;
        flow.cookie = cookie(&started).unwrap();
        flow
    }

    /// Opens a start address with these cookies.
    async fn start(&self, address: &Url, cookies: &str) -> String {
        let (host, path) = (self.host(), address.path());
        self.send(
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies}\r\n\r\n").as_bytes(),
        )
        .await
    }

    /// The browser's response, with these cookies.
    async fn callback(&self, cookies: &str) -> String {
        let request = get(&self.host(), &self.query, cookies);
        self.send(request.as_bytes()).await
    }

    async fn connect(&self) -> TcpStream {
        let address = (
            self.redirect.host_str().unwrap(),
            self.redirect.port().unwrap(),
        );
        TcpStream::connect(address).await.unwrap()
    }

    fn host(&self) -> String {
        self.redirect[url::Position::BeforeHost..url::Position::AfterPort].to_owned()
    }

    /// Sends these bytes and reads what comes back; empty if the connection is closed.
    async fn send(&self, bytes: &[u8]) -> String {
        exchange(self.connect().await, bytes).await
    }

    /// A callback of the right browser.
    async fn get(&self, query: &str) -> String {
        let request = get(&self.host(), query, &self.cookie);
        self.send(request.as_bytes()).await
    }

    /// The browser comes back, and the sign-in ends well.
    async fn end(self) -> String {
        let request = get(&self.host(), &self.query, &self.cookie);
        let stream = self.connect().await;
        let browser = tokio::spawn(async move { exchange(stream, request.as_bytes()).await });
        let arrival = tokio::time::timeout(PATIENCE, self.waiting).await;
        let arrival = arrival.expect("the browser is kept out").unwrap().unwrap();
        let done = self
            .harness
            .sign_in
            .complete(&self.attempt, &arrival.response);
        let mut page = Page::of(&done.await);
        assert!(page.success, "{page:?}");
        assert!(page.text.contains("Ada Lovelace"), "{page:?}");
        page.text.push_str("<script>alert(1)</script>");
        arrival.finish(page).await;
        browser.await.unwrap()
    }
}

fn get(host: &str, query: &str, cookies: &str) -> String {
    format!("GET /callback?{query} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies}\r\n\r\n")
}

/// What a browser sends back of the first cookie that it is given.
fn cookie(answer: &str) -> Option<String> {
    let set = answer
        .lines()
        .find_map(|line| line.strip_prefix("Set-Cookie: "))?;
    set.split(';').next().map(ToOwned::to_owned)
}

async fn exchange(mut stream: TcpStream, bytes: &[u8]) -> String {
    let mut answer = Vec::new();
    // The listener may hang up on what it does not want to read to the end.
    if stream.write_all(bytes).await.is_ok() {
        drop(stream.read_to_end(&mut answer).await);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

#[tokio::test]
async fn rule_r9_the_page_is_escaped_and_loads_nothing() {
    let page = Flow::begin().await.end().await;
    assert_eq!(status(&page), "200");
    assert!(page.contains("&lt;script&gt;alert") && !page.contains("<script>alert"));
    for header in [
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "Content-Security-Policy: default-src 'none'",
        "Content-Type: text/html; charset=utf-8",
        "Connection: close",
    ] {
        assert!(page.contains(header), "{header}");
    }
}

#[tokio::test]
async fn the_start_address_gives_the_cookie_and_leads_to_posthog() {
    let flow = Flow::begin().await;
    let started = flow
        .start(&flow.attempt.printed_start_url(), &flow.cookie)
        .await;
    assert_eq!(status(&started), "302");
    let location = format!("Location: {}\r\n", flow.attempt.authorization_url());
    assert!(started.contains(&location), "{started}");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/callback", "Max-Age=600"] {
        assert!(started.contains(part), "{started}");
    }
    assert!(started.contains("Referrer-Policy: no-referrer"));
    let guessed = flow.redirect.join("/start/guess").unwrap();
    assert_eq!(status(&flow.start(&guessed, &flow.cookie).await), "404");
    flow.end().await;
}

#[tokio::test]
async fn another_browser_with_the_right_state_neither_ends_nor_finishes_the_sign_in() {
    let flow = Flow::begin().await;
    let (_, state) = flow.query.split_once("state=").unwrap();
    let (name, _) = flow.cookie.split_once('=').unwrap();
    for cookies in ["", "other=1", &format!("{name}=guess")] {
        let answer = flow.callback(cookies).await;
        assert_eq!(status(&answer), "400", "{cookies}");
        assert!(answer.contains("paste it into the terminal"), "{answer}");
        let denied = format!("error=access_denied&state={state}");
        let request = get(&flow.host(), &denied, cookies);
        assert_eq!(status(&flow.send(request.as_bytes()).await), "400");
    }
    assert_eq!(flow.harness.posthog.count("/oauth/token"), 0);
    flow.end().await;
}

#[tokio::test]
async fn who_opens_the_address_of_the_argument_list_first_gains_nothing() {
    let mut flow = Flow::begin().await;
    // `begin` was the thief. The person's own browser comes second, and is informed.
    let thief = flow.cookie.clone();
    let own = flow.start(&flow.attempt.start_url(), "").await;
    assert_eq!(status(&own), "409");
    assert!(
        own.contains("has already been opened") && cookie(&own).is_none(),
        "{own}"
    );
    flow.attempt.contested().await;
    assert_eq!(status(&flow.callback(&thief).await), "400");
    // The address that the terminal shows goes on, and the thief cannot end that either.
    let printed = flow.start(&flow.attempt.printed_start_url(), "").await;
    flow.cookie = cookie(&printed).unwrap();
    assert_eq!(
        status(&flow.start(&flow.attempt.start_url(), &thief).await),
        "409"
    );
    assert_eq!(status(&flow.callback(&thief).await), "400");
    flow.end().await;
}

#[tokio::test]
async fn the_last_page_takes_the_code_out_of_the_address() {
    let page = Flow::begin().await.end().await;
    let (_, script) = page.split_once("<script>").unwrap();
    let (script, _) = script.split_once("</script>").unwrap();
    assert_eq!(script, "history.replaceState(null,'','/')");
    let hash = ring::digest::digest(&ring::digest::SHA256, script.as_bytes());
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash);
    assert!(
        page.contains(&format!("script-src 'sha256-{hash}'")),
        "{page}"
    );
    assert!(page.contains("; Max-Age=0"), "the cookie goes: {page}");
}

#[tokio::test]
async fn rule_r2_a_thousand_forged_callbacks_change_nothing() {
    let flow = Flow::begin().await;
    for number in 0..1000 {
        let forged = match number % 3 {
            0 => format!("code=forged&state={number}"),
            1 => "error=access_denied".to_owned(),
            _ => format!("error=access_denied&state={number}"),
        };
        assert_eq!(status(&flow.get(&forged).await), "400");
    }
    flow.end().await;
}

#[tokio::test]
async fn rule_r8_idle_connections_do_not_keep_the_browser_out() {
    let flow = Flow::begin().await;
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(flow.connect().await);
    }
    // Some have begun a request that they never end.
    for stream in idle.iter_mut().skip(40) {
        drop(stream.write_all(b"GET /callback?code=").await);
    }
    flow.end().await;
}

#[tokio::test]
async fn rule_r8_a_head_of_a_megabyte_is_cut_off() {
    let flow = Flow::begin().await;
    let mut head = format!("GET /callback?{} HTTP/1.1\r\n", flow.query).into_bytes();
    head.resize(1 << 20, b'a');
    assert!(matches!(status(&flow.send(&head).await), "431" | "closed"));
    flow.end().await;
}

#[tokio::test]
async fn rules_r1_and_r10_what_is_no_callback_is_turned_away() {
    let flow = Flow::begin().await;
    let (host, query) = (flow.host(), flow.query.clone());
    let port = flow.redirect.port().unwrap();
    for (request, expected) in [
        (
            format!("POST /callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "405",
        ),
        (
            format!("HEAD /callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "405",
        ),
        (
            format!("GET /favicon.ico HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "404",
        ),
        (
            format!("GET /cancel HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "404",
        ),
        (
            format!("GET /callback/?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "404",
        ),
        (
            format!("GET /x/../callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "404",
        ),
        (
            format!("GET /callback?{query} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
            "400",
        ),
        (
            format!("GET /callback?{query} HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
            "400",
        ),
        (
            format!("GET /callback?{query} HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"),
            "400",
        ),
        (format!("GET /callback?{query} HTTP/1.0\r\n\r\n"), "400"),
        (
            format!("GET //callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "404",
        ),
        (
            format!("get /callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "405",
        ),
        (
            format!("OPTIONS /callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            "405",
        ),
        (
            format!("GET /callback?{query} HTTP/1.1\r\nHost: \r\n\r\n"),
            "400",
        ),
        ("\r\n\r\n".to_owned(), "405"),
        ("\0\u{7f}\r\n\r\n".to_owned(), "405"),
    ] {
        let answer = flow.send(request.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{request}");
    }
    flow.end().await;
}

#[tokio::test]
async fn rule_r3_parameters_given_twice_are_refused() {
    let flow = Flow::begin().await;
    for forged in [
        format!("{}&code=another", flow.query),
        format!("{}&state=another", flow.query),
        format!("{}&error=access_denied", flow.query),
        format!("{}&iss=a&iss=b", flow.query),
    ] {
        assert_eq!(status(&flow.get(&forged).await), "400");
    }
    flow.end().await;
}

#[tokio::test]
async fn rule_r4_the_right_state_with_a_wrong_iss_changes_nothing() {
    let flow = Flow::begin().await;
    let forged = format!("{}&iss=https%3A%2F%2Fevil.example", flow.query);
    assert_eq!(status(&flow.get(&forged).await), "400");
    flow.end().await;
}

#[tokio::test]
async fn a_request_in_pieces_is_put_together() {
    let flow = Flow::begin().await;
    let request = get(&flow.host(), "code=x&state=y", "");
    let mut stream = flow.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in request.as_bytes() {
        stream.write_all(&[*byte]).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), "400");
    flow.end().await;
}

#[tokio::test]
async fn a_second_program_racing_the_browser_loses() {
    let flow = Flow::begin().await;
    let (host, mut racers) = (flow.host(), Vec::new());
    for _ in 0..20 {
        let stream = flow.connect().await;
        let request = get(&host, "code=forged&state=forged", "");
        racers.push(tokio::spawn(async move {
            exchange(stream, request.as_bytes()).await
        }));
    }
    flow.end().await;
    for racer in racers {
        assert!(matches!(status(&racer.await.unwrap()), "400" | "closed"));
    }
}

#[tokio::test]
async fn rule_r6_the_same_response_twice_is_exchanged_once() {
    let flow = Flow::begin().await;
    let second = tokio::spawn(exchange_owned(
        flow.connect().await,
        get(&flow.host(), &flow.query, &flow.cookie),
    ));
    let token_requests = flow.harness.posthog.count("/oauth/token");
    assert_eq!(token_requests, 0);
    flow.end().await;
    drop(second.await.unwrap());
}

async fn exchange_owned(stream: TcpStream, request: String) -> String {
    exchange(stream, request.as_bytes()).await
}
