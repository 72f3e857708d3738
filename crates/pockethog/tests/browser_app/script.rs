//! The script itself: a browser can read it, and no name means two things.

use std::collections::HashSet;

use serde_json::json;
use test_support::browser::Browser;

const SCRIPT: &str = include_str!("../../../pockethog-views/src/pages/app.js");

#[tokio::test(flavor = "multi_thread")]
async fn the_script_is_understood_and_declares_no_name_twice() {
    let browser = Browser::start().await;
    browser.open("about:blank").await;
    let fault = browser
        .run(
            "try { new Function(arguments[0]); return null; } catch (error) { return String(error); }",
            vec![json!(SCRIPT)],
        )
        .await;
    assert!(fault.is_null(), "{fault}");
    browser.finish().await;

    // A second function of a name replaces the first one in silence.
    let mut names = HashSet::new();
    for name in declared(SCRIPT) {
        assert!(names.insert(name), "{name} is declared twice");
    }
    assert!(
        names.contains("swap") && names.contains("calm"),
        "{names:?}"
    );
}

/// The names that are declared for the whole of the script: two blanks deep.
fn declared(script: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for line in script.lines() {
        let Some(line) = line.strip_prefix("  ") else {
            continue;
        };
        let line = line.strip_prefix("async ").unwrap_or(line);
        let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
        let first = |text: &'static str| line.strip_prefix(text);
        if let Some(rest) = first("function ") {
            names.extend(rest.split(|letter| !is_name(letter)).next());
        } else if let Some(rest) = first("const ").or_else(|| first("let ")) {
            let names_only = rest.trim_start_matches("{ ");
            names.extend(names_only.split(|letter| !is_name(letter)).next());
        }
    }
    names.retain(|name| !name.is_empty());
    names
}
