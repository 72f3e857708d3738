//! Connections that can be counted, and cut in the middle of a response.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::region::Region;

/// The listener of a region.
pub(crate) struct CountingListener {
    listener: TcpListener,
    region: Arc<Region>,
}

impl CountingListener {
    pub(crate) fn new(listener: TcpListener, region: Arc<Region>) -> Self {
        Self { listener, region }
    }
}

impl Listener for CountingListener {
    type Io = FaultyStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (FaultyStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        self.region
            .counting
            .change(|counters| counters.connections += 1);
        let wire = FaultyStream {
            stream,
            cut: CutHandle::default(),
        };
        (wire, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// How a connection ends before its response is complete.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Open,
    /// After this many bytes of the body.
    InBody(usize),
    Closed,
}

/// Cuts the connection that a request came by.
#[derive(Clone, Debug, Default)]
pub(crate) struct CutHandle(Arc<Mutex<State>>);

impl CutHandle {
    /// No more bytes of the response are sent.
    pub(crate) fn now(&self) {
        self.set(State::Closed);
    }

    /// The head of the response and this many bytes of its body are still sent.
    pub(crate) fn in_body(&self, bytes: usize) {
        self.set(State::InBody(bytes));
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// How much of `bytes` may leave.
    fn admit(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Open => Ok(bytes.len()),
            State::Closed => Err(io::ErrorKind::ConnectionReset.into()),
            State::InBody(more) => {
                let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
                *state = State::Closed;
                Ok(head.map_or(more, |at| at + 4 + more).min(bytes.len()))
            }
        }
    }
}

impl Connected<IncomingStream<'_, CountingListener>> for CutHandle {
    fn connect_info(stream: IncomingStream<'_, CountingListener>) -> Self {
        stream.io().cut.clone()
    }
}

/// A connection.
pub(crate) struct FaultyStream {
    stream: TcpStream,
    cut: CutHandle,
}

impl AsyncRead for FaultyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for FaultyStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let admitted = self.cut.admit(bytes)?;
        Pin::new(&mut self.stream).poll_write(context, bytes.get(..admitted).unwrap_or(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
