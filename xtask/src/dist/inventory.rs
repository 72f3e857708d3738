//! The inventory of the program (SBOM): CycloneDX 1.6 as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::Release;
use super::libraries::{Libraries, Library};
use crate::process::{Failure, at};

/// Writes it beside the packages.
pub(super) fn write(release: &Release, libraries: &Libraries) -> Result<(), Failure> {
    let sums = sums_of_sources(&release.root)?;
    let file = release.folder.join(format!("{}.cdx.json", release.name()));
    let text = format!("{:#}\n", document(libraries, &sums));
    fs::write(&file, text).map_err(at(&file))
}

/// SHA-256 sums by name and version, as the lock file has them.
type Sums = BTreeMap<(String, String), String>;

fn document(libraries: &Libraries, sums: &Sums) -> Value {
    let components: Vec<Value> = libraries
        .iter()
        .map(|library| component(library, "library", sums))
        .collect();
    let dependencies: Vec<Value> = libraries
        .edges()
        .map(|(library, needed)| {
            let needed: Vec<String> = needed.into_iter().map(Library::purl).collect();
            json!({ "ref": library.purl(), "dependsOn": needed })
        })
        .collect();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": component(libraries.program(), "application", sums) },
        "components": components,
        "dependencies": dependencies,
    })
}

fn component(library: &Library, kind: &str, sums: &Sums) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": library.purl(),
        "name": library.name,
        "version": library.version,
        "purl": library.purl(),
    });
    if let Some(licence) = &library.license {
        // Before SPDX expressions, cargo had a slash for a choice.
        let expression = licence.replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    } else if let Some(file) = &library.license_file {
        let name = format!("its own text, {}", file.display());
        component["licenses"] = json!([{ "license": { "name": name } }]);
    }
    if let Some(sum) = sums.get(&(library.name.clone(), library.version.clone())) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    if let Some(repository) = &library.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    component
}

/// Reads the lock file line by line: each package is a table with one string a line.
fn sums_of_sources(root: &Path) -> Result<Sums, Failure> {
    let file = root.join("Cargo.lock");
    let text = fs::read_to_string(&file).map_err(at(&file))?;
    Ok(text.split("[[package]]").filter_map(sum_of).collect())
}

fn sum_of(table: &str) -> Option<((String, String), String)> {
    let field = |name: &str| {
        table.lines().find_map(|line| {
            let (key, value) = line.split_once(" = ")?;
            (key == name).then(|| value.trim_matches('"').to_owned())
        })
    };
    Some(((field("name")?, field("version")?), field("checksum")?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_library_has_a_place_a_licence_and_the_sum_of_its_sources() {
        let root = crate::workspace_root();
        let libraries = Libraries::of_program(&root, "x86_64-unknown-linux-gnu").unwrap();
        let document = document(&libraries, &sums_of_sources(&root).unwrap());
        let components = document["components"].as_array().unwrap();
        assert!(components.len() > 100);
        let own: BTreeSet<&str> = libraries
            .iter()
            .filter(|library| library.source.is_none())
            .map(|library| library.name.as_str())
            .collect();
        for component in components {
            assert!(component["licenses"][0].is_object(), "{component}");
            let has_sum = component["hashes"][0]["content"].is_string();
            let is_own = own.contains(component["name"].as_str().unwrap());
            assert!(has_sum != is_own, "{component}");
        }
        let places: BTreeSet<&str> = components
            .iter()
            .filter_map(|component| component["bom-ref"].as_str())
            .collect();
        assert_eq!(places.len(), components.len(), "no two share a place");
    }
}
