//! One request: token, 401 retry, pauses, paging, size limits.
//!
//! A refused token is replaced once and the request repeated once; a 403 never asks for a new token.
//! Redirects are errors, because following one would carry the token to another address. The `next`
//! link of a list is reduced to its query: it is built from the server's own idea of its address, which
//! need not be the Host that was chosen.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::bearer::{Bearer, Token};
use crate::error::Error;
use crate::one_connection::to_host;
use crate::pace::{LONGEST_PAUSE, Lane, Pace};

/// Longest answer that is read, in bytes: 50,000 rows of a query fit.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// How much of a refusal is read, in bytes: its status says most, and PostHog's words are short.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// Longest `Retry-After` that is believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How often a request is sent at most, the first time included.
const MOST_TRIES: u32 = 3;

/// How long one answer may take. PostHog ends an interactive query after 60 s.
const ANSWER_TIME: Duration = Duration::from_secs(70);

/// Items asked for per page of a list. PostHog honours any number; pages are read one after the other.
const PAGE: usize = 1000;

/// A page count no real list reaches: a server whose `next` never ends is stopped here.
const MOST_PAGES: usize = 500;

/// Talks to one Host as one signed-in account. Clones share the connection and the pace.
#[derive(Clone, Debug)]
pub struct Client<B> {
    http: reqwest::Client,
    base: Url,
    host: Arc<str>,
    bearer: B,
    pace: Pace,
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
        }
    }

    /// The pace of this client.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let answer = self.send(call).await?;
        answer.read()
    }

    /// Follows the pages of a list to its end.
    pub(crate) async fn list<T: DeserializeOwned>(&self, call: Call) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut call = call.with("limit", &PAGE.to_string());
        let mut seen = HashSet::new();
        for _ in 0..MOST_PAGES {
            let page: Page<T> = self.get(call.clone()).await?;
            all.extend(page.results);
            let Some(next) = page.next.as_deref().and_then(query_of) else {
                return Ok(all);
            };
            seen.insert(std::mem::replace(&mut call.query, next));
            // A page that was read already leads nowhere.
            if seen.contains(&call.query) {
                return Ok(all);
            }
        }
        Err(Error::BadAnswer("a list without end".to_owned()))
    }

    /// Sends a call, with one replacement of a refused token and a few short waits.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, Error> {
        let _place = self.pace.place(&call.lane).await;
        let mut tries = 1;
        loop {
            let error = match self.send_with_token(&call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match &error {
                Error::RateLimited {
                    retry_after: Some(wait),
                } => self.pace.throttled(&call.lane, *wait),
                Error::Busy {
                    retry_after: Some(wait),
                    ..
                } => self.pace.pause_all(*wait),
                _ => {}
            }
            let Some(wait) = call.wait_before_retry(&error, tries) else {
                return Err(error);
            };
            tracing::debug!(call = call.name, ?wait, "trying again");
            tokio::time::sleep(wait).await;
            tries += 1;
        }
    }

    async fn send_with_token(&self, call: &Call) -> Result<Answer, Error> {
        let token = self.bearer.token().await?;
        match self.send_once(call, token.expose()).await {
            Err(Error::Unauthorized(detail)) => {
                tracing::debug!(call = call.name, "the token was refused");
                let replacement = self.bearer.replacement(&token).await?;
                if replacement.expose() == token.expose() {
                    return Err(Error::Unauthorized(detail));
                }
                self.send_once(call, replacement.expose()).await
            }
            other => other,
        }
    }

    async fn send_once(&self, call: &Call, token: &str) -> Result<Answer, Error> {
        self.pace.admit(&call.lane).await?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Error::Unauthorized("the token holds characters of no token".into()))?;
        authorization.set_sensitive(true);
        let url = call.url(&self.base)?;
        let mut request = self
            .http
            .request(call.method.clone(), url.clone())
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .timeout(ANSWER_TIME);
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
        let retry_after = retry_after(&response);
        let longest = if status.is_success() {
            LONGEST_ANSWER
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
                    return Err(Error::BadAnswer("it is longer than 64 MiB".to_owned()));
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
            Ok(Answer { status, body })
        } else {
            Err(Error::from_answer(status.as_u16(), retry_after, &body))
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
        }
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

    /// How long to wait before sending again, where that is sensible at all.
    fn wait_before_retry(&self, error: &Error, tries: u32) -> Option<Duration> {
        if tries >= MOST_TRIES {
            return None;
        }
        let wait = match error {
            // Without a time it is the limit of queries at once: wait for one to end, not all at once.
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

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        // The position is told, the content is not: it may hold what no log should.
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "it has other fields than expected",
                _ => "it is no JSON",
            };
            Error::BadAnswer(format!(
                "{what} (line {}, column {})",
                error.line(),
                error.column()
            ))
        })
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
