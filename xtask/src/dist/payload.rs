//! What is installed below `/usr`: the program, its documentation, and what a desktop and systemd read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Release;
use crate::process::{self, Failure, at};

/// Files of the sources, and where they are installed.
const FILES: &[(&str, &str)] = &[
    (
        "packaging/pockethog.desktop",
        "share/applications/pockethog.desktop",
    ),
    (
        "packaging/pockethog.metainfo.xml",
        "share/metainfo/io.github.pockethog.pockethog.metainfo.xml",
    ),
    (
        "crates/pockethog/src/autostart/pockethog.service",
        "lib/systemd/user/pockethog.service",
    ),
    (
        "crates/pockethog-views/src/pages/icon.svg",
        "share/icons/hicolor/scalable/apps/pockethog.svg",
    ),
    ("LICENSE-APACHE", "share/doc/pockethog/LICENSE-APACHE"),
    ("LICENSE-MIT", "share/doc/pockethog/LICENSE-MIT"),
    (
        "crates/pockethog-views/src/pages/typeface/OFL.txt",
        "share/doc/pockethog/LICENSE-INTER",
    ),
    ("README.md", "share/doc/pockethog/README.md"),
    ("CHANGELOG.md", "share/doc/pockethog/CHANGELOG.md"),
    ("docs/install.md", "share/doc/pockethog/install.md"),
    ("docs/faq.md", "share/doc/pockethog/faq.md"),
];

/// The sizes in which `packaging/icons` has the icon as a PNG.
const ICON_SIZES: &[u32] = &[48, 64, 128, 256];

/// Where each shell looks for completions.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "share/bash-completion/completions/pockethog"),
    ("fish", "share/fish/vendor_completions.d/pockethog.fish"),
    ("zsh", "share/zsh/vendor-completions/_pockethog"),
];

/// Lays all of it out. The program itself writes its man pages and completions.
pub(super) fn lay_out(release: &Release, program: &Path, licences: &str) -> Result<(), Failure> {
    let payload = Payload(release.payload());
    let installed = payload.copy(program, "bin/pockethog")?;
    fs::set_permissions(&installed, fs::Permissions::from_mode(0o755)).map_err(at(&installed))?;
    for (source, target) in FILES {
        payload.copy(&release.root.join(source), target)?;
    }
    for size in ICON_SIZES {
        payload.copy(
            &release.root.join(format!("packaging/icons/{size}.png")),
            &format!("share/icons/hicolor/{size}x{size}/apps/pockethog.png"),
        )?;
    }
    payload.write(
        "share/doc/pockethog/THIRD-PARTY-LICENCES.txt",
        licences.as_bytes(),
    )?;
    for (shell, target) in COMPLETIONS {
        let script = process::output(Command::new(&installed).args(["completions", shell]))?;
        payload.write(target, script.as_bytes())?;
    }
    let manual = payload.place("share/man/man1/pockethog.1")?;
    let manual = manual.parent().unwrap_or(&manual);
    process::run(Command::new(&installed).args(["man", "--dir"]).arg(manual))?;
    for page in fs::read_dir(manual).map_err(at(manual))? {
        let page = page.map_err(at(manual))?.path();
        // Without the name and the time of the file, so that the same text makes the same bytes.
        process::run(Command::new("gzip").args(["-9", "-n"]).arg(page))?;
    }
    Ok(())
}

/// The folder that becomes `/usr`.
struct Payload(PathBuf);

impl Payload {
    /// The path of `target`, whose folder exists.
    fn place(&self, target: &str) -> Result<PathBuf, Failure> {
        let path = self.0.join(target);
        let folder = path.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder).map_err(at(folder))?;
        Ok(path)
    }

    fn copy(&self, source: &Path, target: &str) -> Result<PathBuf, Failure> {
        let bytes = fs::read(source).map_err(at(source))?;
        self.write(target, &bytes)
    }

    fn write(&self, target: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.place(target)?;
        fs::write(&path, bytes).map_err(at(&path))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_in_the_sources() {
        let root = crate::workspace_root();
        for (source, _) in FILES {
            assert!(root.join(source).is_file(), "{source}");
        }
        for size in ICON_SIZES {
            let icon = root.join(format!("packaging/icons/{size}.png"));
            let bytes = fs::read(&icon).unwrap_or_default();
            // Width and height are the first fields of the first chunk.
            let width = bytes
                .get(16..20)
                .map(|field| u32::from_be_bytes(field.try_into().unwrap_or_default()));
            assert_eq!(width, Some(*size), "{}", icon.display());
        }
    }
}
