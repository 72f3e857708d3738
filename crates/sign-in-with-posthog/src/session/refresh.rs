//! The refresh itself: whether, how often, and what becomes of each answer. Runs under the lock.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use super::{Reason, Session, SessionError, blocking};
use crate::connection::{ConnectionState, EndReason};
use crate::fail_point;
use crate::id_token::{self, IdTokenError};
use crate::record::{Content, Record, TokenSet, Trouble};
use crate::revocation::{Revoke, revoke};
use crate::token::AccessToken;
use crate::token_endpoint::{self, TokenAnswer, TokenError};

/// Requests per transaction. They all lie inside PostHog's grace of 120 s.
const TRIES: u32 = 3;

/// No further request once a transaction has taken this long.
const TRANSACTION_TIME: Duration = Duration::from_secs(45);

/// A server that asks for a longer wait is left alone until then, and nobody is kept waiting for it.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// No further request that would have less time than this.
const LEAST_TIME: Duration = Duration::from_secs(5);

/// A noted pause longer than this was noted under another clock, in seconds: the longest
/// `Retry-After` that is obeyed, with its jitter.
const LONGEST_NOTED_PAUSE: i64 = 3600 + 900;

/// Longest pause between transactions after an unreachable network, in seconds.
const LONGEST_PAUSE_OFFLINE: i64 = 30;

/// Longest pause between transactions while PostHog is busy, in seconds.
const LONGEST_PAUSE_BUSY: i64 = 300;

/// Refreshes within [`REFUSAL_SECONDS`] of one another that refused tokens may cause.
const MOST_REFUSALS: u32 = 3;

/// A token refused this soon after it was issued was never any good.
const REFUSAL_SECONDS: i64 = 60;

impl Session {
    /// Decides, under the lock, whether the stored tokens serve or have to be refreshed.
    pub(super) async fn serve(
        &self,
        generation: u64,
        mut tokens: TokenSet,
        reason: Reason,
    ) -> Result<AccessToken, SessionError> {
        let now = self.inner.clock.unix_seconds();
        let valid = tokens.is_valid_for(0, now);
        let refused = reason.refuses(&tokens.access_token);
        let serves_as_it_is = match reason {
            Reason::Use => !tokens.is_due(now),
            // A sibling has refreshed meanwhile.
            Reason::Refused(_) => valid && !refused,
        };
        if serves_as_it_is {
            return Ok(self.keep(&tokens));
        }
        let serves = valid && !refused;
        let pause = tokens.not_before.saturating_sub(now);
        if (1..=LONGEST_NOTED_PAUSE).contains(&pause) {
            if serves {
                return Ok(self.keep(&tokens));
            }
            let wait = Duration::from_secs(pause.unsigned_abs());
            return Err(SessionError::of(tokens.trouble, wait));
        }
        if tokens.refresh_token.is_none() {
            if serves {
                return Ok(self.keep(&tokens));
            }
            return self.end(generation, EndReason::RevokedOrExpired).await;
        }
        if refused {
            let fresh = now.saturating_sub(tokens.obtained_at) < REFUSAL_SECONDS;
            tokens.refusals = if fresh { tokens.refusals + 1 } else { 0 };
            if tokens.refusals >= MOST_REFUSALS {
                return Err(SessionError::Configuration(
                    "it refuses a token that it has just issued".to_owned(),
                ));
            }
        }
        self.refresh(generation, tokens, serves).await
    }

    async fn refresh(
        &self,
        generation: u64,
        tokens: TokenSet,
        serves: bool,
    ) -> Result<AccessToken, SessionError> {
        // With a full or read-only disk the new tokens would be lost, and the old ones spent.
        let (vault, record) = (
            self.inner.vault.clone(),
            Record::new(generation, Content::Tokens(Box::new(tokens.clone()))),
        );
        if let Err(error) = blocking(move || vault.check_writable(&record)).await {
            if serves {
                tracing::warn!(connection = %self.shared.id, %error, "not refreshed");
                return Ok(self.keep(&tokens));
            }
            return Err(error.into());
        }
        let started = Instant::now();
        let mut tries = 0;
        let error = loop {
            tries += 1;
            let before = self.inner.clock.unix_seconds();
            fail_point::reached("before_request");
            let left = TRANSACTION_TIME.saturating_sub(started.elapsed());
            let error = match self.request(&tokens, left).await {
                Ok(answer) => {
                    fail_point::reached("after_answer");
                    return self.adopt(generation, tokens, serves, answer, before).await;
                }
                Err(error) => error,
            };
            tracing::debug!(connection = %self.shared.id, %error, tries, "refresh failed");
            let wait = error
                .retry_after()
                .unwrap_or(Duration::from_millis(150 << tries));
            if !error.is_transient()
                || tries == TRIES
                || wait > LONGEST_WAIT
                || started.elapsed() + wait + LEAST_TIME > TRANSACTION_TIME
                || error.never_arrived()
            {
                break error;
            }
            // An answer may have been lost on the way: the same token again, at once, still under the
            // lock, is answered with the same pair inside the grace.
            tokio::time::sleep(wait).await;
        };
        let (trouble, retry_after) = match error {
            TokenError::InvalidGrant => return self.invalid_grant(generation).await,
            TokenError::Configuration { error, description } => {
                let words = format!("{error} {description}").trim().to_owned();
                (Trouble::Configuration { words }, None)
            }
            TokenError::Busy { retry_after, .. } => (Trouble::Busy, retry_after),
            other => {
                let sentence = other.to_string();
                (Trouble::Offline { sentence }, None)
            }
        };
        self.back_off(generation, tokens, serves, trouble, retry_after)
            .await
    }

    async fn request(&self, tokens: &TokenSet, time: Duration) -> Result<TokenAnswer, TokenError> {
        let Some(refresh_token) = &tokens.refresh_token else {
            return Err(TokenError::InvalidGrant);
        };
        let (http, endpoint) = (&self.inner.http, &tokens.token_endpoint);
        token_endpoint::refresh(http, endpoint, &tokens.client_id, refresh_token, time).await
    }

    /// Takes over what PostHog answered: checked, then written, then shown.
    async fn adopt(
        &self,
        generation: u64,
        old: TokenSet,
        serves: bool,
        answer: TokenAnswer,
        before: i64,
    ) -> Result<AccessToken, SessionError> {
        if let Some(error) = foreign_id_token(&old, &answer) {
            // Rule T8: the old record stays, and these tokens are nobody's.
            let words = error.to_string();
            let trouble = Trouble::Configuration { words };
            return self.back_off(generation, old, serves, trouble, None).await;
        }
        let narrowed = answer
            .scopes
            .as_ref()
            .is_some_and(|scopes| !scopes.missing_from(&old.scopes).is_empty());
        let new = TokenSet {
            access_token: answer.access_token,
            refresh_token: answer.refresh_token.or(old.refresh_token),
            expires_at: before.saturating_add(answer.expires_in),
            obtained_at: before,
            not_before: 0,
            failures: 0,
            trouble: None,
            ..old
        };
        if narrowed {
            let ended = self.end(generation, EndReason::Narrowed).await;
            revoke(&self.inner.http, &new, Revoke::Everything).await;
            return ended;
        }
        // Rule V3: on a file system whose locks do not hold, somebody may have written meanwhile.
        match self.read().await? {
            Some(record) if record.generation == generation => {}
            other => return self.overtaken(other, &new).await,
        }
        let record = Record::new(generation + 1, Content::Tokens(Box::new(new.clone())));
        self.write(record).await?;
        fail_point::reached("after_write");
        let (id, reach, expires_at) = (self.shared.id.clone(), answer.reach, new.expires_at);
        self.update_index(move |index| {
            if let Some(connection) = index.connection_mut(&id) {
                if let Some(reach) = reach {
                    connection.grant.reach = reach;
                }
                connection.last_refresh_at = Some(before);
                connection.expires_at = Some(expires_at);
                connection.state = ConnectionState::Active;
            }
        })
        .await;
        Ok(self.keep(&new))
    }

    /// `invalid_grant` counts only for the generation that was used.
    async fn invalid_grant(&self, generation: u64) -> Result<AccessToken, SessionError> {
        match self.read().await? {
            Some(record) if record.generation != generation => self.follow(Some(record)).await,
            _ => self.end(generation, EndReason::RevokedOrExpired).await,
        }
    }

    /// What another process wrote stands. Tokens that were refreshed past a sign-out are revoked.
    async fn overtaken(
        &self,
        current: Option<Record>,
        new: &TokenSet,
    ) -> Result<AccessToken, SessionError> {
        let followed = self.follow(current).await;
        if followed.is_err() {
            revoke(&self.inner.http, new, Revoke::Everything).await;
        }
        followed
    }

    /// Notes for all processes when to try again; a token that still serves is served.
    async fn back_off(
        &self,
        generation: u64,
        mut tokens: TokenSet,
        serves: bool,
        trouble: Trouble,
        retry_after: Option<Duration>,
    ) -> Result<AccessToken, SessionError> {
        let longest = match trouble {
            Trouble::Offline { .. } => LONGEST_PAUSE_OFFLINE,
            _ => LONGEST_PAUSE_BUSY,
        };
        let asked = retry_after.and_then(|wait| i64::try_from(wait.as_secs()).ok());
        let pause = asked.unwrap_or((1_i64 << tokens.failures.min(8)).min(longest));
        let pause = pause + fastrand::i64(0..=pause / 4);
        tokens.failures = tokens.failures.saturating_add(1);
        tokens.not_before = self.inner.clock.unix_seconds().saturating_add(pause);
        tokens.trouble = Some(trouble.clone());
        let access = serves.then(|| self.keep(&tokens));
        // The same generation: nothing about the credential has changed.
        let record = Record::new(generation, Content::Tokens(Box::new(tokens)));
        if let Err(error) = self.write(record).await {
            tracing::warn!(connection = %self.shared.id, %error, "the pause could not be noted");
        }
        let wait = Duration::from_secs(pause.unsigned_abs());
        access.ok_or_else(|| SessionError::of(Some(trouble), wait))
    }
}

/// Rule T8: what an `id_token` beside refreshed tokens says against them. One that cannot be read says
/// nothing: it is not needed here, and the tokens beside it are.
fn foreign_id_token(old: &TokenSet, answer: &TokenAnswer) -> Option<IdTokenError> {
    let issuer = old.token_endpoint.origin().ascii_serialization();
    let token = answer.id_token.as_ref()?.expose_secret();
    id_token::check_refreshed(token, &issuer, &old.client_id, &old.subject)
        .err()
        .filter(|error| *error != IdTokenError::Malformed)
}
