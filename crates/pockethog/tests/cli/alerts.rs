//! Alerts as they reach a person: by `watch`, a command of their own, and a real notification server.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use demo_posthog::{Consent, Endpoint, Instance, Reach};
use serde_json::Value;

use crate::harness::{Harness, Run};

/// The project with the fewest visitors that has any today.
fn small(at: &Instance) -> u64 {
    let with_visitors = at
        .world()
        .projects
        .iter()
        .filter(|project| project.visitors > 100);
    with_visitors
        .min_by_key(|project| project.visitors)
        .unwrap()
        .id
}

/// A device that is signed in for one project, and waits for its first visitor of the day.
async fn waiting() -> (Harness, String) {
    let harness = Harness::new().await;
    let id = small(harness.demo.us());
    let consent = Consent {
        reach: Reach::Projects(vec![id]),
        ..Consent::default()
    };
    harness
        .login(harness.demo.us(), "us", &consent)
        .await
        .ended(0);
    let key = format!("us/{id}");
    set(&harness, &["alerts.on", "true"]).await;
    set(&harness, &["goals", "2 pageviews", "--project", &key]).await;
    (harness, key)
}

fn queries(harness: &Harness) -> usize {
    harness.demo.us().counters().count(Endpoint::Query)
}

async fn set(harness: &Harness, what: &[&str]) {
    harness
        .run(&[&["config", "set"], what].concat())
        .await
        .ended(0);
}

async fn once(harness: &Harness) -> Run {
    harness
        .run(&["watch", "--once", "--json", "--timeout", "300s"])
        .await
}

fn told(run: &Run) -> Vec<Value> {
    let lines = run.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The goals among what was told: the demo may have moved too.
fn goals(run: &Run) -> Vec<Value> {
    let mut all = told(run);
    all.retain(|alert| alert["kind"] == "goal");
    all
}

fn script(harness: &Harness, name: &str, text: &str) -> PathBuf {
    let path = harness.file(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn alerts_in_doctor(harness: &Harness) -> Value {
    let findings = harness.run(&["doctor", "--json"]).await.json()["findings"].clone();
    let mut findings = findings.as_array().unwrap().iter();
    findings
        .find(|finding| finding["what"] == "Alerts")
        .unwrap()
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_off_until_they_are_turned_on() {
    let harness = Harness::new().await;
    let run = harness.run(&["watch", "--once"]).await.ended(1);
    assert!(
        run.err.contains("pockethog config set alerts.on true"),
        "{run:?}"
    );
    set(&harness, &["alerts.on", "true"]).await;
    once(&harness).await.ended(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_at_once_tell_once_and_ask_once() {
    let (harness, key) = waiting().await;
    let before = queries(&harness);
    let runs = futures::future::join_all((0..8).map(|_| once(&harness))).await;
    let all: Vec<Value> = runs.iter().flat_map(goals).collect();
    assert!(runs.iter().all(|run| run.code == 0), "{runs:?}");
    assert_eq!(all.len(), 1, "{all:?}");
    let told: Vec<Value> = runs.iter().flat_map(told).collect();
    let mut numbers: Vec<u64> = told
        .iter()
        .filter_map(|alert| alert["number"].as_u64())
        .collect();
    numbers.sort_unstable();
    assert!(
        (1..).zip(&numbers).all(|(number, told)| number == *told),
        "{numbers:?}"
    );
    assert_eq!(all[0]["project"]["key"], Value::from(key));
    // Today and the closed days of one project.
    assert_eq!(queries(&harness) - before, 2);
    assert_eq!(goals(&once(&harness).await.ended(0)), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sign_in_is_told_once_and_nothing_about_numbers() {
    let (harness, _) = waiting().await;
    harness.demo.us().revoke_all();
    let all = told(&once(&harness).await.ended(4));
    let kinds: Vec<&Value> = all.iter().map(|alert| &alert["kind"]).collect();
    assert_eq!(kinds, ["access_ended"]);
    assert_eq!(told(&once(&harness).await.ended(4)), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_quiet_hours_nothing_is_told_and_afterwards_what_still_matters() {
    let (harness, _) = waiting().await;
    let zone = jiff::tz::TimeZone::system();
    let hour = |hours: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        zone.to_datetime(at).hour()
    };
    let quiet = |from: i64, to: i64| format!("{:02}:00-{:02}:00", hour(from), hour(to));
    set(&harness, &["alerts.quiet_hours", &quiet(-1, 3)]).await;
    assert_eq!(told(&once(&harness).await.ended(0)), Vec::<Value>::new());
    set(&harness, &["alerts.quiet_hours", &quiet(3, 6)]).await;
    assert_eq!(goals(&once(&harness).await.ended(0)).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_json_and_its_failure_is_said_by_doctor() {
    let (harness, key) = waiting().await;
    let got = harness.file("got");
    let text = format!(
        "cat > '{}'; echo \"$# $1\" >> '{0}'; echo noise",
        got.display()
    );
    let command = script(&harness, "command", &text);
    set(
        &harness,
        &["alerts.command", command.to_str().unwrap(), "$(id) ; x"],
    )
    .await;
    let run = once(&harness).await.ended(0);
    assert_eq!(goals(&run).len(), 1, "its noise is not among ours");
    let got = std::fs::read_to_string(got).unwrap();
    let (document, arguments) = got.trim_end().split_once('\n').unwrap();
    assert_eq!(arguments, "1 $(id) ; x");
    assert_eq!(
        serde_json::from_str::<Value>(document).unwrap(),
        goals(&run)[0]
    );
    assert_eq!(
        alerts_in_doctor(&harness).await["health"],
        "warn",
        "no desktop here"
    );
    set(&harness, &["alerts.desktop", "false"]).await;
    assert_eq!(alerts_in_doctor(&harness).await["health"], "ok");

    // The next goal meets a command that fails: it is told all the same.
    script(&harness, "command", "echo 'no route to host' >&2; exit 7");
    set(&harness, &["goals", "3 pageviews", "--project", &key]).await;
    assert_eq!(goals(&once(&harness).await.ended(0)).len(), 1);
    let finding = alerts_in_doctor(&harness).await;
    let saw = finding["saw"].as_str().unwrap();
    assert!(saw.contains("exit status: 7: no route to host"), "{saw}");
    std::fs::remove_file(&command).unwrap();
    let saw = alerts_in_doctor(&harness).await["saw"].clone();
    assert!(
        saw.as_str().unwrap().contains("there is no program"),
        "{saw}"
    );
}

#[cfg(target_os = "linux")]
mod notifications {
    use std::process::Stdio;

    use tokio::io::{AsyncBufReadExt, BufReader, Lines};
    use tokio::process::{Child, ChildStdout, Command};

    use super::*;

    /// A D-Bus session with a notification server on a screen that nobody sees.
    struct Desktop {
        _screen: Child,
        _bus: Child,
        server: Child,
        shown: Lines<BufReader<ChildStdout>>,
        display: String,
        address: String,
    }

    fn start(program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Its process, and the first line that it prints.
    async fn started(mut command: Command) -> (Child, String, Lines<BufReader<ChildStdout>>) {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        (child, first, lines)
    }

    impl Desktop {
        async fn new(harness: &Harness) -> Self {
            let screen = [
                "-displayfd",
                "1",
                "-screen",
                "0",
                "640x200x24",
                "-nolisten",
                "tcp",
            ];
            let (screen, number, _) = started(start("Xvfb", &screen)).await;
            let bus = ["--session", "--nofork", "--print-address"];
            let (bus, address, _) = started(start("dbus-daemon", &bus)).await;
            let display = format!(":{number}");
            // It prints what it shows.
            let mut server = start("dunst", &["-print", "-conf", "/dev/null"]);
            server
                .env("DISPLAY", &display)
                .env("DBUS_SESSION_BUS_ADDRESS", &address)
                .env("HOME", harness.home.path());
            let mut server = server.spawn().unwrap();
            let shown = BufReader::new(server.stdout.take().unwrap()).lines();
            let desktop = Self {
                _screen: screen,
                _bus: bus,
                server,
                shown,
                display,
                address,
            };
            desktop.wait_for_server().await;
            desktop
        }

        /// Ready once the server has its name on the bus.
        async fn wait_for_server(&self) {
            let owners = "type='signal',interface='org.freedesktop.DBus',member='NameOwnerChanged'";
            let mut watching = start("dbus-monitor", &[owners]);
            watching.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
            let (_monitor, _, mut signals) = started(watching).await;
            while !self.has_server().await {
                signals.next_line().await.unwrap().unwrap();
            }
        }

        async fn has_server(&self) -> bool {
            let mut asking = start(
                "dbus-send",
                &[
                    "--session",
                    "--print-reply",
                    "--dest=org.freedesktop.DBus",
                    "/",
                    "org.freedesktop.DBus.NameHasOwner",
                    "string:org.freedesktop.Notifications",
                ],
            );
            asking.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
            let answer = asking.output().await.unwrap();
            String::from_utf8_lossy(&answer.stdout).contains("boolean true")
        }

        /// What the server says of the next notification, up to its end.
        async fn next(&mut self) -> String {
            let mut said = String::new();
            loop {
                let line = self.shown.next_line().await.unwrap().unwrap();
                said.push_str(&line);
                said.push('\n');
                if line == "}" {
                    return said;
                }
            }
        }

        /// Clicks on the notification that is shown.
        async fn click(&self) {
            let mut clicking = start("dunstctl", &["action", "0"]);
            clicking.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
            assert!(clicking.status().await.unwrap().success());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_notification_names_the_project_and_a_click_opens_its_page() {
        let (harness, key) = waiting().await;
        set(
            &harness,
            &["name", "Acorn <b>Market</b> & sons", "--project", &key],
        )
        .await;
        let mut desktop = Desktop::new(&harness).await;
        let fifo = harness.file("opened");
        let browser = harness.browser(&fifo);
        let mut watching = harness.command(&["watch", "--json"]);
        let mut watching = watching
            .env("DISPLAY", &desktop.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &desktop.address)
            .env("BROWSER", browser)
            .spawn()
            .unwrap();
        let mut said = String::new();
        while !said.contains("today") {
            said = desktop.next().await;
        }
        // dunst prints the text as it is shown: the name is text, and no part of it was taken for markup.
        assert!(
            said.contains("Acorn <b>Market</b> & sons: 2 pageviews today"),
            "{said}"
        );
        desktop.click().await;
        let opened = tokio::task::spawn_blocking(move || std::fs::read_to_string(fifo).unwrap());
        let opened = opened.await.unwrap();
        let page = key.replace('/', "%2F");
        assert!(
            opened
                .trim_end()
                .ends_with(&format!("?to=%2Fproject%2F{page}")),
            "{opened}"
        );

        // It has become the app, since none ran.
        let note = std::fs::read(harness.file("home/sign-in/running.json")).unwrap();
        let note: Value = serde_json::from_slice(&note).unwrap();
        let mut ending = start("kill", &[&note["process"].to_string()]);
        assert!(ending.status().await.unwrap().success());
        watching.kill().await.unwrap();
        desktop.server.kill().await.unwrap();
    }
}
