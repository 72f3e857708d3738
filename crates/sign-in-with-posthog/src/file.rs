//! Files that are whole or absent, and locks beside them.
//!
//! A reader never meets half a record: writes go to a temporary file in the same folder, are synced,
//! renamed over the old one, and the folder is synced. Locks lie in files of their own that are never
//! deleted: locking the record itself would lock a file that the next rename replaces.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

/// How often a busy lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// How long a virus scanner may hold a file.
const SCANNER_PATIENCE: Duration = Duration::from_secs(2);

/// Why a file could not be used.
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
                FileError::new(folder, "could not keep others out of the folder", source)
            })?;
        }
    }
    Ok(())
}

/// The file's bytes; `None` where there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::new(path, "could not be read", source)),
    }
}

/// Replaces the file as a whole, readable by this user only.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    create_private_folder(folder)?;
    let failed = |source| FileError::new(path, "could not be written", source);
    // `NamedTempFile` creates with mode 0600 and refuses to follow an existing name.
    let mut temporary = NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(bytes).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    crate::fail_point::reached("after_temporary_write");
    persist(temporary, path).map_err(failed)?;
    #[cfg(unix)]
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    crate::fail_point::reached("after_rename");
    Ok(())
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

/// Removes the file; fine where there is none.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::new(path, "could not be removed", error))
        }
        _ => Ok(()),
    }
}

/// A lock across processes, held until dropped. The only place that calls the file lock methods.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its drop")] File);

impl Lock {
    /// The lock, if nobody holds it.
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
            Ok(()) => Ok(Some(Self(file))),
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
    options
        .open(path)
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
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o600);
            assert_eq!(mode(path.parent().unwrap()), 0o700);
        }
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
