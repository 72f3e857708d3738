//! If PostHog does not answer, every run ends in time, with what it has.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use demo_posthog::{Endpoint, Failure, Fault, When};

use crate::harness::Harness;

fn hang(harness: &Harness, endpoint: Endpoint) {
    harness.demo.us().fail_next(Failure {
        endpoint,
        times: 10_000,
        what: Fault::Slow(Duration::from_secs(3600)),
        when: When::Before,
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posthog_that_hangs_keeps_nobody_waiting() {
    let harness = Harness::signed_in().await;
    let before = harness.run(&["overview", "--json"]).await.ended(0).json();
    let key = before["projects"][0]["key"].as_str().unwrap().to_owned();
    hang(&harness, Endpoint::Api);
    let started = Instant::now();
    let run = harness
        .run(&["overview", "--timeout", "1s", "--json"])
        .await;
    let shown = run.json();
    // The last numbers, and why they are not newer.
    assert_eq!(shown["total"]["visitors"], before["total"]["visitors"]);
    let failures = shown["failures"].to_string();
    assert!(failures.contains("did not answer within 1 s"), "{failures}");
    assert!([1, 5].contains(&run.code), "{}", run.code);
    for arguments in [
        &["overview", "--range", "7d"][..],
        &["overview", "no such project"],
        &["projects"],
        &["events", &key],
        &["query", &key, "SELECT 1"],
        &["annotations", "list", &key],
        &["annotations", "add", &key, "x"],
    ] {
        let arguments = [arguments, &["--timeout", "1s"]].concat();
        let run = harness.run(&arguments).await;
        assert!([1, 5].contains(&run.code), "{arguments:?}: {run:?}");
        assert!(
            run.err.contains("did not answer within 1 s"),
            "{arguments:?}: {run:?}"
        );
    }
    // Eight runs of a second each, on a machine that may be busy.
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_hangs_keeps_nobody_waiting() {
    let harness = Harness::signed_in().await;
    harness.run(&["overview"]).await.ended(0);
    harness.demo.us().expire_access_tokens();
    hang(&harness, Endpoint::Token);
    let started = Instant::now();
    let run = harness.run(&["overview", "--timeout", "1s"]).await;
    assert!(run.err.contains("did not answer within 1 s"), "{run:?}");
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}
