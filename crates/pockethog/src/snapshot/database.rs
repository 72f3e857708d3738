//! Opening the database: to write, to read while others write, or as a file that lies there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rusqlite::{Connection as Database, OpenFlags};
use url::Url;

use super::{SnapshotError, Snapshots, failed};
use crate::folders::make_private;

/// Version of the layout. Another one is set aside, older or newer: everything can be asked again.
const VERSION: i64 = 1;

/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(3);

/// Pages of the log that are moved into the file at once, 16 MB: the disk has to confirm it, which takes it ten
/// milliseconds, and the numbers of two thousand projects are not worth that a dozen times.
const CHECKPOINT_PAGES: i64 = 4_000;

/// A file that was changed longer ago than this is at rest: every later change shows in its time, whatever the
/// grain of the file system's clock.
const REST: Duration = Duration::from_secs(2);

/// As much of the file as is read without a copy; more than it will ever be.
const MAPPED: i64 = 1 << 30;

impl Snapshots {
    /// Opens the database, making it where there is none and setting a useless one aside.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written to.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        if let Some(folder) = path.parent() {
            // Opening the database tells the reason where this fails.
            make_private(folder).ok();
        }
        match Self::open_as_is(path) {
            Ok(Some(snapshots)) => Ok(snapshots),
            Err(error) if !is_broken(&error) => Err(failed(path, error)),
            Ok(None) | Err(_) => {
                let aside = set_aside(path);
                let snapshots = Self::open_as_is(path).map_err(|error| failed(path, error))?;
                let mut snapshots =
                    snapshots.ok_or_else(|| failed(path, rusqlite::Error::InvalidQuery))?;
                snapshots.set_aside = Some(aside);
                Ok(snapshots)
            }
        }
    }

    /// Snapshots that end with the program: where the disk cannot be written to.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn in_memory() -> Result<Self, SnapshotError> {
        let path = Path::new(":memory:");
        let database = Database::open_in_memory().map_err(|error| failed(path, error))?;
        lay_out(&database).map_err(|error| failed(path, error))?;
        Ok(Self {
            database,
            path: path.to_owned(),
            set_aside: None,
        })
    }

    /// Lets `read` see the database without making or changing one: for a short process that shows what is
    /// there. It gets `None` where there is none of this version that can be read.
    ///
    /// Most often nobody has the file open, and then it is read as it lies there: the file that SQLite shares
    /// with other processes costs more to make than everything is to read, and needs a folder that can be
    /// written to. Where the file changed meanwhile, `read` is called again with all the locks.
    pub fn look<T>(path: &Path, read: impl Fn(Option<&Self>) -> T) -> T {
        // SQLite's other files lie beside the file itself, not beside a link to it.
        if let Ok(file) = fs::canonicalize(path)
            && let Some(rest) = Rest::of(&file)
            && let Ok(Some(snapshots)) = Self::open_at_rest(&file)
        {
            let answer = read(Some(&snapshots));
            if Rest::of(&file) == Some(rest) {
                return answer;
            }
        }
        read(Self::open_to_read(path).ok().flatten().as_ref())
    }

    /// Where a database that could not be used was moved to.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    fn open_as_is(path: &Path) -> rusqlite::Result<Option<Self>> {
        let database = Database::open(path)?;
        database.busy_timeout(PATIENCE)?;
        let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            // Readers do not block the writer, nor the writer readers, in several processes.
            database.pragma_update(None, "journal_mode", "WAL")?;
            lay_out(&database)?;
        } else if version != VERSION {
            return Ok(None);
        }
        database.pragma_update(None, "synchronous", "NORMAL")?;
        database.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        Ok(Some(Self {
            database,
            path: path.to_owned(),
            set_aside: None,
        }))
    }

    fn open_at_rest(path: &Path) -> rusqlite::Result<Option<Self>> {
        let mut address = Url::from_file_path(path)
            .map_err(|()| rusqlite::Error::InvalidPath(path.to_owned()))?;
        address.set_query(Some("immutable=1"));
        Self::read_only(Path::new(address.as_str()), OpenFlags::SQLITE_OPEN_URI)
    }

    fn open_to_read(path: &Path) -> rusqlite::Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        Self::read_only(path, OpenFlags::empty())
    }

    fn read_only(path: &Path, flags: OpenFlags) -> rusqlite::Result<Option<Self>> {
        let usual = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Database::open_with_flags(path, usual | flags)?;
        database.busy_timeout(PATIENCE)?;
        database.pragma_update(None, "mmap_size", MAPPED)?;
        let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
        // One transaction for all that is read: one moment, and locked once.
        database.execute_batch("BEGIN")?;
        Ok((version == VERSION).then(|| Self {
            database,
            path: path.to_owned(),
            set_aside: None,
        }))
    }
}

/// A database that nobody writes to: when it was changed last, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    changed: SystemTime,
    length: u64,
}

impl Rest {
    /// `None` where somebody may be writing, or there is no file.
    fn of(path: &Path) -> Option<Self> {
        let holds = |suffix| fs::metadata(beside(path, suffix)).is_ok_and(|side| side.len() > 0);
        if holds("-wal") || holds("-journal") {
            return None;
        }
        let file = fs::metadata(path).ok()?;
        let changed = file.modified().ok()?;
        (changed.elapsed().ok()? >= REST).then_some(Self {
            changed,
            length: file.len(),
        })
    }
}

fn beside(path: &Path, suffix: &str) -> OsString {
    let mut side = path.as_os_str().to_owned();
    side.push(suffix);
    side
}

fn lay_out(database: &Database) -> rusqlite::Result<()> {
    database.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS projects (
             host TEXT NOT NULL, id INTEGER NOT NULL, connection TEXT NOT NULL,
             place TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (host, id)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS discoveries (
             connection TEXT PRIMARY KEY, found_at INTEGER NOT NULL, failures TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS views (
             host TEXT NOT NULL, id INTEGER NOT NULL, view TEXT NOT NULL,
             measured_at INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (host, id, view));
         CREATE TABLE IF NOT EXISTS troubles (
             host TEXT NOT NULL, id INTEGER NOT NULL, view TEXT NOT NULL, json TEXT NOT NULL,
             PRIMARY KEY (host, id, view));
         PRAGMA user_version = {VERSION};
         COMMIT;"
    ))
}

/// True where the file is no database of ours; false where the disk or another program is at fault.
fn is_broken(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => {
            matches!(failure.code, DatabaseCorrupt | NotADatabase)
        }
        _ => false,
    }
}

fn set_aside(path: &Path) -> PathBuf {
    let aside = path.with_extension(format!("set-aside-{}", Timestamp::now().as_second()));
    if let Err(error) = fs::rename(path, &aside) {
        tracing::warn!(path = %path.display(), %error, "the Snapshots could not be set aside");
    }
    for suffix in ["-wal", "-shm"] {
        // They belong to the file that was moved; usually there are none.
        fs::remove_file(beside(path, suffix)).ok();
    }
    aside
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::{connection, discovery, ids};
    use super::*;

    #[cfg(unix)]
    #[test]
    fn other_users_cannot_look_into_the_folder() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        Snapshots::open(&cache.join("snapshots.sqlite")).unwrap();
        let mode = std::fs::metadata(&cache).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_broken_database_is_set_aside_and_rebuilt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        std::fs::write(
            &path,
            "this is no database, however long it may be".repeat(50),
        )
        .unwrap();
        let snapshots = Snapshots::open(&path).unwrap();
        assert!(snapshots.set_aside().unwrap().exists());
        assert!(ids(&snapshots).is_empty());
    }

    #[test]
    fn a_database_of_a_newer_version_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        Database::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", VERSION + 1)
            .unwrap();
        assert!(Snapshots::open(&path).unwrap().set_aside().is_some());
        assert!(Snapshots::open(&path).unwrap().set_aside().is_none());
    }

    /// A database of one project that nobody has touched for long.
    fn at_rest(path: &Path) {
        put(path, 1);
        let long_ago = SystemTime::now() - REST * 2;
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(long_ago).unwrap();
    }

    fn put(path: &Path, id: u64) {
        Snapshots::open(path)
            .unwrap()
            .put_discovery(
                &connection(),
                &discovery(&[id], None),
                Timestamp::UNIX_EPOCH,
            )
            .unwrap();
    }

    fn names(folder: &Path) -> Vec<OsString> {
        let files = fs::read_dir(folder).unwrap();
        files.map(|file| file.unwrap().file_name()).collect()
    }

    #[test]
    fn who_looks_makes_no_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/snapshots.sqlite");
        assert!(Snapshots::look(&path, |found| found.is_none()));
        assert!(!path.exists());
    }

    #[test]
    fn who_looks_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        put(&path, 1);
        let mut reader = Snapshots::open_to_read(&path).unwrap().unwrap();
        assert!(reader.forget_connection(&connection()).is_err());
        drop(reader);
        at_rest(&path);
        let mut reader = Snapshots::open_at_rest(&path).unwrap().unwrap();
        assert!(reader.forget_connection(&connection()).is_err());
    }

    #[test]
    fn a_file_at_rest_is_read_without_a_file_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snap shots?%.sqlite");
        at_rest(&path);
        let seen = Snapshots::look(&path, |found| (ids(found.unwrap()), names(folder.path())));
        assert_eq!(seen, (vec![1], vec!["snap shots?%.sqlite".into()]));
    }

    #[test]
    fn what_a_writer_has_not_moved_into_the_file_yet_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        at_rest(&path);
        let mut writer = Snapshots::open(&path).unwrap();
        writer
            .put_discovery(&connection(), &discovery(&[2], None), Timestamp::UNIX_EPOCH)
            .unwrap();
        assert_eq!(Snapshots::look(&path, |found| ids(found.unwrap())), [2]);
        #[cfg(unix)]
        {
            let link = folder.path().join("link.sqlite");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            assert_eq!(Snapshots::look(&link, |found| ids(found.unwrap())), [2]);
        }
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        at_rest(&path);
        let looks = std::cell::Cell::new(0);
        let seen = Snapshots::look(&path, |found| {
            looks.set(looks.get() + 1);
            let seen = ids(found.unwrap());
            if looks.get() == 1 {
                put(&path, 2);
            }
            seen
        });
        assert_eq!((looks.get(), seen), (2, vec![2]));
    }
}
