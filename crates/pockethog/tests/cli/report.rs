//! `pockethog doctor --report`: nothing in it is somebody's own.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

use demo_posthog::{ApiKeyOptions, Consent, Demo, Options, Size};
use serde_json::Value;

use crate::harness::{Harness, Run};
use crate::stored_home::{open_sealed, this_machine};

/// Texts in stored files that are the same for everybody.
const COMMON: &[&str] = &[
    "encrypted_file",
    "active",
    "oauth",
    "api_key",
    "organizations",
    "projects",
    "ended",
    "demo",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_report_holds_no_secret_no_name_and_no_address() {
    let options = Options {
        self_hosted: true,
        size: Size::Large {
            organizations: 2,
            projects_each: 2,
        },
        ..Options::default()
    };
    let harness = Harness {
        demo: Demo::start(options).await.unwrap(),
        home: tempfile::tempdir().unwrap(),
    };
    let own = harness.demo.self_hosted().unwrap();
    let consent = Consent::default();
    let login = harness.login(harness.demo.us(), "us", &consent);
    login.await.ended(0);
    let mut secrets = BTreeSet::new();
    let mut keys = Vec::new();
    for posthog in [harness.demo.eu(), own] {
        let key = posthog.create_api_key(ApiKeyOptions::default());
        let address = posthog.address().to_owned();
        let arguments = ["login", &address, "--api-key"];
        let login = harness.run_with_input(&arguments, &key);
        login.await.ended(0);
        secrets.insert(key.clone());
        keys.push(key);
    }
    let projects = harness.run(&["projects", "--json"]).await.json();
    leaves(&projects["projects"], &mut secrets);
    let first = projects["projects"][0]["key"].as_str().unwrap();
    let name = [
        "config",
        "set",
        "name",
        "Project Nightfall",
        "--project",
        first,
    ];
    harness.run(&name).await.ended(0);
    harness.run(&["projects"]).await.ended(0);
    let mut app = harness.command(&["--no-browser"]).spawn().unwrap();
    let status = harness.run(&["status", "--json"]).await.json();

    for file in ["connections", "page-server", "running"] {
        let path = harness.file(&format!("home/sign-in/{file}.json"));
        if let Ok(bytes) = fs::read(path) {
            leaves(&serde_json::from_slice(&bytes).unwrap(), &mut secrets);
        }
    }
    let device_key = fs::read(harness.file(".local/state/sign-in-with-posthog/device.key"));
    let device_key = device_key.unwrap();
    for connection in status["connections"].as_array().unwrap() {
        let id = connection["id"].as_str().unwrap();
        let sealed = fs::read(harness.file(&format!("home/sign-in/vault/{id}.sealed"))).unwrap();
        let record = open_sealed(&sealed, id, &device_key, &this_machine());
        leaves(&serde_json::from_slice(&record).unwrap(), &mut secrets);
    }
    secrets.insert(String::from_utf8(this_machine()).unwrap());
    secrets.extend(
        [
            "Nightfall",
            "proxyuser",
            "proxypass",
            "proxy.acme.test",
            "acme-colour",
            "hidden-home",
        ]
        .map(ToOwned::to_owned),
    );
    secrets.insert(harness.home.path().display().to_string());
    secrets.insert(own.address().trim_start_matches("http://").to_owned());
    assert!(secrets.iter().any(|secret| secret.starts_with("pha_")));
    assert!(secrets.iter().any(|secret| secret.starts_with("phr_")));
    assert!(secrets.len() > 30, "{secrets:?}");

    // Whatever goes wrong: one key is refused, one record is damaged, preferences and proxy are not understood.
    own.delete_api_key(&keys[1]);
    harness.run(&["overview"]).await;
    let damaged = status["connections"][1]["id"].as_str().unwrap();
    fs::write(
        harness.file(&format!("home/sign-in/vault/{damaged}.sealed")),
        "x",
    )
    .unwrap();
    let preferences = harness.file("home/preferences.toml");
    for (text, proxy) in [
        (
            "mode = \"acme-colour\"\n",
            "http://proxyuser:proxypass@proxy.acme.test:3128",
        ),
        ("[acme-colour\n", "proxyuser:proxypass@proxy.acme.test:x"),
    ] {
        fs::write(&preferences, text).unwrap();
        let mut command = harness.command(&["doctor", "--report"]);
        command.env("HTTPS_PROXY", proxy).env("USER", "hidden-home");
        let run = Run::of(command.output().await.unwrap()).ended(0);
        for secret in &secrets {
            let said = format!("{}{}", run.out, run.err).to_lowercase();
            assert!(
                !said.contains(&secret.to_lowercase()),
                "{secret:?} is in {run:?}"
            );
        }
        for there in [
            "US Cloud by browser (active)",
            "self-hosted 3 by API key",
            "HTTPS_PROXY",
            "POCKETHOG_HOME",
            " Preferences: $POCKETHOG_HOME/preferences.toml",
        ] {
            assert!(run.out.contains(there), "{there} is not in {run:?}");
        }
    }
    app.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_made_even_if_nothing_can_be_opened() {
    let harness = Harness::new().await;
    let mut command = harness.command(&["doctor", "--report"]);
    command.env("POCKETHOG_US_URL", "http://posthog.acme.test/");
    let run = Run::of(command.output().await.unwrap()).ended(0);
    assert!(run.out.contains("fail Start"), "{run:?}");
    assert!(!run.out.contains("acme"), "{run:?}");
}

/// Every text of a stored file that is somebody's own.
fn leaves(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            // Scopes are the same for everybody.
            let own = text.chars().count() > 3
                && !text.contains(":read")
                && !COMMON.contains(&text.as_str());
            if own {
                found.insert(text.clone());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                // Client ids are listed by address. A zone is shared by millions.
                if name.contains("://") {
                    found.insert(name.clone());
                }
                let is_everybodys = ["time_zone", "host", "version"].contains(&name.as_str());
                if !is_everybodys || !member.is_string() {
                    leaves(member, found);
                }
            }
        }
        _ => {}
    }
}
