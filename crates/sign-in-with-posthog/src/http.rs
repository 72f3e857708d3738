//! One exchange with an OAuth endpoint: bounded, never redirected, read as JSON whatever it claims.
//!
//! Rule T1: no redirect is followed (code, verifier and tokens would leak), the body is at most
//! 64 KiB (16 MiB where PostHog's API answers and not its OAuth endpoints: a person comes with all their
//! organizations, their projects and their features), an answer takes at most 20 seconds as a whole. PostHog has sent JSON errors as `text/html`, so the
//! header is not believed; a proxy's HTML shows as an answer without JSON.

use std::time::Duration;

use reqwest::header::{ACCEPT, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::clock::{Clock, SystemClock};
use crate::http_date;

/// Longest answer that is read, in bytes.
const LONGEST_RESPONSE: usize = 64 * 1024;

/// Longest answer of PostHog's API that is read, in bytes.
const LONGEST_DOCUMENT: usize = 16 * 1024 * 1024;

/// How long one exchange may take.
pub(crate) const RESPONSE_TIME: Duration = Duration::from_secs(20);

/// How long a connection may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Longest piece of a server's own words that is kept, in characters.
const LONGEST_WORDS: usize = 200;

/// An answer of an OAuth endpoint, whatever its status.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// The body as JSON of this shape.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The answer is longer than any answer of this kind.
    #[error("{0} sent an answer longer than any of this kind")]
    TooLong(String),
    /// The connection was there and broke, or no answer came in time: it may have taken effect.
    #[error("{0}")]
    Broken(String),
    /// The name, the network or TLS failed: nothing was sent.
    #[error("{0}")]
    Unreachable(String),
}

/// The client of a program that has none. TLS is rustls with ring as its provider, unless the process has another
/// default provider already. No redirects are followed (rule T1).
pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // If another thread was faster, its provider is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    reqwest::Client::builder()
        .user_agent(concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION")
        ))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIME)
        .build()
}

/// Sends a request.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response, NoAnswer> {
    send_within(request, RESPONSE_TIME).await
}

/// Sends a request to PostHog's API, whose answers may have some megabytes.
pub(crate) async fn send_to_api(request: RequestBuilder) -> Result<Response, NoAnswer> {
    exchange(request, RESPONSE_TIME, LONGEST_DOCUMENT).await
}

/// Sends a request that may take `time`.
pub(crate) async fn send_within(
    request: RequestBuilder,
    time: Duration,
) -> Result<Response, NoAnswer> {
    exchange(request, time, LONGEST_RESPONSE).await
}

async fn exchange(
    request: RequestBuilder,
    time: Duration,
    longest: usize,
) -> Result<Response, NoAnswer> {
    let mut response = request
        .header(ACCEPT, "application/json")
        .timeout(time)
        .send()
        .await
        .map_err(|error| unreachable(&error))?;
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| unreachable(&error))?
    {
        if body.len() + chunk.len() > longest {
            let host = response.url().host_str().unwrap_or("PostHog").to_owned();
            return Err(NoAnswer::TooLong(host));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response {
        status,
        retry_after,
        body,
    })
}

/// `Retry-After`: seconds, or a date, which is compared with the server's own clock where it tells.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let asked = text(RETRY_AFTER)?.trim();
    let seconds = asked.parse().ok().or_else(|| {
        let now = text(DATE).and_then(http_date::unix_seconds);
        let now = now.unwrap_or_else(|| SystemClock.unix_seconds());
        Some(u64::try_from(http_date::unix_seconds(asked)? - now).unwrap_or(0))
    })?;
    Some(Duration::from_secs(seconds.min(3600)))
}

/// A server's own words, short and without control characters.
pub(crate) fn words(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_WORDS)
        .collect()
}

fn unreachable(error: &reqwest::Error) -> NoAnswer {
    let host = error
        .url()
        .and_then(|url| url.host_str())
        .unwrap_or("PostHog")
        .to_owned();
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let cause = words(&cause.to_string());
    // The system's number, `Connection refused (os error 111)`, helps nobody.
    let cause = cause
        .split_once(" (os error ")
        .map_or(cause.as_str(), |(words, _)| words);
    if cause.to_lowercase().contains("certificate") {
        NoAnswer::Unreachable(format!(
            "{host} showed a certificate that this device does not trust: {cause}"
        ))
    } else if error.is_connect() {
        NoAnswer::Unreachable(format!("{host} could not be reached: {cause}"))
    } else if error.is_timeout() {
        NoAnswer::Broken(format!("{host} did not answer in time"))
    } else {
        NoAnswer::Broken(format!("the connection to {host} broke: {cause}"))
    }
}
