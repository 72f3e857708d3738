//! Folders and files that other users of this machine can neither read nor plant files in.
//!
//! What PocketHog keeps is private however it came to be: a folder that existed before is closed, a file is made
//! for its owner alone whatever the umask, and what belongs to somebody else is refused with a sentence that
//! names them. A program that runs as root refuses the folders of other users: it would leave files there
//! that these could not open.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Why a folder or a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// It belongs to another user.
    #[error("{} belongs to {owner}, and PocketHog runs as {me}; {}", path.display(), remedy(path, me))]
    Foreign {
        /// The folder or file.
        path: PathBuf,
        /// Whose it is.
        owner: String,
        /// Who runs the program.
        me: String,
    },
    /// It is where the key of this device is stored, and belongs to another user.
    #[error(
        "{} belongs to {owner}, and PocketHog runs as {me} and stores the key of this device there; {}",
        path.display(),
        remedy_of_device(path, me)
    )]
    ForeignDevice {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: String,
        /// Who runs the program.
        me: String,
    },
    /// The system refuses it.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PrivateError {
    /// Whose it is, if it belongs to another user.
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::Foreign { owner, .. } | Self::ForeignDevice { owner, .. } => Some(owner),
            Self::Io { .. } => None,
        }
    }

    /// The same of the folder with the key of this device, which `POCKETHOG_HOME` does not move.
    #[must_use]
    pub(crate) fn of_device(self) -> Self {
        match self {
            Self::Foreign { path, owner, me } => Self::ForeignDevice { path, owner, me },
            other => other,
        }
    }
}

fn remedy(path: &Path, me: &str) -> String {
    if me == "root" {
        return "run it as that user, or with `sudo -H`; if POCKETHOG_HOME is set, it must name a folder of root"
            .to_owned();
    }
    format!(
        "`sudo chown -R {me} {}` gives it back to you, or set POCKETHOG_HOME to a folder of your own",
        quoted(path)
    )
}

fn remedy_of_device(path: &Path, me: &str) -> String {
    let variable = if cfg!(target_os = "macos") {
        "HOME"
    } else {
        "XDG_STATE_HOME"
    };
    if me == "root" {
        return format!(
            "run it as that user, or with `sudo -H`, or set {variable} to a folder of root"
        );
    }
    format!(
        "`sudo chown -R {me} {}` gives it back to you, or set {variable} to a folder of your own",
        quoted(path)
    )
}

/// A path as a shell reads it.
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PrivateError {
    let path = path.to_owned();
    move |source| PrivateError::Io { path, source }
}

/// Makes a folder whose content is ours alone, and those above it that are missing. One that exists already is
/// closed to others.
///
/// # Errors
///
/// A folder of another user, or one that cannot be made or closed.
pub fn make_folder(folder: &Path) -> Result<(), PrivateError> {
    make_folder_that(folder, |_| true)
}

/// As [`make_folder`], of a folder that may hold other things too, for example because `POCKETHOG_HOME` names
/// it. Then its mode is left to whoever made it: what `ours` does not know by its name may be meant for others.
///
/// # Errors
///
/// As [`make_folder`].
pub(crate) fn make_shared_folder(
    folder: &Path,
    ours: impl Fn(&str) -> bool,
) -> Result<(), PrivateError> {
    make_folder_that(folder, |folder| {
        fs::read_dir(folder).is_ok_and(|mut entries| {
            entries
                .all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(&ours)))
        })
    })
}

fn make_folder_that(folder: &Path, is_closed: impl Fn(&Path) -> bool) -> Result<(), PrivateError> {
    check_owner(folder)?;
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed(folder))?;
    // Somebody else may have been faster.
    check_owner(folder)?;
    if is_open(&fs::metadata(folder).map_err(failed(folder))?) && is_closed(folder) {
        close(folder, 0o700)?;
    }
    Ok(())
}

/// Opens a file to be locked, making it if there is none. It is never truncated, and a link to a file of
/// somebody else is not followed.
///
/// # Errors
///
/// A file of another user, or one that cannot be opened.
pub fn open_lock(path: &Path) -> Result<File, PrivateError> {
    check_owner(path)?;
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(failed(path)(no_file()));
    }
    let file = private_options().open(path).map_err(failed(path))?;
    keep_private(path)?;
    Ok(file)
}

/// Makes an empty file if there is none. One that is there is not opened: closing it would release the locks
/// that this process holds on it.
///
/// # Errors
///
/// A file of another user, or one that cannot be made or closed to others.
pub fn make_file(path: &Path) -> Result<(), PrivateError> {
    check_owner(path)?;
    if fs::metadata(path).is_err() {
        private_options().open(path).map_err(failed(path))?;
    }
    keep_private(path)
}

/// Replaces a file by one that this user alone can read, as a whole or not at all. After a power failure it may be
/// empty, which suits what can be written again: [`write_durably`] is for the rest.
///
/// # Errors
///
/// A folder that cannot be written to.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, |_| Ok(()))
}

/// As [`write_private`], but the bytes are on the disk before the old file goes.
///
/// # Errors
///
/// A folder that cannot be written to.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, File::sync_all)
}

fn replace(
    path: &Path,
    bytes: &[u8],
    finish: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A temporary file is made for its owner alone, and keeps that when it is renamed.
    let mut file = NamedTempFile::new_in(folder).map_err(without_path)?;
    file.write_all(bytes).map_err(without_path)?;
    finish(file.as_file())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// An error of a temporary file without the name of that file, which would only confuse.
pub fn without_path(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(_) => error,
        None => error.kind().into(),
    }
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Closes a file of ours to others, if there is one.
///
/// # Errors
///
/// A file that cannot be closed.
pub fn keep_private(path: &Path) -> Result<(), PrivateError> {
    match fs::metadata(path) {
        Ok(found) if is_open(&found) => close(path, 0o600),
        _ => Ok(()),
    }
}

/// The content of a small file, or `None` if it does not exist. Nothing but a file is opened: a pipe would hang and
/// a device may have no end.
///
/// # Errors
///
/// No file, one of more than `limit` bytes, or one that cannot be read.
pub fn read_small(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    if !found.is_file() {
        return Err(no_file());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let most = limit / 1024;
        return Err(io::Error::other(format!("is larger than {most} KiB")));
    }
    Ok(Some(bytes))
}

fn no_file() -> io::Error {
    io::Error::other("is not a regular file")
}

#[cfg(unix)]
mod system {
    use std::fs::{self, Metadata, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::Path;

    use super::{PrivateError, failed};

    /// What others may do with it, in mode bits.
    const OTHERS: u32 = 0o077;

    const ROOT: u32 = 0;

    /// Looks at owners only: a folder that does not exist yet is fine, unless root would make it below a folder
    /// of somebody else.
    ///
    /// # Errors
    ///
    /// It belongs to another user, or a link to it does.
    pub fn check_owner(path: &Path) -> Result<(), PrivateError> {
        let me = rustix::process::geteuid().as_raw();
        let foreign = |path: &Path, owner: u32| PrivateError::Foreign {
            path: path.to_owned(),
            owner: name_of(owner),
            me: name_of(me),
        };
        match fs::symlink_metadata(path) {
            Ok(found) if found.uid() != me => {
                // A link of the system's administrator leads where they want it to.
                if !(found.is_symlink() && found.uid() == ROOT) {
                    return Err(foreign(path, found.uid()));
                }
            }
            Ok(_) => {}
            Err(_) if me == ROOT => {
                let above = path.ancestors().skip(1);
                let above = above.map(|folder| {
                    if folder.as_os_str().is_empty() {
                        Path::new(".")
                    } else {
                        folder
                    }
                });
                for folder in above {
                    if let Ok(found) = fs::metadata(folder) {
                        if found.uid() != me {
                            return Err(foreign(folder, found.uid()));
                        }
                        break;
                    }
                }
                return Ok(());
            }
            Err(_) => return Ok(()),
        }
        match fs::metadata(path) {
            Ok(found) if found.uid() != me => Err(foreign(path, found.uid())),
            _ => Ok(()),
        }
    }

    /// Whose file it is, if it is not ours.
    pub fn other_owner(path: &Path) -> Option<String> {
        let owner = fs::metadata(path).ok()?.uid();
        (owner != rustix::process::geteuid().as_raw()).then(|| name_of(owner))
    }

    pub(super) fn is_open(found: &Metadata) -> bool {
        found.permissions().mode() & OTHERS != 0
    }

    pub(super) fn close(path: &Path, mode: u32) -> Result<(), PrivateError> {
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed(path))
    }

    /// Which file it is, whatever its name.
    pub fn identity(path: &Path) -> Option<(u64, u64)> {
        let found = fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    }

    /// The name of a user, as far as this machine's own list knows it.
    fn name_of(user: u32) -> String {
        let list = super::read_small(Path::new("/etc/passwd"), 1 << 20);
        let list = list.ok().flatten().unwrap_or_default();
        let list = String::from_utf8_lossy(&list);
        let name = list.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
        });
        match (name, user) {
            (Some(name), _) => name,
            (None, ROOT) => "root".to_owned(),
            (None, _) => user.to_string(),
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::Metadata;
    use std::path::Path;

    use super::PrivateError;

    /// Folders of a user are closed to others by the system.
    ///
    /// # Errors
    ///
    /// None.
    pub fn check_owner(_: &Path) -> Result<(), PrivateError> {
        Ok(())
    }

    /// Whose file it is, if it is not ours: not known.
    pub fn other_owner(_: &Path) -> Option<String> {
        None
    }

    pub(super) fn is_open(_: &Metadata) -> bool {
        false
    }

    pub(super) fn close(_: &Path, _: u32) -> Result<(), PrivateError> {
        Ok(())
    }

    /// Which file it is, whatever its name: not known.
    pub fn identity(_: &Path) -> Option<(u64, u64)> {
        None
    }
}

pub use system::{check_owner, identity, other_owner};
use system::{close, is_open};

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    /// A user that owns nothing else here.
    const SOMEBODY: u32 = 54_321;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn open_folder(path: &Path) {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }

    /// Only root can give files away.
    fn given_away(path: &Path) -> bool {
        rustix::process::geteuid().is_root() && chown(path, Some(SOMEBODY), None).is_ok()
    }

    #[test]
    fn a_folder_that_others_could_look_into_is_closed() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cache");
        open_folder(&folder);
        make_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        make_folder(&home.path().join("a/b")).unwrap();
        assert_eq!(mode(&home.path().join("a")), 0o700);
    }

    #[test]
    fn a_folder_with_other_things_in_it_keeps_its_mode() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("shared");
        open_folder(&folder);
        fs::write(folder.join("preferences.toml"), "").unwrap();
        let ours = |name: &str| name == "preferences.toml";
        fs::write(folder.join("notes.txt"), "").unwrap();
        make_shared_folder(&folder, ours).unwrap();
        assert_eq!(mode(&folder), 0o777);
        fs::remove_file(folder.join("notes.txt")).unwrap();
        make_shared_folder(&folder, ours).unwrap();
        assert_eq!(mode(&folder), 0o700);
    }

    #[test]
    fn a_lock_is_private_and_what_it_was_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.lock");
        fs::write(&path, "kept").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        open_lock(&path).unwrap();
        assert_eq!(
            (mode(&path), &*fs::read(&path).unwrap()),
            (0o600, &b"kept"[..])
        );
        let made = home.path().join("b.lock");
        open_lock(&made).unwrap();
        assert_eq!(mode(&made), 0o600);
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused_with_their_name() {
        let home = tempfile::tempdir().unwrap();
        let (folder, link) = (home.path().join("theirs"), home.path().join("link"));
        open_folder(&folder);
        symlink(&folder, &link).unwrap();
        if !given_away(&folder) {
            return;
        }
        for path in [&folder, &link, &folder.join("new/deep")] {
            let error = make_folder(path).unwrap_err();
            assert!(error.to_string().contains("belongs to 54321"), "{error}");
        }
        assert!(!folder.join("new").exists());
        assert_eq!(mode(&folder), 0o777);
        assert!(open_lock(&folder.join("x.lock")).is_err());
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (target, link) = (home.path().join("target"), home.path().join("a.lock"));
        fs::write(&target, "mine").unwrap();
        symlink(&target, &link).unwrap();
        let planted = std::os::unix::fs::lchown(&link, Some(SOMEBODY), None).is_ok();
        assert_eq!(open_lock(&link).is_err(), planted);
    }

    #[test]
    fn only_files_of_a_bounded_size_are_read() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        assert_eq!(read_small(&path, 3).unwrap(), None);
        fs::write(&path, "abc").unwrap();
        assert_eq!(read_small(&path, 3).unwrap().unwrap(), b"abc");
        assert!(read_small(&path, 2).is_err());
        assert!(read_small(home.path(), 3).is_err());
        assert!(read_small(Path::new("/dev/zero"), 3).is_err());
        let pipe = home.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert!(read_small(&pipe, 3).is_err());
        assert!(open_lock(&pipe).is_err());
    }
}
