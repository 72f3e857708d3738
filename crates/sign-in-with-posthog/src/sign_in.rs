//! The way in: open, list, use, sign out. Signing in is in `begin` and `complete`.

mod begin;
mod checkup;
mod client;
mod complete;
mod erase;
mod error;
mod identity;
mod replaced;
mod vault;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use secrecy::SecretString;

use crate::api_key::{self, ApiKeyError};
use crate::config::{Config, OpenError};
use crate::connection::{Connection, ConnectionId, ConnectionState, CredentialKind, EndReason};
use crate::device::{Device, ReplaceError};
use crate::host::Host;
use crate::index::{Index, IndexError};
use crate::record::Content;
use crate::revocation::{Revocation, Revoke, revoke};
use crate::session::{Session, SessionError, Shared};
use crate::task::{blocking, lock};
pub use error::{BeginError, CompleteError, EraseError, MoveError};

/// Signs accounts in and out and hands out their Sessions. Clones share everything.
#[derive(Clone)]
pub struct SignIn {
    device: Arc<Device>,
    sessions: Arc<Mutex<HashMap<ConnectionId, Arc<Shared>>>>,
}

impl SignIn {
    /// Opens the folder. Makes no call to the network or to a keychain.
    ///
    /// # Errors
    ///
    /// A folder that cannot be created or made private, or TLS that cannot be set up.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        Ok(Self {
            device: Arc::new(Device::open(config)?),
            sessions: Arc::default(),
        })
    }

    /// All Connections in the order in which they were made, ended ones with their reason.
    ///
    /// # Errors
    ///
    /// A list that cannot be read.
    pub fn connections(&self) -> Result<Vec<Connection>, IndexError> {
        self.device.connections()
    }

    /// As [`SignIn::connections`], without opening the folder: for a program that only shows what is stored and
    /// ends, and needs no HTTP client.
    ///
    /// # Errors
    ///
    /// A list that cannot be read.
    pub fn connections_in(folder: &Path) -> Result<Vec<Connection>, IndexError> {
        Device::connections_in(folder)
    }

    /// The file in `folder` because of which [`SignIn::open`] refuses it: a newer version of the program wrote it.
    /// Changes nothing.
    pub fn newer_in(folder: &Path) -> Option<PathBuf> {
        Device::newer_in(folder)
    }

    /// The folder of this device's key that belongs to a program's `folder`: beside it if a program has put it
    /// there with [`Config::device_folder`], else in the user's local state. Creates nothing.
    pub fn device_folder_in(folder: &Path) -> PathBuf {
        Device::device_folder_in(folder)
    }

    /// Adds a personal API key for `host`.
    ///
    /// # Errors
    ///
    /// A key that PostHog refuses, or that lacks scopes, which the error names.
    pub async fn add_api_key(
        &self,
        host: &Host,
        key: &SecretString,
    ) -> Result<Connection, ApiKeyError> {
        let known =
            api_key::look_up(&self.device.http, host, key, &self.device.api_key_scopes).await?;
        let _hold = self
            .device
            .hold_vault(false)
            .await
            .map_err(ReplaceError::from)?;
        let backend = self.choose_vault().await.map_err(ReplaceError::from)?;
        let connection = Connection {
            id: ConnectionId::new(host, CredentialKind::ApiKey, &known.account.subject),
            host: host.clone(),
            kind: CredentialKind::ApiKey,
            account: known.account,
            grant: known.grant,
            state: ConnectionState::Active,
            vault: backend,
            signed_in_at: self.device.clock.unix_seconds(),
            last_refresh_at: None,
            expires_at: None,
            ended_at: None,
        };
        let content = Content::ApiKey {
            key: known.key,
            issuer: Some(host.issuer()),
        };
        self.replace(&connection.id, content).await?;
        self.device.show(connection.clone()).await?;
        Ok(connection)
    }

    /// The Session of a Connection, bound to its Host and kind: a credential that was stored for another one is
    /// refused, even if the list of Connections was changed. All callers in a process share one Session.
    pub fn session_of(&self, connection: &Connection) -> Session {
        Session::new(
            Arc::clone(&self.device),
            self.shared(&connection.id),
            Some(connection),
        )
    }

    /// As [`SignIn::session_of`], for a caller that sends a token only to its [`AccessToken::issuer`].
    ///
    /// [`AccessToken::issuer`]: crate::AccessToken::issuer
    pub fn session(&self, id: &ConnectionId) -> Session {
        Session::new(Arc::clone(&self.device), self.shared(id), None)
    }

    fn shared(&self, id: &ConnectionId) -> Arc<Shared> {
        let mut sessions = lock(&self.sessions);
        let shared = sessions
            .entry(id.clone())
            .or_insert_with(|| Arc::new(Shared::new(id.clone())));
        Arc::clone(shared)
    }

    /// Lets no further refresh begin, and waits for those in progress. Call it before the program ends: one that
    /// ends within a refresh may lose the tokens that PostHog has just issued.
    pub async fn close(&self) {
        self.device.refreshes.close().await;
    }

    /// Signs out. A mark is written first, so that no process can bring the session back; then the tokens are
    /// revoked (RFC 7009). Returns whether PostHog confirmed that; on this device the session is over in any case.
    ///
    /// # Errors
    ///
    /// Only if the mark could not be written.
    pub async fn sign_out(&self, id: &ConnectionId) -> Result<Revocation, SessionError> {
        let ended = Content::Ended {
            reason: EndReason::SignedOut,
        };
        let old = self.replace(id, ended).await.map_err(|error| match error {
            ReplaceError::Lock(error) => SessionError::from(error),
            ReplaceError::Vault(error) => SessionError::from(error),
        })?;
        self.session(id).forget();
        self.device.show_ended(id, EndReason::SignedOut).await?;
        // What it had replaced is not left behind either; if this fails, it is tried again later.
        if let Err(error) = self.remove_replaced_that(|known| known.by == *id).await {
            tracing::warn!(%error, "the sign-in that this one replaced is still stored");
        }
        let Some(Content::Tokens(tokens)) = old else {
            return Ok(Revocation::NotNeeded);
        };
        Ok(
            if revoke(&self.device.http, &tokens, Revoke::Everything).await {
                Revocation::Done
            } else {
                Revocation::Failed
            },
        )
    }

    /// Deletes a Connection, its secrets first. Nothing is revoked; see [`SignIn::sign_out`].
    ///
    /// # Errors
    ///
    /// A Vault or list that could not be written.
    pub async fn remove(&self, id: &ConnectionId) -> Result<(), SessionError> {
        self.remove_record(id, |_, _| true).await
    }

    /// Forgets a Connection if the list says under its lock that it is `wanted`.
    async fn remove_record(
        &self,
        id: &ConnectionId,
        wanted: fn(&Index, &ConnectionId) -> bool,
    ) -> Result<(), SessionError> {
        let _lock = self.device.lock(id).await?;
        let (records, index) = (self.device.records.clone(), self.device.index.clone());
        let (list, gone) = (index.clone(), id.clone());
        if !blocking(move || Ok::<_, IndexError>(wanted(&list.read()?, &gone))).await? {
            return Ok(());
        }
        self.session(id).forget();
        let id = id.clone();
        let gone = id.clone();
        blocking(move || records.delete(&gone)).await?;
        blocking(move || index.update(|index| index.remove(&id))).await?;
        Ok(())
    }

    /// Replaces a record under its lock and returns what it held.
    async fn replace(
        &self,
        id: &ConnectionId,
        content: Content,
    ) -> Result<Option<Content>, ReplaceError> {
        let held = self.device.lock(id).await?;
        self.session(id).forget();
        Ok(self.device.replace(&held, id, content).await?)
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("folder", &self.device.folder)
            .finish_non_exhaustive()
    }
}
