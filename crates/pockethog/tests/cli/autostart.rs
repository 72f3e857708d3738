//! Starting with the session, with a `systemctl` that only writes down what it is asked.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;

use crate::harness::{Harness, Run};

/// A device with a systemd that answers like this.
struct Device {
    harness: Harness,
}

impl Device {
    async fn new(systemctl: &str) -> Self {
        let harness = Harness::new().await;
        let program = harness.file("bin/systemctl");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        let log = harness.file("asked").display().to_string();
        fs::write(
            &program,
            format!("#!/bin/sh\necho \"$*\" >> '{log}'\n{systemctl}\n"),
        )
        .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { harness }
    }

    fn command(&self, line: &str) -> Command {
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = self.harness.command(&words);
        let bin = self.harness.file("bin");
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        command
    }

    async fn run(&self, line: &str) -> Run {
        Run::of(self.command(line).output().await.unwrap())
    }

    fn unit(&self) -> PathBuf {
        self.harness.file(".config/systemd/user/pockethog.service")
    }

    fn link(&self) -> PathBuf {
        let wants = ".config/systemd/user/default.target.wants/pockethog.service";
        self.harness.file(wants)
    }

    /// What systemd was asked since the last look.
    fn asked(&self) -> Vec<String> {
        let log = self.harness.file("asked");
        let asked = fs::read_to_string(&log).unwrap_or_default();
        fs::remove_file(log).ok();
        asked.lines().map(ToOwned::to_owned).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_turned_on_shown_and_turned_off() {
    let device = Device::new("exit 0").await;
    let off = device.run("autostart status --json").await.ended(0).json();
    assert_eq!(
        (&off["on"], &off["system"]),
        (&false.into(), &"systemd".into())
    );
    device.asked();

    device.run("autostart on").await.ended(0);
    let unit = fs::read_to_string(device.unit()).unwrap();
    let program = env!("CARGO_BIN_EXE_pockethog");
    assert!(
        unit.contains(&format!("ExecStart=\"{program}\" \"--no-browser\"\n")),
        "{unit}"
    );
    let home = device.harness.file("home");
    let home = format!("Environment=\"POCKETHOG_HOME={}\"\n", home.display());
    assert!(unit.contains(&home), "{unit}");
    assert!(unit.contains("NoNewPrivileges=yes"), "{unit}");
    assert_eq!(fs::read_link(device.link()).unwrap(), device.unit());
    let asked = device.asked();
    let started = ["--user daemon-reload", "--user restart pockethog.service"];
    assert_eq!(asked.get(..2).unwrap(), started, "{asked:?}");

    let on = device.run("autostart status --json").await.ended(0).json();
    assert_eq!(on["on"], true);
    let service = &on["services"][0];
    assert_eq!(service["running"], true);
    assert_eq!(service["current"], true);
    // The next version of the program may want another unit.
    fs::write(device.unit(), unit.replace("UMask", "#UMask")).unwrap();
    let old = device.run("autostart status").await.ended(0);
    assert!(
        old.out.contains("`pockethog autostart on` changes that"),
        "{old:?}"
    );
    let findings = device.run("doctor").await.ended(0);
    assert!(findings.out.contains("Autostart"), "{findings:?}");
    device.run("autostart on").await.ended(0);
    assert_eq!(fs::read_to_string(device.unit()).unwrap(), unit);
    device.asked();

    device.run("autostart off").await.ended(0);
    assert!(
        device
            .asked()
            .contains(&"--user stop pockethog.service".to_owned())
    );
    assert!(!device.unit().exists() && device.link().symlink_metadata().is_err());
    device.run("autostart off").await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_terminal_that_cannot_reach_systemd_it_starts_with_the_next_session() {
    let device = Device::new("echo 'Failed to connect to bus: No medium found' >&2; exit 1").await;
    let run = device.run("autostart on").await.ended(0);
    assert!(run.err.contains("next session"), "{run:?}");
    assert!(run.err.contains("No medium found"), "{run:?}");
    assert_eq!(fs::read_link(device.link()).unwrap(), device.unit());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_somebody_wrote_is_not_replaced() {
    let device = Device::new("exit 0").await;
    fs::create_dir_all(device.unit().parent().unwrap()).unwrap();
    fs::write(device.unit(), "mine").unwrap();
    let run = device.run("autostart on").await.ended(1);
    assert!(
        run.err.contains("already exists with other content"),
        "{run:?}"
    );
    device.run("autostart off").await.ended(0);
    assert_eq!(fs::read_to_string(device.unit()).unwrap(), "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_systemd_the_desktop_starts_it() {
    let device = Device::new("exit 0").await;
    let mut command = device.command("autostart on");
    let empty = device.harness.file("empty");
    fs::create_dir_all(&empty).unwrap();
    let run = Run::of(command.env("PATH", &empty).output().await.unwrap()).ended(0);
    assert!(run.out.contains("by the desktop"), "{run:?}");
    let entry = device.harness.file(".config/autostart/pockethog.desktop");
    assert!(fs::read_to_string(entry).unwrap().contains("--no-browser"));
}

/// `systemctl` waits for a bus that accepts connections and says nothing for a minute and a half.
#[tokio::test(flavor = "multi_thread")]
async fn a_systemd_that_does_not_answer_is_not_waited_for() {
    let device = Device::new("exec sleep 90").await;
    let begun = Instant::now();
    let status = device.run("autostart status --json").await.ended(0).json();
    assert_eq!(status["services"][0]["running"], Value::Null, "{status:#}");
    device.run("doctor --report").await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
}
