//! A real keyring: gnome-keyring in a D-Bus session of its own.
//!
//! Each test starts this program again inside `dbus-run-session`; the test `inside` is that session's
//! life where the environment says so, and again a second process's life within it.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod posthog;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use posthog::PostHog;
use sign_in_with_posthog::{SignIn, VaultBackend, VaultChoice};

const SCENARIO: &str = "SIGN_IN_TEST_SCENARIO";
const FOLDER: &str = "SIGN_IN_TEST_FOLDER";

/// What happens within the D-Bus session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inside() {
    let Ok(scenario) = std::env::var(SCENARIO) else {
        return;
    };
    let folder = std::env::var(FOLDER).unwrap();
    let folder = Path::new(&folder);
    match scenario.as_str() {
        "kept" => kept(folder).await,
        "second process" => second_process(folder).await,
        "absent" => absent(folder).await,
        "locked" => locked(folder).await,
        other => panic!("no scenario {other}"),
    }
}

fn program(posthog: &PostHog, folder: &Path, vault: VaultChoice) -> SignIn {
    let mut config = posthog.config(folder);
    config.vault = vault;
    SignIn::open(config).unwrap()
}

fn start_keyring(folder: &Path) {
    let mut daemon = Command::new("gnome-keyring-daemon")
        .args(["--unlock", "--components=secrets", "--daemonize"])
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_RUNTIME_DIR", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    daemon.stdin.take().unwrap().write_all(b"unlock").unwrap();
    assert!(daemon.wait().unwrap().success());
}

async fn kept(folder: &Path) {
    start_keyring(folder);
    let posthog = PostHog::start(true).await;
    let program = program(&posthog, folder, VaultChoice::Auto);
    let connection = posthog.sign_in(&program).await;
    assert_eq!(program.vault().unwrap(), Some(VaultBackend::Keychain));
    let token = program.session(&connection.id).access_token().await;
    assert!(!folder.join("program/vault").exists(), "nothing in files");

    let other = run("second process", folder, false);
    let text = String::from_utf8(other.stdout).unwrap();
    let wanted = format!("token={}", token.unwrap().expose());
    assert!(text.contains(&wanted), "{text}");

    // Moved to the file and back; the session serves at every step.
    for target in [VaultBackend::EncryptedFile, VaultBackend::Keychain] {
        program.move_vault(target).await.unwrap();
        assert_eq!(program.vault().unwrap(), Some(target));
        let fresh = posthog.program(folder);
        fresh.session(&connection.id).access_token().await.unwrap();
        assert_eq!(fresh.connections().unwrap()[0].vault, target);
    }
    let sealed = folder.join(format!("program/vault/{}.sealed", connection.id));
    assert!(!sealed.exists(), "left behind by the move");
}

async fn second_process(folder: &Path) {
    let program = SignIn::open(posthog::config(folder)).unwrap();
    let id = program.connections().unwrap()[0].id.clone();
    let token = program.session(&id).access_token().await.unwrap();
    println!("\ntoken={}", token.expose());
}

async fn absent(folder: &Path) {
    let posthog = PostHog::start(true).await;
    let strict = program(&posthog, &folder.join("strict"), VaultChoice::Keychain);
    let key = "phx_good".to_owned().into();
    let error = strict.add_api_key(&posthog.host(), &key).await.unwrap_err();
    assert!(error.to_string().contains("keychain"), "{error}");
    assert_eq!(strict.vault().unwrap(), None, "a failure is no choice");

    let auto = program(&posthog, folder, VaultChoice::Auto);
    posthog.sign_in(&auto).await;
    assert_eq!(auto.vault().unwrap(), Some(VaultBackend::EncryptedFile));
    start_keyring(folder);
    let later = program(&posthog, folder, VaultChoice::Auto);
    posthog.sign_in(&later).await;
    assert_eq!(
        later.vault().unwrap(),
        Some(VaultBackend::EncryptedFile),
        "never changed silently"
    );
}

async fn locked(folder: &Path) {
    start_keyring(folder);
    let posthog = PostHog::start(true).await;
    let program = program(&posthog, folder, VaultChoice::Auto);
    let connection = posthog.sign_in(&program).await;
    assert_eq!(program.vault().unwrap(), Some(VaultBackend::Keychain));
    let lock = Command::new("dbus-send")
        .args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ])
        .output()
        .unwrap();
    assert!(lock.status.success(), "{lock:?}");
    let before = Instant::now();
    let fresh = posthog.program(folder);
    let error = fresh.session(&connection.id).access_token().await;
    let error = error.unwrap_err();
    assert!(before.elapsed() < Duration::from_secs(10));
    assert!(error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("unlock"), "{error}");
    assert!(fresh.connections().unwrap()[0].is_active());
}

fn run(scenario: &str, folder: &Path, own_bus: bool) -> Output {
    let me = std::env::current_exe().unwrap();
    let mut command = if own_bus {
        let mut command = Command::new("dbus-run-session");
        command.arg("--").arg(me);
        command
    } else {
        Command::new(me)
    };
    command
        .args(["--exact", "inside", "--nocapture"])
        .env(SCENARIO, scenario)
        .env(FOLDER, folder)
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_RUNTIME_DIR", folder)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap()
}

fn passes(scenario: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(scenario, folder.path(), true);
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

#[test]
fn a_sign_in_is_kept_in_the_keyring_read_by_a_second_process_and_moved() {
    passes("kept");
}

#[test]
fn without_a_keyring_the_encrypted_file_is_chosen_and_stays() {
    passes("absent");
}

#[test]
fn a_locked_keyring_ends_with_a_sentence_and_not_with_the_session() {
    passes("locked");
}
