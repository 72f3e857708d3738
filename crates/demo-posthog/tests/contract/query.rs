use std::time::Duration;

use demo_posthog::{ApiKeyOptions, Event, Reach};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Harness, Seen, error};

const PATH: &str = "/api/projects/19/query/";
const COUNT: &str = "SELECT count() AS views FROM events WHERE event = '$pageview'";

async fn ask(harness: &Harness, token: &str, text: &str, refresh: &str) -> Seen {
    let body = json!({"query": {"kind": "HogQLQuery", "query": text}, "refresh": refresh});
    harness.post(token, PATH, &body).await
}

fn views(harness: &Harness) -> usize {
    let now = harness.us().now().as_second();
    let events = harness.us().events(19).unwrap();
    events
        .iter()
        .filter(|event| event.timestamp <= now && event.event == "$pageview")
        .count()
}

#[tokio::test]
async fn a_query_is_executed_over_the_events_that_have_happened() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let seen = ask(&harness, &token, COUNT, "force_blocking").await;
    let body = seen.json();
    assert_eq!(
        (seen.status, &body["results"]),
        (200, &json!([[views(&harness)]]))
    );
    assert_eq!(body["columns"], json!(["views"]));
    assert_eq!(body["types"], json!([["views", "UInt64"]]));
    assert_eq!(
        (&body["is_cached"], &body["timezone"]),
        (&json!(false), &json!("Pacific/Auckland"))
    );
}

#[tokio::test]
async fn a_text_is_answered_from_the_cache_for_six_hours_unless_forced() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let first = ask(&harness, &token, COUNT, "blocking").await.json();
    harness
        .us()
        .advance_clock(Duration::from_secs(6 * 3600 - 1));
    let cached = ask(&harness, &token, COUNT, "blocking").await.json();
    assert_eq!(
        (&cached["is_cached"], &cached["results"]),
        (&json!(true), &first["results"])
    );
    let forced = ask(&harness, &token, COUNT, "force_blocking").await.json();
    assert_eq!(
        (&forced["is_cached"], &forced["results"]),
        (&json!(false), &json!([[views(&harness)]]))
    );
    harness.us().advance_clock(Duration::from_secs(6 * 3600));
    assert_eq!(
        ask(&harness, &token, COUNT, "blocking").await.json()["is_cached"],
        false
    );
    assert_eq!(harness.us().counters().computed_queries, 3);
}

#[tokio::test]
async fn values_fill_the_place_holders_and_tell_cached_answers_apart() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    for event in ["$pageview", "it's none"] {
        let body = json!({"query": {
            "kind": "HogQLQuery",
            "query": "SELECT count() FROM events WHERE event = {event}",
            "values": {"event": event},
        }});
        let count = if event == "$pageview" {
            views(&harness)
        } else {
            0
        };
        assert_eq!(
            harness.post(&token, PATH, &body).await.json()["results"],
            json!([[count]])
        );
    }
}

#[tokio::test]
async fn without_a_limit_there_are_a_hundred_rows_and_a_sign_of_more() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let body = ask(&harness, &token, "SELECT event FROM events", "blocking")
        .await
        .json();
    assert_eq!(body["results"].as_array().unwrap().len(), 100);
    assert_eq!(
        (&body["hasMore"], &body["limit"], &body["offset"]),
        (&json!(true), &json!(100), &json!(0))
    );
}

#[tokio::test]
async fn a_mistake_is_a_400_with_posthogs_code() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    for text in [
        "SELECT",
        "SELECT nothing FROM events",
        "SELECT 1 FROM galaxies",
        "SELECT uniqCombined(1)",
    ] {
        let seen = ask(&harness, &token, text, "blocking").await;
        let body = seen.json();
        assert_eq!(
            (seen.status, &body["type"], &body["attr"]),
            (400, &json!("validation_error"), &Value::Null),
            "{text}"
        );
    }
    for body in [
        json!([]),
        json!({}),
        json!({"query": {"kind": "Magic"}}),
        json!({"query": {"kind": "HogQLQuery"}}),
    ] {
        let seen = harness.post(&token, PATH, &body).await;
        assert_eq!(
            (seen.status, &seen.json()["code"]),
            (400, &json!("parse_error")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn metadata_gives_the_place_of_a_mistake() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let check = async |text: &str| {
        let body = json!({"query": {"kind": "HogQLMetadata", "language": "hogQL", "query": text}});
        harness.post(&token, PATH, &body).await.json()
    };
    assert_eq!(check(COUNT).await["isValid"], true);
    let wrong = check("SELECT nothing FROM events").await;
    assert_eq!(wrong["isValid"], false);
    assert_eq!(
        (&wrong["errors"][0]["start"], &wrong["errors"][0]["end"]),
        (&json!(7), &json!(14))
    );
    let error = wrong["errors"][0].as_object().unwrap();
    assert_eq!(error["fix"], json!(null), "the shape is PostHog's");
    assert_eq!(error["message"], "Unable to resolve field: nothing");
    assert_eq!(check(COUNT).await["table_names"], json!(["events"]));
}

/// Asks with filters.
async fn ask_filtered(harness: &Harness, token: &str, text: &str, filters: Value) -> Seen {
    let query = json!({"kind": "HogQLQuery", "query": text, "filters": filters});
    let body = json!({"query": query, "refresh": "force_blocking"});
    harness.post(token, PATH, &body).await
}

#[tokio::test]
async fn filters_are_applied_where_the_text_has_their_place() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let now = harness.us().now().as_second();
    let views: Vec<Event> = harness
        .us()
        .events(19)
        .unwrap()
        .into_iter()
        .filter(|event| event.event == "$pageview" && event.timestamp <= now)
        .collect();
    let count = |keeps: &dyn Fn(&Event) -> bool| views.iter().filter(|view| keeps(view)).count();
    let in_november: i64 = "2026-11-01T00:00:00+13:00"
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_second();
    let property = json!({"type": "event", "key": "$os", "operator": "exact", "value": "iOS"});
    let filtered = "SELECT count() FROM events WHERE event = '$pageview' AND {filters}";
    for (filters, expected) in [
        (json!(null), views.len()),
        (
            json!({"properties": [], "dateRange": {"date_from": null}}),
            views.len(),
        ),
        (
            json!({"filterTestAccounts": true}),
            count(&|view| !view.internal),
        ),
        (
            json!({"properties": [property]}),
            count(&|view| view.os == "iOS"),
        ),
        (
            json!({"dateRange": {"date_from": "2026-11-01"}}),
            count(&|view| view.timestamp >= in_november),
        ),
        (
            json!({"dateRange": {"date_to": "2026-11-01"}}),
            count(&|view| view.timestamp < in_november),
        ),
    ] {
        let seen = ask_filtered(&harness, &token, filtered, filters.clone()).await;
        assert_eq!(seen.json()["results"], json!([[expected]]), "{filters}");
        // Without the placeholder they change nothing, in PostHog neither.
        let seen = ask_filtered(&harness, &token, COUNT, filters).await;
        assert_eq!(seen.json()["results"], json!([[views.len()]]));
    }
    assert!(
        count(&|view| view.internal) > 0,
        "some visitors are colleagues"
    );
    // The answer to other filters is another answer.
    let cached = json!({"query": {"kind": "HogQLQuery", "query": filtered, "filters": {"filterTestAccounts": true}}});
    let seen = harness.post(&token, PATH, &cached).await.json();
    assert_eq!(seen["results"], json!([[count(&|view| !view.internal)]]));
}

#[tokio::test]
async fn filters_are_held_to_the_schema_and_to_selects_of_events() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let filtered = "SELECT count() FROM events WHERE {filters}";
    for (filters, words) in [
        (json!({"test": true}), "filters.test\n  Extra inputs"),
        (
            json!({"properties": [{"type": "person", "key": "email", "value": "x"}]}),
            "properties.0.operator\n  Field required",
        ),
        (
            json!({"properties": [{"type": "event", "key": "$os", "operator": "is", "value": "x"}]}),
            "properties.0.operator",
        ),
        (json!({"filterTestAccounts": "yes"}), "filterTestAccounts"),
    ] {
        let seen = ask_filtered(&harness, &token, filtered, filters.clone()).await;
        let detail = seen.json()["detail"].clone();
        assert_eq!(seen.status, 400, "{filters}");
        assert!(detail.as_str().unwrap().contains(words), "{detail}");
    }
    let outside = "SELECT count() FROM (SELECT event FROM events) WHERE {filters}";
    let seen = ask_filtered(&harness, &token, outside, json!({})).await;
    let detail = seen.json()["detail"].clone();
    assert_eq!(seen.status, 400);
    assert!(
        detail
            .as_str()
            .unwrap()
            .contains("Cannot use 'filters' placeholder"),
        "{detail}"
    );
}

#[tokio::test]
async fn bots_are_told_by_newer_servers_only() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let people = "SELECT count() FROM events WHERE event = '$pageview' AND NOT $virt_is_bot";
    let seen = ask(&harness, &token, people, "force_blocking").await.json();
    let found = seen["results"][0][0].as_u64().unwrap();
    assert!(found > 0 && found < views(&harness) as u64, "{found}");
    harness
        .us()
        .change_behaviour(|behaviour| behaviour.events_know_bots = false);
    let seen = ask(&harness, &token, people, "force_blocking").await;
    assert_eq!(seen.status, 400);
    let detail = seen.json()["detail"].clone();
    assert!(
        detail
            .as_str()
            .unwrap()
            .contains("Unable to resolve field: $virt_is_bot"),
        "{detail}"
    );
}

#[tokio::test]
async fn an_asynchronous_query_is_polled() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let started = ask(&harness, &token, COUNT, "force_async").await;
    let status = started.json()["query_status"].clone();
    assert_eq!(
        (started.status, &status["complete"], &status["team_id"]),
        (202, &json!(false), &json!(19))
    );
    let path = format!("{PATH}{}/", status["id"].as_str().unwrap());
    let done = loop {
        let polled = harness.get(&token, &path).await;
        if polled.status != 202 {
            break polled;
        }
    };
    let body = done.json();
    assert_eq!(done.status, 200);
    assert_eq!(
        body["query_status"]["results"]["results"],
        json!([[views(&harness)]])
    );
    harness.us().advance_clock(Duration::from_secs(600));
    assert_eq!(harness.get(&token, &path).await.status, 404);
}

#[tokio::test]
async fn a_failed_asynchronous_query_answers_400_in_the_shape_of_a_status() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let started = ask(&harness, &token, "SELECT nothing FROM events", "async")
        .await
        .json();
    let path = format!("{PATH}{}/", started["query_status"]["id"].as_str().unwrap());
    let failed = loop {
        let polled = harness.get(&token, &path).await;
        if polled.status != 202 {
            break polled;
        }
    };
    assert_eq!(
        (failed.status, &failed.json()["query_status"]["error"]),
        (400, &json!(true))
    );
}

#[tokio::test]
async fn a_query_can_be_cancelled_under_the_clients_own_name() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    harness.us().set_latency(Duration::from_secs(3600));
    let body = json!({"query": {"kind": "HogQLQuery", "query": COUNT}, "refresh": "async", "client_query_id": "mine"});
    assert_eq!(harness.post(&token, PATH, &body).await.status, 202);
    harness.us().set_latency(Duration::ZERO);
    let path = format!("{PATH}mine/");
    assert_eq!(harness.get(&token, &path).await.status, 202);
    let cancelled = harness
        .send(harness.request(Method::DELETE, &path).bearer_auth(&token))
        .await;
    assert_eq!(cancelled.status, 200);
    assert_eq!(
        harness.get(&token, &path).await.json()["query_status"]["error_message"],
        "Query was cancelled"
    );
}

#[tokio::test]
async fn the_twenty_first_query_of_an_organization_is_refused_at_once() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    harness.us().set_latency(Duration::from_secs(3600));
    let request = || {
        let body =
            json!({"query": {"kind": "HogQLQuery", "query": COUNT}, "refresh": "force_blocking"});
        harness
            .request(Method::POST, PATH)
            .bearer_auth(&token)
            .json(&body)
    };
    let mut asked: tokio::task::JoinSet<_> = (0..21).map(|_| request().send()).collect();
    // The other twenty hold their slots for an hour.
    let answer = asked.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().get("retry-after").is_none());
    let body: Value = answer.json().await.unwrap();
    let detail = body["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("Exceeded maximum concurrency limit: 20 for key:"),
        "{detail}"
    );
    assert!(
        harness.us().counters().most_queries_at_once >= 20,
        "{detail}"
    );
}

#[tokio::test]
async fn a_key_is_throttled_by_the_minute() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    for _ in 0..240 {
        assert_eq!(
            ask(&harness, &key, "SELECT 1", "blocking").await.status,
            200
        );
    }
    let seen = ask(&harness, &key, "SELECT 1", "blocking").await;
    let body = error(
        "throttled_error",
        "throttled",
        "Request was throttled. Expected available in 60 seconds.",
    );
    assert_eq!((seen.status, seen.json()), (429, body));
}

#[tokio::test]
async fn a_query_outside_the_reach_is_refused() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::Projects(vec![11])).access_token;
    let seen = ask(&harness, &token, COUNT, "blocking").await;
    assert_eq!(
        (seen.status, seen.json()["detail"].as_str()),
        (
            403,
            Some("API key does not have access to the requested project: ID 19.")
        )
    );
}

#[tokio::test]
async fn a_member_that_the_schema_does_not_have_is_refused() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let query = || json!({"kind": "HogQLQuery", "query": "SELECT 1", "name": "n"});
    let status = async |body: Value| {
        let seen = harness.post(&token, PATH, &body).await;
        let unknown = seen.text.contains("Extra inputs are not permitted");
        assert_eq!(unknown, seen.status == 400, "{}", seen.text);
        seen.status
    };
    assert_eq!(status(json!({"query": query(), "name": "n"})).await, 200);
    assert_eq!(status(json!({"query": query(), "label": "n"})).await, 400);
    let mut labelled = query();
    labelled["label"] = "n".into();
    assert_eq!(status(json!({"query": labelled})).await, 400);
    let named = json!({"query": {"kind": "HogQLMetadata", "language": "hogQL", "query": "SELECT 1", "name": "n"}});
    assert_eq!(status(named).await, 400);
    harness.us().change_behaviour(|behaviour| {
        behaviour.requests_have_names = false;
    });
    assert_eq!(status(json!({"query": query(), "name": "n"})).await, 400);
    assert_eq!(status(json!({"query": query()})).await, 200);
    harness.us().change_behaviour(|behaviour| {
        behaviour.queries_have_names = false;
    });
    assert_eq!(status(json!({"query": query()})).await, 400);
}

#[tokio::test]
async fn a_key_waits_for_one_of_three_places_and_an_older_server_has_ten_for_tokens() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    let token = harness.signed_in(Reach::All).access_token;
    harness.us().change_behaviour(|behaviour| {
        behaviour.key_patience = Duration::from_millis(50);
        behaviour.queries_at_once_per_organization = 10;
    });
    harness.us().set_latency(Duration::from_secs(3600));
    for (bearer, most) in [(key, 3), (token, 10)] {
        let mut asked: tokio::task::JoinSet<_> = (0..=most)
            .map(|_| {
                let body = json!({"query": {"kind": "HogQLQuery", "query": COUNT}, "refresh": "force_blocking"});
                let request = harness.request(Method::POST, PATH).bearer_auth(&bearer);
                request.json(&body).send()
            })
            .collect();
        // The others hold their places for an hour.
        let answer = asked.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(answer.status(), 429);
        assert!(answer.headers().get("retry-after").is_none());
        let body: Value = answer.json().await.unwrap();
        let expected = format!("Exceeded maximum concurrency limit: {most} for key:");
        assert!(body["detail"].as_str().unwrap().starts_with(&expected));
    }
}

#[tokio::test]
async fn a_key_has_a_read_budget_in_each_project_and_a_token_has_none() {
    let harness = Harness::start().await;
    let key = harness.us().create_api_key(ApiKeyOptions::default());
    let first = ask(&harness, &key, COUNT, "force_blocking").await;
    let read: u64 = first.header("x-posthog-query-bytes-read").parse().unwrap();
    let left = first.header("x-posthog-query-budget-remaining-bytes");
    assert_eq!(left.parse::<u64>().unwrap(), 480_000_000_000 - read);
    assert!(read > 1000, "{read}");
    // The query that crosses the line is answered, the next one is not.
    harness.us().leave_read_budget(19, 1);
    let last = ask(&harness, &key, COUNT, "force_blocking").await;
    assert_eq!(
        (
            last.status,
            last.header("x-posthog-query-budget-remaining-bytes")
        ),
        (200, "0")
    );
    let refused = ask(&harness, &key, COUNT, "force_blocking").await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (429, &json!("api_queries_budget_exceeded"))
    );
    assert!(!refused.header("retry-after").is_empty());
    // What is in the cache, other projects and tokens go on.
    let cached = ask(&harness, &key, COUNT, "blocking").await;
    assert_eq!(
        (cached.status, cached.header("x-posthog-query-bytes-read")),
        (200, "0")
    );
    let body = json!({"query": {"kind": "HogQLQuery", "query": COUNT}});
    let other = harness.post(&key, "/api/projects/11/query/", &body).await;
    assert_eq!(other.status, 200);
    let token = harness.signed_in(Reach::All).access_token;
    let spared = ask(&harness, &token, COUNT, "force_blocking").await;
    assert_eq!(
        (spared.status, spared.header("x-posthog-query-bytes-read")),
        (200, "")
    );
    harness.us().advance_clock(Duration::from_secs(3600));
    assert_eq!(
        ask(&harness, &key, COUNT, "force_blocking").await.status,
        200
    );
}

#[tokio::test]
async fn a_polled_answer_holds_nan_where_a_blocking_one_holds_null() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let text = "SELECT 0 / 0 AS none, 'NaN' AS word FROM events LIMIT 1";
    let blocking = ask(&harness, &token, text, "blocking").await;
    assert_eq!(
        blocking.json()["results"],
        json!([[null, "NaN"]]),
        "{}",
        blocking.text
    );
    let started = ask(&harness, &token, text, "force_async").await.json();
    let path = format!("{PATH}{}/", started["query_status"]["id"].as_str().unwrap());
    let polled = loop {
        let polled = harness.get(&token, &path).await;
        if polled.status != 202 {
            break polled;
        }
    };
    assert!(polled.text.contains("[[NaN,\"NaN\"]]"), "{}", polled.text);
}
