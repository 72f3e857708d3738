//! `POST /api/projects/:id/query/` (`query:read`): `HogQL` in, rows out.
//!
//! PostHog caches the result of a query text for six hours, even if the text says `now()`. Queries should therefore
//! contain their time as a literal: a new text is computed, and an equal one may come from the cache. When PostHog would rather work in the background (202,
//! or 504 with a personal API key, whose queries end after 10 s), the query is started asynchronously
//! and polled.
//!
//! PostHog refuses a request with a member that it does not know. All members sent here are older than any server in
//! use, except the name of a query (February 2025). A server that refuses it is asked again without, and is not sent
//! a name again.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::bearer::Bearer;
use crate::client::Client;
use crate::error::{Error, UNKNOWN_MEMBER_CODE, is_too_large};
use crate::optional::or_absent;
use crate::request::Call;

/// First pause between two looks at a query that runs in the background.
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// Longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a query in the background is waited for: PostHog forgets its status after 10 minutes.
const PATIENCE: Duration = Duration::from_secs(300);

/// Looks in a row that may fail before a query in the background is given up.
const MOST_FAILED_LOOKS: u32 = 3;

/// A `HogQL` query with the constants of its placeholders.
#[derive(Clone, Debug, PartialEq)]
pub struct HogQl {
    /// The text. What a user typed belongs in `values`, never in here.
    pub text: String,
    /// Constants for `{placeholder}`s in the text.
    pub values: Map<String, Value>,
    /// A name for PostHog's own query log.
    pub name: &'static str,
    /// What PostHog puts in the place of `{filters}` in the text, as its own screens send it.
    pub filters: Option<Value>,
    /// A field that older servers do not know, and the text for these.
    pub newer: Option<NewerField>,
    /// Whether PostHog computes the result again instead of answering from its cache of six hours.
    pub fresh: bool,
}

impl HogQl {
    /// A query without placeholders.
    pub fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            values: Map::new(),
            name,
            filters: None,
            newer: None,
            fresh: false,
        }
    }

    /// Sets the constant for `{placeholder}`.
    #[must_use]
    pub fn set(mut self, placeholder: &str, value: impl Into<Value>) -> Self {
        self.values.insert(placeholder.to_owned(), value.into());
        self
    }

    /// The query for a server that does not know the newer field.
    fn without_newer(&self) -> Self {
        let text = self
            .newer
            .as_ref()
            .map_or(&self.text, |newer| &newer.text_without);
        Self {
            text: text.clone(),
            newer: None,
            ..self.clone()
        }
    }

    fn body(&self, refresh: &str, named: bool) -> Value {
        let refresh = if self.fresh {
            format!("force_{refresh}")
        } else {
            refresh.to_owned()
        };
        let mut query = json!({ "kind": "HogQLQuery", "query": self.text });
        if named {
            query["name"] = self.name.into();
        }
        if !self.values.is_empty() {
            query["values"] = Value::Object(self.values.clone());
        }
        if let Some(filters) = &self.filters {
            query["filters"] = filters.clone();
        }
        json!({ "query": query, "refresh": refresh })
    }
}

/// A field that older servers do not know: see [`HogQl::newer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewerField {
    /// Its name, as the server's error has it.
    pub name: &'static str,
    /// The text that does without it.
    pub text_without: String,
}

/// Rows of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Column names.
    pub columns: Vec<String>,
    /// ClickHouse type of each column; empty if an old server does not send them.
    pub types: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
    /// Whether a query without LIMIT was cut at 100 rows.
    pub has_more: bool,
    /// Whether PostHog answered from its cache.
    pub is_cached: bool,
    /// Whether the server does not know the query's newer field, and answered the text without it.
    pub without_newer: bool,
}

/// What PostHog says about a query text without running it (`HogQLMetadata`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct QueryCheck {
    /// Whether the text is valid.
    #[serde(default, rename = "isValid")]
    pub is_valid: bool,
    /// What is wrong with it.
    #[serde(default)]
    pub errors: Vec<QueryNotice>,
}

/// One remark about a query text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct QueryNotice {
    /// The remark.
    pub message: String,
    /// First character it is about, from 0.
    #[serde(default)]
    pub start: Option<usize>,
    /// First character after it.
    #[serde(default)]
    pub end: Option<usize>,
}

impl<B: Bearer> Client<B> {
    /// Runs a query and waits for its rows. `organization` bounds how many run there at once.
    pub async fn query(
        &self,
        project: u64,
        organization: Option<&str>,
        query: &HogQl,
    ) -> Result<Rows, Error> {
        if let Some(organization) = organization {
            self.hear_of(project, organization);
        }
        let Some(newer) = &query.newer else {
            return self.rows(project, organization, query).await;
        };
        if self.knows(newer.name) {
            match self.rows(project, organization, query).await {
                Err(Error::Invalid { detail, .. }) if detail.contains(newer.name) => {
                    tracing::debug!(field = newer.name, "the Host is older than this field");
                    self.forget(newer.name);
                }
                answered => return answered,
            }
        }
        let rows = self
            .rows(project, organization, &query.without_newer())
            .await?;
        Ok(Rows {
            without_newer: true,
            ..rows
        })
    }

    async fn rows(
        &self,
        project: u64,
        organization: Option<&str>,
        query: &HogQl,
    ) -> Result<Rows, Error> {
        match self.start(project, organization, query, "blocking").await {
            Ok(Started::Done(rows)) => Ok(rows),
            Ok(Started::Running(id)) => self.poll(project, &id).await,
            Err(Error::Busy { status: 504, .. }) => {
                match self.start(project, organization, query, "async").await? {
                    Started::Done(rows) => Ok(rows),
                    Started::Running(id) => self.poll(project, &id).await,
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Asks PostHog what is wrong with a query text, with positions.
    pub async fn check_query(&self, project: u64, text: &str) -> Result<QueryCheck, Error> {
        let body =
            json!({ "query": { "kind": "HogQLMetadata", "language": "hogQL", "query": text } });
        self.get(Call::query("query check", project, None).body(body))
            .await
    }

    async fn start(
        &self,
        project: u64,
        organization: Option<&str>,
        query: &HogQl,
        refresh: &str,
    ) -> Result<Started, Error> {
        let send = |named| {
            let call = Call::query("query", project, organization);
            self.send(call.body(query.body(refresh, named)))
        };
        let named = self.takes_names();
        let answer = match send(named).await {
            Err(Error::Invalid { code, .. }) if named && code == UNKNOWN_MEMBER_CODE => {
                tracing::debug!("the Host is older than names of queries");
                let answer = send(false).await?;
                self.drop_names();
                answer
            }
            answered => answered?,
        };
        let body: QueryAnswer = answer.read()?;
        match body.query_status {
            Some(status) if answer.status == StatusCode::ACCEPTED || body.results.is_none() => {
                status.into_started()
            }
            _ => body.rows().map(Started::Done),
        }
    }

    async fn poll(&self, project: u64, id: &str) -> Result<Rows, Error> {
        let path = ["projects", &project.to_string(), "query", id];
        let give_up = tokio::time::Instant::now() + PATIENCE;
        let (mut pause, mut failed) = (FIRST_PAUSE, 0);
        while tokio::time::Instant::now() < give_up {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            let body: QueryAnswer = match self.get(Call::read("query status", &path)).await {
                Ok(body) => body,
                // PostHog has lost it; asking the whole question again is the next refresh's business.
                Err(Error::NotFound(detail)) => return Err(Error::busy(504, detail)),
                // A look that fails says nothing about the query.
                Err(Error::Busy { .. } | Error::Unreachable(_)) if failed < MOST_FAILED_LOOKS => {
                    failed += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            failed = 0;
            let status = body
                .query_status
                .ok_or_else(|| Error::BadAnswer("it has no query_status".to_owned()))?;
            if let Started::Done(rows) = status.into_started()? {
                return Ok(rows);
            }
        }
        let detail = "the query did not end within five minutes".to_owned();
        Err(Error::busy(504, detail))
    }
}

enum Started {
    Done(Rows),
    Running(String),
}

#[derive(Debug, Deserialize)]
struct QueryAnswer {
    #[serde(default)]
    results: Option<Vec<Vec<Value>>>,
    #[serde(default)]
    columns: Option<Vec<String>>,
    #[serde(default)]
    types: Option<Vec<Value>>,
    #[serde(default, rename = "hasMore")]
    has_more: Option<bool>,
    #[serde(default)]
    is_cached: Option<bool>,
    #[serde(default)]
    query_status: Option<QueryStatus>,
}

#[derive(Debug, Deserialize)]
struct QueryStatus {
    id: String,
    #[serde(default, deserialize_with = "or_absent")]
    complete: bool,
    #[serde(default, deserialize_with = "or_absent")]
    error: bool,
    #[serde(default)]
    error_message: Option<String>,
    #[serde(default)]
    results: Option<Value>,
}

impl QueryAnswer {
    fn rows(self) -> Result<Rows, Error> {
        let rows = self
            .results
            .ok_or_else(|| Error::BadAnswer("it has no results".to_owned()))?;
        let columns = self
            .columns
            .ok_or_else(|| Error::BadAnswer("it has no columns".to_owned()))?;
        if rows.iter().any(|row| row.len() != columns.len()) {
            return Err(Error::BadAnswer(
                "a row has another length than the list of columns".to_owned(),
            ));
        }
        let types = self
            .types
            .unwrap_or_default()
            .iter()
            .map(type_name)
            .collect();
        Ok(Rows {
            columns,
            types,
            rows,
            has_more: self.has_more.unwrap_or(false),
            is_cached: self.is_cached.unwrap_or(false),
            without_newer: false,
        })
    }
}

impl QueryStatus {
    fn into_started(self) -> Result<Started, Error> {
        let detail = self.error_message.as_deref().unwrap_or_default();
        if self.error && is_too_large(None, detail) {
            return Err(Error::TooLarge {
                status: 504,
                detail: detail.to_owned(),
            });
        }
        if self.error {
            return Err(Error::Invalid {
                status: 400,
                code: "query_failed".to_owned(),
                detail: self.error_message.unwrap_or_default(),
                attr: None,
            });
        }
        if !self.complete {
            return Ok(Started::Running(self.id));
        }
        let results = self
            .results
            .ok_or_else(|| Error::BadAnswer("the finished query has no results".to_owned()))?;
        let body: QueryAnswer = serde_json::from_value(results)
            .map_err(|_| Error::BadAnswer("the finished query has other fields".to_owned()))?;
        body.rows().map(Started::Done)
    }
}

/// New servers send `[name, type]`, old ones the type alone.
fn type_name(entry: &Value) -> String {
    match entry {
        Value::String(name) => name.clone(),
        Value::Array(pair) => pair
            .get(1)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_forms_of_types_are_read() {
        for types in [json!([["a", "UInt64"]]), json!(["UInt64"])] {
            let answer: QueryAnswer =
                serde_json::from_value(json!({"results": [[1]], "columns": ["a"], "types": types}))
                    .unwrap();
            assert_eq!(answer.rows().unwrap().types, ["UInt64"]);
        }
    }

    #[test]
    fn a_row_of_another_length_is_refused() {
        let answer: QueryAnswer =
            serde_json::from_value(json!({"results": [[1, 2]], "columns": ["a"]})).unwrap();
        assert!(matches!(answer.rows(), Err(Error::BadAnswer(_))));
    }

    #[test]
    fn a_finished_background_query_holds_the_whole_answer() {
        let status: QueryStatus = serde_json::from_value(json!({
            "id": "q", "complete": true, "results": {"results": [[7]], "columns": ["n"]}
        }))
        .unwrap();
        let Started::Done(rows) = status.into_started().unwrap() else {
            panic!("still running");
        };
        assert_eq!(rows.rows, [[json!(7)]]);
    }

    #[test]
    fn a_fresh_query_does_not_ask_the_cache() {
        let mut query = HogQl::new("test", "SELECT 1");
        assert_eq!(query.body("blocking", true)["refresh"], "blocking");
        query.fresh = true;
        assert_eq!(query.body("blocking", true)["refresh"], "force_blocking");
        assert_eq!(query.body("async", true)["refresh"], "force_async");
    }

    #[test]
    fn values_travel_beside_the_text() {
        let query = HogQl::new("test", "SELECT {event} LIMIT 1").set("event", "a' OR 1=1");
        let body = query.body("blocking", true);
        assert_eq!(body["query"]["query"], "SELECT {event} LIMIT 1");
        assert_eq!(body["query"]["values"]["event"], "a' OR 1=1");
    }
}
