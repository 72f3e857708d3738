//! Opens the database: to write, to read while others write, or as a file that no process has open.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use pockethog_device::private_files::{
    PrivateError, check_owner, identity, keep_private, make_file, make_folder,
};
use rusqlite::{Connection as Database, ErrorCode, OpenFlags};
use url::Url;

use super::histories;

/// Version of the layout. An older one is set aside, since everything can be asked again; a newer one is left alone,
/// so that two versions of PocketHog do not set each other's aside in turns.
const VERSION: i64 = 1;

/// How long a writer waits for another.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// How long a reader waits. Writers do not block it, but for the moment in which the last of them leaves.
const READER_PATIENCE: Duration = Duration::from_millis(500);

/// Pages of the log that are moved into the file at once, 16 MB: the disk has to confirm it, which takes it ten
/// milliseconds, and the numbers of two thousand projects are not worth that a dozen times.
const CHECKPOINT_PAGES: i64 = 4_000;

/// A file that was changed longer ago than this is at rest: every later change shows in its time, whatever the
/// grain of the file system's clock.
const REST: Duration = Duration::from_secs(2);

/// As much of the file as is read without a copy.
const MAPPED: i64 = 1 << 30;

/// A larger file is not ours: the numbers of two thousand projects take a quarter of it.
const LARGEST: u64 = 1 << 30;

/// The files of SQLite beside the database itself.
const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A database that was moved away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Aside {
    pub(super) to: PathBuf,
    pub(super) why: String,
}

/// Makes the folder and the files private, and sets aside what is in the way: something that is no file, or a
/// file of somebody else.
///
/// # Errors
///
/// A folder of another user, or one that cannot be used.
pub(super) fn prepare(path: &Path) -> Result<Option<Aside>, PrivateError> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let aside = misplaced(path).map(|why| Aside {
        to: set_aside(path),
        why,
    });
    // SQLite gives the files beside it the mode of the file itself.
    make_file(path)?;
    for side in SIDES {
        keep_private(Path::new(&beside(path, side)))?;
    }
    Ok(aside)
}

/// Why the file, or one beside it, cannot be ours.
pub(super) fn misplaced(path: &Path) -> Option<String> {
    let sides = SIDES.map(|side| PathBuf::from(beside(path, side)));
    std::iter::once(path)
        .chain(sides.iter().map(PathBuf::as_path))
        .find_map(|file| {
            let named = fs::symlink_metadata(file).ok()?;
            // A link that leads nowhere yet is judged by itself.
            let found = fs::metadata(file).unwrap_or(named);
            if !(found.is_file() || found.is_symlink()) {
                Some("no regular file".to_owned())
            } else if found.len() > LARGEST {
                Some("too large to be PocketHog's".to_owned())
            } else {
                check_owner(file).err().map(|error| match error.owner() {
                    Some(owner) => format!("a file of {owner}"),
                    None => error.to_string(),
                })
            }
        })
}

/// A database that was opened to be written.
pub(super) enum Opened {
    /// It has our layout.
    Ours(Database),
    /// It has the layout of an older version.
    Older,
    /// It has the layout of a newer version. Nothing was changed.
    Newer,
}

/// The database, laid out.
pub(super) fn open_to_write(path: &Path, patience: Duration) -> rusqlite::Result<Opened> {
    let database = Database::open(path)?;
    database.busy_timeout(patience)?;
    // Damage is found when a page is read, not by chance.
    database.pragma_update(None, "cell_size_check", true)?;
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        // Readers do not block the writer, nor the writer readers, in several processes.
        database.pragma_update(None, "journal_mode", "WAL")?;
        lay_out(&database)?;
    } else if version > VERSION {
        return Ok(Opened::Newer);
    } else if version < VERSION {
        return Ok(Opened::Older);
    }
    histories::lay_out(&database)?;
    database.pragma_update(None, "synchronous", "NORMAL")?;
    database.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    Ok(Opened::Ours(database))
}

/// Whether the file has the layout of a newer version, read without opening it as a database: nothing beside it is
/// made. What a newer program has written and not yet moved into the file is found by `open_to_write`.
pub fn is_newer(path: &Path) -> bool {
    /// The header of the file format: its name, and where `user_version` is, with the most significant byte first.
    const NAME: &[u8] = b"SQLite format 3\0";
    const VERSION_AT: std::ops::Range<usize> = 60..64;
    let mut header = Vec::with_capacity(VERSION_AT.end);
    let is_file = fs::metadata(path).is_ok_and(|found| found.is_file());
    let read = is_file
        .then(|| fs::File::open(path).ok())
        .flatten()
        .and_then(|file| {
            let mut start = file.take(VERSION_AT.end as u64);
            start.read_to_end(&mut header).ok()
        });
    let version = header
        .get(VERSION_AT)
        .and_then(|bytes| Some(i32::from_be_bytes(bytes.try_into().ok()?)));
    read.is_some()
        && header.starts_with(NAME)
        && version.is_some_and(|version| i64::from(version) > VERSION)
}

/// An empty database that ends with the program.
pub(super) fn open_in_memory() -> rusqlite::Result<Database> {
    let database = Database::open_in_memory()?;
    lay_out(&database)?;
    histories::lay_out(&database)?;
    Ok(database)
}

/// The file as it is, without any lock.
pub(super) fn open_at_rest(path: &Path) -> rusqlite::Result<Option<Database>> {
    let mut address =
        Url::from_file_path(path).map_err(|()| rusqlite::Error::InvalidPath(path.to_owned()))?;
    address.set_query(Some("immutable=1"));
    read_only(Path::new(address.as_str()), OpenFlags::SQLITE_OPEN_URI)
}

pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Option<Database>> {
    if !path.exists() {
        return Ok(None);
    }
    read_only(path, OpenFlags::empty())
}

fn read_only(path: &Path, flags: OpenFlags) -> rusqlite::Result<Option<Database>> {
    let usual = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Database::open_with_flags(path, usual | flags)?;
    database.busy_timeout(READER_PATIENCE)?;
    database.pragma_update(None, "mmap_size", MAPPED)?;
    // One transaction for all that is read: one moment, and locked once.
    database.execute_batch("BEGIN")?;
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((version == VERSION).then_some(database))
}

/// A database that nobody writes to: when it was changed last, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    changed: SystemTime,
    length: u64,
}

impl Rest {
    /// `None` if somebody may be writing, or there is no file.
    pub(super) fn of(path: &Path) -> Option<Self> {
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

/// True if the file is no database of ours; false if the disk or another program is at fault.
pub(super) fn is_broken(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch => true,
            // Our statements are sound: a table or a column is missing.
            ErrorCode::Unknown => failure.extended_code == rusqlite::ffi::SQLITE_ERROR,
            _ => false,
        },
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => false,
    }
}

/// Sets the database aside, unless another program has put a new one in its place already.
pub(super) fn set_aside_unless_replaced(path: &Path, known: Option<(u64, u64)>) -> Option<PathBuf> {
    (identity(path) == known).then(|| set_aside(path))
}

/// Moves the database away, whatever it is. Of those that were moved before, none stays.
pub(super) fn set_aside(path: &Path) -> PathBuf {
    for old in set_aside_before(path) {
        fs::remove_file(&old).ok();
    }
    let aside = path.with_extension(format!("{SET_ASIDE}{}", Timestamp::now().as_millisecond()));
    if let Err(error) = fs::rename(path, &aside) {
        tracing::warn!(path = %path.display(), %error, "the Snapshots could not be set aside");
    }
    for side in SIDES {
        // They belong to the file that was moved; usually there are none.
        let side = beside(path, side);
        if fs::symlink_metadata(&side).is_ok_and(|found| found.is_dir()) {
            fs::rename(&side, aside.with_extension("beside")).ok();
        } else {
            fs::remove_file(&side).ok();
        }
    }
    aside
}

/// Begins the extension of a database that was set aside.
const SET_ASIDE: &str = "set-aside-";

/// Databases that were set aside and are there still.
pub fn set_aside_before(path: &Path) -> Vec<PathBuf> {
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let files = entries.into_iter().flatten().flatten();
    files
        .map(|entry| entry.path())
        .filter(|file| {
            file.file_stem() == path.file_stem()
                && file
                    .extension()
                    .is_some_and(|end| end.to_string_lossy().starts_with(SET_ASIDE))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::{breakdowns, connection, discovery, history, ids, project};
    use super::super::store::Store;
    use super::super::{Breakdowns, Range, View};
    use super::super::{SnapshotError, Snapshots};
    use super::*;

    /// The numbers of a project, if there are any.
    fn numbers(snapshots: &Snapshots, id: u64) -> Option<i64> {
        let view = View::Breakdowns(Range::Week);
        let found: Option<Breakdowns> = snapshots.view(&project(id).key, view).unwrap();
        found.map(|found| found.measured_at.as_second())
    }

    fn put_numbers(snapshots: &mut Snapshots, id: u64) {
        let at = i64::try_from(id).unwrap();
        snapshots.put(&project(id).key, &breakdowns(at)).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn folder_and_files_are_private_however_they_came_to_be() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let path = cache.join("snapshots.sqlite");
        let open_to_all = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let modes = || {
            let entries = fs::read_dir(&cache)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            let paths: Vec<PathBuf> = entries.chain([cache.clone()]).collect();
            let mode = |path: &PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
            let mut modes: Vec<u32> = paths.iter().map(mode).collect();
            modes.sort_unstable();
            modes
        };
        fs::create_dir(&cache).unwrap();
        open_to_all(&cache, 0o777);
        let mut snapshots = Snapshots::open(&path).unwrap();
        put_numbers(&mut snapshots, 1);
        // The file, its log, and what is shared with other processes.
        assert_eq!(modes(), [0o600, 0o600, 0o600, 0o700]);
        for side in ["", "-wal", "-shm"] {
            open_to_all(Path::new(&beside(&path, side)), 0o666);
        }
        open_to_all(&cache, 0o755);
        Snapshots::open(&path).unwrap();
        assert_eq!(modes(), [0o600, 0o600, 0o600, 0o700]);
    }

    #[cfg(unix)]
    #[test]
    fn what_somebody_else_planted_is_not_used() {
        use std::os::unix::fs::{chown, lchown, symlink};
        const SOMEBODY: u32 = 54_321;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/snapshots.sqlite");
        put(&path, 1);
        // Only root can give files away.
        if chown(&path, Some(SOMEBODY), None).is_err() {
            return;
        }
        assert!(Snapshots::look(&path, |found| found.is_none()));
        let remarks = Snapshots::open(&path).unwrap().remarks();
        let path_and_owner = format!("{} could not be used (a file of 54321)", path.display());
        assert!(remarks[0].contains(&path_and_owner), "{remarks:?}");

        let target = folder.path().join("target");
        fs::write(&target, "").unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&target, &path).unwrap();
        lchown(&path, Some(SOMEBODY), None).unwrap();
        put(&path, 2);
        assert!(!path.is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"");

        chown(path.parent().unwrap(), Some(SOMEBODY), None).unwrap();
        assert!(Snapshots::look(&path, |found| found.is_none()));
        let mut snapshots = Snapshots::open(&path).unwrap();
        put_numbers(&mut snapshots, 3);
        assert_eq!(numbers(&snapshots, 3), Some(3));
        let remark = snapshots.unkept().unwrap().to_string();
        assert!(remark.contains("belongs to 54321"), "{remark}");
        assert!(remark.contains("POCKETHOG_HOME"), "{remark}");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_set_aside() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let opens_anew = || {
            assert!(Snapshots::look(&path, |found| found.is_none()));
            let snapshots = Snapshots::open(&path).unwrap();
            assert!(snapshots.remarks()[0].contains("no regular file"));
            assert_eq!(snapshots.unkept(), None);
            drop(snapshots);
            fs::remove_file(&path).unwrap();
        };
        opens_anew();
        fs::create_dir(&path).unwrap();
        opens_anew();
        symlink("/dev/zero", &path).unwrap();
        opens_anew();
        put(&path, 1);
        let wal = beside(&path, "-wal");
        let made = std::process::Command::new("mkfifo").arg(&wal).status();
        assert!(made.unwrap().success());
        opens_anew();
    }

    #[test]
    fn a_huge_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        fs::File::create(&path).unwrap().set_len(200 << 20).unwrap();
        assert!(Snapshots::look(&path, |found| found.is_none()));
        assert!(ids(&Snapshots::open(&path).unwrap()).is_empty());
        assert_eq!(set_aside_before(&path).len(), 1);
    }

    /// So many projects have closed days.
    const WITH_HISTORY: u64 = 40;

    /// A database of several pages for each table, all of it in one file.
    fn many_pages(path: &Path) -> Vec<u8> {
        let mut snapshots = Snapshots::open(path).unwrap();
        let every: Vec<u64> = (1..200).collect();
        let found = discovery(&every, None);
        let now = Timestamp::UNIX_EPOCH;
        snapshots.put_discovery(&connection(), &found, now).unwrap();
        for id in every {
            put_numbers(&mut snapshots, id);
        }
        for id in 1..=WITH_HISTORY {
            let key = project(id).key;
            snapshots.put_history(&key, &history(now)).unwrap();
        }
        drop(snapshots);
        fs::read(path).unwrap()
    }

    #[test]
    fn a_corrupt_page_is_set_aside_by_whoever_meets_it() {
        const PAGE: usize = 4096;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        let sound = many_pages(&path);
        let pages = sound.len() / PAGE;
        let mut met = 0;
        for page in 0..pages {
            let mut broken = sound.clone();
            // The header of the file stays as it is.
            let begin = if page == 0 { 100 } else { page * PAGE };
            broken[begin..(page + 1) * PAGE].fill(0xa5);
            fs::write(&path, &broken).unwrap();
            // Whoever looks gets an answer without an error, here and further down.
            let rest = SystemTime::now() - REST * 2;
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(rest)
                .unwrap();
            let answered = Snapshots::look(&path, |found| {
                let Some(found) = found else { return true };
                found.projects().is_ok() && found.all_today().is_ok()
            });
            assert!(answered, "page {page}");
            let looked = !path.exists();
            if looked {
                fs::write(&path, &broken).unwrap();
            }
            let mut snapshots = Snapshots::open(&path).unwrap();
            ids(&snapshots);
            snapshots.all_trouble().unwrap();
            snapshots.discovery(&connection()).unwrap();
            for id in 1..=WITH_HISTORY {
                snapshots.known_history(&project(id).key).unwrap();
                snapshots.history(&project(id).key).unwrap();
            }
            for id in 1..200 {
                numbers(&snapshots, id);
                put_numbers(&mut snapshots, id);
                assert_eq!(numbers(&snapshots, id), Some(i64::try_from(id).unwrap()));
            }
            assert_eq!(snapshots.unkept(), None, "page {page}");
            met += usize::from(snapshots.set_aside().is_some());
            drop(snapshots);
            for old in set_aside_before(&path) {
                fs::remove_file(old).unwrap();
            }
        }
        assert!(pages > 8 && met == pages, "{met} of {pages} were met");
    }

    #[test]
    fn a_corrupt_page_in_the_middle_of_a_write_loses_none_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        let mut broken = many_pages(&path);
        let pages = broken.len() / 4096;
        broken[4096..pages * 4096].fill(0xa5);
        fs::write(&path, &broken).unwrap();
        let mut snapshots = Snapshots::open(&path).unwrap();
        snapshots
            .together(|snapshots| {
                put_numbers_or(snapshots, 1)?;
                put_numbers_or(snapshots, 2)
            })
            .unwrap();
        assert_eq!(
            (numbers(&snapshots, 1), numbers(&snapshots, 2)),
            (Some(1), Some(2))
        );
        assert_eq!(numbers(&Snapshots::open(&path).unwrap(), 2), Some(2));
    }

    fn put_numbers_or(snapshots: &mut Snapshots, id: u64) -> Result<(), SnapshotError> {
        let at = i64::try_from(id).unwrap();
        snapshots.put(&project(id).key, &breakdowns(at))
    }

    #[test]
    fn on_a_full_disk_numbers_are_shown_and_kept_once_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        let mut snapshots = Snapshots::open(&path).unwrap();
        put_numbers(&mut snapshots, 1);
        let before = snapshots.stamp().unwrap();
        let full = |snapshots: &Snapshots| {
            let store = snapshots.store.borrow();
            store
                .database
                .pragma_update(None, "max_page_count", 1)
                .unwrap();
        };
        full(&snapshots);
        for id in 2..100 {
            put_numbers(&mut snapshots, id);
        }
        let shown: Vec<_> = [1, 2, 99].map(|id| numbers(&snapshots, id)).into();
        assert_eq!(shown, [Some(1), Some(2), Some(99)]);
        let remark = snapshots.unkept().unwrap().to_string();
        assert!(remark.contains("the disk is full"), "{remark}");
        assert!(remark.contains(&path.display().to_string()), "{remark}");
        assert!(snapshots.stamp().unwrap().others_wrote_since(before));
        assert_eq!(numbers(&Snapshots::open(&path).unwrap(), 99), None);

        snapshots.store.borrow_mut().try_again_now();
        snapshots.stamp().unwrap();
        assert_eq!(snapshots.unkept(), None);
        assert_eq!(numbers(&Snapshots::open(&path).unwrap(), 99), Some(99));
    }

    #[test]
    fn a_database_that_another_program_locks_is_read_without_its_locks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        put(&path, 1);
        let holder = Database::open(&path).unwrap();
        holder
            .pragma_update(None, "locking_mode", "EXCLUSIVE")
            .unwrap();
        holder
            .execute_batch("BEGIN EXCLUSIVE; DELETE FROM troubles; COMMIT;")
            .unwrap();
        assert_eq!(Snapshots::look(&path, |found| ids(found.unwrap())), [1]);
        let mut snapshots = Snapshots::open_within(&path, Duration::ZERO).unwrap();
        put_numbers(&mut snapshots, 1);
        assert_eq!(
            (ids(&snapshots), numbers(&snapshots, 1)),
            (vec![1], Some(1))
        );
        let remark = snapshots.unkept().unwrap().to_string();
        assert!(remark.contains("is locked by another program"), "{remark}");

        // The holder moves its log into the file while it is read.
        let whole = fs::read(&path).unwrap();
        let mut half = whole.clone();
        half[4096..].fill(0xff);
        fs::write(&path, half).unwrap();
        let seen = Snapshots::look(&path, |found| found.map(|found| found.projects().is_ok()));
        assert_eq!(seen, None);
        fs::write(&path, whole).unwrap();
        assert!(set_aside_before(&path).is_empty());
        assert_eq!(Snapshots::look(&path, |found| ids(found.unwrap())), [1]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_leaves_numbers_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        fs::write(&cache, "a file").unwrap();
        let path = cache.join("snapshots.sqlite");
        assert!(Snapshots::look(&path, |found| found.is_none()));
        let mut snapshots = Snapshots::open(&path).unwrap();
        put_numbers(&mut snapshots, 1);
        assert_eq!(numbers(&snapshots, 1), Some(1));
        let remark = snapshots.unkept().unwrap().to_string();
        assert!(remark.contains(&cache.display().to_string()), "{remark}");
    }

    #[cfg(unix)]
    #[test]
    fn a_database_that_was_deleted_or_replaced_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        let mut app = Snapshots::open(&path).unwrap();
        put_numbers(&mut app, 1);
        let before = app.stamp().unwrap();
        set_aside(&path);
        put_numbers(&mut Snapshots::open(&path).unwrap(), 2);
        assert!(app.stamp().unwrap().others_wrote_since(before));
        assert_eq!((numbers(&app, 1), numbers(&app, 2)), (None, Some(2)));
        put_numbers(&mut app, 3);
        drop(app);
        assert_eq!(numbers(&Snapshots::open(&path).unwrap(), 3), Some(3));
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
    fn a_database_of_an_older_version_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        database_of(&path, VERSION - 2);
        assert!(Snapshots::open(&path).unwrap().set_aside().is_some());
        assert!(Snapshots::open(&path).unwrap().set_aside().is_none());
    }

    #[test]
    fn a_database_of_a_newer_version_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        let mut running = Snapshots::open(&path).unwrap();
        put_numbers(&mut running, 1);
        assert!(!is_newer(&path));
        // The newer one sets the old layout aside and begins its own while this one runs.
        set_aside(&path);
        database_of(&path, VERSION + 1);
        let bytes = fs::read(&path).unwrap();
        assert!(is_newer(&path));
        for _ in 0..2 {
            // A running program looks now and then whether the file is still the same.
            running.stamp().unwrap();
            put_numbers(&mut running, 2);
            let unkept = running.unkept().unwrap();
            assert!(unkept.to_string().contains("a newer version"), "{unkept}");
            assert_eq!(numbers(&running, 2), Some(2));
            let fresh = Snapshots::open(&path).unwrap();
            assert!(fresh.unkept().is_some() && fresh.set_aside().is_none());
            assert!(Snapshots::look(&path, |found| found.is_none()));
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    fn database_of(path: &Path, version: i64) {
        let database = Database::open(path).unwrap();
        database
            .pragma_update(None, "user_version", version)
            .unwrap();
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
        let cannot_write = |database: Database| {
            let mut reader = Snapshots::of(&path, Ok(Store::looking(database))).unwrap();
            assert!(reader.forget_connection(&connection()).is_err());
        };
        cannot_write(open_to_read(&path).unwrap().unwrap());
        at_rest(&path);
        cannot_write(open_at_rest(&path).unwrap().unwrap());
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
