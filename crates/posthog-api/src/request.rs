//! One request to be sent: path, query and body, without any credential, and when it may be sent again.

use std::time::Duration;

use reqwest::Method;
use url::Url;

use crate::error::{Error, Unreachable};
use crate::rate_limiter::{LONGEST_PAUSE, Lane};

/// How often a request is sent at most, the first time included.
const MOST_TRIES: u32 = 3;

/// The same for a query that PostHog refuses for being too many at once: each time fewer are sent.
const MOST_TRIES_IN_A_CROWD: u32 = 8;

/// The first wait of such a query; it doubles.
const FIRST_WAIT_IN_A_CROWD: Duration = Duration::from_millis(250);

/// Items asked for per page of a list. PostHog honours any number; pages are read one after the other.
const PAGE: usize = 1000;

/// One request to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<serde_json::Value>,
    pub(crate) lane: Lane,
    /// A write is repeated only if PostHog certainly did not act on it.
    writes: bool,
    /// A refusal says nothing about the credential.
    pub(crate) probes: bool,
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

    /// Asks for this many items per page: fewer, where each is long.
    pub(crate) fn in_pages_of(mut self, items: usize) -> Self {
        self.page_size = items;
        self
    }

    pub(crate) fn with_page_size(self) -> Self {
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
    pub(crate) fn url(&self, base: &Url) -> Result<Url, Error> {
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| Unreachable::new(format!("{base} is not a base address")))?
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
    pub(crate) fn is_one_too_many(&self, error: &Error) -> bool {
        matches!(self.lane, Lane::Query { .. })
            && matches!(error, Error::RateLimited { retry_after: None })
    }

    /// How long to wait before sending again, if that is sensible at all.
    pub(crate) fn wait_before_retry(&self, error: &Error, tries: u32) -> Option<Duration> {
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
    fn a_write_is_not_repeated_after_a_lost_answer() {
        let lost = Error::from(Unreachable::new("lost"));
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
