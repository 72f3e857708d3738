//! The program of the packages: for every glibc from 2.28 on, without a path of the machine that built it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::Release;
use super::tools::Tools;
use crate::process::{self, Failure, at};

/// The oldest C library that the program runs on: Debian 10, RHEL 8, Ubuntu 20.04.
const GLIBC: (u32, u32) = (2, 28);

/// Builds the program and returns where it is, after a look at what is in it.
pub(super) fn build(release: &Release, tools: &Tools) -> Result<PathBuf, Failure> {
    let folders = Folders::find(&release.root)?;
    let triple = release.triple();
    let mut path = OsString::from(tools.zig());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    process::run(
        process::cargo(&release.root)
            .args(["zigbuild", "--profile", "dist", "--locked"])
            .args(["--package", "pockethog", "--bin", "pockethog"])
            .args(["--target", &format!("{triple}.{}.{}", GLIBC.0, GLIBC.1)])
            .arg("--target-dir")
            .arg(&folders.target)
            .env("PATH", path)
            .env("POCKETHOG_PORTABLE", "1")
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_ENCODED_RUSTFLAGS", folders.rust_flags())
            .env(
                format!("CFLAGS_{}", triple.replace('-', "_")),
                folders.c_flags(),
            ),
    )?;
    let program = folders.target.join(&triple).join("dist/pockethog");
    let bytes = fs::read(&program).map_err(at(&program))?;
    if let Some(found) = folders.mentioned_in(&bytes) {
        return Err(Failure::Missing(format!(
            "{} contains a path of this machine: {found}",
            program.display()
        )));
    }
    match newest_glibc(&bytes) {
        Some(newest) if newest <= GLIBC => Ok(program),
        found => Err(Failure::Missing(format!(
            "{} should need glibc {GLIBC:?} at most, and needs {found:?}",
            program.display()
        ))),
    }
}

/// The folders of this machine that compilers know of, and what they are called in the program.
struct Folders {
    target: PathBuf,
    renamed: Vec<(PathBuf, &'static str)>,
}

impl Folders {
    fn find(root: &Path) -> Result<Self, Failure> {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |folder| root.join(folder));
        let sysroot = process::output(
            std::process::Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
                .args(["--print", "sysroot"])
                .current_dir(root),
        )?;
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let cargo = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(home?.join(".cargo")));
        let mut renamed = vec![(PathBuf::from(sysroot.trim()), "/rust")];
        renamed.extend(cargo.map(|folder| (folder, "/cargo")));
        if !target.starts_with(root) {
            renamed.push((target.clone(), "/target"));
        }
        renamed.push((root.to_path_buf(), "/pockethog"));
        Ok(Self { target, renamed })
    }

    fn rust_flags(&self) -> String {
        let flags: Vec<String> = self
            .renamed
            .iter()
            .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()))
            .collect();
        flags.join("\x1f")
    }

    fn c_flags(&self) -> String {
        let flags: Vec<String> = self
            .renamed
            .iter()
            .map(|(folder, name)| format!("-ffile-prefix-map={}={name}", folder.display()))
            .collect();
        flags.join(" ")
    }

    /// The first of the folders that `program` mentions, with what follows it.
    fn mentioned_in(&self, program: &[u8]) -> Option<String> {
        self.renamed.iter().find_map(|(folder, _)| {
            let folder = folder.as_os_str().as_encoded_bytes();
            let at = position(program, folder)?;
            let mention = program.get(at..)?.iter().take(160);
            let printable: Vec<u8> = mention.copied().take_while(u8::is_ascii_graphic).collect();
            Some(String::from_utf8_lossy(&printable).into_owned())
        })
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len().max(1))
        .position(|window| window == wanted)
}

/// The newest version of glibc of which `program` needs a symbol.
fn newest_glibc(program: &[u8]) -> Option<(u32, u32)> {
    const NAME: &[u8] = b"GLIBC_";
    let mut rest = program;
    let mut newest = None;
    while let Some(at) = position(rest, NAME) {
        rest = rest.get(at + NAME.len()..).unwrap_or_default();
        let version: Vec<u8> = rest
            .iter()
            .copied()
            .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
            .collect();
        newest = newest.max(version_of(&String::from_utf8_lossy(&version)));
    }
    newest
}

fn version_of(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.split_once('.')?;
    let minor = rest.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_program_that_mentions_a_folder_of_the_machine_is_found_out() {
        let folders = Folders {
            target: PathBuf::from("/home/ada/pockethog/target"),
            renamed: vec![
                (PathBuf::from("/home/ada/.cargo"), "/cargo"),
                (PathBuf::from("/home/ada/pockethog"), "/pockethog"),
            ],
        };
        let clean = b"\0/cargo/registry/src/tokio\0/pockethog/crates\0";
        assert_eq!(folders.mentioned_in(clean), None);
        let leaky = b"\0\x01/home/ada/pockethog/crates/a.rs\0more";
        assert_eq!(
            folders.mentioned_in(leaky).unwrap(),
            "/home/ada/pockethog/crates/a.rs"
        );
    }

    /// A profile inherits what the other one says about single packages, where speed of compiling counts.
    #[test]
    fn the_small_program_inherits_no_package_that_is_compiled_quickly() {
        let manifest = fs::read_to_string(crate::workspace_root().join("Cargo.toml")).unwrap();
        let packages = |profile: &str| -> Vec<String> {
            let (_, rest) = manifest
                .split_once(&format!("[profile.{profile}.package]\n"))
                .unwrap();
            let table = rest.split("\n[").next().unwrap();
            let names = table.lines().filter_map(|line| line.split_once(" = "));
            names.map(|(name, _)| name.to_owned()).collect()
        };
        let (quick, small) = (packages("release"), packages("dist"));
        assert!(quick.len() > 10);
        let inherited: Vec<&String> = quick.iter().filter(|name| !small.contains(name)).collect();
        assert!(inherited.is_empty(), "{inherited:?}");
    }

    #[test]
    fn the_newest_version_of_glibc_counts_and_not_the_last() {
        let program = b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.17\0GLIBC_PRIVATE\0";
        assert_eq!(newest_glibc(program), Some((2, 34)));
        assert_eq!(newest_glibc(b"no symbols"), None);
    }
}
