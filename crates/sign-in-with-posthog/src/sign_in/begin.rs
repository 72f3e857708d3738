//! The first half of a sign-in: metadata, a client id, an Attempt.

use url::Url;

use super::SignIn;
use super::client::check_configured;
use super::error::BeginError;
use crate::attempt::{Attempt, AttemptRequest};
use crate::host::Host;
use crate::metadata::Metadata;
use crate::scope::Scopes;

impl SignIn {
    /// Begins an Attempt whose response comes to `redirect_uri`. The listener there must be bound already.
    ///
    /// # Errors
    ///
    /// Metadata that is missing or unsafe, a client id that cannot be had or used, no network.
    pub async fn begin(
        &self,
        host: &Host,
        redirect_uri: &Url,
        extra_scopes: &Scopes,
    ) -> Result<Attempt, BeginError> {
        let metadata = Metadata::fetch(&self.device.http, host).await?;
        let scopes = self.device.scopes.with(extra_scopes);
        let request = |client_id: String, registered_dynamically| AttemptRequest {
            host: host.clone(),
            metadata: metadata.clone(),
            client_id,
            registered_dynamically,
            scopes: scopes.clone(),
            redirect_uri: redirect_uri.clone(),
            started_at: self.device.clock.unix_seconds(),
        };
        if let Some(client_id) = &self.device.client_id {
            // Registered by hand, or the address of a metadata document: never registered, never forgotten.
            check_configured(client_id)?;
            return Ok(Attempt::new(request(client_id.clone(), false)));
        }
        let known = self
            .device
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

    /// Finds out why no response came. Returns true if PostHog has forgotten this device's client id, which shows
    /// an error page in the browser. The client id is dropped, and the next sign-in registers again.
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
}
