//! What every user of the machine can read while a browser runs, and what they can do with it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use demo_posthog::Consent;
use tokio::process::Child;

use crate::harness::{Harness, Started, visit};

/// A user id that no account of the machine has.
const STRANGER: u32 = 54_321;

/// A `BROWSER` that runs, with the address among its arguments, until it is let go.
struct Browser {
    script: PathBuf,
    address: PathBuf,
    end: PathBuf,
}

impl Browser {
    fn new(harness: &Harness) -> Self {
        let [script, address, end] =
            ["browser", "address", "end"].map(|name| harness.home.path().join(name));
        for fifo in [&address, &end] {
            let made = std::process::Command::new("mkfifo").arg(fifo).status();
            assert!(made.unwrap().success());
        }
        let text = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$1\" > '{}'\nread -r _ < '{}'\n",
            address.display(),
            end.display()
        );
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            script,
            address,
            end,
        }
    }

    fn start(&self, harness: &Harness, arguments: &[&str]) -> (Child, String) {
        let mut command = harness.command(arguments);
        command.env("BROWSER", &self.script).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let address = std::fs::read_to_string(&self.address).unwrap();
        (child, address.trim().to_owned())
    }

    fn let_go(self) {
        let mut end = std::fs::File::options().write(true).open(self.end).unwrap();
        writeln!(end).unwrap();
    }
}

/// The arguments of every program that runs, as every user can read them.
fn command_lines() -> String {
    let mut lines = String::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path().join("cmdline");
        let line = std::fs::read(path).unwrap_or_default();
        lines.push_str(&String::from_utf8_lossy(&line).replace('\0', " "));
        lines.push('\n');
    }
    lines
}

/// What an address of this device answers to another user; `None` if this test may not act as one.
fn visit_as_stranger(address: &str) -> Option<String> {
    use std::os::unix::process::CommandExt;

    let rest = address.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let (host, port) = authority.split_once(':').unwrap();
    let request = format!("GET /{path} HTTP/1.1\\r\\nHost: {authority}\\r\\n\\r\\n");
    let script =
        format!("exec 3<>/dev/tcp/{host}/{port}; printf '{request}' >&3; timeout 20 cat <&3; true");
    let mut asked = std::process::Command::new("bash");
    asked.args(["-c", &script]).uid(STRANGER).gid(STRANGER);
    asked.current_dir("/").stdin(Stdio::null());
    let answer = asked.output().ok()?.stdout;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// The part of `text` after `name`, up to whatever ends a value in an address or a header.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(name).unwrap();
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.~".contains(c)));
    &rest[..end.unwrap_or(rest.len())]
}

#[track_caller]
fn are_in_no_command_line(secrets: &[&str]) {
    let seen = command_lines();
    for secret in secrets {
        assert!(secret.len() >= 20, "{secret} is no secret");
        assert!(!seen.contains(secret), "{secret} can be read by everybody");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_among_the_arguments_of_the_browser_opens_the_app_to_nobody_else() {
    let harness = Harness::new().await;
    let browser = Browser::new(&harness);
    let (mut app, address) = browser.start(&harness, &[]);
    assert!(command_lines().contains(&address), "the browser runs");
    if let Some(answer) = visit_as_stranger(&address) {
        assert!(!answer.to_lowercase().contains("set-cookie"), "{answer}");
        assert!(!answer.contains("303"), "{answer}");
    }
    // It did not use up the code either.
    let opened = visit(&address, "");
    assert!(opened.starts_with("HTTP/1.1 303"), "{opened}");
    let opened = opened.replace("Set-Cookie", "set-cookie");
    let cookie = value(&opened, "set-cookie: pockethog=");
    let note = std::fs::read_to_string(harness.file("home/sign-in/running.json")).unwrap();
    let note: serde_json::Value = serde_json::from_str(&note).unwrap();
    are_in_no_command_line(&[cookie, note["key"].as_str().unwrap()]);
    // It is still there to be read, and is good for nothing.
    assert!(command_lines().contains(&address), "the browser runs");
    let again = visit(&address, "");
    assert!(again.starts_with("HTTP/1.1 403"), "{again}");
    assert!(!again.to_lowercase().contains("set-cookie"), "{again}");
    browser.let_go();
    app.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_sign_in_can_be_read_among_arguments_but_an_address_that_serves_one_browser() {
    let harness = Harness::new().await;
    let browser = Browser::new(&harness);
    let (login, address) = browser.start(&harness, &["login", "us", "--json"]);
    if let Some(answer) = visit_as_stranger(&address) {
        assert_eq!(answer, "", "closed without a word");
    }
    let started = Started::at(&address);
    let redirect = harness
        .demo
        .us()
        .consent(&started.location, &Consent::default());
    let cookie = started.cookie.split_once('=').unwrap().1;
    let secrets = [
        cookie,
        value(&started.location, "state="),
        value(&started.location, "nonce="),
        value(&started.location, "code_challenge="),
        value(&redirect, "code="),
    ];
    are_in_no_command_line(&secrets);
    if let Some(answer) = visit_as_stranger(&redirect) {
        assert_eq!(answer, "", "closed without a word");
    }
    assert!(visit(&redirect, &started.cookie).starts_with("HTTP/1.1 200"));
    assert!(command_lines().contains(&address), "the browser runs");
    are_in_no_command_line(&secrets);
    let output = login.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    browser.let_go();
}
