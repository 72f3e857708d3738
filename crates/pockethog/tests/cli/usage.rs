//! Help, manual pages, completions, and unknown commands.

#![allow(clippy::unwrap_used)]

use crate::harness::{Harness, Run};

#[tokio::test(flavor = "multi_thread")]
async fn help_and_version_are_no_errors() {
    let harness = Harness::new().await;
    for arguments in [&["--help"][..], &["query", "--help"], &["--version"]] {
        let run = harness.run(arguments).await.ended(0);
        assert!(!run.out.is_empty());
        assert_eq!(run.err, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_told_in_json_too() {
    let harness = Harness::new().await;
    for arguments in [
        &["nonsense", "--json"][..],
        &["overview", "--range", "5d", "--json"],
        &["query", "--json"],
    ] {
        let run = harness.run(arguments).await.ended(2);
        assert_eq!(run.json()["error"]["kind"], "usage");
        assert!(!run.err.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_gets_its_completions_and_man_its_pages() {
    let harness = Harness::new().await;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = harness.run(&["completions", shell]).await.ended(0);
        assert!(run.out.contains("annotations"), "{shell}");
    }
    let run = harness.run(&["man"]).await.ended(0);
    assert!(run.out.contains(".TH"));
    let folder = harness.file("man1");
    let pages = folder.to_string_lossy().into_owned();
    harness.run(&["man", "--dir", &pages]).await.ended(0);
    assert!(folder.join("pockethog.1").exists());
    assert!(folder.join("pockethog-annotations-add.1").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_cannot_be_written_to_is_a_sentence() {
    let harness = Harness::new().await;
    let file = harness.file("a-file");
    std::fs::write(&file, "").unwrap();
    let mut command = harness.command(&["status"]);
    let output = command.env("POCKETHOG_HOME", &file).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("POCKETHOG_HOME"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told() {
    let harness = Harness::new().await;
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = harness.command(&["completions", "bash"]);
    let child = command.stdout(full).spawn().unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_of_the_running_app_is_nothing_to_warn_of() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let harness = Harness::new().await;
    let mut app = harness.command(&["--no-browser"]).spawn().unwrap();
    let mut lines = BufReader::new(app.stdout.take().unwrap()).lines();
    lines.next_line().await.unwrap().unwrap();
    let report = harness.run(&["doctor", "--json"]).await.json();
    let findings = report["findings"].as_array().unwrap();
    let of = |what: &str| findings.iter().find(|finding| finding["what"] == what);
    let app = of("App").unwrap()["saw"].as_str().unwrap();
    assert!(app.starts_with("running"), "{report}");
    assert_eq!(of("Locks").unwrap()["health"], "ok", "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_installed_names_the_program_as_it_was_called() {
    let harness = Harness::new().await;
    let (bin, version) = (harness.file("bin"), harness.file("1.2.3"));
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(&version).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pockethog"), version.join("pockethog")).unwrap();
    std::os::unix::fs::symlink(version.join("pockethog"), bin.join("pockethog")).unwrap();
    let link = bin.join("pockethog").display().to_string();
    let install = ["widget", "--install", "systemd"];
    for program in [link.as_str(), "bin/pockethog", "pockethog"] {
        let mut command = harness.command_of("sh", &["-c", "exec \"$@\"", "sh", program]);
        command
            .args(install)
            .current_dir(harness.home.path())
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("POCKETHOG_HOME", "below");
        let run = Run::of(command.output().await.unwrap()).ended(0);
        assert!(
            run.out.contains(&format!("ExecStart=\"{link}\"")),
            "{run:?}"
        );
        let home = harness.file("below").display().to_string();
        assert!(
            run.out.contains(&format!("POCKETHOG_HOME={home}\"")),
            "{run:?}"
        );
    }
}
