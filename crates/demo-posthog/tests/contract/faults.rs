use std::time::Duration;

use demo_posthog::{Demo, Edit, Endpoint, Failure, Fault, Options, Reach, When};
use reqwest::Method;
use serde_json::json;

use crate::harness::{Harness, REDIRECT};

fn fail(harness: &Harness, endpoint: Endpoint, what: Fault, when: When) {
    harness.us().fail_next(Failure {
        endpoint,
        times: 1,
        what,
        when,
    });
}

#[tokio::test]
async fn a_lost_answer_took_effect_and_a_failed_request_did_not() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let path = "/api/projects/17/annotations/";
    let send = |content: &str| {
        let body = json!({"content": content, "scope": "project"});
        harness
            .request(Method::POST, path)
            .bearer_auth(&token)
            .json(&body)
            .send()
    };
    fail(&harness, Endpoint::Annotations, Fault::Drop, When::Before);
    assert!(send("before").await.is_err());
    assert!(harness.us().annotations(17).is_empty());
    fail(&harness, Endpoint::Annotations, Fault::Drop, When::After);
    assert!(send("after").await.is_err());
    assert_eq!(harness.us().annotations(17).len(), 1);
    assert_eq!(send("as usual").await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_in_its_body() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    fail(&harness, Endpoint::Project, Fault::Truncate, When::After);
    let answer = harness
        .request(Method::GET, "/api/projects/11/")
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err());
}

#[tokio::test]
async fn every_canned_fault_looks_as_it_should() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let own = Fault::Status {
        code: 512,
        body: "too long".to_owned(),
        content_type: "text/plain".to_owned(),
        retry_after: Some(7),
    };
    for (fault, status, retry_after, word) in [
        (Fault::Html502, 502, "", "<h1>502 Bad Gateway</h1>"),
        (
            Fault::Throttled(57),
            429,
            "57",
            "Expected available in 57 seconds.",
        ),
        (
            Fault::TooManyQueries,
            429,
            "",
            "Exceeded maximum concurrency limit",
        ),
        (Fault::Unavailable, 503, "1", "database_unavailable"),
        (
            Fault::TooMuchMemory { old: false },
            513,
            "",
            "clickhouse_memory_limit_exceeded",
        ),
        (
            Fault::TooMuchMemory { old: true },
            504,
            "",
            "max memory limit",
        ),
        (Fault::BrokenJson, 200, "", "results"),
        (own, 512, "7", "too long"),
    ] {
        fail(&harness, Endpoint::Api, fault, When::Before);
        let seen = harness.get(&token, "/api/projects/11/").await;
        assert_eq!(
            (seen.status, seen.header("retry-after")),
            (status, retry_after),
            "{}",
            seen.text
        );
        assert!(seen.text.contains(word), "{}", seen.text);
    }
}

#[tokio::test]
async fn the_token_endpoint_has_its_own_503() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    fail(&harness, Endpoint::Token, Fault::Unavailable, When::Before);
    let seen = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await;
    assert_eq!((seen.status, seen.header("retry-after")), (503, "1"));
    assert_eq!(seen.json()["error"], "temporarily_unavailable");
}

#[tokio::test]
async fn an_answer_can_be_edited() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    let edit = Edit::new(|body| drop(body.as_object_mut().unwrap().remove("refresh_token")));
    fail(&harness, Endpoint::Token, Fault::Edit(edit), When::After);
    let body = harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await
        .json();
    assert!(body.get("refresh_token").is_none() && body["access_token"].is_string());
}

#[tokio::test]
async fn requests_refreshes_and_connections_are_counted() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    harness
        .refresh(&signed.client_id, &signed.refresh_token)
        .await;
    harness.get(&signed.access_token, "/api/projects/11/").await;
    harness.get(&signed.access_token, "/api/projects/").await;
    let counters = harness.us().counters();
    assert_eq!(
        (counters.count(Endpoint::Token), counters.refreshes),
        (1, 1)
    );
    assert_eq!(
        (counters.count(Endpoint::Api), counters.count(Endpoint::Any)),
        (2, 3)
    );
    assert_eq!(counters.connections, 1);
    harness.us().reset_counters();
    assert_eq!(harness.us().counters().count(Endpoint::Any), 0);
}

#[tokio::test]
async fn a_slow_answer_comes_in_the_end() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    fail(
        &harness,
        Endpoint::Project,
        Fault::Slow(Duration::from_millis(20)),
        When::Before,
    );
    let begun = std::time::Instant::now();
    assert_eq!(harness.get(&token, "/api/projects/11/").await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(20));
}

#[tokio::test]
async fn a_dropped_demo_gives_its_ports_back() {
    let first = Demo::start(Options::default()).await.unwrap();
    let port = |address: &str| address.rsplit_once(':').unwrap().1.parse().unwrap();
    let (us_port, eu_port) = (port(first.us().address()), port(first.eu().address()));
    drop(first);
    // The ports are free once the servers' tasks have seen it.
    let again = loop {
        match Demo::start(Options {
            us_port,
            eu_port,
            ..Options::default()
        })
        .await
        {
            Ok(demo) => break demo,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(port(again.us().address()), us_port);
}

#[tokio::test]
async fn the_redirect_address_of_a_client_made_by_hand_is_its_own() {
    let harness = Harness::start().await;
    let client = harness.us().create_client("http://127.0.0.1/callback");
    let back = harness.us().consent(
        &harness.authorize_url(&client, &[]),
        &demo_posthog::Consent::default(),
    );
    assert!(back.starts_with(REDIRECT));
}
