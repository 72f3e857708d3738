//! One request: token, 401 retry, pauses, paging, and bounds on bytes, items and time.
//!
//! A refused token is replaced once and the request repeated once; a 403 never asks for a new token.
//! Redirects are errors, because following one would carry the token to another address. The `next`
//! link of a list is reduced to its query: it is built from the server's own idea of its address, which
//! need not be the Host that was chosen.
//!
//! Nothing that a server sends is without end here: an answer has a size, a request and a list have a time as
//! a whole ([`Patience`]), and a list ends at a page that was read already, whatever its `count` says.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderValue, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use crate::response::Answer;
use crate::bearer::{Bearer, Token};
use crate::error::Error;
use crate::one_connection::to_host;
use crate::rate_limiter::{LONGEST_PAUSE, Lane, Pace, Reading};

/// Longest rows of a query that are read, in bytes: 50,000 of them fit.
const LONGEST_ROWS: usize = 64 * MEBIBYTE;

/// Longest other answer that is read, in bytes: an organization comes with all its projects and features, so
/// that one page of a list may have some megabytes.
const LONGEST_DOCUMENT: usize = 16 * MEBIBYTE;

/// The pages of one list together, in bytes.
const LONGEST_LIST: usize = 64 * MEBIBYTE;

/// The items of one list: an organization may have 2,000 projects.
const MOST_ITEMS: usize = 20_000;

const MEBIBYTE: usize = 1024 * 1024;

/// How much of a refusal is read, in bytes: its status says most, and PostHog's words are short.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// Longest `Retry-After` that is believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How often a request is sent at most, the first time included.
const MOST_TRIES: u32 = 3;

/// The same for a query that PostHog refuses for being too many at once: each time fewer are sent.
const MOST_TRIES_IN_A_CROWD: u32 = 8;

/// The first wait of such a query; it doubles.
const FIRST_WAIT_IN_A_CROWD: Duration = Duration::from_millis(250);

/// Items asked for per page of a list. PostHog honours any number; pages are read one after the other.
const PAGE: usize = 1000;

/// A page count no real list reaches.
const MOST_PAGES: usize = 500;

/// How long is waited for what PostHog sends, its drips and drops included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one answer to anything but a query.
    pub answer: Duration,
    /// For one answer to a query. PostHog ends an interactive one after 60 s.
    pub rows: Duration,
    /// For one request as a whole, the waits between its tries included and the wait for a place not.
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

/// Talks to one Host as one signed-in account. Clones share the connection and the pace.
#[derive(Clone, Debug)]
pub struct Client<B> {
    http: reqwest::Client,
    base: Url,
    host: Arc<str>,
    bearer: B,
    pace: Pace,
    patience: Patience,
    /// False once the Host has refused a query for its name: it is older than these.
    takes_names: Arc<AtomicBool>,
    /// The organizations of projects, as far as they were heard of.
    organizations: Arc<Mutex<HashMap<u64, String>>>,
}

impl<B: Bearer> Client<B> {
    /// A client for the Host at `base` (an origin without path).
    ///
    /// `http` is shared with the token endpoint, so that one connection serves both. It must follow no
    /// redirects.
    pub fn new(http: reqwest::Client, base: Url, bearer: B, pace: Pace) -> Self {
        Self {
            http,
            host: base.as_str().into(),
            base,
            bearer,
            pace,
            patience: Patience::default(),
            takes_names: Arc::new(AtomicBool::new(true)),
            organizations: Arc::default(),
        }
    }

    /// The same client with another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The pace of this client.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The organization of a project, if it was heard of.
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

    pub(crate) async fn get<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let answer = self.send(call).await?;
        answer.read()
    }

    /// Follows the pages of a list to its end.
    pub(crate) async fn list<T>(&self, call: Call) -> Result<Vec<T>, Error>
    where
        T: DeserializeOwned + PartialEq,
    {
        self.list_so_far(call).await.whole()
    }

    /// Follows the pages of a list until one of them fails, or leads nowhere.
    pub(crate) async fn list_so_far<T>(&self, call: Call) -> Listed<T>
    where
        T: DeserializeOwned + PartialEq,
    {
        let mut items = Vec::new();
        let pages = self.read_pages(call, &mut items);
        let patience = self.patience.list;
        let error = match tokio::time::timeout(patience, pages).await {
            Ok(read) => read.err(),
            Err(_) => Some(Error::BadAnswer(format!(
                "the list did not end within {} seconds",
                patience.as_secs()
            ))),
        };
        Listed { items, error }
    }

    async fn read_pages<T>(&self, call: Call, items: &mut Vec<T>) -> Result<(), Error>
    where
        T: DeserializeOwned + PartialEq,
    {
        let endless = |why: &str| Err(Error::BadAnswer(why.to_owned()));
        let mut call = call.with_page_size();
        let mut seen = HashSet::new();
        let mut bytes = 0;
        for _ in 0..MOST_PAGES {
            let answer = self.send(call.clone()).await?;
            bytes += answer.len();
            let page: Page<T> = answer.read()?;
            let is_known = sample(&page.results).all(|item| items.contains(item));
            if !is_known {
                if items.len() + page.results.len() > MOST_ITEMS {
                    let room = MOST_ITEMS.saturating_sub(items.len());
                    items.extend(page.results.into_iter().take(room));
                    return endless("the list has more than 20,000 entries");
                }
                items.extend(page.results);
            }
            let Some(next) = page.next.as_deref().and_then(query_of) else {
                return Ok(());
            };
            if is_known {
                return endless("the list repeats itself and does not end");
            }
            if items.len() >= MOST_ITEMS {
                return endless("the list has more than 20,000 entries");
            }
            if bytes >= LONGEST_LIST {
                return endless("the list is longer than 64 MiB");
            }
            seen.insert(std::mem::replace(&mut call.query, next));
            if seen.contains(&call.query) {
                return endless("the list leads back to a page that was read already");
            }
        }
        endless("the list has more than 500 pages")
    }

    /// Sends a call, with one replacement of a refused token and a few short waits.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, Error> {
        let mut place = self.pace.place(&call.lane).await;
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
                } => self.pace.throttled(&call.lane, *wait),
                Error::ReadBudget {
                    retry_after: Some(wait),
                } => self.pace.has_read_too_much(&call.lane, *wait),
                Error::Busy {
                    retry_after: Some(wait),
                    ..
                } => self.pace.pause_all(*wait),
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
                place = self.pace.place(&call.lane).await;
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
        self.pace.admit(&call.lane).await?;
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
            .map_err(|error| Error::from_transport(&error))?;
        let status = response.status();
        if *response.url() != url {
            // The given client followed a redirect after all.
            return Err(Error::Redirected(status.as_u16()));
        }
        self.pace
            .note_reading(&call.lane, Reading::of(response.headers()));
        let retry_after = retry_after(&response);
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
                    return Err(Error::Unreachable(format!(
                        "{host} did not end its answer within {seconds} seconds"
                    )));
                }
                Err(error) if status.is_success() => return Err(Error::from_transport(&error)),
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

/// A list as far as it could be read.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// What the pages before the failing one hold; everything if none failed.
    pub items: Vec<T>,
    /// Why the rest is missing.
    pub error: Option<Error>,
}

impl<T> Listed<T> {
    /// The whole list.
    ///
    /// # Errors
    ///
    /// A page that could not be read.
    pub fn whole(self) -> Result<Vec<T>, Error> {
        match self.error {
            None => Ok(self.items),
            Some(error) => Err(error),
        }
    }
}

/// One request to be sent: path, query and body, without any credential.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    name: &'static str,
    method: Method,
    path: Vec<String>,
    query: Vec<(String, String)>,
    body: Option<serde_json::Value>,
    lane: Lane,
    /// A write is repeated only where PostHog certainly did not act on it.
    writes: bool,
    /// A refusal says nothing about the credential.
    probes: bool,
    page_size: usize,
}

impl Call {
    pub(crate) fn read(name: &'static str, path: &[&str]) -> Self {
        Self::new(name, Method::GET, path, Lane::Request)
    }

    pub(crate) fn write(name: &'static str, method: Method, path: &[&str]) -> Self {
        Self {
            writes: true,
            ..Self::new(name, method, path, Lane::Request)
        }
    }

    pub(crate) fn query(name: &'static str, project: u64, organization: Option<&str>) -> Self {
        let lane = Lane::Query {
            project,
            organization: organization.map(ToOwned::to_owned),
        };
        let path = ["projects", &project.to_string(), "query"];
        Self::new(name, Method::POST, &path, lane)
    }

    fn new(name: &'static str, method: Method, path: &[&str], lane: Lane) -> Self {
        Self {
            name,
            method,
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            lane,
            writes: false,
            probes: false,
            page_size: PAGE,
        }
    }

    /// A 401 is not taken for a refusal of the token.
    pub(crate) fn probing(mut self) -> Self {
        self.probes = true;
        self
    }

    /// Asks for so many items per page: fewer, where each is long.
    pub(crate) fn in_pages_of(mut self, items: usize) -> Self {
        self.page_size = items;
        self
    }

    fn with_page_size(self) -> Self {
        let size = self.page_size.to_string();
        self.with("limit", &size)
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.query.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: serde_json::Value) -> Self {
        self.body = Some(body);
        self
    }

    /// The address, each path segment percent-encoded, with PostHog's trailing slash.
    fn url(&self, base: &Url) -> Result<Url, Error> {
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::Unreachable(format!("{base} is not an address to build on")))?
            .clear()
            .push("api")
            .extend(&self.path)
            .push("");
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }

    /// Whether PostHog has refused this query because too many run at once: a 429 without a time.
    fn is_one_too_many(&self, error: &Error) -> bool {
        matches!(self.lane, Lane::Query { .. })
            && matches!(error, Error::RateLimited { retry_after: None })
    }

    /// How long to wait before sending again, if that is sensible at all.
    fn wait_before_retry(&self, error: &Error, tries: u32) -> Option<Duration> {
        if self.is_one_too_many(error) {
            let doubled = FIRST_WAIT_IN_A_CROWD * 2_u32.saturating_pow(tries - 1);
            let jittered = doubled
                .min(LONGEST_PAUSE)
                .mul_f64(0.75 + fastrand::f64() / 2.0);
            return (tries < MOST_TRIES_IN_A_CROWD).then_some(jittered);
        }
        if tries >= MOST_TRIES {
            return None;
        }
        let wait = match error {
            // Not all at once.
            Error::RateLimited { retry_after } => retry_after.unwrap_or_else(|| {
                Duration::from_secs(1 << tries) + Duration::from_millis(fastrand::u64(..1000))
            }),
            // Told when to come back, PostHog has done nothing.
            Error::Busy {
                retry_after: Some(wait),
                ..
            } => *wait,
            _ if self.writes => return None,
            Error::Busy { status: 503, .. } => Duration::from_millis(400 << tries),
            Error::Busy { status: 502, .. } | Error::Unreachable(_) if tries == 1 => {
                Duration::from_millis(250)
            }
            _ => return None,
        };
        (wait <= LONGEST_PAUSE).then_some(wait)
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    #[serde(default)]
    pub(crate) next: Option<String>,
    pub(crate) results: Vec<T>,
}

fn query_of(next: &str) -> Option<Vec<(String, String)>> {
    let url = Url::parse(next)
        .or_else(|_| Url::parse("http://127.0.0.1/").and_then(|base| base.join(next)))
        .ok()?;
    Some(url.query_pairs().into_owned().collect())
}

/// `Retry-After` (RFC 9110, section 10.2.3): PostHog sends seconds, a proxy before it may send a date,
/// which is compared with the server's own clock where it tells.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let text = |name| response.headers().get(name)?.to_str().ok();
    let asked = text(RETRY_AFTER)?.trim();
    let wait = if let Ok(seconds) = asked.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = http_date(asked)?;
        let now = text(DATE)
            .and_then(http_date)
            .unwrap_or_else(|| Timestamp::now().as_second());
        Duration::from_secs(u64::try_from(until - now).unwrap_or(0))
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// Unix seconds of an HTTP date.
fn http_date(text: &str) -> Option<i64> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(zoned.timestamp().as_second())
}

/// The first hundred of a page and its last one: enough to tell whether the page was read already, and few enough
/// to be looked for among all that were read.
fn sample<T>(page: &[T]) -> impl Iterator<Item = &T> {
    page.iter().take(100).chain(page.last())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_path_segment_cannot_leave_its_place() {
        let base = Url::parse("https://us.posthog.com").unwrap();
        let url = Call::read("test", &["projects", "1/../2?x"])
            .url(&base)
            .unwrap();
        assert_eq!(
            url.as_str(),
            "https://us.posthog.com/api/projects/1%2F..%2F2%3Fx/"
        );
    }

    #[test]
    fn the_next_link_of_another_host_keeps_only_its_query() {
        let query = query_of("https://elsewhere.example/api/x/?limit=2&offset=4").unwrap();
        assert_eq!(
            query,
            [("limit".into(), "2".into()), ("offset".into(), "4".into())]
        );
    }

    #[test]
    fn a_write_is_not_repeated_after_a_lost_answer() {
        let lost = Error::Unreachable(String::new());
        let write = Call::write("test", Method::POST, &[]);
        assert_eq!(write.wait_before_retry(&lost, 1), None);
        assert!(
            Call::read("test", &[])
                .wait_before_retry(&lost, 1)
                .is_some()
        );
    }

    #[test]
    fn a_long_wait_is_left_to_the_caller() {
        let limited = Error::RateLimited {
            retry_after: Some(Duration::from_secs(57)),
        };
        assert_eq!(Call::read("test", &[]).wait_before_retry(&limited, 1), None);
    }
}
