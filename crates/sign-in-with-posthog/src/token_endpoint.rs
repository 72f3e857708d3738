//! The token endpoint (RFC 6749, sections 4.1.3, 5 and 6): one exchange, and what its response means.
//!
//! Only a response that is JSON with an `error` member is a decision by PostHog. Everything else (a proxy's HTML, a
//! captive portal's redirect, half a body) says nothing about the session.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::attempt::Attempt;
use crate::connection::Reach;
use crate::http::{self, NoAnswer, Response};
use crate::scope::Scopes;
use crate::secret::random;

/// Pauses between requests to a busy server during a sign-in.
const BUSY_PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// The longest pause during a sign-in: a user is waiting in front of a browser.
const LONGEST_BUSY_PAUSE: Duration = Duration::from_secs(3);

/// How long a client id may take to be looked up.
const PROBE_TIME: Duration = Duration::from_secs(5);

/// The tokens in a response with status 200.
pub(crate) struct TokenResponse {
    pub(crate) access_token: SecretString,
    pub(crate) refresh_token: Option<SecretString>,
    /// Seconds; 0 if the server did not say.
    pub(crate) expires_in: i64,
    /// Absent means: as requested.
    pub(crate) scopes: Option<Scopes>,
    /// Absent if the server did not say.
    pub(crate) reach: Option<Reach>,
    pub(crate) id_token: Option<SecretString>,
}

/// Why a token request gave no tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// A response with status 200 that holds no usable tokens.
    ///
    /// A retry can succeed, since a proxy may have changed the response.
    #[error("PostHog's token response {0}; try again")]
    BadAnswer(&'static str),
    /// PostHog is overloaded or restarting: 429, 5xx.
    ///
    /// Do not retry before `retry_after`.
    #[error("PostHog is busy ({status})")]
    Busy {
        /// HTTP status.
        status: u16,
        /// The `Retry-After` header, if sent.
        retry_after: Option<Duration>,
    },
    /// The client id is unknown to PostHog, or another setting is wrong. A session is not ended by it.
    ///
    /// Start again; if that fails too, the configured client id has to be corrected.
    #[error("PostHog refused this program's request: {error} {description}")]
    Configuration {
        /// HTTP status.
        status: u16,
        /// The OAuth error code.
        error: String,
        /// The server's words, shortened.
        description: String,
    },
    /// `invalid_grant`: the code or the refresh token is no longer valid. The user has to sign in again.
    #[error("PostHog no longer accepts this sign-in (invalid_grant); start again")]
    InvalidGrant,
    /// Something between this device and PostHog responded, with this status: a captive portal, a proxy.
    ///
    /// A retry can succeed in another network.
    #[error(
        "a proxy or a network's sign-in page answered instead of PostHog (status {0}); try again on another network"
    )]
    NotPostHog(u16),
    /// There was no response; see there.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
}

impl TokenError {
    /// Whether a retry can succeed.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Configuration { .. } | Self::InvalidGrant)
    }

    /// Whether PostHog has certainly seen nothing, so that an immediate retry gains nothing.
    pub(crate) fn never_arrived(&self) -> bool {
        matches!(self, Self::NoAnswer(error) if error.never_arrived())
    }

    /// Whether the server has certainly forgotten the client id, or never knew it: PostHog says 401 then. A
    /// client id is dropped on nothing else.
    pub(crate) fn is_unknown_client(&self) -> bool {
        matches!(self, Self::Configuration { status: 401, error, .. } if error == "invalid_client")
    }

    /// Do not retry before this (from `Retry-After`, if sent).
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// What became of a code, which is spent in both cases, or of a refresh.
pub(crate) enum Exchanged {
    /// Tokens that can be used.
    Tokens(TokenResponse),
    /// An answer with tokens in it that cannot be used as it is. They have to be revoked.
    Unusable {
        error: TokenError,
        leftover: Leftover,
    },
}

/// Tokens that will never be used and have to be revoked.
pub(crate) struct Leftover {
    pub(crate) access_token: Option<SecretString>,
    pub(crate) refresh_token: Option<SecretString>,
}

/// Exchanges the code of an Attempt. Rule T2: `redirect_uri` is the Attempt's, byte for byte.
pub(crate) async fn exchange(
    http: &reqwest::Client,
    attempt: &Attempt,
    code: &SecretString,
) -> Result<Exchanged, TokenError> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.expose_secret()),
        ("redirect_uri", attempt.redirect_uri().as_str()),
        ("client_id", &attempt.client_id),
        ("code_verifier", attempt.verifier.expose_secret()),
    ];
    let endpoint = &attempt.metadata.token_endpoint;
    post(http, endpoint, &form, http::RESPONSE_TIME).await
}

/// Whether the server knows a client id; `None` if it does not say. It is asked to exchange a code that
/// never was: an unknown client is refused before the code is looked at. The authorization endpoint cannot
/// be asked: it sends everybody who is not logged in to the login page.
pub(crate) async fn knows_client(
    http: &reqwest::Client,
    endpoint: &Url,
    client_id: &str,
    redirect_uri: &Url,
) -> Option<bool> {
    let (code, verifier) = (random(), random());
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.expose_secret()),
        ("redirect_uri", redirect_uri.as_str()),
        ("client_id", client_id),
        ("code_verifier", verifier.expose_secret()),
    ];
    match post(http, endpoint, &form, PROBE_TIME).await {
        Err(TokenError::InvalidGrant) => Some(true),
        Err(error) if error.is_unknown_client() => Some(false),
        _ => None,
    }
}

/// Refreshes. Rule T6: no `scope`, it would narrow the grant for good.
pub(crate) async fn refresh(
    http: &reqwest::Client,
    endpoint: &Url,
    client_id: &str,
    refresh_token: &SecretString,
    time: Duration,
) -> Result<Exchanged, TokenError> {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose_secret()),
        ("client_id", client_id),
    ];
    post(http, endpoint, &form, time.min(http::RESPONSE_TIME)).await
}

/// Retries a few times while a server says that it is busy: the code of an Attempt is issued once, and a busy
/// server has not used it up.
pub(crate) async fn retry_while_busy<T, F>(mut request: impl FnMut() -> F) -> Result<T, TokenError>
where
    F: Future<Output = Result<T, TokenError>>,
{
    let mut pauses = BUSY_PAUSES.iter();
    loop {
        let result = request().await;
        let (Err(TokenError::Busy { retry_after, .. }), Some(&pause)) = (&result, pauses.next())
        else {
            return result;
        };
        tokio::time::sleep(retry_after.unwrap_or(pause).min(LONGEST_BUSY_PAUSE)).await;
    }
}

async fn post(
    http: &reqwest::Client,
    endpoint: &Url,
    form: &[(&str, &str)],
    time: Duration,
) -> Result<Exchanged, TokenError> {
    let response = http::send_within(http.post(endpoint.clone()).form(form), time).await?;
    match classify(&response) {
        Ok(tokens) => Ok(Exchanged::Tokens(tokens)),
        Err(error) => match Leftover::of(&response) {
            Some(leftover) => Ok(Exchanged::Unusable { error, leftover }),
            None => Err(error),
        },
    }
}

fn classify(answer: &Response) -> Result<TokenResponse, TokenError> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
        #[serde(default)]
        error_description: String,
    }
    let status = answer.status.as_u16();
    let refusal: Option<Refusal> = answer.json();
    match (status, refusal) {
        (408 | 425 | 429 | 500.., _) => Err(TokenError::Busy {
            status,
            retry_after: answer.retry_after,
        }),
        // An `error` member in a 200 is an error.
        (200 | 400..=499, Some(refusal)) if refusal.error == "invalid_grant" => {
            Err(TokenError::InvalidGrant)
        }
        (200 | 400..=499, Some(refusal)) if refusal.error == "temporarily_unavailable" => {
            Err(TokenError::Busy {
                status,
                retry_after: answer.retry_after,
            })
        }
        (200 | 400..=499, Some(refusal)) => Err(TokenError::Configuration {
            status,
            error: http::words(&refusal.error),
            description: http::words(&refusal.error_description),
        }),
        (200, None) => match answer.json::<Value>() {
            Some(value) => read(value),
            None => Err(TokenError::BadAnswer("is not JSON")),
        },
        _ => Err(TokenError::NotPostHog(status)),
    }
}

/// Rule T3: what a 200 has to hold.
pub(crate) fn read(answer: Value) -> Result<TokenResponse, TokenError> {
    let raw: RawResponse = serde_json::from_value(answer)
        .map_err(|_| TokenError::BadAnswer("has fields of other types than it should"))?;
    raw.check()
}

impl TokenResponse {
    /// Its tokens, to be revoked.
    pub(crate) fn leftover(&self) -> Leftover {
        Leftover {
            access_token: Some(self.access_token.clone()),
            refresh_token: self.refresh_token.clone(),
        }
    }
}

impl Leftover {
    /// The tokens in a 200, whatever is wrong with it.
    fn of(answer: &Response) -> Option<Self> {
        if answer.status.as_u16() != 200 {
            return None;
        }
        let value: Value = answer.json()?;
        let token = |name| {
            let text = value.get(name)?.as_str()?;
            (!text.is_empty()).then(|| SecretString::from(text))
        };
        let (access_token, refresh_token) = (token("access_token"), token("refresh_token"));
        (access_token.is_some() || refresh_token.is_some()).then_some(Self {
            access_token,
            refresh_token,
        })
    }
}

#[derive(Deserialize)]
struct RawResponse {
    #[serde(default)]
    access_token: Option<SecretText>,
    #[serde(default)]
    refresh_token: Option<SecretText>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<Value>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    scoped_teams: Option<Value>,
    #[serde(default)]
    scoped_organizations: Option<Value>,
    #[serde(default)]
    id_token: Option<SecretText>,
}

/// Text that is redacted from the moment it is parsed.
#[derive(Deserialize)]
#[serde(from = "String")]
struct SecretText(SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl RawResponse {
    fn check(self) -> Result<TokenResponse, TokenError> {
        let access_token = self
            .access_token
            .map(|text| text.0)
            .ok_or(TokenError::BadAnswer("holds no access token"))?;
        if !is_token(&access_token) {
            return Err(TokenError::BadAnswer(
                "holds an access token that cannot be sent",
            ));
        }
        if !self
            .token_type
            .is_some_and(|kind| kind.eq_ignore_ascii_case("Bearer"))
        {
            return Err(TokenError::BadAnswer("is not of the type Bearer"));
        }
        let refresh_token = self.refresh_token.map(|text| text.0).filter(is_token);
        // Lists that make no sense are taken as not sent: the tokens beside them are too good to lose.
        let (teams, organizations) = (&self.scoped_teams, &self.scoped_organizations);
        let reach = Reach::from_json(teams.as_ref(), organizations.as_ref());
        Ok(TokenResponse {
            access_token,
            refresh_token,
            expires_in: self.expires_in.as_ref().map_or(0, seconds),
            scopes: self.scope.as_deref().map(Scopes::parse),
            reach,
            id_token: self.id_token.map(|text| text.0),
        })
    }
}

/// A positive number, also written as text. Anything else is 0, which means: refresh on next use.
fn seconds(value: &Value) -> i64 {
    let number = match value {
        #[expect(clippy::cast_possible_truncation, reason = "clamped below")]
        Value::Number(number) => number
            .as_i64()
            .or(number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.unwrap_or(0).clamp(0, 10 * 365 * 24 * 3600)
}

fn is_token(token: &SecretString) -> bool {
    let text = token.expose_secret();
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rule_t3_a_token_answer_needs_a_bearer_token() {
        for bad in [
            json!({}),
            json!({"access_token": "", "token_type": "Bearer"}),
            json!({"access_token": "a b", "token_type": "Bearer"}),
            json!({"access_token": "a", "token_type": "mac"}),
            json!({"access_token": "a"}),
            json!({"access_token": 5, "token_type": "Bearer"}),
            json!([]),
        ] {
            assert!(
                matches!(read(bad.clone()), Err(TokenError::BadAnswer(_))),
                "{bad}"
            );
        }
        assert!(read(json!({"access_token": "a", "token_type": "bEARER"})).is_ok());
    }

    #[test]
    fn rule_t3_expires_in_may_be_text_and_defaults_to_0() {
        let expires = |value: Value| {
            read(json!({"access_token": "a", "token_type": "Bearer", "expires_in": value}))
                .map(|answer| answer.expires_in)
                .ok()
        };
        assert_eq!(expires(json!(3600)), Some(3600));
        assert_eq!(expires(json!("3600")), Some(3600));
        assert_eq!(expires(json!(-1)), Some(0));
        assert_eq!(expires(json!(null)), Some(0));
        assert_eq!(expires(json!({})), Some(0));
    }

    #[test]
    fn rule_t4_an_absent_scope_is_told_from_an_empty_one() {
        let scopes = |value: Value| read(value).map(|answer| answer.scopes).ok();
        let base = json!({"access_token": "a", "token_type": "Bearer"});
        assert_eq!(scopes(base.clone()), Some(None));
        let mut empty = base;
        empty["scope"] = json!("");
        assert_eq!(scopes(empty), Some(Some(Scopes::default())));
    }

    proptest::proptest! {
        #[test]
        fn any_json_is_a_token_answer_or_refused(
            access in "\\PC{0,20}",
            kind in "Bearer|bearer|mac|",
            expires in "-?[0-9]{1,25}|\"[0-9a-z]{0,5}\"|null|1e300",
            scope in "\"[a-z: ]{0,20}\"|null|5",
        ) {
            let access = Value::from(access);
            let text = format!(
                "{{\"access_token\":{access},\"token_type\":\"{kind}\",\"expires_in\":{expires},\"scope\":{scope}}}"
            );
            if let Ok(answer) = serde_json::from_str(&text).map_err(drop).and_then(|value| read(value).map_err(drop)) {
                proptest::prop_assert!((0..=315_360_000).contains(&answer.expires_in));
                proptest::prop_assert!(is_token(&answer.access_token));
            }
        }
    }
}
