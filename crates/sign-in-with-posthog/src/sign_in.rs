//! The façade: begin, complete, list, use, sign out.

mod checkup;
mod client;
mod error;
mod identity;
mod replaced;
mod vault;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::api_key::{self, ApiKeyError};
use crate::attempt::{ATTEMPT_SECONDS, Attempt, AttemptRequest, is_address};
use crate::callback::AuthorizationResponse;
use crate::clock::{Clock, SystemClock};
use crate::connection::{
    Account, Connection, ConnectionId, ConnectionState, CredentialKind, EndReason, Grant, Reach,
};
use crate::file::{self, FileError, Lock};
use crate::host::Host;
use crate::index::{Index, IndexError, IndexFile};
use crate::metadata::Metadata;
use crate::record::{Content, Record, TokenSet};
use crate::refreshes::UnderWay;
use crate::revocation::{Revocation, Revoke, revoke, revoke_leftover};
use crate::scope::Scopes;
use crate::session::{Session, SessionError, Shared, blocking, finished};
use crate::token_endpoint::{self, Exchanged, Leftover, TokenAnswer};
use crate::vault::{Vault, VaultChoice, default_device_folder};
pub(crate) use error::ReplaceError;
pub use error::{BeginError, CompleteError, MoveError};
use identity::patiently;

/// How long a sign-in or sign-out waits for a refresh under way elsewhere.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// What a program says about itself.
#[derive(Clone, Debug)]
pub struct Config {
    /// A folder of the program's own, for the list of Connections, locks and file Vaults.
    pub folder: PathBuf,
    /// The HTTP client, shared with the API calls. It must follow no redirects.
    pub http: reqwest::Client,
    /// The name that the consent page shows. PostHog refuses names that begin with “PostHog”.
    pub client_name: String,
    /// The scopes to ask for.
    pub scopes: Scopes,
    /// Scopes without which an API key is of no use.
    pub api_key_scopes: Scopes,
    /// A client id that was registered by hand, or the https address of a client id metadata document (CIMD);
    /// `None` registers one per device and issuer.
    pub client_id: Option<String>,
    /// Which Vault to choose when the first account signs in.
    pub vault: VaultChoice,
    /// Where the key of the encrypted file lies, away from `folder`; `None` is the user's local state.
    pub device_folder: Option<PathBuf>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// The usual configuration: registered dynamically, the device's own clock.
    pub fn new(folder: PathBuf, http: reqwest::Client, client_name: &str, scopes: Scopes) -> Self {
        Self {
            folder,
            http,
            client_name: client_name.to_owned(),
            scopes,
            api_key_scopes: Scopes::default(),
            client_id: None,
            vault: VaultChoice::Auto,
            device_folder: None,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Signs accounts in and out and hands out their Sessions. Clones share everything.
#[derive(Clone)]
pub struct SignIn(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) index: IndexFile,
    pub(crate) vault: Vault,
    folder: PathBuf,
    client_name: String,
    scopes: Scopes,
    api_key_scopes: Scopes,
    client_id: Option<String>,
    sessions: Mutex<HashMap<ConnectionId, Arc<Shared>>>,
    pub(crate) under_way: UnderWay,
}

impl Inner {
    pub(crate) fn lock_path(&self, id: &ConnectionId) -> PathBuf {
        self.folder.join("locks").join(format!("{id}.lock"))
    }
}

impl SignIn {
    /// Opens the folder. Touches neither the network nor a keychain.
    ///
    /// # Errors
    ///
    /// A folder that cannot be made or kept private.
    pub fn open(config: Config) -> Result<Self, FileError> {
        file::create_private_folder(&config.folder)?;
        let device_folder = device_folder(config.device_folder, &config.folder);
        let vault = Vault::new(
            &config.folder,
            &device_folder,
            &config.client_name,
            config.vault,
        );
        Ok(Self(Arc::new(Inner {
            http: config.http,
            clock: config.clock,
            index: IndexFile::new(&config.folder),
            vault,
            folder: config.folder,
            client_name: config.client_name,
            scopes: config.scopes,
            api_key_scopes: config.api_key_scopes,
            client_id: config.client_id,
            sessions: Mutex::new(HashMap::new()),
            under_way: UnderWay::new(),
        })))
    }

    /// All Connections in the order they were made, ended ones with their reason.
    ///
    /// # Errors
    ///
    /// A list that cannot be read.
    pub fn connections(&self) -> Result<Vec<Connection>, IndexError> {
        let connections = self.0.index.read()?.connections;
        Ok(on_this_device(connections, &self.0.vault))
    }

    /// As [`SignIn::connections`], of a folder that need not be opened: for a program that only shows
    /// what is known and ends, and has no use for an HTTP client.
    ///
    /// # Errors
    ///
    /// A list that cannot be read.
    pub fn connections_in(folder: &Path) -> Result<Vec<Connection>, IndexError> {
        let connections = IndexFile::new(folder).read()?.connections;
        let device_folder = Self::device_folder_in(folder);
        let vault = Vault::new(folder, &device_folder, "", VaultChoice::Auto);
        Ok(on_this_device(connections, &vault))
    }

    /// Where the device's key for a sign-in folder is stored: beside the folder if a program has put it there with
    /// [`Config::device_folder`], else in the user's local state. Makes nothing.
    pub fn device_folder_in(folder: &Path) -> PathBuf {
        let apart = Some(folder.with_extension("device"));
        let apart = apart.filter(|apart| apart.join("device.key").exists());
        device_folder(apart, folder)
    }

    /// Begins an Attempt that comes back to `redirect_uri`, which must be bound already (rule B5).
    ///
    /// # Errors
    ///
    /// Metadata that breaks rule B1 or B2, no registration, an unusable configured client id, no network.
    pub async fn begin(
        &self,
        host: &Host,
        redirect_uri: &Url,
        extra_scopes: &Scopes,
    ) -> Result<Attempt, BeginError> {
        let metadata = Metadata::fetch(&self.0.http, host).await?;
        let scopes = self.0.scopes.with(extra_scopes);
        let request = |client_id: String, registered_dynamically| AttemptRequest {
            host: host.clone(),
            metadata: metadata.clone(),
            client_id,
            registered_dynamically,
            scopes: scopes.clone(),
            redirect_uri: redirect_uri.clone(),
            started_at: self.0.clock.unix_seconds(),
        };
        if let Some(client_id) = &self.0.client_id {
            // Registered by hand, or the address of a metadata document: never registered, never forgotten.
            client::check_configured(client_id)?;
            return Ok(Attempt::new(request(client_id.clone(), false)));
        }
        let known = self
            .0
            .index
            .read()?
            .client_ids
            .get(&metadata.issuer)
            .cloned();
        if let Some(client_id) = known {
            // An unknown client ends on a dead page in the browser, so it is looked up first.
            if self.is_forgotten(&metadata, &client_id, redirect_uri).await {
                tracing::info!(
                    host = host.key(),
                    "the client id was forgotten; registering again"
                );
                self.drop_client(&metadata.issuer, &client_id).await;
            } else {
                return Ok(Attempt::new(request(client_id, true)));
            }
        }
        let client_id = self.register(host, &metadata).await?;
        Ok(Attempt::new(request(client_id, true)))
    }

    /// Looks up why nobody answered an Attempt. True if PostHog has forgotten this device's client id
    /// meanwhile, which ends on a dead page in the browser: it is dropped, and the next sign-in registers
    /// again.
    pub async fn was_forgotten(&self, attempt: &Attempt) -> bool {
        if !attempt.registered_dynamically {
            return false;
        }
        let (metadata, client_id) = (&attempt.metadata, &attempt.client_id);
        let forgotten = self
            .is_forgotten(metadata, client_id, attempt.redirect_uri())
            .await;
        if forgotten {
            self.drop_client(&metadata.issuer, client_id).await;
        }
        forgotten
    }

    /// Ends an Attempt: checks the response, exchanges the code, stores the tokens. Goes on where the caller
    /// goes away, as a browser does whose page is reloaded: the code cannot be had twice.
    ///
    /// # Errors
    ///
    /// [`CompleteError::Callback`] leaves the Attempt open; any other error uses it up.
    pub async fn complete(
        &self,
        attempt: &Attempt,
        response: &AuthorizationResponse,
    ) -> Result<Connection, CompleteError> {
        attempt.accepts(response)?;
        if !attempt.take() {
            return Err(CompleteError::AlreadyUsed);
        }
        let (sign_in, attempt, response) = (self.clone(), attempt.clone(), response.clone());
        let task = tokio::spawn(async move { sign_in.exchange(&attempt, &response).await });
        finished(task.await).await
    }

    async fn exchange(
        &self,
        attempt: &Attempt,
        response: &AuthorizationResponse,
    ) -> Result<Connection, CompleteError> {
        let age = self
            .0
            .clock
            .unix_seconds()
            .saturating_sub(attempt.started_at);
        if age > ATTEMPT_SECONDS {
            return Err(CompleteError::Expired);
        }
        let code = match &response.result {
            Ok(code) => code,
            Err(error) if error.error == "access_denied" => return Err(CompleteError::Denied),
            Err(error) => return Err(CompleteError::Refused(error.clone())),
        };
        let before = self.0.clock.unix_seconds();
        // The keys are public and needed in a moment; one wait serves both.
        let keys = self.early_keys(attempt);
        let exchanged = patiently(|| token_endpoint::exchange(&self.0.http, attempt, code)).await;
        let answer = match exchanged {
            Ok(Exchanged::Tokens(answer)) => answer,
            Ok(Exchanged::Unusable { error, leftover }) => {
                self.discard(attempt, &leftover).await;
                return Err(error.into());
            }
            Err(error) => {
                if error.is_unknown_client() && attempt.registered_dynamically {
                    self.drop_client(&attempt.metadata.issuer, &attempt.client_id)
                        .await;
                }
                return Err(error.into());
            }
        };
        let account = match self.identify(attempt, &answer, keys).await {
            Ok(account) => account,
            Err(error) => {
                self.discard(attempt, &answer.leftover()).await;
                return Err(error);
            }
        };
        let reach = match answer.reach.clone() {
            Some(reach) => reach,
            None => self.introspect(attempt, &answer).await.unwrap_or_default(),
        };
        let tokens = token_set(attempt, answer, &account, before);
        self.store(attempt, account, reach, tokens).await
    }

    /// Adds a personal API key for `host`.
    ///
    /// # Errors
    ///
    /// A key that PostHog refuses or that may do too little, with the missing scopes by name.
    pub async fn add_api_key(
        &self,
        host: &Host,
        key: &SecretString,
    ) -> Result<Connection, ApiKeyError> {
        let known = api_key::look_up(&self.0.http, host, key, &self.0.api_key_scopes).await?;
        let _hold = self.hold_vault(false).await.map_err(ReplaceError::from)?;
        let backend = self.choose_vault().await.map_err(ReplaceError::from)?;
        let connection = Connection {
            id: ConnectionId::new(host, CredentialKind::ApiKey, &known.account.subject),
            host: host.clone(),
            kind: CredentialKind::ApiKey,
            account: known.account,
            grant: known.grant,
            state: ConnectionState::Active,
            vault: backend,
            signed_in_at: self.0.clock.unix_seconds(),
            last_refresh_at: None,
            expires_at: None,
            ended_at: None,
        };
        let content = Content::ApiKey {
            key: known.key,
            issuer: Some(host.issuer()),
        };
        self.replace(&connection.id, content).await?;
        self.show(connection.clone()).await?;
        Ok(connection)
    }

    /// The Session of a Connection, bound to its Host and kind: a credential that is sealed for another one
    /// is refused, whatever the list of Connections says. The same one for everybody in this process.
    pub fn session_of(&self, connection: &Connection) -> Session {
        Session::new(
            Arc::clone(&self.0),
            self.shared(&connection.id),
            Some(connection),
        )
    }

    /// As [`SignIn::session_of`], for a caller that sends a token only to its [`AccessToken::issuer`].
    ///
    /// [`AccessToken::issuer`]: crate::AccessToken::issuer
    pub fn session(&self, id: &ConnectionId) -> Session {
        Session::new(Arc::clone(&self.0), self.shared(id), None)
    }

    fn shared(&self, id: &ConnectionId) -> Arc<Shared> {
        let mut sessions = self
            .0
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let shared = sessions
            .entry(id.clone())
            .or_insert_with(|| Arc::new(Shared::new(id.clone())));
        Arc::clone(shared)
    }

    /// Lets no refresh begin from here on and waits for those that are under way: for a program that ends. One
    /// that is cut within a refresh may lose the tokens that PostHog has just issued.
    pub async fn close(&self) {
        self.0.under_way.close().await;
    }

    /// Signs out: first a mark that nobody can bring the session back past (rules V1 and V2), then
    /// revocation. Says what PostHog made of it; here the session is over in any case.
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
        let (index, gone) = (self.0.index.clone(), id.clone());
        let now = self.0.clock.unix_seconds();
        blocking(move || {
            index.update(|index| {
                if let Some(connection) = index.connection_mut(&gone) {
                    connection.end(EndReason::SignedOut, now);
                }
            })
        })
        .await?;
        // What it had replaced is not left behind either; if this fails, it is tried again later.
        if let Err(error) = self.remove_replaced_that(|known| known.by == *id).await {
            tracing::warn!(%error, "what this sign-in had replaced is still stored");
        }
        let Some(Content::Tokens(tokens)) = old else {
            return Ok(Revocation::NotNeeded);
        };
        Ok(if revoke(&self.0.http, &tokens, Revoke::Everything).await {
            Revocation::Done
        } else {
            Revocation::Failed
        })
    }

    /// Forgets a Connection altogether, secrets first. It is not revoked; see [`SignIn::sign_out`].
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
        let _lock = self.lock(id).await?;
        let (vault, index, id) = (self.0.vault.clone(), self.0.index.clone(), id.clone());
        let (list, gone) = (index.clone(), id.clone());
        if !blocking(move || Ok::<_, IndexError>(wanted(&list.read()?, &gone))).await? {
            return Ok(());
        }
        self.session(&id).forget();
        let gone = id.clone();
        blocking(move || vault.delete(&gone)).await?;
        blocking(move || index.update(|index| index.remove(&id))).await?;
        Ok(())
    }

    /// Leaves nothing of a sign-in that did not end well: its tokens are revoked, and a client id that no
    /// Connection uses is dropped, so that the next sign-in begins from nothing.
    async fn discard(&self, attempt: &Attempt, tokens: &Leftover) {
        let used_here = self.connections().unwrap_or_default().iter().any(|known| {
            known.host == attempt.host && known.kind == CredentialKind::OAuth && known.is_active()
        });
        // For a client that registered itself, and for one that is an address, revoking a refresh token
        // ends every sign-in of this user by that client id: the one that is in use here, or those of other
        // devices.
        let sweeps = (attempt.registered_dynamically && used_here) || attempt.has_shared_client();
        let which = if sweeps {
            Revoke::AccessTokenOnly
        } else {
            Revoke::Everything
        };
        let endpoint = attempt.metadata.revocation_endpoint.as_ref();
        revoke_leftover(&self.0.http, endpoint, &attempt.client_id, tokens, which).await;
        if attempt.registered_dynamically && !used_here {
            self.drop_client(&attempt.metadata.issuer, &attempt.client_id)
                .await;
        }
    }

    async fn store(
        &self,
        attempt: &Attempt,
        account: Account,
        reach: Reach,
        tokens: TokenSet,
    ) -> Result<Connection, CompleteError> {
        let _hold = self.hold_vault(false).await?;
        let backend = self.choose_vault().await?;
        let connection = Connection {
            id: ConnectionId::new(&attempt.host, CredentialKind::OAuth, &account.subject),
            host: attempt.host.clone(),
            kind: CredentialKind::OAuth,
            account,
            grant: Grant {
                scopes: tokens.scopes.clone(),
                reach,
            },
            state: ConnectionState::Active,
            vault: backend,
            signed_in_at: tokens.obtained_at,
            last_refresh_at: None,
            expires_at: Some(tokens.expires_at),
            ended_at: None,
        };
        let client_id = tokens.client_id.clone();
        let content = Content::Tokens(Box::new(tokens.clone()));
        let superseded = match self.replace(&connection.id, content).await {
            Ok(superseded) => superseded,
            Err(error) => {
                self.discard(attempt, &Leftover::from(&tokens)).await;
                return Err(match error {
                    ReplaceError::Lock(error) => CompleteError::Lock(error),
                    ReplaceError::Vault(error) => CompleteError::Vault(error),
                });
            }
        };
        self.show(connection.clone()).await?;
        if let Some(Content::Tokens(old)) = superseded {
            // Rule T9. Revoking the refresh token of a registered client sweeps everything of its
            // client id, the new tokens included.
            let sweeps = old.registered_dynamically || is_address(&old.client_id);
            let which = if sweeps && old.client_id == client_id {
                Revoke::AccessTokenOnly
            } else {
                Revoke::Everything
            };
            revoke(&self.0.http, &old, which).await;
        }
        Ok(connection)
    }

    /// Replaces a record under its lock and returns what it held.
    async fn replace(
        &self,
        id: &ConnectionId,
        content: Content,
    ) -> Result<Option<Content>, ReplaceError> {
        let _lock = self.lock(id).await?;
        self.session(id).forget();
        let (vault, id) = (self.0.vault.clone(), id.clone());
        blocking(move || {
            // A record that cannot be read any more is replaced all the same.
            let old = vault.read(&id).unwrap_or_default();
            let generation = old.as_ref().map_or(0, |record| record.generation);
            let generation = generation.max(vault.generation_seen(&id)) + 1;
            vault.write(&id, &Record::new(generation, content))?;
            Ok(old.map(|record| record.content))
        })
        .await
    }

    async fn lock(&self, id: &ConnectionId) -> Result<Lock, FileError> {
        let path = self.0.lock_path(id);
        blocking(move || Lock::take(&path, LOCK_PATIENCE)?.ok_or_else(|| held_too_long(&path)))
            .await
    }

    async fn show(&self, connection: Connection) -> Result<(), IndexError> {
        let index = self.0.index.clone();
        blocking(move || index.update(|index| index.put(connection))).await
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("folder", &self.0.folder)
            .finish_non_exhaustive()
    }
}

/// Without a home there is no better place than beside the folder.
fn device_folder(chosen: Option<PathBuf>, folder: &Path) -> PathBuf {
    chosen
        .or_else(default_device_folder)
        .unwrap_or_else(|| folder.with_extension("device"))
}

/// The Connections as they are on this device: in a home that several machines share, a sign-in of another one has
/// ended here, and goes on there.
fn on_this_device(mut connections: Vec<Connection>, vault: &Vault) -> Vec<Connection> {
    for connection in &mut connections {
        if connection.is_active() && vault.is_of_another_device(&connection.id) {
            let signed_in_at = connection.signed_in_at;
            connection.end(EndReason::RecordLost, signed_in_at);
        }
    }
    connections
}

fn held_too_long(path: &Path) -> FileError {
    let busy = std::io::Error::from(std::io::ErrorKind::TimedOut);
    FileError::new(path, "another program holds it for too long", busy)
}

fn token_set(attempt: &Attempt, answer: TokenAnswer, account: &Account, before: i64) -> TokenSet {
    TokenSet {
        access_token: answer.access_token,
        refresh_token: answer.refresh_token,
        expires_at: before.saturating_add(answer.expires_in),
        obtained_at: before,
        // Rule T4: absent means as requested.
        scopes: answer.scopes.unwrap_or_else(|| attempt.scopes.clone()),
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
