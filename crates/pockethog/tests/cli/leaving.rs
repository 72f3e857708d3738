//! `pockethog uninstall`: what is stored is shown, and removed after a yes.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use demo_posthog::{ApiKeyOptions, Consent, Demo, Endpoint, Options, Size};
use nix::pty::openpty;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::harness::{Harness, Run};

/// Somebody who is signed in to two PostHogs and has looked at numbers.
async fn lived_in() -> Harness {
    let options = Options {
        size: Size::Large {
            organizations: 1,
            projects_each: 2,
        },
        ..Options::default()
    };
    let harness = Harness {
        demo: Demo::start(options).await.unwrap(),
        home: tempfile::tempdir().unwrap(),
    };
    let consent = Consent::default();
    let login = harness.login(harness.demo.us(), "us", &consent);
    login.await.ended(0);
    let key = harness.demo.eu().create_api_key(ApiKeyOptions::default());
    let login = harness.run_with_input(&["login", "eu", "--api-key"], &key);
    login.await.ended(0);
    harness.run(&["projects"]).await.ended(0);
    harness
        .run(&["config", "set", "mode", "dark"])
        .await
        .ended(0);
    fs::write(harness.file("home/notes.txt"), "the user's own").unwrap();
    harness
}

/// Every file below the user's home folder.
fn files(harness: &Harness) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(harness.home.path(), &mut found);
    found
}

/// In a terminal in which somebody types this.
async fn typed(harness: &Harness, arguments: &[&str], answer: &str) -> Run {
    let terminal = openpty(None, None).unwrap();
    let mut command = harness.command(arguments);
    command.stdin(Stdio::from(terminal.slave));
    let child = command.spawn().unwrap();
    let mut keyboard = File::from(terminal.master);
    keyboard.write_all(answer.as_bytes()).unwrap();
    let run = Run::of(child.wait_with_output().await.unwrap());
    drop(command);
    keyboard.read_to_end(&mut Vec::new()).ok();
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_shown_and_nothing_is_removed_without_a_yes() {
    let harness = lived_in().await;
    let before = files(&harness);
    let shown = harness.run(&["uninstall"]).await.ended(0);
    for expected in [
        "preferences.toml",
        "sign-in",
        "cache",
        "2 accounts",
        "US Cloud as",
        "pockethog uninstall --data",
    ] {
        assert!(shown.out.contains(expected), "{expected}: {shown:?}");
    }
    let refused = harness.run(&["uninstall", "--data"]).await.ended(2);
    assert!(refused.err.contains("add --yes"), "{refused:?}");
    let declined = typed(&harness, &["uninstall", "--data"], "n\n")
        .await
        .ended(1);
    assert!(declined.err.contains("nothing was removed"), "{declined:?}");
    assert_eq!(files(&harness), before);
    harness.run(&["status"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_yes_only_the_users_own_files_are_left_and_access_is_revoked() {
    for (arguments, answer) in [
        (&["uninstall", "--data"][..], "yes\n"),
        (&["uninstall", "--data", "--yes"], ""),
    ] {
        let harness = lived_in().await;
        let run = typed(&harness, arguments, answer).await.ended(0);
        assert!(run.out.contains("signed out everywhere"), "{run:?}");
        assert_eq!(files(&harness), [harness.file("home/notes.txt")], "{run:?}");
        let revoked = harness.demo.us().counters().count(Endpoint::Revocation);
        assert!(revoked > 0, "{arguments:?}");
        let again = harness.run(&["uninstall", "--data", "--yes", "--json"]);
        again.await.ended(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_while_the_app_runs() {
    let harness = lived_in().await;
    let mut app = harness.command(&["--no-browser"]).spawn().unwrap();
    let mut lines = BufReader::new(app.stdout.take().unwrap()).lines();
    lines.next_line().await.unwrap().unwrap();
    let refused = harness
        .run(&["uninstall", "--data", "--yes"])
        .await
        .ended(1);
    assert!(
        refused.err.contains("is running; stop it first"),
        "{refused:?}"
    );
    harness.run(&["status"]).await.ended(0);
    app.kill().await.unwrap();
    harness
        .run(&["uninstall", "--data", "--yes"])
        .await
        .ended(0);
}
