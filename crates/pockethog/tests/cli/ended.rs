//! After access has ended nothing disappears silently, whichever process notices it, at once or two hours later.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use demo_posthog::{ApiKeyOptions, Consent, Edit, Endpoint, Failure, Fault, Instance, Reach, When};
use serde_json::Value;

use crate::harness::{Harness, Run};

/// Longer than a busy machine takes.
const TIMEOUT: [&str; 2] = ["--timeout", "300s"];

/// The two projects with the fewest events: what is looked at is what is shown, not how much is counted.
fn two_small(at: &Instance) -> Vec<u64> {
    let mut projects: Vec<_> = at.world().projects.iter().collect();
    projects.retain(|project| project.visitors > 0);
    projects.sort_by_key(|project| project.visitors);
    projects.iter().take(2).map(|project| project.id).collect()
}

async fn sign_in(harness: &Harness, at: &Instance, host: &str) {
    let consent = Consent {
        reach: Reach::Projects(two_small(at)),
        ..Consent::default()
    };
    harness.login(at, host, &consent).await.ended(0);
}

/// A key that reaches what a sign-in by [`sign_in`] does.
async fn add_key(harness: &Harness) -> String {
    let key = harness.demo.us().create_api_key(ApiKeyOptions {
        scoped_teams: two_small(harness.demo.us()),
        ..ApiKeyOptions::default()
    });
    harness
        .run_with_input(&["login", "us", "--api-key"], &key)
        .await
        .ended(0);
    key
}

async fn overview(harness: &Harness, more: &[&str]) -> Run {
    harness.run(&[&["overview"], more, &TIMEOUT].concat()).await
}

/// A device that is signed in at both Clouds and has read everything once.
async fn signed_in_twice() -> (Harness, Value) {
    let harness = Harness::new().await;
    sign_in(&harness, harness.demo.us(), "us").await;
    sign_in(&harness, harness.demo.eu(), "eu").await;
    let before = overview(&harness, &["--json"]).await.ended(0).json();
    (harness, before)
}

/// As if everything had been read two hours earlier.
fn two_hours_pass(harness: &Harness) {
    let path = harness.file("home/cache/snapshots.sqlite");
    let database = rusqlite::Connection::open(path).unwrap();
    database
        .execute("UPDATE discoveries SET found_at = found_at - 7200", [])
        .unwrap();
    let mut rows = database
        .prepare("SELECT host, id, view, json FROM views")
        .unwrap();
    let views: Vec<(String, i64, String, String)> = rows
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (host, id, view, json) in views {
        let mut value: Value = serde_json::from_str(&json).unwrap();
        let at: jiff::Timestamp = value["measured_at"].as_str().unwrap().parse().unwrap();
        let at = at - Duration::from_secs(7200);
        value["measured_at"] = at.to_string().into();
        database
            .execute(
                "UPDATE views SET json = ?1, measured_at = ?2 WHERE host = ?3 AND id = ?4 AND view = ?5",
                rusqlite::params![value.to_string(), at.as_millisecond(), host, id, view],
            )
            .unwrap();
    }
}

fn of_host<'a>(document: &'a Value, host: &str) -> Vec<&'a Value> {
    let projects = document["projects"].as_array().unwrap().iter();
    projects.filter(|project| project["host"] == host).collect()
}

/// The US Cloud's sign-in has ended: its projects are there with their last numbers, it is named once, and
/// nothing claims that they are fresh.
#[track_caller]
fn ended_is_in_sight(run: Run, before: &Value, code: i32) {
    let document = run.ended(code).json();
    let (then, now) = (of_host(before, "us"), of_host(&document, "us"));
    assert_eq!(now.len(), then.len());
    for (then, now) in then.iter().zip(&now) {
        assert_eq!(now["visitors"], then["visitors"], "{now}");
        assert_eq!(now["stale"], true, "{now}");
        assert_eq!(now["online"], Value::Null, "{now}");
        assert_eq!(now["trouble"]["cause"], "signed_out", "{now}");
    }
    names_the_end(&document);
}

#[track_caller]
fn names_the_end(document: &Value) {
    let failures = document["failures"].as_array().unwrap();
    let ended: Vec<&Value> = failures
        .iter()
        .filter(|failure| failure["needs_sign_in"] == true)
        .collect();
    assert_eq!(ended.len(), 1, "{failures:?}");
    assert!(ended[0]["what"].as_str().unwrap().starts_with("US Cloud"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_nobody_answered_is_no_part_of_one() {
    let (harness, _) = signed_in_twice().await;
    harness.demo.us().revoke_all();
    harness.run(&["projects", "--json"]).await.ended(5);
    harness.demo.eu().fail_next(Failure {
        endpoint: Endpoint::Api,
        times: 100,
        what: Fault::Drop,
        when: When::Before,
    });
    harness.run(&["projects", "--json"]).await.ended(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_organizations_alone_are_nothing_that_was_read() {
    let (harness, before) = signed_in_twice().await;
    for endpoint in [Endpoint::OrganizationProjects, Endpoint::Project] {
        harness.demo.eu().fail_next(Failure {
            endpoint,
            times: 1000,
            what: Fault::Html502,
            when: When::Before,
        });
    }
    // One of the two can be read.
    harness.run(&["projects", "--json"]).await.ended(5);
    harness.demo.us().revoke_all();
    let run = harness.run(&["projects", "--json"]).await.ended(4);
    names_the_end(&run.json());
    assert_eq!(
        of_host(&run.json(), "eu").len(),
        of_host(&before, "eu").len()
    );
    // Without an end there is nothing to sign in to.
    let harness = Harness::signed_in().await;
    harness.run(&["projects"]).await.ended(0);
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::OrganizationProjects,
        times: 1000,
        what: Fault::Html502,
        when: When::Before,
    });
    let run = harness.run(&["projects", "--json"]).await.ended(1);
    assert!(!of_host(&run.json(), "us").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_that_was_revoked_stays_in_sight_on_every_call() {
    let (harness, before) = signed_in_twice().await;
    harness.demo.us().revoke_all();
    // Found by a query, as the lists are fresh; known from then on.
    for _ in 0..2 {
        ended_is_in_sight(overview(&harness, &["--json"]).await, &before, 5);
    }
    two_hours_pass(&harness);
    for _ in 0..2 {
        ended_is_in_sight(overview(&harness, &["--json"]).await, &before, 5);
    }
    let listed = harness.run(&["projects", "--json"]).await.ended(5).json();
    names_the_end(&listed);
    assert_eq!(of_host(&listed, "us").len(), of_host(&before, "us").len());
    names_the_end(&harness.run(&["status", "--json"]).await.ended(5).json());
    let text = overview(&harness, &[]).await.ended(5);
    assert!(text.out.contains("2 h ago"), "{text:?}");
    assert!(text.err.contains("`pockethog login us`"), "{text:?}");
    assert_eq!(text.err.matches("revoked or has expired").count(), 1);
    // A range that was read before is kept as well, and one that was not has no number.
    let range = overview(&harness, &["--range", "7d", "--json"]).await;
    let range = range.ended(5).json();
    names_the_end(&range);
    assert!(of_host(&range, "us")[0].get("visitors").is_none());
    // Only the person takes projects away.
    harness.run(&["logout", "eu"]).await.ended(0);
    ended_is_in_sight(overview(&harness, &["--json"]).await, &before, 4);
    let listed = harness.run(&["projects", "--json"]).await.ended(4).json();
    assert!(of_host(&listed, "eu").is_empty());
    harness.run(&["status"]).await.ended(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_the_list_of_projects_finds_wipes_nothing() {
    let (harness, before) = signed_in_twice().await;
    two_hours_pass(&harness);
    harness.demo.us().revoke_all();
    for _ in 0..2 {
        let listed = harness.run(&["projects", "--json"]).await.ended(5).json();
        names_the_end(&listed);
        assert_eq!(of_host(&listed, "us").len(), of_host(&before, "us").len());
    }
    ended_is_in_sight(overview(&harness, &["--json"]).await, &before, 5);
    let key = of_host(&before, "us")[0]["key"].as_str().unwrap();
    let named = overview(&harness, &[key, "--json"]).await.ended(4).json();
    names_the_end(&named);
    let fresh = of_host(&before, "eu")[0]["key"].as_str().unwrap();
    overview(&harness, &[fresh]).await.ended(0);
    // Other commands say why, and not that there is no such project.
    let events = harness.run(&["events", key]).await.ended(4);
    assert!(events.err.contains("`pockethog login us`"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_grant_and_a_deleted_key_are_ends_like_any_other() {
    let (harness, before) = signed_in_twice().await;
    harness.demo.us().narrow_all("project:read");
    harness.demo.us().expire_access_tokens();
    ended_is_in_sight(overview(&harness, &["--json"]).await, &before, 5);

    let harness = Harness::new().await;
    let key = add_key(&harness).await;
    let before = overview(&harness, &["--json"]).await.ended(0).json();
    harness.demo.us().delete_api_key(&key);
    for _ in 0..2 {
        ended_is_in_sight(overview(&harness, &["--json"]).await, &before, 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sign_in_takes_over_what_it_reaches_within_the_same_run() {
    let harness = Harness::new().await;
    sign_in(&harness, harness.demo.us(), "us").await;
    overview(&harness, &[]).await.ended(0);
    add_key(&harness).await;
    harness.run(&["projects"]).await.ended(0);
    harness.demo.us().revoke_all();
    let document = overview(&harness, &["--json"]).await.ended(5).json();
    names_the_end(&document);
    for project in of_host(&document, "us") {
        assert_eq!(project["stale"], false, "{project}");
        assert_eq!(project["trouble"], Value::Null, "{project}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_list_whose_second_page_fails_the_first_is_kept() {
    let harness = Harness::signed_in().await;
    let before = harness.run(&["projects", "--json"]).await.ended(0).json();
    let page_two = Failure {
        endpoint: Endpoint::OrganizationProjects,
        times: 1,
        what: Fault::Edit(Edit::new(|page| {
            let rows = page["results"].as_array_mut().unwrap();
            rows.truncate(1);
            page["next"] = "http://127.0.0.1/api/?offset=1".into();
        })),
        when: When::Before,
    };
    harness.demo.us().fail_next(page_two);
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::OrganizationProjects,
        times: 20,
        what: Fault::Html502,
        when: When::Before,
    });
    let during = harness.run(&["projects", "--json"]).await.ended(5).json();
    assert_eq!(during["projects"], before["projects"]);
    // On a device that never listed them, what was read is there.
    let new = Harness {
        demo: harness.demo,
        home: tempfile::tempdir().unwrap(),
    };
    new.demo.us().heal();
    new.login(new.demo.us(), "us", &Consent::default())
        .await
        .ended(0);
    new.demo.us().fail_next(Failure {
        endpoint: Endpoint::OrganizationProjects,
        times: 1,
        what: Fault::Edit(Edit::new(|page| {
            page["results"].as_array_mut().unwrap().truncate(1);
            page["next"] = "http://127.0.0.1/api/?offset=1".into();
        })),
        when: When::Before,
    });
    new.demo.us().fail_next(Failure {
        endpoint: Endpoint::OrganizationProjects,
        times: 20,
        what: Fault::Html502,
        when: When::Before,
    });
    let listed = new.run(&["projects", "--json"]).await.ended(5).json();
    assert_eq!(listed["projects"].as_array().unwrap().len(), 1);
    assert!(!listed["failures"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_the_overview_shows_ages_and_names_the_host_once() {
    let (harness, before) = signed_in_twice().await;
    two_hours_pass(&harness);
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::Any,
        times: 10_000,
        what: Fault::Drop,
        when: When::Before,
    });
    let document = overview(&harness, &["--json"]).await.ended(5).json();
    let failures = document["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0]["what"], "US Cloud");
    for project in of_host(&document, "us") {
        assert_eq!(project["stale"], true);
        assert_eq!(project["online"], Value::Null);
    }
    let text = overview(&harness, &[]).await.ended(5);
    let old = text.out.matches("2 h ago").count();
    assert_eq!(old, of_host(&before, "us").len(), "{text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_could_be_read_there_is_no_number() {
    let harness = Harness::signed_in().await;
    harness.run(&["projects"]).await.ended(0);
    harness.fail_queries(10_000);
    let document = overview(&harness, &["--json"]).await.ended(1).json();
    assert_eq!(document["total"]["visitors"], Value::Null);
    assert_eq!(document["total"]["online"], Value::Null);
    assert_eq!(document["failures"].as_array().unwrap().len(), 1);
    let text = overview(&harness, &[]).await.ended(1);
    let total = text.out.lines().find(|line| line.contains("Total"));
    assert!(total.is_none_or(|line| line.contains('–')), "{text:?}");
    let widget = harness.run(&["widget", "--format", "json"]).await.ended(1);
    assert_eq!(widget.json()["total"], Value::Null);
    for format in ["text", "waybar", "tmux", "svg"] {
        let shown = harness.run(&["widget", "--format", format]).await;
        for number in [">0<", "All projects 0", "All projects  0", "#[bold]0#"] {
            assert!(!shown.out.contains(number), "{format}: {shown:?}");
        }
    }
}
