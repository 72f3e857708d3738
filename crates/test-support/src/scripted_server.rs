//! An HTTP server on loopback that answers as a test says, and can refuse, hang, cut, drip or never end below HTTP.
//!
//! One thread per connection and one request per connection, so that the number of connections is the number of
//! requests, and a script may block.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

/// How long a connection is left hanging; far longer than the tests' clients wait.
const HANG: Duration = Duration::from_secs(3);

/// The time between two bytes of a body that drips.
const DRIP: Duration = Duration::from_millis(20);

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// The query, without its question mark.
    pub query: String,
    /// The token of an `Authorization: Bearer` header.
    pub bearer: Option<String>,
    /// The body as text.
    pub body: String,
    /// How many requests arrived before it.
    pub number: usize,
    head: String,
}

impl Request {
    /// A parameter of the form, or of the query.
    pub fn field(&self, name: &str) -> Option<String> {
        let text = if self.body.is_empty() {
            &self.query
        } else {
            &self.body
        };
        url::form_urlencoded::parse(text.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// A header by its name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The body as JSON; `null` if it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// What goes back over the connection.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A response.
    Response(Response),
    /// Nothing: the connection is closed.
    Close,
    /// Nothing: the connection stays open.
    Hang,
    /// The head and half of the body.
    Half(Response),
    /// This status, and a body that never ends.
    Endless(u16),
    /// The head, and a byte of the body now and then, without end.
    Dripping(u16),
    /// The response after this time, once the function has been called.
    Later(Duration, Response, OnSend),
    /// Nothing until the gate opens, then the response.
    Gated(Gate, Response),
}

/// What a test does when a response is sent.
#[derive(Clone)]
pub struct OnSend(Arc<dyn Fn() + Send + Sync>);

impl OnSend {
    /// Calls this function.
    pub fn call(function: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }
}

impl std::fmt::Debug for OnSend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnSend")
    }
}

/// A response with its body.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers but for the body's length.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Response {
    /// One with a body of JSON.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "application/json".into())],
            body: body.to_string(),
        }
    }

    /// One that a proxy or a web application sends: a page.
    pub fn html(status: u16) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "text/html".into())],
            body: "<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1>".into(),
        }
    }

    /// PostHog's form of an error.
    pub fn refusal(status: u16, code: &str, detail: &str) -> Self {
        let body = serde_json::json!({
            "type": "server_error", "code": code, "detail": detail, "attr": null
        });
        Self::json(status, &body)
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// Holds requests back, so that a test sees how many come at once.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<GateState>);

#[derive(Debug)]
struct GateState {
    waiting: watch::Sender<usize>,
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Default for GateState {
    fn default() -> Self {
        Self {
            waiting: watch::Sender::new(0),
            is_open: Mutex::new(false),
            opened: Condvar::new(),
        }
    }
}

impl Gate {
    /// Lets all requests through, those that come later too.
    pub fn open(&self) {
        *self.0.is_open.lock().unwrap() = true;
        self.0.opened.notify_all();
    }

    /// Returns once `count` requests wait.
    pub async fn has(&self, count: usize) {
        let mut waiting = self.0.waiting.subscribe();
        waiting.wait_for(|&waiting| waiting >= count).await.unwrap();
    }

    /// How many requests wait now.
    pub fn waiting(&self) -> usize {
        *self.0.waiting.borrow()
    }

    fn pass(&self) {
        self.0.waiting.send_modify(|waiting| *waiting += 1);
        let is_open = self.0.is_open.lock().unwrap();
        drop(self.0.opened.wait_while(is_open, |open| !*open).unwrap());
        self.0.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

type Script = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// The server; it stops with the value.
pub struct ScriptedServer {
    address: SocketAddr,
    service: Service,
    running: Mutex<Option<Running>>,
}

/// What a connection needs.
#[derive(Clone)]
struct Service {
    script: Script,
    tls: Option<Arc<rustls::ServerConfig>>,
    seen: Arc<Mutex<Vec<Request>>>,
}

struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl ScriptedServer {
    /// Starts a server without TLS.
    pub fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at(None, |_| script)
    }

    /// Starts a server, with TLS if there is a configuration, whose script knows its address.
    pub fn start_at<S>(
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl FnOnce(SocketAddr) -> S,
    ) -> Self
    where
        S: Fn(&Request) -> Reply + Send + Sync + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self {
            address,
            service: Service {
                script: Arc::new(script(address)),
                tls,
                seen: Arc::default(),
            },
            running: Mutex::new(None),
        };
        server.run(listener);
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its origin: `http://127.0.0.1:PORT`.
    pub fn base(&self) -> String {
        let scheme = if self.service.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Request> {
        self.service.seen.lock().unwrap().clone()
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.service.seen.lock().unwrap().len()
    }

    /// Connections are refused from now on.
    pub fn unplug(&self) {
        if let Some(Running { stop, thread }) = self.running.lock().unwrap().take() {
            stop.store(true, Ordering::SeqCst);
            drop(TcpStream::connect(self.address));
            thread.join().unwrap();
        }
    }

    /// Serves again, at the same address.
    pub fn plug_in(&self) {
        self.run(TcpListener::bind(self.address).unwrap());
    }

    fn run(&self, listener: TcpListener) {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, service) = (Arc::clone(&stop), self.service.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let service = service.clone();
                let Ok(stream) = stream else { continue };
                std::thread::spawn(move || {
                    // A client that goes away early is a part of some tests.
                    drop(match service.tls.clone() {
                        None => service.serve(stream),
                        Some(tls) => rustls::ServerConnection::new(tls)
                            .map_err(io::Error::other)
                            .and_then(|tls| service.serve(rustls::StreamOwned::new(tls, stream))),
                    });
                });
            }
        });
        *self.running.lock().unwrap() = Some(Running { stop, thread });
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.unplug();
    }
}

impl Service {
    fn serve(&self, mut stream: impl Read + Write) -> io::Result<()> {
        let Some(mut request) = read(&mut stream)? else {
            return Ok(());
        };
        {
            let mut seen = self.seen.lock().unwrap();
            request.number = seen.len();
            seen.push(request.clone());
        }
        match (self.script)(&request) {
            Reply::Close => return Ok(()),
            Reply::Hang => std::thread::sleep(HANG),
            Reply::Response(response) => write(&mut stream, &response, response.body.len())?,
            Reply::Half(response) => write(&mut stream, &response, response.body.len() / 2)?,
            Reply::Gated(gate, response) => {
                gate.pass();
                write(&mut stream, &response, response.body.len())?;
            }
            Reply::Later(time, response, on_send) => {
                std::thread::sleep(time);
                (on_send.0)();
                write(&mut stream, &response, response.body.len())?;
            }
            Reply::Dripping(status) => loop_body(&mut stream, status, b" ", DRIP)?,
            Reply::Endless(status) => {
                loop_body(&mut stream, status, &vec![b' '; 256 * 1024], Duration::ZERO)?;
            }
        }
        stream.flush()
    }
}

/// A body without a length, until the client goes away.
fn loop_body(
    stream: &mut impl Write,
    status: u16,
    piece: &[u8],
    pause: Duration,
) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n")?;
    loop {
        std::thread::sleep(pause);
        stream.write_all(piece)?;
        stream.flush()?;
    }
}

/// The head, which promises the whole body, and the first `length` bytes of the body.
fn write(stream: &mut impl Write, response: &Response, length: usize) -> io::Result<()> {
    let headers: String = response
        .headers
        .iter()
        .map(|(name, value)| [name, ": ", value, "\r\n"].concat())
        .collect();
    write!(
        stream,
        "HTTP/1.1 {} X\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        response.status,
        response.body.len(),
    )?;
    stream.write_all(&response.body.as_bytes()[..length])
}

fn read(stream: &mut impl Read) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length: usize = header(&head, "content-length").map_or(0, |value| value.parse().unwrap());
    while bytes.len() < end + 4 + length {
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let bearer = header(&head, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    Ok(Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        bearer: bearer.map(ToOwned::to_owned),
        body: String::from_utf8_lossy(&bytes[end + 4..]).into_owned(),
        number: 0,
        head,
    }))
}

fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.trim())
}
