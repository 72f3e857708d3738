//! What the page server keeps from one run to the next, in a private file: its port, the path of its pages and who
//! has access, so that bookmarks and open tabs keep working.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sign_in_with_posthog::Peer;

use super::launch_error::LaunchError;
use super::mount::Mount;
use super::secret::Secret;
use pockethog_device::private_files::{read_small, write_private};

/// More than this was not written by us.
const LARGEST: u64 = 1 << 16;

/// What is kept.
#[derive(Debug)]
pub struct Persistent {
    /// The port of the last run that chose one itself.
    pub port: Option<u16>,
    /// The path that all pages are below.
    pub mount: Mount,
    /// What the keys of pages are derived from.
    pub page_key: Secret,
    /// Browsers that were let in.
    pub sessions: Vec<KeptSession>,
}

/// A browser that was let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSession {
    /// Digest of its cookie.
    pub digest: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

/// How it is written.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Document {
    port: Option<u16>,
    mount: String,
    page_key: String,
    sessions: Vec<KeptSession>,
}

impl Persistent {
    /// Reads what an earlier run kept, and makes what is missing.
    ///
    /// If the system does not tell whose a connection is, only the port is the same in every run: a browser
    /// that reads an address of before the restart might send its cookie to another user's server.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub fn open(path: &Path) -> Result<Self, LaunchError> {
        let document: Document = read_small(path, LARGEST)
            .ok()
            .flatten()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let port = document.port;
        let kept = Mount::parse(&document.mount).zip(Secret::parse(&document.page_key));
        if let Some((mount, page_key)) = kept
            && Peer::is_known_here()
        {
            return Ok(Self {
                port,
                mount,
                page_key,
                sessions: document.sessions,
            });
        }
        Ok(Self {
            port,
            mount: Mount::random().ok_or(LaunchError::NoRandomNumbers)?,
            page_key: Secret::random().ok_or(LaunchError::NoRandomNumbers)?,
            sessions: Vec::new(),
        })
    }

    /// Writes it down. If that fails, the next run has other addresses, and that is all.
    pub fn save(&self, path: &Path) {
        let document = Document {
            port: self.port,
            mount: self.mount.path().to_owned(),
            page_key: self.page_key.expose().to_owned(),
            sessions: self.sessions.clone(),
        };
        let written = serde_json::to_vec(&document)
            .map_err(io::Error::from)
            .and_then(|bytes| write_private(path, &bytes));
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "the address of the pages is not kept");
        }
    }
}
