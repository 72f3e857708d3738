//! Annotations as PostHog has them: scopes, soft deletion, and fields that come and go.

use posthog_api::{AnnotationChange, AnnotationScope, NewAnnotation};
use serde_json::json;

use test_support::{Response, ScriptedServer};

use crate::harness::client;

#[tokio::test]
async fn only_notes_of_the_project_and_its_organization_mark_a_chart() {
    let server = ScriptedServer::start(|_| {
        let at = "2026-11-20T09:00:00Z";
        let results = json!([
            {"id": 5, "content": "later", "date_marker": "2026-11-21T09:00:00Z", "scope": "organization",
             "created_by": {"id": 1, "uuid": "u", "first_name": "Ada", "email": "ada@example.com"},
             "deleted": false, "emoji": "🚀", "tags": [], "hidden_in_user_interface": null},
            {"id": 4, "content": "old server", "date_marker": at, "scope": "project"},
            {"id": 3, "content": "on an insight", "date_marker": at, "scope": "dashboard_item"},
            {"id": 2, "content": "gone", "date_marker": at, "scope": "project", "deleted": true},
            {"id": 1, "content": "nowhere", "date_marker": null, "scope": "project"},
        ]);
        Response::json(200, &json!({"next": null, "results": results})).into()
    });
    let (from, to) = ("2026-11-01T00:00:00Z", "2026-11-30T00:00:00Z");
    let notes = client(&server)
        .annotations(7, from.parse().unwrap(), to.parse().unwrap())
        .await
        .unwrap();
    let ids: Vec<u64> = notes.iter().map(|note| note.id).collect();
    assert_eq!(ids, [4, 5]);
    assert_eq!(notes[1].scope, AnnotationScope::Organization);
    let query = &server.seen()[0].query;
    assert!(
        query.contains("date_from=2026-11-01T00%3A00%3A00Z"),
        "{query}"
    );
}

#[tokio::test]
async fn a_new_note_is_sent_for_the_project() {
    let server = ScriptedServer::start(|_| {
        Response::json(
            201,
            &json!({"id": 9, "scope": "project", "content": "<b>x</b>"}),
        )
        .into()
    });
    let note = NewAnnotation {
        content: "<b>x</b>".into(),
        date_marker: "2026-11-20T10:00:00+01:00".parse().unwrap(),
    };
    let made = client(&server).create_annotation(7, &note).await.unwrap();
    assert_eq!(made.content.as_deref(), Some("<b>x</b>"));
    let [request] = server.seen().try_into().unwrap();
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/api/projects/7/annotations/");
    assert_eq!(request.json()["scope"], "project");
    assert_eq!(request.json()["date_marker"], "2026-11-20T09:00:00Z");
}

#[tokio::test]
async fn deleting_and_bringing_back_are_changes() {
    let server = ScriptedServer::start(|request| {
        Response::json(200, &json!({"id": 9, "deleted": request.json()["deleted"]})).into()
    });
    for deleted in [true, false] {
        let change = AnnotationChange {
            deleted: Some(deleted),
            ..AnnotationChange::default()
        };
        let note = client(&server).change_annotation(7, 9, &change).await;
        assert_eq!(note.unwrap().deleted, deleted);
    }
    let request = &server.seen()[0];
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("PATCH", "/api/projects/7/annotations/9/")
    );
    assert_eq!(request.json(), json!({"deleted": true}));
}
