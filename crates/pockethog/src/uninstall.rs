//! What PocketHog stores on this device, and removing it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::system_program::{self, TO_ANSWER};
use pockethog_device::folders::Folders;
use pockethog_device::private_files::quoted;

/// What PocketHog's files in a folder that it shares with others are called, by their beginnings.
const OURS: &[&str] = &["preferences.", "demo-home."];

/// Something that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// What it is, for people.
    pub what: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// How large it is, with all that is in it.
    pub bytes: u64,
}

/// What is stored below `folders`, and in `device_folder` beside them. Lists only what exists.
pub fn stored(folders: &Folders, device_folder: &Path) -> Vec<Stored> {
    let mut stored = Vec::new();
    let mut add = |what: &'static str, path: &Path| {
        if let Ok(bytes) = size(path) {
            let path = path.to_owned();
            stored.push(Stored { what, path, bytes });
        }
    };
    // `POCKETHOG_HOME` may name a folder with other things in it.
    if is_shared(folders) {
        for path in entries(&folders.config) {
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| OURS.iter().any(|ours| name.starts_with(ours))) {
                add("preferences", &path);
            }
        }
    } else {
        add("preferences", &folders.config);
    }
    add("sign-ins", &folders.state);
    add("numbers", &folders.cache);
    add("key of this device", device_folder);
    stored
}

/// Removes the folders with all that is stored in them, and the folders above that are empty then. The key of this
/// device belongs to the sign-ins, which have been removed before: another program may use it.
///
/// # Errors
///
/// The first file that cannot be removed.
pub fn remove(folders: &Folders, stored: &[Stored], device_folder: &Path) -> io::Result<()> {
    let ours = stored.iter().map(|stored| stored.path.as_path());
    for path in ours.filter(|path| *path != device_folder) {
        let removed = if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let shown = path.display();
                return Err(io::Error::new(error.kind(), format!("{shown}: {error}")));
            }
            _ => {}
        }
    }
    // Fails for those that hold something else, which is the point.
    let above = [&folders.state, &folders.cache].into_iter();
    for folder in above.filter_map(|folder| folder.parent()) {
        fs::remove_dir(folder).ok();
    }
    Ok(())
}

/// How the program seems to have been installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installed {
    /// By dpkg and its relatives.
    Deb,
    /// By RPM, with the program that removes packages.
    Rpm(&'static str),
    /// By pacman.
    Pacman,
    /// By Homebrew.
    Homebrew,
    /// By Nix.
    Nix,
    /// By `cargo install`.
    Cargo,
    /// From an archive or by hand: this file.
    File(PathBuf),
}

impl Installed {
    /// How the program at `program` was installed.
    pub fn find(program: &Path) -> Self {
        let is_systems = program.starts_with("/usr/bin");
        let text = program.to_string_lossy();
        if is_systems && Path::new("/var/lib/dpkg/info/pockethog.list").exists() {
            Self::Deb
        } else if is_systems && succeeds(&["rpm", "--query", "pockethog"]) {
            let has_zypper = Path::new("/usr/bin/zypper").exists();
            Self::Rpm(if has_zypper { "zypper" } else { "dnf" })
        } else if is_systems && succeeds(&["pacman", "-Qq", "pockethog-bin"]) {
            Self::Pacman
        } else if text.contains("/Cellar/") || text.contains("/homebrew/") {
            Self::Homebrew
        } else if program.starts_with("/nix/store") || text.contains("/.nix-profile/") {
            Self::Nix
        } else if text.contains("/.cargo/bin/") || text.contains(r"\.cargo\bin\") {
            Self::Cargo
        } else {
            Self::File(program.to_owned())
        }
    }

    /// What people call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Deb => "Debian package",
            Self::Rpm(_) => "RPM package",
            Self::Pacman => "pacman package",
            Self::Homebrew => "Homebrew",
            Self::Nix => "Nix",
            Self::Cargo => "cargo install",
            Self::File(_) => "archive, or by hand",
        }
    }

    /// The command that removes the program.
    pub fn removal(&self) -> String {
        match self {
            Self::Deb => "sudo apt remove pockethog".to_owned(),
            Self::Rpm(manager) => format!("sudo {manager} remove pockethog"),
            Self::Pacman => "sudo pacman -R pockethog-bin".to_owned(),
            Self::Homebrew => "brew uninstall pockethog".to_owned(),
            Self::Nix => "nix profile remove pockethog".to_owned(),
            Self::Cargo => "cargo uninstall pockethog".to_owned(),
            Self::File(program) => format!("rm {}", quoted(program)),
        }
    }
}

fn succeeds(words: &[&str]) -> bool {
    let output = system_program::output(words, TO_ANSWER);
    output.is_ok_and(|output| output.status.success())
}

/// Whether everything is below one folder that may hold other things too.
fn is_shared(folders: &Folders) -> bool {
    *folders == Folders::below(folders.config.clone())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Bytes of a file, or of all files in a folder. Links count as themselves.
fn size(path: &Path) -> io::Result<u64> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() {
        return Ok(found.len());
    }
    entries(path).iter().map(|path| size(path)).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "12345").unwrap();
    }

    #[test]
    fn in_a_folder_that_holds_other_things_too_those_stay() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::below(home.path().to_owned());
        let device = home.path().join("device");
        for name in [
            "preferences.toml",
            "sign-in/connections.json",
            "sign-in/vault/us-1.sealed",
            "cache/snapshots.sqlite",
            "device/device.key",
            "notes.txt",
        ] {
            file(&home.path().join(name));
        }
        let found = stored(&folders, &device);
        let listed: Vec<(&str, u64)> = found.iter().map(|each| (each.what, each.bytes)).collect();
        let expected = [
            ("preferences", 5),
            ("sign-ins", 10),
            ("numbers", 5),
            ("key of this device", 5),
        ];
        assert_eq!(listed, expected);
        remove(&folders, &found, &device).unwrap();
        let left = entries(home.path());
        assert_eq!(left, [device, home.path().join("notes.txt")]);
    }

    #[test]
    fn a_program_is_removed_as_it_was_installed() {
        for (path, removal) in [
            (
                "/home/ada/.cargo/bin/pockethog",
                "cargo uninstall pockethog",
            ),
            ("/opt/homebrew/bin/pockethog", "brew uninstall pockethog"),
            (
                "/nix/store/x-pockethog/bin/pockethog",
                "nix profile remove pockethog",
            ),
            (
                "/home/ada/.local/bin/pockethog",
                "rm '/home/ada/.local/bin/pockethog'",
            ),
        ] {
            assert_eq!(Installed::find(Path::new(path)).removal(), removal);
        }
    }

    #[test]
    fn folders_of_our_own_go_with_those_above_that_are_empty() {
        let home = tempfile::tempdir().unwrap();
        let below = |name: &str| home.path().join(name);
        let folders = Folders {
            config: below("config/pockethog"),
            state: below("state/pockethog/sign-in"),
            cache: below("cache/pockethog"),
        };
        file(&folders.preferences());
        file(&folders.running());
        file(&below("cache/other/file"));
        let found = stored(&folders, &below("device"));
        assert_eq!(found.len(), 2);
        remove(&folders, &found, &below("device")).unwrap();
        assert!(!below("config/pockethog").exists() && !below("state/pockethog").exists());
        assert!(below("cache/other/file").exists());
    }
}
