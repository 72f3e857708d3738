//! What a program says about itself, and the HTTP client that it gets if it has none.

use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::file::FileError;
use crate::scope::Scopes;
use crate::vault::VaultChoice;

/// What a program says about itself.
#[derive(Clone, Debug)]
pub struct Config {
    /// A folder of the program's own, for the list of Connections, locks and encrypted files.
    pub folder: PathBuf,
    /// The HTTP client, to share its connections with API calls. It must follow no redirects. With `None`,
    /// [`SignIn::open`](crate::SignIn::open) builds one.
    pub http: Option<reqwest::Client>,
    /// The name that the consent page shows. PostHog refuses names that begin with “PostHog”.
    pub client_name: String,
    /// The scopes to ask for.
    pub scopes: Scopes,
    /// Scopes that an API key must have to be accepted.
    pub api_key_scopes: Scopes,
    /// A client id that was registered by hand, or the https address of a client id metadata document (CIMD).
    /// With `None`, a client id is registered once per device and issuer.
    pub client_id: Option<String>,
    /// Which Vault to choose when the first account signs in.
    pub vault: VaultChoice,
    /// The folder for the key of the encrypted files, apart from `folder`. With `None`, it is in the user's
    /// local state.
    pub device_folder: Option<PathBuf>,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// The usual configuration: an HTTP client of the crate's own, dynamic registration, the system's clock.
    pub fn new(folder: impl Into<PathBuf>, client_name: &str, scopes: Scopes) -> Self {
        Self {
            folder: folder.into(),
            http: None,
            client_name: client_name.to_owned(),
            scopes,
            api_key_scopes: Scopes::default(),
            client_id: None,
            vault: VaultChoice::Auto,
            device_folder: None,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Why [`SignIn::open`](crate::SignIn::open) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder cannot be created or made private.
    ///
    /// The program needs a folder that it may write to.
    #[error(transparent)]
    Folder(#[from] FileError),
    /// TLS cannot be set up, for example because the operating system's certificates cannot be loaded.
    ///
    /// Install them, or pass a client in [`Config::http`].
    #[error("the HTTP client cannot be set up: {0}")]
    Http(#[source] reqwest::Error),
    /// A newer version of the program wrote this file of the folder.
    ///
    /// Nothing was changed. Updating this program helps.
    #[error("{} was written by a newer version of this program; update this one", .0.display())]
    Newer(PathBuf),
}
