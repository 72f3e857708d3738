//! Connections to the page server: who owns them, how many there may be, and how long they may be idle.
//!
//! Every program of this machine can connect. On Linux the connections of other users are closed before
//! anything is read from them. One that opens connections and says nothing, or never reads its answers, must not
//! keep the browser out: a connection that makes no progress is closed after a while, and if there are too many,
//! those make room first that never had a cookie, then idle ones of the owner's browser, and its event streams
//! never.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use sign_in_with_posthog::Peer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use super::lock::lock;
use super::secret::Digest;

/// Connections at a time. A browser opens six to a host.
const MOST: usize = 256;

/// How long a connection may make no progress: longer than the heartbeat of a stream.
const IDLE: Duration = Duration::from_secs(60);

/// What another user's program is answered, whatever it asks.
const NOT_YOURS: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain; charset=utf-8\r\n\
    cache-control: no-store\r\nconnection: close\r\n\r\n\
    PocketHog only answers programs of the user who started it.\n";

/// How long that answer may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// A listener with bounds.
#[derive(Debug)]
pub struct Bounded {
    listener: TcpListener,
    clients: Arc<Clients>,
}

/// The open connections, the oldest first.
#[derive(Debug, Default)]
pub struct Clients(Mutex<Vec<Client>>);

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Client(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    local: SocketAddr,
    remote: SocketAddr,
    peer: Peer,
    standing: Mutex<Standing>,
    over: AtomicBool,
    end: Notify,
}

/// What is known of the program at the other end, in the order in which they make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has shown no cookie.
    Stranger,
    /// It has the cookie of this session.
    Admitted(Digest),
    /// It follows an event stream of this session.
    Streaming(Digest),
}

impl Bounded {
    /// Bounds what `listener` accepts.
    pub fn new(listener: TcpListener, clients: Arc<Clients>) -> Self {
        Self { listener, clients }
    }
}

impl Listener for Bounded {
    type Io = Bound<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, remote) = Listener::accept(&mut self.listener).await;
            let Ok(local) = stream.local_addr() else {
                continue;
            };
            let peer = tokio::task::spawn_blocking(move || Peer::of(local, remote)).await;
            let peer = peer.unwrap_or(Peer::Other);
            if peer == Peer::Other {
                tokio::spawn(turn_away(stream));
                continue;
            }
            // Without it a small answer waits for an acknowledgement.
            stream.set_nodelay(true).ok();
            let client = Client::new(local, remote, peer);
            if self.clients.take(client.clone()) {
                return (Bound::new(stream, client, IDLE), remote);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn turn_away(mut stream: TcpStream) {
    let answer = async {
        stream.write_all(NOT_YOURS).await?;
        stream.shutdown().await
    };
    if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, answer).await {
        tracing::debug!(%error, "another user's program disconnected before it got an answer");
    }
}

impl Clients {
    /// Takes one in; an older one makes room if there are too many. False if none can.
    fn take(&self, client: Client) -> bool {
        let mut open = lock(&self.0);
        open.retain(|open| !open.0.over.load(Ordering::Relaxed));
        if open.len() >= MOST {
            let standings = open.iter().map(|open| *lock(&open.0.standing));
            let Some(place) = to_end(standings) else {
                return false;
            };
            open.remove(place).end();
        }
        open.push(client);
        true
    }

    /// Ends every connection of a session.
    pub fn end_session(&self, session: Digest) {
        for open in lock(&self.0).iter() {
            let standing = *lock(&open.0.standing);
            if matches!(standing, Standing::Admitted(of) | Standing::Streaming(of) if of == session)
            {
                open.end();
            }
        }
    }
}

/// Which of too many connections makes room, the oldest being the first.
fn to_end(standings: impl Iterator<Item = Standing>) -> Option<usize> {
    let mut of_owner = None;
    for (place, standing) in standings.enumerate() {
        match standing {
            Standing::Stranger => return Some(place),
            Standing::Admitted(_) => of_owner = of_owner.or(Some(place)),
            Standing::Streaming(_) => {}
        }
    }
    of_owner
}

impl Client {
    fn new(local: SocketAddr, remote: SocketAddr, peer: Peer) -> Self {
        Self(Arc::new(Connection {
            local,
            remote,
            peer,
            standing: Mutex::new(Standing::Stranger),
            over: AtomicBool::new(false),
            end: Notify::new(),
        }))
    }

    /// Whose program it was when it connected.
    pub fn peer(&self) -> Peer {
        self.0.peer
    }

    /// Whose program it is now. Reads files of the system.
    pub fn peer_now(&self) -> Peer {
        Peer::of(self.0.local, self.0.remote)
    }

    /// Notes that it has shown the cookie of `session`.
    pub fn admitted(&self, session: Digest) {
        *lock(&self.0.standing) = Standing::Admitted(session);
    }

    /// Notes that it follows an event stream.
    pub fn streams(&self) {
        let mut standing = lock(&self.0.standing);
        if let Standing::Admitted(session) = *standing {
            *standing = Standing::Streaming(session);
        }
    }

    fn end(&self) {
        self.0.over.store(true, Ordering::Relaxed);
        self.0.end.notify_one();
    }
}

impl Connected<IncomingStream<'_, Bounded>> for Client {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        stream.io().client.clone()
    }
}

/// One connection.
pub struct Bound<S> {
    stream: S,
    client: Client,
    patience: Duration,
    idle: Pin<Box<Sleep>>,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S> Bound<S> {
    fn new(stream: S, client: Client, patience: Duration) -> Self {
        let connection = Arc::clone(&client.0);
        Self {
            stream,
            client,
            patience,
            idle: Box::pin(tokio::time::sleep(patience)),
            ended: Box::pin(async move { connection.end.notified().await }),
        }
    }

    /// What the stream says, unless the connection has to end. Reading and writing alike: a program that
    /// never reads keeps the server in a write.
    fn within_bounds<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let over = &self.client.0.over;
        if !over.load(Ordering::Relaxed) {
            if polled.is_ready() {
                self.idle.as_mut().reset(Instant::now() + self.patience);
                return polled;
            }
            let overdue = self.idle.as_mut().poll(context).is_ready()
                || self.ended.as_mut().poll(context).is_ready();
            if !overdue {
                return Poll::Pending;
            }
            over.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S> Drop for Bound<S> {
    fn drop(&mut self) {
        self.client.0.over.store(true, Ordering::Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.within_bounds(context, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within_bounds(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            // Nothing to flush is no progress.
            Poll::Ready(flushed) => Poll::Ready(flushed),
            Poll::Pending => self.within_bounds(context, Poll::Pending),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Ready(shut) => Poll::Ready(shut),
            Poll::Pending => self.within_bounds(context, Poll::Pending),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.within_bounds(context, polled)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::AsyncReadExt;

    use super::*;

    const SOON: Duration = Duration::from_millis(30);

    fn client() -> Client {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        Client::new(nowhere, nowhere, Peer::Unknown)
    }

    #[tokio::test]
    async fn one_that_never_reads_its_answers_is_ended() {
        let (near, _far) = tokio::io::duplex(16);
        let mut bound = Bound::new(near, client(), SOON);
        let error = bound.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn one_that_says_nothing_is_ended() {
        let (near, _far) = tokio::io::duplex(16);
        let mut bound = Bound::new(near, client(), SOON);
        let error = bound.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn one_that_has_to_make_room_ends_in_the_middle_of_a_write() {
        let (near, _far) = tokio::io::duplex(16);
        let client = client();
        let mut bound = Bound::new(near, client.clone(), IDLE);
        let writing = tokio::spawn(async move { bound.write_all(&[0; 1000]).await });
        tokio::task::yield_now().await;
        client.end();
        assert!(writing.await.unwrap().is_err());
    }

    #[test]
    fn strangers_make_room_first_and_streams_of_the_owner_never() {
        let session = Digest::of("cookie");
        let (stranger, admitted, streaming) = (
            Standing::Stranger,
            Standing::Admitted(session),
            Standing::Streaming(session),
        );
        let to_end = |standings: &[Standing]| to_end(standings.iter().copied());
        assert_eq!(to_end(&[streaming, admitted, stranger, stranger]), Some(2));
        assert_eq!(to_end(&[streaming, admitted, admitted]), Some(1));
        assert_eq!(to_end(&[streaming, streaming]), None);
    }

    #[test]
    fn a_full_house_of_streams_takes_nobody_in_and_ends_nobody() {
        let clients = Clients::default();
        let streams: Vec<Client> = (0..MOST).map(|_| client()).collect();
        for stream in &streams {
            stream.admitted(Digest::of("cookie"));
            stream.streams();
            assert!(clients.take(stream.clone()));
        }
        assert!(!clients.take(client()));
        assert!(
            streams
                .iter()
                .all(|stream| !stream.0.over.load(Ordering::Relaxed))
        );
        clients.end_session(Digest::of("another"));
        assert!(
            streams
                .iter()
                .all(|stream| !stream.0.over.load(Ordering::Relaxed))
        );
        clients.end_session(Digest::of("cookie"));
        assert!(clients.take(client()));
    }
}
