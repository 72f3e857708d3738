//! Real processes: many at one expiry, and killed at the named points of the refresh.
//!
//! This program starts itself again as the child: the test `child` is a child's whole life where the
//! environment says so. `SIGN_IN_ROUNDS` sets how often each scenario runs.
#![allow(clippy::unwrap_used)]

mod posthog;

use std::collections::HashSet;
use std::path::Path;
use std::process::Stdio;

use posthog::PostHog;
use sign_in_with_posthog::{ConnectionState, SignIn};
use tokio::process::Command;
use tokio::task::JoinSet;

const FOLDER: &str = "SIGN_IN_TEST_FOLDER";
const TASKS: &str = "SIGN_IN_TEST_TASKS";
const FAIL_AT: &str = "SIGN_IN_FAIL_AT";

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
    let posthog = PostHog::start(rotating).await;
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
