//! One exchange with PostHog: bounded, never redirected, read as JSON whatever its header claims.
//!
//! No redirect is followed, since code, verifier and tokens would leave their Host (rule T1). A response takes at most
//! 20 seconds as a whole. Its body is at most 64 KiB, or 16 MiB from PostHog's API: a person comes with all their
//! organizations, projects and features. PostHog has sent JSON errors as `text/html`, so the header is not believed; a
//! proxy's HTML shows as a response without JSON.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Longest response of an OAuth endpoint that is read, in bytes.
const LONGEST_RESPONSE: usize = 64 * 1024;

/// Longest response of PostHog's API that is read, in bytes.
const LONGEST_DOCUMENT: usize = 16 * 1024 * 1024;

/// How long one exchange may take.
pub(crate) const RESPONSE_TIME: Duration = Duration::from_secs(20);

/// The longest `Retry-After` that is obeyed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// How long a connection may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Longest piece of a server's own words that is kept, in characters.
const LONGEST_WORDS: usize = 200;

/// A response, whatever its status.
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

/// Why a request got no response.
///
/// A retry can succeed in every case but the last two: there the network, the proxy or the certificates of this device
/// have to be looked at first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The connection was made and broke. The request may have taken effect.
    #[error("the connection to {host} broke: {source}")]
    Broken {
        /// The name of the host.
        host: String,
        /// The cause.
        source: RequestError,
    },
    /// No response came in time. The request may have taken effect.
    #[error("{host} did not answer in time")]
    TimedOut {
        /// The name of the host.
        host: String,
        /// The cause.
        source: RequestError,
    },
    /// The response is longer than any response of this kind. The request may have taken effect.
    #[error("{host} sent a response that is too long, so it was not used")]
    TooLong {
        /// The name of the host.
        host: String,
    },
    /// The name could not be resolved or the connection could not be made. Nothing was sent.
    #[error("{host} could not be reached: {source}")]
    Unreachable {
        /// The name of the host.
        host: String,
        /// The cause.
        source: RequestError,
    },
    /// The certificate is not one that this device trusts. Nothing was sent.
    #[error("{host} showed a certificate that this device does not trust: {source}")]
    Untrusted {
        /// The name of the host.
        host: String,
        /// The cause.
        source: RequestError,
    },
}

impl NoAnswer {
    fn new(error: reqwest::Error) -> Self {
        let host = error.url().and_then(|url| url.host_str());
        let host = host.unwrap_or("PostHog").to_owned();
        let (connecting, timed_out) = (error.is_connect(), error.is_timeout());
        let source = RequestError::from(error);
        if source.to_string().to_lowercase().contains("certificate") {
            Self::Untrusted { host, source }
        } else if connecting {
            Self::Unreachable { host, source }
        } else if timed_out {
            Self::TimedOut { host, source }
        } else {
            Self::Broken { host, source }
        }
    }

    /// Whether the server has certainly seen nothing, so that an immediate retry gains nothing.
    pub(crate) fn never_arrived(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Untrusted { .. })
    }
}

/// What a request failed on. It is shown as its innermost cause; its source is the error of the HTTP client.
#[derive(Debug)]
pub struct RequestError(reqwest::Error);

impl RequestError {
    /// An error for tests.
    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        let no_address = reqwest::Proxy::all("::");
        Self(no_address.expect_err("this is no address"))
    }
}

impl From<reqwest::Error> for RequestError {
    /// Leaves the address out, which may hold what is secret.
    fn from(error: reqwest::Error) -> Self {
        Self(error.without_url())
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause: &dyn Error = &self.0;
        while let Some(next) = cause.source() {
            cause = next;
        }
        let cause = words(&cause.to_string());
        // The system's number, as in `Connection refused (os error 111)`, does not help a person.
        let cause = cause
            .split_once(" (os error ")
            .map_or(cause.as_str(), |(words, _)| words);
        f.write_str(cause)
    }
}

impl Error for RequestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
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

/// Sends a request to PostHog's API, whose responses may have some megabytes.
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
        .map_err(NoAnswer::new)?;
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(NoAnswer::new)? {
        if body.len() + chunk.len() > longest {
            let host = response.url().host_str().unwrap_or("PostHog").to_owned();
            return Err(NoAnswer::TooLong { host });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response {
        status,
        retry_after,
        body,
    })
}

/// `Retry-After`: seconds, or a date, which is compared with the server's own clock if it sends that.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let asked = text(RETRY_AFTER)?.trim();
    let wait = asked.parse().ok().map(Duration::from_secs).or_else(|| {
        let now = text(DATE).and_then(date);
        let now = now.unwrap_or_else(SystemTime::now);
        Some(date(asked)?.duration_since(now).unwrap_or_default())
    })?;
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// A server's own words, short and without control characters.
pub(crate) fn words(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_WORDS)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io;

    use reqwest::header::HeaderValue;

    use super::*;

    #[tokio::test]
    async fn an_unreachable_host_is_named_with_the_cause_as_its_source() {
        // Bound and closed again: nobody listens there.
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", socket.local_addr().unwrap());
        drop(socket);
        let error = send(client().unwrap().get(address)).await.err().unwrap();
        assert!(error.never_arrived(), "{error:?}");
        assert_eq!(
            error.to_string(),
            "127.0.0.1 could not be reached: Connection refused"
        );
        let mut cause: &dyn Error = &error;
        let refused = loop {
            cause = cause.source().expect("a cause of the operating system");
            if let Some(error) = cause.downcast_ref::<io::Error>()
                && error.raw_os_error().is_some()
            {
                break error.kind();
            }
        };
        assert_eq!(refused, io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_clock_of_the_server() {
        let asked = |retry: &'static str, date: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(retry));
            headers.extend(date.map(|date| (DATE, HeaderValue::from_static(date))));
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        let now = Some("Tue, 24 Nov 2026 18:00:00 GMT");
        assert_eq!(asked(" 120 ", None), Some(120));
        assert_eq!(asked("86400", None), Some(3600), "an hour at most");
        assert_eq!(asked("Tue, 24 Nov 2026 18:02:05 GMT", now), Some(125));
        assert_eq!(asked("Tuesday, 24-Nov-26 18:02:05 GMT", now), Some(125));
        assert_eq!(asked("Tue, 24 Nov 2026 17:00:00 GMT", now), Some(0), "past");
        let turn = Some("Mon, 28 Feb 2028 23:59:59 GMT");
        assert_eq!(asked("Tue, 29 Feb 2028 00:00:00 GMT", turn), Some(1));
        // Without the server's clock, by this device's.
        assert_eq!(asked("Thu, 01 Jan 1970 00:00:00 GMT", None), Some(0));
        for nothing in ["", "soon", "-5", "Tue, 24 Foo 2026 18:02:05 GMT"] {
            assert_eq!(asked(nothing, now), None, "{nothing}");
        }
    }
}
