//! Where files are stored: preferences, the list of Connections and locks, Snapshots.

use std::path::{Path, PathBuf};

use etcetera::{AppStrategy, AppStrategyArgs, choose_app_strategy};

use crate::private_files::{PrivateError, check_owner, make_shared_folder};

/// Environment variable that puts everything under one folder.
const HOME_VARIABLE: &str = "POCKETHOG_HOME";

/// The program's folders. They are made when first written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Preferences: small, readable, worth a backup.
    pub config: PathBuf,
    /// Connections, locks and file Vaults: of this device only.
    pub state: PathBuf,
    /// Snapshots: may be deleted at any time.
    pub cache: PathBuf,
}

impl Folders {
    /// The folders of this user, or those below `POCKETHOG_HOME`.
    ///
    /// # Errors
    ///
    /// The user has no home folder.
    pub fn find() -> Result<Self, NoHome> {
        if let Some(home) = home_from_environment() {
            return Ok(Self::below(home));
        }
        let strategy = choose_app_strategy(AppStrategyArgs {
            top_level_domain: "org".to_owned(),
            author: "PocketHog".to_owned(),
            app_name: "pockethog".to_owned(),
        })
        .map_err(|_| NoHome)?;
        let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
        Ok(Self {
            config: strategy.config_dir(),
            state: state.join("sign-in"),
            cache: strategy.cache_dir(),
        })
    }

    /// Everything below one folder.
    pub fn below(home: PathBuf) -> Self {
        Self {
            state: home.join("sign-in"),
            cache: home.join("cache"),
            config: home,
        }
    }

    /// Refuses to use sign-ins in a folder of somebody else, or a `device_folder` for this device's key that is
    /// somebody else's. The other folders are looked at when they are used: numbers can be shown without them.
    ///
    /// # Errors
    ///
    /// A folder of another user, or one that root would make below a folder of another user.
    pub fn claim(&self, device_folder: &Path) -> Result<(), PrivateError> {
        check_owner(&self.state)?;
        check_owner(device_folder).map_err(PrivateError::of_device)
    }

    /// Makes the folder of the preferences, which is all of PocketHog's folder where `POCKETHOG_HOME` names one.
    ///
    /// # Errors
    ///
    /// A folder of another user, or one that cannot be made.
    pub fn make_config(config: &Path) -> Result<(), PrivateError> {
        make_shared_folder(config, |name| {
            ["preferences.", "sign-in", "cache", "device"]
                .iter()
                .any(|ours| name.starts_with(ours))
        })
    }

    /// The preferences file.
    pub fn preferences(&self) -> PathBuf {
        self.config.join("preferences.toml")
    }

    /// The Snapshot database.
    pub fn snapshots(&self) -> PathBuf {
        self.cache.join("snapshots.sqlite")
    }

    /// Where a running app leaves its address.
    pub fn running(&self) -> PathBuf {
        self.state.join("running.json")
    }

    /// What the person has been told by alerts: kept with the sign-ins, since it must not go with the cache.
    pub fn alerts(&self) -> PathBuf {
        self.state.join("alerts.json")
    }

    /// What the page server keeps from one run to the next.
    pub fn page_server(&self) -> PathBuf {
        self.state.join("page-server.json")
    }
}

/// The folder that `POCKETHOG_HOME` names.
pub fn home_from_environment() -> Option<PathBuf> {
    let home = std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty());
    home.map(PathBuf::from)
}

/// The user has no home folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no home folder; set {HOME_VARIABLE} to a folder that PocketHog can use")]
pub struct NoHome;
