//! Starting and ending the app, and finding one that is already running.
//!
//! A running app holds a lock, so that a killed one leaves none behind, and a private file with its address
//! and a key, so that a second `pockethog` can open it. The lock decides whether one runs; the file only tells
//! where, and whoever answers there has to prove that it wrote the file ([`super::handshake`]).

use std::fs::{File, TryLockError};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sign_in_with_posthog::SignIn;
use tokio::net::TcpListener;
use tokio::time::Instant;
use url::Url;

use super::handshake::{self, Asker, Note, Proof};
use super::launch_error::LaunchError;
use super::listener::{Bounded, Client};
use super::persistent::Persistent;
use super::{State, router};
use pockethog_core::app_context::AppContext;
use pockethog_core::live;
use pockethog_device::folders::Folders;
use pockethog_device::http;
use pockethog_device::private_files::{open_lock, read_small, write_private};

/// How long an app that has just started may take to say where it is.
const START_TIME: Duration = Duration::from_secs(5);

/// How long a running app may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// More than this is no note of ours.
const LARGEST_NOTE: u64 = 1 << 16;

/// The longest proof that is read of another app, in bytes.
const LONGEST_PROOF: usize = 4 * 1024;

/// How often the app looks for API keys to remove that were replaced.
const TIDY_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How long open answers may take to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// What [`launch`] found.
#[derive(Debug)]
pub enum Launch {
    /// A new app, bound and not yet answering.
    New(App),
    /// One runs already.
    Running(Running),
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

/// An app that runs already, and has proved it.
#[derive(Debug)]
pub struct Running {
    address: String,
    version: Option<String>,
    asker: Asker,
}

/// Binds `port` of 127.0.0.1, unless an app with the same folders runs already. For 0 it is the port of the
/// last run if that is free, so that bookmarks and open tabs go on working, else any free one.
///
/// # Errors
///
/// See [`LaunchError`].
pub async fn launch(program: Arc<AppContext>, port: u16) -> Result<Launch, LaunchError> {
    let note = program.folders.running();
    let lock_path = note.with_extension("lock");
    let file_error = |path: &Path, source| LaunchError::File {
        path: path.to_owned(),
        source,
    };
    let lock = open_lock(&lock_path)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return find(&note).await.map(Launch::Running),
        Err(TryLockError::Error(source)) => return Err(file_error(&lock_path, source)),
    }
    let kept = program.folders.page_server();
    let mut persistent = Persistent::open(&kept)?;
    let listener = bind(port, persistent.port).await?;
    let bound = listener
        .local_addr()
        .map_err(|source| LaunchError::Port { port, source })?;
    if port == 0 {
        persistent.port = Some(bound.port());
    }
    persistent.save(&kept);
    let address =
        Url::parse(&format!("http://{bound}/")).expect("a socket address makes an address");
    let state = State::new(program, address, persistent)?;
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

    /// An address that opens the app in a browser: once, and within `life`.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn open_address(&self, life: Duration) -> Result<String, LaunchError> {
        let code = self.state.access().new_code(life)?;
        Ok(open_address(self.state.address().as_str(), code.expose()))
    }

    /// As [`App::open_address`], for one of its pages.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_address_at(&self, life: Duration, path: &str) -> Result<String, LaunchError> {
        Ok(leading_to(self.open_address(life)?, path))
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
        let refresher = tokio::spawn(live::run(Arc::clone(state.live())));
        let tidying = tokio::spawn(tidy(state.live().program().sign_in.clone()));
        let closer = Arc::clone(&state);
        let bounded = Bounded::new(listener, Arc::clone(state.clients()));
        let service = router(&state).into_make_service_with_connect_info::<Client>();
        let served = axum::serve(bounded, service).with_graceful_shutdown(async move {
            end.await;
            closer.live().close();
        });
        let overdue = async {
            state.live().closed().await;
            tokio::time::sleep(FAREWELL).await;
        };
        let result = tokio::select! {
            result = async { served.await } => result,
            () = overdue => Ok(()),
        };
        refresher.abort();
        tidying.abort();
        std::fs::remove_file(&note).ok();
        drop(lock);
        result
    }
}

impl Running {
    /// The version of the app, if it is another one than this program's, or `None`. One that does not say its version
    /// is older.
    pub fn other_version(&self) -> Option<&str> {
        let version = self.version.as_deref().unwrap_or("an older version");
        (version != env!("CARGO_PKG_VERSION")).then_some(version)
    }

    /// An address that opens the app in a browser: once, and within `life`.
    ///
    /// # Errors
    ///
    /// The app does not answer any longer.
    pub async fn open_address(&self, life: Duration) -> Result<String, LaunchError> {
        let hangs = || LaunchError::Hangs(self.address.clone());
        let (request, code) = self.asker.ask(life).ok_or_else(hangs)?;
        let sent = client()
            .ok_or_else(hangs)?
            .post(handshake_address(&self.address))
            .json(&request)
            .send()
            .await;
        let taken = sent.is_ok_and(|answer| answer.status().is_success());
        taken
            .then(|| open_address(&self.address, code.expose()))
            .ok_or_else(hangs)
    }

    /// As [`Running::open_address`], for one of its pages.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn open_address_at(&self, life: Duration, path: &str) -> Result<String, LaunchError> {
        Ok(leading_to(self.open_address(life).await?, path))
    }
}

/// Removes API keys that were replaced, once their time is over.
async fn tidy(sign_in: SignIn) {
    loop {
        if let Err(error) = sign_in.remove_replaced().await {
            tracing::warn!(%error, "a replaced API key is still stored");
        }
        tokio::time::sleep(TIDY_PAUSE).await;
    }
}

/// The port that was asked for; without one that of the last run, if it is free.
async fn bind(port: u16, last: Option<u16>) -> Result<TcpListener, LaunchError> {
    if let (0, Some(last)) = (port, last)
        && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, last)).await
    {
        return Ok(listener);
    }
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    bound.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => LaunchError::PortInUse(port),
        _ => LaunchError::Port { port, source },
    })
}

/// The app with these folders, which is known to run or to be just starting.
///
/// # Errors
///
/// It does not answer.
pub async fn running(folders: &Folders) -> Result<Running, LaunchError> {
    find(&folders.running()).await
}

/// The address of the app with these folders, if it runs and proves it. Whoever else listens there is not it.
pub async fn find_running(folders: &Folders) -> Option<String> {
    let bytes = read_small(&folders.running(), LARGEST_NOTE).ok()??;
    let note: Note = serde_json::from_slice(&bytes).ok()?;
    ask(&note).await.map(|running| running.address)
}

fn open_address(origin: &str, code: &str) -> String {
    format!("{origin}open/{code}")
}

/// The home page needs no word.
fn leading_to(address: String, path: &str) -> String {
    match (path, Url::parse(&address)) {
        ("/", _) | (_, Err(_)) => address,
        (path, Ok(mut url)) => {
            url.query_pairs_mut().append_pair("to", path);
            url.into()
        }
    }
}

fn handshake_address(origin: &str) -> String {
    format!("{}{}", origin.trim_end_matches('/'), handshake::PATH)
}

fn write(path: &Path, state: &State) -> io::Result<()> {
    write_private(path, &serde_json::to_vec(&state.keyholder().note())?)
}

/// The running app, once it has proved that it wrote the file.
async fn find(path: &Path) -> Result<Running, LaunchError> {
    let until = Instant::now() + START_TIME;
    loop {
        let note: Option<Note> = read_small(path, LARGEST_NOTE)
            .ok()
            .flatten()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(note) = &note
            && let Some(running) = ask(note).await
        {
            return Ok(running);
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

/// Asks whoever listens at the address of `note` to prove that it wrote it.
async fn ask(note: &Note) -> Option<Running> {
    let mut asker = Asker::new(note)?;
    let request = client()?
        .get(handshake_address(&note.address))
        .query(&[("nonce", asker.nonce())])
        .send();
    let proof: Proof = serde_json::from_slice(&read_short(request.await.ok()?).await?).ok()?;
    asker.accepts(&proof).then(|| Running {
        address: note.address.clone(),
        version: note.version.clone(),
        asker,
    })
}

/// The body of an answer, if it is as short as a proof is: until then anybody may be answering.
async fn read_short(mut answer: reqwest::Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.ok()? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST_PROOF {
            return None;
        }
    }
    Some(body)
}

/// Without a proxy, because loopback is this machine, without a way on to anywhere else, and without the certificates
/// that this takes.
fn client() -> Option<reqwest::Client> {
    http::choose_provider();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER_TIME)
        .build()
        .ok()
}
