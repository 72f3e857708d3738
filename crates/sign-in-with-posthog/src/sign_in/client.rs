//! The client id of this device at an issuer: registered once, kept, registered anew when forgotten.

use serde::Deserialize;

use super::{BeginError, SignIn};
use crate::attempt::Attempt;
use crate::host::Host;
use crate::http;
use crate::metadata::Metadata;
use crate::registration::{self, RegistrationError};
use crate::session::blocking;
use crate::token_endpoint::TokenError;

impl SignIn {
    pub(super) async fn register(
        &self,
        host: &Host,
        metadata: &Metadata,
    ) -> Result<String, BeginError> {
        let endpoint = metadata
            .registration_endpoint
            .as_ref()
            .ok_or_else(|| RegistrationError::NotOffered(host.name()))?;
        let client_id = registration::register(&self.0.http, endpoint, &self.0.client_name).await?;
        let (index, issuer, id) = (
            self.0.index.clone(),
            metadata.issuer.clone(),
            client_id.clone(),
        );
        blocking(move || index.update(|index| index.client_ids.insert(issuer, id))).await?;
        Ok(client_id)
    }

    /// False only where the server says that it does not know the client.
    pub(super) async fn is_known_client(&self, probe: &Attempt) -> bool {
        #[derive(Deserialize)]
        struct Refusal {
            error: String,
            #[serde(default)]
            error_description: String,
        }
        let request = self.0.http.get(probe.authorization_url().clone());
        let Ok(answer) = http::send(request).await else {
            return true;
        };
        if !answer.status.is_client_error() {
            return true;
        }
        answer.json::<Refusal>().is_none_or(|refusal| {
            let about_the_client = refusal.error == "invalid_client"
                || refusal.error_description.contains("client_id");
            !about_the_client
        })
    }

    /// A client that the token endpoint does not know is registered anew by the next Attempt.
    pub(super) async fn forget_client(&self, attempt: &Attempt, error: &TokenError) {
        let unknown =
            matches!(error, TokenError::Configuration { error, .. } if error == "invalid_client");
        if unknown && attempt.registered_dynamically {
            let (index, issuer) = (self.0.index.clone(), attempt.metadata.issuer.clone());
            let forgotten =
                blocking(move || index.update(|index| index.client_ids.remove(&issuer))).await;
            if let Err(error) = forgotten {
                tracing::warn!(%error, "the client id could not be forgotten");
            }
        }
    }
}
