//! Every link of the documentation to something in the repository leads there: to a file, and to a heading in it.
//!
//! Links to other hosts are asked for in the nightly round (`.ci/links`): a test does not depend on them.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no documentation of ours.
const SKIPPED: &[&str] = &["target", ".git", "node_modules", "corpus"];

#[test]
fn links_lead_to_files_and_headings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let pages = pages(root);
    assert!(pages.len() > 20, "{pages:?}");
    let mut broken = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        for link in links(&text) {
            if let Err(why) = check(root, page, &link) {
                let page = page.strip_prefix(root).unwrap().display();
                broken.push(format!("{page}: {link}: {why}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn pages(root: &Path) -> Vec<PathBuf> {
    let (mut folders, mut pages) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !SKIPPED.contains(&name.as_str()) {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// What a page links to: in Markdown, and in the HTML of pictures.
fn links(text: &str) -> BTreeSet<String> {
    let text = without_code(text);
    let mut links = BTreeSet::new();
    for rest in text.split("](").skip(1) {
        links.extend(rest.split([')', ' ']).next().map(ToOwned::to_owned));
    }
    for attribute in ["src=\"", "srcset=\"", "href=\""] {
        for rest in text.split(attribute).skip(1) {
            links.extend(rest.split('"').next().map(ToOwned::to_owned));
        }
    }
    links
}

/// Code shows what a link looks like and is none.
fn without_code(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let outside = line.split('`').step_by(2);
            prose += &outside.collect::<Vec<_>>().join("`");
            prose.push('\n');
        }
    }
    prose
}

fn check(root: &Path, page: &Path, link: &str) -> Result<(), String> {
    if link.is_empty() || link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_owned(),
        file => page.parent().unwrap().join(file),
    };
    let found = fs::canonicalize(&target).map_err(|error| error.to_string())?;
    if !found.starts_with(fs::canonicalize(root).unwrap()) {
        return Err("is outside the repository".to_owned());
    }
    if heading.is_empty() || found.extension().is_none_or(|ending| ending != "md") {
        return Ok(());
    }
    let text = fs::read_to_string(&found).map_err(|error| error.to_string())?;
    if anchors(&text).contains(heading) {
        Ok(())
    } else {
        Err(format!("there is no heading “{heading}”"))
    }
}

/// The names that GitHub gives to headings: small letters, digits, hyphens for blanks, a number if one comes again.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let Some(heading) = line.strip_prefix('#').filter(|_| !fenced) else {
            continue;
        };
        let heading = heading.trim_start_matches('#').trim();
        let name: String = heading
            .chars()
            .filter_map(|letter| match letter {
                ' ' => Some('-'),
                '-' | '_' => Some(letter),
                letter if letter.is_alphanumeric() => letter.to_lowercase().next(),
                _ => None,
            })
            .collect();
        let mut unique = name.clone();
        for number in 1.. {
            if anchors.insert(unique) {
                break;
            }
            unique = format!("{name}-{number}");
        }
    }
    anchors
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = root.join("README.md");
    for (link, is_sound) in [
        ("docs/install.md#upgrade", true),
        ("docs/install.md#no-such-heading", false),
        ("docs/no-such-file.md", false),
        ("../elsewhere.md", false),
        ("https://posthog.com", true),
    ] {
        assert_eq!(check(root, &page, link).is_ok(), is_sound, "{link}");
    }
    let text = "[a](one.md) `[b](two.md)`\n```\n[c](three.md)\n```\n<img src=\"four.png\">";
    let found: Vec<String> = links(text).into_iter().collect();
    assert_eq!(found, ["four.png", "one.md"]);
    let names = anchors("# Two words, *here*\n## Two words here\n");
    let names: Vec<String> = names.into_iter().collect();
    assert_eq!(names, ["two-words-here", "two-words-here-1"]);
}
