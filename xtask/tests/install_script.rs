//! `packaging/install.sh` with a release in a folder: what has the right sum is installed, and nothing else.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with the files of a release, and one to install below.
struct Release {
    folder: tempfile::TempDir,
    archive: String,
}

impl Release {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("pockethog-9.8.7-{}-linux", std::env::consts::ARCH);
        let program = folder.path().join(&name).join("bin/pockethog");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "#!/bin/sh\necho pockethog 9.8.7\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let release = Self {
            archive: format!("{name}.tar.gz"),
            folder,
        };
        release.in_folder(&format!("tar -czf {} {name}", release.archive));
        release.sum();
        release
    }

    fn in_folder(&self, script: &str) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(self.folder.path());
        assert!(command.status().unwrap().success(), "{script}");
    }

    fn sum(&self) {
        self.in_folder("sha256sum *.tar.gz > SHA256SUMS");
    }

    fn prefix(&self) -> PathBuf {
        self.folder.path().join("prefix")
    }

    fn install(&self, version: &[&str]) -> Output {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let downloads = format!("file://{}", self.folder.path().display());
        Command::new("sh")
            .arg(root.join("packaging/install.sh"))
            .args(version)
            .env("POCKETHOG_PREFIX", self.prefix())
            .env("POCKETHOG_DOWNLOADS", downloads)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn refused(&self, version: &[&str], why: &str) {
        let output = self.install(version);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{output:?}");
        assert!(said.contains(why), "{said}");
        assert!(!self.prefix().exists(), "{said}");
    }
}

#[test]
fn an_archive_with_the_right_sum_is_installed() {
    for version in [&[][..], &["9.8.7"], &["v9.8.7"]] {
        let release = Release::new();
        let output = release.install(version);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.starts_with("pockethog 9.8.7\n"), "{said}");
        assert!(said.contains("PATH"), "{said}");
        assert!(release.prefix().join("bin/pockethog").exists());
    }
}

#[test]
fn an_archive_that_was_changed_is_not_installed() {
    let release = Release::new();
    release.in_folder(&format!("printf x >> {}", release.archive));
    release.refused(&[], "nothing was installed");
}

#[test]
fn a_release_without_this_system_or_with_another_version_is_not_installed() {
    let release = Release::new();
    release.refused(&["9.8.6"], "not version 9.8.6");
    fs::write(release.folder.path().join("SHA256SUMS"), "").unwrap();
    release.refused(&[], "has no archive");
    fs::remove_file(release.folder.path().join("SHA256SUMS")).unwrap();
    release.refused(&[], "could not be downloaded");
}

#[test]
fn half_a_script_does_nothing() {
    let release = Release::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let script = fs::read_to_string(root.join("packaging/install.sh")).unwrap();
    let last = script.trim_end().rfind("main \"$@\"").unwrap();
    let output = Command::new("sh")
        .args(["-c", &script[..last]])
        .env("POCKETHOG_PREFIX", release.prefix())
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{output:?}"
    );
    assert!(!release.prefix().exists());
}
