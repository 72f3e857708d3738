//! Opening the Snapshots: to write, in memory, or for a look.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pockethog_device::private_files::{check_owner, identity};

use super::database::{
    PATIENCE, Rest, is_broken, misplaced, open_at_rest, open_to_read, set_aside_unless_replaced,
};
use super::store::Store;
use super::{SnapshotError, Snapshots};

impl Snapshots {
    /// Opens the database, making it if there is none and setting a useless one aside. If it cannot be kept on
    /// this device, numbers are held in memory, beginning with what can be read: [`Snapshots::remarks`] says why.
    ///
    /// # Errors
    ///
    /// The database in memory cannot be opened.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        Self::open_within(path, PATIENCE)
    }

    /// As [`Snapshots::open`]; waits no longer for a lock of another program.
    ///
    /// # Errors
    ///
    /// As [`Snapshots::open`].
    pub fn open_within(path: &Path, patience: Duration) -> Result<Self, SnapshotError> {
        Self::of(path, Store::open(path, patience.min(PATIENCE)))
    }

    /// Snapshots that end with the program.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn in_memory() -> Result<Self, SnapshotError> {
        Self::of(Path::new(":memory:"), Store::in_memory())
    }

    /// Lets `read` see the database without making or changing one: for a short process that shows what is
    /// there. It gets `None` if there is none of this version that can be read; a broken one is set aside.
    ///
    /// Most often nobody has the file open, and then it is read as it is: the file that SQLite shares
    /// with other processes costs more to make than everything is to read, and needs a folder that can be
    /// written to. If the file changed in the meantime, `read` is called again with all the locks.
    pub fn look<T>(path: &Path, read: impl Fn(Option<&Self>) -> T) -> T {
        if misplaced(path).is_some()
            || path
                .parent()
                .is_some_and(|folder| check_owner(folder).is_err())
        {
            return read(None);
        }
        // SQLite's other files are beside the file itself, not beside a link to it.
        let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Some(rest) = Rest::of(&file)
            && let Ok(Some(database)) = open_at_rest(&file)
            && let Ok(snapshots) = Self::of(path, Ok(Store::looking(database)))
        {
            let answer = read(Some(&snapshots));
            if Rest::of(&file) == Some(rest) && !snapshots.met_broken() {
                return answer;
            }
        }
        let known = identity(path);
        let (opened, locked) = match open_to_read(&file) {
            Err(error) if is_broken(&error) => {
                set_aside_unless_replaced(path, known);
                (Ok(None), true)
            }
            // Without the locks it is still better than nothing.
            Err(_) => (open_at_rest(&file), false),
            opened => (opened, true),
        };
        let snapshots = opened.ok().flatten();
        let snapshots =
            snapshots.and_then(|database| Self::of(path, Ok(Store::looking(database))).ok());
        let answer = read(snapshots.as_ref());
        if snapshots.is_some_and(|snapshots| snapshots.met_broken()) {
            // Without the locks, a healthy file that is being written to looks broken too.
            if locked {
                set_aside_unless_replaced(path, known);
            }
            return read(None);
        }
        answer
    }
}
