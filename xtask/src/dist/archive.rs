//! The packages: `.tar.gz`, `.deb` and `.rpm` of one payload, and the sums of all that is made.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Release;
use super::tools::Tools;
use crate::process::{self, Failure, at};

/// The archive for every other Linux: unpacked below `~/.local` or `/usr/local` with `--strip-components=1`, every
/// file is where it belongs.
pub(super) fn tarball(release: &Release) -> Result<(), Failure> {
    let name = release.name();
    let folder = release.folder.join("archive").join(&name);
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    process::run(
        Command::new("cp")
            .args(["--recursive", "--preserve=mode"])
            .arg(release.payload().join("bin"))
            .arg(release.payload().join("share"))
            .arg(&folder),
    )?;
    user_unit(
        &release.payload().join("lib/systemd/user/pockethog.service"),
        &folder.join("share/systemd/user"),
    )?;
    process::run(
        Command::new("tar")
            .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
            .arg(format!("--mtime=@{}", time_of_the_commit(&release.root)?))
            .args(["--use-compress-program=gzip -9 -n", "--create", "--file"])
            .arg(release.folder.join(format!("{name}.tar.gz")))
            .arg("--directory")
            .arg(release.folder.join("archive"))
            .arg(&name),
    )
}

/// The systemd unit of somebody who installs below their own home.
fn user_unit(unit: &Path, folder: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(unit).map_err(at(unit))?;
    let text = text.replace("ExecStart=/usr/bin/", "ExecStart=%h/.local/bin/");
    fs::create_dir_all(folder).map_err(at(folder))?;
    let file = folder.join("pockethog.service");
    fs::write(&file, text).map_err(at(&file))
}

/// The package for Debian and its relatives, by `[package.metadata.deb]` of crates/pockethog.
pub(super) fn deb(release: &Release, tools: &Tools) -> Result<(), Failure> {
    process::run(
        Command::new(tools.of_crate("cargo-deb"))
            .current_dir(&release.root)
            .args(["--package", "pockethog", "--no-build", "--no-strip"])
            .args(["--locked", "--target", &release.triple()])
            .arg("--output")
            .arg(release.folder.join(format!("{}.deb", release.name())))
            .env("SOURCE_DATE_EPOCH", time_of_the_commit(&release.root)?),
    )
}

/// The package for Fedora and its relatives, by `[package.metadata.generate-rpm]` of crates/pockethog.
pub(super) fn rpm(release: &Release, tools: &Tools) -> Result<(), Failure> {
    process::run(
        Command::new(tools.of_crate("cargo-generate-rpm"))
            .current_dir(&release.root)
            .args(["--package", "crates/pockethog", "--auto-req", "disabled"])
            .args(["--arch", release.architecture])
            .args(["--source-date", &time_of_the_commit(&release.root)?])
            .arg("--output")
            .arg(release.folder.join(format!("{}.rpm", release.name()))),
    )
}

/// SHA-256 of everything that is published, in the form that `sha256sum --check` reads.
pub(super) fn sums(release: &Release) -> Result<(), Failure> {
    let entries = fs::read_dir(&release.folder).map_err(at(&release.folder))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.map_err(at(&release.folder))?.path();
        if path.is_file() {
            names.extend(path.file_name().map(ToOwned::to_owned));
        }
    }
    names.sort();
    let sums = process::output(
        Command::new("sha256sum")
            .current_dir(&release.folder)
            .args(names),
    )?;
    let file = release.folder.join("SHA256SUMS");
    fs::write(&file, sums).map_err(at(&file))
}

/// Seconds since 1970, so that the same commit makes the same packages.
fn time_of_the_commit(root: &Path) -> Result<String, Failure> {
    if let Ok(time) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(time);
    }
    let time =
        process::output(
            Command::new("git")
                .current_dir(root)
                .args(["log", "-1", "--format=%ct"]),
        )?;
    Ok(time.trim().to_owned())
}
