//! The tools that make packages, in fixed versions under `target`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::prepare;
use crate::process::{self, Failure};

/// Crates with a program that is installed, and their versions.
const CRATES: &[(&str, &str, &[&str])] = &[
    // Without its default features it compresses with gzip, which every dpkg reads.
    ("cargo-deb", "3.8.0", &["--no-default-features"]),
    ("cargo-generate-rpm", "0.21.1", &[]),
];

/// Where the tools are.
pub(super) struct Tools {
    crates: PathBuf,
    zig: PathBuf,
}

impl Tools {
    /// The program `name` that cargo installed.
    pub(super) fn of_crate(&self, name: &str) -> PathBuf {
        self.crates.join(name)
    }

    /// The folder of cargo-zigbuild and of the Python that has Zig.
    pub(super) fn zig(&self) -> &Path {
        &self.zig
    }
}

/// Installs what is missing.
pub(super) fn install(root: &Path) -> Result<Tools, Failure> {
    let zig = prepare::packaging_tools(root)?.join("bin");
    let place = root.join("target/tools");
    let crates = place.join("bin");
    for (name, version, options) in CRATES {
        if is_installed(&crates.join(name), version) {
            continue;
        }
        // Made quickly: each of them runs for seconds.
        process::run(
            process::cargo(root)
                .args(["install", "--locked", "--force", name, "--version", version])
                .args(*options)
                .arg("--root")
                .arg(&place)
                .arg("--target-dir")
                .arg(place.join("build"))
                .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
                .env("CARGO_PROFILE_RELEASE_LTO", "off")
                .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
        )?;
    }
    Ok(Tools { crates, zig })
}

fn is_installed(program: &Path, version: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout)
                .split_whitespace()
                .any(|word| word == version)
        })
}
