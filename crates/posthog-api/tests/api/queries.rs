//! Queries: at once, in the background, and everything that can go wrong on the way.

use posthog_api::{Error, HogQl, NewerField};
use serde_json::{Value, json};

use test_support::{Reply, Request, Response, ScriptedServer};

use crate::harness::client;

fn question() -> HogQl {
    HogQl::new(
        "visitors",
        "SELECT uniqExact(person_id) AS visitors FROM events WHERE event = {event}",
    )
    .set("event", "it's “x”")
}

fn rows(visitors: u64) -> Value {
    json!({
        "results": [[visitors]], "columns": ["visitors"], "types": [["visitors", "UInt64"]],
        "is_cached": false, "hasMore": false, "hogql": "SELECT", "timezone": "UTC",
    })
}

fn status(complete: bool) -> Value {
    json!({"id": "q1", "team_id": 7, "query_async": true, "complete": complete, "error": false,
        "error_message": null, "results": null})
}

async fn asked(
    script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> (Result<u64, Error>, ScriptedServer) {
    let server = ScriptedServer::start(script);
    let result = client(&server).query(7, Some("o"), &question()).await;
    let visitors = result.map(|rows| rows.rows[0][0].as_u64().unwrap());
    (visitors, server)
}

#[tokio::test]
async fn a_query_is_one_request_with_its_values_beside_the_text() {
    let (visitors, server) = asked(|_| Response::json(200, &rows(42)).into()).await;
    assert_eq!(visitors.unwrap(), 42);
    let [request] = server.seen().try_into().unwrap();
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/api/projects/7/query/");
    assert_eq!(request.json()["refresh"], "blocking");
    assert_eq!(request.json()["query"]["kind"], "HogQLQuery");
    assert_eq!(request.json()["query"]["values"]["event"], "it's “x”");
    assert!(request.json().get("token").is_none() && request.json().get("api_key").is_none());
}

#[tokio::test]
async fn a_query_has_no_member_that_older_servers_do_not_know_but_its_name() {
    let (_, server) = asked(|_| Response::json(200, &rows(42)).into()).await;
    let body = &server.seen()[0].json();
    let members = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(members(body), ["query", "refresh"]);
    assert_eq!(members(&body["query"]), ["kind", "name", "query", "values"]);
}

#[tokio::test]
async fn a_server_that_knows_no_names_is_asked_again_without_once_and_for_good() {
    let server = ScriptedServer::start(|request| {
        if request.json()["query"].get("name").is_none() {
            return Response::json(200, &rows(42)).into();
        }
        let detail = "JSON parse error - 1 validation error for QueryRequest\nquery.HogQLQuery.name\n  \
                      Extra inputs are not permitted [type=extra_forbidden]";
        Response::refusal(400, "parse_error", detail).into()
    });
    let client = client(&server);
    for asked in [2, 3, 4] {
        let rows = client.clone().query(7, None, &question()).await.unwrap();
        assert_eq!(rows.rows[0][0], 42);
        assert_eq!(server.count(), asked);
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_a_newer_field_answers_the_text_without_it_and_is_not_asked_for_it_again()
 {
    let server = ScriptedServer::start(|request| {
        let query = &request.json()["query"];
        assert_eq!(query["filters"]["filterTestAccounts"], true);
        if query["query"] == "SELECT 1 FROM events" {
            return Response::json(200, &rows(42)).into();
        }
        let detail = "Unable to resolve field: $virt_is_bot";
        Response::refusal(400, "invalid_input", detail).into()
    });
    let mut query = HogQl::new("people", "SELECT 1 FROM events WHERE NOT $virt_is_bot");
    query.filters = Some(json!({ "filterTestAccounts": true }));
    query.newer = Some(NewerField {
        name: "$virt_is_bot",
        text_without: "SELECT 1 FROM events".to_owned(),
    });
    let client = client(&server);
    for asked in [2, 3, 4] {
        let rows = client.clone().query(7, None, &query).await.unwrap();
        assert_eq!((&rows.rows[0][0], rows.without_newer), (&json!(42), true));
        assert_eq!(server.count(), asked);
    }
}

#[tokio::test]
async fn what_else_a_server_does_not_know_is_told_and_asked_twice_at_most() {
    let refusal = || Response::refusal(400, "parse_error", "Extra inputs are not permitted");
    let (result, server) = asked(move |_| refusal().into()).await;
    assert!(matches!(result, Err(Error::Invalid { .. })), "{result:?}");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_polled_answer_may_hold_nan() {
    let server = ScriptedServer::start(|request| {
        if request.number == 0 {
            return Response::json(202, &json!({"query_status": status(false)})).into();
        }
        let mut done = status(true);
        done["results"] = json!({
            "results": [["NaN", "@", 7]], "columns": ["name", "rate", "n"],
            "types": ["String", "Float64", "UInt64"],
        });
        let mut answer = Response::json(200, &json!({"query_status": done}));
        answer.body = answer.body.replace("\"@\"", "NaN");
        answer.into()
    });
    let rows = client(&server).query(7, None, &question()).await.unwrap();
    assert_eq!(rows.rows, [[json!("NaN"), Value::Null, json!(7)]]);
}

#[tokio::test]
async fn a_query_that_needs_too_much_memory_is_not_sent_again() {
    let detail = "Query has reached the max memory limit before completing.";
    let (result, server) = asked(move |_| Response::refusal(504, "error", detail).into()).await;
    let error = result.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    assert!(!error.is_transient());
    assert!(error.to_string().contains("too large"), "{error}");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn types_are_pairs_or_plain_names() {
    for types in [json!([["visitors", "UInt64"]]), json!(["UInt64"])] {
        let mut answer = rows(1);
        answer["types"] = types;
        let server = ScriptedServer::start(move |_| Response::json(200, &answer).into());
        let rows = client(&server).query(7, None, &question()).await.unwrap();
        assert_eq!(rows.types, ["UInt64"]);
    }
}

#[tokio::test]
async fn an_answer_without_columns_or_with_short_rows_is_refused() {
    for (field, value) in [
        ("columns", Value::Null),
        ("columns", json!(["a", "b"])),
        ("results", json!([[1], []])),
        ("results", json!({"rows": []})),
    ] {
        let mut answer = rows(1);
        answer[field] = value;
        let (result, _) = asked(move |_| Response::json(200, &answer).into()).await;
        assert!(
            matches!(result, Err(Error::BadAnswer(_))),
            "{field}: {result:?}"
        );
    }
}

#[tokio::test]
async fn a_query_that_goes_to_the_background_is_waited_for() {
    let (visitors, server) = asked(|request| match request.number {
        0 | 1 => Response::json(202, &json!({"query_status": status(false)})).into(),
        _ => {
            let mut done = status(true);
            done["results"] = rows(42);
            Response::json(200, &json!({"query_status": done})).into()
        }
    })
    .await;
    assert_eq!(visitors.unwrap(), 42);
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(
        (seen[2].method.as_str(), seen[2].path.as_str()),
        ("GET", "/api/projects/7/query/q1/")
    );
}

#[tokio::test]
async fn stale_rows_beside_an_unfinished_query_are_not_taken() {
    let (visitors, _) = asked(|request| {
        let mut answer = rows(1);
        let mut progress = status(false);
        if request.number == 0 {
            answer["query_status"] = progress;
            return Response::json(202, &answer).into();
        }
        progress["complete"] = true.into();
        progress["results"] = rows(42);
        Response::json(200, &json!({"query_status": progress})).into()
    })
    .await;
    assert_eq!(visitors.unwrap(), 42);
}

#[tokio::test]
async fn a_time_out_of_an_interactive_query_goes_on_in_the_background() {
    let (visitors, server) = asked(|request| match request.number {
        0 => Response::refusal(504, "timeout", "Query has hit the max execution time").into(),
        1 => Response::json(202, &json!({"query_status": status(false)})).into(),
        _ => {
            let mut done = status(true);
            done["results"] = rows(42);
            Response::json(200, &json!({"query_status": done})).into()
        }
    })
    .await;
    assert_eq!(visitors.unwrap(), 42);
    assert_eq!(server.seen()[1].json()["refresh"], "async");
}

#[tokio::test]
async fn a_background_query_that_fails_tells_why() {
    let (result, server) = asked(|request| {
        if request.number == 0 {
            return Response::json(202, &json!({"query_status": status(false)})).into();
        }
        let mut failed = status(true);
        failed["error"] = true.into();
        failed["error_message"] = "Unable to resolve field: foo".into();
        Response::json(400, &json!({"query_status": failed})).into()
    })
    .await;
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
    assert!(error.to_string().contains("Unable to resolve field: foo"));
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_background_query_that_fails_without_a_word_is_a_server_error() {
    let (result, server) = asked(|request| {
        if request.number == 0 {
            return Response::json(202, &json!({"query_status": status(false)})).into();
        }
        let mut failed = status(true);
        failed["error"] = true.into();
        Response::json(500, &json!({"query_status": failed})).into()
    })
    .await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::Server { status: 500, .. }),
        "{error:?}"
    );
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_background_query_that_posthog_has_forgotten_may_be_asked_later() {
    let (result, _) = asked(|request| match request.number {
        0 => Response::json(202, &json!({"query_status": status(false)})).into(),
        _ => Response::refusal(404, "not_found", "Query q1 not found for team 7").into(),
    })
    .await;
    let error = result.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("Query q1 not found"), "{error}");
}

#[tokio::test]
async fn looks_that_fail_do_not_cost_the_query() {
    let (visitors, server) = asked(|request| match request.number {
        0 => Response::json(202, &json!({"query_status": status(false)})).into(),
        1 | 2 => Response::html(502).into(),
        _ => {
            let mut done = status(true);
            done["error"] = Value::Null;
            done["results"] = rows(42);
            Response::json(200, &json!({"query_status": done})).into()
        }
    })
    .await;
    assert_eq!(visitors.unwrap(), 42);
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn what_posthog_says_about_a_wrong_text_is_told() {
    let (result, server) = asked(|_| {
        Response::json(
            400,
            &json!({"type": "validation_error", "code": "illegal_type_of_argument",
                "detail": "Unsupported function call: uniqCombined(...)", "attr": null}),
        )
        .into()
    })
    .await;
    let Err(Error::Invalid { code, detail, .. }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(code, "illegal_type_of_argument");
    assert_eq!(detail, "Unsupported function call: uniqCombined(...)");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_text_is_checked_with_positions() {
    let server = ScriptedServer::start(|_| {
        Response::json(
            200,
            &json!({"isValid": false, "warnings": [], "notices": [],
                "errors": [{"message": "Unknown field", "start": 7, "end": 10, "fix": null}]}),
        )
        .into()
    });
    let check = client(&server).check_query(7, "SELECT foo").await.unwrap();
    assert!(!check.is_valid);
    assert_eq!(
        (check.errors[0].start, check.errors[0].end),
        (Some(7), Some(10))
    );
    assert_eq!(server.seen()[0].json()["query"]["kind"], "HogQLMetadata");
}
