//! What every part of the program shares: folders, the HTTP client, accounts, API clients.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pockethog_device::folders::{Folders, NoHome};
use pockethog_device::http;
use pockethog_device::private_files::PrivateError;
use sign_in_with_posthog::{Connection, ConnectionId, HostError, IndexError, OpenError, SignIn};

use crate::accounts::{self, ApiClient, Clouds, SecretStore};
use crate::demo_home::{self, DemoHomeError};
use crate::home_version::{self, NewerHome};
use crate::preferences::{Preferences, PreferencesError};
use crate::snapshot::{SnapshotError, Snapshots};

/// The program's shared parts.
#[derive(Debug)]
pub struct AppContext {
    /// Where files are stored.
    pub folders: Folders,
    /// The one HTTP client.
    pub http: reqwest::Client,
    /// The addresses of US and EU Cloud.
    pub clouds: Clouds,
    /// The signed-in accounts.
    pub sign_in: SignIn,
    clients: Mutex<HashMap<ConnectionId, ApiClient>>,
}

/// Why the program could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// `POCKETHOG_US_URL` or `POCKETHOG_EU_URL` is no address.
    #[error("POCKETHOG_US_URL or POCKETHOG_EU_URL: {0}")]
    Cloud(#[from] HostError),
    /// The folder cannot be written to.
    #[error("{0}; set POCKETHOG_HOME to a folder that PocketHog can write to")]
    Folder(#[from] OpenError),
    /// The operating system's certificates cannot be loaded.
    #[error("the HTTP client could not be set up: {0}")]
    Http(#[from] reqwest::Error),
    /// There is no home folder.
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// The folder belongs to another user.
    #[error(transparent)]
    Foreign(#[from] PrivateError),
    /// A newer version has used the folders.
    #[error(transparent)]
    Newer(#[from] NewerHome),
    /// The folder is the home of a demo that does not run.
    #[error(transparent)]
    Demo(#[from] DemoHomeError),
}

impl AppContext {
    /// Opens everything as the environment says. Touches no network.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn open() -> Result<Self, StartError> {
        Self::open_at(Folders::find()?, Clouds::from_environment()?)
    }

    /// Opens everything at other places. On the home of a demo, the demo's PostHogs take the place of `clouds`.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn open_at(folders: Folders, clouds: Clouds) -> Result<Self, StartError> {
        if let Some(demo) = demo_home::find(&folders)? {
            return Self::assemble(folders, demo, SecretStore::Isolated);
        }
        Self::assemble(folders, clouds, SecretStore::System)
    }

    /// Opens everything at other places, apart from the rest of this device: secrets are in an encrypted
    /// file below `folders`, and no keychain is asked. For the demo and for tests.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn open_apart(folders: Folders, clouds: Clouds) -> Result<Self, StartError> {
        Self::assemble(folders, clouds, SecretStore::Isolated)
    }

    fn assemble(
        folders: Folders,
        clouds: Clouds,
        keeping: SecretStore,
    ) -> Result<Self, StartError> {
        folders.claim(&accounts::device_folder(&folders, keeping))?;
        home_version::check(&folders)?;
        let http = http::client()?;
        let sign_in = accounts::open(&folders, http.clone(), keeping)?;
        Ok(Self {
            folders,
            http,
            clouds,
            sign_in,
            clients: Mutex::new(HashMap::new()),
        })
    }

    /// Whether it belongs to a demo.
    pub fn is_demo(&self) -> bool {
        self.clouds.is_demo()
    }

    /// The API client of a Connection; the same one each time, so that its pace is kept.
    pub fn client(&self, connection: &Connection) -> ApiClient {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients
            .entry(connection.id.clone())
            .or_insert_with(|| accounts::client(&self.http, &self.sign_in, connection))
            .clone()
    }

    /// The device has slept for so long: pauses that PostHog asked for have gone on in the meantime.
    pub(crate) fn woke(&self, slept: Duration) {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        for client in clients.values() {
            client.rate_limiter().slept(slept);
        }
    }

    /// The Connections that can be used.
    ///
    /// # Errors
    ///
    /// A list that cannot be read.
    pub fn active_connections(&self) -> Result<Vec<Connection>, IndexError> {
        let mut connections = self.sign_in.connections()?;
        connections.retain(Connection::is_active);
        Ok(connections)
    }

    /// Opens the Snapshots, or holds them in memory if they cannot be kept: see [`Snapshots::remarks`].
    ///
    /// # Errors
    ///
    /// As [`Snapshots::open`].
    pub fn snapshots(&self) -> Result<Snapshots, SnapshotError> {
        Snapshots::open(&self.folders.snapshots())
    }

    /// The preferences, and what is wrong with the file, if something is.
    pub fn preferences(&self) -> (Preferences, Option<PreferencesError>) {
        Preferences::load(&self.folders.preferences())
    }
}
