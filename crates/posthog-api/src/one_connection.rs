//! One connection to a Host that speaks HTTP/2, however many requests begin at once.
//!
//! The HTTP client learns from the first handshake whether a server speaks HTTP/2. Until then each request
//! dials for itself: a dozen queries at the start of a program are a dozen handshakes, of which one was
//! needed. Waiting for the first *answer* would cost a whole answer's time; waiting for the first *handshake*
//! costs nothing, since the others would have taken as long. So the first request to a Host dials, and the
//! others wait until it is known what is spoken there: with HTTP/2 they are given the one connection, with
//! HTTP/1.1 they all dial.
//!
//! The pool runs a dial beside its search for a connection, and lets the dial finish in a task of its own once
//! the search was faster. A dial finds out by the task-local name of its Host, which such a task does not have,
//! that it is no longer needed.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::Connection;
use tokio::sync::watch;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

/// How long the pool may take to hand a new connection to those who wait for it. It takes microseconds; after
/// this time the connection is taken for lost, and the next request dials.
const HAND_OVER: Duration = Duration::from_millis(250);

type BoxError = Box<dyn Error + Send + Sync>;

tokio::task_local! {
    static DIALLED_FOR: Arc<str>;
}

/// Runs a request, with the name of its Host for the dial that it may lead to.
pub(crate) async fn to_host<F: Future>(host: Arc<str>, request: F) -> F::Output {
    DIALLED_FOR.scope(host, request).await
}

/// A layer for the connector of a [`reqwest::Client`] whose requests are sent by [`Client`](crate::Client)s.
/// Other requests dial as ever.
#[derive(Clone, Debug, Default)]
pub struct OneConnection(Arc<Mutex<HashMap<Arc<str>, Arc<Dialling>>>>);

impl OneConnection {
    fn dialling(&self, host: &Arc<str>) -> Arc<Dialling> {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hosts.entry(Arc::clone(host)).or_default())
    }
}

impl<S> Layer<S> for OneConnection {
    type Service = Dialler<S>;

    fn layer(&self, inner: S) -> Dialler<S> {
        Dialler {
            inner,
            hosts: self.clone(),
        }
    }
}

/// A connector under [`OneConnection`].
#[derive(Clone, Debug)]
pub struct Dialler<S> {
    inner: S,
    hosts: OneConnection,
}

impl<S, R> Service<R> for Dialler<S>
where
    S: Service<R>,
    S::Response: Connection + Send + 'static,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let dial = self.inner.call(target);
        match DIALLED_FOR.try_with(|host| self.hosts.dialling(host)) {
            Ok(dialling) => Box::pin(dialling.take_turn(dial)),
            Err(_) => Box::pin(async move { dial.await.map_err(Into::into) }),
        }
    }
}

/// What is known of the connection to a Host.
#[derive(Debug, Default)]
struct Dialling(watch::Sender<Phase>);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Phase {
    /// Nothing, or the one who dialled gave up.
    #[default]
    Unknown,
    /// Somebody dials.
    UnderWay,
    /// The last dial failed.
    Failed,
    /// It does not speak HTTP/2: a connection serves one request at a time.
    Http1,
    /// It speaks HTTP/2, and a connection was made at that time.
    Http2(Instant),
}

/// What a dial has to do.
enum Turn {
    Dial,
    DialAsFirst(First),
    Wait,
    WaitForPool(Duration),
}

/// The one dial that others wait for. Dropped early, it lets the next one try.
struct First(Arc<Dialling>);

impl First {
    fn ended(self, phase: Phase) {
        self.0.0.send_replace(phase);
    }
}

impl Drop for First {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|phase| {
            let given_up = *phase == Phase::UnderWay;
            if given_up {
                *phase = Phase::Unknown;
            }
            given_up
        });
    }
}

impl Dialling {
    fn turn(self: &Arc<Self>) -> Turn {
        let mut turn = Turn::Wait;
        self.0.send_if_modified(|phase| {
            match *phase {
                Phase::UnderWay => return false,
                Phase::Http1 => {
                    turn = Turn::Dial;
                    return false;
                }
                Phase::Http2(since) if since.elapsed() < HAND_OVER => {
                    turn = Turn::WaitForPool(HAND_OVER.saturating_sub(since.elapsed()));
                    return false;
                }
                Phase::Unknown | Phase::Failed | Phase::Http2(_) => {}
            }
            *phase = Phase::UnderWay;
            turn = Turn::DialAsFirst(First(Arc::clone(self)));
            true
        });
        turn
    }

    async fn take_turn<C, E>(
        self: Arc<Self>,
        dial: impl Future<Output = Result<C, E>>,
    ) -> Result<C, BoxError>
    where
        C: Connection,
        E: Into<BoxError>,
    {
        let mut phases = self.0.subscribe();
        loop {
            match self.turn() {
                Turn::Dial => return dial.await.map_err(Into::into),
                Turn::DialAsFirst(first) => {
                    let dialled = dial.await;
                    first.ended(match &dialled {
                        Ok(connection) if connection.connected().is_negotiated_h2() => {
                            Phase::Http2(Instant::now())
                        }
                        Ok(_) => Phase::Http1,
                        Err(_) => Phase::Failed,
                    });
                    return dialled.map_err(Into::into);
                }
                Turn::Wait => {
                    let ended = phases.wait_for(|phase| *phase != Phase::UnderWay).await;
                    // Behind a dial that failed they do not queue up: each finds out for itself.
                    if ended.is_ok_and(|phase| *phase == Phase::Failed) {
                        return dial.await.map_err(Into::into);
                    }
                }
                Turn::WaitForPool(rest) => tokio::time::sleep(rest).await,
            }
            if DIALLED_FOR.try_with(|_| ()).is_err() {
                return Err(Box::new(NotNeeded));
            }
        }
    }
}

/// The request that a dial was for has got the connection of another.
#[derive(Debug)]
struct NotNeeded;

impl fmt::Display for NotNeeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request has a connection already")
    }
}

impl Error for NotNeeded {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::convert::Infallible;
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use http_body_util::Empty;
    use hyper::body::{Bytes, Incoming};
    use hyper::rt::{Read, ReadBufCursor, Write};
    use hyper::service::service_fn;
    use hyper::{Request, Response, Uri};
    use hyper_util::client::legacy::connect::Connected;
    use hyper_util::client::legacy::{Client, Error};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio::io::DuplexStream;

    use super::*;

    /// How long a dial and an answer take, on a clock that only moves when all wait.
    const DIAL: Duration = Duration::from_millis(30);
    const ANSWER: Duration = Duration::from_millis(100);

    type Pool = Client<Dialler<Server>, Empty<Bytes>>;

    /// A server in memory, and how often it was dialled.
    #[derive(Clone)]
    struct Server {
        speaks_http2: bool,
        /// So many dials fail first.
        fails: usize,
        dials: Arc<AtomicUsize>,
    }

    impl Server {
        fn new(speaks_http2: bool, fails: usize) -> Self {
            Self {
                speaks_http2,
                fails,
                dials: Arc::default(),
            }
        }

        fn dials(&self) -> usize {
            self.dials.load(Ordering::SeqCst)
        }

        fn pool(&self) -> Pool {
            Client::builder(TokioExecutor::new())
                .pool_timer(hyper_util::rt::TokioTimer::new())
                .build(OneConnection::default().layer(self.clone()))
        }

        async fn dialled(self) -> io::Result<FaultyStream> {
            let number = self.dials.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(DIAL).await;
            if number < self.fails {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (near, far) = tokio::io::duplex(65_536);
            let answer = service_fn(|_: Request<Incoming>| async {
                tokio::time::sleep(ANSWER).await;
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            });
            let far = TokioIo::new(far);
            if self.speaks_http2 {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(far, answer));
            } else {
                let builder = hyper::server::conn::http1::Builder::new();
                tokio::spawn(builder.serve_connection(far, answer));
            }
            Ok(FaultyStream {
                stream: TokioIo::new(near),
                speaks_http2: self.speaks_http2,
            })
        }
    }

    impl Service<Uri> for Server {
        type Response = FaultyStream;
        type Error = io::Error;
        type Future = Pin<Box<dyn Future<Output = io::Result<FaultyStream>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Uri) -> Self::Future {
            Box::pin(self.clone().dialled())
        }
    }

    struct FaultyStream {
        stream: TokioIo<DuplexStream>,
        speaks_http2: bool,
    }

    impl Connection for FaultyStream {
        fn connected(&self) -> Connected {
            if self.speaks_http2 {
                Connected::new().negotiated_h2()
            } else {
                Connected::new()
            }
        }
    }

    impl Read for FaultyStream {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            into: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_read(context, into)
        }
    }

    impl Write for FaultyStream {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(context)
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(context)
        }
    }

    /// How many of twelve requests at once were answered, and how long all took.
    async fn burst(pool: &Pool) -> (usize, Duration) {
        let begun = Instant::now();
        let requests = (0..12).map(|_| {
            let pool = pool.clone();
            tokio::spawn(to_host("here".into(), async move {
                let asked: Result<_, Error> = pool.get(Uri::from_static("http://here/")).await;
                asked.is_ok()
            }))
        });
        let answered = join_all(requests).await;
        let answered = answered.into_iter().filter(|a| *a.as_ref().unwrap());
        (answered.count(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn twelve_requests_at_once_share_one_http2_connection_and_wait_for_nothing_else() {
        let server = Server::new(true, 0);
        let pool = server.pool();
        assert_eq!(burst(&pool).await, (12, DIAL + ANSWER));
        // Those who waited are not dialling behind our back.
        tokio::time::sleep(HAND_OVER * 4).await;
        assert_eq!(burst(&pool).await, (12, ANSWER));
        assert_eq!(server.dials(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn twelve_requests_at_once_to_an_http1_server_have_a_connection_each() {
        let server = Server::new(false, 0);
        let (answered, took) = burst(&server.pool()).await;
        assert_eq!((answered, server.dials()), (12, 12));
        assert_eq!(took, DIAL * 2 + ANSWER);
    }

    #[tokio::test(start_paused = true)]
    async fn behind_a_dial_that_failed_nobody_queues_up() {
        let server = Server::new(true, 12);
        let (answered, took) = burst(&server.pool()).await;
        assert_eq!((answered, took), (0, DIAL * 2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_one_dials_where_the_first_gives_up() {
        let server = Server::new(true, 0);
        let pool = server.pool();
        let first = tokio::spawn(to_host("here".into(), {
            let pool = pool.clone();
            async move { pool.get(Uri::from_static("http://here/")).await.is_ok() }
        }));
        tokio::time::sleep(DIAL / 2).await;
        let others = tokio::spawn(async move { burst(&pool).await });
        tokio::task::yield_now().await;
        first.abort();
        assert_eq!(others.await.unwrap(), (12, DIAL + ANSWER));
        assert_eq!(server.dials(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_lost_its_connection_is_dialled_again_once() {
        let server = Server::new(true, 0);
        let pool = server.pool();
        burst(&pool).await;
        // Longer than the pool keeps what nobody uses.
        tokio::time::sleep(Duration::from_secs(1000)).await;
        assert_eq!(burst(&pool).await, (12, DIAL + ANSWER));
        assert_eq!(server.dials(), 2);
    }
}
