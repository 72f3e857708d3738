//! How many requests are on the wire at once, seen from the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use posthog_api::{Client, Error, HogQl, Limits};
use serde_json::{Value, json};

use test_support::scripted_server::OnSend;
use test_support::{Gate, Reply, Response, ScriptedServer};

use crate::harness::{Credential, Replacement, client_of, client_with};

/// A server whose queries wait for a gate.
fn gated() -> (ScriptedServer, Gate) {
    let gate = Gate::default();
    let held = gate.clone();
    let server = ScriptedServer::start(move |_| {
        let rows = json!({"results": [[1]], "columns": ["n"], "types": ["UInt64"]});
        Reply::Gated(held.clone(), Response::json(200, &rows))
    });
    (server, gate)
}

fn ask(
    client: &Client<Credential>,
    project: u64,
    organization: &'static str,
) -> tokio::task::JoinHandle<bool> {
    let client = client.clone();
    tokio::spawn(async move {
        let question = HogQl::new("n", "SELECT 1 AS n");
        client
            .query(project, Some(organization), &question)
            .await
            .is_ok()
    })
}

#[tokio::test]
async fn a_key_sends_three_queries_of_a_project_at_once_and_other_projects_beside_them() {
    let (server, gate) = gated();
    let credential = Credential::new(Replacement::Next);
    let client = client_with(&server, credential, Limits::API_KEY);
    let mut calls: Vec<_> = (0..10).map(|_| ask(&client, 1, "a")).collect();
    // Places are given in order: with the other project's query there, the first project's three are.
    calls.push(ask(&client, 2, "a"));
    gate.has(4).await;
    assert_eq!(gate.waiting(), 4);
    let of_one = server.seen();
    let of_one = of_one.iter().filter(|seen| seen.path.contains("/1/"));
    assert_eq!(of_one.count(), 3);
    gate.open();
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(server.count(), 11);
}

#[tokio::test]
async fn a_token_leaves_places_of_an_organization_to_people() {
    let (server, gate) = gated();
    let credential = Credential::new(Replacement::Next);
    let client = client_with(&server, credential, Limits::OAUTH);
    let at_once = Limits::OAUTH.queries_at_once_per_organization;
    let mut calls: Vec<_> = (0..40).map(|project| ask(&client, project, "a")).collect();
    calls.push(ask(&client, 99, "b"));
    gate.has(at_once + 1).await;
    assert_eq!(server.count(), at_once + 1);
    assert!(at_once < 20, "PostHog lets 20 run");
    gate.open();
    for call in calls {
        assert!(call.await.unwrap());
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_gives_its_place_back() {
    let (server, gate) = gated();
    let limits = Limits {
        queries_at_once_per_project: 1,
        ..Limits::OAUTH
    };
    let client = client_with(&server, Credential::new(Replacement::Next), limits);
    let first = ask(&client, 1, "a");
    gate.has(1).await;
    first.abort();
    drop(first.await);
    let second = ask(&client, 1, "a");
    gate.has(2).await;
    gate.open();
    assert!(second.await.unwrap());
}

fn rows() -> Value {
    json!({"results": [[1]], "columns": ["n"], "types": ["UInt64"]})
}

#[tokio::test]
async fn an_organization_that_lets_fewer_run_is_asked_less_and_every_query_is_answered() {
    for at_once in [10, 3, 1] {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, seen) = (Arc::clone(&running), Arc::clone(&most));
        let server = ScriptedServer::start(move |_| {
            if counted.fetch_add(1, Ordering::SeqCst) >= at_once {
                counted.fetch_sub(1, Ordering::SeqCst);
                let detail = "Exceeded maximum concurrency limit: 10 for key: app:query:per-org:a";
                return Response::refusal(429, "throttled", detail).into();
            }
            seen.fetch_max(counted.load(Ordering::SeqCst), Ordering::SeqCst);
            let counted = Arc::clone(&counted);
            let ending = OnSend::call(move || {
                counted.fetch_sub(1, Ordering::SeqCst);
            });
            let answer = Response::json(200, &rows());
            Reply::Later(Duration::from_millis(30), answer, ending)
        });
        let client = client_of(&server, Credential::new(Replacement::Next));
        let calls: Vec<_> = (0..30).map(|project| ask(&client, project, "a")).collect();
        for call in calls {
            assert!(call.await.unwrap(), "{at_once} at once");
        }
        let refused = server.count() - 30;
        assert!(refused <= 30, "{refused} refusals with {at_once} at once");
        assert!(client.rate_limiter().queries_at_once("a") <= 10);
        assert_eq!(client.rate_limiter().queries_at_once("b"), 14);
    }
}

#[tokio::test]
async fn a_project_that_has_read_too_much_waits_alone_and_is_not_asked_again() {
    let server = ScriptedServer::start(|request| {
        if request.path.contains("/1/") {
            return Response::refusal(429, "api_queries_budget_exceeded", "Query budget exceeded.")
                .with("Retry-After", "3600")
                .with("X-PostHog-Query-Budget-Remaining-Bytes", "0")
                .into();
        }
        Response::json(200, &rows())
            .with("X-PostHog-Query-Bytes-Read", "1000")
            .with("X-PostHog-Query-Budget-Remaining-Bytes", "480000000000")
            .into()
    });
    let client = client_with(&server, Credential::new(Replacement::Next), Limits::API_KEY);
    let question = HogQl::new("n", "SELECT 1 AS n");
    for _ in 0..3 {
        let error = client.query(1, Some("a"), &question).await.unwrap_err();
        assert!(matches!(error, Error::ReadBudget { .. }), "{error:?}");
        assert!(error.to_string().contains("read budget"), "{error}");
        client.query(2, Some("a"), &question).await.unwrap();
    }
    assert_eq!(server.count(), 1 + 3);
    let usual = Limits::API_KEY.queries_per_hour;
    assert_eq!(client.rate_limiter().queries_per_hour(Some("a")), usual);
}

#[tokio::test]
async fn a_long_pause_without_a_reason_is_its_projects_own_too() {
    let server = ScriptedServer::start(|request| {
        if request.path.contains("/1/") {
            return Response::refusal(429, "throttled", "Request was throttled.")
                .with("Retry-After", "1800")
                .into();
        }
        Response::json(200, &rows()).into()
    });
    let client = client_with(&server, Credential::new(Replacement::Next), Limits::API_KEY);
    let question = HogQl::new("n", "SELECT 1 AS n");
    for _ in 0..2 {
        let error = client.query(1, Some("a"), &question).await.unwrap_err();
        assert!(matches!(error, Error::RateLimited { .. }), "{error:?}");
        client.query(2, Some("a"), &question).await.unwrap();
    }
    assert_eq!(server.count(), 1 + 2);
}

#[tokio::test]
async fn a_budget_that_runs_low_slows_its_project_down_before_it_is_refused() {
    let server = ScriptedServer::start(|request| {
        let left = 400_000_000_u64.saturating_sub(request.number as u64 * 142_000_000);
        Response::json(200, &rows())
            .with("X-PostHog-Query-Bytes-Read", "142000000")
            .with("X-PostHog-Query-Budget-Remaining-Bytes", left.to_string())
            .into()
    });
    let client = client_with(&server, Credential::new(Replacement::Next), Limits::API_KEY);
    let question = HogQl::new("n", "SELECT 1 AS n");
    client.query(1, Some("a"), &question).await.unwrap();
    let error = client.query(1, Some("a"), &question).await.unwrap_err();
    assert!(matches!(error, Error::ReadBudget { .. }), "{error:?}");
    assert!(client.rate_limiter().rest_of(1) > Duration::from_secs(10));
    assert_eq!(server.count(), 1);
    client.query(2, Some("a"), &question).await.unwrap();
}
