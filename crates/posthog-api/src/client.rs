//! Sends requests: token, 401 retry, pauses, and bounds on bytes and time.
//!
//! A refused token is replaced once and the request repeated once. A 403 never asks for a new token. A redirect is
//! an error, because following it would send the token to another address. Every response has a largest size and
//! every request a longest time ([`Patience`]).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use crate::bearer::{Bearer, Token};
use crate::error::{Error, Unreachable};
use crate::one_connection::to_host;
use crate::rate_limiter::{Lane, RateLimiter, Reading};
use crate::request::Call;
use crate::response::Answer;
use crate::retry_after::retry_after;

/// Longest rows of a query that are read, in bytes: 50,000 of them fit.
const LONGEST_ROWS: usize = 64 * MEBIBYTE;

/// Longest other answer that is read, in bytes: an organization comes with all its projects and features, so
/// that one page of a list may have some megabytes.
const LONGEST_DOCUMENT: usize = 16 * MEBIBYTE;

pub(crate) const MEBIBYTE: usize = 1024 * 1024;

/// How much of an error response is read, in bytes: the status says most, and PostHog's message is short.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// How long to wait for PostHog, from the request to the last byte of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one answer to anything but a query.
    pub answer: Duration,
    /// For one answer to a query. PostHog ends an interactive one after 60 s.
    pub rows: Duration,
    /// For one request as a whole: with the waits between its tries, without the wait until it may start.
    pub request: Duration,
    /// For all pages of a list together.
    pub list: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            rows: Duration::from_secs(70),
            request: Duration::from_secs(90),
            list: Duration::from_secs(120),
        }
    }
}

/// Talks to one Host as one signed-in account. Clones share the connection and the rate limiter.
#[derive(Clone, Debug)]
pub struct Client<B> {
    http: reqwest::Client,
    base: Url,
    host: Arc<str>,
    bearer: B,
    rate_limiter: RateLimiter,
    pub(crate) patience: Patience,
    /// False once the Host has refused a query for its name: it is older than these.
    takes_names: Arc<AtomicBool>,
    /// Fields that the Host does not know: it is older than these.
    unknown_fields: Arc<Mutex<HashSet<&'static str>>>,
    /// The organizations of projects, as far as a response or a query has named them.
    organizations: Arc<Mutex<HashMap<u64, String>>>,
}

impl<B: Bearer> Client<B> {
    /// A client for the Host at `base` (an origin without path).
    ///
    /// `http` is shared with the token endpoint, so that one connection serves both. It must follow no
    /// redirects.
    pub fn new(http: reqwest::Client, base: Url, bearer: B, rate_limiter: RateLimiter) -> Self {
        Self {
            http,
            host: base.as_str().into(),
            base,
            bearer,
            rate_limiter,
            patience: Patience::default(),
            takes_names: Arc::new(AtomicBool::new(true)),
            unknown_fields: Arc::default(),
            organizations: Arc::default(),
        }
    }

    /// The same client with another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The rate limiter of this client.
    pub fn rate_limiter(&self) -> &RateLimiter {
        &self.rate_limiter
    }

    /// The organization of a project, if a response or a query has named it.
    pub(crate) fn organization_of(&self, project: u64) -> Option<String> {
        let known = self
            .organizations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.get(&project).cloned()
    }

    /// Remembers the organization of a project.
    pub(crate) fn hear_of(&self, project: u64, organization: &str) {
        let mut known = self
            .organizations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known
            .get(&project)
            .is_none_or(|known| known != organization)
        {
            known.insert(project, organization.to_owned());
        }
    }

    /// Whether queries carry a name.
    pub(crate) fn takes_names(&self) -> bool {
        self.takes_names.load(Ordering::Relaxed)
    }

    /// Remembers that the Host refuses names.
    pub(crate) fn drop_names(&self) {
        self.takes_names.store(false, Ordering::Relaxed);
    }

    /// False once the Host has refused a query for this field.
    pub(crate) fn knows(&self, field: &str) -> bool {
        let unknown = self.unknown_fields.lock();
        !unknown
            .unwrap_or_else(PoisonError::into_inner)
            .contains(field)
    }

    /// Remembers that the Host does not know a field.
    pub(crate) fn forget(&self, field: &'static str) {
        let unknown = self.unknown_fields.lock();
        unknown
            .unwrap_or_else(PoisonError::into_inner)
            .insert(field);
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let answer = self.send(call).await?;
        answer.read()
    }

    /// Sends a call, with one replacement of a refused token and a few short waits.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, Error> {
        let mut place = self.rate_limiter.place(&call.lane).await;
        let end = Instant::now() + self.patience.request;
        let mut tries = 1;
        loop {
            let sent = Instant::now();
            let error = match self.send_with_token(&call, end).await {
                Ok(answer) => {
                    place.answered();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            match &error {
                Error::RateLimited {
                    retry_after: Some(wait),
                } => self.rate_limiter.throttled(&call.lane, *wait),
                Error::ReadBudget {
                    retry_after: Some(wait),
                } => self.rate_limiter.has_read_too_much(&call.lane, *wait),
                Error::Busy {
                    retry_after: Some(wait),
                    ..
                } => self.rate_limiter.pause_all(*wait),
                _ => {}
            }
            let was_slow = sent.elapsed() >= self.patience.answer / 2;
            let wait = match call.wait_before_retry(&error, tries) {
                // What has just taken that long takes as long again.
                Some(_) if was_slow && matches!(error, Error::Unreachable(_)) => return Err(error),
                Some(wait) if Instant::now() + wait < end => wait,
                _ => return Err(error),
            };
            tracing::debug!(call = call.name, ?wait, "trying again");
            if call.is_one_too_many(&error) {
                // Fewer run at once from now on, and this one waits until it is among them.
                place.refused();
                drop(place);
                tokio::time::sleep(wait).await;
                place = self.rate_limiter.place(&call.lane).await;
                if Instant::now() >= end {
                    return Err(error);
                }
            } else {
                tokio::time::sleep(wait).await;
            }
            tries += 1;
        }
    }

    async fn send_with_token(&self, call: &Call, end: Instant) -> Result<Answer, Error> {
        let token = self.bearer.token().await?;
        match self.send_once(call, token.expose(), end).await {
            Err(Error::Unauthorized(detail)) if !call.probes => {
                tracing::debug!(call = call.name, "the token was refused");
                let replacement = self.bearer.replacement(&token).await?;
                if replacement.expose() == token.expose() {
                    return Err(Error::Unauthorized(detail));
                }
                self.send_once(call, replacement.expose(), end).await
            }
            other => other,
        }
    }

    async fn send_once(&self, call: &Call, token: &str, end: Instant) -> Result<Answer, Error> {
        self.rate_limiter.admit(&call.lane).await?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Error::Unauthorized("the token holds characters of no token".into()))?;
        authorization.set_sensitive(true);
        let url = call.url(&self.base)?;
        let (answer_time, longest) = match call.lane {
            Lane::Query { .. } => (self.patience.rows, LONGEST_ROWS),
            Lane::Request => (self.patience.answer, LONGEST_DOCUMENT),
        };
        let answer_time = answer_time.min(end.saturating_duration_since(Instant::now()));
        let mut request = self
            .http
            .request(call.method.clone(), url.clone())
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .timeout(answer_time);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let mut response = to_host(Arc::clone(&self.host), request.send())
            .await
            .map_err(Error::from_transport)?;
        let status = response.status();
        if *response.url() != url {
            // The given client followed a redirect after all.
            return Err(Error::Redirected(status.as_u16()));
        }
        self.rate_limiter
            .note_reading(&call.lane, Reading::of(response.headers()));
        let retry_after = retry_after(response.headers());
        let longest = if status.is_success() {
            longest
        } else {
            LONGEST_REFUSAL
        };
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= longest => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) if status.is_success() => {
                    let mebibytes = longest / MEBIBYTE;
                    return Err(Error::BadAnswer(format!(
                        "it is longer than {mebibytes} MiB"
                    )));
                }
                Err(error) if status.is_success() && error.is_timeout() => {
                    let host = url.host_str().unwrap_or("PostHog");
                    let seconds = answer_time.as_secs();
                    let sentence =
                        format!("{host} did not finish its response within {seconds} seconds");
                    return Err(Unreachable::new(sentence).into());
                }
                Err(error) if status.is_success() => return Err(Error::from_transport(error)),
                // A refusal is one whether its words arrive or not.
                Ok(_) | Err(_) => break,
            }
        }
        tracing::debug!(
            call = call.name,
            status = status.as_u16(),
            bytes = body.len(),
            "answered"
        );
        if status.is_success() {
            Ok(Answer::new(status, body))
        } else {
            Err(Error::from_answer(status.as_u16(), retry_after, &body))
        }
    }
}
