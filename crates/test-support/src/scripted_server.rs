//! An HTTP server that can misbehave below HTTP: refuse, hang, cut an answer, answer without end.
//!
//! One thread per connection, one request per connection, loopback only.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a connection is left hanging; far longer than the tests' clients wait.
const HANG: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub struct Request {
    pub method: String,
    /// Without the trailing slash.
    pub path: String,
    pub query: String,
    /// The token of an `Authorization: Bearer` header.
    pub bearer: Option<String>,
    /// The whole `Authorization` header.
    pub authorization: Option<String>,
    pub body: String,
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
}

/// What goes back over the wire.
#[derive(Clone, Debug)]
pub enum Wire {
    Answer(Answer),
    /// Nothing: the connection is closed.
    Close,
    /// Nothing: the connection stays open.
    Hang,
    /// The head and half of the body.
    Half(Answer),
    /// A body that never ends.
    Endless,
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
            body: "<!doctype html><title>Not what you asked for</title>".into(),
        }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Handler = Arc<dyn Fn(Request) -> Wire + Send + Sync>;

/// The server; it stops with the value.
pub struct Server {
    address: SocketAddr,
    handler: Handler,
    tls: Option<Arc<rustls::ServerConfig>>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Server {
    pub fn start(
        tls: Option<Arc<rustls::ServerConfig>>,
        handler: impl FnOnce(SocketAddr) -> Handler,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self {
            address,
            handler: handler(address),
            tls,
            running: Mutex::new(None),
        };
        server.run(listener);
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
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
        let (stopped, handler, tls) = (stop.clone(), self.handler.clone(), self.tls.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (handler, tls) = (handler.clone(), tls.clone());
                let Ok(stream) = stream else { continue };
                std::thread::spawn(move || {
                    // A client that goes away in the middle is part of the game.
                    drop(match tls {
                        None => serve(stream, &handler),
                        Some(tls) => rustls::ServerConnection::new(tls)
                            .map_err(io::Error::other)
                            .and_then(|tls| serve(rustls::StreamOwned::new(tls, stream), &handler)),
                    });
                });
            }
        });
        *self.running.lock().unwrap() = Some(Running { stop, thread });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.unplug();
    }
}

fn serve(mut stream: impl Read + Write, handler: &Handler) -> io::Result<()> {
    let Some(request) = read(&mut stream)? else {
        return Ok(());
    };
    match handler(request) {
        Wire::Close => {}
        Wire::Hang => std::thread::sleep(HANG),
        Wire::Answer(answer) => {
            write_head(&mut stream, &answer)?;
            stream.write_all(answer.body.as_bytes())?;
        }
        Wire::Half(answer) => {
            write_head(&mut stream, &answer)?;
            stream.write_all(&answer.body.as_bytes()[..answer.body.len() / 2])?;
        }
        Wire::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            for _ in 0..1024 {
                stream.write_all(&[b' '; 1024])?;
            }
        }
    }
    stream.flush()
}

fn write_head(stream: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let headers: String = answer
        .headers
        .iter()
        .map(|(name, value)| [name, ": ", value, "\r\n"].concat())
        .collect();
    let head = format!(
        "HTTP/1.1 {} X\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        answer.status,
        answer.body.len(),
    );
    stream.write_all(head.as_bytes())
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
    let header = |wanted: &str| {
        head.lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length").map_or(0, |value| value.parse().unwrap());
    while bytes.len() < end + 4 + length {
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Some(Request {
        method: method.to_owned(),
        path: path.trim_end_matches('/').to_owned(),
        query: query.to_owned(),
        authorization: header("authorization"),
        bearer: header("authorization")
            .and_then(|value| value.strip_prefix("Bearer ").map(ToOwned::to_owned)),
        body: String::from_utf8_lossy(&bytes[end + 4..]).into_owned(),
    }))
}
