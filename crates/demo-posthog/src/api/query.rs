//! `/api/projects/:id/query/`: PostHog's rules around a query: cache, limits, asynchronous answers.
//! What the text means is [`crate::hogql`]'s.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::credential::Credential;
use super::{allow, errors};
use crate::answer::Answer;
use crate::call::Call;
use crate::hogql;
use crate::oauth::secrets;
use crate::server::Server;
use crate::store::ProjectStore;
use crate::world::{Project, uuid};

/// How long an answer is fresh. However short its range: PostHog treats all like days.
const FRESH: SignedDuration = SignedDuration::from_hours(6);
/// The same for `lazy_async`.
const FRESH_FOR_LAZY: SignedDuration = SignedDuration::from_hours(12);
/// Seconds after which an asynchronous answer is gone.
const STATUS_LIFETIME: i64 = 600;
/// Queries at once per organization, for everything but personal API keys.
const PER_ORGANIZATION: usize = 20;
/// Queries at once per project, for personal API keys.
const PER_PROJECT: usize = 3;
/// How long a query with a personal API key waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is remembered between queries.
#[derive(Debug, Default)]
pub(crate) struct QueryDesk(Mutex<Desk>);

#[derive(Debug, Default)]
struct Desk {
    cache: HashMap<String, Cached>,
    running: HashMap<String, Status>,
    slots: BTreeMap<String, Arc<Semaphore>>,
}

#[derive(Clone, Debug)]
struct Cached {
    body: Value,
    made_at: Timestamp,
}

#[derive(Clone, Debug)]
struct Status {
    project: u64,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    outcome: Option<Result<Value, String>>,
}

impl QueryDesk {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self, key: &str, size: usize) -> Arc<Semaphore> {
        let mut desk = self.lock();
        let slots = desk
            .slots
            .entry(key.to_owned())
            .or_insert_with(|| Arc::new(Semaphore::new(size)));
        Arc::clone(slots)
    }
}

/// What `refresh` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresh {
    Blocking,
    ForceBlocking,
    Async,
    LazyAsync,
    ForceAsync,
}

impl Refresh {
    fn read(body: &Map<String, Value>) -> Result<Self, Answer> {
        if body.get("async") == Some(&Value::Bool(true)) {
            return Ok(Self::Async);
        }
        let text = match body.get("refresh") {
            None | Some(Value::Null | Value::Bool(false)) => return Ok(Self::Blocking),
            Some(Value::Bool(true)) => return Ok(Self::ForceBlocking),
            Some(Value::String(text)) => text.as_str(),
            Some(_) => "",
        };
        match text {
            "blocking" | "force_cache" | "async_except_on_cache_miss" => Ok(Self::Blocking),
            "force_blocking" => Ok(Self::ForceBlocking),
            "async" => Ok(Self::Async),
            "lazy_async" => Ok(Self::LazyAsync),
            "force_async" => Ok(Self::ForceAsync),
            _ => Err(errors::parse_error(
                "1 validation error for QueryRequest\nrefresh\n  Input should be 'async', 'async_except_on_cache_miss', 'blocking', 'force_async', 'force_blocking', 'force_cache' or 'lazy_async'",
            )),
        }
    }

    fn forces(self) -> bool {
        matches!(self, Self::ForceBlocking | Self::ForceAsync)
    }

    fn is_async(self) -> bool {
        matches!(self, Self::Async | Self::LazyAsync | Self::ForceAsync)
    }
}

/// A question that was understood.
struct Question {
    text: String,
    values: Map<String, Value>,
    refresh: Refresh,
    id: Option<String>,
}

/// POST: a query.
pub(crate) async fn ask(server: &Arc<Server>, call: &Call, id: &str) -> Result<Answer, Answer> {
    let credential = Credential::of_query(server, call)?;
    allow(call, &["POST"])?;
    let project = credential.project(server, id, "query:read")?;
    let missing = || errors::not_found("Project not found.");
    let store = Arc::clone(server.stores.get(&project.id).ok_or_else(missing)?);
    let body = match call.json() {
        Ok(Value::Object(body)) => body,
        Ok(_) => return Err(parse_error("Input should be a valid dictionary")),
        Err(error) => return Err(errors::parse_error(&error.to_string())),
    };
    let (kind, text, values) = read(&body)?;
    if kind == "HogQLMetadata" {
        return Ok(Answer::json(200, &metadata(store, text).await));
    }
    if credential.api_key.is_some() && hogql::skips_rows(&text) {
        return Err(errors::validation(
            "invalid_input",
            "OFFSET is not supported on queries made with a personal API key. Use keyset pagination on timestamp instead.",
            None,
        ));
    }
    let question = Question {
        text,
        values,
        refresh: Refresh::read(&body)?,
        id: body
            .get("client_query_id")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned),
    };
    let _slot = slot(server, &credential, project).await?;
    answer(server, project, store, question).await
}

/// The kind, the text and the values of a request.
fn read(body: &Map<String, Value>) -> Result<(String, String, Map<String, Value>), Answer> {
    let query = match body.get("query") {
        Some(Value::Object(query)) => query,
        Some(_) => return Err(parse_error("query\n  Input should be a valid dictionary")),
        None => return Err(parse_error("query\n  Field required")),
    };
    let kind = match query.get("kind").and_then(Value::as_str) {
        Some(kind @ ("HogQLQuery" | "HogQLMetadata")) => kind,
        Some(other) => {
            return Err(parse_error(&format!(
                "query\n  Input tag '{other}' does not match any of the expected tags: 'HogQLMetadata', 'HogQLQuery'"
            )));
        }
        None => {
            return Err(parse_error(
                "query\n  Unable to extract tag using discriminator 'kind'",
            ));
        }
    };
    let Some(text) = query.get("query").and_then(Value::as_str) else {
        return Err(parse_error(&format!(
            "query.{kind}.query\n  Field required"
        )));
    };
    let values = match query.get("values") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(values)) => values.clone(),
        Some(_) => {
            return Err(parse_error(&format!(
                "query.{kind}.values\n  Input should be a valid dictionary"
            )));
        }
    };
    Ok((kind.to_owned(), text.to_owned(), values))
}

fn parse_error(detail: &str) -> Answer {
    errors::parse_error(&format!("1 validation error for QueryRequest\n{detail}"))
}

/// A place among the queries that run at once.
async fn slot(
    server: &Server,
    credential: &Credential,
    project: &Project,
) -> Result<OwnedSemaphorePermit, Answer> {
    let full = |limit: usize, key: &str| {
        errors::too_many_queries(&format!(
            "Exceeded maximum concurrency limit: {limit} for key: {key} and task: {}",
            secrets::uuid()
        ))
    };
    if credential.api_key.is_none() {
        let key = format!("app:query:per-org:{}", project.organization);
        let slots = server.queries.slots(&key, PER_ORGANIZATION);
        return slots
            .try_acquire_owned()
            .map_err(|_| full(PER_ORGANIZATION, &key));
    }
    let key = format!("api:query:per-team:{}", project.id);
    let slots = server.queries.slots(&key, PER_PROJECT);
    match tokio::time::timeout(PATIENCE, slots.acquire_owned()).await {
        Ok(Ok(slot)) => Ok(slot),
        _ => Err(full(PER_PROJECT, &key)),
    }
}

async fn answer(
    server: &Arc<Server>,
    project: &Project,
    store: Arc<ProjectStore>,
    question: Question,
) -> Result<Answer, Answer> {
    let now = server.clock.now();
    let fresh = if question.refresh == Refresh::LazyAsync {
        FRESH_FOR_LAZY
    } else {
        FRESH
    };
    let key = cache_key(project, &question);
    let cached = server.queries.lock().cache.get(&key).cloned();
    if let Some(cached) = cached
        && !question.refresh.forces()
        && now.duration_since(cached.made_at) < fresh
    {
        server.delay().await;
        let mut body = cached.body;
        put(&mut body, "is_cached", json!(true));
        return Ok(Answer::json(200, &body));
    }
    if !question.refresh.is_async() {
        let computed = compute(server, store, &question, key).await;
        return match computed {
            Ok(body) => Ok(Answer::json(200, &body)),
            Err(error) => Err(refusal(&error)),
        };
    }
    let id = question.id.clone().unwrap_or_else(secrets::uuid);
    let status = Status {
        project: project.id,
        started_at: now,
        ended_at: None,
        outcome: None,
    };
    let shown = show(&id, &status);
    server.queries.lock().running.insert(id.clone(), status);
    let server = Arc::clone(server);
    tokio::spawn(async move {
        let computed = compute(&server, store, &question, key).await;
        let outcome = computed.map_err(|error| error.to_string());
        server.queries.lock().end(&id, server.clock.now(), outcome);
    });
    Ok(Answer::json(202, &json!({"query_status": shown})))
}

/// Runs a query, and remembers its answer.
async fn compute(
    server: &Arc<Server>,
    store: Arc<ProjectStore>,
    question: &Question,
    key: String,
) -> Result<Value, hogql::QueryError> {
    server.delay().await;
    let now = server.clock.now();
    let zone = store.project.time_zone.clone();
    let (text, values) = (question.text.clone(), question.values.clone());
    let seconds = now.as_second();
    let started = std::time::Instant::now();
    let run = move || hogql::run(&store, &text, &values, seconds);
    let answer = tokio::task::spawn_blocking(run)
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    server
        .counting
        .change(|counters| counters.computed_queries += 1);
    let hours = |hours: i64| now.checked_add(SignedDuration::from_hours(hours)).ok();
    let mut body = json!({
        "results": answer.rows,
        "columns": answer.columns,
        "types": answer.types,
        "hogql": question.text,
        "query": question.text,
        "clickhouse": null,
        "timings": [{"k": ".", "t": started.elapsed().as_secs_f64()}],
        "modifiers": {},
        "explain": null,
        "metadata": null,
        "error": null,
        "hasMore": answer.has_more,
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
    if let Some(limit) = answer.limit {
        put(&mut body, "limit", json!(limit));
        put(&mut body, "offset", json!(0));
    }
    let cached = Cached {
        body: body.clone(),
        made_at: now,
    };
    server.queries.lock().cache.insert(key, cached);
    Ok(body)
}

async fn metadata(store: Arc<ProjectStore>, text: String) -> Value {
    tokio::task::spawn_blocking(move || json!(hogql::check(&store, &text)))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn put(body: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = body {
        members.insert(name.to_owned(), value);
    }
}

fn refusal(error: &hogql::QueryError) -> Answer {
    errors::query_failed(error.status, error.code, &error.message)
}

fn cache_key(project: &Project, question: &Question) -> String {
    let text = json!([project.id, question.text, question.values]).to_string();
    uuid("query", &text).replace('-', "")
}

/// GET: how far an asynchronous query is. DELETE: stop it.
pub(crate) fn status(
    server: &Server,
    call: &Call,
    id: &str,
    query: &str,
) -> Result<Answer, Answer> {
    let credential = Credential::of(server, call)?;
    allow(call, &["GET", "DELETE"])?;
    let project = credential.project(server, id, "query:read")?;
    let now = server.clock.now();
    let mut desk = server.queries.lock();
    desk.running
        .retain(|_, status| now.as_second() - status.started_at.as_second() < STATUS_LIFETIME);
    if call.method == "DELETE" {
        desk.end(query, now, Err("Query was cancelled".to_owned()));
        return Ok(Answer::json(200, &json!({"message": "Query cancelled"})));
    }
    let status = desk
        .running
        .get(query)
        .filter(|status| status.project == project.id)
        .ok_or_else(|| {
            errors::not_found(&format!("Query {query} not found for team {}", project.id))
        })?;
    let code = match &status.outcome {
        None => 202,
        Some(Ok(_)) => 200,
        Some(Err(_)) => 400,
    };
    Ok(Answer::json(
        code,
        &json!({"query_status": show(query, status)}),
    ))
}

impl Desk {
    /// The end of an asynchronous query; the first one counts.
    fn end(&mut self, id: &str, now: Timestamp, outcome: Result<Value, String>) {
        if let Some(status) = self.running.get_mut(id)
            && status.outcome.is_none()
        {
            status.ended_at = Some(now);
            status.outcome = Some(outcome);
        }
    }
}

fn show(id: &str, status: &Status) -> Value {
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
