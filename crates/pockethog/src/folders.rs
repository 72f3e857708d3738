//! Where things lie: preferences, the list of Connections and locks, Snapshots.

use std::fs::DirBuilder;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::{AppStrategy, AppStrategyArgs, choose_app_strategy};

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
    /// Where the user has no home folder.
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

    /// What the page server keeps from one run to the next.
    pub fn page_server(&self) -> PathBuf {
        self.state.join("page-server.json")
    }
}

/// Makes a folder, and those above it that are missing, which other users of this machine cannot look into.
///
/// # Errors
///
/// What the system says.
pub fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The folder that `POCKETHOG_HOME` names.
pub fn home_from_environment() -> Option<PathBuf> {
    let home = std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty());
    home.map(PathBuf::from)
}

/// The user has no home folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no home folder; set {HOME_VARIABLE} to a folder that PocketHog may use")]
pub struct NoHome;
