//! Every way in which a request fails.
//!
//! PostHog gives 401 and 403 the same `type`, so the HTTP status decides and the body only explains. Its error
//! bodies are those of `drf-exceptions-hog`: `{"type","code","detail","attr"}`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::bearer::BearerError;
use crate::optional::or_absent;

/// Longest piece of a server's message that is repeated to the user, in characters.
const LONGEST_DETAIL: usize = 300;

/// PostHog's code for a project whose read budget is used up.
const READ_BUDGET_CODE: &str = "api_queries_budget_exceeded";

/// PostHog's code for a query that needs too much memory; older servers have a sentence only.
const MEMORY_CODE: &str = "clickhouse_memory_limit_exceeded";

/// The code of [`Error::Invalid`] if PostHog does not know a member of the request.
pub(crate) const UNKNOWN_MEMBER_CODE: &str = "extra_forbidden";

/// Why a request failed: for each variant the cause, and what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not sent: the queries that PostHog allows in an hour are used up; see [`Limits`](crate::Limits). Try again
    /// after `retry_after`, or query less often.
    #[error("PostHog's hourly limit of queries is used up{}", wait(Some(*.retry_after)))]
    BudgetSpent {
        /// How long to wait until the next one may be sent.
        retry_after: Duration,
    },
    /// PostHog or a proxy in front of it is overloaded or restarting: 408, 425, 502, 503, 504, 512, 513. Try again
    /// later.
    #[error("PostHog is busy ({status}){}", colon(.detail))]
    Busy {
        /// The HTTP status.
        status: u16,
        /// PostHog's own words, shortened.
        detail: String,
        /// How long PostHog asks to wait.
        retry_after: Option<Duration>,
    },
    /// The response is not what the API promises: no JSON, other fields, or too long. The text names the place but
    /// not the content, which may be private. Check the address, and whether this PostHog is much older or newer.
    #[error("PostHog's response could not be read: {0}")]
    BadAnswer(String),
    /// No token could be obtained; see [`BearerError`].
    #[error(transparent)]
    Bearer(#[from] BearerError),
    /// 403: signed in, but not allowed. A new token does not help; [`Forbidden`] says what would.
    #[error("{0}")]
    Forbidden(Forbidden),
    /// 400, 402, 405 and the other refusals of the request itself. Change the request; the same one fails again.
    #[error("PostHog refused the request ({status}){}", colon(.detail))]
    Invalid {
        /// The HTTP status.
        status: u16,
        /// PostHog's machine-readable code, for example `invalid_input`; `extra_forbidden` if a member of the
        /// request is unknown to the server, however it says so.
        code: String,
        /// PostHog's own words, shortened.
        detail: String,
        /// The field that is at fault, if PostHog names one.
        attr: Option<String>,
    },
    /// 404: it does not exist, or the credential may not know that it exists. Check the number, and list what the
    /// credential reaches.
    #[error("PostHog cannot find it{}", colon(.0))]
    NotFound(String),
    /// The queries of a personal API key have read, or nearly, what PostHog lets them read in this project:
    /// refused with 429, or not sent. Other projects have budgets of their own. Wait, or query a shorter range.
    #[error("this project's hourly read budget for API keys is used up{}", wait(*.retry_after))]
    ReadBudget {
        /// How long to wait until a part of it is available again.
        retry_after: Option<Duration>,
    },
    /// 429: too many requests. Wait for `retry_after`.
    #[error("PostHog asked us to slow down{}", wait(*.retry_after))]
    RateLimited {
        /// How long PostHog asks to wait; absent if too many queries ran at once.
        retry_after: Option<Duration>,
    },
    /// A redirect to another address. It is never followed, because that would send the token there. Use the
    /// address that PostHog redirects to, if you trust it.
    #[error("PostHog answered with a redirect ({0}), which is not followed")]
    Redirected(u16),
    /// 500 and other server errors. Try again later; if it stays, PostHog's own logs say why.
    #[error("PostHog failed ({status}){}", colon(.detail))]
    Server {
        /// The HTTP status.
        status: u16,
        /// PostHog's own words, shortened.
        detail: String,
    },
    /// The query needs more memory, or more time, than PostHog gives any query: 504, 512 or 513. A shorter
    /// range needs less; the same query again does not.
    #[error("the query is too large for this PostHog ({status}); choose a shorter range{}", colon(.detail))]
    TooLarge {
        /// The HTTP status.
        status: u16,
        /// PostHog's own words, shortened.
        detail: String,
    },
    /// 401 although the token was replaced once. The user has to sign in again.
    #[error("PostHog no longer accepts the sign-in{}", colon(.0))]
    Unauthorized(String),
    /// No response: name lookup, connection refused, TLS, or time-out. Check the network, the proxy and the address.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

impl Error {
    /// Whether a retry can succeed without the user signing in again.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::BudgetSpent { .. }
                | Self::Busy { .. }
                | Self::RateLimited { .. }
                | Self::ReadBudget { .. }
                | Self::Server { .. }
                | Self::Unreachable(_)
                | Self::BadAnswer(_)
                | Self::Redirected(_)
                | Self::Bearer(
                    BearerError::Unavailable { .. }
                        | BearerError::Offline { .. }
                        | BearerError::Locked(_)
                )
        )
    }

    /// Whether the user has to sign in again.
    pub fn needs_sign_in(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized(_) | Self::Bearer(BearerError::SignedOut(_))
        )
    }

    /// Do not retry before this time has passed (from `Retry-After` or from a limit), if it is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. }
            | Self::RateLimited { retry_after }
            | Self::ReadBudget { retry_after }
            | Self::Bearer(BearerError::Unavailable { retry_after, .. }) => *retry_after,
            Self::BudgetSpent { retry_after }
            | Self::Bearer(BearerError::Offline { retry_after, .. }) => Some(*retry_after),
            _ => None,
        }
    }

    /// An [`Error::Busy`] without a time to wait.
    pub(crate) fn busy(status: u16, detail: String) -> Self {
        Self::Busy {
            status,
            detail,
            retry_after: None,
        }
    }

    /// The error for a refusing status with its body.
    pub(crate) fn from_answer(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let answer = Body::parse(body);
        let detail = answer.words();
        match status {
            300..400 => Self::Redirected(status),
            401 => Self::Unauthorized(detail),
            403 => Self::Forbidden(Forbidden::new(answer.code.as_deref(), detail)),
            404 => Self::NotFound(detail),
            429 if answer.code.as_deref() == Some(READ_BUDGET_CODE) => {
                Self::ReadBudget { retry_after }
            }
            429 => Self::RateLimited { retry_after },
            504 | 512 | 513 if is_too_large(answer.code.as_deref(), &detail) => {
                Self::TooLarge { status, detail }
            }
            408 | 425 | 502..=504 | 512 | 513 => Self::Busy {
                status,
                detail,
                retry_after,
            },
            400..500 => Self::Invalid {
                status,
                code: if names_unknown_member(body) {
                    UNKNOWN_MEMBER_CODE.to_owned()
                } else {
                    answer.code.unwrap_or_default()
                },
                detail,
                attr: answer.attr,
            },
            _ => Self::Server { status, detail },
        }
    }

    /// The error for a request that got no answer.
    pub(crate) fn from_transport(error: reqwest::Error) -> Self {
        let host = error
            .url()
            .and_then(|url| url.host_str().map(ToOwned::to_owned))
            .unwrap_or_else(|| "PostHog".to_owned());
        let cause = root_cause(&error);
        let sentence = if error.is_timeout() {
            format!("{host} did not answer in time")
        } else if cause.contains("certificate") || cause.contains("CertificateError") {
            format!("{host} showed a certificate that this device does not trust: {cause}")
        } else if error.is_connect() {
            format!("{host} could not be reached: {cause}")
        } else {
            format!("the connection to {host} broke: {cause}")
        };
        Self::Unreachable(Unreachable {
            sentence: shorten(&sentence),
            cause: Some(Arc::new(error)),
        })
    }
}

/// Why there was no response.
#[derive(Clone, Debug)]
pub struct Unreachable {
    sentence: String,
    cause: Option<Arc<reqwest::Error>>,
}

impl Unreachable {
    /// One that this crate noticed itself.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            cause: None,
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Unreachable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let cause = self.cause.as_deref()?;
        Some(cause)
    }
}

/// Why PostHog answered 403.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forbidden {
    /// The credential lacks a scope, for example `query:read`.
    MissingScope(String),
    /// The credential's Reach leaves this project or organization out. If a project is named, it may also
    /// be the organization that was last opened in the web app which the Reach leaves out.
    OutOfReach(String),
    /// The credential is for single projects, and lists are not for those.
    ProjectsOnly,
    /// The organization lets in addresses of its verified e-mail domains alone, and this account has none.
    VerifiedDomain,
    /// Anything else PostHog said: access rules, an organization that forbids personal keys.
    Other(String),
}

impl Forbidden {
    fn new(code: Option<&str>, detail: String) -> Self {
        if code == Some("verified_domain_required") || detail.contains("verified email domain") {
            return Self::VerifiedDomain;
        }
        if let Some(scope) = detail
            .split_once("missing required scope '")
            .and_then(|(_, rest)| rest.split_once('\''))
        {
            return Self::MissingScope(scope.0.to_owned());
        }
        if detail.contains("only supported on project-based endpoints") {
            return Self::ProjectsOnly;
        }
        if detail.contains("does not have access to the requested") {
            return Self::OutOfReach(detail);
        }
        Self::Other(detail)
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingScope(scope) => {
                write!(f, "the sign-in does not include the permission {scope}")
            }
            Self::ProjectsOnly => f.write_str("the sign-in is for single projects only"),
            Self::VerifiedDomain => f.write_str(
                "the organization only admits members with an address in its verified e-mail domains; ask one \
                 of its admins, or sign in with such an address",
            ),
            Self::OutOfReach(detail) => write!(f, "the sign-in has no access to it: {detail}"),
            Self::Other(detail) if detail.is_empty() => f.write_str("PostHog does not allow it"),
            Self::Other(detail) => write!(f, "PostHog does not allow it: {detail}"),
        }
    }
}

/// Whether PostHog says that the query itself is too large, and not that the servers have too much to do.
pub(crate) fn is_too_large(code: Option<&str>, detail: &str) -> bool {
    let says = |words: &str| detail.contains(words);
    if says("heavy load") {
        return false;
    }
    code == Some(MEMORY_CODE)
        || says("max memory limit")
        || says("ran out of memory")
        || says("Estimated query execution time is too long")
}

/// Pydantic's words for a member that a model does not have, anywhere in the body: of the many things that do
/// not fit, it may be named last.
fn names_unknown_member(body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    body.contains("Extra inputs are not permitted") || body.contains("extra fields not permitted")
}

#[derive(Default, Deserialize)]
struct Body {
    #[serde(default, deserialize_with = "or_absent")]
    code: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    detail: Option<serde_json::Value>,
    #[serde(default, deserialize_with = "or_absent")]
    attr: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    error: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    query_status: Option<QueryStatusBody>,
}

#[derive(Default, Deserialize)]
struct QueryStatusBody {
    #[serde(default, deserialize_with = "or_absent")]
    error_message: Option<String>,
}

impl Body {
    /// A proxy in front of PostHog answers in HTML; that is an empty body here.
    fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    fn words(&self) -> String {
        let detail = match &self.detail {
            Some(serde_json::Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
            None => self
                .query_status
                .as_ref()
                .and_then(|status| status.error_message.clone())
                .or_else(|| self.error.clone()),
        };
        shorten(&detail.unwrap_or_default())
    }
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    without_number(&cause.to_string()).to_owned()
}

/// The system's words without its number, `Connection refused (os error 111)`, which helps nobody.
fn without_number(words: &str) -> &str {
    words
        .rsplit_once(" (os error ")
        .filter(|(_, number)| number.trim_end_matches(')').parse::<u32>().is_ok())
        .map_or(words, |(words, _)| words)
}

fn shorten(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_DETAIL + 1)
        .collect();
    if clean.chars().count() > LONGEST_DETAIL {
        let mut cut: String = clean.chars().take(LONGEST_DETAIL).collect();
        cut.push('…');
        return cut;
    }
    clean.trim().to_owned()
}

fn colon(detail: &str) -> String {
    if detail.is_empty() {
        String::new()
    } else {
        format!(": {detail}")
    }
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| match wait.as_secs() {
        0 | 1 => ", for a second".to_owned(),
        seconds @ ..120 => format!(", for {seconds} seconds"),
        seconds => format!(", for {} minutes", seconds.div_ceil(60)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_403_names_the_missing_scope() {
        let body = br#"{"type":"authentication_error","code":"permission_denied","detail":"API key missing required scope 'query:read'","attr":null}"#;
        let Error::Forbidden(why) = Error::from_answer(403, None, body) else {
            panic!("not a Forbidden");
        };
        assert_eq!(why, Forbidden::MissingScope("query:read".to_owned()));
    }

    #[test]
    fn a_429_is_about_the_read_budget_if_posthog_says_so() {
        let hour = Some(Duration::from_secs(1800));
        let body =
            br#"{"type":"throttled_error","code":"api_queries_budget_exceeded","detail":"x"}"#;
        let error = Error::from_answer(429, hour, body);
        assert!(matches!(error, Error::ReadBudget { .. }), "{error:?}");
        assert_eq!(error.retry_after(), hour);
        let body = br#"{"type":"throttled_error","code":"throttled","detail":"x"}"#;
        let error = Error::from_answer(429, hour, body);
        assert!(matches!(error, Error::RateLimited { .. }), "{error:?}");
    }

    #[test]
    fn a_query_that_needs_too_much_memory_is_too_large_and_not_a_busy_server() {
        let old = "Query has reached the max memory limit before completing. See our docs.";
        let new = "This query ran out of memory before it could finish.";
        let load = "We're under heavy load right now and couldn't finish this query.";
        let slow = "Query has hit the max execution time before completing.";
        for (status, code, detail, too_large) in [
            (504, "error", old, true),
            (513, MEMORY_CODE, new, true),
            (512, MEMORY_CODE, new, true),
            (513, MEMORY_CODE, load, false),
            (504, "error", slow, false),
        ] {
            let body = format!(r#"{{"type":"server_error","code":"{code}","detail":"{detail}"}}"#);
            let error = Error::from_answer(status, None, body.as_bytes());
            assert_eq!(
                matches!(error, Error::TooLarge { .. }),
                too_large,
                "{error:?}"
            );
            assert_eq!(error.is_transient(), !too_large, "{error:?}");
        }
    }

    #[test]
    fn the_403s_that_are_about_the_credential_are_told_apart() {
        for (code, detail, expected) in [
            (
                "verified_domain_required",
                "Your organization only allows members with a verified email domain.",
                Forbidden::VerifiedDomain,
            ),
            (
                "permission_denied",
                "API keys with scoped projects are only supported on project-based endpoints.",
                Forbidden::ProjectsOnly,
            ),
        ] {
            let body = format!(r#"{{"code":"{code}","detail":"{detail}"}}"#);
            let Error::Forbidden(why) = Error::from_answer(403, None, body.as_bytes()) else {
                panic!("not a Forbidden");
            };
            assert_eq!(why, expected);
        }
    }

    #[test]
    fn an_unknown_member_is_found_at_the_end_of_long_words() {
        let detail = format!(
            "{}Extra inputs are not permitted",
            "Field required. ".repeat(200)
        );
        let body = format!(r#"{{"code":"parse_error","detail":"{detail}"}}"#);
        let Error::Invalid { code, .. } = Error::from_answer(400, None, body.as_bytes()) else {
            panic!("not an Invalid");
        };
        assert_eq!(code, UNKNOWN_MEMBER_CODE);
    }

    #[test]
    fn the_systems_words_come_without_its_number() {
        let refused = "Connection refused (os error 111)";
        assert_eq!(without_number(refused), "Connection refused");
        assert_eq!(without_number("broken (os error x)"), "broken (os error x)");
    }

    #[test]
    fn an_html_502_is_busy_without_its_markup() {
        let error = Error::from_answer(502, None, b"<html><h1>Bad gateway</h1></html>");
        assert_eq!(error.to_string(), "PostHog is busy (502)");
        assert!(error.is_transient());
    }

    #[test]
    fn a_failed_asynchronous_query_tells_its_message() {
        let body = br#"{"query_status":{"id":"x","error":true,"error_message":"Unable to resolve field: foo"}}"#;
        let error = Error::from_answer(400, None, body);
        assert!(error.to_string().contains("Unable to resolve field: foo"));
    }

    #[test]
    fn non_standard_statuses_are_busy() {
        for status in [512, 513] {
            assert!(matches!(
                Error::from_answer(status, None, b"{}"),
                Error::Busy { .. }
            ));
        }
    }

    #[test]
    fn long_words_of_a_server_are_cut() {
        let body = format!(r#"{{"detail":"{}"}}"#, "x".repeat(5_000));
        let text = Error::from_answer(500, None, body.as_bytes()).to_string();
        assert!(text.chars().count() < 400);
    }
}
