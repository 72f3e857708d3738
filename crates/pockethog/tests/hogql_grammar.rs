//! Every query text that the program can send, checked by PostHog's own grammar and against the lists of
//! functions, tables and columns that PostHog knows (`peers/hogql`).

#![allow(clippy::unwrap_used)]

use pockethog_core::overview::LeftOut;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn every_query_text_is_one_that_posthog_accepts() {
    let texts: Vec<String> = pockethog_core::overview::all_query_texts()
        .iter()
        .chain(&pockethog_core::history::query_texts())
        .chain(&pockethog_core::causes::query_texts())
        .chain(&pockethog_core::digest::query_texts())
        .chain([&pockethog_core::conversions::volume_query()])
        .flat_map(|query| {
            let left_out = LeftOut { test_accounts: true, bots: true };
            [query.clone(), left_out.of(query.clone())]
        })
        .map(|mut query| {
            if let Some(filters) = query.filters {
                query.values.insert("filters".to_owned(), filters);
            }
            let line = serde_json::json!({ "name": query.name, "query": query.text, "values": query.values });
            format!("{line}\n")
        })
        .collect();
    check(&[], &texts.concat());
}

#[test]
fn the_check_refuses_a_text_for_each_rule_it_breaks() {
    check(&["--self-test"], "");
}

fn check(arguments: &[&str], input: &str) {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../peers/run");
    let mut check = Command::new(peers)
        .arg("hogql")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = check.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // Beside what it answers: both pipes are small. A check that ends early has said why; the broken pipe adds nothing.
        scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
        check.wait_with_output().unwrap()
    });
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
