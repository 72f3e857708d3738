//! `pockethog moved`: what has left its usual range, and why.

#![allow(clippy::unwrap_used)]

use demo_posthog::{Consent, Endpoint, Instance};
use serde_json::Value;

use crate::harness::Harness;
use crate::shape::shape;

/// The project that a crowd came to: which one it is depends on the time of day.
const CROWDS: [&str; 2] = ["Snuffle App", "Hedgerow Blog"];

/// The entry of one of these projects.
#[track_caller]
fn entry<'a>(moved: &'a Value, names: &[&str]) -> &'a Value {
    let mut entries = moved["moved"].as_array().unwrap().iter();
    let is_wanted = |entry: &&Value| names.contains(&entry["name"].as_str().unwrap_or_default());
    let found = entries.find(is_wanted);
    found.unwrap_or_else(|| panic!("{moved:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_says_what_moved_and_why() {
    let harness = Harness::signed_in().await;
    let eu = harness.demo.eu();
    harness.login(eu, "eu", &Consent::default()).await.ended(0);
    // A busy machine takes its time to invent and count the last weeks.
    let run = harness.run(&["moved", "--timeout", "2m", "--json"]).await;
    let moved = run.ended(0).json();
    assert_eq!(moved["failures"], Value::Array(Vec::new()));
    let spike = entry(&moved, &CROWDS);
    insta::assert_snapshot!("moved", shape(spike));
    assert_eq!(spike["kind"], "spike");
    let cause = &spike["causes"]["values"][0];
    assert_eq!(
        (&cause["dimension"], &cause["value"]),
        (&"referrer".into(), &"news.ycombinator.com".into()),
        "{spike:#}"
    );
    let because = ", mostly from news.ycombinator.com, nearly all on /blog/why-we-moved";
    let sentence = spike["sentence"].as_str().unwrap();
    assert!(
        sentence.starts_with('+') && sentence.ends_with(because),
        "{sentence}"
    );
    // Nobody comes, so nothing that visitors have explains it.
    let silent = entry(&moved, &["Pebble POS"]);
    assert_eq!(
        (&silent["kind"], &silent["causes"]),
        (&"silent".into(), &Value::Null)
    );

    // The text says the same, and nothing that was read a moment ago is read again but the numbers of today.
    let key = spike["key"].as_str().unwrap();
    let queries = |harness: &Harness| {
        let of = |instance: &Instance| instance.counters().count(Endpoint::Query);
        of(harness.demo.us()) + of(harness.demo.eu())
    };
    let before = queries(&harness);
    let run = harness.run(&["moved", key]).await.ended(0);
    for wanted in [
        "Spike",
        spike["name"].as_str().unwrap(),
        because,
        "usually ",
    ] {
        assert!(run.out.contains(wanted), "{wanted}: {}", run.out);
    }
    assert!(!run.out.contains("Pebble"), "{}", run.out);
    assert_eq!(queries(&harness), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moved_is_a_sentence_and_no_failure() {
    let harness = Harness::signed_in().await;
    let run = harness.run(&["moved", "Burrow"]).await.ended(0);
    assert!(
        run.out.starts_with("Nothing has moved, compared with "),
        "{}",
        run.out
    );
    let run = harness.run(&["moved", "Burrow", "--json"]).await.ended(0);
    assert_eq!(run.json()["moved"], Value::Array(Vec::new()));
    assert_eq!(run.json()["as_usual"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sign_in_or_with_an_unknown_project_it_says_so() {
    let harness = Harness::new().await;
    harness.run(&["moved"]).await.ended(4);
    let run = harness.run(&["moved", "--json"]).await.ended(4);
    assert_eq!(run.json()["error"]["kind"], "sign_in_needed");
    let harness = Harness::signed_in().await;
    let run = harness.run(&["moved", "no such project"]).await.ended(2);
    assert!(run.err.contains("no such project"), "{}", run.err);
}
