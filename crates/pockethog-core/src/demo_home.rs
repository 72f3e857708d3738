//! The home of a demo.
//!
//! A mark in it names the addresses of the demo's PostHogs, and the demo holds a lock beside the mark as long as it
//! runs, so that a killed one leaves none behind. Every other program on this home looks at both first: while the demo
//! runs, it talks to the demo's PostHogs and to nothing else; afterwards it does nothing. A real sign-in
//! would be lost with the next demo.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pockethog_device::folders::Folders;
use pockethog_device::private_files::{
    PrivateError, check_owner, make_folder, open_lock, quoted, read_small, write_private,
};
use serde::{Deserialize, Serialize};
use sign_in_with_posthog::HostError;
use tempfile::TempDir;

use crate::accounts::Clouds;

/// The file that marks a home as a demo's: everything in it may be thrown away.
const MARK: &str = "demo-home";

/// How the name of a temporary home begins.
const TEMPORARY: &str = ".pockethog-demo-";

/// More than this is no mark of ours.
const LARGEST_MARK: u64 = 1 << 16;

/// A program that only looks holds the lock for less than this.
const LOOK_TIME: Duration = Duration::from_millis(20);

/// The home of a demo, for the demo itself. A temporary one goes when this is dropped.
#[derive(Debug)]
pub struct DemoHome {
    path: PathBuf,
    /// Held as long as the demo runs.
    _lock: File,
    _temporary: Option<TempDir>,
}

/// What [`DemoHome::take`] found.
#[derive(Debug)]
pub enum Taken {
    /// A home for a new demo.
    New(DemoHome),
    /// A demo runs on this home already.
    Running(Folders),
}

/// Where the demo's PostHogs are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// US Cloud.
    pub us: String,
    /// EU Cloud.
    pub eu: String,
    /// The self-hosted one.
    pub self_hosted: String,
}

/// Why a demo's home is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoHomeError {
    /// The demo has ended.
    #[error(
        "{} is the home of a demo that has ended, and everything in it is invented. To start the demo again, \
         run `POCKETHOG_HOME={} pockethog demo`; to use your own sign-ins, unset POCKETHOG_HOME",
        .0.display(), quoted(.0)
    )]
    Ended(PathBuf),
    /// The demo has not said yet where it is.
    #[error("the demo in {} is just starting; try again in a moment", .0.display())]
    Starting(PathBuf),
    /// The folder is in use for something else.
    #[error(
        "POCKETHOG_HOME is {}, which already has files that are not from a demo, and the demo would mix \
         invented data with them. Unset it, or name an empty folder",
        .0.display()
    )]
    NotTheDemos(PathBuf),
    /// The folder cannot be used.
    #[error("{}: {source}; unset POCKETHOG_HOME, or set it to a folder that PocketHog can write to", path.display())]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No temporary folder can be made.
    #[error("a temporary folder could not be created: {0}")]
    Temporary(#[source] io::Error),
    /// The mark names no addresses.
    #[error("the addresses of the demo are not valid: {0}")]
    Address(#[from] HostError),
    /// It belongs to another user, or is refused by the system.
    #[error(transparent)]
    Private(#[from] PrivateError),
}

/// The demo's PostHogs, if these folders are the home of a demo that runs; `None` if they are no demo's. Changes
/// nothing.
///
/// # Errors
///
/// The home of a demo that has ended, or one that cannot be looked at.
pub fn find(folders: &Folders) -> Result<Option<Clouds>, DemoHomeError> {
    let home = &folders.config;
    if *folders != Folders::below(home.clone()) {
        return Ok(None);
    }
    let mark = home.join(MARK);
    if mark.symlink_metadata().is_err() {
        return if is_temporary(home) && home.symlink_metadata().is_err() {
            Err(DemoHomeError::Ended(home.clone()))
        } else {
            Ok(None)
        };
    }
    check_owner(&mark)?;
    if !is_locked(&lock_of(home))? {
        return Err(DemoHomeError::Ended(home.clone()));
    }
    let bytes = read_small(&mark, LARGEST_MARK).map_err(unusable(&mark))?;
    let addresses: Option<Addresses> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match addresses {
        Some(addresses) => Ok(Some(addresses.clouds()?)),
        None => Err(DemoHomeError::Starting(home.clone())),
    }
}

/// Whether these folders are the home of a demo, running or not.
pub fn is_demo(folders: &Folders) -> bool {
    matches!(
        find(folders),
        Ok(Some(_)) | Err(DemoHomeError::Ended(_) | DemoHomeError::Starting(_))
    )
}

impl DemoHome {
    /// Takes `given`, which must be empty or have been a demo's before; without it, a temporary folder. If a demo runs
    /// there already, nothing is changed.
    ///
    /// # Errors
    ///
    /// See [`DemoHomeError`].
    pub fn take(given: Option<PathBuf>) -> Result<Taken, DemoHomeError> {
        let Some(path) = given else {
            let mut builder = tempfile::Builder::new();
            let folder = builder.prefix(TEMPORARY).tempdir();
            let folder = folder.map_err(DemoHomeError::Temporary)?;
            return Self::lock(folder.path().to_owned(), Some(folder));
        };
        let is_empty = match std::fs::read_dir(&path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) => return Err(unusable(&path)(error)),
        };
        if !is_empty && !path.join(MARK).exists() && !lock_of(&path).exists() {
            return Err(DemoHomeError::NotTheDemos(path));
        }
        // A command in another terminal has another working folder.
        let path = std::path::absolute(&path).map_err(unusable(&path))?;
        Self::lock(path, None)
    }

    fn lock(path: PathBuf, temporary: Option<TempDir>) -> Result<Taken, DemoHomeError> {
        // A temporary folder was made as the umask says.
        make_folder(&path)?;
        let lock_path = lock_of(&path);
        let lock = open_lock(&lock_path)?;
        for attempt in 0.. {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < 5 => std::thread::sleep(LOOK_TIME),
                Err(TryLockError::WouldBlock) => return Ok(Taken::Running(Folders::below(path))),
                Err(TryLockError::Error(source)) => return Err(unusable(&lock_path)(source)),
            }
        }
        let home = Self {
            path,
            _lock: lock,
            _temporary: temporary,
        };
        // The addresses of the last demo are nobody's now.
        home.write(None)?;
        Ok(Taken::New(home))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folders in it.
    pub fn folders(&self) -> Folders {
        Folders::below(self.path.clone())
    }

    /// Says to other programs where the demo's PostHogs are. Until then they use nothing of this home.
    ///
    /// # Errors
    ///
    /// The mark cannot be written.
    pub fn announce(&self, addresses: &Addresses) -> Result<(), DemoHomeError> {
        self.write(Some(addresses))
    }

    fn write(&self, addresses: Option<&Addresses>) -> Result<(), DemoHomeError> {
        #[derive(Serialize)]
        struct Mark<'a> {
            about: &'a str,
            #[serde(flatten)]
            addresses: Option<&'a Addresses>,
        }
        let path = self.path.join(MARK);
        let mark = Mark {
            about: "The home of a PocketHog demo. Everything in here is invented.",
            addresses,
        };
        let written = serde_json::to_vec_pretty(&mark)
            .map_err(io::Error::from)
            .and_then(|bytes| write_private(&path, &bytes));
        written.map_err(unusable(&path))
    }
}

impl Addresses {
    /// The Hosts at these addresses, and no others.
    ///
    /// # Errors
    ///
    /// As [`Clouds::at`].
    pub fn clouds(&self) -> Result<Clouds, HostError> {
        Clouds::of_demo(&self.us, &self.eu, &self.self_hosted)
    }
}

fn lock_of(home: &Path) -> PathBuf {
    home.join(MARK).with_extension("lock")
}

/// Whether `home` has the name of a temporary home. Once it is gone, nothing else tells what it was.
fn is_temporary(home: &Path) -> bool {
    let name = home.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(TEMPORARY))
}

/// Whether a demo holds the lock. Looking makes none.
fn is_locked(path: &Path) -> Result<bool, DemoHomeError> {
    let lock = match File::open(path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unusable(path)(error)),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(unusable(path)(error)),
    }
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> DemoHomeError {
    let path = path.to_owned();
    move |source| DemoHomeError::Unusable { path, source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sign_in_with_posthog::Region;

    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            us: "http://127.0.0.1:1".to_owned(),
            eu: "http://127.0.0.1:2".to_owned(),
            self_hosted: "http://127.0.0.1:3".to_owned(),
        }
    }

    fn taken(path: &Path) -> DemoHome {
        match DemoHome::take(Some(path.to_owned())).unwrap() {
            Taken::New(home) => home,
            Taken::Running(folders) => panic!("taken already: {folders:?}"),
        }
    }

    #[test]
    fn a_home_is_the_demos_while_it_runs_and_nobodys_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let (path, folders) = (folder.path(), Folders::below(folder.path().to_owned()));
        assert!(find(&folders).unwrap().is_none());
        let home = taken(path);
        assert!(matches!(find(&folders), Err(DemoHomeError::Starting(_))));
        home.announce(&addresses()).unwrap();
        let clouds = find(&folders).unwrap().unwrap();
        assert_eq!(clouds.host(Region::Us).base_url().port(), Some(1));
        // A second demo changes nothing.
        let second = DemoHome::take(Some(path.to_owned())).unwrap();
        assert!(matches!(second, Taken::Running(_)));
        assert!(find(&folders).unwrap().is_some());
        drop(home);
        assert!(matches!(find(&folders), Err(DemoHomeError::Ended(_))));
        taken(path);
    }

    #[test]
    fn a_temporary_home_that_is_gone_is_not_made_again() {
        let Taken::New(home) = DemoHome::take(None).unwrap() else {
            panic!("a new folder is in use");
        };
        let folders = home.folders();
        drop(home);
        assert!(matches!(find(&folders), Err(DemoHomeError::Ended(_))));
        assert!(!folders.config.exists());
    }

    #[test]
    fn a_home_with_something_else_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("preferences.toml"), "").unwrap();
        let refused = DemoHome::take(Some(folder.path().to_owned()));
        assert!(matches!(refused, Err(DemoHomeError::NotTheDemos(_))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
