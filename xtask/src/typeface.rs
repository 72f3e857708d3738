//! `cargo xtask typeface`: cuts the typeface of the pages out of Inter, as the crate `ttf-inter` holds it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::prepare;
use crate::process::{self, Failure, at};

/// The rules, and the files that are made by them.
const FOLDER: &str = "crates/pockethog-views/src/pages/typeface";

/// Makes the files in the sources.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    prepare::typeface_tools(root)?;
    cut(root, &root.join(FOLDER))
}

/// Makes them in `folder`.
fn cut(root: &Path, folder: &Path) -> Result<(), Failure> {
    let font = root.join("target/peers/typeface/inter.ttf");
    fs::write(&font, ttf_inter::REGULAR).map_err(at(&font))?;
    let source = fs::File::open(&font).map_err(at(&font))?;
    process::run(
        Command::new(root.join("peers/run"))
            .arg("typeface")
            .arg(root.join(FOLDER).join("inter.css"))
            .arg(folder)
            .stdin(source),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;

    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "woff2"))
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read(path).unwrap())
            })
            .collect()
    }

    #[test]
    fn the_typeface_in_the_sources_is_what_its_rules_make_of_inter() {
        let root = crate::workspace_root();
        let made = tempfile::tempdir().unwrap();
        cut(&root, made.path()).unwrap();
        let kept = files(&root.join(FOLDER));
        assert_eq!(kept.len(), 3);
        assert!(
            kept == files(made.path()),
            "run `cargo xtask typeface` and commit what it made"
        );
    }
}
