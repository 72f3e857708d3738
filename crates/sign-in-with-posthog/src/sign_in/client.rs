//! The client id of this device at an issuer: registered once, kept, registered again when forgotten.

use url::Url;

use super::SignIn;
use super::error::BeginError;
use crate::attempt::is_address;
use crate::host::Host;
use crate::metadata::Metadata;
use crate::registration::{self, RegistrationError};
use crate::task::blocking;
use crate::token_endpoint;

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
        let name = &self.device.client_name;
        let client_id = registration::register(&self.device.http, host, endpoint, name).await?;
        let (index, issuer, id) = (
            self.device.index.clone(),
            metadata.issuer.clone(),
            client_id.clone(),
        );
        blocking(move || index.update(|index| index.client_ids.insert(issuer, id))).await?;
        Ok(client_id)
    }

    /// Whether the server says that it does not know the client.
    pub(super) async fn is_forgotten(
        &self,
        metadata: &Metadata,
        client_id: &str,
        redirect_uri: &Url,
    ) -> bool {
        let endpoint = &metadata.token_endpoint;
        let known =
            token_endpoint::knows_client(&self.device.http, endpoint, client_id, redirect_uri)
                .await;
        known == Some(false)
    }

    /// Drops a client id, unless another one has taken its place in the meantime.
    pub(super) async fn drop_client(&self, issuer: &str, client_id: &str) {
        let (index, issuer, id) = (
            self.device.index.clone(),
            issuer.to_owned(),
            client_id.to_owned(),
        );
        let dropped = blocking(move || {
            index.update(|index| {
                if index.client_ids.get(&issuer) == Some(&id) {
                    index.client_ids.remove(&issuer);
                }
            })
        });
        if let Err(error) = dropped.await {
            tracing::warn!(%error, "the client id could not be forgotten");
        }
    }
}

/// A configured client id that cannot work ends on a dead page in the browser, so it is refused before. The
/// rules for addresses are those of PostHog (OAuth Client ID Metadata Document, section 3).
pub(super) fn check_configured(client_id: &str) -> Result<(), BeginError> {
    let usable = if is_address(client_id) {
        Url::parse(client_id).is_ok_and(|url| {
            url.scheme() == "https"
                && url.path() != "/"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
                // Compared byte for byte with what the document says, so written as it is sent.
                && url.as_str() == client_id
        })
    } else {
        !client_id.is_empty() && client_id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if usable {
        Ok(())
    } else {
        Err(BeginError::ClientId(crate::http::words(client_id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_client_id_is_a_word_or_the_address_of_a_document() {
        for usable in [
            "by-hand",
            "kAx8JwE3yTnZ0",
            "https://example.org/pockethog.json",
            "https://example.org:8443/a/b",
        ] {
            assert!(check_configured(usable).is_ok(), "{usable}");
        }
        for unusable in [
            "",
            "two words",
            "http://example.org/client.json",
            "https://example.org/",
            "https://example.org",
            "https://example.org/client.json?a=b",
            "https://example.org/client.json#a",
            "https://ada@example.org/client.json",
            "https://EXAMPLE.org/client.json",
            "ftp://example.org/client.json",
            "://",
        ] {
            assert!(check_configured(unusable).is_err(), "{unusable}");
        }
    }
}
