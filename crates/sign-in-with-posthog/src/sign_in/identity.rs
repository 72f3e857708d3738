//! Who signed in and how far the grant reaches, asked right after the code was exchanged.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinHandle;
use url::Url;

use super::SignIn;
use super::error::CompleteError;
use crate::attempt::Attempt;
use crate::connection::{Account, Reach};
use crate::http;
use crate::id_token::{self, Claims, Expected, IdTokenError, Keys};
use crate::token_endpoint::{self, TokenError, TokenResponse};

/// How long the keys may take before they are needed.
const EARLY_TIME: Duration = Duration::from_secs(5);

impl SignIn {
    /// Asks for the keys of the issuer before there is anything to check. Not having them in time is no error:
    /// who needs them asks again.
    pub(super) fn early_keys(&self, attempt: &Attempt) -> JoinHandle<Option<Keys>> {
        let (sign_in, jwks) = (self.clone(), attempt.metadata.jwks_uri.clone());
        tokio::spawn(async move {
            let keys = sign_in.keys(jwks.as_ref()?);
            tokio::time::timeout(EARLY_TIME, keys).await.ok()?.ok()
        })
    }

    /// Who signed in: the `id_token`, checked with these keys or newer ones, else userinfo.
    pub(super) async fn identify(
        &self,
        attempt: &Attempt,
        answer: &TokenResponse,
        keys: JoinHandle<Option<Keys>>,
    ) -> Result<Account, CompleteError> {
        if let (Some(id_token), Some(jwks)) = (&answer.id_token, &attempt.metadata.jwks_uri) {
            let claims = self
                .check_id_token(attempt, answer, keys, id_token, jwks)
                .await?;
            let mut account = account(claims);
            if account.name.is_none() && account.email.is_none() {
                // The claims may be in userinfo only. A missing name is no reason to fail.
                if let Some(said) = self.userinfo(attempt, answer).await
                    && said.sub == account.subject
                {
                    account.name = said.full_name();
                    account.email = said.email();
                }
            }
            return Ok(account);
        }
        let said = self
            .userinfo(attempt, answer)
            .await
            .filter(|said| !said.sub.is_empty())
            .ok_or(CompleteError::NoIdentity)?;
        Ok(Account {
            name: said.full_name(),
            email: said.email(),
            subject: said.sub,
        })
    }

    async fn check_id_token(
        &self,
        attempt: &Attempt,
        answer: &TokenResponse,
        early: JoinHandle<Option<Keys>>,
        id_token: &SecretString,
        jwks: &Url,
    ) -> Result<Claims, CompleteError> {
        let expected = Expected {
            issuer: &attempt.metadata.issuer,
            client_id: &attempt.client_id,
            nonce: &attempt.nonce,
            access_token: &answer.access_token,
            now: self.device.clock.unix_seconds(),
        };
        let token = id_token.expose_secret();
        let mut result = Err(IdTokenError::UnknownKey);
        let mut keys = early.await.ok().flatten();
        // A key that is not published yet is asked for once more.
        for _ in 0..2 {
            let keys = match keys.take() {
                Some(keys) => keys,
                None => token_endpoint::retry_while_busy(|| self.keys(jwks)).await?,
            };
            result = id_token::check(token, &keys, &expected);
            if result != Err(IdTokenError::UnknownKey) {
                break;
            }
        }
        Ok(result?)
    }

    async fn keys(&self, jwks: &Url) -> Result<Keys, TokenError> {
        let answer = http::send(self.device.http.get(jwks.clone())).await?;
        let status = answer.status.as_u16();
        answer.json().ok_or(TokenError::Busy {
            status,
            retry_after: answer.retry_after,
        })
    }

    async fn userinfo(&self, attempt: &Attempt, answer: &TokenResponse) -> Option<UserInfo> {
        let endpoint = attempt.metadata.userinfo_endpoint.clone()?;
        let request = self
            .device
            .http
            .get(endpoint)
            .bearer_auth(answer.access_token.expose_secret());
        http::send(request).await.ok()?.json()
    }

    /// The Reach, if the token response does not say: a token may introspect itself.
    pub(super) async fn introspect(
        &self,
        attempt: &Attempt,
        answer: &TokenResponse,
    ) -> Option<Reach> {
        #[derive(Deserialize)]
        struct Introspection {
            active: bool,
            #[serde(default)]
            scoped_teams: Option<Value>,
            #[serde(default)]
            scoped_organizations: Option<Value>,
        }
        let endpoint = attempt.metadata.introspection_endpoint.clone()?;
        let token = answer.access_token.expose_secret();
        let request = self
            .device
            .http
            .post(endpoint)
            .bearer_auth(token)
            .form(&[("token", token)]);
        let said: Introspection = http::send(request).await.ok()?.json()?;
        let (teams, organizations) = (&said.scoped_teams, &said.scoped_organizations);
        Reach::from_json(teams.as_ref(), organizations.as_ref()).filter(|_| said.active)
    }
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    given_name: Option<String>,
    #[serde(default)]
    family_name: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

impl UserInfo {
    fn email(&self) -> Option<String> {
        self.email.clone().filter(|email| !email.is_empty())
    }

    fn full_name(&self) -> Option<String> {
        Account::name_of(
            self.name.as_deref(),
            self.given_name.as_deref(),
            self.family_name.as_deref(),
        )
    }
}

fn account(claims: Claims) -> Account {
    Account {
        name: Account::name_of(
            claims.name.as_deref(),
            claims.given_name.as_deref(),
            claims.family_name.as_deref(),
        ),
        subject: claims.sub,
        email: claims.email.filter(|email| !email.is_empty()),
    }
}
