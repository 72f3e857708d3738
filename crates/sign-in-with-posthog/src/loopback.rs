//! A one-shot listener on 127.0.0.1 for the browser's response.
//!
//! It listens for one sign-in only and answers nobody else: a wrong path, method, `Host` or `state` is
//! turned away and the listener keeps listening, so that neither a favicon nor another user of this
//! machine can end the flow (rules R1 and R2). The page is sent after the exchange, so that it tells
//! the truth. There is no cancel address (rule R10): dropping the listener cancels.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

use crate::attempt::{ATTEMPT_SECONDS, Attempt};
use crate::callback::AuthorizationResponse;
use crate::connection::Connection;
use crate::peer::Peer;
use crate::sign_in::CompleteError;

/// Longest request head, in bytes (rule R8).
const LONGEST_HEAD: usize = 8 * 1024;

/// How long a request head may take (rule R8).
const HEAD_TIME: Duration = Duration::from_secs(5);

/// Connections at a time (rule R8): a browser opens a few idle ones.
const CONNECTIONS: usize = 8;

/// How long to wait after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long the last page may take to be sent.
const FAREWELL: Duration = Duration::from_secs(2);

/// The page that the browser shows in the end. Its text is escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Heading.
    pub title: String,
    /// One sentence below it.
    pub text: String,
    /// Whether the sign-in succeeded.
    pub success: bool,
}

impl Page {
    /// What became of a sign-in, for the browser that brought the response.
    pub fn of(result: &Result<Connection, CompleteError>) -> Self {
        match result {
            Ok(connection) => Self {
                title: "You are signed in".to_owned(),
                text: format!(
                    "Connected as {}. You can close this tab.",
                    connection.account.label()
                ),
                success: true,
            },
            Err(error) => Self {
                title: "You are not signed in".to_owned(),
                text: error.to_string(),
                success: false,
            },
        }
    }
}

/// A listener that is bound and not yet waiting (rule B5: bound first, addressed then).
#[derive(Debug)]
pub struct LoopbackListener {
    listener: TcpListener,
    address: SocketAddr,
}

/// The browser's response, with the browser still waiting for its page.
#[derive(Debug)]
pub struct Arrival {
    /// The response.
    pub response: AuthorizationResponse,
    page: watch::Sender<Option<Page>>,
    connections: JoinSet<()>,
}

impl LoopbackListener {
    /// Binds a free port of 127.0.0.1; of `[::1]` only where there is no IPv4 (rule B5).
    ///
    /// # Errors
    ///
    /// No loopback address could be bound.
    pub async fn bind() -> io::Result<Self> {
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await?,
        };
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The redirect address of this listener, with the literal address (rule B6).
    pub fn redirect_uri(&self) -> Url {
        let address = format!("http://{}/callback", self.address);
        Url::parse(&address).expect("a socket address makes a URL")
    }

    /// Waits for the response that belongs to `attempt`. `None` after ten minutes.
    pub async fn wait(self, attempt: &Attempt) -> Option<Arrival> {
        let Self { listener, address } = self;
        let (sender, mut receiver) = mpsc::channel(1);
        let (page, outcome) = watch::channel(None);
        let mut reading = VecDeque::new();
        let mut connections = JoinSet::new();
        let patience = Duration::from_secs(ATTEMPT_SECONDS.unsigned_abs());
        let give_up = tokio::time::sleep(patience);
        tokio::pin!(give_up);
        loop {
            tokio::select! {
                () = &mut give_up => return None,
                Some(answer) = receiver.recv() => {
                    let Question { response, verdict } = answer;
                    let accepted = attempt.accepts(&response);
                    if let Err(error) = &accepted {
                        tracing::debug!(%error, "a callback was turned away");
                    }
                    // The connection may have gone meanwhile; the response counts all the same.
                    let _ = verdict.send(accepted.is_ok());
                    if accepted.is_ok() {
                        return Some(Arrival { response, page, connections });
                    }
                }
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => {
                    let Ok((stream, remote)) = accepted else {
                        // Out of file descriptors, for example: not worth a busy loop.
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    };
                    // Another user of this machine has no part in the sign-in.
                    if Peer::of(address, remote) == Peer::Other {
                        tracing::debug!("a connection of another user was turned away");
                        continue;
                    }
                    let (sender, outcome) = (sender.clone(), outcome.clone());
                    let task = connections.spawn(serve(stream, address, sender, outcome));
                    reading.retain(|task: &AbortHandle| !task.is_finished());
                    reading.push_back(task);
                    // The oldest makes room. Nobody can keep the browser out by holding every place:
                    // the browser sends its request at once and is done with it.
                    if reading.len() > CONNECTIONS {
                        reading.pop_front().inspect(AbortHandle::abort);
                    }
                }
            }
        }
    }
}

impl Arrival {
    /// Sends the page to the browser and closes.
    pub async fn finish(mut self, page: Page) {
        self.page.send_replace(Some(page));
        // Idle connections see the closed channel and end too.
        let _ = tokio::time::timeout(FAREWELL, async {
            while self.connections.join_next().await.is_some() {}
        })
        .await;
    }
}

struct Question {
    response: AuthorizationResponse,
    verdict: tokio::sync::oneshot::Sender<bool>,
}

async fn serve(
    mut stream: TcpStream,
    address: SocketAddr,
    questions: mpsc::Sender<Question>,
    mut outcome: watch::Receiver<Option<Page>>,
) {
    let head = tokio::select! {
        head = tokio::time::timeout(HEAD_TIME, read_head(&mut stream)) => head,
        // The sign-in has ended elsewhere; an idle connection need not be waited for.
        _ = outcome.changed() => return,
    };
    let answer = match head {
        Ok(Ok(Some(head))) => match route(&head, address) {
            Ok(response) => ask(response, questions, &mut outcome).await,
            Err(status) => plain(status),
        },
        Ok(Ok(None)) => plain("431 Request Header Fields Too Large"),
        Ok(Err(_)) | Err(_) => return,
    };
    let sent = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, sent).await {
        tracing::debug!(%error, "the page was not sent");
    }
}

/// Whether the response is the one; if so, waits for the page.
async fn ask(
    response: AuthorizationResponse,
    questions: mpsc::Sender<Question>,
    outcome: &mut watch::Receiver<Option<Page>>,
) -> String {
    let (verdict, accepted) = tokio::sync::oneshot::channel();
    if questions
        .send(Question { response, verdict })
        .await
        .is_err()
        || !accepted.await.unwrap_or(false)
    {
        return plain("400 Bad Request");
    }
    match outcome.wait_for(Option::is_some).await {
        Ok(page) => page.as_ref().map_or_else(|| plain("400 Bad Request"), html),
        Err(_) => plain("400 Bad Request"),
    }
}

/// Reads up to the empty line. `None` where the head is too long.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&chunk[..read]);
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            head.truncate(end);
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
        if head.len() > LONGEST_HEAD {
            return Ok(None);
        }
    }
}

/// Rule R1: GET, the exact path, the exact Host; then the query.
pub(crate) fn route(
    head: &str,
    address: SocketAddr,
) -> Result<AuthorizationResponse, &'static str> {
    let mut lines = head.split("\r\n");
    let mut request = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (request.next(), request.next().unwrap_or_default());
    if method != Some("GET") {
        return Err("405 Method Not Allowed");
    }
    let mut hosts = lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.trim());
    if hosts.next() != Some(address.to_string().as_str()) || hosts.next().is_some() {
        return Err("400 Bad Request");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != "/callback" {
        return Err("404 Not Found");
    }
    AuthorizationResponse::parse_query(query).map_err(|_| "400 Bad Request")
}

fn plain(status: &str) -> String {
    answer(status, "text/plain; charset=utf-8", status)
}

/// Rule R9: static, escaped, cached nowhere, loading nothing.
fn html(page: &Page) -> String {
    let mark = if page.success { "✓" } else { "✕" };
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>:root{{color-scheme:light dark}}body{{font:17px/1.5 system-ui,sans-serif;display:grid;\
         place-items:center;min-height:90vh;margin:0;text-align:center}}main{{max-width:26rem;padding:1.5rem}}\
         p{{opacity:.75}}b{{font-size:2.5rem}}h1{{font-size:1.5rem;margin:.5rem 0}}</style>\
         <main><b aria-hidden=\"true\">{mark}</b><h1>{title}</h1><p>{text}</p></main></html>",
        title = escape(&page.title),
        text = escape(&page.text),
    );
    answer("200 OK", "text/html; charset=utf-8", &body)
}

fn answer(status: &str, content_type: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
        escaped
    })
}
