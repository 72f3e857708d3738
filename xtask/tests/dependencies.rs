//! docs/decisions/0002-dependencies.md and the manifests name the same crates.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

#[test]
fn every_dependency_has_a_reason_and_every_reason_a_dependency() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/decisions/0002-dependencies.md")).unwrap();
    assert_eq!(dependencies(root), crates_with_reasons(&page));
}

/// What the workspace's manifests ask for, without the workspace's own crates.
fn dependencies(root: &Path) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success());
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let own: BTreeSet<String> = packages.iter().map(name).collect();
    packages
        .iter()
        .flat_map(|package| package["dependencies"].as_array().unwrap())
        .map(name)
        .filter(|dependency| !own.contains(dependency))
        .collect()
}

/// The first cell of each row of each table, where it is a crate's name in backticks.
fn crates_with_reasons(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect()
}
