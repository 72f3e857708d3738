//! The response that the browser brings back, parsed strictly.
//!
//! A response comes from the one-shot listener, from a program's own web server, or from an address that a person
//! pasted. Which Attempt it belongs to is decided by [`crate::Attempt::accepts`] and, for a response that a browser
//! brings, [`crate::Attempt::accepts_from_browser`].

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};

use crate::http::words;

/// Longest query that is looked at, in bytes.
const LONGEST_QUERY: usize = 8 * 1024;

/// Why a response is not accepted. The Attempt keeps waiting for the right one; start again if it does not come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// It holds both a code and an error.
    #[error("PostHog's response contains both a code and an error, so it is not used")]
    CodeAndError,
    /// A parameter occurs twice.
    #[error("PostHog's response contains {0} twice, so it is not used")]
    Duplicate(&'static str),
    /// It holds neither a code nor an error.
    #[error("this address contains no response from PostHog")]
    Empty,
    /// The issuer is not the one of the Attempt: the response comes from another server (RFC 9207).
    #[error("this response comes from another PostHog than the one you chose")]
    IssuerMismatch,
    /// The server announces that it names its issuer, and did not (RFC 9207).
    #[error("this response does not say which PostHog it comes from, although it should")]
    IssuerMissing,
    /// The pasted text is not a redirect address.
    #[error(
        "this is not the address that the browser ended on; that one starts with http://127.0.0.1 and contains code= and state="
    )]
    NotARedirectAddress,
    /// The browser is not the one that began the sign-in.
    #[error("this browser did not begin the sign-in")]
    OtherBrowser,
    /// `state` is not the one of the Attempt: the response belongs to an earlier sign-in, or is forged.
    #[error("this sign-in was already finished or has timed out")]
    StateMismatch,
    /// `state` is missing.
    #[error("this response does not belong to a sign-in")]
    StateMissing,
    /// It is longer than any real response.
    #[error("this is longer than any response from PostHog")]
    TooLong,
}

/// What the browser brought back: a code, or an error.
#[derive(Clone)]
pub struct AuthorizationResponse {
    state: Option<SecretString>,
    issuer: Option<String>,
    pub(crate) result: Result<SecretString, AuthorizationError>,
}

/// An error that the authorization server sent through the browser (RFC 6749, section 4.1.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationError {
    /// The code, for example `access_denied`.
    pub error: String,
    /// The server's words, shortened.
    pub description: String,
}

impl AuthorizationResponse {
    /// Parses the query of a redirect.
    ///
    /// # Errors
    ///
    /// A response that is too long, ambiguous or empty.
    pub fn parse_query(query: &str) -> Result<Self, CallbackError> {
        if query.len() > LONGEST_QUERY {
            return Err(CallbackError::TooLong);
        }
        let mut fields = Fields::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            fields.put(&name, value.into_owned())?;
        }
        let result = match (fields.code, fields.error) {
            (Some(_), Some(_)) => return Err(CallbackError::CodeAndError),
            (None, None) => return Err(CallbackError::Empty),
            (Some(code), None) if code.is_empty() => return Err(CallbackError::Empty),
            (Some(code), None) => Ok(SecretString::from(code)),
            (None, Some(error)) => Err(AuthorizationError {
                error: words(&error),
                description: words(&fields.description.unwrap_or_default()),
            }),
        };
        Ok(Self {
            state: fields.state.map(SecretString::from),
            issuer: fields.issuer,
            result,
        })
    }

    /// Parses the whole redirect address, as a person copied it out of the browser. Blanks and line
    /// breaks, as terminals and mail programs put in, are ignored.
    ///
    /// # Errors
    ///
    /// As [`AuthorizationResponse::parse_query`], and for an address of somewhere else.
    pub fn parse_pasted(text: &str) -> Result<Self, CallbackError> {
        let address: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if address.len() > LONGEST_QUERY {
            return Err(CallbackError::TooLong);
        }
        let url = Url::parse(&address).map_err(|_| CallbackError::NotARedirectAddress)?;
        let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]"));
        match url.query() {
            Some(query) if loopback && url.scheme() == "http" => Self::parse_query(query),
            _ => Err(CallbackError::NotARedirectAddress),
        }
    }

    /// Whether the response is an error: the user declined, or PostHog refused.
    pub fn is_error(&self) -> bool {
        self.result.is_err()
    }

    pub(crate) fn state(&self) -> Option<&str> {
        self.state.as_ref().map(ExposeSecret::expose_secret)
    }

    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }
}

impl fmt::Debug for AuthorizationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationResponse")
            .field("issuer", &self.issuer)
            .field("error", &self.result.as_ref().err())
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Fields {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    description: Option<String>,
    issuer: Option<String>,
}

impl Fields {
    fn put(&mut self, name: &str, value: String) -> Result<(), CallbackError> {
        let (place, name) = match name {
            "code" => (&mut self.code, "code"),
            "state" => (&mut self.state, "state"),
            "error" => (&mut self.error, "error"),
            "error_description" => (&mut self.description, "error_description"),
            "iss" => (&mut self.issuer, "iss"),
            // Unknown parameters are ignored, RFC 6749, section 4.1.2.
            _ => return Ok(()),
        };
        if place.replace(value).is_some() {
            return Err(CallbackError::Duplicate(name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_r3_a_parameter_given_twice_is_refused() {
        for (query, name) in [
            ("code=a&code=b&state=s", "code"),
            ("code=a&state=s&state=s", "state"),
            ("error=a&error=b", "error"),
            ("code=a&iss=x&iss=x", "iss"),
        ] {
            let error = AuthorizationResponse::parse_query(query).err();
            assert_eq!(error, Some(CallbackError::Duplicate(name)));
        }
    }

    #[test]
    fn rule_r3_a_code_beside_an_error_is_refused() {
        let error = AuthorizationResponse::parse_query("code=a&error=b&state=s").err();
        assert_eq!(error, Some(CallbackError::CodeAndError));
    }

    #[test]
    fn rule_r8_a_response_without_end_is_refused() {
        let query = format!("code={}", "a".repeat(LONGEST_QUERY));
        let error = AuthorizationResponse::parse_query(&query).err();
        assert_eq!(error, Some(CallbackError::TooLong));
    }

    #[test]
    fn rule_r8_the_bound_is_the_same_for_what_a_browser_brings_and_for_what_is_pasted() {
        let filled =
            |start: &str, length: usize| start.to_owned() + &"a".repeat(length - start.len());
        let query = |length| AuthorizationResponse::parse_query(&filled("code=", length)).err();
        assert_eq!(query(LONGEST_QUERY), None);
        assert_eq!(query(LONGEST_QUERY + 1), Some(CallbackError::TooLong));
        let pasted = |length| {
            let address = filled("http://127.0.0.1:4711/callback?code=", length);
            AuthorizationResponse::parse_pasted(&address).err()
        };
        assert_eq!(pasted(LONGEST_QUERY), None);
        assert_eq!(pasted(LONGEST_QUERY + 1), Some(CallbackError::TooLong));
        // However short what follows the question mark is.
        let path = filled("http://127.0.0.1:4711/", LONGEST_QUERY * 2) + "?code=a&state=s";
        let error = AuthorizationResponse::parse_pasted(&path).err();
        assert_eq!(error, Some(CallbackError::TooLong));
    }

    #[test]
    fn a_refusal_keeps_the_words_of_the_server() {
        let query = "error=access_denied&error_description=Ada+said+no&state=s";
        let response = AuthorizationResponse::parse_query(query);
        let error = response.map(|response| response.result.err());
        let words = |text: &str| text.to_owned();
        let expected = AuthorizationError {
            error: words("access_denied"),
            description: words("Ada said no"),
        };
        assert!(error.is_ok_and(|error| error == Some(expected)));
    }

    #[test]
    fn a_refusal_is_told_from_a_code() {
        let is_error =
            |query| AuthorizationResponse::parse_query(query).map(|response| response.is_error());
        assert_eq!(is_error("error=access_denied&state=s"), Ok(true));
        assert_eq!(is_error("code=a&state=s"), Ok(false));
    }

    #[test]
    fn the_longest_real_response_is_accepted() {
        let query = format!("code={}&state=s", "a".repeat(4096));
        assert!(AuthorizationResponse::parse_query(&query).is_ok());
    }

    #[test]
    fn junk_is_refused() {
        for query in ["", "state=s", "code=&state=s", "%%%", "=&=", "code"] {
            let error = AuthorizationResponse::parse_query(query).err();
            assert_eq!(error, Some(CallbackError::Empty), "{query}");
        }
    }

    #[test]
    fn a_pasted_address_may_be_broken_over_lines() {
        let text = " http://127.0.0.1:4711/callback?code=abc\n  &state=xyz \r\n";
        assert!(AuthorizationResponse::parse_pasted(text).is_ok());
    }

    #[test]
    fn a_pasted_address_of_somewhere_else_is_refused() {
        for text in [
            "https://us.posthog.com/oauth/authorize/?code=a&state=s",
            "http://127.0.0.1/callback",
            "https://127.0.0.1/callback?code=a&state=s",
            "http://posthog.example/callback?code=a&state=s",
            "abc",
            "",
        ] {
            let error = AuthorizationResponse::parse_pasted(text).err();
            assert_eq!(error, Some(CallbackError::NotARedirectAddress), "{text}");
        }
    }

    #[test]
    fn rule_r8_a_pasted_text_without_end_is_refused() {
        let text = format!(
            "http://127.0.0.1/callback?code={}",
            "a".repeat(LONGEST_QUERY)
        );
        let error = AuthorizationResponse::parse_pasted(&text).err();
        assert_eq!(error, Some(CallbackError::TooLong));
    }

    #[test]
    fn a_debug_print_holds_neither_code_nor_state() {
        let print = AuthorizationResponse::parse_query("code=c0de&state=st4te&iss=here")
            .map(|response| format!("{response:?}"))
            .unwrap_or_default();
        assert!(print.contains("here"));
        assert!(!print.contains("c0de") && !print.contains("st4te"));
    }
}
