//! No sentence that a user reads names a rule of docs/rules.md by its number: errors, pages, widgets, messages of
//! the command line and its help.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

#[test]
fn no_sentence_for_a_user_names_a_rule_by_its_number() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let rules = rules(&std::fs::read_to_string(root.join("docs/rules.md")).unwrap());
    assert!(rules.contains("B1") && rules.contains("V3"), "{rules:?}");

    let mut read = 0;
    let mut wrong = Vec::new();
    for file in sources(&root.join("crates")) {
        // Help is written as doc comments, but only there.
        let with_docs = file.starts_with(root.join("crates/pockethog/src/cli"));
        let text = std::fs::read_to_string(&file).unwrap();
        for sentence in sentences(&text, with_docs) {
            read += 1;
            if names_one_of(&rules, &sentence) {
                wrong.push(format!("{}: {sentence}", file.display()));
            }
        }
    }
    assert!(read > 500, "only {read} sentences were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The numbers of the rules: the first cell of each row that has one.
fn rules(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
        .map(|(cell, _)| cell.to_owned())
        .filter(|cell| cell.len() <= 3 && cell.ends_with(|last: char| last.is_ascii_digit()))
        .collect()
}

/// The Rust files of the crates, without their tests, examples and benchmarks.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["tests", "examples", "benches", "target"].contains(&name) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|ending| ending == "rs") && name != "tests.rs" {
                found.push(path);
            }
        }
    }
    found
}

/// The string literals of three words and more, without those of tests; doc comments only `with_docs`.
fn sentences(source: &str, with_docs: bool) -> Vec<String> {
    let mut found = Vec::new();
    collect(source.parse().unwrap(), with_docs, &mut found);
    found.retain(|text| words(text).filter(|word| word.len() > 1).count() > 2);
    found
}

fn collect(tokens: TokenStream, with_docs: bool, found: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                // An attribute of the file or module has `!` before it.
                tokens.next_if(
                    |next| matches!(next, TokenTree::Punct(mark) if mark.as_char() == '!'),
                );
                let Some(TokenTree::Group(attribute)) = tokens.peek() else {
                    continue;
                };
                let text = attribute.stream().to_string().replace(' ', "");
                if text == "cfg(test)" {
                    // The item that it belongs to ends with its body or a semicolon.
                    tokens.next();
                    tokens.find(|token| match token {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        TokenTree::Punct(punct) => punct.as_char() == ';',
                        _ => false,
                    });
                } else if text.starts_with("doc=") && !with_docs {
                    tokens.next();
                }
            }
            TokenTree::Group(group) => collect(group.stream(), with_docs, found),
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    found.push(text.value());
                }
            }
            TokenTree::Punct(_) | TokenTree::Ident(_) => {}
        }
    }
}

fn names_one_of(rules: &BTreeSet<String>, sentence: &str) -> bool {
    words(sentence).any(|word| rules.contains(word))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

#[test]
fn a_rule_in_an_error_is_found_and_one_in_a_comment_or_a_test_is_not() {
    let rules = rules("| rule | what holds |\n|---|---|\n| R2 | `state` is compared |\n");
    let wrong = |source: &str, with_docs| {
        sentences(source, with_docs)
            .iter()
            .any(|sentence| names_one_of(&rules, sentence))
    };
    let error = r#"enum E { #[error("rule R2: this belongs to no sign-in")] A }"#;
    assert!(wrong(error, false));
    let comment = "//! A module that follows rule R2 here.\n/// As rule R2 says of it.\nstruct S;";
    assert!(!wrong(comment, false) && wrong(comment, true));
    let test = r#"#[cfg(test)] mod tests { const T: &str = "rule R2 holds here"; } fn a() {}"#;
    assert!(!wrong(test, true));
}
