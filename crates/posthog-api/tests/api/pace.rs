//! How many requests are on the wire at once, seen from the server.

use posthog_api::{Client, HogQl, Limits};
use serde_json::json;

use crate::desk::{Credential, Replacement, client_with};
use crate::server::{Answer, Gate, Reply, Server};

/// A server whose queries wait for a gate.
async fn gated() -> (Server, Gate) {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move |_| {
        let rows = json!({"results": [[1]], "columns": ["n"], "types": ["UInt64"]});
        Reply::Gated(held.clone(), Answer::json(200, &rows))
    })
    .await;
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
    let (server, gate) = gated().await;
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
    let (server, gate) = gated().await;
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
    let (server, gate) = gated().await;
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
