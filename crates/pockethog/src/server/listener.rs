//! Connections to the page server, bounded in number and in idle time.
//!
//! Any program of this machine can connect. One that opens connections and says nothing must not keep the
//! browser out: a connection that is idle for too long is closed, and where there are too many, the oldest
//! makes room: a page whose stream was cut opens another one by itself.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// Connections at a time. A browser opens six to a host, and one stream per page.
const MOST: usize = 256;

/// How long a connection may be silent: longer than the heartbeat of a stream.
const IDLE: Duration = Duration::from_secs(60);

/// A listener with bounds.
#[derive(Debug)]
pub struct Bounded {
    listener: TcpListener,
    open: VecDeque<Arc<Eviction>>,
}

/// Ends a connection from outside.
#[derive(Debug, Default)]
struct Eviction {
    over: AtomicBool,
    end: Notify,
}

impl Bounded {
    /// Bounds what `listener` accepts.
    pub fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            open: VecDeque::new(),
        }
    }
}

impl Listener for Bounded {
    type Io = Bound;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Bound, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Without it a small answer waits for an acknowledgement.
        stream.set_nodelay(true).ok();
        self.open.retain(|open| !open.over.load(Ordering::Relaxed));
        if self.open.len() >= MOST
            && let Some(oldest) = self.open.pop_front()
        {
            oldest.end.notify_one();
        }
        let eviction = Arc::new(Eviction::default());
        self.open.push_back(Arc::clone(&eviction));
        (Bound::new(stream, eviction), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection.
pub struct Bound {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    evicted: Pin<Box<dyn Future<Output = ()> + Send>>,
    eviction: Arc<Eviction>,
    over: bool,
}

impl Bound {
    fn new(stream: TcpStream, eviction: Arc<Eviction>) -> Self {
        let end = Arc::clone(&eviction);
        Self {
            stream,
            idle: Box::pin(tokio::time::sleep(IDLE)),
            evicted: Box::pin(async move { end.end.notified().await }),
            eviction,
            over: false,
        }
    }

    fn heard(&mut self) {
        self.idle.as_mut().reset(Instant::now() + IDLE);
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.eviction.over.store(true, Ordering::Relaxed);
    }
}

impl AsyncRead for Bound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.heard();
            return read;
        }
        self.over = self.over
            || self.idle.as_mut().poll(context).is_ready()
            || self.evicted.as_mut().poll(context).is_ready();
        if self.over {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Bound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.heard();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        if written.is_ready() {
            self.heard();
        }
        written
    }
}
