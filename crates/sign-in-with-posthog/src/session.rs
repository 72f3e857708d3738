//! Hands out a valid bearer for a Connection, refreshing when due.
//!
//! The refresh is a transaction under a lock that holds across processes. The decision to refresh is
//! taken under the lock, after reading the record again; the new tokens are safe in the Vault before
//! anyone sees them; and the transaction runs in a task of its own, so that a caller who goes away
//! cannot cut it between PostHog's answer and the write. No refresh token is held outside of it.
//!
//! Only three things end a session here: `invalid_grant` for the generation that was used, a refresh
//! with fewer scopes than were granted, and a sign-out. Everything else is a bad moment.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinError;

use crate::connection::{ConnectionId, ConnectionState, EndReason};
use crate::fail_point;
use crate::file::{FileError, Lock};
use crate::id_token::{self, IdTokenError};
use crate::index::{IndexError, Stamp};
use crate::record::{self, Content, Record, TokenSet, Trouble};
use crate::revocation::{Revoke, revoke};
use crate::sign_in::Inner;
use crate::token::AccessToken;
use crate::token_endpoint::{self, TokenAnswer, TokenError};
use crate::vault::VaultError;

/// A token is refreshed this many seconds before it expires, so that nobody has to wait for it; one that
/// lives for less than four times as long, in the last quarter of its life.
pub const EARLY_SECONDS: i64 = 600;

/// A token that is left alone while another refresh is under way serves at least this long.
const STILL_SERVES_SECONDS: i64 = 30;

/// How long another process may hold the lock: its whole transaction and some.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Requests per transaction. They all lie inside PostHog's grace of 120 s.
const TRIES: u32 = 3;

/// No further request once a transaction has taken this long.
const TRANSACTION_TIME: Duration = Duration::from_secs(45);

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

/// Why no token could be handed out.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// PostHog answers and cannot serve right now.
    #[error("PostHog is busy; trying again by itself")]
    Busy {
        /// When the next try is due.
        retry_after: Duration,
    },
    /// PostHog refuses for a reason that neither waiting nor the user's tokens explain.
    #[error("PostHog does not renew the sign-in: {0}")]
    Configuration(String),
    /// PostHog cannot be reached.
    #[error("offline: {sentence}")]
    Offline {
        /// What went wrong, for people.
        sentence: String,
        /// When the next try is due.
        retry_after: Duration,
    },
    /// The session has ended.
    #[error("{}", .0.sentence())]
    SignedOut(EndReason),
    /// The record could not be read or written; the session stands.
    #[error("{0}")]
    Vault(Arc<str>),
}

impl SessionError {
    fn of(trouble: Option<Trouble>, retry_after: Duration) -> Self {
        match trouble {
            Some(Trouble::Busy) | None => Self::Busy { retry_after },
            Some(Trouble::Configuration { words }) => Self::Configuration(words),
            Some(Trouble::Offline { sentence }) => Self::Offline {
                sentence,
                retry_after,
            },
        }
    }

    /// True where it may heal by itself.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::SignedOut(_))
    }
}

impl From<VaultError> for SessionError {
    fn from(error: VaultError) -> Self {
        match error {
            // Nothing is written: the record still serves on the device that it belongs to.
            VaultError::OtherDevice(_) => Self::SignedOut(EndReason::RecordLost),
            other => Self::Vault(other.to_string().into()),
        }
    }
}

impl From<FileError> for SessionError {
    fn from(error: FileError) -> Self {
        Self::Vault(error.to_string().into())
    }
}

impl From<IndexError> for SessionError {
    fn from(error: IndexError) -> Self {
        Self::Vault(error.to_string().into())
    }
}

impl From<JoinError> for SessionError {
    fn from(_: JoinError) -> Self {
        Self::Vault("the program is ending".into())
    }
}

/// The session of one Connection. Clones share everything.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
    shared: Arc<Shared>,
}

/// What the clones of a Session share.
pub(crate) struct Shared {
    id: ConnectionId,
    /// Threads of this process queue here before they ask for the lock across processes.
    turn: tokio::sync::Mutex<Turn>,
    cache: Mutex<Option<Cached>>,
}

/// What is handed on from one turn to the next.
#[derive(Default)]
struct Turn {
    /// When the last transaction of this process that served ended.
    refreshed: Option<Instant>,
}

/// The access token as last seen in the Vault. Never a refresh token.
#[derive(Clone)]
struct Cached {
    token: AccessToken,
    /// `None` for an API key, which does not expire.
    validity: Option<(i64, i64)>,
    stamp: Stamp,
}

impl Cached {
    fn is_valid_for(&self, seconds: i64, now: i64) -> bool {
        self.validity.is_none_or(|(obtained_at, expires_at)| {
            record::is_valid_for(obtained_at, expires_at, seconds, now)
        })
    }

    fn is_due(&self, now: i64) -> bool {
        self.validity.is_some_and(|(obtained_at, expires_at)| {
            let early = record::early(obtained_at, expires_at);
            !record::is_valid_for(obtained_at, expires_at, early, now)
        })
    }
}

/// Why a token is asked for.
#[derive(Clone, Debug)]
enum Reason {
    Use,
    Refused(AccessToken),
}

impl Reason {
    fn refuses(&self, secret: &SecretString) -> bool {
        matches!(self, Self::Refused(refused) if refused.is(secret))
    }
}

impl Session {
    pub(crate) fn new(inner: Arc<Inner>, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    /// The Connection.
    pub fn id(&self) -> &ConnectionId {
        &self.shared.id
    }

    /// A token that is valid now. Usually answered from memory.
    ///
    /// # Errors
    ///
    /// [`SessionError::SignedOut`] is final; everything else heals or says what to do.
    pub async fn access_token(&self) -> Result<AccessToken, SessionError> {
        let stamp = self.inner.index.stamp();
        let now = self.inner.clock.unix_seconds();
        let cached = lock(&self.shared.cache)
            .clone()
            .filter(|cached| cached.stamp == stamp);
        if let Some(cached) = cached {
            if !cached.is_due(now) {
                return Ok(cached.token);
            }
            // Somebody in this process is refreshing already, and this token still serves.
            if self.shared.turn.try_lock().is_err()
                && cached.is_valid_for(STILL_SERVES_SECONDS, now)
            {
                return Ok(cached.token);
            }
        }
        self.run(Reason::Use).await
    }

    /// A token to use instead of `refused`, which PostHog has just answered with 401.
    ///
    /// # Errors
    ///
    /// As [`Session::access_token`].
    pub async fn access_token_after_refusal(
        &self,
        refused: &AccessToken,
    ) -> Result<AccessToken, SessionError> {
        self.run(Reason::Refused(refused.clone())).await
    }

    /// Runs the transaction in a task of its own: it outlives a caller who goes away.
    async fn run(&self, reason: Reason) -> Result<AccessToken, SessionError> {
        let (session, asked) = (self.clone(), Instant::now());
        tokio::spawn(async move { session.transaction(reason, asked).await }).await?
    }

    /// Drops what is remembered; the next call reads the Vault.
    pub(crate) fn forget(&self) {
        *lock(&self.shared.cache) = None;
    }

    async fn transaction(
        &self,
        reason: Reason,
        asked: Instant,
    ) -> Result<AccessToken, SessionError> {
        let mut turn = self.shared.turn.lock().await;
        // Whoever waited for a refresh takes its token, however short it lives: a server that gives no
        // lifetime would otherwise be asked once per waiter.
        if matches!(reason, Reason::Use)
            && turn.refreshed.is_some_and(|refreshed| refreshed > asked)
            && let Some(cached) = lock(&self.shared.cache).clone()
        {
            return Ok(cached.token);
        }
        let Some(_lock) = self.lock(&reason).await? else {
            return self.advisory(&reason).await;
        };
        // Authoritative from here on: nobody else writes while the lock is held.
        match self.read().await? {
            Some(Record {
                generation,
                content: Content::Tokens(tokens),
                ..
            }) => {
                let served = self.serve(generation, *tokens, reason).await;
                if served.is_ok() {
                    turn.refreshed = Some(Instant::now());
                }
                served
            }
            Some(Record {
                generation,
                content: Content::ApiKey { key },
                ..
            }) if reason.refuses(&key) => self.end(generation, EndReason::ApiKeyRejected).await,
            other => self.follow(other).await,
        }
    }

    /// The lock across processes. `None` where it is busy and the stored token still serves.
    async fn lock(&self, reason: &Reason) -> Result<Option<Lock>, SessionError> {
        let path = self.inner.lock_path(&self.shared.id);
        let first = path.clone();
        if let Some(lock) = blocking(move || Lock::try_take(&first)).await? {
            return Ok(Some(lock));
        }
        let now = self.inner.clock.unix_seconds();
        if matches!(reason, Reason::Use)
            && let Some(Record {
                content: Content::Tokens(tokens),
                ..
            }) = self.read().await?
            && tokens.is_valid_for(STILL_SERVES_SECONDS, now)
        {
            return Ok(None);
        }
        match blocking(move || Lock::take(&path, LOCK_PATIENCE)).await? {
            Some(lock) => Ok(Some(lock)),
            None => Err(SessionError::Busy {
                retry_after: Duration::from_secs(1),
            }),
        }
    }

    /// Serves from the record while another process refreshes it.
    async fn advisory(&self, reason: &Reason) -> Result<AccessToken, SessionError> {
        let record = self.read().await?;
        match (record.map(|record| record.content), reason) {
            (Some(Content::Tokens(tokens)), Reason::Use) => Ok(tokens.access()),
            (Some(Content::Ended { reason }), _) => Err(SessionError::SignedOut(reason)),
            _ => Err(SessionError::Busy {
                retry_after: Duration::from_secs(1),
            }),
        }
    }

    /// Decides, under the lock, whether the stored tokens serve or have to be refreshed.
    async fn serve(
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

    /// Serves what the record says, as it stands.
    async fn follow(&self, record: Option<Record>) -> Result<AccessToken, SessionError> {
        let reason = match record.map(|record| record.content) {
            Some(Content::Tokens(tokens)) => return Ok(self.keep(&tokens)),
            Some(Content::ApiKey { key }) => return Ok(self.remember(AccessToken::new(key), None)),
            Some(Content::Ended { reason }) => reason,
            None => EndReason::RecordLost,
        };
        self.show_ended(reason).await;
        Err(SessionError::SignedOut(reason))
    }

    /// Ends the session for good, and tells why.
    async fn end(&self, generation: u64, reason: EndReason) -> Result<AccessToken, SessionError> {
        self.write(Record::new(generation + 1, Content::Ended { reason }))
            .await?;
        self.show_ended(reason).await;
        Err(SessionError::SignedOut(reason))
    }

    async fn show_ended(&self, reason: EndReason) {
        *lock(&self.shared.cache) = None;
        let id = self.shared.id.clone();
        self.update_index(move |index| {
            if let Some(connection) = index.connection_mut(&id) {
                connection.state = ConnectionState::Ended(reason);
            }
        })
        .await;
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

    fn keep(&self, tokens: &TokenSet) -> AccessToken {
        self.remember(
            tokens.access(),
            Some((tokens.obtained_at, tokens.expires_at)),
        )
    }

    fn remember(&self, token: AccessToken, validity: Option<(i64, i64)>) -> AccessToken {
        *lock(&self.shared.cache) = Some(Cached {
            token: token.clone(),
            validity,
            stamp: self.inner.index.stamp(),
        });
        token
    }

    async fn read(&self) -> Result<Option<Record>, SessionError> {
        let (vault, id) = (self.inner.vault.clone(), self.shared.id.clone());
        Ok(blocking(move || vault.read(&id)).await?)
    }

    async fn write(&self, record: Record) -> Result<(), SessionError> {
        let (vault, id) = (self.inner.vault.clone(), self.shared.id.clone());
        // A full disk or a slow keychain gets two more chances: PostHog has rotated already.
        Ok(blocking(move || {
            let mut result = vault.write(&id, &record);
            for _ in 0..2 {
                if result.is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(300));
                result = vault.write(&id, &record);
            }
            result
        })
        .await?)
    }

    /// The index only shows what the Vault says; a failure here ends nothing.
    async fn update_index(&self, change: impl FnOnce(&mut crate::index::Index) + Send + 'static) {
        let index = self.inner.index.clone();
        if let Err(error) = blocking(move || index.update(change)).await {
            tracing::warn!(%error, "the list of connections could not be updated");
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.shared.id)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(id: ConnectionId) -> Self {
        Self {
            id,
            turn: tokio::sync::Mutex::new(Turn::default()),
            cache: Mutex::new(None),
        }
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

/// Runs what may block on a thread that may.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // The runtime is shutting down or the work panicked; both are the end of this task too.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
