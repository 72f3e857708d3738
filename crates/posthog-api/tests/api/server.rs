//! An HTTP server on loopback that answers as a test says, and can cut, stall or never end an answer.
//!
//! One request per connection, so that the number of connections is the number of requests.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub bearer: Option<String>,
    pub accept: Option<String>,
    pub body: serde_json::Value,
    /// How many requests arrived before it.
    pub number: usize,
}

/// What goes back over the wire.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer(Answer),
    /// Nothing: the connection is closed.
    Close,
    /// The head and half of the body.
    Half(Answer),
    /// This status, and a body that never ends.
    Endless(u16),
    /// The head, and a byte of the body now and then, without end.
    Dripping(u16),
    /// The answer after this time, once this has been called.
    Later(Duration, Answer, Ending),
    /// Nothing until the gate opens, then the answer.
    Gated(Gate, Answer),
}

/// What a test does when an answer goes out.
#[derive(Clone)]
pub struct Ending(pub Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ending")
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Answer {
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "application/json".into())],
            body: body.to_string(),
        }
    }

    pub fn html(status: u16) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "text/html".into())],
            body: "<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1>".into(),
        }
    }

    /// PostHog's form of an error.
    pub fn refusal(status: u16, code: &str, detail: &str) -> Self {
        Self::json(
            status,
            &serde_json::json!({
                "type": "server_error", "code": code, "detail": detail, "attr": null
            }),
        )
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// Holds requests back, so that a test sees how many come at once.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<GateState>);

#[derive(Debug)]
struct GateState {
    waiting: tokio::sync::watch::Sender<usize>,
    open: tokio::sync::watch::Sender<bool>,
}

impl Default for GateState {
    fn default() -> Self {
        Self {
            waiting: tokio::sync::watch::Sender::new(0),
            open: tokio::sync::watch::Sender::new(false),
        }
    }
}

impl Gate {
    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    /// Returns once `count` requests wait.
    pub async fn has(&self, count: usize) {
        let mut waiting = self.0.waiting.subscribe();
        waiting.wait_for(|&waiting| waiting >= count).await.unwrap();
    }

    pub fn waiting(&self) -> usize {
        *self.0.waiting.borrow()
    }

    async fn pass(&self) {
        self.0.waiting.send_modify(|waiting| *waiting += 1);
        let mut open = self.0.open.subscribe();
        open.wait_for(|&open| open).await.unwrap();
        self.0.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;

pub struct Server {
    pub base: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                // A client that goes away is its own business.
                tokio::spawn(async move { drop(serve(stream, &*script, &log).await) });
            }
        });
        Self { base, seen }
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &Script,
    log: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let Some(mut request) = read(&mut stream).await? else {
        return Ok(());
    };
    {
        let mut log = log.lock().unwrap();
        request.number = log.len();
        log.push(request.clone());
    }
    match script(&request) {
        Reply::Close => {}
        Reply::Answer(answer) => write(&mut stream, &answer, answer.body.len()).await?,
        Reply::Half(answer) => write(&mut stream, &answer, answer.body.len() / 2).await?,
        Reply::Gated(gate, answer) => {
            gate.pass().await;
            write(&mut stream, &answer, answer.body.len()).await?;
        }
        Reply::Later(time, answer, ending) => {
            tokio::time::sleep(time).await;
            ending.0();
            write(&mut stream, &answer, answer.body.len()).await?;
        }
        Reply::Dripping(status) => {
            let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            let mut drips = tokio::time::interval(Duration::from_millis(20));
            loop {
                drips.tick().await;
                stream.write_all(b" ").await?;
            }
        }
        Reply::Endless(status) => {
            let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            let blanks = vec![b' '; 256 * 1024];
            loop {
                stream.write_all(&blanks).await?;
            }
        }
    }
    stream.shutdown().await
}

async fn write(stream: &mut TcpStream, answer: &Answer, length: usize) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    write!(head, "Content-Length: {}\r\n\r\n", answer.body.len()).unwrap();
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&answer.body.as_bytes()[..length]).await
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut chunk).await? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let header = |wanted: &str| {
        head.lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length").map_or(0, |value| value.parse().unwrap());
    while bytes.len() < end + 4 + length {
        match stream.read(&mut chunk).await? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        bearer: header("authorization")
            .and_then(|value| value.strip_prefix("Bearer ").map(ToOwned::to_owned)),
        accept: header("accept"),
        body: serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default(),
        number: 0,
    }))
}
