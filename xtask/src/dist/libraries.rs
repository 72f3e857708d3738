//! The crates that are in the program, as cargo resolves them for one target.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::process::{self, Failure};

/// A crate, the program's own ones among them.
#[derive(Deserialize)]
pub(super) struct Library {
    id: String,
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) license: Option<String>,
    pub(super) license_file: Option<PathBuf>,
    manifest_path: PathBuf,
    /// `None` for the crates of this workspace.
    pub(super) source: Option<String>,
    pub(super) repository: Option<String>,
}

impl Library {
    /// The folder of its sources.
    pub(super) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// The package URL, which names it in every inventory.
    pub(super) fn purl(&self) -> String {
        let version = self.version.replace('+', "%2B");
        format!("pkg:cargo/{}@{version}", self.name)
    }
}

/// What is in the program and what needs what.
pub(super) struct Libraries {
    found: BTreeMap<String, Library>,
    edges: BTreeMap<String, BTreeSet<String>>,
    program: String,
}

impl Libraries {
    /// All that is compiled into the program `pockethog` for `triple`. What only runs at build time or in tests is
    /// left out; derive macros are in, since what they write is.
    pub(super) fn of_program(root: &Path, triple: &str) -> Result<Self, Failure> {
        let text = process::output(process::cargo(root).args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            triple,
        ]))?;
        Self::read(&text)
    }

    fn read(text: &str) -> Result<Self, Failure> {
        let metadata: Metadata = serde_json::from_str(text).map_err(|error| {
            Failure::Missing(format!("`cargo metadata` cannot be read: {error}"))
        })?;
        let program = metadata
            .packages
            .iter()
            .find(|package| package.name == "pockethog" && package.source.is_none())
            .map(|package| package.id.clone())
            .ok_or_else(|| Failure::Missing("there is no package `pockethog`".to_owned()))?;
        let nodes: BTreeMap<String, Vec<Edge>> = metadata
            .resolve
            .nodes
            .into_iter()
            .map(|node| (node.id, node.deps))
            .collect();
        let mut edges = BTreeMap::new();
        let mut next = vec![program.clone()];
        while let Some(id) = next.pop() {
            if edges.contains_key(&id) {
                continue;
            }
            let needed: BTreeSet<String> = nodes
                .get(&id)
                .into_iter()
                .flatten()
                .filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none()))
                .map(|edge| edge.pkg.clone())
                .collect();
            next.extend(needed.iter().cloned());
            edges.insert(id, needed);
        }
        let found = metadata
            .packages
            .into_iter()
            .filter(|package| edges.contains_key(&package.id))
            .map(|package| (package.id.clone(), package))
            .collect();
        Ok(Self {
            found,
            edges,
            program,
        })
    }

    /// The program itself.
    pub(super) fn program(&self) -> &Library {
        &self.found[&self.program]
    }

    /// All of them but the program.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Library> {
        let others = self.found.values();
        others.filter(|library| library.id != self.program)
    }

    /// The program and all others, each with what it needs.
    pub(super) fn edges(&self) -> impl Iterator<Item = (&Library, Vec<&Library>)> {
        self.found.values().map(|library| {
            let needed = self.edges.get(&library.id).into_iter().flatten();
            let needed = needed.filter_map(|id| self.found.get(id)).collect();
            (library, needed)
        })
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Library>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    /// `None` is a normal dependency.
    kind: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_in_the_program_is_found_and_what_only_tests_need_is_not() {
        let root = crate::workspace_root();
        let libraries = Libraries::of_program(&root, "x86_64-unknown-linux-gnu").unwrap();
        let names: BTreeSet<&str> = libraries.iter().map(|each| each.name.as_str()).collect();
        for there in ["sign-in-with-posthog", "rustls", "libsqlite3-sys", "zbus"] {
            assert!(names.contains(there), "{there}");
        }
        for absent in ["pockethog", "fantoccini", "proptest", "cc", "windows-sys"] {
            assert!(!names.contains(absent), "{absent}");
        }
    }
}
