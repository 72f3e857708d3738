//! The walls of the house: no circle of imports within a crate, no dependency that a crate must never have, no
//! file and no crate that has outgrown its size. docs/architecture.md names them as invariants.
//!
//! What breaks a rule today is listed in [`KNOWN_CIRCLES`], [`KNOWN_BREACHES`], [`KNOWN_LONG_FILES`] and
//! [`KNOWN_LARGE_CRATES`]. A list only gets shorter: a test fails as well if something in it has been fixed.

#![allow(clippy::unwrap_used)]

mod floors;
mod graph;
mod modules;
mod sizes;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use self::floors::Floor;
use self::graph::Circle;
use self::modules::Modules;

/// The most lines that a file may have, its tests not counted.
const LONGEST_FILE: usize = 600;

/// The most lines that a crate may have, its tests not counted.
const LARGEST_CRATE: usize = 10_000;

/// From the top down. A crate that does not exist yet has its rules already.
const FLOORS: &[Floor] = &[
    floor("xtask", 8, &[]),
    floor("tools", 8, &[]),
    floor("pockethog", 7, &[]),
    floor("pockethog-server", 6, &["clap"]),
    floor("pockethog-terminal", 6, &["axum", "maud"]),
    floor("pockethog-mobile", 6, &["axum", "maud"]),
    floor(
        "pockethog-views",
        5,
        &[
            "axum",
            "clap",
            "futures",
            "hyper-util",
            "reqwest",
            "rusqlite",
            "tempfile",
            "tokio",
        ],
    ),
    floor(
        "pockethog-screens",
        4,
        &[
            "axum", "clap", "maud", "reqwest", "rusqlite", "tempfile", "tokio",
        ],
    ),
    floor("pockethog-alerts", 4, &["axum", "clap", "maud", "rusqlite"]),
    floor("pockethog-core", 3, &["axum", "clap", "maud", "tower-http"]),
    floor(
        "pockethog-device",
        2,
        &["axum", "clap", "maud", "rusqlite", "sign-in-with-posthog"],
    ),
    floor(
        "pockethog-numbers",
        2,
        &[
            "axum",
            "clap",
            "maud",
            "reqwest",
            "rusqlite",
            "sign-in-with-posthog",
            "tempfile",
            "tokio",
        ],
    ),
    floor("demo-posthog", 2, &["clap", "reqwest"]),
    floor(
        "hogql-sqlite",
        1,
        &["axum", "clap", "maud", "reqwest", "tokio"],
    ),
    floor("posthog-api", 1, &["axum", "clap", "maud", "rusqlite"]),
    floor(
        "sign-in-with-posthog",
        1,
        &["axum", "clap", "maud", "rusqlite"],
    ),
    floor("test-support", 1, &["clap", "maud", "rusqlite"]),
    floor(
        "usual",
        1,
        &["axum", "clap", "maud", "reqwest", "rusqlite", "tokio"],
    ),
];

/// The circles that are still to be cut: the crate, and the modules.
const KNOWN_CIRCLES: &[(&str, &[&str])] = &[];

/// Dependencies that are still to be removed, as the test words them.
const KNOWN_BREACHES: &[&str] = &[];

/// Files that are still to be divided.
const KNOWN_LONG_FILES: &[&str] = &[];

/// Crates that are still to be divided.
const KNOWN_LARGE_CRATES: &[&str] = &[];

#[test]
fn the_modules_of_a_crate_import_each_other_in_one_direction() {
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for (name, source) in crates() {
        for circle in circles(&source) {
            let known = KNOWN_CIRCLES
                .iter()
                .position(|(of, modules)| *of == name && is_within(&circle, modules));
            match known {
                Some(number) => {
                    met.insert(number);
                }
                None => wrong.push(format!(
                    "{name}: {} (a circle of {:?})",
                    circle.way_round, circle.modules
                )),
            }
        }
    }
    for (number, (name, modules)) in KNOWN_CIRCLES.iter().enumerate() {
        if !met.contains(&number) {
            wrong.push(format!(
                "{name}: the circle of {modules:?} is cut: remove it from KNOWN_CIRCLES"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn no_crate_knows_what_it_must_never_know() {
    let breaches = floors::breaches(FLOORS, &floors::dependencies(root()));
    assert_ratchet(breaches, KNOWN_BREACHES);
}

#[test]
fn no_file_has_outgrown_its_size() {
    let long = crates()
        .flat_map(|(_, source)| files(&source))
        .filter(|file| sizes::of_file(file) > LONGEST_FILE)
        .map(|file| file.strip_prefix(root()).unwrap().display().to_string());
    assert_ratchet(long, KNOWN_LONG_FILES);
}

#[test]
fn no_crate_has_outgrown_its_size() {
    let large = crates().filter(|(_, source)| {
        let lines = files(source).into_iter().map(|file| sizes::of_file(&file));
        lines.sum::<usize>() > LARGEST_CRATE
    });
    assert_ratchet(large.map(|(name, _)| name), KNOWN_LARGE_CRATES);
}

/// What was found is what is known, no more and no less.
fn assert_ratchet(found: impl IntoIterator<Item = String>, known: &[&str]) {
    let found: BTreeSet<String> = found.into_iter().collect();
    let known: BTreeSet<String> = known.iter().map(|&name| name.to_owned()).collect();
    let fresh: Vec<_> = found.difference(&known).collect();
    let mended: Vec<_> = known.difference(&found).collect();
    assert!(fresh.is_empty(), "these break the rule: {fresh:#?}");
    assert!(
        mended.is_empty(),
        "these are mended, remove them from the list: {mended:#?}"
    );
}

/// Whether a circle has no module that is not among these: a part of a known circle is one still.
fn is_within(circle: &Circle, modules: &[&str]) -> bool {
    circle
        .modules
        .iter()
        .all(|module| modules.contains(&module.as_str()))
}

/// The circles of the crate with this folder of source, those of its library and of its binary.
fn circles(source: &Path) -> Vec<Circle> {
    let circles = root_files(source).map(|file| Modules::read(&file).circles());
    circles.flatten().collect()
}

/// The files of the crate with this folder of source that are not for tests alone.
fn files(source: &Path) -> Vec<PathBuf> {
    let files = root_files(source).map(|file| Modules::read(&file).files);
    files.flatten().collect()
}

fn root_files(source: &Path) -> impl Iterator<Item = PathBuf> {
    let files = ["lib.rs", "main.rs"].map(|name| source.join(name));
    files.into_iter().filter(|file| file.is_file())
}

/// The crates of the workspace, each with its folder of source.
fn crates() -> impl Iterator<Item = (String, PathBuf)> {
    let folders = std::fs::read_dir(root().join("crates")).unwrap();
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).collect();
    folders.extend(["tools", "xtask"].map(|name| root().join(name)));
    folders.sort();
    let folders = folders
        .into_iter()
        .filter(|folder| folder.join("Cargo.toml").is_file());
    folders.map(|folder| {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        (name, folder.join("src"))
    })
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

const fn floor(name: &'static str, height: u8, never: &'static [&'static str]) -> Floor {
    Floor {
        name,
        height,
        never,
    }
}
