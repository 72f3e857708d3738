//! One run of the authorization code flow.
//!
//! Every later decision is based on this record and never on a response: the issuer, the endpoints, the redirect
//! address, state, nonce and verifier. An Attempt accepts exactly one response. After an error a new one is made with
//! fresh values. (Rules B3 and B4.)

use std::fmt;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::browser::Browser;
use crate::callback::{AuthorizationResponse, CallbackError};
use crate::host::Host;
use crate::metadata::Metadata;
use crate::scope::Scopes;
use crate::secret::{random, same_secret};
use crate::task::lock;

/// How long an Attempt waits for its response, in seconds. PostHog's codes live 5 minutes, and the
/// user may have to sign in there first.
pub const ATTEMPT_SECONDS: i64 = 600;

/// One run of the authorization code flow. Clones are the same run: one response uses them all up.
#[derive(Clone)]
pub struct Attempt {
    pub(crate) host: Host,
    pub(crate) metadata: Metadata,
    pub(crate) client_id: String,
    pub(crate) registered_dynamically: bool,
    pub(crate) scopes: Scopes,
    pub(crate) nonce: SecretString,
    pub(crate) verifier: SecretString,
    pub(crate) started_at: i64,
    state: SecretString,
    redirect_uri: Url,
    authorization_url: Url,
    browser: Browser,
    taken: Arc<Mutex<bool>>,
}

impl Attempt {
    pub(crate) fn new(request: AttemptRequest) -> Self {
        let state = random();
        let nonce = random();
        let verifier = random();
        let mut attempt = Self {
            authorization_url: request.metadata.authorization_endpoint.clone(),
            host: request.host,
            metadata: request.metadata,
            client_id: request.client_id,
            registered_dynamically: request.registered_dynamically,
            scopes: request.scopes,
            nonce,
            verifier,
            started_at: request.started_at,
            state,
            redirect_uri: request.redirect_uri,
            browser: Browser::new(ATTEMPT_SECONDS),
            taken: Arc::default(),
        };
        attempt.authorization_url = attempt.build_authorization_url();
        attempt
    }

    /// PostHog's page. It contains `state`, so it must not appear in a program's arguments or in a log; open
    /// [`Attempt::start_url`] in a browser on this device instead. On another device the user opens this address
    /// and pastes the redirect address by hand.
    pub fn authorization_url(&self) -> &Url {
        &self.authorization_url
    }

    /// The address to open in the user's browser. It has to be served by the same listener as
    /// [`Attempt::redirect_uri`]. It sets the cookie that the callback requires and redirects to PostHog. It works
    /// for one browser; if a second one opens it, neither is trusted.
    pub fn start_url(&self) -> Url {
        self.beside_callback(&self.browser.opened_path())
    }

    /// As [`Attempt::start_url`], to be printed and opened by hand. It is a different address, so that it works
    /// even if another user has opened the first.
    pub fn printed_start_url(&self) -> Url {
        self.beside_callback(&self.browser.printed_path())
    }

    /// Whether `id` is the last segment of [`Attempt::start_url`].
    pub fn starts_at(&self, id: &str) -> bool {
        self.browser.is_opened_id(id)
    }

    /// Binds the Attempt to a browser that the caller knows to be the user's own. Returns the value of a
    /// `Set-Cookie` header; only responses with that cookie are accepted from a browser.
    pub fn bind_browser(&self) -> String {
        self.browser.bind()
    }

    /// The value of a `Set-Cookie` header that removes the cookie of this Attempt.
    pub fn farewell_cookie(&self) -> String {
        self.browser.farewell()
    }

    /// Completes once a second browser has opened [`Attempt::start_url`]: one of the two was not the user's. The
    /// Attempt keeps waiting for [`Attempt::printed_start_url`] or a pasted address.
    pub async fn contested(&self) {
        self.browser.contested().await;
    }

    /// Whether its client id is the address of a metadata document, which all devices share.
    pub(crate) fn has_shared_client(&self) -> bool {
        is_address(&self.client_id)
    }

    /// Which browser it belongs to.
    pub(crate) fn browser(&self) -> &Browser {
        &self.browser
    }

    fn beside_callback(&self, path: &str) -> Url {
        let mut url = self.redirect_uri.clone();
        url.set_path(path);
        url
    }

    /// The address to which the browser brings the response.
    pub fn redirect_uri(&self) -> &Url {
        &self.redirect_uri
    }

    /// The PostHog at which the user signs in.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Whether a response belongs to this Attempt. Does not use the Attempt up.
    ///
    /// # Errors
    ///
    /// A response with another `state` or issuer. `state` is compared first, for error responses too.
    pub fn accepts(&self, response: &AuthorizationResponse) -> Result<(), CallbackError> {
        let state = response.state().ok_or(CallbackError::StateMissing)?;
        if !same_secret(state, self.state.expose_secret()) {
            return Err(CallbackError::StateMismatch);
        }
        match response.issuer() {
            Some(issuer) if issuer != self.metadata.issuer => Err(CallbackError::IssuerMismatch),
            None if self.metadata.sends_iss => Err(CallbackError::IssuerMissing),
            _ => Ok(()),
        }
    }

    /// As [`Attempt::accepts`], for a response that came over HTTP, with the values of its `Cookie` headers:
    /// it also has to come from the browser that began.
    ///
    /// # Errors
    ///
    /// As [`Attempt::accepts`], and [`CallbackError::OtherBrowser`] after those.
    pub fn accepts_from_browser(
        &self,
        response: &AuthorizationResponse,
        cookies: &[&str],
    ) -> Result<(), CallbackError> {
        self.accepts(response)?;
        if self.browser.is(cookies) {
            Ok(())
        } else {
            Err(CallbackError::OtherBrowser)
        }
    }

    /// Uses the Attempt up. False the second time (rule R6).
    pub(crate) fn take(&self) -> bool {
        !std::mem::replace(&mut *lock(&self.taken), true)
    }

    fn build_authorization_url(&self) -> Url {
        let challenge = digest::digest(&digest::SHA256, self.verifier.expose_secret().as_bytes());
        let mut url = self.metadata.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", self.redirect_uri.as_str())
            .append_pair("scope", &self.scopes.to_string())
            .append_pair("state", self.state.expose_secret())
            .append_pair("nonce", self.nonce.expose_secret())
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256");
        url
    }
}

/// Leaves out the secrets, and the authorization address, which contains `state`.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("host", &self.host)
            .field("redirect_uri", &self.redirect_uri.as_str())
            .field("scopes", &self.scopes)
            .field("started_at", &self.started_at)
            .finish_non_exhaustive()
    }
}

/// What an Attempt is made from.
pub(crate) struct AttemptRequest {
    pub(crate) host: Host,
    pub(crate) metadata: Metadata,
    pub(crate) client_id: String,
    pub(crate) registered_dynamically: bool,
    pub(crate) scopes: Scopes,
    pub(crate) redirect_uri: Url,
    pub(crate) started_at: i64,
}

/// Whether a client id is the address of a metadata document.
pub(crate) fn is_address(client_id: &str) -> bool {
    client_id.contains("://")
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use super::*;
    use crate::host::Region;

    pub(crate) fn attempt(sends_iss: bool) -> Attempt {
        let at = |path: &str| Url::parse(&format!("https://us.posthog.com{path}")).unwrap();
        Attempt::new(AttemptRequest {
            host: Host::cloud(Region::Us),
            metadata: Metadata {
                issuer: "https://us.posthog.com".into(),
                authorization_endpoint: at("/oauth/authorize/"),
                token_endpoint: at("/oauth/token/"),
                jwks_uri: None,
                registration_endpoint: None,
                revocation_endpoint: None,
                introspection_endpoint: None,
                userinfo_endpoint: None,
                sends_iss,
            },
            client_id: "client".into(),
            registered_dynamically: true,
            scopes: Scopes::parse("openid query:read"),
            redirect_uri: Url::parse("http://127.0.0.1:4711/callback").unwrap(),
            started_at: 0,
        })
    }

    fn parameters(attempt: &Attempt) -> HashMap<String, String> {
        attempt
            .authorization_url()
            .query_pairs()
            .into_owned()
            .collect()
    }

    fn response(attempt: &Attempt, rest: &str) -> AuthorizationResponse {
        let state = &parameters(attempt)["state"];
        AuthorizationResponse::parse_query(&format!("state={state}&{rest}")).unwrap()
    }

    #[test]
    fn rule_b3_every_attempt_has_fresh_secrets_of_full_length() {
        let (one, two) = (parameters(&attempt(false)), parameters(&attempt(false)));
        for name in ["state", "nonce", "code_challenge"] {
            assert_eq!(one[name].len(), 43);
            assert_ne!(one[name], two[name]);
        }
    }

    #[test]
    fn rule_b3_the_challenge_is_the_hash_of_the_verifier() {
        let attempt = attempt(false);
        let hash = digest::digest(&digest::SHA256, attempt.verifier.expose_secret().as_bytes());
        assert_eq!(
            parameters(&attempt)["code_challenge"],
            URL_SAFE_NO_PAD.encode(hash)
        );
        assert_eq!(parameters(&attempt)["code_challenge_method"], "S256");
        assert!((43..=128).contains(&attempt.verifier.expose_secret().len()));
    }

    #[test]
    fn rule_b4_a_debug_print_holds_no_secret() {
        let attempt = attempt(false);
        let print = format!("{attempt:?}");
        for secret in [&attempt.state, &attempt.nonce, &attempt.verifier] {
            assert!(!print.contains(secret.expose_secret()));
        }
    }

    #[test]
    fn rule_b7_the_address_to_open_is_the_issuers() {
        let attempt = attempt(false);
        assert_eq!(attempt.authorization_url().scheme(), "https");
        assert_eq!(
            attempt.authorization_url().host_str(),
            Some("us.posthog.com")
        );
    }

    #[test]
    fn rule_r2_a_wrong_state_is_refused_for_errors_too() {
        let attempt = attempt(false);
        for query in ["state=wrong&code=c", "state=wrong&error=access_denied"] {
            let response = AuthorizationResponse::parse_query(query).unwrap();
            assert_eq!(
                attempt.accepts(&response),
                Err(CallbackError::StateMismatch)
            );
        }
        let response = AuthorizationResponse::parse_query("error=access_denied").unwrap();
        assert_eq!(attempt.accepts(&response), Err(CallbackError::StateMissing));
    }

    #[test]
    fn rule_r4_a_forged_iss_is_refused_without_using_the_attempt_up() {
        let attempt = attempt(false);
        let forged = response(&attempt, "code=c&iss=https%3A%2F%2Fevil.example");
        assert_eq!(attempt.accepts(&forged), Err(CallbackError::IssuerMismatch));
        let right = response(&attempt, "code=c&iss=https%3A%2F%2Fus.posthog.com");
        assert_eq!(attempt.accepts(&right), Ok(()));
        assert!(attempt.take());
    }

    #[test]
    fn rule_r4_a_promised_iss_must_come() {
        let attempt = attempt(true);
        let without = response(&attempt, "code=c");
        assert_eq!(attempt.accepts(&without), Err(CallbackError::IssuerMissing));
    }

    #[test]
    fn a_response_counts_only_from_the_browser_that_began() {
        let attempt = attempt(false);
        let right = response(&attempt, "code=c");
        let other = Err(CallbackError::OtherBrowser);
        assert_eq!(attempt.accepts_from_browser(&right, &[]), other);
        let set = attempt.bind_browser();
        let cookie = set.split(';').next().unwrap();
        assert_eq!(attempt.accepts_from_browser(&right, &[]), other);
        assert_eq!(attempt.accepts_from_browser(&right, &[cookie]), Ok(()));
        let denied = response(&attempt, "error=access_denied");
        assert_eq!(attempt.accepts_from_browser(&denied, &[]), other);
        // The state is compared first: a stranger does not learn whether one waits.
        let forged = AuthorizationResponse::parse_query("code=c&state=x").unwrap();
        assert_eq!(
            attempt.accepts_from_browser(&forged, &[cookie]),
            Err(CallbackError::StateMismatch)
        );
    }

    #[test]
    fn the_start_address_is_beside_the_callback_and_holds_no_state() {
        let attempt = attempt(false);
        let start = attempt.start_url();
        assert!(start.as_str().starts_with("http://127.0.0.1:4711/start/"));
        let id = start.path().strip_prefix("/start/").unwrap();
        assert!(attempt.starts_at(id) && !attempt.starts_at("x"));
        assert_ne!(start, attempt.printed_start_url());
        assert!(!start.as_str().contains(attempt.state.expose_secret()));
    }

    #[test]
    fn rule_r6_an_attempt_is_used_once() {
        let attempt = attempt(false);
        let same = attempt.clone();
        assert!(attempt.take());
        assert!(!attempt.take());
        assert!(!same.take());
    }
}
