//! `pockethog digest`: one page about the closed days of all projects.

#![allow(clippy::unwrap_used)]

use demo_posthog::Consent;

use crate::harness::Harness;
use crate::shape::shape;

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_has_every_project_and_is_one_page_in_every_format() {
    let harness = Harness::signed_in().await;
    let run = harness.run(&["digest", "--json"]).await.ended(0);
    insta::assert_snapshot!("digest", shape(&run.json()));
    let document = run.json();
    let projects = document["projects"].as_array().unwrap();
    let sum: u64 = projects
        .iter()
        .filter_map(|project| project["visitors"]["count"].as_u64())
        .sum();
    assert!(sum > 0);
    assert_eq!(document["visitors"]["count"], sum);

    // The same numbers by a query of its own.
    let first = &projects[0];
    let day = first["until"].as_str().unwrap();
    let zone = first["time_zone"].as_str().unwrap();
    let query = format!(
        "SELECT uniqExact(person_id) FROM events WHERE event IN ('$pageview', '$screen') \
         AND toDate(toTimeZone(timestamp, '{zone}')) = toDate('{day}')"
    );
    let key = first["key"].as_str().unwrap();
    let counted = harness.run(&["query", key, &query, "--json"]).await;
    let counted = counted.ended(0).json()["rows"][0][0].clone();
    assert_eq!(first["visitors"]["count"], counted, "{key}");

    let text = harness.run(&["digest"]).await.ended(0).out;
    for (file, begins) in [
        ("day.html", "<!DOCTYPE html>"),
        ("day.md", "# PocketHog, "),
        ("day.txt", "PocketHog, "),
    ] {
        let path = harness.file(file);
        let arguments = ["digest", "--output", path.to_str().unwrap()];
        let run = harness.run(&arguments).await.ended(0);
        assert_eq!(run.out, "");
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.starts_with(begins), "{written}");
    }
    for project in projects {
        // Longer ones are cut.
        let name: String = project["name"].as_str().unwrap().to_uppercase();
        let name: String = name.chars().take(50).collect();
        assert!(text.contains(&name), "{name} in {text}");
    }
    let week = harness.run(&["digest", "--week", key, "--json"]).await;
    let week = week.ended(0).json();
    assert_eq!(week["projects"].as_array().unwrap().len(), 1);
    assert_eq!(week["span"], "week");
    assert!(week["projects"][0]["visitors"]["before"].is_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_cannot_be_read_is_named_and_the_others_are_there() {
    let harness = Harness::signed_in().await;
    harness.run(&["projects"]).await.ended(0);
    harness.fail_queries(1);
    let run = harness.run(&["digest", "--json"]).await.ended(5);
    assert_eq!(run.json()["failures"].as_array().unwrap().len(), 1);
    let run = harness.run(&["digest", "Nowhere"]).await;
    assert_eq!(run.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_is_shown_first_and_made_if_wanted() {
    let harness = Harness::new().await;
    let shown = harness
        .run(&["digest", "--install", "systemd"])
        .await
        .ended(0);
    assert!(
        shown.out.contains("OnCalendar=*-*-* 07:00"),
        "{}",
        shown.out
    );
    let unit = harness.file(".config/systemd/user/pockethog-digest-week.service");
    assert!(!unit.exists());
    let arguments = ["digest", "--week", "--install", "systemd", "--write"];
    harness.run(&arguments).await.ended(0);
    let text = std::fs::read_to_string(unit).unwrap();
    assert!(
        text.contains("\"digest\" \"--week\" \"--output\""),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_becomes_a_note_that_names_it() {
    let harness = Harness::signed_in().await;
    // Which project a crowd came to depends on the time of day.
    let eu = harness.demo.eu();
    harness.login(eu, "eu", &Consent::default()).await.ended(0);
    let run = harness.run(&["moved", "--timeout", "2m", "--json"]).await;
    let moved = run.ended(0).json();
    let entries = moved["moved"].as_array().unwrap();
    let cause = "news.ycombinator.com";
    let mut entries = entries.iter();
    let first = entries
        .find(|entry| entry["causes"]["values"][0]["value"] == cause)
        .unwrap();
    let key = first["key"].as_str().unwrap();
    let arguments = ["annotations", "add", key, "--move", "--json"];
    let added = harness.run(&arguments).await.ended(0).json();
    let instant =
        |value: &serde_json::Value| -> jiff::Timestamp { value.as_str().unwrap().parse().unwrap() };
    assert_eq!(instant(&added["added"]["at"]), instant(&first["since"]));
    assert_eq!(added["added"]["text"], cause);
    let wrong = ["annotations", "add", key, "--move", "--date", "today"];
    harness.run(&wrong).await.ended(2);
}
