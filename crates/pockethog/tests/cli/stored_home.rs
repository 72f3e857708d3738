//! A home that version 0.1.0 left, before the crates were divided: this program opens it, and what this program
//! writes is what that one reads. `stored_home/README.md` says what is in it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use demo_posthog::{ApiKeyOptions, Consent, Demo, Options, Size};
use reqwest::header::{COOKIE, SET_COOKIE};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::harness::{Harness, Run};

/// The id of the installation on which the home was made.
const MACHINE: &[u8] = b"0123456789abcdef0123456789abcdef";

/// The PostHogs of the home are gone: nothing listens at these ports.
const GONE: [(&str, &str); 2] = [
    ("POCKETHOG_US_URL", "http://127.0.0.1:9"),
    ("POCKETHOG_EU_URL", "http://127.0.0.1:7"),
];

const BY_BROWSER: &str = "us-df208d2cd6da";
const BY_KEY: &str = "eu-6e776acc8df2";

#[tokio::test(flavor = "multi_thread")]
async fn a_home_of_version_0_1_0_shows_what_it_showed_then() {
    let stored = Stored::new().await;
    for (line, name, code) in [
        ("status --json", "status", 0),
        ("config get --json", "preferences", 0),
        ("projects --json", "projects", 1),
        ("overview --json", "overview", 1),
    ] {
        let run = stored.run(line).await.ended(code);
        let path = fixture().join(format!("expected/{name}.json"));
        let expected: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert_within(&expected, &run.json(), name);
    }
    let set_aside = fs::read_dir(stored.home("cache")).unwrap();
    let names = set_aside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.contains("set-aside")));
    let preferences = fs::read(stored.home("preferences.toml")).unwrap();
    let before = fs::read(fixture().join("home/preferences.toml")).unwrap();
    assert_eq!(preferences, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_of_version_0_1_0_keeps_its_credentials_and_bookmarks() {
    let stored = Stored::new().await;
    let before = [BY_BROWSER, BY_KEY].map(|id| stored.record(id));
    let pages = stored.json("sign-in/page-server.json");
    // A refresh that fails is noted in the record; nothing else in it changes.
    stored.run("overview").await.ended(1);
    let after = [BY_BROWSER, BY_KEY].map(|id| stored.record(id));
    assert_within(&without_trouble(&before[0]), &after[0], "record");
    assert_eq!(after[0]["content"]["trouble"]["kind"], "offline");
    assert_eq!(after[1], before[1]);

    let mut app = stored.command("--no-browser").spawn().unwrap();
    let opened = opened(&mut app).await;
    interrupt(app).await;
    assert_eq!(opened.mount, pages["mount"]);
    let now = stored.json("sign-in/page-server.json");
    for kept in ["port", "mount", "page_key"] {
        assert_eq!(now[kept], pages[kept], "{kept}");
    }
    let digest = |pages: &Value, nth: usize| pages["sessions"][nth]["digest"].clone();
    assert_eq!(digest(&now, 0), digest(&pages, 0));
    assert!(digest(&now, 1).is_string());

    // Without the key there is one end left, written as version 0.1.0 reads it.
    stored.run("logout eu").await;
    let index = stored.json("sign-in/connections.json");
    let ended = &index["connections"][1];
    assert_eq!(ended["state"], serde_json::json!({ "ended": "signed_out" }));
    let record = stored.record(BY_KEY);
    let content = serde_json::json!({ "kind": "ended", "reason": "signed_out" });
    assert_eq!(record["content"], content);
    assert_eq!(
        (&record["version"], &record["generation"]),
        (&1.into(), &2.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_made_today_is_written_as_version_0_1_0_reads_it() {
    let small = Size::Large {
        organizations: 2,
        projects_each: 2,
    };
    let options = Options {
        size: small,
        ..Options::default()
    };
    let harness = Harness {
        demo: Demo::start(options).await.unwrap(),
        home: tempfile::tempdir().unwrap(),
    };
    live_in(&harness).await;
    let (today, stored) = (Stored { harness }, Stored::new().await);

    for file in ["connections.json", "vault.json", "page-server.json"] {
        let shape = |home: &Stored| shape(&home.json(&format!("sign-in/{file}")));
        assert_eq!(shape(&today), shape(&stored), "{file}");
    }
    let records = |home: &Stored| -> Vec<_> {
        let index = home.json("sign-in/connections.json");
        let connections = index["connections"].as_array().unwrap();
        let ids = connections
            .iter()
            .map(|known| known["id"].as_str().unwrap());
        ids.map(|id| shape(&home.record(id))).collect()
    };
    assert_eq!(records(&today), records(&stored));
    let preferences = |home: &Stored| -> Vec<String> {
        let text = fs::read_to_string(home.home("preferences.toml")).unwrap();
        let lines = text.lines().map(|line| {
            // The number of the Connection and the time differ.
            let line = line.split("[banner.").next().unwrap();
            line.split(" = \"20").next().unwrap().to_owned()
        });
        lines.collect()
    };
    assert_eq!(preferences(&today), preferences(&stored));
    let snapshots = |home: &Stored| Snapshots::read(&home.home("cache/snapshots.sqlite"));
    let (today, stored) = (snapshots(&today), snapshots(&stored));
    assert_eq!(today.version, stored.version);
    // Tables of its own are all right: a program that does not know them leaves them alone.
    let known = |statement: &&String| !statement.contains("TABLE histories (");
    let known: Vec<&String> = today.layout.iter().filter(known).collect();
    assert_eq!(known, stored.layout.iter().collect::<Vec<_>>());
    // So are members and views that it does not know: it asks for others by name, and ignores the rest.
    let since = [
        "today .asked",
        "today .quarters",
        "today .last_event_at",
        "today .lacks_bots",
        "period 7d .left_out",
        "period 7d .lacks_bots",
        "judged ",
        "marks ",
        "causes ",
    ];
    let is_known = |shape: &&String| !since.iter().any(|since| shape.starts_with(since));
    let known: Vec<&String> = today.shapes.iter().filter(is_known).collect();
    assert_eq!(known, stored.shapes.iter().collect::<Vec<_>>());
}

/// What the stored home was made by, with the program of then: signs in, adds a key, reads numbers, chooses
/// preferences, opens the page and puts its banner off.
async fn live_in(harness: &Harness) {
    let consent = Consent::default();
    let login = harness.login(harness.demo.us(), "us", &consent);
    login.await.ended(0);
    let key = harness.demo.eu().create_api_key(ApiKeyOptions::default());
    let login = harness.run_with_input(&["login", "eu", "--api-key"], &key);
    login.await.ended(0);
    let run = harness.run(&["projects", "--json"]).await.ended(0);
    let key = |nth: usize| {
        run.json()["projects"][nth]["key"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (key(0), key(1));
    harness.run(&["overview"]).await.ended(0);
    harness.run(&["overview", "--range", "7d"]).await.ended(0);
    let conversions = "signed up, order placed";
    for words in [
        &["mode", "dark"][..],
        &["scheme", "fern"],
        &["refresh", "5m"],
        &["week_starts_on", "sunday"],
        &["name", "A name of my own", "--project", &first],
        &["conversions", conversions, "--project", &second],
        &["favourite", "true", "--project", &second],
    ] {
        let words = [&["config", "set"], words].concat();
        harness.run(&words).await.ended(0);
    }
    let mut app = harness.command(&["--no-browser"]).spawn().unwrap();
    let opened = opened(&mut app).await;
    let status = harness.run(&["status", "--json"]).await.ended(0).json();
    let connections = status["connections"].as_array().unwrap();
    let mut connections = connections.iter();
    let by_key = connections
        .find(|known| known["kind"] == "api_key")
        .unwrap();
    let id = by_key["id"].as_str().unwrap();
    let snooze = format!("{}{}/banner/{id}/snooze", opened.origin, opened.mount);
    let snoozed = opened.browser.post(snooze);
    let snoozed = snoozed
        .header(COOKIE, opened.cookie)
        .header("sec-fetch-site", "same-origin");
    assert_eq!(snoozed.send().await.unwrap().status(), 303);
    interrupt(app).await;
}

/// The page of an app, in a browser that was let in.
struct Opened {
    browser: reqwest::Client,
    origin: String,
    mount: String,
    cookie: String,
}

async fn opened(app: &mut Child) -> Opened {
    let mut lines = BufReader::new(app.stdout.take().unwrap()).lines();
    let address = lines.next_line().await.unwrap().unwrap();
    pockethog_device::http::client().unwrap();
    let browser = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = browser.get(&address).send().await.unwrap();
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    let (cookie, _) = cookie.split_once(';').unwrap();
    let home = answer.headers()["location"].to_str().unwrap();
    let (origin, _) = address.split_once("/open/").unwrap();
    Opened {
        cookie: cookie.to_owned(),
        origin: origin.to_owned(),
        mount: home.trim_end_matches('/').to_owned(),
        browser,
    }
}

async fn interrupt(mut app: Child) {
    let id = app.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().await;
    assert!(sent.unwrap().success());
    app.wait().await.unwrap();
}

/// A copy of the stored home on this device, whose PostHogs are gone.
struct Stored {
    harness: Harness,
}

impl Stored {
    async fn new() -> Self {
        let stored = Self {
            harness: Harness::new().await,
        };
        copy(&fixture().join("home"), &stored.harness.file("home"));
        copy(&fixture().join("device"), &stored.device());
        for id in [BY_BROWSER, BY_KEY] {
            let path = stored.sealed(id);
            let record = open_sealed(&fs::read(&path).unwrap(), id, &stored.device_key(), MACHINE);
            fs::write(
                path,
                seal(&record, id, &stored.device_key(), &this_machine()),
            )
            .unwrap();
        }
        // A session of pages ends after half a year. This one is always of yesterday.
        let path = stored.home("sign-in/page-server.json");
        let mut pages = stored.json("sign-in/page-server.json");
        let yesterday = jiff::Timestamp::now().as_second() - 86_400;
        pages["sessions"][0]["since"] = yesterday.into();
        fs::write(path, pages.to_string()).unwrap();
        stored
    }

    fn command(&self, line: &str) -> Command {
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = self.harness.command(&words);
        command.envs(GONE);
        command
    }

    async fn run(&self, line: &str) -> Run {
        Run::of(self.command(line).output().await.unwrap())
    }

    fn home(&self, name: &str) -> PathBuf {
        self.harness.file("home").join(name)
    }

    fn device(&self) -> PathBuf {
        self.harness.file(".local/state/sign-in-with-posthog")
    }

    fn device_key(&self) -> Vec<u8> {
        fs::read(self.device().join("device.key")).unwrap()
    }

    fn sealed(&self, id: &str) -> PathBuf {
        self.home(&format!("sign-in/vault/{id}.sealed"))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.home(name)).unwrap()).unwrap()
    }

    fn record(&self, id: &str) -> Value {
        let sealed = fs::read(self.sealed(id)).unwrap();
        let record = open_sealed(&sealed, id, &self.device_key(), &this_machine());
        serde_json::from_slice(&record).unwrap()
    }
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/stored_home")
}

/// Copies a folder, for its owner alone.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            fs::set_permissions(target, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// A sealed record begins with a magic number and the version of the layout, then the name of the key and a nonce.
/// This is written down here a second time, so that a program that reads and writes another layout is noticed.
const HEAD: &[u8] = b"SIPH\x01";

pub fn open_sealed(sealed: &[u8], id: &str, device_key: &[u8], machine: &[u8]) -> Vec<u8> {
    let (name, key) = key(device_key, machine);
    let rest = sealed.strip_prefix(HEAD).unwrap();
    let rest = rest.strip_prefix(name.as_slice()).unwrap();
    let (nonce, body) = rest.split_at(12);
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    let mut body = body.to_vec();
    let opened = key.open_in_place(nonce, Aad::from(id.as_bytes()), &mut body);
    opened.unwrap().to_vec()
}

fn seal(record: &[u8], id: &str, device_key: &[u8], machine: &[u8]) -> Vec<u8> {
    let (name, key) = key(device_key, machine);
    let nonce = [7; 12];
    let mut body = record.to_vec();
    let unique = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(unique, Aad::from(id.as_bytes()), &mut body)
        .unwrap();
    [HEAD, &name, &nonce, &body].concat()
}

/// The name of the key and the key itself, by HKDF with SHA-256: both are shorter than its first block or equal to it.
fn key(device_key: &[u8], machine: &[u8]) -> (Vec<u8>, LessSafeKey) {
    let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, machine), device_key);
    let expand = hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref());
    let block = |what: &str| hmac::sign(&expand, format!("{what}\u{1}").as_bytes());
    let name = block("sign-in-with-posthog key name").as_ref()[..8].to_vec();
    let bytes = block("sign-in-with-posthog record");
    let key = UnboundKey::new(&AES_256_GCM, bytes.as_ref()).unwrap();
    (name, LessSafeKey::new(key))
}

pub fn this_machine() -> Vec<u8> {
    let id = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| fs::read(path).ok());
    id.unwrap_or_default().trim_ascii().to_vec()
}

/// What a database of Snapshots holds, without what changes from run to run.
struct Snapshots {
    version: i64,
    layout: Vec<String>,
    shapes: BTreeSet<String>,
}

impl Snapshots {
    fn read(path: &Path) -> Self {
        let database = rusqlite::Connection::open(path).unwrap();
        let texts = |statement: &str| -> Vec<String> {
            let mut statement = database.prepare(statement).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let mut shapes = BTreeSet::new();
        for (table, name) in [("projects", "'project'"), ("views", "view")] {
            let statement = format!("SELECT {name} || char(10) || json FROM {table}");
            for row in texts(&statement) {
                let (view, json) = row.split_once('\n').unwrap();
                let json: Value = serde_json::from_str(json).unwrap();
                shapes.extend(shape(&json).iter().map(|line| format!("{view} {line}")));
            }
        }
        Self {
            version: database
                .pragma_query_value(None, "user_version", |row| row.get(0))
                .unwrap(),
            layout: texts("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"),
            shapes,
        }
    }
}

/// Names and types, one line each: what is null is left out, and entries of a list are taken together.
fn shape(value: &Value) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    walk(value, "", &mut lines);
    lines
}

fn walk(value: &Value, path: &str, lines: &mut BTreeSet<String>) {
    let kind = match value {
        Value::Null => return,
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(items) => {
            let path = format!("{path}[]");
            for item in items {
                walk(item, &path, lines);
            }
            return;
        }
        Value::Object(members) => {
            for (name, member) in members {
                // Client ids are listed by address.
                let name = if name.contains("://") {
                    "ADDRESS"
                } else {
                    name
                };
                walk(member, &format!("{path}.{name}"), lines);
            }
            return;
        }
    };
    lines.insert(format!("{path}: {kind}"));
}

/// Everything in `expected` is in `found`, which may have more members.
#[track_caller]
fn assert_within(expected: &Value, found: &Value, path: &str) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, value) in expected {
                let path = format!("{path}.{name}");
                let Some(found) = found.get(name) else {
                    panic!("{path} is gone");
                };
                assert_within(value, found, &path);
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            assert_eq!(expected.len(), found.len(), "{path}");
            for (nth, (expected, found)) in expected.iter().zip(found).enumerate() {
                assert_within(expected, found, &format!("{path}[{nth}]"));
            }
        }
        _ => assert_eq!(expected, found, "{path}"),
    }
}

/// A record without what a failed refresh changes.
fn without_trouble(record: &Value) -> Value {
    let mut record = record.clone();
    let content = record["content"].as_object_mut().unwrap();
    content.retain(|name, _| !["not_before", "trouble", "failures"].contains(&name.as_str()));
    record
}
