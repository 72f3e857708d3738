//! The example as a crate outside the workspace, with nothing beside this crate but tokio.

#![allow(
    clippy::unwrap_used,
    reason = "a test that meets something unexpected has failed"
)]
#![cfg(target_os = "linux")]

mod posthog;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use url::Url;

use posthog::PostHog;

/// The profile is that of the workspace, so that most of what is compiled there serves here too.
const MANIFEST: &str = r#"
[package]
name = "fresh-crate"
version = "0.0.0"
edition = "2024"

[dependencies]
sign-in-with-posthog = { path = "CRATE" }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }

[profile.dev]
debug = "line-tables-only"

[profile.dev.package."*"]
debug = false

[workspace]
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_signs_in_as_a_crate_of_its_own() {
    let program = build();
    let posthog = PostHog::start(false);
    let home = tempfile::tempdir().unwrap();
    let mut child = tokio::process::Command::new(program)
        .arg(&posthog.base)
        .env("HOME", home.path())
        .env_remove("XDG_STATE_HOME")
        // No keychain: the tokens are stored in an encrypted file of this home.
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).await.unwrap();
    let page = browse(line.trim().strip_prefix("Open ").unwrap()).await;
    assert!(page.contains("You are signed in"), "{page}");
    let mut rest = String::new();
    output.read_to_string(&mut rest).await.unwrap();
    assert!(child.wait().await.unwrap().success());
    assert!(rest.contains("Signed in as ada@example.org"), "{rest}");
    assert!(rest.contains("The token has"), "{rest}");
}

/// Builds the example as the only file of a crate, offline and with the versions of the workspace's lock file.
fn build() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = shared.parent().unwrap();
    let fresh = shared.join("fresh-crate");
    std::fs::create_dir_all(fresh.join("src")).unwrap();
    let manifest = MANIFEST.replace("CRATE", this.to_str().unwrap());
    std::fs::write(fresh.join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(this.join("../../Cargo.lock"), fresh.join("Cargo.lock")).unwrap();
    std::fs::copy(this.join("examples/who_am_i.rs"), fresh.join("src/main.rs")).unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet"])
        .current_dir(&fresh)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    target.join("debug/fresh-crate")
}

/// Does what a browser does with the address to open, and returns the last page.
async fn browse(start: &str) -> String {
    let browser = test_support::http::client();
    let started = browser.get(start).send().await.unwrap();
    let cookies: Vec<&str> = started
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .filter(|cookie| cookie.contains("Path=/callback;"))
        .map(|cookie| cookie.split(';').next().unwrap())
        .collect();
    let location = |response: &reqwest::Response| -> Url {
        let address = response.headers()[LOCATION].to_str().unwrap();
        address.parse().unwrap()
    };
    let consented = browser.get(location(&started)).send().await.unwrap();
    let callback = browser
        .get(location(&consented))
        .header(COOKIE, cookies.join("; "));
    callback.send().await.unwrap().text().await.unwrap()
}
