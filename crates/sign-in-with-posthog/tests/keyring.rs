//! A real keyring: gnome-keyring in a D-Bus session of its own.
//!
//! Each test starts this program again inside `dbus-run-session`; the test `inside` is that session's
//! life if the environment says so, and again a second process's life within it.
#![allow(clippy::unwrap_used, clippy::unused_self)]
#![cfg(target_os = "linux")]

mod posthog;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use posthog::PostHog;
use sign_in_with_posthog::{
    ConnectionState, EndReason, SessionError, SignIn, VaultBackend, VaultChoice,
};

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
        "unanswered" => unanswered(folder).await,
        "asks" => asks(folder).await,
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
    let posthog = PostHog::start(true);
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
    let posthog = PostHog::start(true);
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
    let posthog = PostHog::start(true);
    let program = program(&posthog, folder, VaultChoice::Auto);
    let connection = posthog.sign_in(&program).await;
    assert_eq!(program.vault().unwrap(), Some(VaultBackend::Keychain));
    lock_keyring();
    let before = Instant::now();
    let fresh = posthog.program(folder);
    // Nobody is there to ask, so that the question is taken back at once.
    let error = fresh.session(&connection.id).access_token().await;
    let error = error.unwrap_err();
    assert!(before.elapsed() < Duration::from_secs(10));
    assert!(matches!(error, SessionError::Keychain(_)), "{error:?}");
    assert!(error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("unlock"), "{error}");
    assert!(fresh.connections().unwrap()[0].is_active());
}

fn lock_keyring() {
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
}

/// Unlocks it as the desktop does when a person signs in, without a prompt.
fn unlock_keyring() {
    use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};
    let bus = zbus::blocking::Connection::session().unwrap();
    let call = |interface: &str, method: &str, body: zbus::zvariant::Structure<'_>| {
        let (name, path) = ("org.freedesktop.secrets", "/org/freedesktop/secrets");
        bus.call_method(Some(name), path, Some(interface), method, &body)
            .unwrap()
    };
    let plain = ("plain", Value::from("")).into();
    let opened = call("org.freedesktop.Secret.Service", "OpenSession", plain);
    let (_, session): (OwnedValue, OwnedObjectPath) = opened.body().deserialize().unwrap();
    let login = ObjectPath::try_from("/org/freedesktop/secrets/collection/login").unwrap();
    let secret = (session, Vec::<u8>::new(), b"unlock".to_vec(), "text/plain");
    let interface = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface";
    call(
        interface,
        "UnlockWithMasterPassword",
        (login, secret).into(),
    );
}

/// A prompt that is shown and that nobody answers, in place of the desktop's.
struct Prompter(Arc<AtomicUsize>);

#[zbus::interface(name = "org.gnome.keyring.internal.Prompter")]
impl Prompter {
    fn begin_prompting(&self, callback: zbus::zvariant::OwnedObjectPath) {
        drop(callback);
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn stop_prompting(&self, callback: zbus::zvariant::OwnedObjectPath) {
        drop(callback);
    }
}

fn show_prompts() -> (Arc<AtomicUsize>, zbus::blocking::Connection) {
    let prompts = Arc::new(AtomicUsize::new(0));
    let prompter = Prompter(Arc::clone(&prompts));
    let connection = zbus::blocking::connection::Builder::session()
        .and_then(|bus| bus.serve_at("/org/gnome/keyring/Prompter", prompter))
        .and_then(|bus| bus.name("org.gnome.keyring.SystemPrompter"))
        .and_then(zbus::blocking::connection::Builder::build)
        .unwrap();
    (prompts, connection)
}

async fn unanswered(folder: &Path) {
    start_keyring(folder);
    let posthog = PostHog::start(true);
    let program = program(&posthog, folder, VaultChoice::Auto);
    let connection = posthog.sign_in(&program).await;
    assert_eq!(program.vault().unwrap(), Some(VaultBackend::Keychain));
    lock_keyring();
    let shown = tokio::task::spawn_blocking(show_prompts).await.unwrap();
    let (prompts, _bus) = &shown;

    // As a widget does that has a second: many projects ask, within the time, by one prompt.
    let widget = posthog.program(folder);
    widget.limit_keychain(Duration::from_millis(500));
    let before = Instant::now();
    let asking = (0..5).map(|_| {
        let session = widget.session(&connection.id);
        tokio::spawn(async move { session.access_token().await.unwrap_err() })
    });
    for asked in asking.collect::<Vec<_>>() {
        let error = asked.await.unwrap();
        assert!(matches!(error, SessionError::Keychain(_)), "{error:?}");
        assert!(error.to_string().contains("is locked"), "{error}");
    }
    assert!(
        before.elapsed() < Duration::from_secs(3),
        "{:?}",
        before.elapsed()
    );
    assert_eq!(prompts.load(Ordering::SeqCst), 1);
    // Within the minute other processes ask nobody.
    for _ in 0..2 {
        let output = tokio::task::spawn_blocking({
            let folder = folder.to_owned();
            move || run("asks", &folder, false)
        });
        let text = String::from_utf8(output.await.unwrap().stdout).unwrap();
        assert!(text.contains("error=the keychain is locked"), "{text}");
    }
    assert_eq!(prompts.load(Ordering::SeqCst), 1);
    // Once it is unlocked nobody waits for the minute to pass, in that program and in others.
    tokio::task::spawn_blocking(unlock_keyring).await.unwrap();
    widget.session(&connection.id).access_token().await.unwrap();
    let fresh = posthog.program(folder);
    fresh.session(&connection.id).access_token().await.unwrap();
    assert_eq!(prompts.load(Ordering::SeqCst), 1);
}

async fn asks(folder: &Path) {
    let program = SignIn::open(posthog::config(folder)).unwrap();
    let id = program.connections().unwrap()[0].id.clone();
    match program.session(&id).access_token().await {
        Ok(token) => println!("\ntoken={}", token.expose()),
        Err(error) => println!("\nerror={error}"),
    }
}

fn run(scenario: &str, folder: &Path, own_bus: bool) -> Output {
    command(scenario, folder, own_bus).output().unwrap()
}

fn command(scenario: &str, folder: &Path, own_bus: bool) -> Command {
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
        .env_remove("WAYLAND_DISPLAY");
    command
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

#[test]
fn a_prompt_that_nobody_answers_is_shown_once_and_costs_nobody_more_than_its_time() {
    passes("unanswered");
}

/// A folder whose sign-in is said to be in the keychain.
fn kept_in_the_keychain() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let posthog = PostHog::start(true);
        posthog.sign_in(&posthog.program(folder.path())).await;
    });
    let note = folder.path().join("program/vault.json");
    let chosen = std::fs::read_to_string(&note).unwrap();
    std::fs::write(&note, chosen.replace("encrypted_file", "keychain")).unwrap();
    folder
}

fn asks_at(folder: &Path, bus: &str) -> (String, Duration) {
    let before = Instant::now();
    let output = command("asks", folder, false)
        .env("DBUS_SESSION_BUS_ADDRESS", bus)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text, before.elapsed())
}

#[test]
fn a_stale_address_of_the_bus_is_named() {
    let folder = kept_in_the_keychain();
    let bus = "unix:path=/nonexistent/bus";
    let (text, took) = asks_at(folder.path(), bus);
    assert!(
        text.contains("the keychain cannot be reached from here"),
        "{text}"
    );
    assert!(text.contains(bus), "{text}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_bus_that_accepts_and_says_nothing_is_named_and_waited_for_once() {
    let folder = kept_in_the_keychain();
    let socket = folder.path().join("bus");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let bus = format!("unix:path={}", socket.display());
    let (text, _) = asks_at(folder.path(), &bus);
    assert!(
        text.contains("the keychain cannot be reached from here"),
        "{text}"
    );
    assert!(text.contains("does not answer"), "{text}");
    listener.set_nonblocking(true).unwrap();
    let dialled = || std::iter::from_fn(|| listener.accept().ok()).count();
    assert!(dialled() >= 1);
    let (again, _) = asks_at(folder.path(), &bus);
    assert!(
        again.contains("the keychain cannot be reached from here"),
        "{again}"
    );
    assert_eq!(dialled(), 0, "a refusal is remembered for a minute");
}

#[test]
fn a_keychain_that_is_gone_can_be_left() {
    let folder = kept_in_the_keychain();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let program = SignIn::open(posthog::config(folder.path())).unwrap();
        program.leave_keychain().await.unwrap();
        assert_eq!(program.vault().unwrap(), Some(VaultBackend::EncryptedFile));
        let connection = program.connections().unwrap()[0].clone();
        assert!(connection.is_active(), "its record is in the file");
        std::fs::remove_dir_all(folder.path().join("program/vault")).unwrap();
        program.leave_keychain().await.unwrap();
        let connection = program.connections().unwrap()[0].clone();
        let lost = ConnectionState::Ended(EndReason::RecordLost);
        assert_eq!(connection.state, lost);
    });
}
