//! Real processes: many at one expiry, killed at the named points of the refresh, and ending within it.
//!
//! This program starts itself again as the child: the test `child` is a child's whole life where the
//! environment says so. `SIGN_IN_ROUNDS` sets how often each scenario runs.
#![allow(clippy::unwrap_used)]

mod posthog;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use posthog::PostHog;
use sign_in_with_posthog::{ConnectionState, SignIn};
use tokio::process::Command;
use tokio::task::JoinSet;

const FOLDER: &str = "SIGN_IN_TEST_FOLDER";
const TASKS: &str = "SIGN_IN_TEST_TASKS";
const FAIL_AT: &str = "SIGN_IN_FAIL_AT";
const PAUSE_AT: &str = "SIGN_IN_PAUSE_AT";
const PAUSE_FILE: &str = "SIGN_IN_PAUSE_FILE";
/// How a child gives its refresh up: a runtime that is `dropped`, or one that is `closed` before.
const ENDS: &str = "SIGN_IN_TEST_ENDS";

/// Every point between the decision to refresh and the token's publication.
const POINTS: [&str; 5] = [
    "before_request",
    "after_answer",
    "after_temporary_write",
    "after_rename",
    "after_write",
];

fn rounds(usual: usize) -> usize {
    let told = std::env::var("SIGN_IN_ROUNDS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The child's life: asks for a token in many tasks at once and prints which it got.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let tasks: usize = std::env::var(TASKS).unwrap().parse().unwrap();
    let program = SignIn::open(posthog::config(Path::new(&folder))).unwrap();
    let id = program.connections().unwrap()[0].id.clone();
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let session = program.session(&id);
        running.spawn(async move { session.access_token().await });
    }
    while let Some(result) = running.join_next().await {
        match result.unwrap() {
            Ok(token) => println!("\ntoken={}", token.expose()),
            Err(error) => println!("\nerror={error}"),
        }
    }
}

fn start(folder: &Path, tasks: usize, fail_at: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, folder)
        .env(TASKS, tasks.to_string())
        .env(FAIL_AT, fail_at)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Signed in an hour and a bit ago, so that the token has run out by the device's clock.
async fn run_out(rotating: bool) -> (PostHog, tempfile::TempDir, SignIn) {
    let posthog = PostHog::start(rotating);
    posthog.clock.forward(-3700);
    let folder = tempfile::tempdir().unwrap();
    let program = posthog.program(folder.path());
    posthog.sign_in(&program).await;
    posthog.forget_requests();
    (posthog, folder, program)
}

async fn many_processes_one_request(rotating: bool) {
    for round in 0..rounds(3) {
        let (posthog, folder, _program) = run_out(rotating).await;
        let children: Vec<_> = (0..8)
            .map(|_| start(folder.path(), 100, "").spawn().unwrap())
            .collect();
        let mut tokens = HashSet::new();
        let mut count = 0;
        for child in children {
            let output = child.wait_with_output().await.unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            for line in text.lines() {
                assert!(!line.starts_with("error="), "round {round}: {line}");
                if let Some(token) = line.strip_prefix("token=") {
                    tokens.insert(token.to_owned());
                    count += 1;
                }
            }
        }
        assert_eq!(count, 800, "round {round}");
        assert_eq!(posthog.count("/oauth/token/"), 1, "round {round}");
        assert_eq!(tokens.len(), 1, "round {round}: {tokens:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_processes_of_a_hundred_tasks_send_one_request_rotating() {
    many_processes_one_request(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_processes_of_a_hundred_tasks_send_one_request_not_rotating() {
    many_processes_one_request(false).await;
}

async fn killed_and_still_signed_in(rotating: bool) {
    for round in 0..rounds(4) {
        for point in POINTS {
            let (posthog, folder, program) = run_out(rotating).await;
            let killed = start(folder.path(), 3, point).output().await.unwrap();
            assert!(!killed.status.success(), "{point} was not reached");
            let next = start(folder.path(), 3, "").output().await.unwrap();
            let text = String::from_utf8(next.stdout).unwrap();
            let served = text.lines().filter(|line| line.starts_with("token="));
            assert_eq!(served.count(), 3, "round {round}, {point}: {text}");
            let connection = &program.connections().unwrap()[0];
            assert_eq!(connection.state, ConnectionState::Active, "{point}");
            let requests = &posthog.state.lock().unwrap().requests;
            assert!(requests.len() <= 2, "round {round}, {point}: {requests:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_nobody_is_signed_out_rotating() {
    killed_and_still_signed_in(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_nobody_is_signed_out_not_rotating() {
    killed_and_still_signed_in(false).await;
}

/// A child that begins a refresh and ends its runtime while that is held up within the write, as a widget does
/// whose time is over.
#[test]
fn child_that_ends_within_a_refresh() {
    let (Ok(folder), Ok(ends)) = (std::env::var(FOLDER), std::env::var(ENDS)) else {
        return;
    };
    let folder = Path::new(&folder);
    let pause = PathBuf::from(std::env::var(PAUSE_FILE).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let program = SignIn::open(posthog::config(folder)).unwrap();
    let session = program.session(&program.connections().unwrap()[0].id.clone());
    runtime.block_on(async {
        tokio::spawn(async move { drop(session.access_token().await) });
        while !pause.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::write(folder.join("ending"), "").unwrap();
        if ends == "closed" {
            program.close().await;
        }
    });
    runtime.shutdown_background();
    std::fs::write(folder.join("ended"), "").unwrap();
    // What it has begun on other threads goes on while it prints.
    while !folder.join("may end").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn start_ending(folder: &Path, ends: &str) -> tokio::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_ends_within_a_refresh", "--nocapture"])
        .env(FOLDER, folder)
        .env(PAUSE_AT, "after_temporary_write")
        .env(PAUSE_FILE, folder.join("pause"))
        .env(ENDS, ends)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn exists(file: &Path) {
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A process ends while its answer is being written, and another needs a token: one request in all.
async fn the_lock_outlives_the_task(rotating: bool) {
    let (posthog, folder, _program) = run_out(rotating).await;
    let folder = folder.path();
    let mut child = start_ending(folder, "dropped");
    exists(&folder.join("ended")).await;
    let sibling = SignIn::open(posthog::config(folder)).unwrap();
    let session = sibling.session(&sibling.connections().unwrap()[0].id.clone());
    let mut asking = tokio::spawn(async move { session.access_token().await });
    // Long enough for whoever does not wait for the write: the old token has run out.
    let early = tokio::time::timeout(Duration::from_secs(1), &mut asking).await;
    assert!(early.is_err(), "the lock was free within the write");
    std::fs::remove_file(folder.join("pause")).unwrap();
    let token = asking.await.unwrap().unwrap();
    assert_eq!(posthog.count("/oauth/token/"), 1);
    assert!(
        posthog
            .state
            .lock()
            .unwrap()
            .secrets
            .contains(&token.expose().to_owned())
    );
    std::fs::write(folder.join("may end"), "").unwrap();
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_within_the_write_keeps_the_lock_until_it_is_done_rotating() {
    the_lock_outlives_the_task(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_within_the_write_keeps_the_lock_until_it_is_done_not_rotating() {
    the_lock_outlives_the_task(false).await;
}

/// A process that closes before it ends does so after its refresh, whose answer is stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_closes_ends_after_its_refresh() {
    let (posthog, folder, _program) = run_out(true).await;
    let folder = folder.path();
    let mut child = start_ending(folder, "closed");
    exists(&folder.join("ending")).await;
    assert!(!folder.join("ended").exists());
    std::fs::remove_file(folder.join("pause")).unwrap();
    exists(&folder.join("ended")).await;
    std::fs::write(folder.join("may end"), "").unwrap();
    assert!(child.wait().await.unwrap().success());
    let sibling = SignIn::open(posthog::config(folder)).unwrap();
    let session = sibling.session(&sibling.connections().unwrap()[0].id.clone());
    session.access_token().await.unwrap();
    assert_eq!(posthog.count("/oauth/token/"), 1);
}
