//! Numbers: overview, query, events.

#![allow(clippy::unwrap_used)]

use crate::harness::Harness;
use crate::shape::shape;

/// Key of the project with the most visitors.
fn busy_project(harness: &Harness) -> String {
    let projects = &harness.demo.us().world().projects;
    let busiest = projects.iter().max_by_key(|project| project.visitors);
    format!("us/{}", busiest.unwrap().id)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_has_every_project_and_the_total() {
    let harness = Harness::signed_in().await;
    let run = harness.run(&["overview", "--json"]).await.ended(0);
    insta::assert_snapshot!("overview", shape(&run.json()));
    let projects = run.json()["projects"].as_array().unwrap().clone();
    let sum: u64 = projects
        .iter()
        .filter_map(|project| project["visitors"].as_u64())
        .sum();
    assert_eq!(run.json()["total"]["visitors"], sum);
    let range = harness.run(&["overview", "--range", "7d", "--json"]).await;
    insta::assert_snapshot!("overview_range", shape(&range.ended(0).json()));
    let table = harness.run(&["overview"]).await.ended(0);
    assert!(table.out.contains("Total of all projects"), "{}", table.out);
    // A program gets a tab between the columns, every column, and numbers that it can read.
    let lines: Vec<Vec<&str>> = table
        .out
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), projects.len() + 2);
    let visitors = lines[0]
        .iter()
        .position(|title| *title == "Visitors today")
        .unwrap();
    for line in &lines[1..] {
        assert_eq!(line.len(), lines[0].len(), "{line:?}");
        line[visitors].parse::<u64>().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_without_numbers_is_listed_as_a_failure() {
    let harness = Harness::signed_in().await;
    harness.run(&["projects"]).await.ended(0);
    harness.fail_queries(1);
    let run = harness.run(&["overview", "--json"]).await.ended(5);
    assert_eq!(run.json()["failures"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_as_table_json_and_csv() {
    let harness = Harness::signed_in().await;
    let key = busy_project(&harness);
    let text =
        "SELECT event, count() AS volume FROM events GROUP BY event ORDER BY volume DESC LIMIT 3";
    let run = harness.run(&["query", &key, text, "--json"]).await.ended(0);
    insta::assert_snapshot!("query", shape(&run.json()));
    assert_eq!(run.json()["rows"].as_array().unwrap().len(), 3);
    let csv = harness.run(&["query", &key, text, "--csv"]).await.ended(0);
    assert_eq!(csv.out.lines().next(), Some("event,volume"));
    assert_eq!(csv.out.lines().count(), 4);
    let table = harness
        .run_with_input(&["query", &key, "-"], text)
        .await
        .ended(0);
    assert_eq!(table.out.lines().count(), 4);
    harness
        .run(&["query", &key, text, "--csv", "--json"])
        .await
        .ended(2);
    harness.run(&["query", &key, "  "]).await.ended(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_takes_its_value_and_its_type() {
    let harness = Harness::signed_in().await;
    let key = busy_project(&harness);
    let text = "SELECT count() AS n FROM events WHERE event = {ev}";
    let count = async |value: &str| {
        let run = harness
            .run(&["query", &key, text, "--set", value, "--json"])
            .await;
        run.ended(0).json()["rows"][0][0].as_u64().unwrap()
    };
    assert!(count("ev=$pageview").await > 0);
    assert_eq!(count("ev=x' OR 1=1 --").await, 0);
    let twice = ["query", &key, text, "--set", "ev=a", "--set", "ev=b"];
    harness.run(&twice).await.ended(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_query_shows_the_place() {
    let harness = Harness::signed_in().await;
    let key = busy_project(&harness);
    let run = harness
        .run(&["query", &key, "SELECT count() FROM events WHERE", "--json"])
        .await
        .ended(1);
    let error = &run.json()["error"];
    assert_eq!(error["kind"], "failed");
    assert!(error["query_errors"][0]["line"].is_number(), "{error}");
    assert!(run.err.contains('^'), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_have_volumes_and_can_be_searched() {
    let harness = Harness::signed_in().await;
    let key = busy_project(&harness);
    let run = harness.run(&["events", &key, "--json"]).await.ended(0);
    insta::assert_snapshot!("events", shape(&run.json()));
    let events = run.json()["events"].as_array().unwrap().clone();
    let volumes: Vec<u64> = events
        .iter()
        .map(|event| event["volume_30_days"].as_u64().unwrap())
        .collect();
    assert!(volumes.is_sorted_by(|a, b| a >= b), "{volumes:?}");
    let name = events[0]["event"].as_str().unwrap();
    let found = harness
        .run(&["events", &key, "--search", name, "--json"])
        .await;
    assert_eq!(found.ended(0).json()["events"][0]["event"], name);
    let none = harness
        .run(&["events", &key, "--search", "zzz"])
        .await
        .ended(0);
    assert_eq!(none.out, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_is_no_error() {
    let harness = Harness::signed_in().await;
    let mut child = harness.command(&["projects"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
