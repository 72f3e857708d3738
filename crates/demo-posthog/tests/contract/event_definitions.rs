use std::time::Duration;

use demo_posthog::Reach;
use serde_json::Value;

use crate::harness::Harness;

const PATH: &str = "/api/projects/18/event_definitions/";

fn names(body: &Value) -> Vec<&str> {
    let results = body["results"].as_array().unwrap();
    results
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_definitions_are_what_happened_and_filters_narrow_them() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let list = async |query: &str| harness.get(&token, &format!("{PATH}?{query}")).await.json();
    let now = harness.us().now().as_second();
    let mut happened: Vec<String> = harness
        .us()
        .events(18)
        .unwrap()
        .into_iter()
        .filter(|event| event.timestamp <= now)
        .map(|event| event.event.to_string())
        .collect();
    happened.sort();
    happened.dedup();
    let by_name = list("ordering=name").await;
    assert_eq!(names(&by_name), happened);
    assert!(by_name["results"][0].get("volume_30_day").is_none());

    let custom = list("event_type=event_custom").await;
    assert!(!names(&custom).is_empty() && names(&custom).iter().all(|name| !name.starts_with('$')));
    assert_eq!(names(&list("search=UP%20signed").await), ["signed_up"]);
    let reverse: Vec<_> = happened.iter().rev().collect();
    assert_eq!(names(&list("ordering=-name").await), reverse);
    let page = list("ordering=name&limit=2&offset=2").await;
    assert_eq!(names(&page), happened[2..4]);
    let next = format!(
        "{}{PATH}?limit=2&offset=4&ordering=name",
        harness.us().address()
    );
    assert_eq!(page["next"], next);
}

#[tokio::test]
async fn what_was_not_seen_for_a_month_is_stale() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    harness
        .us()
        .advance_clock(Duration::from_secs(60 * 24 * 3600));
    let fresh = harness
        .us()
        .sign_in_directly(1, Reach::All, "event_definition:read", false);
    assert_eq!(
        harness.get(&token, PATH).await.status,
        401,
        "the old token has expired meanwhile"
    );
    let all = harness.get(&fresh.access_token, PATH).await.json();
    let kept = harness
        .get(&fresh.access_token, &format!("{PATH}?exclude_stale=true"))
        .await
        .json();
    assert!(!names(&all).is_empty() && names(&kept).is_empty());
}

#[tokio::test]
async fn an_empty_project_has_none() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let body = harness
        .get(&token, "/api/projects/17/event_definitions/")
        .await
        .json();
    assert_eq!(body["count"], 0);
}
