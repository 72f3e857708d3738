//! Starting and ending the app, and finding the one that runs already.
//!
//! A running app holds a lock, so that a killed one leaves none behind, and a private file with its address
//! and its secret, so that a second `pockethog` can open it. The lock decides; the file only tells where.

use std::fs::{File, TryLockError};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::time::Instant;
use url::Url;

use super::listener::Bounded;
use super::persistent::write_private;
use super::{State, refresher, router};
use crate::program::Program;
use crate::snapshot::SnapshotError;

/// How long an app that has just started may take to say where it is.
const START_TIME: Duration = Duration::from_secs(5);

/// How long a running app may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// How long open answers may take to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why the app could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Another program has the port.
    #[error("port {0} is in use by another program; name another one with --port, or none")]
    PortInUse(u16),
    /// The port cannot be used for another reason.
    #[error("port {port} of 127.0.0.1 cannot be used: {source}")]
    Port {
        /// Which port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the app cannot be written.
    #[error("{}: {source}; set POCKETHOG_HOME to a folder that PocketHog may write to", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another one holds the lock and does not answer.
    #[error("another pockethog is running and does not answer; end it first ({0})")]
    Hangs(String),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomNumbers,
    /// Not even Snapshots in memory can be had.
    #[error(transparent)]
    Snapshots(#[from] SnapshotError),
}

/// What [`launch`] found.
#[derive(Debug)]
pub enum Launch {
    /// A new app, bound and not yet answering.
    New(App),
    /// The address that opens the one that runs already.
    Running(String),
}

/// An app that is bound to its port.
#[derive(Debug)]
pub struct App {
    state: Arc<State>,
    listener: TcpListener,
    note: PathBuf,
    /// Held as long as the app runs.
    lock: File,
}

/// What the private file says.
#[derive(Serialize, Deserialize)]
struct Note {
    address: String,
    secret: String,
    process: u32,
}

/// Binds `port` of 127.0.0.1, any free one for 0, unless an app with the same folders runs already.
///
/// # Errors
///
/// See [`LaunchError`].
pub async fn launch(program: Arc<Program>, port: u16) -> Result<Launch, LaunchError> {
    let note = program.folders.running();
    let lock_path = note.with_extension("lock");
    let file_error = |path: &Path, source| LaunchError::File {
        path: path.to_owned(),
        source,
    };
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|source| file_error(&lock_path, source))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return find(&note).await.map(Launch::Running),
        Err(TryLockError::Error(source)) => return Err(file_error(&lock_path, source)),
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => LaunchError::PortInUse(port),
            _ => LaunchError::Port { port, source },
        })?;
    let bound = listener
        .local_addr()
        .map_err(|source| LaunchError::Port { port, source })?;
    let address =
        Url::parse(&format!("http://{bound}/")).expect("a socket address makes an address");
    let state = State::new(program, address)?;
    write(&note, &state).map_err(|source| file_error(&note, source))?;
    Ok(Launch::New(App {
        state,
        listener,
        note,
        lock,
    }))
}

impl App {
    /// What the handlers share.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// The address to open: it holds the secret that lets a browser in.
    pub fn open_address(&self) -> String {
        open_address(self.state.address().as_str(), self.state.secret().expose())
    }

    /// Answers until `end` is ready; then ends what is under way, in two seconds at most.
    ///
    /// # Errors
    ///
    /// The listener fails.
    pub async fn serve(self, end: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Self {
            state,
            listener,
            note,
            lock,
        } = self;
        let refresher = tokio::spawn(refresher::run(Arc::clone(&state)));
        let closer = Arc::clone(&state);
        let served = axum::serve(Bounded::new(listener), router(&state)).with_graceful_shutdown(
            async move {
                end.await;
                closer.close();
            },
        );
        let overdue = async {
            state.closed().await;
            tokio::time::sleep(FAREWELL).await;
        };
        let result = tokio::select! {
            result = async { served.await } => result,
            () = overdue => Ok(()),
        };
        refresher.abort();
        std::fs::remove_file(&note).ok();
        drop(lock);
        result
    }
}

fn open_address(origin: &str, secret: &str) -> String {
    format!("{origin}open/{secret}")
}

fn write(path: &Path, state: &State) -> io::Result<()> {
    let note = Note {
        address: state.address().to_string(),
        secret: state.secret().expose().to_owned(),
        process: std::process::id(),
    };
    write_private(path, &serde_json::to_vec(&note)?)
}

/// The address that opens the running app, once it says that it lives.
async fn find(path: &Path) -> Result<String, LaunchError> {
    let until = Instant::now() + START_TIME;
    loop {
        let note: Option<Note> = std::fs::read(path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(note) = &note
            && lives(note).await
        {
            return Ok(open_address(&note.address, &note.secret));
        }
        if Instant::now() >= until {
            return Err(LaunchError::Hangs(note.map_or_else(
                || path.display().to_string(),
                |note| format!("process {}", note.process),
            )));
        }
        // It has the lock and is about to write the file; there is nothing to wait on but time.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks without a proxy: loopback is this machine.
async fn lives(note: &Note) -> bool {
    let Ok(client) = reqwest::Client::builder()
        .no_proxy()
        .timeout(ANSWER_TIME)
        .build()
    else {
        return false;
    };
    client
        .get(format!("{}running", note.address))
        .bearer_auth(&note.secret)
        .send()
        .await
        .is_ok_and(|answer| answer.status().is_success())
}
