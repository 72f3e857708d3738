//! Requests that begin at once, to a server that speaks HTTP/1.1: none of them waits for another's answer.

use std::time::Duration;

use posthog_api::{Client, HogQl, Limits, OneConnection, RateLimiter};
use serde_json::json;

use test_support::{Gate, Reply, Response, ScriptedServer};

use crate::harness::{Credential, Replacement};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_queries_are_all_under_way_before_one_is_answered() {
    for warm in [false, true].repeat(10) {
        let gate = Gate::default();
        let held = gate.clone();
        let server = ScriptedServer::start(move |_| {
            let rows = json!({"results": [[1]], "columns": ["n"], "types": ["UInt64"]});
            Reply::Gated(held.clone(), Response::json(200, &rows))
        });
        let http = test_support::http::client_builder().connector_layer(OneConnection::default());
        let client = Client::new(
            http.build().unwrap(),
            server.base().parse().unwrap(),
            Credential::new(Replacement::Next),
            RateLimiter::new(Limits::OAUTH),
        );
        let ask = |project: u64| {
            let client = client.clone();
            tokio::spawn(async move {
                let question = HogQl::new("n", "SELECT 1 AS n");
                client.query(project, Some("a"), &question).await
            })
        };
        let mut calls = Vec::new();
        if warm {
            // What is spoken is known by then, and its connection is in use.
            calls.push(ask(0));
            gate.has(1).await;
        }
        calls.extend((1..=12).map(ask));
        let all = tokio::time::timeout(Duration::from_secs(30), gate.has(calls.len()));
        all.await.expect("a query waits for the answer of another");
        gate.open();
        for call in calls {
            call.await.unwrap().unwrap();
        }
    }
}
