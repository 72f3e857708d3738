//! `pockethog demo`: what it prints works, every page says what it is, and its home holds nothing else.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::harness::{Harness, Run, visit};

/// A demo that runs. The PostHogs of the harness stand for the real ones.
struct Demo<'a> {
    harness: &'a Harness,
    child: Child,
    /// The address that opens its page.
    address: String,
    /// What it said.
    said: Vec<String>,
}

impl<'a> Demo<'a> {
    async fn start(harness: &'a Harness, home: Option<&Path>, arguments: &[&str]) -> Self {
        let mut command = harness.command(&["demo", "--no-browser"]);
        command.args(arguments).env("TMPDIR", temporary(harness));
        match home {
            Some(home) => command.env("POCKETHOG_HOME", home),
            None => command.env_remove("POCKETHOG_HOME"),
        };
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            said.push(line);
            if said.last().unwrap().contains("PocketHog is running") {
                break;
            }
        }
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = out.next_line().await.unwrap().unwrap();
        Self {
            harness,
            child,
            address,
            said,
        }
    }

    /// What it printed to be copied: the address, the key, then commands.
    fn to_copy(&self) -> Vec<String> {
        let lines = self.said.iter();
        lines
            .filter_map(|line| line.strip_prefix("  "))
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Runs a line in a shell that knows nothing of the demo.
    async fn copied(&self, line: &str) -> Run {
        let mut command = self.harness.command_of("sh", &["-c", line]);
        command.env_remove("POCKETHOG_HOME");
        command.env("TMPDIR", temporary(self.harness));
        Run::of(command.output().await.unwrap())
    }

    async fn end(mut self, signal: &str) {
        let process = self.child.id().unwrap().to_string();
        let mut kill = Command::new("kill");
        assert!(
            kill.args([signal, &process])
                .status()
                .await
                .unwrap()
                .success()
        );
        self.child.wait().await.unwrap();
    }
}

fn temporary(harness: &Harness) -> PathBuf {
    let folder = harness.file("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A command on the home of a demo.
fn on(harness: &Harness, home: &Path, arguments: &[&str]) -> Command {
    let mut command = harness.command(arguments);
    command.env("POCKETHOG_HOME", home);
    command
}

async fn run_on(harness: &Harness, home: &Path, arguments: &[&str]) -> Run {
    Run::of(on(harness, home, arguments).output().await.unwrap())
}

/// Nothing was asked of the PostHogs that stand for the real ones.
fn asked_no_real_posthog(harness: &Harness) -> bool {
    let mut both = [harness.demo.us(), harness.demo.eu()].into_iter();
    both.all(|instance| instance.counters().requests.is_empty())
}

/// Every file below a folder, with its content.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            left.extend(entries.map(|entry| entry.unwrap().path()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_that_a_demo_prints_works_as_it_is_printed() {
    let harness = Harness::new().await;
    let named = harness.file("it's a demo");
    for home in [None, Some(named.as_path())] {
        let demo = Demo::start(&harness, home, &[]).await;
        let lines = demo.to_copy();
        let [own, key, login, overview] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        assert!(own.starts_with("http://127.0.0.1:") && key.starts_with("phx_"));
        demo.copied(login).await.ended(0);
        let run = demo.copied(overview).await.ended(0);
        assert!(run.out.contains("Lantern Shop"), "{run:?}");
        let run = demo.copied(&format!("{overview} --json")).await.ended(0);
        assert_eq!(run.json()["projects"].as_array().unwrap().len(), 3);
        assert!(asked_no_real_posthog(&harness));
        demo.end("-TERM").await;
        let run = Run::of(
            harness
                .command_of("sh", &["-c", overview])
                .output()
                .await
                .unwrap(),
        );
        assert!(run.ended(1).err.contains("a demo that has ended"));
    }
    let left = std::fs::read_dir(temporary(&harness)).unwrap().count();
    assert_eq!(left, 0, "a temporary home was left, or made again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_on_the_home_of_a_demo_reaches_no_real_posthog() {
    let harness = Harness::new().await;
    let home = harness.file("demo");
    let demo = Demo::start(&harness, Some(&home), &[]).await;
    let mark: serde_json::Value =
        serde_json::from_slice(&std::fs::read(home.join("demo-home")).unwrap()).unwrap();
    for region in ["us", "eu"] {
        let mut login = on(&harness, &home, &["login", region, "--no-browser"]);
        let mut login = login.stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(login.stderr.take().unwrap()).lines();
        let authorize = loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if line.contains("/oauth/authorize") {
                break line.trim().to_owned();
            }
        };
        assert!(
            authorize.starts_with(mark[region].as_str().unwrap()),
            "{authorize}"
        );
        login.kill().await.unwrap();
    }
    let run = run_on(
        &harness,
        &home,
        &["login", "https://posthog.example.org", "--api-key"],
    )
    .await;
    assert!(run.ended(2).err.contains(&demo.to_copy()[0]));
    let run = run_on(&harness, &home, &["status", "--json"])
        .await
        .ended(4);
    assert_eq!(run.json()["demo"], true);
    run_on(&harness, &home, &["vault", "move", "keychain"])
        .await
        .ended(2);
    let run = run_on(&harness, &home, &["doctor"]).await.ended(0);
    assert!(!run.out.contains("Keychain"), "{run:?}");
    // A widget that is installed would stay when the demo is gone.
    let install = ["widget", "--install", "waybar", "--write"];
    run_on(&harness, &home, &install).await.ended(2);
    assert!(asked_no_real_posthog(&harness));
    assert_eq!(
        harness.run(&["status", "--json"]).await.json()["demo"],
        false
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_home_of_a_demo_that_has_ended_is_not_used() {
    let harness = Harness::new().await;
    let home = harness.file("demo");
    for signal in ["-TERM", "-KILL"] {
        let demo = Demo::start(&harness, Some(&home), &[]).await;
        let login = demo.to_copy()[2].clone();
        demo.copied(&login).await.ended(0);
        run_on(&harness, &home, &["widget", "--timeout", "300s"])
            .await
            .ended(0);
        demo.end(signal).await;
        let before = content(&home);
        for (arguments, code) in [
            (&["status"][..], 1),
            (&["overview"], 1),
            (&["login", "us", "--no-browser"], 1),
            (&["logout"], 1),
            (&["config", "set", "mode", "dark"], 1),
            (&["widget"], 1),
            (&["widget", "--max-age", "0s"], 1),
            (&["widget", "--format", "waybar"], 0),
            (&["widget", "--install", "waybar", "--write"], 2),
            (&["--no-browser"], 1),
            // It tries to write, as on every home.
            (&["doctor"], 1),
        ] {
            let run = run_on(&harness, &home, arguments).await.ended(code);
            let words = format!("{}{}", run.out, run.err);
            assert!(words.contains("demo"), "{arguments:?}: {words}");
            if arguments[0] != "doctor" {
                assert_eq!(content(&home), before, "{arguments:?}");
            }
        }
        assert!(asked_no_real_posthog(&harness));
    }
    // It can be a demo's again, and begins without the sign-ins of the last one.
    let _demo = Demo::start(&harness, Some(&home), &[]).await;
    run_on(&harness, &home, &["status"]).await.ended(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_demo_on_one_home_changes_nothing() {
    let harness = Harness::new().await;
    let home = harness.file("demo");
    let first = Demo::start(&harness, Some(&home), &[]).await;
    let mark = std::fs::read(home.join("demo-home")).unwrap();
    let run = run_on(&harness, &home, &["demo", "--no-browser"])
        .await
        .ended(0);
    assert!(run.err.contains("already running"), "{run:?}");
    let origin = first.address.split("/open/").next().unwrap();
    assert!(run.out.starts_with(origin), "{run:?}");
    assert_eq!(std::fs::read(home.join("demo-home")).unwrap(), mark);
    let login = first.to_copy()[2].clone();
    first.copied(&login).await.ended(0);
    // Nor does the app itself, which opens the page of the demo.
    let run = run_on(&harness, &home, &["--no-browser"]).await.ended(0);
    assert!(run.out.starts_with(origin), "{run:?}");
    run_on(&harness, &home, &["status"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_a_demo_says_that_it_is_one() {
    let harness = Harness::new().await;
    let demo = Demo::start(&harness, None, &[]).await;
    let (origin, _) = demo.address.split_once("/open/").unwrap();
    let (origin, address) = (origin.to_owned(), demo.address.clone());
    let login = demo.to_copy()[2].clone();
    let pages = move || {
        let answer = visit(&address, "");
        let header = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name));
        let below = header("location: ").unwrap().trim_end_matches('/');
        let cookie = header("set-cookie: ").unwrap().split(';').next().unwrap();
        let page = |path: &str| visit(&format!("{origin}{below}{path}"), cookie);
        let mut pages = Vec::new();
        for path in [
            "/",
            "/sign-in",
            "/settings",
            "/connections",
            "/api-key",
            "/nowhere",
        ] {
            pages.push((path.to_owned(), page(path)));
        }
        // The address that opens the page was used, and whoever has no cookie is not let in.
        pages.push(("used".to_owned(), visit(&address, "")));
        pages.push((
            "callback".to_owned(),
            visit(&format!("{origin}/callback?state=x&code=y"), ""),
        ));
        pages.push((
            "locked".to_owned(),
            visit(&format!("{origin}{below}/settings"), "pockethog=x"),
        ));
        pages
    };
    for (path, page) in tokio::task::spawn_blocking(pages).await.unwrap() {
        assert!(
            page.contains("<b>Demo</b> · invented data"),
            "{path}: {page}"
        );
    }
    demo.copied(&login).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_can_be_as_slow_as_is_asked_for() {
    let harness = Harness::new().await;
    harness
        .run(&["demo", "--latency", "3600000"])
        .await
        .ended(2);
    let demo = Demo::start(&harness, None, &["--latency", "300"]).await;
    let own = demo.to_copy()[0].clone();
    let asked = move || {
        let started = Instant::now();
        visit(&format!("{own}/api/projects/"), "");
        started.elapsed()
    };
    let took = tokio::task::spawn_blocking(asked).await.unwrap();
    assert!(took >= Duration::from_millis(300), "{took:?}");
}
