//! Paging: by `next`, at the same Host, to its end and no further.

use std::time::Duration;

use posthog_api::{Error, EventDefinitionSearch, HogQl, Patience};
use serde_json::{Value, json};

use test_support::{Gate, Reply, Request, Response, ScriptedServer};

use crate::harness::client;

fn parameter(request: &Request, name: &str) -> Option<String> {
    url::form_urlencoded::parse(request.query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn page(projects: &[u64], next: Option<&str>) -> Response {
    let results: Vec<Value> = projects
        .iter()
        .map(|id| json!({"id": id, "name": format!("Project {id}"), "api_token": "phc_x"}))
        .collect();
    Response::json(
        200,
        &json!({"count": 3, "next": next, "previous": null, "results": results}),
    )
}

#[tokio::test]
async fn all_pages_are_read_whatever_size_the_server_gives_them() {
    let server = ScriptedServer::start(|request| {
        let base = "http://internal.example:8000/api/organizations/o/projects/";
        match parameter(request, "offset").as_deref() {
            None => page(&[1, 2], Some(&format!("{base}?limit=2&offset=2"))).into(),
            Some("2") => page(&[3, 4], Some(&format!("{base}?limit=2&offset=4"))).into(),
            _ => page(&[5], None).into(),
        }
    });
    let projects = client(&server).projects_of("o").await.unwrap();
    let ids: Vec<u64> = projects.iter().map(|project| project.id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    let seen = server.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.path == "/api/organizations/o/projects/"),
        "the address of `next` is not followed, only its query"
    );
    assert_eq!(parameter(&seen[0], "limit").as_deref(), Some("1000"));
}

#[tokio::test]
async fn a_next_at_another_host_gets_no_token() {
    let elsewhere = ScriptedServer::start(|_| page(&[666], None).into());
    let next = format!("{}/api/projects/?offset=1", elsewhere.base());
    let server = ScriptedServer::start(move |request| match request.number {
        0 => page(&[1], Some(&next)).into(),
        _ => page(&[2], None).into(),
    });
    let projects = client(&server).projects().await.unwrap();
    assert_eq!(projects.len(), 2);
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn a_list_that_leads_back_ends_and_says_so() {
    for back in ["limit=1000", "offset=1", "offset=2"] {
        let server = ScriptedServer::start(move |request| {
            let next = match request.number {
                0 => "http://127.0.0.1/?offset=1".to_owned(),
                1 => "http://127.0.0.1/?offset=2".to_owned(),
                _ => format!("http://127.0.0.1/?{back}"),
            };
            page(&[request.number as u64], Some(&next)).into()
        });
        let listed = client(&server).projects_so_far().await;
        assert_eq!((listed.items.len(), server.count()), (3, 3), "{back}");
        let error = listed.error.unwrap().to_string();
        assert!(error.contains("leads back"), "{error}");
    }
}

#[tokio::test]
async fn a_list_whose_pages_repeat_ends_whatever_its_next_and_its_count_say() {
    let server = ScriptedServer::start(|request| {
        let next = format!("http://127.0.0.1/?offset={}", request.number + 1);
        let mut answer = page(&[request.number as u64 % 2], Some(&next));
        answer.body = answer
            .body
            .replace("\"count\":3", "\"count\":1000000000000");
        answer.into()
    });
    let listed = client(&server).projects_so_far().await;
    assert_eq!((listed.items.len(), server.count()), (2, 3));
    let error = listed.error.unwrap().to_string();
    assert!(error.contains("repeats itself"), "{error}");
}

#[tokio::test]
async fn a_list_of_empty_pages_ends() {
    let server = ScriptedServer::start(|request| {
        let next = format!("http://127.0.0.1/?offset={}", request.number + 1);
        page(&[], Some(&next)).into()
    });
    let listed = client(&server).projects_so_far().await;
    assert_eq!((listed.items.len(), server.count()), (0, 1));
    assert!(listed.error.is_some());
}

#[tokio::test]
async fn a_list_without_end_is_bounded_by_its_items() {
    let server = ScriptedServer::start(|request| {
        let next = format!("http://127.0.0.1/?offset={}", request.number + 1);
        let first = request.number as u64 * 5_000;
        let ids: Vec<u64> = (first..first + 5_000).collect();
        page(&ids, Some(&next)).into()
    });
    let listed = client(&server).projects_so_far().await;
    assert_eq!((listed.items.len(), server.count()), (20_000, 4));
    let error = listed.error.unwrap().to_string();
    assert!(error.contains("more than 20,000 entries"), "{error}");
}

#[tokio::test]
async fn a_list_without_end_is_bounded_by_its_time_as_a_whole() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = ScriptedServer::start(move |request| match request.number {
        0 => page(&[1], Some("http://127.0.0.1/?offset=1")).into(),
        _ => Reply::Gated(held.clone(), page(&[2], None)),
    });
    let client = client(&server).with_patience(Patience {
        list: Duration::from_millis(300),
        ..Patience::default()
    });
    let listed = client.projects_so_far().await;
    assert_eq!(listed.items.len(), 1, "what was read is kept");
    let error = listed.error.unwrap().to_string();
    assert!(error.contains("did not end within"), "{error}");
}

#[tokio::test]
async fn organizations_of_megabytes_are_read_in_small_pages() {
    let server = ScriptedServer::start(|_| {
        let features: Vec<Value> = (0..20_000)
            .map(|n| json!({"key": format!("feature_{n}"), "description": "x".repeat(300)}))
            .collect();
        let results = json!([{"id": "o", "name": "Large", "available_product_features": features}]);
        Response::json(200, &json!({"next": null, "results": results})).into()
    });
    let organizations = client(&server).organizations().await.unwrap();
    assert_eq!(organizations[0].name, "Large");
    assert_eq!(parameter(&server.seen()[0], "limit").as_deref(), Some("50"));
}

#[tokio::test]
async fn a_project_is_asked_for_by_its_organization_and_by_its_number_where_that_is_closed() {
    for open in ["/api/organizations/o/projects/7/", "/api/projects/7/"] {
        let server = ScriptedServer::start(move |request| {
            if request.path == open {
                return Response::json(200, &json!({"id": 7, "name": "Rocket"})).into();
            }
            let detail = "API key does not have access to the requested organization: ID x.";
            Response::refusal(403, "permission_denied", detail).into()
        });
        let project = client(&server).project_of("o", 7).await.unwrap();
        assert_eq!(project.name, "Rocket");
        let first = &server.seen()[0].path;
        assert_eq!(first, "/api/organizations/o/projects/7/");
    }
}

#[tokio::test]
async fn the_organization_of_a_project_is_remembered_from_answers_and_queries() {
    let server = ScriptedServer::start(|request| {
        let rows = json!({"results": [[1]], "columns": ["n"], "types": ["UInt64"]});
        match request.method.as_str() {
            "POST" => Response::json(200, &rows).into(),
            _ => Response::json(
                200,
                &json!({"id": 7, "name": "Rocket", "organization": "o"}),
            )
            .into(),
        }
    });
    let client = client(&server);
    client.project(7).await.unwrap();
    client.project(7).await.unwrap();
    let question = HogQl::new("n", "SELECT 1 AS n");
    client.query(8, Some("p"), &question).await.unwrap();
    client.project(8).await.unwrap();
    let paths: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    let expected = [
        "/api/projects/7/",
        "/api/organizations/o/projects/7/",
        "/api/projects/8/query/",
        "/api/organizations/p/projects/8/",
    ];
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn a_page_that_fails_fails_the_list() {
    let server = ScriptedServer::start(|request| match request.number {
        0 => page(&[1], Some("http://127.0.0.1/?offset=1")).into(),
        _ => Response::html(500).into(),
    });
    let error = client(&server).projects().await.unwrap_err();
    assert!(matches!(error, Error::Server { .. }), "{error:?}");
}

#[tokio::test]
async fn the_pages_before_one_that_fails_are_kept() {
    let server = ScriptedServer::start(|request| match request.number {
        0 => page(&[1, 2], Some("http://127.0.0.1/?offset=2")).into(),
        _ => Response::html(500).into(),
    });
    let listed = client(&server).projects_of_so_far("o").await;
    assert_eq!(listed.items.len(), 2);
    assert!(matches!(listed.error, Some(Error::Server { .. })));
}

#[tokio::test]
async fn an_odd_field_does_not_cost_the_list() {
    let server = ScriptedServer::start(|_| {
        let results = json!([
            {"id": 1, "name": "Old", "timezone": null, "ingested_event": null},
            {"id": 2, "name": "New", "timezone": {"name": "UTC"}, "app_urls": "x", "new": [1]},
        ]);
        Response::json(200, &json!({"results": results})).into()
    });
    let projects = client(&server).projects().await.unwrap();
    assert_eq!(projects.len(), 2);
    assert_eq!(projects[1].timezone, None);
}

#[tokio::test]
async fn organizations_come_by_their_list() {
    let server = ScriptedServer::start(|_| {
        let results =
            json!([{"id": "0195c2a0", "name": "Acme", "teams": [], "membership_level": 8}]);
        Response::json(200, &json!({"next": null, "results": results})).into()
    });
    let organizations = client(&server).organizations().await.unwrap();
    assert_eq!(organizations[0].name, "Acme");
    assert_eq!(server.seen()[0].path, "/api/organizations/");
}

#[tokio::test]
async fn event_definitions_are_paged_by_next_and_not_by_a_capped_count() {
    let server = ScriptedServer::start(|request| {
        let more = parameter(request, "offset").as_deref() == Some("0");
        let next = more.then_some("http://127.0.0.1/?limit=1&offset=1");
        Response::json(
            200,
            &json!({
                "count": 1, "count_is_capped": true, "next": next,
                "results": [{"name": "sign up & “pay”", "last_seen_at": "2026-11-20T09:00:00.123456Z",
                    "is_action": false}],
            }),
        )
        .into()
    });
    let client = client(&server);
    let mut search = EventDefinitionSearch {
        search: "  sign up & ".into(),
        custom_only: true,
        offset: 0,
        limit: 1,
    };
    let first = client.event_definitions(7, &search).await.unwrap();
    assert!(first.has_more);
    assert_eq!(first.events[0].name, "sign up & “pay”");
    assert!(first.events[0].last_seen_at.is_some());
    search.offset = 1;
    let last = client.event_definitions(7, &search).await.unwrap();
    assert!(!last.has_more);
    let request = &server.seen()[0];
    assert_eq!(request.path, "/api/projects/7/event_definitions/");
    assert_eq!(parameter(request, "search").as_deref(), Some("sign up &"));
    assert_eq!(
        parameter(request, "event_type").as_deref(),
        Some("event_custom")
    );
    assert_eq!(parameter(request, "limit").as_deref(), Some("1"));
}

#[tokio::test]
async fn one_page_with_more_entries_than_any_list_is_cut() {
    let server = ScriptedServer::start(|_| page(&(0..20_001).collect::<Vec<_>>(), None).into());
    let listed = client(&server).projects_so_far().await;
    assert_eq!((listed.items.len(), server.count()), (20_000, 1));
    let error = listed.error.unwrap().to_string();
    assert!(error.contains("more than 20,000"), "{error}");
}
