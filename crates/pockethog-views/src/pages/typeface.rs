//! The typeface of the pages: Inter, served by the app itself, so that pages look the same on a machine that has none.
//!
//! The files are made by `cargo xtask typeface` from the rules in `typeface/inter.css`. Each has an address that
//! changes with its content, so that a browser may keep it for ever.

use std::fmt::Write as _;
use std::sync::OnceLock;

use ring::digest;

/// One file of the typeface.
#[derive(Debug)]
pub struct Face {
    /// Its file name in the rules.
    source: &'static str,
    /// Its name in [`FOLDER`], with a digest of its content.
    pub name: String,
    /// The file, WOFF2.
    pub bytes: &'static [u8],
}

/// Where browsers find the files.
pub const FOLDER: &str = "/assets/";

const RULES: &str = include_str!("typeface/inter.css");

/// All files, in the order of the rules: the first has every letter of the interface itself.
pub fn faces() -> &'static [Face] {
    static FACES: OnceLock<[Face; 3]> = OnceLock::new();
    FACES.get_or_init(|| {
        [
            face(
                "inter-latin.woff2",
                include_bytes!("typeface/inter-latin.woff2"),
            ),
            face(
                "inter-latin-extended.woff2",
                include_bytes!("typeface/inter-latin-extended.woff2"),
            ),
            face(
                "inter-greek-cyrillic.woff2",
                include_bytes!("typeface/inter-greek-cyrillic.woff2"),
            ),
        ]
    })
}

/// The rules, with the addresses of the files beside the style sheet.
pub(super) fn css() -> String {
    faces().iter().fold(RULES.to_owned(), |css, face| {
        css.replace(
            &format!("url({})", face.source),
            &format!("url({})", face.name),
        )
    })
}

/// The address of the file that every page needs.
pub(super) fn first() -> String {
    let name = faces().first().map_or("", |face| face.name.as_str());
    format!("{FOLDER}{name}")
}

fn face(source: &'static str, bytes: &'static [u8]) -> Face {
    let digest = digest::digest(&digest::SHA256, bytes);
    let start = digest.as_ref().iter().take(6);
    let start = start.fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let stem = source.trim_end_matches(".woff2");
    Face {
        source,
        name: format!("{stem}-{start}.woff2"),
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_name_each_file_by_its_content() {
        let css = css();
        for face in faces() {
            assert_eq!(face.bytes.get(..4), Some(b"wOF2".as_slice()));
            assert_eq!(css.matches(&format!("url({})", face.name)).count(), 1);
            assert!(!css.contains(face.source), "{css}");
        }
        assert_eq!(css.matches("url(").count(), faces().len());
    }

    #[test]
    fn a_page_needs_no_more_than_forty_kilobytes_of_type() {
        assert!(
            faces()
                .first()
                .is_some_and(|face| face.bytes.len() < 40_000)
        );
    }
}
