//! `/api/projects/:id/query/`: PostHog's rules around a query: cache, limits, asynchronous queries.
//! [`hogql_sqlite`] runs the text.

mod request;
mod status;

use std::sync::Arc;

use axum::http::HeaderName;
use hogql_sqlite::{Query, QueryError};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use self::request::{Asked, Refresh, parse_error, read};
use super::credential::Credential;
use super::{allow, errors};
use crate::region::Region;
use crate::region::behaviour::{Behaviour, ReadBudget};
use crate::region::queries::Status;
use crate::region::query_slots::Slot;
use crate::region::read_budgets::seconds_to_wait;
use crate::region::secrets;
use crate::region::store::ProjectStore;
use crate::request::Request;
use crate::response::Response;
use crate::world::{Project, uuid};

pub(crate) use self::status::status;

/// How long a response is fresh, however short its range: PostHog treats all ranges like days.
const FRESH: SignedDuration = SignedDuration::from_hours(6);
/// The same for `lazy_async`.
const FRESH_FOR_LAZY: SignedDuration = SignedDuration::from_hours(12);

/// A question that was understood.
struct Question {
    text: String,
    values: Map<String, Value>,
    /// What `{filters}` stands for.
    filters: Value,
    /// Whether this server knows the fields of bots.
    knows_bots: bool,
    refresh: Refresh,
    id: Option<String>,
    /// What a personal API key may read, and so what its headers say about it.
    budget: Option<ReadBudget>,
}

/// POST: a query.
pub(crate) async fn ask(
    region: &Arc<Region>,
    request: &Request,
    id: &str,
) -> Result<Response, Response> {
    let credential = Credential::of_query(region, request)?;
    allow(request, &["POST"])?;
    let project = credential.project(region, id, "query:read")?;
    let missing = || errors::not_found("Project not found.");
    let store = Arc::clone(region.stores.get(&project.id).ok_or_else(missing)?);
    let body = match request.json() {
        Ok(Value::Object(body)) => body,
        Ok(_) => return Err(parse_error("Input should be a valid dictionary")),
        Err(error) => return Err(errors::parse_error(&error.to_string())),
    };
    let behaviour = region.behaviour().clone();
    let asked = read(&body, &behaviour)?;
    if asked.is_metadata {
        let now = region.clock.seconds();
        return Ok(Response::json(
            200,
            &metadata(store, asked, behaviour.events_know_bots, now).await,
        ));
    }
    let Asked {
        text,
        values,
        filters,
        ..
    } = asked;
    if credential.api_key.is_some() && hogql_sqlite::skips_rows(&text) {
        return Err(errors::validation(
            "invalid_input",
            "OFFSET is not supported on queries made with a personal API key. Use keyset pagination on timestamp instead.",
            None,
        ));
    }
    let question = Question {
        text,
        values,
        filters,
        knows_bots: behaviour.events_know_bots,
        refresh: Refresh::read(&body)?,
        id: body
            .get("client_query_id")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned),
        budget: behaviour
            .read_budget
            .filter(|_| credential.api_key.is_some()),
    };
    let _slot = slot(region, &credential, project, &behaviour).await?;
    answer(region, project, store, question).await
}

/// A place among the queries that run at once.
async fn slot<'a>(
    region: &'a Region,
    credential: &Credential,
    project: &Project,
    behaviour: &Behaviour,
) -> Result<Slot<'a>, Response> {
    let full = |limit: usize, key: &str| {
        errors::too_many_queries(&format!(
            "Exceeded maximum concurrency limit: {limit} for key: {key} and task: {}",
            secrets::uuid()
        ))
    };
    if credential.api_key.is_none() {
        let most = behaviour.queries_at_once_per_organization;
        let key = format!("app:query:per-org:{}", project.organization);
        let slot = region.query_slots.take(&key, most);
        return slot.ok_or_else(|| full(most, &key));
    }
    let most = behaviour.queries_at_once_per_project;
    let key = format!("api:query:per-team:{}", project.id);
    let slot = region
        .query_slots
        .take_within(&key, most, behaviour.key_patience);
    slot.await.ok_or_else(|| full(most, &key))
}

async fn answer(
    region: &Arc<Region>,
    project: &Project,
    store: Arc<ProjectStore>,
    question: Question,
) -> Result<Response, Response> {
    let now = region.clock.now();
    let fresh = if question.refresh == Refresh::LazyAsync {
        FRESH_FOR_LAZY
    } else {
        FRESH
    };
    let key = cache_key(project, &question);
    if !question.refresh.forces()
        && let Some(mut body) = region.queries.cached(&key, fresh, now)
    {
        region.delay().await;
        put(&mut body, "is_cached", json!(true));
        let response = Response::json(200, &body);
        return Ok(match question.budget {
            Some(budget) => {
                let left = region.read_budgets.debit(project.id, budget, 0, now);
                tell_budget(response, 0, left)
            }
            None => response,
        });
    }
    // What the cache holds is answered nevertheless.
    if let Some(budget) = question.budget {
        let left = region.read_budgets.debit(project.id, budget, 0, now);
        if left < 1.0 {
            let refusal = errors::read_budget_spent(seconds_to_wait(budget, left));
            return Err(tell_budget(refusal, 0, left));
        }
    }
    if !question.refresh.is_async() {
        let computed = compute(region, store, &question, key).await;
        let (body, read) = computed.map_err(|error| errors::query_failed(&error))?;
        let response = Response::json(200, &body);
        return Ok(match question.budget {
            Some(budget) => {
                // The query that crosses the line was answered.
                let left = region.read_budgets.debit(project.id, budget, read, now);
                tell_budget(response, read, left)
            }
            None => response,
        });
    }
    let id = question.id.clone().unwrap_or_else(secrets::uuid);
    let status = Status {
        project: project.id,
        started_at: now,
        ended_at: None,
        outcome: None,
    };
    let shown = status::show(&id, &status);
    region.queries.begin(id.clone(), status);
    let (region, status_of) = (Arc::clone(region), project.id);
    tokio::spawn(async move {
        let computed = compute(&region, store, &question, key).await;
        let outcome = computed.map_err(|error| errors::query_failure(&error));
        let outcome = outcome.map(|(body, read)| {
            if let Some(budget) = question.budget {
                let now = region.clock.now();
                region.read_budgets.debit(status_of, budget, read, now);
            }
            body
        });
        region.queries.end(&id, region.clock.now(), outcome);
    });
    Ok(Response::json(202, &json!({"query_status": shown})))
}

/// With what the query read, and what is left.
fn tell_budget(response: Response, read: u64, left: f64) -> Response {
    response
        .with(
            HeaderName::from_static("x-posthog-query-bytes-read"),
            read.to_string(),
        )
        .with(
            HeaderName::from_static("x-posthog-query-budget-remaining-bytes"),
            format!("{:.0}", left.max(0.0)),
        )
}

/// Runs a query and remembers the body of its response. Returns the body, and how many bytes were read.
async fn compute(
    region: &Arc<Region>,
    store: Arc<ProjectStore>,
    question: &Question,
    key: String,
) -> Result<(Value, u64), QueryError> {
    region.delay().await;
    let now = region.clock.now();
    let zone = store.project.time_zone.clone();
    let (text, values) = (question.text.clone(), question.values.clone());
    let (filters, knows_bots) = (question.filters.clone(), question.knows_bots);
    let seconds = now.as_second();
    let started = std::time::Instant::now();
    let per_event = question.budget.map_or(0, |budget| budget.per_event);
    let run = move || {
        let query = Query::new(&text)
            .values(values)
            .filters(filters)
            .knows_bots(knows_bots)
            .now(seconds);
        let result = store.run(&query)?;
        let read = if per_event > 0 {
            store.size()? * per_event
        } else {
            0
        };
        Ok::<_, QueryError>((result, read))
    };
    let (result, read) = tokio::task::spawn_blocking(run)
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    region
        .counting
        .change(|counters| counters.computed_queries += 1);
    let columns: Vec<&str> = result
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let types: Vec<[&str; 2]> = result
        .columns
        .iter()
        .map(|column| [column.name.as_str(), column.type_name.as_str()])
        .collect();
    let hours = |hours: i64| now.checked_add(SignedDuration::from_hours(hours)).ok();
    let mut body = json!({
        "results": result.rows,
        "columns": columns,
        "types": types,
        "hogql": question.text,
        "query": question.text,
        "clickhouse": null,
        "timings": [{"k": ".", "t": started.elapsed().as_secs_f64()}],
        "modifiers": {},
        "explain": null,
        "metadata": null,
        "error": null,
        "hasMore": result.has_more,
        "is_cached": false,
        "last_refresh": now,
        "next_allowed_client_refresh": now.checked_add(SignedDuration::from_mins(3)).ok(),
        "cache_target_age": hours(6),
        "cache_key": format!("cache_{key}"),
        "timezone": zone,
        "calculation_trigger": null,
        "query_status": null,
        "query_metadata": null,
        "resolved_date_range": null,
    });
    if let Some(limit) = result.limit {
        put(&mut body, "limit", json!(limit));
        put(&mut body, "offset", json!(0));
    }
    region.queries.remember(key, body.clone(), now);
    Ok((body, read))
}

/// Whether a text can be run, and if not, what is wrong and where.
async fn metadata(store: Arc<ProjectStore>, asked: Asked, knows_bots: bool, now: i64) -> Value {
    let check = move || {
        let text = asked.text;
        let query = Query::new(&text)
            .filters(asked.filters)
            .knows_bots(knows_bots)
            .now(now);
        let (tables, errors) = match store.check(&query) {
            Ok(tables) => (tables, Vec::new()),
            Err(error) => {
                let error = json!({
                    "message": errors::query_failure(&error),
                    "start": error.place.as_ref().map(|place| place.start),
                    "end": error.place.as_ref().map(|place| place.end),
                    "fix": null,
                });
                (Vec::new(), vec![error])
            }
        };
        json!({
            "isValid": errors.is_empty(),
            "query": text,
            "errors": errors,
            "warnings": [],
            "notices": [],
            "table_names": tables,
        })
    };
    tokio::task::spawn_blocking(check)
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn put(body: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = body {
        members.insert(name.to_owned(), value);
    }
}

fn cache_key(project: &Project, question: &Question) -> String {
    let text = json!([project.id, question.text, question.values, question.filters]).to_string();
    uuid("query", &text).replace('-', "")
}
