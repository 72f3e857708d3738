use demo_posthog::Reach;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Harness, Seen};

const PATH: &str = "/api/projects/17/annotations/";

async fn patch(harness: &Harness, token: &str, path: &str, body: &Value) -> Seen {
    harness
        .send(
            harness
                .request(Method::PATCH, path)
                .bearer_auth(token)
                .json(body),
        )
        .await
}

fn contents(body: &Value) -> Vec<&str> {
    let results = body["results"].as_array().unwrap();
    results
        .iter()
        .map(|note| note["content"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_note_is_made_changed_deleted_and_brought_back() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let new = json!({"content": "Release", "date_marker": "2026-11-20T10:00:00+01:00", "scope": "project"});
    let made = harness.post(&token, PATH, &new).await;
    let body = made.json();
    assert_eq!(made.status, 201);
    assert_eq!(body["date_marker"], "2026-11-20T09:00:00Z");
    assert_eq!(body["created_by"]["email"], "ada@example.com");
    let note = format!("{PATH}{}/", body["id"]);

    let changed = patch(&harness, &token, &note, &json!({"content": "Release 2"}))
        .await
        .json();
    assert_eq!(
        (&changed["content"], &changed["scope"]),
        (&json!("Release 2"), &json!("project"))
    );
    let delete = harness
        .send(harness.request(Method::DELETE, &note).bearer_auth(&token))
        .await;
    assert_eq!((delete.status, delete.text.as_str()), (405, ""));
    assert_eq!(
        patch(&harness, &token, &note, &json!({"deleted": true}))
            .await
            .status,
        200
    );
    assert_eq!(harness.get(&token, &note).await.status, 404);
    assert!(
        contents(&harness.get(&token, PATH).await.json())
            .iter()
            .all(|text| *text != "Release 2")
    );
    assert_eq!(
        patch(&harness, &token, &note, &json!({"deleted": false}))
            .await
            .status,
        200
    );
    assert_eq!(
        harness.get(&token, &note).await.json()["content"],
        "Release 2"
    );
    assert_eq!(harness.us().annotations(17).len(), 1);
}

#[tokio::test]
async fn without_a_scope_a_new_note_belongs_to_an_insight() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    assert_eq!(
        harness
            .post(&token, PATH, &json!({"content": "x"}))
            .await
            .json()["scope"],
        "dashboard_item"
    );
}

#[tokio::test]
async fn an_organizations_note_shows_in_its_projects_and_moves_with_a_change() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    let new = json!({"content": "Campaign", "scope": "organization", "date_marker": "2026-11-01T00:00:00Z"});
    let id = harness.post(&token, PATH, &new).await.json()["id"].clone();
    let elsewhere = "/api/projects/18/annotations/";
    assert!(contents(&harness.get(&token, elsewhere).await.json()).contains(&"Campaign"));
    assert!(
        !contents(
            &harness
                .get(&token, "/api/projects/11/annotations/")
                .await
                .json()
        )
        .contains(&"Campaign")
    );
    patch(
        &harness,
        &token,
        &format!("{elsewhere}{id}/"),
        &json!({"content": "Moved"}),
    )
    .await;
    assert_eq!(harness.us().annotations(17).len(), 0);
    assert_eq!(
        harness.us().annotations(18)[0].content.as_deref(),
        Some("Moved")
    );
}

#[tokio::test]
async fn the_list_is_latest_first_and_filters_by_date_and_words() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    for (content, day) in [
        ("One", "2026-11-01"),
        ("Two", "2026-11-02"),
        ("Three", "2026-11-03"),
    ] {
        let new = json!({"content": content, "date_marker": format!("{day}T12:00:00Z"), "scope": "project"});
        harness.post(&token, PATH, &new).await;
    }
    let list = async |query: &str| harness.get(&token, &format!("{PATH}?{query}")).await.json();
    assert_eq!(contents(&list("").await), ["Three", "Two", "One"]);
    assert_eq!(
        contents(&list("date_from=2026-11-02T00:00:00Z&date_to=2026-11-02T13:00:00%2B01:00").await),
        ["Two"]
    );
    assert_eq!(contents(&list("search=thr").await), ["Three"]);
    assert_eq!(contents(&list("limit=1&offset=1").await), ["Two"]);
    let bad = harness
        .get(&token, &format!("{PATH}?date_from=yesterday"))
        .await;
    assert!(bad.status == 400 && bad.text.contains("Invalid date range"));
}

#[tokio::test]
async fn bad_fields_are_named() {
    let harness = Harness::start().await;
    let token = harness.signed_in(Reach::All).access_token;
    for (body, code, attr) in [
        (
            json!({"content": "x".repeat(8193)}),
            "max_length",
            json!("content"),
        ),
        (json!({"scope": "galaxy"}), "invalid_choice", json!("scope")),
        (json!({"scope": "recording"}), "invalid_input", json!(null)),
        (
            json!({"scope": "project", "tags": ["a"]}),
            "invalid_input",
            json!("tags"),
        ),
        (
            json!({"date_marker": "soon"}),
            "invalid_input",
            json!("date_marker"),
        ),
    ] {
        let seen = harness.post(&token, PATH, &body).await;
        let answer = seen.json();
        assert_eq!(
            (seen.status, &answer["code"], &answer["attr"]),
            (400, &json!(code), &attr),
            "{answer}"
        );
        assert_eq!(answer["type"], "validation_error");
    }
    assert_eq!(harness.us().annotations(17).len(), 0);
}

#[tokio::test]
async fn reading_is_not_writing() {
    let harness = Harness::start().await;
    let reader = harness
        .us()
        .sign_in_directly(1, Reach::All, "annotation:read", false);
    let seen = harness
        .post(&reader.access_token, PATH, &json!({"content": "x"}))
        .await;
    assert_eq!(
        seen.json()["detail"],
        "API key missing required scope 'annotation:write'"
    );
    let writer = harness
        .us()
        .sign_in_directly(1, Reach::All, "annotation:write", false);
    assert_eq!(harness.get(&writer.access_token, PATH).await.status, 200);
}
