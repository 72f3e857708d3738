//! Text from outside that tries to control the terminal: through every field of every command, to a pipe and to a
//! terminal.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use demo_posthog::{ApiKeyOptions, Edit, Endpoint, Failure, Fault, When};
use nix::pty::{Winsize, openpty};
use serde_json::{Value, json};

use crate::harness::{Harness, Run};

/// A title, colours, a forged line, the other direction of writing, marks that cannot be seen, markup.
const HOSTILE: &str = "h\u{1b}]0;t\u{7}\u{1b}[35m\u{9b}36m\r\nFORGED\tq\u{202e}\u{200b}\u{2066}\u{61c}\u{200f}\
                       \u{e0041}\u{7f}\u{2028}\u{feff}\u{ad}\u{2060}\u{180e}\u{fe0f}<b>&|#[fg=red]#(id)";

/// Members that a person wrote. Time zones of some projects, too.
const WRITTEN: [&str; 8] = [
    "name",
    "content",
    "first_name",
    "last_name",
    "label",
    "email",
    "detail",
    "message",
];

fn spoil(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let odd = fields
                .get("id")
                .and_then(Value::as_u64)
                .is_some_and(|id| id % 2 == 1);
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::String(text)
                        if WRITTEN.contains(&name.as_str()) || (odd && name == "timezone") =>
                    {
                        text.push_str(HOSTILE);
                    }
                    other => spoil(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spoil),
        _ => {}
    }
}

/// The names of columns and every text in a cell.
fn spoil_rows(answer: &mut Value) {
    for part in ["columns", "results"] {
        if let Some(part) = answer.get_mut(part) {
            spoil_texts(part);
        }
    }
}

fn spoil_texts(value: &mut Value) {
    match value {
        Value::String(text) => text.push_str(HOSTILE),
        Value::Array(items) => items.iter_mut().for_each(spoil_texts),
        _ => {}
    }
}

fn edit(harness: &Harness, endpoint: Endpoint, edit: fn(&mut Value)) {
    harness.demo.us().fail_next(Failure {
        endpoint,
        times: 10_000,
        what: Fault::Edit(Edit::new(edit)),
        when: When::Before,
    });
}

fn spoil_names(harness: &Harness) {
    for endpoint in [
        Endpoint::CurrentUser,
        Endpoint::CurrentApiKey,
        Endpoint::Organizations,
        Endpoint::Organization,
        Endpoint::OrganizationProjects,
        Endpoint::Projects,
        Endpoint::Project,
        Endpoint::EventDefinitions,
        Endpoint::Annotations,
    ] {
        edit(harness, endpoint, spoil);
    }
}

/// A device whose account and projects have such names. The key of its busiest project.
async fn spoilt() -> (Harness, String) {
    let harness = Harness::new().await;
    spoil_names(&harness);
    let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
    let login = ["login", "us", "--api-key"];
    check(&harness.run_with_input(&login, &key).await.ended(0));
    let projects = &harness.demo.us().world().projects;
    let busiest = projects.iter().max_by_key(|project| project.visitors);
    let key = format!("us/{}", busiest.unwrap().id);
    (harness, key)
}

/// The same command on a terminal of its own: what it shows there.
async fn on_a_terminal(harness: &Harness, arguments: &[&str]) -> String {
    let size = Winsize {
        ws_row: 50,
        ws_col: 120,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(&size, None).unwrap();
    let slave = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
    let mut command = harness.command(arguments);
    command
        .env("TERM", "xterm-256color")
        .stdout(slave(&pty.slave))
        .stderr(slave(&pty.slave));
    let mut child = command.spawn().unwrap();
    drop(command);
    drop(pty.slave);
    let mut master = File::from(pty.master);
    let reading = tokio::task::spawn_blocking(move || {
        let (mut shown, mut piece) = (Vec::new(), [0; 4096]);
        // The end of a terminal is an error.
        while let Ok(read @ 1..) = master.read(&mut piece) {
            shown.extend_from_slice(&piece[..read]);
        }
        String::from_utf8(shown).unwrap()
    });
    child.wait().await.unwrap();
    let mut shown = reading.await.unwrap().replace("\r\n", "\n");
    // Our own colours, and the line of progress that is written over.
    for own in ["0m", "1m", "2m", "31m", "32m", "38;5;209m"] {
        shown = shown.replace(&format!("\u{1b}[{own}"), "");
    }
    shown.replace("\r\u{1b}[2K", "\n")
}

#[track_caller]
fn check(run: &Run) {
    check_text(&run.out, "standard output");
    check_text(&run.err, "standard error");
}

#[track_caller]
fn check_text(text: &str, place: &str) {
    // Lines and the tabs between columns are ours.
    assert!(!text.contains("FORGED\t"), "a tab on {place}: {text:?}");
    let hostile = |c: &char| !matches!(*c, '\n' | '\t') && pockethog_views::plain::is_hidden(*c);
    let found = text.chars().find(hostile);
    assert!(found.is_none(), "{found:?} on {place}: {text:?}");
    let forged = text
        .lines()
        .any(|line| line.trim_start().starts_with("FORGED"));
    assert!(!forged, "a forged line on {place}: {text}");
}

/// Into a pipe and on a terminal.
async fn check_both(harness: &Harness, arguments: &[&str]) -> Run {
    let run = harness.run(arguments).await;
    check(&run);
    check_text(&on_a_terminal(harness, arguments).await, "a terminal");
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn names_steer_no_terminal() {
    let (harness, key) = spoilt().await;
    for arguments in [
        &["status"][..],
        &["projects"],
        &["overview"],
        &["overview", "--range", "7d"],
        &["overview", &key],
        &["events", &key, "--limit", "5"],
        &["events", "h"],
        &["config", "get", "name", "--project", "h"],
        &["doctor"],
    ] {
        let run = check_both(&harness, arguments).await;
        let shown = run.out + &run.err;
        let names = ["FORGED", "is kept in", "ok"];
        assert!(
            names.iter().any(|name| shown.contains(name)),
            "{arguments:?}: {shown}"
        );
    }
    for format in ["text", "json", "waybar", "xbar", "tmux", "svg"] {
        for which in [
            &["--offline", "--format", format][..],
            &[&key, "--format", format],
        ] {
            let arguments = [&["widget"][..], which].concat();
            check_both(&harness, &arguments).await;
        }
    }
    let listed = harness.run(&["projects", "--json"]).await.ended(0);
    check(&listed);
    let name = listed.json()["projects"][0]["posthog_name"].clone();
    assert!(name.as_str().unwrap().ends_with(HOSTILE), "{name}");
    check_both(&harness, &["logout"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn annotations_steer_no_terminal() {
    let (harness, key) = spoilt().await;
    let add = ["annotations", "add", &key, HOSTILE, "--json"];
    let added = harness.run(&add).await.ended(0);
    check(&added);
    let id = added.json()["added"]["id"].to_string();
    for arguments in [
        &["list", &key, "--since", "7d"][..],
        &["edit", &key, &id, "--text", HOSTILE],
        &["edit", &key, &id, "--text", "x", "--if-version", HOSTILE],
        &["delete", &key, &id],
        &["restore", &key, &id],
        &["edit", &key, "999999", "--text", "x"],
    ] {
        let arguments = [&["annotations"], arguments].concat();
        check_both(&harness, &arguments).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_query_steer_no_terminal() {
    let (harness, key) = spoilt().await;
    edit(&harness, Endpoint::Query, spoil_rows);
    let text = "SELECT event, count() AS n FROM events GROUP BY event LIMIT 3";
    let query = ["query", &key, text];
    check_both(&harness, &query).await.ended(0);
    let run = check_both(&harness, &[&query[..], &["--json"]].concat()).await;
    let cell = run.json()["rows"][0][0].clone();
    assert!(cell.as_str().unwrap().ends_with(HOSTILE), "{cell}");
    for option in ["--csv", "--csv-guard"] {
        let csv = [&query[..], &[option]].concat();
        check_text(&on_a_terminal(&harness, &csv).await, "a terminal");
        // A program gets each cell as it is.
        let run = harness.run(&csv).await.ended(0);
        assert!(run.out.contains(&HOSTILE.replace('"', "\"\"")), "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spreadsheet_gets_no_formula() {
    let harness = Harness::signed_in().await;
    let projects = harness.run(&["projects", "--json"]).await.json();
    let key = projects["projects"][0]["key"].as_str().unwrap().to_owned();
    let text = "SELECT '=1+1' AS a, '-2' AS b, 'x' AS `@c`";
    let plain = harness.run(&["query", &key, text, "--csv"]).await.ended(0);
    assert_eq!(plain.out, "a,b,@c\n=1+1,-2,x\n");
    let guarded = harness.run(&["query", &key, text, "--csv-guard"]).await;
    assert_eq!(guarded.ended(0).out, "a,b,'@c\n'=1+1,-2,x\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_a_server_steer_no_terminal() {
    let (harness, key) = spoilt().await;
    harness.run(&["overview"]).await;
    harness.demo.us().heal();
    let refuse = |code, body: &Value| {
        harness.demo.us().heal();
        harness.demo.us().fail_next(Failure {
            endpoint: Endpoint::Any,
            times: 10_000,
            what: Fault::Status {
                code,
                body: body.to_string(),
                content_type: "application/json".to_owned(),
                retry_after: None,
            },
            when: When::Before,
        });
    };
    for code in [400, 403, 404, 500] {
        let body = json!({ "type": HOSTILE, "code": HOSTILE, "detail": HOSTILE, "attr": HOSTILE,
                           "error": HOSTILE, "error_description": HOSTILE });
        refuse(code, &body);
        for arguments in [
            &["projects"][..],
            &["projects", "--json"],
            &["overview", "--range", "24h"],
            &["query", &key, "SELECT 1"],
            &["events", &key],
            &["annotations", "list", &key],
            &["annotations", "add", &key, "x"],
            &["widget", "--max-age", "0", "--format", "text"],
            &["login", "us", "--no-browser"],
            &["doctor"],
        ] {
            check(&harness.run(arguments).await);
        }
    }
    let login = ["login", "us", "--api-key"];
    check(&harness.run_with_input(&login, "phx_x").await);
    check_text(&on_a_terminal(&harness, &["projects"]).await, "a terminal");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_and_the_log_steer_no_terminal() {
    let (harness, _) = spoilt().await;
    // What cannot be an argument of a program.
    let typed = HOSTILE.replace('\0', "");
    for arguments in [
        &[typed.as_str()][..],
        &["projects", &typed],
        &["overview", &typed],
        &["overview", "--range", &typed],
        &["query", "us/11", "SELECT 1", "--set", &typed],
        &["login", &typed],
        &["logout", &typed],
        &["config", "get", &typed],
        &["config", "set", "mode", &typed],
        &["widget", &typed],
        &["widget", "--install", "systemd", &typed],
        &["annotations", "list", "us/11", "--since", &typed],
        &["annotations"],
    ] {
        check_both(&harness, arguments).await;
    }
    let mut command = harness.command(&["projects"]);
    let output = command
        .env("POCKETHOG_LOG", "trace")
        .output()
        .await
        .unwrap();
    check_text(&String::from_utf8(output.stderr).unwrap(), "the log");
}
