//! Another user of the same machine at the one-shot listener.

#![cfg(target_os = "linux")]

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use sign_in_with_posthog::{LoopbackListener, Scopes};

use crate::harness::Harness;
use crate::posthog::Kind;

/// A user id that no account of the machine has.
const STRANGER: u32 = 54_321;

/// Sends a request to a port of 127.0.0.1 as another user and returns what comes back.
fn ask_as_stranger(port: u16, request: &str) -> String {
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port}; printf '{request}' >&3; timeout 20 cat <&3; true"
    );
    let asked = Command::new("bash")
        .args(["-c", &script])
        .uid(STRANGER)
        .gid(STRANGER)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&asked.stdout).into_owned()
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:\t0\t0\t"))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_of_the_machine_gets_no_answer_even_with_the_right_response() {
    if !is_root() {
        eprintln!("only the superuser can act as another user: not tried");
        return;
    }
    let harness = Harness::new(Kind::Rotating);
    let listener = LoopbackListener::bind().await.unwrap();
    let redirect = listener.redirect_uri();
    let attempt = harness
        .sign_in
        .begin(&harness.host(), &redirect, &Scopes::default())
        .await
        .unwrap();
    let query = harness.posthog.agree(attempt.authorization_url());
    let port = redirect.port().unwrap();
    let waiting = tokio::spawn(async move { listener.wait(&attempt).await });
    for path in [format!("/callback?{query}"), "/favicon.ico".to_owned()] {
        let path = path.replace('%', "%%");
        let request = format!("GET {path} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n\\r\\n");
        let answer = tokio::task::spawn_blocking(move || ask_as_stranger(port, &request));
        assert_eq!(answer.await.unwrap(), "");
    }
    assert!(!waiting.is_finished(), "the sign-in goes on waiting");
    waiting.abort();
}
