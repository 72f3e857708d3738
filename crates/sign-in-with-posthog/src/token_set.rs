//! The tokens of one Connection: how they come into being, how long they are valid, when they are renewed.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::attempt::Attempt;
use crate::connection::{Account, CredentialKind};
use crate::scope::Scopes;
use crate::secret;
use crate::token::AccessToken;
use crate::token_endpoint::{Leftover, TokenResponse};

/// A token is refreshed this many seconds before it expires, so that no caller has to wait for it. One that
/// lives for less than four times as long is refreshed in the last quarter of its life.
pub const EARLY_SECONDS: i64 = 600;

/// Access token, refresh token, expiry, and what is needed to renew and to revoke them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TokenSet {
    #[serde(with = "secret::stored")]
    pub(crate) access_token: SecretString,
    #[serde(with = "secret::stored_if_any", default)]
    pub(crate) refresh_token: Option<SecretString>,
    /// Unix seconds by this device's clock.
    pub(crate) expires_at: i64,
    /// Unix seconds by this device's clock.
    pub(crate) obtained_at: i64,
    /// What was granted. The Reach may be long and is stored in the index: Windows takes no entry of more
    /// than 2,560 bytes.
    pub(crate) scopes: Scopes,
    /// `sub` of the account.
    pub(crate) subject: String,
    pub(crate) client_id: String,
    pub(crate) registered_dynamically: bool,
    pub(crate) token_endpoint: Url,
    pub(crate) revocation_endpoint: Option<Url>,
    /// No refresh before this Unix second, in any process.
    #[serde(default)]
    pub(crate) not_before: i64,
    /// Why the last refresh failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<Trouble>,
    /// Failed refreshes in a row.
    #[serde(default)]
    pub(crate) failures: u32,
    /// Refreshes in a row that were caused by a refused token soon after the one before.
    #[serde(default)]
    pub(crate) refusals: u32,
}

/// Why the last refresh failed, for every process that waits for the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Trouble {
    /// PostHog answers and cannot serve.
    Busy,
    /// PostHog refuses for a reason other than the tokens.
    Configuration {
        /// PostHog's words, shortened.
        words: String,
    },
    /// PostHog cannot be reached.
    Offline {
        /// What went wrong, for people.
        sentence: String,
    },
}

impl TokenSet {
    /// The tokens of a first exchange that was sent at `asked_at`.
    pub(crate) fn issued(
        attempt: &Attempt,
        response: TokenResponse,
        account: &Account,
        asked_at: i64,
    ) -> Self {
        Self {
            access_token: response.access_token,
            refresh_token: response.refresh_token,
            expires_at: asked_at.saturating_add(response.expires_in),
            obtained_at: asked_at,
            // An absent scope means: as requested (RFC 6749, section 5.1; rule T4).
            scopes: response.scopes.unwrap_or_else(|| attempt.scopes.clone()),
            subject: account.subject.clone(),
            client_id: attempt.client_id.clone(),
            registered_dynamically: attempt.registered_dynamically,
            token_endpoint: attempt.metadata.token_endpoint.clone(),
            revocation_endpoint: attempt.metadata.revocation_endpoint.clone(),
            not_before: 0,
            trouble: None,
            failures: 0,
            refusals: 0,
        }
    }

    /// The tokens after a refresh that was sent at `asked_at`. A server that does not rotate sends no refresh
    /// token, and the old one stays in use. Earlier failures are over.
    pub(crate) fn renewed(self, response: TokenResponse, asked_at: i64) -> Self {
        Self {
            access_token: response.access_token,
            refresh_token: response.refresh_token.or(self.refresh_token),
            expires_at: asked_at.saturating_add(response.expires_in),
            obtained_at: asked_at,
            not_before: 0,
            failures: 0,
            trouble: None,
            ..self
        }
    }

    /// The two tokens, to be revoked.
    pub(crate) fn leftover(&self) -> Leftover {
        Leftover {
            access_token: Some(self.access_token.clone()),
            refresh_token: self.refresh_token.clone(),
        }
    }

    /// What is presented to get an access token; without a refresh token, the access token itself.
    pub(crate) fn credential(&self) -> &SecretString {
        self.refresh_token.as_ref().unwrap_or(&self.access_token)
    }

    /// The access token, with the Host that it is for.
    pub(crate) fn access(&self) -> AccessToken {
        let (token, issuer) = (self.access_token.clone(), self.issuer());
        AccessToken::new(token, CredentialKind::OAuth, Some(issuer))
    }

    /// The Host that issued them. An endpoint at another origin is never used.
    pub(crate) fn issuer(&self) -> String {
        self.token_endpoint.origin().ascii_serialization()
    }

    /// Whether the access token is valid for another `seconds`.
    pub(crate) fn is_valid_for(&self, seconds: i64, now: i64) -> bool {
        is_valid_for(self.obtained_at, self.expires_at, seconds, now)
    }

    /// Whether it is time to refresh.
    pub(crate) fn is_due(&self, now: i64) -> bool {
        !self.is_valid_for(early(self.obtained_at, self.expires_at), now)
    }
}

/// Seconds that a stored instant may be ahead of the clock. A later one was noted by a clock that was ahead.
pub(crate) const CLOCK_TOLERANCE: i64 = 60;

/// Whether a token of these times is valid for another `seconds`. If the clock was set back, it is due.
pub(crate) fn is_valid_for(obtained_at: i64, expires_at: i64, seconds: i64, now: i64) -> bool {
    expires_at.saturating_sub(now) > seconds && obtained_at <= now.saturating_add(CLOCK_TOLERANCE)
}

/// How many seconds before its end a token of these times is refreshed.
pub(crate) fn early(obtained_at: i64, expires_at: i64) -> i64 {
    let lifetime = expires_at.saturating_sub(obtained_at).max(0);
    EARLY_SECONDS.min(lifetime / 4)
}

/// Tokens for tests.
#[cfg(test)]
pub(crate) fn sample_tokens() -> TokenSet {
    TokenSet {
        access_token: "pha_access".into(),
        refresh_token: Some("phr_refresh".into()),
        expires_at: 1_000,
        obtained_at: 0,
        scopes: Scopes::default(),
        subject: "s".into(),
        client_id: "c".into(),
        registered_dynamically: true,
        token_endpoint: "https://us.posthog.com/oauth/token/".parse().unwrap(),
        revocation_endpoint: None,
        not_before: 0,
        trouble: None,
        failures: 0,
        refusals: 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn renewed_tokens_keep_who_they_are_of_and_nothing_that_went_wrong() {
        let old = || TokenSet {
            not_before: 9_000,
            failures: 3,
            trouble: Some(Trouble::Busy),
            refusals: 2,
            ..sample_tokens()
        };
        let answer = |refresh_token: Option<&str>| TokenResponse {
            access_token: "pha_new".into(),
            refresh_token: refresh_token.map(Into::into),
            expires_in: 3_600,
            scopes: None,
            id_token: None,
            reach: None,
        };
        let new = old().renewed(answer(Some("phr_new")), 5_000);
        assert_eq!(new.access_token.expose_secret(), "pha_new");
        assert_eq!((new.obtained_at, new.expires_at), (5_000, 8_600));
        assert_eq!((new.not_before, new.failures, new.trouble), (0, 0, None));
        // A row of refusals is only ended by time.
        assert_eq!((new.refusals, new.subject), (2, old().subject));
        assert_eq!(new.refresh_token.unwrap().expose_secret(), "phr_new");
        let kept = old().renewed(answer(None), 5_000).refresh_token.unwrap();
        assert_eq!(kept.expose_secret(), "phr_refresh");
    }

    #[test]
    fn a_short_lived_token_is_not_due_from_the_start() {
        assert_eq!(early(0, 7 * 24 * 3600), EARLY_SECONDS);
        assert_eq!(early(0, 3600), EARLY_SECONDS);
        assert_eq!(early(0, 60), 15);
        assert_eq!(early(0, 0), 0);
        assert_eq!(early(100, 0), 0);
    }

    #[test]
    fn a_clock_that_went_back_makes_a_token_due() {
        let mut tokens = sample_tokens();
        tokens.obtained_at = 500;
        assert!(tokens.is_valid_for(30, 500));
        assert!(!tokens.is_valid_for(30, 100));
        assert!(!tokens.is_valid_for(30, 980));
    }
}
