//! Disks, folders and names that are not as they should be: what was read is shown nevertheless.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use demo_posthog::ApiKeyOptions;
use tokio::io::AsyncWriteExt;

use crate::harness::{Harness, Run};

/// A user that owns nothing else here.
const SOMEBODY: u32 = 54_321;

fn has_numbers(run: &Run) {
    let document = run.json();
    let projects = document["projects"].as_array().unwrap();
    assert!(!projects.is_empty(), "{run:?}");
    assert!(document["total"]["visitors"].is_u64(), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_cannot_be_kept_are_shown_with_a_remark() {
    let harness = Harness::signed_in().await;
    let cache = harness.file("home/cache");
    std::fs::remove_dir_all(&cache).ok();
    std::fs::write(&cache, "no folder").unwrap();
    let named = cache.display().to_string();
    let remarked = |run: &Run| {
        assert!(run.err.contains("numbers are not stored"), "{run:?}");
        assert!(run.err.contains(&named), "{run:?}");
        assert!(run.err.contains("POCKETHOG_HOME"), "{run:?}");
        assert_eq!(
            run.err.matches("numbers are not stored").count(),
            1,
            "{run:?}"
        );
    };
    let run = harness.run(&["overview", "--json"]).await.ended(0);
    has_numbers(&run);
    remarked(&run);
    assert!(run.json()["remarks"][0].as_str().unwrap().contains(&named));
    let run = harness.run(&["overview", "--range", "7d", "--json"]).await;
    has_numbers(&run.ended(0));
    let run = harness.run(&["projects", "--json"]).await.ended(0);
    remarked(&run);
    let key = run.json()["projects"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    for arguments in [
        &["events", &key][..],
        &["annotations", "list", &key],
        &["query", &key, "SELECT 1"],
    ] {
        let run = harness.run(arguments).await.ended(0);
        assert!(!run.out.trim().is_empty(), "{run:?}");
        remarked(&run);
    }
    let run = harness.run(&["widget", "--timeout", "300s"]).await.ended(0);
    assert!(run.out.chars().any(|c| c.is_ascii_digit()), "{run:?}");
    remarked(&run);
    let run = harness.run(&["doctor", "--json"]).await.ended(1);
    assert!(run.out.contains(&named), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_another_program_locks_are_shown_with_a_remark() {
    let harness = Harness::signed_in().await;
    harness.run(&["overview"]).await.ended(0);
    let path = harness.file("home/cache/snapshots.sqlite");
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder
        .pragma_update(None, "locking_mode", "EXCLUSIVE")
        .unwrap();
    holder
        .execute_batch("BEGIN EXCLUSIVE; DELETE FROM troubles; COMMIT;")
        .unwrap();
    let run = harness.run(&["overview", "--json"]).await.ended(0);
    has_numbers(&run);
    let remark = format!("{} is locked by another program", path.display());
    assert!(run.err.contains(&remark), "{run:?}");
    let run = harness
        .run(&["widget", "--max-age", "0s", "--timeout", "300s"])
        .await;
    assert!(run.ended(0).err.contains(&remark));
    let run = harness.run(&["doctor"]).await.ended(1);
    assert!(run.out.contains("is locked by another program"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_runs_even_if_nothing_else_does() {
    let harness = Harness::new().await;
    std::fs::create_dir(harness.file("home")).unwrap();
    std::fs::write(harness.file("home/sign-in"), "no folder").unwrap();
    harness.run(&["status"]).await.ended(1);
    let run = harness.run(&["doctor", "--json"]).await.ended(1);
    let findings = run.json()["findings"].as_array().unwrap().clone();
    let failed = |what: &str| {
        let mut found = findings.iter();
        found.any(|finding| finding["what"] == what && finding["health"] == "fail")
    };
    assert!(failed("Start") && !failed("Preferences"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn root_leaves_nothing_in_the_home_of_a_user() {
    let harness = Harness::new().await;
    // Only root can give a folder away.
    if chown(harness.home.path(), Some(SOMEBODY), None).is_err() {
        return;
    }
    for arguments in [
        &["status"][..],
        &["overview"],
        &["login", "us", "--no-browser"],
        &["config", "set", "mode", "dark"],
        &["widget"],
        &["doctor"],
        &["--no-browser"],
    ] {
        let run = harness.run(arguments).await.ended(1);
        let words = format!("{}{}", run.out, run.err);
        assert!(words.contains("belongs to 54321"), "{words}");
        let left = std::fs::read_dir(harness.home.path()).unwrap().count();
        assert_eq!(left, 0, "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn root_with_a_folder_of_its_own_leaves_nothing_in_the_home_of_a_user_either() {
    let harness = Harness::new().await;
    let (user, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Only root can give a folder away.
    if chown(user.path(), Some(SOMEBODY), None).is_err() {
        return;
    }
    let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
    let run = async |arguments: &[&str], state: Option<&Path>| {
        let mut command = harness.command(arguments);
        command.env("HOME", user.path());
        command.envs(state.map(|state| ("XDG_STATE_HOME", state)));
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(key.as_bytes()).await.ok();
        drop(stdin);
        Run::of(child.wait_with_output().await.unwrap())
    };
    let nothing_is_left = || {
        let left = std::fs::read_dir(user.path()).unwrap();
        left.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    for arguments in [
        &["status"][..],
        &["login", "us", "--api-key"],
        &["overview"],
        &["widget"],
        &["doctor"],
        &["--no-browser"],
    ] {
        let refused = run(arguments, None).await.ended(1);
        let words = format!("{}{}", refused.out, refused.err);
        assert!(words.contains("belongs to 54321"), "{words}");
        assert!(words.contains("sudo -H"), "{words}");
        assert!(words.contains("XDG_STATE_HOME"), "{words}");
        assert_eq!(nothing_is_left(), [] as [PathBuf; 0], "{arguments:?}");
    }
    // What the sentence advises.
    let state = Some(own.path());
    run(&["login", "us", "--api-key"], state).await.ended(0);
    run(&["overview"], state).await.ended(0);
    assert_eq!(nothing_is_left(), [] as [PathBuf; 0]);
    assert!(own.path().join("sign-in-with-posthog").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_command_is_first_folders_and_files_are_private() {
    let harness = Harness::signed_in().await;
    let home = harness.file("home");
    let output = home.join("cache/widget.svg");
    let output = output.to_str().unwrap();
    std::fs::remove_dir_all(home.join("cache")).ok();
    // A umask that gives everything to everybody, and a file in the cache folder before anything else.
    for arguments in [
        &["widget", "--offline", "--format", "svg", "--output", output][..],
        &["overview"],
        &["config", "set", "mode", "dark"],
        &["widget", "--max-age", "0s", "--timeout", "300s"],
    ] {
        let mut words = vec!["-c", "umask 000; exec \"$@\"", "sh"];
        words.push(env!("CARGO_BIN_EXE_pockethog"));
        words.extend(arguments);
        let mut command = harness.command_of("sh", &words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.unwrap();
    }
    assert_eq!(open_to_others(&home), [] as [String; 0]);
    assert!(home.join("cache/snapshots.sqlite").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_home_of_a_demo_is_private_too() {
    use tokio::io::{AsyncBufReadExt, BufReader};

    let harness = Harness::new().await;
    let (temporary, given) = (harness.file("tmp"), harness.file("demo"));
    std::fs::create_dir(&temporary).unwrap();
    for home in [None, Some(&given)] {
        let program = env!("CARGO_BIN_EXE_pockethog");
        let words = "umask 000; exec \"$0\" demo --no-browser";
        let mut command = harness.command_of("sh", &["-c", words, program]);
        command
            .env("TMPDIR", &temporary)
            .env_remove("POCKETHOG_HOME");
        command.envs(home.map(|home| ("POCKETHOG_HOME", home)));
        let mut demo = command.stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(demo.stderr.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("PocketHog is running") {
                break;
            }
        }
        let folder = if let Some(home) = home {
            home.clone()
        } else {
            let mut entries = std::fs::read_dir(&temporary).unwrap();
            entries.next().unwrap().unwrap().path()
        };
        // Who may write to it can move a folder of it away, although it is closed.
        assert_eq!(open_to_others(&folder).first(), None);
        demo.kill().await.unwrap();
    }
}

/// Whatever others could read below a folder, and the folder itself.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut open = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let found = path.symlink_metadata().unwrap();
        if found.permissions().mode() & 0o077 != 0 {
            open.push(path.display().to_string());
        }
        if found.is_dir() {
            left.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    open
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_no_text_are_shown_as_far_as_they_are() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let harness = Harness::signed_in().await;
    let odd = harness.home.path().join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::rename(harness.file("home"), &odd).unwrap();
    let run = async |arguments: &[&OsStr], code: i32| {
        let mut command = harness.command(&[]);
        command.env("POCKETHOG_HOME", &odd).args(arguments);
        let run = Run::of(command.output().await.unwrap());
        assert!(!run.err.contains("panicked"), "{run:?}");
        run.ended(code)
    };
    let words = |line: &'static str| line.split(' ').map(OsStr::new).collect::<Vec<_>>();
    let status = run(&words("status --json"), 0).await;
    assert!(
        status.json()["snapshots"]
            .as_str()
            .unwrap()
            .contains("caf\u{fffd}/cache")
    );
    run(&words("status"), 0).await;
    run(&words("overview --json"), 0).await;
    run(&words("config path --json"), 0).await;
    run(&words("config set mode dark"), 0).await;
    run(&words("doctor --json"), 0).await;
    let output = odd.join(OsStr::from_bytes(b"\xff.svg"));
    let mut arguments = words("widget --timeout 300s --format svg --output");
    arguments.push(output.as_os_str());
    run(&arguments, 0).await;
    assert!(output.exists());
    arguments.extend(words("--install systemd"));
    run(&arguments, 1).await;
    run(&[OsStr::new("overview"), OsStr::from_bytes(b"\xff")], 2).await;
    run(&[OsStr::from_bytes(b"\xff")], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_is_no_panic() {
    let harness = Harness::signed_in().await;
    for line in [
        "status",
        "status --json",
        "projects",
        "projects --json",
        "overview --json",
        "doctor --json",
        "widget --offline",
        "config get",
        "config get --json",
        "completions bash",
        "man",
        "--help",
        "--version",
        "nonsense",
        "nonsense --json",
        "annotations list --json",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        for both in [false, true] {
            let mut command = harness.command(&arguments);
            let mut child = command.spawn().unwrap();
            drop(child.stdout.take());
            if both {
                drop(child.stderr.take());
            }
            let output = child.wait_with_output().await.unwrap();
            let err = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!err.contains("panicked"), "{line}: {err}");
            assert!(
                matches!(output.status.code(), Some(0..=5)),
                "{line}: {output:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preference_of_a_newer_version_is_named_once_and_the_rest_is_in_force() {
    let harness = Harness::signed_in().await;
    let run = harness.run(&["projects", "--json"]).await.ended(0);
    let key = run.json()["projects"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let text = format!("sound = \"loud\"\n\n[projects.\"{key}\"]\nname = \"My own\"\nicon = 7\n");
    std::fs::write(harness.file("home/preferences.toml"), text).unwrap();
    let run = harness
        .run(&["overview", "My own", "--json"])
        .await
        .ended(0);
    assert_eq!(run.json()["projects"][0]["name"], "My own", "{run:?}");
    for named in [
        "line 1: there is no preference `sound`",
        "line 5: there is no preference `icon`",
    ] {
        assert_eq!(run.err.matches(named).count(), 1, "{run:?}");
        assert!(
            run.json()["remarks"][0].as_str().unwrap().contains(named),
            "{run:?}"
        );
    }
    harness
        .run(&["config", "set", "mode", "dark"])
        .await
        .ended(0);
    let text = std::fs::read_to_string(harness.file("home/preferences.toml")).unwrap();
    assert!(
        text.contains("sound = \"loud\"") && text.contains("icon = 7"),
        "{text}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn without_certificates_what_is_local_works_and_the_doctor_explains() {
    let harness = Harness::new().await;
    for (arguments, code) in [
        (&["status"][..], 4),
        (&["config", "set", "mode", "dark"], 0),
        (&["widget", "--offline"], 4),
        (&["doctor"], 1),
    ] {
        let mut command = harness.command(arguments);
        command.env("SSL_CERT_FILE", "/nonexistent");
        command.env("SSL_CERT_DIR", "/nonexistent");
        let run = Run::of(command.output().await.unwrap()).ended(code);
        let explained = run.out.contains("certificates cannot be loaded");
        assert_eq!(explained, arguments == ["doctor"], "{run:?}");
    }
}
