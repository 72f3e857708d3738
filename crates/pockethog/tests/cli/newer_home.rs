//! A home that a newer version of PocketHog has used: this one says so and changes nothing.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::harness::Harness;

/// Every command that opens the home, with what it ends with.
const COMMANDS: &[(&str, i32)] = &[
    ("--no-browser", 1),
    ("login us --no-browser", 1),
    ("logout --all", 1),
    ("status", 1),
    ("projects", 1),
    ("overview", 1),
    ("widget", 1),
    ("widget --format json --offline", 1),
    ("query us/1 SELECT", 1),
    ("events us/1", 1),
    ("annotations list us/1", 1),
    ("config set mode dark", 1),
    ("vault move file", 1),
    ("doctor", 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_sign_ins_of_a_newer_version_is_refused_and_stays_as_it_is() {
    let harness = Harness::signed_in().await;
    harness.run(&["overview"]).await.ended(0);
    let list = harness.file("home/sign-in/connections.json");
    // A layout that this version cannot even parse.
    fs::write(&list, r#"{"version": 2, "connections": {"by": "host"}}"#).unwrap();
    refused(&harness, "connections.json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_a_newer_version_are_refused_and_stay_as_they_are() {
    let harness = Harness::signed_in().await;
    harness.run(&["overview"]).await.ended(0);
    let database = rusqlite::Connection::open(harness.file("home/cache/snapshots.sqlite"));
    let database = database.unwrap();
    database.pragma_update(None, "user_version", 2).unwrap();
    drop(database);
    refused(&harness, "snapshots.sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_another_version_that_runs_is_opened_and_named() {
    let harness = Harness::new().await;
    let mut app = harness.command(&["--no-browser"]).spawn().unwrap();
    let mut lines = BufReader::new(app.stdout.take().unwrap()).lines();
    lines.next_line().await.unwrap().unwrap();
    let same = harness.run(&["--no-browser"]).await.ended(0);
    assert!(
        same.err.contains("PocketHog is already running."),
        "{same:?}"
    );
    let note = harness.file("home/sign-in/running.json");
    let mut text: Value = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
    // Version 0.1.0 did not say which it is; a newer one may say more than is known here.
    for (version, named) in [(Value::Null, "an older version"), ("9.8.7".into(), "9.8.7")] {
        text["version"] = version;
        text["mood"] = "bright".into();
        fs::write(&note, text.to_string()).unwrap();
        let run = harness.run(&["--no-browser"]).await.ended(0);
        assert!(run.out.starts_with("http://127.0.0.1:"), "{run:?}");
        assert!(run.err.contains(named), "{run:?}");
    }
    app.kill().await.unwrap();
}

async fn refused(harness: &Harness, file: &str) {
    let home = harness.file("home");
    let before = contents(&home);
    for (line, code) in COMMANDS {
        let words: Vec<&str> = line.split(' ').collect();
        let run = harness.run(&words).await;
        assert_eq!(run.code, *code, "{line}: {run:?}");
        let said = format!("{}{}", run.out, run.err);
        assert!(
            said.contains("newer version of PocketHog"),
            "{line}: {run:?}"
        );
        assert!(said.contains(file), "{line}: {run:?}");
        assert_same(&before, &contents(&home), line);
    }
    // Bars keep what they show: a sentence in place of the numbers.
    let bar = harness
        .run(&["widget", "--format", "waybar"])
        .await
        .ended(0);
    assert!(bar.out.contains("newer version of PocketHog"), "{bar:?}");
    assert_same(&before, &contents(&home), "waybar");
}

fn assert_same(
    before: &BTreeMap<PathBuf, Vec<u8>>,
    after: &BTreeMap<PathBuf, Vec<u8>>,
    line: &str,
) {
    let names = |all: &BTreeMap<PathBuf, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after), "{line}");
    for (name, bytes) in before {
        assert!(after[name] == *bytes, "{line} changed {}", name.display());
    }
}

/// Every file below `folder` with what it holds.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}
