//! What a crate must never know: its direct, normal dependencies against a table.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Build dependencies and those of tests do not count: tests may reach up.
pub(crate) type Dependencies = BTreeMap<String, Vec<String>>;

/// A crate of the workspace, how high up it is, and what it must never use.
pub(crate) struct Floor {
    pub(crate) name: &'static str,
    pub(crate) height: u8,
    pub(crate) never: &'static [&'static str],
}

/// The direct, normal dependencies of each crate in the workspace, on every operating system.
pub(crate) fn dependencies(root: &Path) -> Dependencies {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success());
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let of_package = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().unwrap();
        all.iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(name)
            .collect()
    };
    packages
        .iter()
        .map(|package| (name(package), of_package(package)))
        .collect()
}

/// What is wrong, a sentence each.
pub(crate) fn breaches(floors: &[Floor], dependencies: &Dependencies) -> Vec<String> {
    let mut breaches = Vec::new();
    let floor_of = |name: &str| floors.iter().find(|floor| floor.name == name);
    for (name, used) in dependencies {
        let Some(floor) = floor_of(name) else {
            breaches.push(format!("{name} is on no floor: add it to the table"));
            continue;
        };
        for used in used {
            if floor.never.contains(&used.as_str()) {
                breaches.push(format!("{name} must never know {used}"));
            }
            let target = floor_of(used).filter(|_| dependencies.contains_key(used));
            if target.is_some_and(|target| target.height >= floor.height) {
                breaches.push(format!("{name} may only use what is below it, not {used}"));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOORS: &[Floor] = &[
        Floor {
            name: "top",
            height: 2,
            never: &["html"],
        },
        Floor {
            name: "left",
            height: 1,
            never: &[],
        },
        Floor {
            name: "right",
            height: 1,
            never: &[],
        },
    ];

    fn breaches_of(dependencies: &[(&str, &[&str])]) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let dependencies = dependencies
            .iter()
            .map(|(name, used)| ((*name).to_owned(), owned(used)));
        breaches(FLOORS, &dependencies.collect())
    }

    #[test]
    fn downwards_is_allowed() {
        let found = breaches_of(&[("top", &["left", "serde"]), ("left", &[]), ("right", &[])]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn upwards_and_sideways_is_not() {
        assert_eq!(
            breaches_of(&[("top", &[]), ("left", &["top", "right"]), ("right", &[])]),
            [
                "left may only use what is below it, not top",
                "left may only use what is below it, not right"
            ]
        );
    }

    #[test]
    fn what_a_crate_must_never_know_is_named() {
        let found = breaches_of(&[("top", &["html"])]);
        assert_eq!(found, ["top must never know html"]);
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_named() {
        let found = breaches_of(&[("annexe", &[])]);
        assert_eq!(found, ["annexe is on no floor: add it to the table"]);
    }
}
