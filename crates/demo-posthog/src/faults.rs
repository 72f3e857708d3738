//! Failures on demand: what a network, a proxy or a busy server does to an answer.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::errors;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// Every request. Only for failures and sums.
    Any,
    /// Every request to `/api/`. Only for failures and sums.
    Api,
    /// The three `/.well-known/` documents about the server.
    Metadata,
    /// `/.well-known/jwks.json`.
    Jwks,
    /// `/oauth/register/`.
    Registration,
    /// `/oauth/authorize/`, the consent page included.
    Authorize,
    /// `/oauth/token/`.
    Token,
    /// `/oauth/revoke/`.
    Revocation,
    /// `/oauth/introspect/`.
    Introspection,
    /// `/oauth/userinfo/`.
    Userinfo,
    /// `/api/users/@me/`.
    CurrentUser,
    /// `/api/personal_api_keys/@current/`.
    CurrentApiKey,
    /// `/api/organizations/`.
    Organizations,
    /// `/api/organizations/:id/`.
    Organization,
    /// `/api/organizations/:id/projects/`.
    OrganizationProjects,
    /// `/api/projects/`.
    Projects,
    /// `/api/projects/:id/` and `/api/organizations/:id/projects/:id/`.
    Project,
    /// `/api/projects/:id/event_definitions/`.
    EventDefinitions,
    /// `/api/projects/:id/annotations/`, and one of them.
    Annotations,
    /// POST `/api/projects/:id/query/`.
    Query,
    /// `/api/projects/:id/query/:query_id/`: poll and cancel.
    QueryStatus,
    /// Login and settings.
    Page,
    /// No endpoint of this server.
    Unknown,
}

impl Endpoint {
    /// Whether a failure for `self` meets a request to `other`.
    pub(crate) fn covers(self, other: Self) -> bool {
        match self {
            Self::Any => true,
            Self::Api => other.is_api(),
            _ => self == other,
        }
    }

    fn is_api(self) -> bool {
        matches!(
            self,
            Self::Api
                | Self::CurrentUser
                | Self::CurrentApiKey
                | Self::Organizations
                | Self::Organization
                | Self::OrganizationProjects
                | Self::Projects
                | Self::Project
                | Self::EventDefinitions
                | Self::Annotations
                | Self::Query
                | Self::QueryStatus
        )
    }
}

/// When a failure strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Instead of the work.
    #[default]
    Before,
    /// After the work: it took effect, and only the answer is lost or spoilt.
    After,
}

/// A change of a JSON answer.
#[derive(Clone)]
pub struct Edit(Arc<dyn Fn(&mut Value) + Send + Sync>);

impl Edit {
    /// Changes the answer's JSON in place.
    pub fn new(edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self(Arc::new(edit))
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
    /// This answer.
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
    /// The connection closes without an answer.
    Drop,
    /// The connection closes after half of the body.
    Truncate,
    /// A proxy's 502 page.
    Html502,
    /// PostHog's 429 with `Retry-After`, in seconds.
    Throttled(u64),
    /// PostHog's 429 for too many queries at once, without `Retry-After`.
    TooManyQueries,
    /// PostHog's answer to a query that needs too much memory: 513, and 504 from older servers.
    TooMuchMemory {
        /// The server is an older one.
        old: bool,
    },
    /// PostHog's 503 with `Retry-After: 1`.
    Unavailable,
    /// 200 with the beginning of a JSON document.
    BrokenJson,
    /// The usual answer, late.
    Slow(Duration),
    /// The usual answer with its JSON changed; the request takes effect whatever [`When`] says.
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

impl Fault {
    /// The answer that replaces the usual one, where this fault is an answer.
    pub(crate) fn answer(&self, endpoint: Endpoint) -> Option<Answer> {
        match self {
            Self::Status {
                code,
                body,
                content_type,
                retry_after,
            } => {
                let mut answer = Answer::empty(*code).with(header::CONTENT_TYPE, content_type);
                answer.body = body.clone().into_bytes();
                Some(match retry_after {
                    Some(seconds) => answer.with(header::RETRY_AFTER, seconds.to_string()),
                    None => answer,
                })
            }
            Self::Html502 => Some(Answer::html(
                502,
                "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n",
            )),
            Self::Throttled(seconds) => Some(errors::throttled(*seconds)),
            Self::TooManyQueries => Some(errors::too_many_queries(
                "Exceeded maximum concurrency limit: 3 for key: api:query:per-team:1 and task: demo.",
            )),
            Self::TooMuchMemory { old } => Some(errors::too_much_memory(*old)),
            Self::Unavailable if endpoint.is_api() => Some(errors::database_unavailable()),
            Self::Unavailable => Some(
                Answer::json(
                    503,
                    &json!({
                        "error": "temporarily_unavailable",
                        "error_description": "The authorization server is temporarily unable to handle the request. Please retry.",
                    }),
                )
                .with(header::RETRY_AFTER, "1"),
            ),
            Self::BrokenJson => {
                let mut answer = Answer::empty(200).with(header::CONTENT_TYPE, "application/json");
                answer.body = br#"{"results": [[1764"#.to_vec();
                Some(answer)
            }
            Self::Drop | Self::Truncate | Self::Slow(_) | Self::Edit(_) => None,
        }
    }

    /// Changes the usual answer, for the faults that do.
    pub(crate) fn edit(&self, answer: &mut Answer) {
        if let Self::Edit(Edit(edit)) = self
            && let Ok(mut body) = serde_json::from_slice(&answer.body)
        {
            edit(&mut body);
            answer.body = body.to_string().into_bytes();
        }
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
