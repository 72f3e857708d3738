//! Failures on demand: what a network, a proxy or a busy server does to a response.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::endpoint::Endpoint;

/// When a failure strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Instead of the work.
    #[default]
    Before,
    /// After the work: it took effect, and only the response is lost or spoilt.
    After,
}

/// A change of a JSON response.
#[derive(Clone)]
pub struct Edit(Arc<dyn Fn(&mut Value) + Send + Sync>);

impl Edit {
    /// Changes the response's JSON in place.
    pub fn new(edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self(Arc::new(edit))
    }

    pub(crate) fn apply(&self, body: &mut Value) {
        (self.0)(body);
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit")
    }
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This response.
    Status {
        /// HTTP status.
        code: u16,
        /// Body.
        body: String,
        /// `Content-Type`.
        content_type: String,
        /// `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
    /// The connection closes without a response.
    Drop,
    /// The connection closes after half of the body.
    Truncate,
    /// A proxy's 502 page.
    Html502,
    /// PostHog's 429 with `Retry-After`, in seconds.
    Throttled(u64),
    /// PostHog's 429 for too many queries at once, without `Retry-After`.
    TooManyQueries,
    /// PostHog's response to a query that needs too much memory: 513, and 504 from older servers.
    TooMuchMemory {
        /// The server is an older one.
        old: bool,
    },
    /// PostHog's 503 with `Retry-After: 1`.
    Unavailable,
    /// 200 with the beginning of a JSON document.
    BrokenJson,
    /// The usual response, late.
    Slow(Duration),
    /// The usual response with its JSON changed; the request takes effect whatever [`When`] says.
    Edit(Edit),
}

/// A failure to come.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which requests it meets.
    pub endpoint: Endpoint,
    /// How many of them.
    pub times: usize,
    /// What happens.
    pub what: Fault,
    /// Whether the request takes effect.
    pub when: When,
}

/// The failures to come.
#[derive(Debug, Default)]
pub(crate) struct Failures(VecDeque<Failure>);

impl Failures {
    pub(crate) fn add(&mut self, failure: Failure) {
        if failure.times > 0 {
            self.0.push_back(failure);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The failure for a request, used up by it.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Option<(Fault, When)> {
        let place = self
            .0
            .iter()
            .position(|failure| failure.endpoint.covers(endpoint))?;
        let failure = self.0.get_mut(place)?;
        failure.times -= 1;
        let met = (failure.what.clone(), failure.when);
        if failure.times == 0 {
            self.0.remove(place);
        }
        Some(met)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn failures_strike_in_order_and_only_their_endpoint() {
        let mut failures = Failures::default();
        for (endpoint, times, what) in [
            (Endpoint::Token, 1, Fault::Drop),
            (Endpoint::Api, 2, Fault::Html502),
        ] {
            failures.add(Failure {
                endpoint,
                times,
                what,
                when: When::After,
            });
        }
        assert!(failures.take(Endpoint::Jwks).is_none());
        assert!(matches!(
            failures.take(Endpoint::Project).unwrap().0,
            Fault::Html502
        ));
        assert!(failures.take(Endpoint::Token).is_some());
        assert!(failures.take(Endpoint::Token).is_none());
        assert!(failures.take(Endpoint::Query).is_some());
        assert!(failures.take(Endpoint::Query).is_none());
    }
}
