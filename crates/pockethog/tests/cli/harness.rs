//! Gives each test a device of its own: an empty home folder, an embedded PostHog, and the program.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use demo_posthog::{Consent, Demo, Endpoint, Failure, Fault, Instance, Options, When};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

pub struct Harness {
    pub demo: Demo,
    pub home: tempfile::TempDir,
}

/// What a run of the program left.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn of(output: std::process::Output) -> Self {
        ended(output)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The same, where the exit code is right.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

impl Harness {
    /// The next queries at the US Cloud fail, so many times.
    pub fn fail_queries(&self, times: usize) {
        self.demo.us().fail_next(Failure {
            endpoint: Endpoint::Query,
            times,
            what: Fault::Status {
                code: 500,
                body: "{}".to_owned(),
                content_type: "application/json".to_owned(),
                retry_after: None,
            },
            when: When::Before,
        });
    }

    pub async fn new() -> Self {
        Self {
            demo: Demo::start(Options::default()).await.unwrap(),
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// A device on which somebody has signed in to US Cloud.
    pub async fn signed_in() -> Self {
        let harness = Self::new().await;
        harness
            .login(harness.demo.us(), "us", &Consent::default())
            .await
            .ended(0);
        harness
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_pockethog"), arguments)
    }

    /// Another program on this device.
    pub fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("POCKETHOG_HOME", self.home.path().join("home"))
            .env("POCKETHOG_US_URL", self.demo.us().address())
            .env("POCKETHOG_EU_URL", self.demo.eu().address())
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Run {
        finished(self.command(arguments)).await
    }

    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Run {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that ends without reading is no failure of the test.
        stdin.write_all(input.as_bytes()).await.ok();
        drop(stdin);
        ended(child.wait_with_output().await.unwrap())
    }

    /// Signs in the way a person does who opens the printed address in a browser.
    pub async fn login(&self, at: &Instance, host: &str, consent: &Consent<'_>) -> Run {
        let mut command = self.command(&["login", host, "--no-browser", "--json"]);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut err = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            err.push_str(&line);
            err.push('\n');
            if line.trim().starts_with("http") && line.contains("/start/") {
                let start = line.trim().to_owned();
                let started = tokio::task::spawn_blocking(move || Started::at(&start));
                let started = started.await.unwrap();
                let redirect = at.consent(&started.location, consent);
                tokio::task::spawn_blocking(move || visit(&redirect, &started.cookie));
            }
        }
        let mut run = ended(child.wait_with_output().await.unwrap());
        run.err = err;
        run
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A program that can be `BROWSER`: it hands the address it was given to `fifo`.
    pub fn browser(&self, fifo: &Path) -> PathBuf {
        let made = std::process::Command::new("mkfifo").arg(fifo).status();
        assert!(made.unwrap().success());
        let script = self.file("browser");
        let text = format!("#!/bin/sh\nprintf '%s\\n' \"$1\" > '{}'\n", fifo.display());
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        script
    }
}

async fn finished(mut command: Command) -> Run {
    ended(command.output().await.unwrap())
}

fn ended(output: std::process::Output) -> Run {
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What a browser has from a start address.
pub struct Started {
    pub location: String,
    pub cookie: String,
}

impl Started {
    pub fn at(address: &str) -> Self {
        let answer = visit(address, "");
        let header = |name: &str| {
            let line = answer.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} {answer}"))
                .to_owned()
        };
        let cookie = header("Set-Cookie: ");
        Self {
            location: header("Location: "),
            cookie: cookie.split(';').next().unwrap().to_owned(),
        }
    }
}

/// Opens a loopback address as a browser with these cookies does, and returns the answer.
pub fn visit(address: &str, cookies: &str) -> String {
    let rest = address.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/html\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok();
    answer
}
