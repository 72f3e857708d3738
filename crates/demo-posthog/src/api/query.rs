//! `/api/projects/:id/query/`: PostHog's rules around a query: cache, limits, asynchronous answers.
//! What the text means is [`hogql_sqlite`]'s.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderName;
use hogql_sqlite::{Query, QueryError};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::credential::Credential;
use super::{allow, errors};
use crate::answer::Answer;
use crate::behaviour::{Behaviour, ReadBudget};
use crate::call::Call;
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
/// Stands for a number that is none, until it is written as Python writes it.
const NOT_A_NUMBER: &str = "\u{e000}NaN";

/// Members of a request, as PostHog's schema has them; any other is refused.
const REQUEST: [&str; 7] = [
    "async",
    "client_query_id",
    "filters_override",
    "name",
    "query",
    "refresh",
    "variables_override",
];
/// Members of `HogQLQuery`.
const HOGQL_QUERY: [&str; 11] = [
    "explain",
    "filters",
    "kind",
    "modifiers",
    "name",
    "query",
    "response",
    "tags",
    "values",
    "variables",
    "version",
];
/// Members of `HogQLMetadata`.
const HOGQL_METADATA: [&str; 12] = [
    "debug",
    "filters",
    "globals",
    "kind",
    "language",
    "modifiers",
    "query",
    "response",
    "sourceQuery",
    "tags",
    "variables",
    "version",
];

/// What is remembered between queries.
#[derive(Debug, Default)]
pub(crate) struct QueryDesk {
    desk: Mutex<Desk>,
    /// A slot was given back.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Desk {
    cache: HashMap<String, Cached>,
    running: HashMap<String, Status>,
    slots: BTreeMap<String, usize>,
    budgets: HashMap<u64, Bucket>,
}

/// What is left of a read budget; less than nothing after the query that crossed the line.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

/// A place among the queries that run at once.
#[derive(Debug)]
struct Slot<'a> {
    desk: &'a QueryDesk,
    key: String,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.desk.lock().slots.get_mut(&self.key) {
            *running = running.saturating_sub(1);
        }
        self.desk.freed.notify_waiters();
    }
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
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, key: &str, size: usize) -> Option<Slot<'_>> {
        let mut desk = self.lock();
        let running = desk.slots.entry(key.to_owned()).or_default();
        if *running >= size {
            return None;
        }
        *running += 1;
        Some(Slot {
            desk: self,
            key: key.to_owned(),
        })
    }

    /// Waits for a slot.
    async fn slot_within(&self, key: &str, size: usize, patience: Duration) -> Option<Slot<'_>> {
        let give_up = tokio::time::Instant::now() + patience;
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Some(slot) = self.slot(key, size) {
                return Some(slot);
            }
            tokio::time::timeout_at(give_up, freed).await.ok()?;
        }
    }

    pub(crate) fn leave_budget(&self, project: u64, bytes: u64, at: Timestamp) {
        let left = float(bytes);
        self.lock().budgets.insert(project, Bucket { left, at });
    }

    /// What is left of the budget of a project, `read` taken out of it.
    fn debit(&self, project: u64, budget: ReadBudget, read: u64, now: Timestamp) -> f64 {
        let mut desk = self.lock();
        let full = Bucket {
            left: float(budget.burst),
            at: now,
        };
        let bucket = desk.budgets.entry(project).or_insert(full);
        let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        let refilled = bucket.left + float(budget.per_hour) / 3600.0 * passed;
        bucket.left = refilled.min(float(budget.burst)) - float(read);
        bucket.at = now;
        bucket.left
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of an invented budget")]
fn float(bytes: u64) -> f64 {
    bytes as f64
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
    /// What a personal API key may read, and so what is told about it.
    budget: Option<ReadBudget>,
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
    let behaviour = server.behaviour().clone();
    let (kind, text, values) = read(&body, &behaviour)?;
    if kind == "HogQLMetadata" {
        return Ok(Answer::json(200, &metadata(store, text).await));
    }
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
        refresh: Refresh::read(&body)?,
        id: body
            .get("client_query_id")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned),
        budget: behaviour
            .read_budget
            .filter(|_| credential.api_key.is_some()),
    };
    let _slot = slot(server, &credential, project, &behaviour).await?;
    answer(server, project, store, question).await
}

/// The kind, the text and the values of a request.
fn read(
    body: &Map<String, Value>,
    behaviour: &Behaviour,
) -> Result<(String, String, Map<String, Value>), Answer> {
    only(body, &REQUEST, behaviour.requests_have_names, "")?;
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
    let (members, named): (&[&str], bool) = if kind == "HogQLQuery" {
        (&HOGQL_QUERY, behaviour.queries_have_names)
    } else {
        (&HOGQL_METADATA, false)
    };
    only(query, members, named, &format!("query.{kind}."))?;
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

/// Refuses a member that the schema does not have.
fn only(
    object: &Map<String, Value>,
    members: &[&str],
    named: bool,
    place: &str,
) -> Result<(), Answer> {
    let unknown = |member: &&String| {
        !members.contains(&member.as_str()) || (!named && member.as_str() == "name")
    };
    object.keys().find(unknown).map_or(Ok(()), |member| {
        Err(parse_error(&format!(
            "{place}{member}\n  Extra inputs are not permitted [type=extra_forbidden]"
        )))
    })
}

fn parse_error(detail: &str) -> Answer {
    errors::parse_error(&format!("1 validation error for QueryRequest\n{detail}"))
}

/// A place among the queries that run at once.
async fn slot<'a>(
    server: &'a Server,
    credential: &Credential,
    project: &Project,
    behaviour: &Behaviour,
) -> Result<Slot<'a>, Answer> {
    let full = |limit: usize, key: &str| {
        errors::too_many_queries(&format!(
            "Exceeded maximum concurrency limit: {limit} for key: {key} and task: {}",
            secrets::uuid()
        ))
    };
    if credential.api_key.is_none() {
        let most = behaviour.queries_at_once_per_organization;
        let key = format!("app:query:per-org:{}", project.organization);
        let slot = server.queries.slot(&key, most);
        return slot.ok_or_else(|| full(most, &key));
    }
    let most = behaviour.queries_at_once_per_project;
    let key = format!("api:query:per-team:{}", project.id);
    let slot = server
        .queries
        .slot_within(&key, most, behaviour.key_patience);
    slot.await.ok_or_else(|| full(most, &key))
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
        let answer = Answer::json(200, &body);
        return Ok(match question.budget {
            Some(budget) => {
                let left = server.queries.debit(project.id, budget, 0, now);
                tell_budget(answer, 0, left)
            }
            None => answer,
        });
    }
    // What the cache holds is answered all the same.
    if let Some(budget) = question.budget {
        let left = server.queries.debit(project.id, budget, 0, now);
        if left < 1.0 {
            return Err(tell_budget(refuse_reading(budget, left), 0, left));
        }
    }
    if !question.refresh.is_async() {
        let computed = compute(server, store, &question, key).await;
        let (body, read) = computed.map_err(|error| errors::query_failed(&error))?;
        let answer = Answer::json(200, &body);
        return Ok(match question.budget {
            Some(budget) => {
                // The query that crosses the line was answered.
                let left = server.queries.debit(project.id, budget, read, now);
                tell_budget(answer, read, left)
            }
            None => answer,
        });
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
    let (server, status_of) = (Arc::clone(server), project.id);
    tokio::spawn(async move {
        let computed = compute(&server, store, &question, key).await;
        let outcome = computed.map_err(|error| errors::query_failure(&error));
        let outcome = outcome.map(|(body, read)| {
            if let Some(budget) = question.budget {
                let now = server.clock.now();
                server.queries.debit(status_of, budget, read, now);
            }
            body
        });
        server.queries.lock().end(&id, server.clock.now(), outcome);
    });
    Ok(Answer::json(202, &json!({"query_status": shown})))
}

/// The refusal of a query whose project has read what it may, until there is some of it again.
fn refuse_reading(budget: ReadBudget, left: f64) -> Answer {
    let seconds = ((1.0 - left) / (float(budget.per_hour) / 3600.0)).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to an hour"
    )]
    let seconds = seconds.clamp(1.0, 3600.0) as u64;
    errors::read_budget_spent(seconds)
}

/// With what the query read, and what is left.
fn tell_budget(answer: Answer, read: u64, left: f64) -> Answer {
    answer
        .with(
            HeaderName::from_static("x-posthog-query-bytes-read"),
            read.to_string(),
        )
        .with(
            HeaderName::from_static("x-posthog-query-budget-remaining-bytes"),
            format!("{:.0}", left.max(0.0)),
        )
}

/// Runs a query, and remembers its answer. Tells how many bytes it read, too.
async fn compute(
    server: &Arc<Server>,
    store: Arc<ProjectStore>,
    question: &Question,
    key: String,
) -> Result<(Value, u64), QueryError> {
    server.delay().await;
    let now = server.clock.now();
    let zone = store.project.time_zone.clone();
    let (text, values) = (question.text.clone(), question.values.clone());
    let seconds = now.as_second();
    let started = std::time::Instant::now();
    let per_event = question.budget.map_or(0, |budget| budget.per_event);
    let run = move || {
        let result = store.run(&Query::new(&text).values(values).now(seconds))?;
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
    server
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
    let cached = Cached {
        body: body.clone(),
        made_at: now,
    };
    server.queries.lock().cache.insert(key, cached);
    Ok((body, read))
}

/// Whether a text can be run, and if not, what is wrong and where.
async fn metadata(store: Arc<ProjectStore>, text: String) -> Value {
    let check = move || {
        let (tables, errors) = match store.check(&text) {
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
    let mut shown = show(query, status);
    if !server.behaviour().polls_hold_nan {
        return Ok(Answer::json(code, &json!({"query_status": shown})));
    }
    mark_missing_numbers(&mut shown);
    let mut answer = Answer::json(code, &json!({"query_status": shown}));
    let text = String::from_utf8_lossy(&answer.body);
    let text = text.replace(&format!("\"{NOT_A_NUMBER}\""), "NaN");
    answer.body = text.into_bytes();
    Ok(answer)
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
