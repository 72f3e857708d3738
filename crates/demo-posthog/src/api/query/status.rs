//! Asynchronous queries: how far one is, and how it is stopped.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::credential::Credential;
use crate::api::{allow, errors};
use crate::region::Region;
use crate::region::queries::{STATUS_LIFETIME, Status};
use crate::request::Request;
use crate::response::Response;

/// A placeholder for NaN, until it is written as Python writes it.
const NOT_A_NUMBER: &str = "\u{e000}NaN";

/// GET: how far an asynchronous query is. DELETE: stop it.
pub(crate) fn status(
    region: &Region,
    request: &Request,
    id: &str,
    query: &str,
) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET", "DELETE"])?;
    let project = credential.project(region, id, "query:read")?;
    let now = region.clock.now();
    if request.method == "DELETE" {
        let cancelled = Err("Query was cancelled".to_owned());
        region.queries.end(query, now, cancelled);
        return Ok(Response::json(200, &json!({"message": "Query cancelled"})));
    }
    let status = region
        .queries
        .status(query, now)
        .filter(|status| status.project == project.id)
        .ok_or_else(|| {
            errors::not_found(&format!("Query {query} not found for team {}", project.id))
        })?;
    let code = match &status.outcome {
        None => 202,
        Some(Ok(_)) => 200,
        Some(Err(_)) => 400,
    };
    let mut shown = show(query, &status);
    if !region.behaviour().polls_hold_nan {
        return Ok(Response::json(code, &json!({"query_status": shown})));
    }
    mark_missing_numbers(&mut shown);
    let mut response = Response::json(code, &json!({"query_status": shown}));
    let text = String::from_utf8_lossy(&response.body);
    let text = text.replace(&format!("\"{NOT_A_NUMBER}\""), "NaN");
    response.body = text.into_bytes();
    Ok(response)
}

/// Marks what a column of numbers holds in place of one: polled results do not pass what makes it `null`.
fn mark_missing_numbers(status: &mut Value) {
    let Some(results) = status.get_mut("results") else {
        return;
    };
    let numeric: Vec<bool> = results
        .get("types")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|pair| {
            let kind = pair.get(1).and_then(Value::as_str);
            kind.is_some_and(|kind| kind.starts_with("Float"))
        })
        .collect();
    let rows = results.get_mut("results").and_then(Value::as_array_mut);
    for row in rows.into_iter().flatten().filter_map(Value::as_array_mut) {
        for (cell, numeric) in row.iter_mut().zip(&numeric) {
            if *numeric && cell.is_null() {
                *cell = json!(NOT_A_NUMBER);
            }
        }
    }
}

pub(super) fn show(id: &str, status: &Status) -> Value {
    let results = status
        .outcome
        .as_ref()
        .and_then(|outcome| outcome.as_ref().ok());
    let error = status
        .outcome
        .as_ref()
        .and_then(|outcome| outcome.as_ref().err());
    let expires = status.started_at.as_second() + STATUS_LIFETIME;
    json!({
        "id": id,
        "team_id": status.project,
        "query_async": true,
        "complete": status.outcome.is_some(),
        "error": error.is_some(),
        "error_message": error,
        "results": results,
        "start_time": status.started_at,
        "pickup_time": status.started_at,
        "end_time": status.ended_at,
        "expiration_time": Timestamp::from_second(expires).ok(),
        "task_id": null,
        "query_progress": null,
        "insight_id": null,
        "dashboard_id": null,
        "labels": null,
    })
}
