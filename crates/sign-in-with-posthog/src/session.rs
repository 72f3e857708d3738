//! Hands out valid access tokens for a Connection, refreshing when due.
//!
//! The refresh is a transaction under a lock that is shared by all processes. The decision to refresh is made under
//! the lock, after reading the record again. The new tokens are stored in the Vault before any caller gets them.
//! The transaction runs in a task of its own, so that a caller that is dropped cannot interrupt it between
//! PostHog's response and the write. The lock is held until the write is done, even if the runtime shuts down, and
//! [`crate::SignIn::close`] lets a process end after its refreshes. No refresh token is held outside the
//! transaction.
//!
//! Only three things end a session here: `invalid_grant` for the generation that was used, a refresh with fewer scopes
//! than were granted, and a sign-out. Everything else is temporary.

mod binding;
mod error;
mod refresh;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use secrecy::SecretString;

use crate::connection::{Connection, ConnectionId, CredentialKind, EndReason};
use crate::device::Device;
use crate::file::Lock;
use crate::index::{Index, IndexError, Stamp};
use crate::record::{Content, OtherHost, Record, RecordError};
use crate::task::{blocking, lock};
use crate::token::AccessToken;
use crate::token_set::{self, TokenSet};
use binding::Binding;
pub use error::SessionError;

/// While another refresh is in progress, a token is handed out if it is valid for at least this long.
const STILL_SERVES_SECONDS: i64 = 30;

/// How long another process may hold the lock: a whole transaction, with a margin.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// The session of one Connection. Clones share everything.
#[derive(Clone)]
pub struct Session {
    device: Arc<Device>,
    shared: Arc<Shared>,
    /// What the credential has to be for; `None` if the caller looks at [`AccessToken::issuer`].
    binding: Option<Binding>,
}

/// What the clones of a Session share.
pub(crate) struct Shared {
    id: ConnectionId,
    /// Tasks of this process queue here before they take the lock across processes.
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
            token_set::is_valid_for(obtained_at, expires_at, seconds, now)
        })
    }

    fn is_due(&self, now: i64) -> bool {
        self.validity.is_some_and(|(obtained_at, expires_at)| {
            let early = token_set::early(obtained_at, expires_at);
            !token_set::is_valid_for(obtained_at, expires_at, early, now)
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
    pub(crate) fn new(
        device: Arc<Device>,
        shared: Arc<Shared>,
        connection: Option<&Connection>,
    ) -> Self {
        Self {
            device,
            shared,
            binding: connection.map(Binding::new),
        }
    }

    /// The Connection.
    pub fn id(&self) -> &ConnectionId {
        &self.shared.id
    }

    /// A token that is valid now. Usually answered from memory.
    ///
    /// # Errors
    ///
    /// [`SessionError::SignedOut`] is final; every other error is temporary or says what to do.
    /// [`SessionError::OtherHost`] if the credential is not for the Connection of this Session.
    pub async fn access_token(&self) -> Result<AccessToken, SessionError> {
        let stamp = self.device.index.stamp();
        let now = self.device.clock.unix_seconds();
        let cached = lock(&self.shared.cache)
            .clone()
            .filter(|cached| cached.stamp == stamp && self.allows(cached));
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
        let task = tokio::spawn(async move { session.transaction(reason, asked).await });
        task.await.map_err(|_| SessionError::Closing)?
    }

    /// Drops the cached token; the next call reads the Vault.
    pub(crate) fn forget(&self) {
        self.shared.forget();
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
            && self.allows(&cached)
        {
            return Ok(cached.token);
        }
        let Some(held) = self.lock(&reason).await? else {
            return self.advisory(&reason).await;
        };
        // Authoritative from here on: no other process writes while the lock is held.
        match self.read().await? {
            Some(Record {
                generation,
                content: Content::Tokens(tokens),
                ..
            }) => {
                let served = self.serve(&held, generation, *tokens, reason).await;
                if served.is_ok() {
                    turn.refreshed = Some(Instant::now());
                }
                served
            }
            Some(Record {
                generation,
                content: Content::ApiKey { key, .. },
                ..
            }) if reason.refuses(&key) => {
                self.end(&held, generation, EndReason::ApiKeyRejected).await
            }
            other => {
                let other = self.with_issuer(&held, other).await;
                self.follow(other).await
            }
        }
    }

    /// A key from before its Host was sealed with it, sealed with it now, if the list of Connections says
    /// what its name was made from.
    async fn with_issuer(&self, held: &Lock, record: Option<Record>) -> Option<Record> {
        let mut record = record?;
        if let (Content::ApiKey { issuer, .. }, Some(binding)) =
            (&mut record.content, &self.binding)
            && issuer.is_none()
            && binding.explains(&self.shared.id)
        {
            *issuer = Some(binding.issuer.clone());
            if let Err(error) = self.write(held, record.clone()).await {
                tracing::warn!(connection = %self.shared.id, %error, "the Host was not sealed");
            }
        }
        Some(record)
    }

    /// The lock across processes. `None` if it is busy and the stored token still serves.
    async fn lock(&self, reason: &Reason) -> Result<Option<Lock>, SessionError> {
        let path = self.device.lock_path(&self.shared.id);
        let first = path.clone();
        if let Some(lock) = blocking(move || Lock::try_take(&first)).await? {
            return Ok(Some(lock));
        }
        let now = self.device.clock.unix_seconds();
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
        if let Some(record) = &record {
            self.check(&record.content)?;
        }
        match (record.map(|record| record.content), reason) {
            (Some(Content::Tokens(tokens)), Reason::Use) => Ok(tokens.access()),
            (Some(Content::Ended { reason }), _) => Err(SessionError::SignedOut(reason)),
            _ => Err(SessionError::Busy {
                retry_after: Duration::from_secs(1),
            }),
        }
    }

    /// Returns what the record holds, without a refresh.
    async fn follow(&self, record: Option<Record>) -> Result<AccessToken, SessionError> {
        if let Some(record) = &record {
            self.check(&record.content)?;
        }
        let reason = match record.map(|record| record.content) {
            Some(Content::Tokens(tokens)) => return Ok(self.keep(&tokens)),
            Some(Content::ApiKey { key, issuer }) => {
                let kind = CredentialKind::ApiKey;
                return Ok(self.remember(AccessToken::new(key, kind, issuer), None));
            }
            Some(Content::Ended { reason }) => reason,
            None => EndReason::RecordLost,
        };
        self.show_ended(reason).await;
        Err(SessionError::SignedOut(reason))
    }

    /// Ends the session and stores the reason.
    async fn end(
        &self,
        held: &Lock,
        generation: u64,
        reason: EndReason,
    ) -> Result<AccessToken, SessionError> {
        let mark = Record::new(generation.saturating_add(1), Content::Ended { reason });
        self.write(held, mark).await?;
        self.show_ended(reason).await;
        Err(SessionError::SignedOut(reason))
    }

    async fn show_ended(&self, reason: EndReason) {
        *lock(&self.shared.cache) = None;
        if let Err(error) = self.device.show_ended(&self.shared.id, reason).await {
            not_shown(&error);
        }
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
            stamp: self.device.index.stamp(),
        });
        token
    }

    async fn read(&self) -> Result<Option<Record>, SessionError> {
        let (records, id) = (self.device.records.clone(), self.shared.id.clone());
        let read = blocking(move || records.read(&id)).await;
        if let Err(RecordError::Outdated(_)) = &read {
            // The record is left as it is; signing in again replaces it.
            self.show_ended(EndReason::Outdated).await;
        }
        Ok(read?)
    }

    /// Writes the record. The lock is held until the write is done, even if the caller is dropped.
    async fn write(&self, held: &Lock, record: Record) -> Result<(), SessionError> {
        let (records, id) = (self.device.records.clone(), self.shared.id.clone());
        let held = held.clone();
        // A full disk or a slow keychain gets two more chances: PostHog has rotated already.
        Ok(blocking(move || {
            let mut result = records.write(&id, &record);
            for _ in 0..2 {
                if result.is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(300));
                result = records.write(&id, &record);
            }
            drop(held);
            result
        })
        .await?)
    }

    async fn update_index(&self, change: impl FnOnce(&mut Index) + Send + 'static) {
        let index = self.device.index.clone();
        if let Err(error) = blocking(move || index.update(change)).await {
            not_shown(&error);
        }
    }

    /// Refuses a credential that is not for the Connection of this Session.
    pub(crate) fn check(&self, content: &Content) -> Result<(), OtherHost> {
        match content {
            Content::Tokens(tokens) => self.check_tokens(tokens),
            Content::ApiKey { issuer, .. } => {
                self.check_binding(CredentialKind::ApiKey, issuer.as_deref())
            }
            Content::Ended { .. } => Ok(()),
        }
    }

    /// As [`Session::check`].
    fn check_tokens(&self, tokens: &TokenSet) -> Result<(), OtherHost> {
        self.check_binding(CredentialKind::OAuth, Some(&tokens.issuer()))
    }

    /// Whether a remembered token is for the Connection of this Session.
    fn allows(&self, cached: &Cached) -> bool {
        let token = &cached.token;
        self.check_binding(token.kind(), token.issuer()).is_ok()
    }

    fn check_binding(&self, kind: CredentialKind, issuer: Option<&str>) -> Result<(), OtherHost> {
        match &self.binding {
            Some(binding) => binding.check(&self.shared.id, kind, issuer),
            None => Ok(()),
        }
    }
}

/// The list only shows what the Vault says, so a failure to write it ends nothing.
fn not_shown(error: &IndexError) {
    tracing::warn!(%error, "the list of connections could not be updated");
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

    /// Drops the cached token.
    pub(crate) fn forget(&self) {
        *lock(&self.cache) = None;
    }
}
