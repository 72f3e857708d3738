//! The licences of everything in the program, in one text that goes with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::libraries::{Libraries, Library};
use crate::process::{Failure, at};

/// How the names of files with a licence or a notice begin, in capitals.
const BEGINNINGS: &[&str] = &[
    "LICENSE",
    "LICENCE",
    "COPYING",
    "COPYRIGHT",
    "NOTICE",
    "UNLICENSE",
    "OFL",
];

/// The whole text: which library has which licence, then each text once with the libraries it comes from.
pub(super) fn collect(libraries: &Libraries) -> Result<String, Failure> {
    let mut list = String::new();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for library in libraries.iter().filter(|library| library.source.is_some()) {
        let name = format!("{} {}", library.name, library.version);
        let licence = library.license.as_deref().unwrap_or_default();
        let files = files_of(library)?;
        if licence.is_empty() && files.is_empty() {
            return Err(Failure::Missing(format!(
                "{name} names no licence and has no text of one"
            )));
        }
        let licence = if licence.is_empty() {
            "see its text"
        } else {
            licence
        };
        let remark = if files.is_empty() {
            "; its package has no text of it"
        } else {
            ""
        };
        writeln!(list, "  {name}: {licence}{remark}").ok();
        for file in files {
            let text = fs::read(&file).map_err(at(&file))?;
            let text = String::from_utf8_lossy(&text).replace('\r', "");
            texts
                .entry(text.trim().to_owned())
                .or_default()
                .insert(name.clone());
        }
    }
    let mut whole = format!(
        "PocketHog contains these libraries, under these licences. If a library offers a choice, each is listed.\n\
         A library whose package has no text of its licence is under the text that others below have of the same one.\n\
         The standard library of Rust is part of the program too: MIT OR Apache-2.0, The Rust Project Developers.\n\
         SQLite, in libsqlite3-sys, is in the public domain.\n\n{list}"
    );
    for (text, names) in texts {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let line = "-".repeat(80);
        write!(whole, "\n{line}\n{}\n{line}\n\n{text}\n", names.join(", ")).ok();
    }
    Ok(whole)
}

/// The files of `library` with a licence or a notice: those at the top of its package, and the one it names.
fn files_of(library: &Library) -> Result<BTreeSet<PathBuf>, Failure> {
    let folder = library.folder();
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.is_file() && is_licence(&path) {
            files.insert(path);
        }
    }
    files.extend(
        library
            .license_file
            .iter()
            .map(|file| folder.join(file))
            .filter(|file| file.is_file()),
    );
    Ok(files)
}

fn is_licence(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_uppercase();
    let is_text = !matches!(
        file.extension().and_then(|ending| ending.to_str()),
        Some("rs" | "toml")
    );
    is_text
        && BEGINNINGS
            .iter()
            .any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_library_in_the_program_is_listed_and_the_texts_are_there() {
        let root = crate::workspace_root();
        let libraries = Libraries::of_program(&root, "x86_64-unknown-linux-gnu").unwrap();
        let text = collect(&libraries).unwrap();
        for library in libraries.iter().filter(|each| each.source.is_some()) {
            let line = format!("  {} {}: ", library.name, library.version);
            assert!(text.contains(&line), "{line}");
        }
        for licence in [
            "Permission is hereby granted",
            "Apache License",
            "SIL OPEN FONT LICENSE",
        ] {
            assert!(text.contains(licence), "{licence}");
        }
    }
}
