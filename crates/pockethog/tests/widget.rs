//! The widget as bars run it: the real program, a home folder of its own, the embedded PostHog.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use demo_posthog::{
    ApiKeyOptions, Consent, Demo, Endpoint, Failure, Fault, Instance, Options, Reach, When,
};
use serde_json::Value;

const FORMATS: [&str; 7] = ["text", "json", "waybar", "xbar", "tmux", "svg", "png"];

/// Projects that are granted: as many as a test needs, and no more to compute.
const PROJECTS: usize = 2;

/// So long that a slow machine does not decide a test; those that are about it give their own.
const PATIENCE: &str = "300s";

/// A device with one home folder, and the PostHog it talks to.
struct Device {
    demo: Demo,
    folder: tempfile::TempDir,
}

impl Device {
    async fn new() -> Self {
        let demo = Demo::start(Options::default()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { demo, folder }
    }

    async fn signed_in() -> Self {
        let device = Self::new().await;
        device.sign_in().await;
        device
    }

    fn us(&self) -> &Instance {
        self.demo.us()
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pockethog"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("POCKETHOG_HOME", self.home())
            .env("POCKETHOG_US_URL", self.demo.us().address())
            .env("POCKETHOG_EU_URL", self.demo.eu().address())
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Signs the first person in with US Cloud, by the address that is printed and one that is pasted.
    async fn sign_in(&self) {
        let mut child = self
            .command(&["login", "us", "--no-browser"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = child.stderr.take().unwrap();
        let (address, reader) = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(errors).lines();
            let address = lines
                .by_ref()
                .map(Result::unwrap)
                .find(|line| line.trim().starts_with("http"))
                .unwrap();
            (address.trim().to_owned(), lines)
        })
        .await
        .unwrap();
        let consent = Consent {
            reach: Reach::Projects(self.reach()),
            ..Consent::default()
        };
        let back = self.us().consent(&address, &consent);
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{back}").unwrap();
        let output = wait(child).await;
        let words: Vec<String> = reader.map_while(Result::ok).collect();
        assert!(output.status.success(), "{words:?} {output:?}");
    }

    /// The projects that are granted.
    fn reach(&self) -> Vec<u64> {
        let mut projects: Vec<_> = self.us().world().projects.iter().collect();
        projects.retain(|project| project.visitors > 0);
        projects.sort_by_key(|project| project.visitors);
        let ids = projects.iter().take(PROJECTS).map(|project| project.id);
        ids.collect()
    }

    /// Signs in with an API key.
    async fn add_key(&self, host: &str, key: &str) {
        let mut child = self
            .command(&["login", host, "--api-key"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{key}").unwrap();
        let output = wait(child).await;
        assert!(output.status.success(), "{output:?}");
    }

    fn widget_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["widget"]);
        if !arguments.contains(&"--timeout") {
            command.args(["--timeout", PATIENCE]);
        }
        command.args(arguments);
        command
    }

    async fn widget(&self, arguments: &[&str]) -> Output {
        wait(self.widget_command(arguments).spawn().unwrap()).await
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let all: Vec<&str> = arguments
            .iter()
            .copied()
            .chain(["--format", "json"])
            .collect();
        let output = self.widget(&all).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Every format prints something of its kind, and bars never see a failure.
    async fn prints_in_every_format(&self, state: &str, exit: i32) {
        for format in FORMATS {
            let output = self.widget(&["--format", format]).await;
            let bar = ["waybar", "xbar", "tmux"].contains(&format);
            let expected = if bar { 0 } else { exit };
            assert_eq!(output.status.code(), Some(expected), "{format}: {output:?}");
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(!printed.contains("panicked"), "{format}: {printed}");
            match format {
                "json" => {
                    let value: Value = serde_json::from_str(&printed).unwrap();
                    assert_eq!(value["state"], state, "{value:#}");
                }
                "waybar" => {
                    assert_eq!(printed.lines().count(), 1);
                    let value: Value = serde_json::from_str(&printed).unwrap();
                    assert_eq!(value["class"][0], state, "{value}");
                    assert!(!value["text"].as_str().unwrap().is_empty());
                }
                "xbar" => assert!(printed.contains("\n---\n"), "{printed}"),
                "svg" => assert!(printed.starts_with("<svg") && printed.ends_with("</svg>\n")),
                "png" => assert!(output.stdout.starts_with(b"\x89PNG\r\n")),
                _ => assert!(printed.trim().len() > 5, "{format}: {printed}"),
            }
        }
    }
}

async fn wait(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
        .await
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A runtime with threads: the embedded PostHog answers while a test waits for a program.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

#[test]
fn who_never_signed_in_is_told_so_in_every_format() {
    run(async {
        let device = Device::new().await;
        device.prints_in_every_format("never-signed-in", 4).await;
        assert_eq!(device.us().counters().count(Endpoint::Any), 0);
        assert!(!device.home().exists(), "a widget makes no folders");
    });
}

#[test]
fn the_first_widget_reads_everything_and_the_next_one_asks_nothing() {
    run(async {
        let device = Device::signed_in().await;
        let first = device.json(&[]).await;
        assert_eq!(first["state"], "fresh", "{first:#}");
        assert!(first["total"]["visitors"].as_u64().unwrap() > 0);
        let projects = first["projects"].as_array().unwrap().len();
        assert_eq!(projects, PROJECTS);
        let counters = device.us().counters();
        assert_eq!(
            counters.count(Endpoint::Query),
            projects,
            "one query per project"
        );
        device.us().reset_counters();
        device.prints_in_every_format("fresh", 0).await;
        assert_eq!(device.us().counters().count(Endpoint::Any), 0);
    });
}

#[test]
fn twenty_stale_widgets_refresh_once() {
    run(async {
        let device = Device::signed_in().await;
        let known = device.json(&[]).await;
        let name = known["projects"][0]["key"].as_str().unwrap().to_owned();
        device.us().reset_counters();
        device.us().set_latency(Duration::from_millis(200));
        // Numbers of a range were never read: the oldest there can be.
        let children: Vec<Child> = (0..20)
            .map(|_| {
                let arguments = [&*name, "--range", "7d", "--format", "json"];
                device.widget_command(&arguments).spawn().unwrap()
            })
            .collect();
        for child in children {
            let output = wait(child).await;
            assert!(output.status.success(), "{output:?}");
            let value: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(value["state"], "fresh", "{value:#}");
        }
        assert_eq!(device.us().counters().count(Endpoint::Query), 1);
    });
}

#[test]
fn offline_it_shows_the_last_numbers_with_their_age() {
    run(async {
        let device = Device::signed_in().await;
        let before = device.json(&[]).await;
        let Device { demo, folder } = device;
        let (us, eu) = (
            demo.us().address().to_owned(),
            demo.eu().address().to_owned(),
        );
        drop(demo);
        let widget = |format: &'static str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_pockethog"));
            command
                .args(["widget", "--max-age", "0", "--format", format])
                .env("HOME", folder.path())
                .env("POCKETHOG_HOME", folder.path().join("home"))
                .env("POCKETHOG_US_URL", &us)
                .env("POCKETHOG_EU_URL", &eu)
                .env_remove("DBUS_SESSION_BUS_ADDRESS")
                .output()
                .unwrap()
        };
        let output = widget("json");
        assert_eq!(output.status.code(), Some(5));
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value["state"], "offline", "{value:#}");
        assert_eq!(value["total"]["visitors"], before["total"]["visitors"]);
        assert_eq!(value["total"]["stale"], true);
        let printed = text(&widget("text"));
        assert!(printed.contains("offline"), "{printed}");
        assert!(
            printed.contains("ago") || printed.contains("just now"),
            "{printed}"
        );
        assert!(text(&widget("tmux")).contains("offline"));
    });
}

#[test]
fn offline_from_the_start_it_says_so() {
    run(async {
        let device = Device::signed_in().await;
        device.us().fail_next(Failure {
            endpoint: Endpoint::Api,
            times: 1000,
            what: Fault::Drop,
            when: When::Before,
        });
        device.prints_in_every_format("offline", 1).await;
    });
}

#[test]
fn told_to_wait_it_waits_and_shows_what_it_has() {
    run(async {
        let device = Device::signed_in().await;
        device.json(&[]).await;
        device.us().fail_next(Failure {
            endpoint: Endpoint::Query,
            times: 1000,
            what: Fault::Throttled(57),
            when: When::Before,
        });
        let value = device.json(&["--max-age", "0"]).await;
        assert_eq!(value["state"], "throttled", "{value:#}");
        assert!(value["total"]["visitors"].as_u64().unwrap() > 0);
        // Not again before the time is over, for no project of this account.
        device.us().reset_counters();
        device.us().heal();
        let again = device.json(&["--max-age", "0"]).await;
        assert_eq!(again["state"], "throttled");
        assert_eq!(device.us().counters().count(Endpoint::Query), 0);
    });
}

#[test]
fn a_project_that_posthog_holds_back_does_not_hold_up_the_others() {
    run(async {
        let device = Device::signed_in().await;
        device.us().fail_next(Failure {
            endpoint: Endpoint::Query,
            times: 1,
            what: Fault::Throttled(3600),
            when: When::Before,
        });
        let projects = &device.us().world().projects;
        let some = projects.iter().filter(|project| project.visitors > 0);
        let smallest = some.min_by_key(|project| project.visitors).unwrap();
        let held_back = device.json(&[&smallest.name]).await;
        assert_eq!(held_back["state"], "throttled", "{held_back:#}");
        device.us().reset_counters();
        let all = device.json(&[]).await;
        assert_eq!(device.us().counters().count(Endpoint::Query), PROJECTS - 1);
        assert!(all["total"]["visitors"].as_u64().unwrap() > 0, "{all:#}");
    });
}

#[test]
fn a_revoked_session_ends_with_its_reason_and_the_last_numbers() {
    run(async {
        let device = Device::signed_in().await;
        let before = device.json(&[]).await;
        device.us().revoke_all();
        let output = device.widget(&["--max-age", "0"]).await;
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let printed = text(&output);
        assert!(printed.contains("revoked or has expired"), "{printed}");
        assert!(printed.contains("signed out"), "{printed}");
        let value = device.json(&[]).await;
        assert_eq!(value["state"], "signed-out");
        assert_eq!(value["total"]["visitors"], before["total"]["visitors"]);
        assert!(text(&device.widget(&["--format", "tmux"]).await).contains("revoked"));
        device.prints_in_every_format("signed-out", 4).await;
    });
}

#[test]
fn after_a_new_sign_in_nothing_of_the_old_one_is_left() {
    run(async {
        let device = Device::signed_in().await;
        device.us().revoke_all();
        // Nothing was listed yet, so that both the list and the numbers have to come.
        assert_eq!(device.json(&[]).await["state"], "signed-out");
        device.sign_in().await;
        let listed = device.json(&[]).await;
        assert_eq!(listed["state"], "fresh", "{listed:#}");
        device.us().revoke_all();
        assert_eq!(
            device.json(&["--max-age", "0"]).await["state"],
            "signed-out"
        );
        device.sign_in().await;
        let read = device.json(&["--max-age", "0"]).await;
        assert_eq!(read["state"], "fresh", "{read:#}");
    });
}

/// As if the list of projects and the numbers had been read two hours earlier.
fn two_hours_pass(device: &Device) {
    let database = rusqlite::Connection::open(device.home().join("cache/snapshots.sqlite"));
    database
        .unwrap()
        .execute("UPDATE discoveries SET found_at = found_at - 7200", [])
        .unwrap();
}

/// As if the clock had been an hour ahead when the list of projects and the numbers were read.
fn the_clock_was_ahead(device: &Device) {
    let database = rusqlite::Connection::open(device.home().join("cache/snapshots.sqlite"));
    database
        .unwrap()
        .execute_batch(
            "UPDATE discoveries SET found_at = found_at + 3600;
             UPDATE views SET measured_at = measured_at + 3600000,
                 json = json_set(json, '$.measured_at', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+1 hour'));",
        )
        .unwrap();
}

#[test]
fn what_was_read_under_a_clock_that_was_ahead_is_asked_once_and_replaced() {
    run(async {
        let device = Device::signed_in().await;
        device.json(&[]).await;
        the_clock_was_ahead(&device);
        let known = device.json(&["--offline"]).await;
        assert_eq!(known["state"], "stale", "{known:#}");
        assert_eq!(known["total"]["age_seconds"], Value::Null);
        assert_eq!(known["total"]["stale"], true);
        device.us().reset_counters();
        let read = device.json(&[]).await;
        assert_eq!(read["state"], "fresh", "{read:#}");
        assert!(read["total"]["age_seconds"].as_u64().unwrap() < 60);
        let counters = device.us().counters();
        assert_eq!(counters.count(Endpoint::Query), PROJECTS);
        assert!(counters.count(Endpoint::Api) > PROJECTS, "the list too");
        device.us().reset_counters();
        device.prints_in_every_format("fresh", 0).await;
        assert_eq!(device.us().counters().count(Endpoint::Any), 0);
    });
}

#[test]
fn an_end_that_the_list_of_projects_finds_leaves_the_last_numbers() {
    run(async {
        let device = Device::signed_in().await;
        let before = device.json(&[]).await;
        two_hours_pass(&device);
        device.us().revoke_all();
        for _ in 0..2 {
            // The list is read beside the numbers, and finds the end as they do.
            let value = device.json(&["--max-age", "0"]).await;
            assert_eq!(value["state"], "signed-out", "{value:#}");
            assert_eq!(value["total"]["visitors"], before["total"]["visitors"]);
            assert_eq!(value["failures"].as_array().unwrap().len(), 1, "{value:#}");
            assert_eq!(value["failures"][0]["needs_sign_in"], true);
        }
        device.prints_in_every_format("signed-out", 4).await;
    });
}

#[test]
fn one_of_two_that_was_revoked_is_named_by_every_widget_and_the_other_is_fresh() {
    run(async {
        let device = Device::signed_in().await;
        let key = device.demo.eu().create_api_key(ApiKeyOptions::default());
        device.add_key("eu", &key).await;
        let before = device.json(&[]).await;
        assert_eq!(before["state"], "fresh", "{before:#}");
        device.us().revoke_all();
        for _ in 0..2 {
            let value = device.json(&["--max-age", "0"]).await;
            assert_eq!(value["state"], "partly", "{value:#}");
            let count = |value: &Value| value["projects"].as_array().unwrap().len();
            assert_eq!(count(&value), count(&before));
            assert_eq!(value["failures"][0]["needs_sign_in"], true, "{value:#}");
            assert!(value["message"].as_str().unwrap().contains("US Cloud"));
        }
        device.prints_in_every_format("partly", 5).await;
    });
}

#[test]
fn a_new_key_takes_over_what_a_revoked_sign_in_has_left_with_widgets_alone() {
    run(async {
        let device = Device::signed_in().await;
        let before = device.json(&[]).await;
        let name = before["projects"][0]["key"].as_str().unwrap().to_owned();
        device.us().revoke_all();
        let ended = device.json(&["--max-age", "0"]).await;
        assert_eq!(ended["state"], "signed-out", "{ended:#}");
        let ids = device.reach();
        let key = device.us().create_api_key(ApiKeyOptions {
            scoped_teams: ids,
            ..ApiKeyOptions::default()
        });
        device.add_key("us", &key).await;
        let value = device.json(&[&name, "--max-age", "0"]).await;
        assert_eq!(value["state"], "fresh", "{value:#}");
        // All of it: what is left of the ended sign-in is that it has ended.
        let value = device.json(&["--max-age", "0"]).await;
        let states = value["projects"].as_array().unwrap().iter();
        let states: Vec<&Value> = states.map(|project| &project["state"]).collect();
        assert!(states.iter().all(|state| *state == "fresh"), "{value:#}");
    });
}

#[cfg(unix)]
#[test]
fn others_cannot_look_into_the_folder_that_a_widget_made() {
    use std::os::unix::fs::PermissionsExt;
    run(async {
        let device = Device::signed_in().await;
        device.widget(&[]).await;
        let folder = device.home().join("cache");
        let mode = std::fs::metadata(folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    });
}

#[test]
fn an_unknown_project_is_named_and_a_known_one_found_by_a_part() {
    run(async {
        let device = Device::signed_in().await;
        let known = device.json(&[]).await;
        let name = known["projects"][0]["name"].as_str().unwrap().to_owned();
        let output = device.widget(&["no such project"]).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains("no such project"));
        let bar = device
            .widget(&["no such project", "--format", "waybar"])
            .await;
        assert_eq!(bar.status.code(), Some(0));
        let found = device.json(&[&name]).await;
        assert_eq!(found["title"], name.as_str());
        assert_eq!(found["projects"].as_array().unwrap().len(), 1);
    });
}

/// Widgets alone read closed days in their turn, after they have printed: then a refresh reads today alone, and
/// nothing is asked twice.
#[test]
fn widgets_alone_read_the_closed_days_of_one_project_each() {
    run(async {
        let device = Device::signed_in().await;
        let queries_of_a_refresh = async || {
            device.us().reset_counters();
            let value = device.json(&["--max-age", "0"]).await;
            assert_eq!(value["state"], "fresh", "{value:#}");
            device.us().counters().count(Endpoint::Query)
        };
        // Who has nothing yet gets numbers first.
        assert_eq!(queries_of_a_refresh().await, PROJECTS);
        for _ in 0..PROJECTS {
            assert_eq!(queries_of_a_refresh().await, PROJECTS + 1);
        }
        let due = "nothing is due any more";
        assert_eq!(queries_of_a_refresh().await, PROJECTS, "{due}");
        let database = device.home().join("cache/snapshots.sqlite");
        let database = rusqlite::Connection::open(database).unwrap();
        let count = "SELECT count(*) FROM histories WHERE days IS NOT NULL";
        let histories: i64 = database.query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(usize::try_from(histories), Ok(PROJECTS));
    });
}

/// One process at a time reads closed days. A command waits for the one that does so, within its own time.
#[test]
fn a_command_waits_for_the_process_that_reads_closed_days() {
    run(async {
        let device = Device::signed_in().await;
        device.json(&[]).await;
        let cache = device.home().join("cache");
        let histories = || {
            let database = rusqlite::Connection::open(cache.join("snapshots.sqlite")).unwrap();
            let count = "SELECT count(*) FROM histories WHERE days IS NOT NULL";
            let histories: i64 = database.query_row(count, [], |row| row.get(0)).unwrap();
            usize::try_from(histories).unwrap()
        };
        let lock = std::fs::File::create(cache.join("snapshots.history.lock")).unwrap();
        lock.lock().unwrap();
        let moved = device.command(&["moved", "--timeout", "6s"]).spawn();
        let output = wait(moved.unwrap()).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(
            histories(),
            0,
            "they are left to the process that has the lock"
        );

        let moved = device.command(&["moved"]).spawn();
        drop(lock);
        let output = wait(moved.unwrap()).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(histories(), PROJECTS);
    });
}

#[test]
fn closed_days_that_take_too_long_cost_no_more_than_the_timeout_and_rest() {
    run(async {
        let device = Device::signed_in().await;
        device.json(&[]).await;
        device.us().reset_counters();
        // The numbers are answered, the closed days after them are not.
        for (times, slow) in [(PROJECTS, 0), (1, 3600)] {
            device.us().fail_next(Failure {
                endpoint: Endpoint::Query,
                times,
                what: Fault::Slow(Duration::from_secs(slow)),
                when: When::Before,
            });
        }
        let value = device.json(&["--max-age", "0", "--timeout", "8s"]).await;
        assert_eq!(value["state"], "fresh", "{value:#}");
        let counters = device.us().counters();
        assert_eq!(counters.count(Endpoint::Query), PROJECTS + 1);
        // The other project is due, the one that was too slow rests.
        for queries in [PROJECTS + 1, PROJECTS] {
            device.us().reset_counters();
            device.json(&["--max-age", "0"]).await;
            assert_eq!(device.us().counters().count(Endpoint::Query), queries);
        }
    });
}

#[test]
fn a_server_that_hangs_costs_no_more_than_the_timeout() {
    run(async {
        let device = Device::signed_in().await;
        device.json(&[]).await;
        // Nobody waits for this answer: the test would take an hour.
        device.us().set_latency(Duration::from_secs(3600));
        let value = device.json(&["--max-age", "0", "--timeout", "1s"]).await;
        assert_eq!(value["state"], "busy", "{value:#}");
        assert_eq!(value["total"]["stale"], true);
    });
}

/// A token that was refused is renewed beside the numbers. The widget prints when its time is over, and ends when
/// the new token is stored: nobody asks for it a second time.
#[test]
fn a_renewal_caused_by_a_refused_token_is_stored_before_the_widget_ends() {
    run(async {
        let device = Device::signed_in().await;
        device.json(&[]).await;
        device.us().expire_access_tokens();
        device.us().fail_next(Failure {
            endpoint: Endpoint::Token,
            times: 1,
            what: Fault::Slow(Duration::from_secs(4)),
            when: When::Before,
        });
        let before = device.us().counters().refreshes;
        device.json(&["--max-age", "0", "--timeout", "2s"]).await;
        let value = device.json(&["--max-age", "0"]).await;
        assert_eq!(value["state"], "fresh", "{value:#}");
        assert_eq!(device.us().counters().refreshes - before, 1);
    });
}

/// The bus accepts connections and says nothing: PostHog is not asked, and nothing says that it is busy.
#[cfg(target_os = "linux")]
#[test]
fn a_keychain_that_does_not_answer_is_named_within_the_time_and_asked_once() {
    run(async {
        let device = Device::signed_in().await;
        device.json(&[]).await;
        let note = device.home().join("sign-in/vault.json");
        let chosen = std::fs::read_to_string(&note).unwrap();
        std::fs::write(&note, chosen.replace("encrypted_file", "keychain")).unwrap();
        let socket = device.folder.path().join("bus");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let bus = format!("unix:path={}", socket.display());
        let run = async |arguments: &[&str]| {
            let mut command = device.command(arguments);
            command.env("DBUS_SESSION_BUS_ADDRESS", &bus);
            let begun = Instant::now();
            let output = wait(command.spawn().unwrap()).await;
            (output, begun.elapsed())
        };
        let requests = device.us().counters().count(Endpoint::Any);

        let arguments = ["widget", "--json", "--max-age", "0", "--timeout", "2s"];
        let (output, took) = run(&arguments).await;
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value["state"], "locked", "{value:#}");
        let sentence = value["message"].to_string();
        assert!(sentence.contains("keychain cannot be reached"), "{value:#}");
        assert!(!value.to_string().contains("busy"), "{value:#}");
        assert_eq!(output.status.code(), Some(5));
        // Half of its time, and what a slow machine adds; it was 18 s.
        assert!(took < Duration::from_secs(10), "{took:?}");

        // The refusal is remembered, and the account is named once and not once per project.
        let (output, took) = run(&["overview", "--json"]).await;
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let failures = value["failures"].as_array().unwrap();
        assert_eq!(failures.len(), 1, "{value:#}");
        assert_eq!(failures[0]["what"], "US Cloud");
        assert_eq!(failures[0]["cause"], "locked");
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!(
            device.us().counters().count(Endpoint::Any),
            requests,
            "PostHog is not asked"
        );

        let (output, took) = run(&["doctor"]).await;
        let report = text(&output);
        assert!(took < Duration::from_secs(20), "{took:?}");
        assert!(report.contains("cannot be reached from here"), "{report}");
        assert!(report.contains("pockethog vault move file"), "{report}");
    });
}

#[test]
fn a_broken_database_is_set_aside_and_read_anew() {
    run(async {
        let device = Device::signed_in().await;
        let before = device.json(&[]).await;
        let path = device.home().join("cache/snapshots.sqlite");
        for file in ["snapshots.sqlite-wal", "snapshots.sqlite-shm"] {
            std::fs::remove_file(path.with_file_name(file)).ok();
        }
        std::fs::write(&path, "no database at all, however long it is ".repeat(200)).unwrap();
        let after = device.json(&[]).await;
        assert_eq!(after["state"], "fresh", "{after:#}");
        assert_eq!(
            after["projects"].as_array().unwrap().len(),
            before["projects"].as_array().unwrap().len()
        );
    });
}

#[test]
fn a_file_is_replaced_as_a_whole() {
    run(async {
        let device = Device::signed_in().await;
        let path = device.folder.path().join("deep/widget.png");
        let path_text = path.display().to_string();
        for mode in ["light", "dark"] {
            let output = device
                .widget(&["--format", "png", "--mode", mode, "--output", &path_text])
                .await;
            assert!(
                output.status.success() && output.stdout.is_empty(),
                "{output:?}"
            );
            assert!(std::fs::read(&path).unwrap().starts_with(b"\x89PNG\r\n"));
        }
    });
}

#[test]
fn tmux_shows_the_line_as_it_is_meant() {
    run(async {
        let device = Device::signed_in().await;
        let known = device.json(&[]).await;
        let key = known["projects"][0]["key"].as_str().unwrap().to_owned();
        std::fs::create_dir_all(device.home()).unwrap();
        let preferences = format!("[projects.\"{key}\"]\nname = \"#[x] #{{pid}} 50%H #(id)\"\n");
        std::fs::write(device.home().join("preferences.toml"), preferences).unwrap();
        let socket = device.folder.path().join("tmux.sock").display().to_string();
        let script = device.folder.path().join("widget.sh");
        let program = env!("CARGO_BIN_EXE_pockethog");
        std::fs::write(
            &script,
            format!(
                "#!/bin/sh\nexec '{program}' widget '{key}' --format tmux --timeout {PATIENCE}\n"
            ),
        )
        .unwrap();
        let tmux = |arguments: &[&str]| -> Output {
            Command::new("tmux")
                .args(["-S", &socket, "-f", "/dev/null"])
                .args(arguments)
                .env_remove("TMUX")
                .env("HOME", device.folder.path())
                .env("POCKETHOG_HOME", device.home())
                .env("LANG", "C.UTF-8")
                .output()
                .expect("tmux is installed by the test command")
        };
        // The outer tmux is the terminal of the inner one, so that a status line can be read.
        let inner = device
            .folder
            .path()
            .join("inner.sock")
            .display()
            .to_string();
        let attach = format!(
            "env -u TMUX tmux -S '{inner}' -f /dev/null new-session \\; set -g status-interval 1 \\; set -g status-left '' \\; \
             set -g window-status-current-format '' \\; set -g status-right-length 120 \\; set -g status-right '#(sh {})'",
            script.display()
        );
        let started = tmux(&["new-session", "-d", "-x", "120", "-y", "10", &attach]);
        assert!(started.status.success(), "{started:?}");
        let deadline = Instant::now() + Duration::from_secs(60);
        let shown = loop {
            let screen = text(&tmux(&["capture-pane", "-p"]));
            let line = screen.lines().last().unwrap_or_default().trim().to_owned();
            if line.contains("#[x]") || Instant::now() > deadline {
                break line;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        Command::new("tmux")
            .args(["-S", &inner, "kill-server"])
            .output()
            .ok();
        tmux(&["kill-server"]);
        assert!(shown.starts_with("#[x] #{pid} 50%H"), "{shown}");
        assert!(!shown.contains("fg="), "{shown}");
        assert!(shown.contains('%'), "{shown}");
    });
}

#[test]
fn an_installed_plugin_prints_the_widget() {
    run(async {
        let device = Device::signed_in().await;
        let shown = device.widget(&["--install", "xbar"]).await;
        assert!(text(&shown).contains("#!/bin/sh"), "{shown:?}");
        let made = device.widget(&["--install", "xbar", "--write"]).await;
        assert!(made.status.success(), "{made:?}");
        let plugin = text(&made)
            .split(": made")
            .next()
            .unwrap()
            .trim()
            .to_owned();
        let output = Command::new(&plugin)
            .env("HOME", device.folder.path())
            .output()
            .unwrap();
        assert!(text(&output).contains("All projects"), "{output:?}");
        // A second time says so, and a changed file stays.
        std::fs::write(&plugin, "mine").unwrap();
        let refused = device.widget(&["--install", "xbar", "--write"]).await;
        assert_eq!(refused.status.code(), Some(1));
        assert_eq!(std::fs::read_to_string(&plugin).unwrap(), "mine");
    });
}
