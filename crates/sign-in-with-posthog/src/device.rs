//! The state of one program on this device: its settings, its records, its list of Connections, their locks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Config, OpenError};
use crate::connection::{Connection, ConnectionId, EndReason};
use crate::file::{self, FileError, Lock};
use crate::http;
use crate::index::{IndexError, IndexFile};
use crate::record::store::RecordStore;
use crate::record::{Content, Record};
use crate::refreshes::PendingRefreshes;
use crate::scope::Scopes;
use crate::task::blocking;
use crate::vault::{Vault, VaultChoice, VaultError};

/// How long a sign-in or sign-out waits for a refresh in another process.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Everything that the Sessions of one program share.
pub(crate) struct Device {
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) index: IndexFile,
    pub(crate) records: RecordStore,
    pub(crate) refreshes: PendingRefreshes,
    pub(crate) folder: PathBuf,
    pub(crate) client_name: String,
    pub(crate) scopes: Scopes,
    pub(crate) api_key_scopes: Scopes,
    pub(crate) client_id: Option<String>,
}

/// Why a record could not be replaced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplaceError {
    #[error(transparent)]
    Lock(#[from] FileError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl Device {
    /// Opens the folder. Makes no call to the network or to a keychain.
    pub(crate) fn open(config: Config) -> Result<Self, OpenError> {
        if let Some(newer) = Self::newer_in(&config.folder) {
            return Err(OpenError::Newer(newer));
        }
        file::create_private_folder(&config.folder)?;
        let http = match config.http {
            Some(http) => http,
            None => http::client().map_err(OpenError::Http)?,
        };
        let device_folder = device_folder(config.device_folder, &config.folder);
        let vault = Vault::new(
            &config.folder,
            &device_folder,
            &config.client_name,
            config.vault,
        );
        Ok(Self {
            http,
            clock: config.clock,
            index: IndexFile::new(&config.folder),
            records: RecordStore::new(vault, &device_folder),
            refreshes: PendingRefreshes::new(),
            folder: config.folder,
            client_name: config.client_name,
            scopes: config.scopes,
            api_key_scopes: config.api_key_scopes,
            client_id: config.client_id,
        })
    }

    /// The Vault that holds the records.
    pub(crate) fn vault(&self) -> &Vault {
        self.records.vault()
    }

    /// All Connections, as they are on this device.
    pub(crate) fn connections(&self) -> Result<Vec<Connection>, IndexError> {
        let connections = self.index.read()?.connections;
        Ok(on_this_device(connections, self.vault()))
    }

    /// As [`Device::connections`], of a folder that is not opened.
    pub(crate) fn connections_in(folder: &Path) -> Result<Vec<Connection>, IndexError> {
        let connections = IndexFile::new(folder).read()?.connections;
        let device_folder = Self::device_folder_in(folder);
        let vault = Vault::new(folder, &device_folder, "", VaultChoice::Auto);
        Ok(on_this_device(connections, &vault))
    }

    /// The first file of a folder that a newer version of the program wrote. Changes nothing.
    pub(crate) fn newer_in(folder: &Path) -> Option<PathBuf> {
        let index = IndexFile::new(folder).read();
        let index = match index {
            Err(IndexError::Newer(path)) => Some(path),
            _ => None,
        };
        index.or_else(|| Vault::newer_choice_in(folder))
    }

    /// The folder for this device's key that belongs to a program's folder. Creates nothing.
    pub(crate) fn device_folder_in(folder: &Path) -> PathBuf {
        // A program that keeps everything in one place has the key beside its folder.
        let apart = Some(folder.with_extension("device"));
        let apart = apart.filter(|apart| apart.join("device.key").exists());
        device_folder(apart, folder)
    }

    /// The lock of a Connection across processes.
    pub(crate) fn lock_path(&self, id: &ConnectionId) -> PathBuf {
        self.folder.join("locks").join(format!("{id}.lock"))
    }

    /// Takes the lock of a Connection.
    pub(crate) async fn lock(&self, id: &ConnectionId) -> Result<Lock, FileError> {
        let path = self.lock_path(id);
        blocking(move || Lock::take(&path, LOCK_PATIENCE)?.ok_or_else(|| held_too_long(&path)))
            .await
    }

    /// Keeps the Vault in its place while an account signs in (`alone` false), or keeps sign-ins out while the
    /// Vault moves. Taken before the lock of any Connection.
    pub(crate) async fn hold_vault(&self, alone: bool) -> Result<Lock, FileError> {
        let path = self.folder.join("vault.lock");
        blocking(move || {
            let lock = if alone {
                Lock::take(&path, LOCK_PATIENCE)
            } else {
                Lock::take_shared(&path, LOCK_PATIENCE)
            };
            lock?.ok_or_else(|| held_too_long(&path))
        })
        .await
    }

    /// Replaces a record, whose lock the caller holds, and returns what it held before.
    pub(crate) async fn replace(
        &self,
        _held: &Lock,
        id: &ConnectionId,
        content: Content,
    ) -> Result<Option<Content>, VaultError> {
        let (records, id) = (self.records.clone(), id.clone());
        blocking(move || {
            // A record that can no longer be read is replaced nevertheless.
            let old = records.read(&id).unwrap_or_default();
            let generation = old.as_ref().map_or(0, |record| record.generation);
            let generation = generation.max(records.generation_seen(&id)) + 1;
            records.write(&id, &Record::new(generation, content))?;
            Ok(old.map(|record| record.content))
        })
        .await
    }

    /// Adds a Connection to the list, or replaces it there.
    pub(crate) async fn show(&self, connection: Connection) -> Result<(), IndexError> {
        let index = self.index.clone();
        blocking(move || index.update(|index| index.put(connection))).await
    }

    /// Marks a Connection in the list as ended.
    pub(crate) async fn show_ended(
        &self,
        id: &ConnectionId,
        reason: EndReason,
    ) -> Result<(), IndexError> {
        let (index, id) = (self.index.clone(), id.clone());
        let now = self.clock.unix_seconds();
        blocking(move || {
            index.update(|index| {
                if let Some(connection) = index.connection_mut(&id) {
                    connection.end(reason, now);
                }
            })
        })
        .await
    }
}

/// Without a home folder there is no better place than beside the program's folder.
fn device_folder(chosen: Option<PathBuf>, folder: &Path) -> PathBuf {
    chosen
        .or_else(default_device_folder)
        .unwrap_or_else(|| folder.with_extension("device"))
}

/// The folder for this device's key unless the program chooses one: in the user's local state, which is not
/// synced between devices.
pub fn default_device_folder() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")))
    };
    state.map(|state| state.join("sign-in-with-posthog"))
}

/// The Connections as they are on this device: if several machines share a home, a sign-in of another machine has
/// ended here and goes on there.
fn on_this_device(mut connections: Vec<Connection>, vault: &Vault) -> Vec<Connection> {
    for connection in &mut connections {
        if connection.is_active() && vault.is_of_another_device(connection.id.as_str()) {
            let signed_in_at = connection.signed_in_at;
            connection.end(EndReason::RecordLost, signed_in_at);
        }
    }
    connections
}

fn held_too_long(path: &Path) -> FileError {
    let busy = std::io::Error::from(std::io::ErrorKind::TimedOut);
    FileError::new(
        path,
        "another program has kept it locked for too long",
        busy,
    )
}
