//! Annotations: added, listed, changed, deleted and restored.

#![allow(clippy::unwrap_used)]

use demo_posthog::Consent;

use crate::harness::{Harness, Run};
use crate::shape::shape;

async fn project(harness: &Harness) -> String {
    let projects = harness.run(&["projects", "--json"]).await.ended(0).json();
    projects["projects"][0]["key"].as_str().unwrap().to_owned()
}

async fn add(harness: &Harness, project: &str, text: &str) -> Run {
    let date = ["--date", "yesterday", "--time", "14:30"];
    let mut arguments = vec!["annotations", "add", project, text, "--json"];
    arguments.extend(date);
    harness.run(&arguments).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_lives_and_comes_back() {
    let harness = Harness::signed_in().await;
    let key = project(&harness).await;
    let added = add(&harness, &key, "Version 2 is out")
        .await
        .ended(0)
        .json();
    insta::assert_snapshot!("annotation_added", shape(&added));
    let id = added["added"]["id"].to_string();
    assert!(added["added"]["at"].as_str().unwrap().contains("T14:30:00"));

    let list = ["annotations", "list", &key, "--since", "7d", "--json"];
    let listed = harness.run(&list).await.ended(0).json();
    insta::assert_snapshot!("annotations", shape(&listed));
    let of = |listed: &serde_json::Value| {
        let annotations = listed["annotations"].as_array().unwrap().clone();
        annotations
            .into_iter()
            .find(|annotation| annotation["id"] == added["added"]["id"])
    };
    assert_eq!(of(&listed).unwrap()["text"], "Version 2 is out");

    let edit = ["annotations", "edit", &key, &id, "--text", "Version 2.0.1"];
    harness.run(&edit).await.ended(0);
    let listed = harness.run(&list).await.json();
    assert_eq!(of(&listed).unwrap()["text"], "Version 2.0.1");

    let stale = [&edit[..], &["--if-version", "long ago", "--json"]].concat();
    let conflict = harness.run(&stale).await.ended(1).json();
    assert_eq!(conflict["error"]["text"], "Version 2.0.1");

    let run = harness
        .run(&["annotations", "delete", &key, &id])
        .await
        .ended(0);
    assert!(run.err.contains(&format!("annotations restore {key} {id}")));
    assert!(of(&harness.run(&list).await.json()).is_none());
    // What is gone, or never was, cannot be deleted.
    for id in [id.as_str(), "999999"] {
        let run = harness
            .run(&["annotations", "delete", &key, id])
            .await
            .ended(1);
        assert!(run.err.contains("there is no annotation"), "{run:?}");
    }

    harness
        .run(&["annotations", "restore", &key, &id])
        .await
        .ended(0);
    assert!(of(&harness.run(&list).await.json()).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_before_it_is_sent() {
    let harness = Harness::signed_in().await;
    let key = project(&harness).await;
    let long = "x".repeat(8193);
    for arguments in [
        &["add", &key, " "][..],
        &["add", &key, &long],
        &["add", &key, "x", "--date", "2026-02-30"],
        &["add", &key, "x", "--date", "2999-01-01"],
        &["add", &key, "x", "--time", "25:00"],
        &["list", &key, "--since", "today", "--until", "7d"],
    ] {
        let arguments = [&["annotations"], arguments].concat();
        harness.run(&arguments).await.ended(2);
    }
    harness
        .run(&["annotations", "edit", &key, "999999", "--text", "x"])
        .await
        .ended(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_was_not_granted_is_named() {
    let harness = Harness::new().await;
    let consent = Consent {
        scopes: Some("organization:read project:read query:read annotation:read"),
        ..Consent::default()
    };
    harness
        .login(harness.demo.us(), "us", &consent)
        .await
        .ended(0);
    let key = project(&harness).await;
    let run = add(&harness, &key, "x").await.ended(1);
    assert!(run.err.contains("annotation:write"), "{run:?}");
    assert!(run.err.contains("pockethog login us"), "{run:?}");
}
