//! The second half of a sign-in: the response is checked, the code exchanged, the tokens stored.

use super::SignIn;
use super::error::CompleteError;
use crate::attempt::{ATTEMPT_SECONDS, Attempt, is_address};
use crate::callback::AuthorizationResponse;
use crate::connection::{
    Account, Connection, ConnectionId, ConnectionState, CredentialKind, Grant, Reach,
};
use crate::device::ReplaceError;
use crate::record::Content;
use crate::revocation::{Revoke, revoke, revoke_leftover};
use crate::task::finished;
use crate::token_endpoint::{self, Exchanged, Leftover};
use crate::token_set::TokenSet;

impl SignIn {
    /// Ends an Attempt: checks the response, exchanges the code, stores the tokens. It continues if the caller is
    /// dropped, for example because a browser's page was reloaded: a code is issued only once.
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
            .device
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
        let before = self.device.clock.unix_seconds();
        // The keys are public and needed in a moment; one wait serves both.
        let keys = self.early_keys(attempt);
        let exchanged = token_endpoint::retry_while_busy(|| {
            token_endpoint::exchange(&self.device.http, attempt, code)
        })
        .await;
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
        let tokens = TokenSet::issued(attempt, answer, &account, before);
        self.store(attempt, account, reach, tokens).await
    }

    /// Cleans up after a sign-in that failed: its tokens are revoked, and a client id that no Connection uses is
    /// dropped, so that the next sign-in starts afresh.
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
        revoke_leftover(
            &self.device.http,
            endpoint,
            &attempt.client_id,
            tokens,
            which,
        )
        .await;
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
        let _hold = self.device.hold_vault(false).await?;
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
                self.discard(attempt, &tokens.leftover()).await;
                return Err(match error {
                    ReplaceError::Lock(error) => CompleteError::Lock(error),
                    ReplaceError::Vault(error) => CompleteError::Vault(error),
                });
            }
        };
        self.device.show(connection.clone()).await?;
        if let Some(Content::Tokens(old)) = superseded {
            // Rule T9. Revoking the refresh token of a registered client sweeps everything of its
            // client id, the new tokens included.
            let sweeps = old.registered_dynamically || is_address(&old.client_id);
            let which = if sweeps && old.client_id == client_id {
                Revoke::AccessTokenOnly
            } else {
                Revoke::Everything
            };
            revoke(&self.device.http, &old, which).await;
        }
        Ok(connection)
    }
}
