//! The refresh itself: whether and how often to send it, and what each response means. Runs under the lock.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use super::error::SessionError;
use super::{Reason, Session};
use crate::attempt::is_address;
use crate::connection::{ConnectionState, EndReason};
use crate::fail_point;
use crate::file::Lock;
use crate::id_token::{self, IdTokenError};
use crate::record::{Content, Record};
use crate::revocation::{Revoke, revoke, revoke_leftover};
use crate::task::blocking;
use crate::token::AccessToken;
use crate::token_endpoint::{self, Exchanged, Leftover, TokenError, TokenResponse};
use crate::token_set::{CLOCK_TOLERANCE, TokenSet, Trouble};

/// Requests per transaction. All of them are within PostHog's grace period of 120 s.
const TRIES: u32 = 3;

/// No further request once a transaction has taken this long.
const TRANSACTION_TIME: Duration = Duration::from_secs(45);

/// Before the second request; doubled before the third.
const FIRST_WAIT: Duration = Duration::from_millis(300);

/// If a server asks for a longer wait, the transaction ends, so that no caller is kept waiting.
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

/// A token that is refused this soon after it was issued was never valid.
const REFUSAL_SECONDS: i64 = 60;

impl Session {
    /// Decides, under the lock, whether the stored tokens serve or have to be refreshed.
    pub(super) async fn serve(
        &self,
        held: &Lock,
        generation: u64,
        mut tokens: TokenSet,
        reason: Reason,
    ) -> Result<AccessToken, SessionError> {
        // Neither sent nor renewed for a Host that it is not of.
        self.check_tokens(&tokens)?;
        let now = self.device.clock.unix_seconds();
        let valid = tokens.is_valid_for(0, now);
        let refused = reason.refuses(&tokens.access_token);
        let serves_as_it_is = match reason {
            Reason::Use => !tokens.is_due(now),
            // A sibling has refreshed in the meantime.
            Reason::Refused(_) => valid && !refused,
        };
        if serves_as_it_is {
            return Ok(self.keep(&tokens));
        }
        let serves = valid && !refused;
        if let Some(wait) = pause_left(tokens.not_before, now) {
            if serves {
                return Ok(self.keep(&tokens));
            }
            return Err(SessionError::of(tokens.trouble, wait));
        }
        if tokens.refresh_token.is_none() {
            if serves {
                return Ok(self.keep(&tokens));
            }
            return self
                .end(held, generation, EndReason::RevokedOrExpired)
                .await;
        }
        if refused {
            tokens.refusals = refusals_in_a_row(&tokens, now);
            if tokens.refusals >= MOST_REFUSALS {
                return Err(SessionError::Configuration(
                    "it refuses a token that it has only just issued".to_owned(),
                ));
            }
        }
        self.refresh(held, generation, tokens, serves).await
    }

    async fn refresh(
        &self,
        held: &Lock,
        generation: u64,
        tokens: TokenSet,
        serves: bool,
    ) -> Result<AccessToken, SessionError> {
        let Some(_refreshing) = self.device.refreshes.begin() else {
            return Err(SessionError::Closing);
        };
        // With a full or read-only disk the new tokens would be lost, and the old ones spent.
        let (records, record) = (
            self.device.records.clone(),
            Record::new(generation, Content::Tokens(Box::new(tokens.clone()))),
        );
        if let Err(error) = blocking(move || records.check_writable(&record)).await {
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
            let before = self.device.clock.unix_seconds();
            fail_point::reached("before_request");
            let left = TRANSACTION_TIME.saturating_sub(started.elapsed());
            let error = match self.request(&tokens, left).await {
                Ok(answer) => {
                    fail_point::reached("after_answer");
                    let adopted = self.adopt(held, generation, tokens, serves, answer, before);
                    return adopted.await;
                }
                Err(error) => error,
            };
            tracing::debug!(connection = %self.shared.id, %error, tries, "refresh failed");
            match wait_before_retry(&error, tries, started.elapsed()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => break error,
            }
        };
        let (trouble, retry_after) = match error {
            TokenError::InvalidGrant => return self.invalid_grant(held, generation).await,
            TokenError::Configuration {
                error, description, ..
            } => {
                let words = format!("{error} {description}").trim().to_owned();
                (Trouble::Configuration { words }, None)
            }
            TokenError::Busy { retry_after, .. } => (Trouble::Busy, retry_after),
            other => {
                let sentence = other.to_string();
                (Trouble::Offline { sentence }, None)
            }
        };
        self.back_off(held, generation, tokens, serves, trouble, retry_after)
            .await
    }

    async fn request(
        &self,
        tokens: &TokenSet,
        time: Duration,
    ) -> Result<TokenResponse, TokenError> {
        let Some(refresh_token) = &tokens.refresh_token else {
            return Err(TokenError::InvalidGrant);
        };
        let (http, endpoint) = (&self.device.http, &tokens.token_endpoint);
        let client_id = &tokens.client_id;
        match token_endpoint::refresh(http, endpoint, client_id, refresh_token, time).await? {
            Exchanged::Tokens(response) => Ok(response),
            Exchanged::Unusable { error, leftover } => {
                self.discard(tokens, &leftover).await;
                Err(error)
            }
        }
    }

    /// Revokes the access token of a response that is not adopted. Its refresh token is the one that is stored,
    /// or comes again with the next request. A client that rotates gets the same pair within PostHog's grace, so
    /// in that case the access token is left as well.
    async fn discard(&self, tokens: &TokenSet, leftover: &Leftover) {
        if !tokens.registered_dynamically && !is_address(&tokens.client_id) {
            return;
        }
        let endpoint = tokens.revocation_endpoint.as_ref();
        let (http, which) = (&self.device.http, Revoke::AccessTokenOnly);
        revoke_leftover(http, endpoint, &tokens.client_id, leftover, which).await;
    }

    /// Adopts PostHog's response: it is checked, then written, then handed out.
    async fn adopt(
        &self,
        held: &Lock,
        generation: u64,
        old: TokenSet,
        serves: bool,
        mut answer: TokenResponse,
        before: i64,
    ) -> Result<AccessToken, SessionError> {
        if let Some(error) = foreign_id_token(&old, &answer) {
            // Rule T8: the old record is kept, and the new tokens are not used.
            self.discard(&old, &answer.leftover()).await;
            let words = error.to_string();
            let trouble = Trouble::Configuration { words };
            return self
                .back_off(held, generation, old, serves, trouble, None)
                .await;
        }
        let narrowed = answer
            .scopes
            .as_ref()
            .is_some_and(|scopes| !scopes.missing_from(&old.scopes).is_empty());
        let reach = answer.reach.take();
        let new = old.renewed(answer, before);
        if narrowed {
            let ended = self.end(held, generation, EndReason::Narrowed).await;
            revoke(&self.device.http, &new, Revoke::Everything).await;
            return ended;
        }
        // On a file system whose locks do not hold, somebody may have written in the meantime.
        match self.read().await? {
            Some(record) if record.generation == generation => {}
            other => return self.overtaken(other, &new).await,
        }
        let record = Record::new(
            generation.saturating_add(1),
            Content::Tokens(Box::new(new.clone())),
        );
        self.write(held, record).await?;
        fail_point::reached("after_write");
        let (id, expires_at) = (self.shared.id.clone(), new.expires_at);
        self.update_index(move |index| {
            if let Some(connection) = index.connection_mut(&id) {
                if let Some(reach) = reach {
                    connection.grant.reach = reach;
                }
                connection.last_refresh_at = Some(before);
                connection.expires_at = Some(expires_at);
                connection.state = ConnectionState::Active;
                connection.ended_at = None;
            }
        })
        .await;
        Ok(self.keep(&new))
    }

    /// `invalid_grant` counts only for the generation that was used.
    async fn invalid_grant(
        &self,
        held: &Lock,
        generation: u64,
    ) -> Result<AccessToken, SessionError> {
        match self.read().await? {
            Some(record) if record.generation != generation => self.follow(Some(record)).await,
            _ => {
                self.end(held, generation, EndReason::RevokedOrExpired)
                    .await
            }
        }
    }

    /// Another process wrote in the meantime, and its record is kept. Tokens that were refreshed after a sign-out are
    /// revoked.
    async fn overtaken(
        &self,
        current: Option<Record>,
        new: &TokenSet,
    ) -> Result<AccessToken, SessionError> {
        let followed = self.follow(current).await;
        if followed.is_err() {
            revoke(&self.device.http, new, Revoke::Everything).await;
        }
        followed
    }

    /// Records for all processes when to try again. A token that is still valid is handed out.
    async fn back_off(
        &self,
        held: &Lock,
        generation: u64,
        mut tokens: TokenSet,
        serves: bool,
        trouble: Trouble,
        retry_after: Option<Duration>,
    ) -> Result<AccessToken, SessionError> {
        let pause = jittered(pause_after(&trouble, tokens.failures, retry_after));
        tokens.failures = tokens.failures.saturating_add(1);
        tokens.not_before = self.device.clock.unix_seconds().saturating_add(pause);
        tokens.trouble = Some(trouble.clone());
        // On a file system whose locks do not hold, somebody may have written newer tokens in the meantime.
        match self.read().await? {
            Some(record) if record.generation == generation => {}
            other => return self.follow(other).await,
        }
        let access = serves.then(|| self.keep(&tokens));
        // The same generation: nothing about the credential has changed.
        let record = Record::new(generation, Content::Tokens(Box::new(tokens)));
        if let Err(error) = self.write(held, record).await {
            tracing::warn!(connection = %self.shared.id, %error, "the pause could not be stored");
        }
        let wait = Duration::from_secs(pause.unsigned_abs());
        access.ok_or_else(|| SessionError::of(Some(trouble), wait))
    }
}

/// How long to wait before the same token is sent again under the lock, if a retry is worth it: a response may have
/// been lost, and within PostHog's grace period the same pair of tokens comes again.
fn wait_before_retry(error: &TokenError, tries: u32, elapsed: Duration) -> Option<Duration> {
    let wait = error
        .retry_after()
        .unwrap_or(FIRST_WAIT * 2_u32.pow(tries.saturating_sub(1)));
    let worth_it = error.is_transient()
        && !error.never_arrived()
        && tries < TRIES
        && wait <= LONGEST_WAIT
        && elapsed + wait + LEAST_TIME <= TRANSACTION_TIME;
    worth_it.then_some(wait)
}

/// Seconds until the next transaction: as PostHog asked, else longer with each failure.
fn pause_after(trouble: &Trouble, failures: u32, retry_after: Option<Duration>) -> i64 {
    let longest = match trouble {
        Trouble::Offline { .. } => LONGEST_PAUSE_OFFLINE,
        Trouble::Busy | Trouble::Configuration { .. } => LONGEST_PAUSE_BUSY,
    };
    let asked = retry_after.and_then(|wait| i64::try_from(wait.as_secs()).ok());
    asked.unwrap_or_else(|| 2_i64.pow(failures.min(10)).min(longest))
}

/// Up to a quarter more: devices that lost PostHog at the same time do not come back at the same time.
fn jittered(pause: i64) -> i64 {
    pause + fastrand::i64(0..=pause / 4)
}

/// What is left of a noted pause.
fn pause_left(not_before: i64, now: i64) -> Option<Duration> {
    let left = not_before.saturating_sub(now);
    (1..=LONGEST_NOTED_PAUSE)
        .contains(&left)
        .then(|| Duration::from_secs(left.unsigned_abs()))
}

/// Refreshes in a row, with the one that is due now, that a token caused which was refused soon after it was
/// issued.
fn refusals_in_a_row(tokens: &TokenSet, now: i64) -> u32 {
    // Tokens that a clock ahead noted were not issued just now for as long as it was ahead.
    let soon =
        (-CLOCK_TOLERANCE..REFUSAL_SECONDS).contains(&now.saturating_sub(tokens.obtained_at));
    if soon { tokens.refusals + 1 } else { 0 }
}

/// Why refreshed tokens are not for the same account, by the `id_token` beside them (rule T8). An `id_token` that
/// cannot be read is ignored: it is not needed here, and the tokens are.
fn foreign_id_token(old: &TokenSet, answer: &TokenResponse) -> Option<IdTokenError> {
    let issuer = old.issuer();
    let token = answer.id_token.as_ref()?.expose_secret();
    id_token::check_refreshed(token, &issuer, &old.client_id, &old.subject)
        .err()
        .filter(|error| *error != IdTokenError::Malformed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::http::{NoAnswer, RequestError};

    const LOST: fn() -> TokenError = || {
        let (host, source) = (String::new(), RequestError::sample());
        NoAnswer::Broken { host, source }.into()
    };

    fn busy(retry_after: Duration) -> TokenError {
        TokenError::Busy {
            status: 503,
            retry_after: Some(retry_after),
        }
    }

    #[test]
    fn a_lost_answer_is_asked_for_twice_more_with_growing_waits() {
        let wait = |tries| wait_before_retry(&LOST(), tries, Duration::ZERO);
        let expected = [Some(300), Some(600), None].map(|wait| wait.map(Duration::from_millis));
        assert_eq!([1, 2, 3].map(wait), expected);
    }

    #[test]
    fn a_wait_of_more_than_two_seconds_is_left_to_the_next_transaction() {
        let wait = |asked| wait_before_retry(&busy(asked), 1, Duration::ZERO);
        assert_eq!(wait(LONGEST_WAIT), Some(LONGEST_WAIT));
        assert_eq!(wait(LONGEST_WAIT + Duration::from_millis(1)), None);
        assert_eq!(wait(LONGEST_WAIT * 2), None);
    }

    #[test]
    fn a_request_that_would_have_less_than_five_seconds_is_not_sent() {
        // 45 s, without the 5 s that a request needs and the wait before it.
        let last = Duration::from_millis(39_700);
        let wait = |elapsed| wait_before_retry(&LOST(), 1, elapsed);
        assert_eq!(wait(last), Some(FIRST_WAIT));
        assert_eq!(wait(last + Duration::from_millis(1)), None);
        assert_eq!(wait(TRANSACTION_TIME * 2), None);
    }

    #[test]
    fn what_a_second_request_cannot_change_is_not_sent_twice() {
        let (host, source) = (String::new(), RequestError::sample());
        let unreachable = NoAnswer::Unreachable { host, source }.into();
        for error in [TokenError::InvalidGrant, unreachable] {
            assert_eq!(wait_before_retry(&error, 1, Duration::ZERO), None);
        }
    }

    #[test]
    fn pauses_grow_with_each_failure_to_half_a_minute_offline_and_five_while_busy() {
        let offline = Trouble::Offline {
            sentence: String::new(),
        };
        let pauses = |trouble: &Trouble| {
            [0, 1, 4, 5, 8, 9, u32::MAX].map(|failures| pause_after(trouble, failures, None))
        };
        assert_eq!(pauses(&offline), [1, 2, 16, 30, 30, 30, 30]);
        assert_eq!(pauses(&Trouble::Busy), [1, 2, 16, 32, 256, 300, 300]);
        let asked = Some(Duration::from_secs(57));
        assert_eq!(pause_after(&Trouble::Busy, 9, asked), 57);
    }

    #[test]
    fn jitter_adds_up_to_a_quarter_and_takes_nothing_away() {
        let pauses: Vec<i64> = (0..1_000).map(|_| jittered(40)).collect();
        assert!(pauses.iter().all(|pause| (40..=50).contains(pause)));
        assert!(pauses.contains(&40) && pauses.contains(&50));
        assert_eq!(jittered(0), 0);
    }

    #[test]
    fn a_noted_pause_is_kept_to_its_end_and_one_of_another_clock_is_not() {
        let left = |seconds| pause_left(1_000 + seconds, 1_000).map(|left| left.as_secs());
        assert_eq!(left(0), None);
        assert_eq!(left(1), Some(1));
        // An hour, the longest that is obeyed, with a quarter of jitter.
        assert_eq!(left(4_500), Some(4_500));
        assert_eq!(left(4_501), None);
        assert_eq!(left(i64::MIN), None);
    }

    #[test]
    fn refusals_are_in_a_row_within_a_minute_of_the_issue() {
        let tokens = TokenSet {
            obtained_at: 1_000,
            refusals: 1,
            ..crate::token_set::sample_tokens()
        };
        assert_eq!(refusals_in_a_row(&tokens, 1_059), 2);
        assert_eq!(refusals_in_a_row(&tokens, 1_060), 0);
        assert_eq!(refusals_in_a_row(&tokens, 940), 2);
        assert_eq!(
            refusals_in_a_row(&tokens, 939),
            0,
            "issued under another clock"
        );
    }
}
