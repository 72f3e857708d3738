//! The database in use, and how a failure of it is handled.
//!
//! Numbers that were read are shown whatever the disk does. A broken database is set aside and begun again; one
//! that cannot be locked or written is replaced by one in memory, which begins with what can be read, and which
//! goes back to the disk once that works.

use std::path::Path;
use std::time::{Duration, Instant};

use pockethog_device::private_files::{PrivateError, identity};
use rusqlite::Connection as Database;

use super::copy::copy;
use super::database::{
    Aside, Opened, is_broken, open_at_rest, open_in_memory, open_to_write, prepare,
    set_aside_unless_replaced,
};
use super::unkept::Unkept;

/// How long numbers stay in memory before the disk is tried again.
const RETURN: Duration = Duration::from_secs(30);

/// How long that may wait for a lock: pages wait too.
const RETURN_PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Store {
    pub(super) database: Database,
    place: Place,
    pub(super) aside: Option<Aside>,
    /// Counts the databases that were in use.
    pub(super) generation: u64,
}

#[derive(Debug)]
enum Place {
    /// The file of this identity.
    Disk(Option<(u64, u64)>),
    /// Memory, on purpose.
    Memory,
    /// Memory, since the file cannot be used.
    Refuge { unkept: Unkept, tried: Instant },
    /// A file that is only looked at.
    Looking { broken: bool },
}

impl Store {
    /// On disk, or in memory if that cannot be.
    pub(super) fn open(path: &Path, patience: Duration) -> rusqlite::Result<Self> {
        match prepare(path) {
            Ok(aside) => Self::on_disk(path, patience, aside),
            Err(error) => {
                let trusted = !matches!(error, PrivateError::Foreign { .. });
                let seed = trusted.then(|| at_rest(path)).flatten();
                Self::refuge(Unkept::private(path, &error), seed.as_ref())
            }
        }
    }

    fn on_disk(path: &Path, patience: Duration, aside: Option<Aside>) -> rusqlite::Result<Self> {
        let known = identity(path);
        let (opened, aside) = match open_to_write(path, patience) {
            Ok(Opened::Older) => begin_again(
                path,
                patience,
                known,
                "of an older version".to_owned(),
                aside,
            ),
            Err(error) if is_broken(&error) => {
                begin_again(path, patience, known, error.to_string(), aside)
            }
            opened => (opened, aside),
        };
        let mut store = match opened {
            Ok(Opened::Ours(database)) => Self::new(database, Place::Disk(identity(path))),
            Ok(Opened::Older) => return Err(rusqlite::Error::InvalidQuery),
            Ok(Opened::Newer) => Self::refuge(Unkept::newer(path), None)?,
            Err(error) => Self::refuge(Unkept::refused(path, &error), at_rest(path).as_ref())?,
        };
        store.aside = aside;
        Ok(store)
    }

    fn refuge(unkept: Unkept, seed: Option<&Database>) -> rusqlite::Result<Self> {
        tracing::warn!(%unkept, "Snapshots are held in memory");
        let database = open_in_memory()?;
        if let Some(seed) = seed {
            copy(seed, &database)?;
        }
        let tried = Instant::now();
        Ok(Self::new(database, Place::Refuge { unkept, tried }))
    }

    pub(super) fn in_memory() -> rusqlite::Result<Self> {
        Ok(Self::new(open_in_memory()?, Place::Memory))
    }

    pub(super) fn looking(database: Database) -> Self {
        Self::new(database, Place::Looking { broken: false })
    }

    fn new(database: Database, place: Place) -> Self {
        Self {
            database,
            place,
            aside: None,
            generation: 0,
        }
    }

    /// Why numbers are not kept, if they are not.
    pub(super) fn unkept(&self) -> Option<&Unkept> {
        match &self.place {
            Place::Refuge { unkept, .. } => Some(unkept),
            _ => None,
        }
    }

    /// True if a file that is only looked at turned out to be broken.
    pub(super) fn met_broken(&self) -> bool {
        matches!(self.place, Place::Looking { broken: true })
    }

    /// What to do after `error`: true if there is another database now, and the work is to be done again.
    pub(super) fn recover(&mut self, path: &Path, error: &rusqlite::Error) -> bool {
        let known = match &mut self.place {
            Place::Memory | Place::Refuge { .. } => return false,
            Place::Looking { broken } => {
                *broken |= is_broken(error);
                return false;
            }
            Place::Disk(known) => *known,
        };
        let next = if is_broken(error) {
            let (why, patience) = (error.to_string(), RETURN_PATIENCE);
            let (opened, aside) = begin_again(path, patience, known, why, self.aside.take());
            self.aside = aside;
            match opened {
                Ok(Opened::Ours(database)) => Ok(Self::new(database, Place::Disk(identity(path)))),
                Ok(Opened::Older) => return false,
                Ok(Opened::Newer) => Self::refuge(Unkept::newer(path), None),
                Err(error) => Self::refuge(Unkept::refused(path, &error), None),
            }
        } else if error.sqlite_error_code().is_some() {
            // What can be read here can be read still, or else without the locks.
            Self::refuge(Unkept::refused(path, error), Some(&self.database)).inspect(|refuge| {
                if refuge.is_empty()
                    && let Some(seed) = at_rest(path)
                {
                    copy(&seed, &refuge.database).ok();
                }
            })
        } else {
            return false;
        };
        next.map(|next| self.become_next(next)).is_ok()
    }

    /// Looks whether the file is still the one that was opened, and whether the disk can be used again.
    pub(super) fn follow(&mut self, path: &Path) {
        match &mut self.place {
            Place::Disk(known) if *known != identity(path) => {
                if let Ok(next) = Self::open(path, RETURN_PATIENCE) {
                    if next.unkept().is_some() {
                        copy(&self.database, &next.database).ok();
                    }
                    self.become_next(next);
                }
            }
            Place::Refuge { tried, .. } if tried.elapsed() >= RETURN => {
                *tried = Instant::now();
                if let Ok(next) = Self::open(path, RETURN_PATIENCE)
                    && next.unkept().is_none()
                    && copy(&self.database, &next.database).is_ok()
                {
                    self.become_next(next);
                }
            }
            _ => {}
        }
    }

    fn become_next(&mut self, next: Self) {
        let aside = next.aside.or_else(|| self.aside.take());
        *self = Self {
            aside,
            generation: self.generation + 1,
            ..next
        };
    }

    fn is_empty(&self) -> bool {
        let any = "SELECT EXISTS (SELECT 1 FROM views) OR EXISTS (SELECT 1 FROM projects)";
        !self
            .database
            .query_row(any, [], |row| row.get(0))
            .unwrap_or(false)
    }

    #[cfg(test)]
    pub(super) fn try_again_now(&mut self) {
        if let Place::Refuge { tried, .. } = &mut self.place {
            *tried = tried.checked_sub(RETURN).unwrap_or(*tried);
        }
    }
}

/// A new database in place of one that is useless, unless another program was faster.
fn begin_again(
    path: &Path,
    patience: Duration,
    known: Option<(u64, u64)>,
    why: String,
    aside: Option<Aside>,
) -> (rusqlite::Result<Opened>, Option<Aside>) {
    let moved = set_aside_unless_replaced(path, known).map(|to| Aside { to, why });
    // The new file is private too.
    if let Err(error) = prepare(path) {
        tracing::warn!(%error, "the Snapshots could not be begun again");
    }
    (open_to_write(path, patience), moved.or(aside))
}

fn at_rest(path: &Path) -> Option<Database> {
    let file = std::fs::canonicalize(path).ok()?;
    open_at_rest(&file).ok().flatten()
}
