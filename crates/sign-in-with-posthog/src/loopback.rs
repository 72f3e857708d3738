//! A one-shot listener on 127.0.0.1 for the browser's response.
//!
//! It listens for one sign-in. A request with a wrong path, method, `Host` or `state`, or from another browser than the
//! one that began, is refused and the listener keeps listening, so that neither a favicon nor another user of this
//! machine can end the flow. The browser begins at `/start/…` ([`Attempt::start_url`]), which sets the cookie that
//! `/callback` requires and redirects to PostHog. The last page is sent after the exchange, when the outcome is known.
//! There is no address to cancel: dropping the listener cancels. (Rules R1, R2 and R10.)

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

use crate::attempt::{ATTEMPT_SECONDS, Attempt};
use crate::browser::Start;
use crate::callback::{AuthorizationResponse, CallbackError};
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
    /// The outcome of a sign-in, for the browser that brought the response.
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

/// How the pages of the listener look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// CSS after the built-in one. It must not contain `</style`.
    pub style: String,
    /// An SVG element in place of the tick or the exclamation mark. It is not escaped.
    pub mark: Option<String>,
}

/// A listener that is bound and not yet waiting. Its redirect address is known once it is bound.
#[derive(Debug)]
pub struct LoopbackListener {
    listener: TcpListener,
    address: SocketAddr,
    look: Arc<Look>,
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
    /// Binds a free port of 127.0.0.1, or of `[::1]` on a system without IPv4.
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
        Ok(Self {
            listener,
            address,
            look: Arc::default(),
        })
    }

    /// Gives the pages the look of a program.
    #[must_use]
    pub fn with_look(mut self, look: Look) -> Self {
        self.look = Arc::new(look);
        self
    }

    /// The redirect address of this listener, with the literal IP address (RFC 8252, section 7.3).
    pub fn redirect_uri(&self) -> Url {
        let address = format!("http://{}/callback", self.address);
        Url::parse(&address).expect("a socket address makes a URL")
    }

    /// Serves the start addresses of `attempt` and waits for the response that belongs to it. Returns `None` after
    /// ten minutes.
    pub async fn wait(self, attempt: &Attempt) -> Option<Arrival> {
        let Self {
            listener,
            address,
            look,
        } = self;
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
                Some(response) = receiver.recv() => {
                    return Some(Arrival { response, page, connections });
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
                        tracing::debug!("a connection of another user was refused");
                        continue;
                    }
                    let visit = Visit {
                        address,
                        look: Arc::clone(&look),
                        attempt: attempt.clone(),
                        arrived: sender.clone(),
                        outcome: outcome.clone(),
                    };
                    let task = connections.spawn(visit.serve(stream));
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

/// One connection of a browser, and what is needed to respond to it.
struct Visit {
    address: SocketAddr,
    look: Arc<Look>,
    attempt: Attempt,
    arrived: mpsc::Sender<AuthorizationResponse>,
    outcome: watch::Receiver<Option<Page>>,
}

impl Visit {
    async fn serve(mut self, mut stream: TcpStream) {
        let head = tokio::select! {
            head = tokio::time::timeout(HEAD_TIME, read_head(&mut stream)) => head,
            // The sign-in has ended elsewhere; an idle connection need not be waited for.
            _ = self.outcome.changed() => return,
        };
        let answer = match head {
            Ok(Ok(Some(head))) => match route(&head, self.address) {
                Ok(BrowserRequest::Start { id, cookies }) => self.start(&id, &cookies),
                Ok(BrowserRequest::Callback { response, cookies }) => {
                    self.take(response, &cookies).await
                }
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

    /// Sends the browser on to PostHog, with the cookie that it has to bring back.
    fn start(&self, id: &str, cookies: &[String]) -> String {
        match self.attempt.browser().start(id, &borrowed(cookies)) {
            Start::GoOn(cookies) => {
                let mut headers = format!("Location: {}\r\n", self.attempt.authorization_url());
                for cookie in cookies {
                    headers.extend(["Set-Cookie: ", &cookie, "\r\n"]);
                }
                answer("302 Found", &headers, "text/plain; charset=utf-8", "")
            }
            Start::Contested => {
                let page = Page {
                    title: "This address has already been opened".to_owned(),
                    text: "A sign-in address works in one browser only. If you did not open it before, \
                           somebody else on this device did, and gained nothing. Open the address that the \
                           terminal shows, or start again."
                        .to_owned(),
                    success: false,
                };
                self.html("409 Conflict", "", "", &page)
            }
            Start::Unknown => plain("404 Not Found"),
        }
    }

    /// Whether the response is the one; if so, waits for the page.
    async fn take(&mut self, response: AuthorizationResponse, cookies: &[String]) -> String {
        match self
            .attempt
            .accepts_from_browser(&response, &borrowed(cookies))
        {
            Ok(()) => {}
            Err(error @ CallbackError::OtherBrowser) => {
                tracing::debug!(%error, "a callback was refused");
                let page = Page {
                    title: "One more step".to_owned(),
                    text: "This browser did not begin the sign-in. If you did, with the address that is \
                           meant for another device, copy the address of this page and paste it into the \
                           terminal."
                        .to_owned(),
                    success: false,
                };
                return self.html("400 Bad Request", "", "", &page);
            }
            Err(error) => {
                tracing::debug!(%error, "a callback was refused");
                return plain("400 Bad Request");
            }
        }
        // A second one, from a reload, gets the page of the first.
        drop(self.arrived.try_send(response));
        let page = match self.outcome.wait_for(Option::is_some).await {
            Ok(page) => page.clone(),
            Err(_) => None,
        };
        let Some(page) = page else {
            return plain("400 Bad Request");
        };
        let headers = format!("Set-Cookie: {}\r\n", self.attempt.farewell_cookie());
        let script = format!("<script>{CLEAN_ADDRESS}</script>");
        self.html("200 OK", &headers, &script, &page)
    }

    /// Rule R9: static, escaped, cached nowhere, loading nothing.
    fn html(&self, status: &str, headers: &str, head: &str, page: &Page) -> String {
        let (title, text) = (escape(&page.title), escape(&page.text));
        let mark = match (&self.look.mark, page.success) {
            (Some(mark), _) => mark,
            (None, true) => "✓",
            (None, false) => "!",
        };
        let style = &self.look.style;
        let body = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title><style>{STYLE}{style}</style>{head}</head>\
             <body><main><div class=\"mark\" aria-hidden=\"true\">{mark}</div>\
             <h1>{title}</h1><p>{text}</p></main></body></html>",
        );
        answer(status, headers, "text/html; charset=utf-8", &body)
    }
}

fn borrowed(cookies: &[String]) -> Vec<&str> {
    cookies.iter().map(String::as_str).collect()
}

/// Reads up to the empty line. `None` if the head is too long.
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

/// A request that is responded to.
pub(crate) enum BrowserRequest {
    /// A start address, by its last segment.
    Start { id: String, cookies: Vec<String> },
    /// The redirect address.
    Callback {
        response: AuthorizationResponse,
        cookies: Vec<String>,
    },
}

/// Rule R1: GET, the exact path, the exact Host; then the query.
pub(crate) fn route(head: &str, address: SocketAddr) -> Result<BrowserRequest, &'static str> {
    let mut lines = head.split("\r\n");
    let mut request = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (request.next(), request.next().unwrap_or_default());
    if method != Some("GET") {
        return Err("405 Method Not Allowed");
    }
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let all = |wanted: &'static str| {
        headers
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim())
    };
    let mut hosts = all("host");
    if hosts.next() != Some(address.to_string().as_str()) || hosts.next().is_some() {
        return Err("400 Bad Request");
    }
    let cookies = all("cookie").map(ToOwned::to_owned).collect();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if let Some(id) = path.strip_prefix("/start/") {
        let id = id.to_owned();
        return Ok(BrowserRequest::Start { id, cookies });
    }
    if path != "/callback" {
        return Err("404 Not Found");
    }
    let response = AuthorizationResponse::parse_query(query).map_err(|_| "400 Bad Request")?;
    Ok(BrowserRequest::Callback { response, cookies })
}

fn plain(status: &str) -> String {
    answer(status, "", "text/plain; charset=utf-8", status)
}

/// Takes the code out of the address that the browser shows and remembers.
const CLEAN_ADDRESS: &str = "history.replaceState(null,'','/')";

/// The built-in look.
const STYLE: &str = include_str!("loopback.css");

fn answer(status: &str, headers: &str, content_type: &str, body: &str) -> String {
    let script = digest::digest(&digest::SHA256, CLEAN_ADDRESS.as_bytes());
    let script = STANDARD.encode(script);
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Type: {content_type}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
         X-Frame-Options: DENY\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
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
