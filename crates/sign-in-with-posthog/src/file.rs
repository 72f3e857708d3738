//! Files that are whole or absent, and locks beside them.
//!
//! A reader never meets half a record: writes go to a temporary file in the same folder, are synced,
//! renamed over the old one, and the folder is synced. Locks are files of their own that are never
//! deleted: locking the record itself would lock a file that the next rename replaces.
//!
//! Only regular files of a plausible size are read. A named pipe in the place of one would be waited
//! for without end, a device or a huge file would fill the memory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

/// How often a busy lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// How long a virus scanner may hold a file.
const SCANNER_PATIENCE: Duration = Duration::from_secs(2);

/// Why a file could not be used. The message names the file, the step and the operating system's error, which is
/// also the source. Remedies depend on it: free disk space, correct permissions, or remove what is in the file's
/// place.
#[derive(Debug, thiserror::Error)]
#[error("{}: {doing}: {source}", path.display())]
pub struct FileError {
    path: PathBuf,
    doing: &'static str,
    source: io::Error,
}

impl FileError {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn new(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            doing,
            source,
        }
    }
}

/// Makes a folder that only this user can look into.
pub(crate) fn create_private_folder(folder: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(folder)
        .map_err(|source| FileError::new(folder, "could not create the folder", source))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder).map(|found| found.permissions().mode() & 0o777);
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(|source| {
                FileError::new(folder, "could not close the folder to other users", source)
            })?;
        }
    }
    Ok(())
}

/// The bytes of a regular file of at most `limit` bytes; `None` if there is no such file.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    match read_regular(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::new(path, "could not be read", source)),
    }
}

fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true);
    let file = open_regular(path, &mut options)?;
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there is more; the size that the system tells may grow.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        let most = limit.div_ceil(1024);
        return Err(io::Error::other(format!(
            "it is larger than {most} KiB, so it was not written by this program"
        )));
    }
    Ok(bytes)
}

/// Opens a regular file. Other kinds are recognised before they are opened if possible, and nothing blocks.
fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    match fs::metadata(path) {
        Ok(found) => regular(&found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    let file = options.open(path)?;
    // It may have been replaced since.
    regular(&file.metadata()?)?;
    Ok(file)
}

fn regular(found: &fs::Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let what = if found.is_dir() {
        "a folder is in its place"
    } else {
        "a pipe, socket or device is in its place"
    };
    Err(io::Error::other(what))
}

/// Replaces the file as a whole, readable by this user only.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let failed = |source| FileError::new(path, "could not be written", source);
    let temporary = temporary_beside(path, bytes)?;
    crate::fail_point::reached("after_temporary_write");
    persist(temporary, path).map_err(failed)?;
    #[cfg(unix)]
    File::open(folder_of(path))
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    crate::fail_point::reached("after_rename");
    Ok(())
}

/// Writes a file unless there is one already: of two processes, the first one wins. Readable by this user only.
pub(crate) fn write_if_absent(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let failed = |source| FileError::new(path, "could not be written", source);
    let temporary = temporary_beside(path, bytes)?;
    match temporary.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
            Err(failed(error.error))
        }
        _ => Ok(()),
    }
}

/// A temporary file in the folder of `path` that holds `bytes`, synced.
fn temporary_beside(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, FileError> {
    let folder = folder_of(path);
    create_private_folder(folder)?;
    let failed = |source| FileError::new(path, "could not be written", source);
    // `NamedTempFile` creates with mode 0600 and refuses to follow an existing name.
    let mut temporary = NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(bytes).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    Ok(temporary)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("."))
}

/// Renames over the old file. Windows refuses while a virus scanner has it open, which passes.
fn persist(mut temporary: NamedTempFile, path: &Path) -> io::Result<()> {
    let give_up = Instant::now() + SCANNER_PATIENCE;
    loop {
        let Err(error) = temporary.persist(path) else {
            return Ok(());
        };
        let scanned = cfg!(windows) && error.error.kind() == io::ErrorKind::PermissionDenied;
        if !scanned || Instant::now() >= give_up {
            return Err(error.error);
        }
        temporary = error.file;
        std::thread::sleep(LOCK_POLL);
    }
}

/// Finds out, before anything depends on it, whether `length` bytes could be written to the folder now.
pub(crate) fn check_writable(folder: &Path, length: usize) -> Result<(), FileError> {
    create_private_folder(folder)?;
    let failed = |source| FileError::new(folder, "could not be written to", source);
    let mut temporary = NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(&vec![0; length]).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)
}

/// Removes a folder with all that is in it, if there is one.
pub(crate) fn remove_folder(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FileError::new(path, "could not be removed", source))
        }
        _ => Ok(()),
    }
}

/// Removes the file, if there is one.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::new(path, "could not be removed", error))
        }
        _ => Ok(()),
    }
}

/// A lock across processes, held until dropped. The only place that calls the file lock methods.
///
/// Clones share it: a write on another thread holds a clone, so that the lock outlives a task that is
/// cancelled in the meantime.
#[derive(Clone, Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its drop")] Arc<File>);

impl Lock {
    /// The lock, unless another process holds it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>, FileError> {
        Self::attempt(path, File::try_lock)
    }

    /// The lock, waiting for it; `None` after `patience`. Blocks the thread.
    pub(crate) fn take(path: &Path, patience: Duration) -> Result<Option<Self>, FileError> {
        Self::wait(path, patience, File::try_lock)
    }

    /// As [`Lock::take`], together with others that take it this way.
    pub(crate) fn take_shared(path: &Path, patience: Duration) -> Result<Option<Self>, FileError> {
        Self::wait(path, patience, File::try_lock_shared)
    }

    fn wait(path: &Path, patience: Duration, how: Attempt) -> Result<Option<Self>, FileError> {
        let give_up = Instant::now() + patience;
        loop {
            if let Some(lock) = Self::attempt(path, how)? {
                return Ok(Some(lock));
            }
            if Instant::now() >= give_up {
                return Ok(None);
            }
            std::thread::sleep(LOCK_POLL);
        }
    }

    fn attempt(path: &Path, how: Attempt) -> Result<Option<Self>, FileError> {
        let file = open_lock(path)?;
        match how(&file) {
            Ok(()) => Ok(Some(Self(Arc::new(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => {
                Err(FileError::new(path, "could not be locked", source))
            }
        }
    }
}

/// One of the two ways to lock a file without waiting.
type Attempt = fn(&File) -> Result<(), TryLockError>;

fn open_lock(path: &Path) -> Result<File, FileError> {
    if let Some(folder) = path.parent() {
        create_private_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    open_regular(path, &mut options)
        .map_err(|source| FileError::new(path, "could not be opened", source))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_written_file_is_private_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/record");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path, 3).unwrap().unwrap(), b"two");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o600);
            assert_eq!(mode(path.parent().unwrap()), 0o700);
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let file = File::create(&path).unwrap();
        file.set_len(200 << 20).unwrap();
        let error = read(&path, 64 << 10).unwrap_err().to_string();
        assert!(error.contains("larger than 64 KiB"), "{error}");
        file.set_len(64 << 10).unwrap();
        assert_eq!(read(&path, 64 << 10).unwrap().unwrap().len(), 64 << 10);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_a_regular_file_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let is_named = |path: &Path, what: &str| {
            for error in [
                read(path, 9).unwrap_err(),
                Lock::try_take(path).unwrap_err(),
            ] {
                let error = error.to_string();
                assert!(error.contains(what), "{error}");
            }
        };
        is_named(&pipe, "a pipe, socket or device is in its place");
        is_named(
            Path::new("/dev/zero"),
            "a pipe, socket or device is in its place",
        );
        is_named(folder.path(), "a folder is in its place");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        is_named(&link, "a pipe");
        // Whoever replaces it is not kept from it.
        write(&pipe, b"new").unwrap();
        assert_eq!(read(&link, 9).unwrap().unwrap(), b"new");
    }

    #[test]
    fn a_lock_is_held_until_its_last_clone_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let held = Lock::try_take(&path).unwrap().unwrap();
        let clone = held.clone();
        drop(held);
        assert!(Lock::try_take(&path).unwrap().is_none());
        drop(clone);
        assert!(Lock::try_take(&path).unwrap().is_some());
    }

    #[test]
    fn a_second_taker_waits_and_gives_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let held = Lock::try_take(&path).unwrap();
        assert!(held.is_some());
        assert!(
            Lock::take(&path, Duration::from_millis(1))
                .unwrap()
                .is_none()
        );
        drop(held);
        assert!(Lock::try_take(&path).unwrap().is_some());
    }
}
