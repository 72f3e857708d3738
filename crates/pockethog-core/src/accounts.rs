//! The PostHog hosts this program talks to, with which accounts and permissions.

use std::path::PathBuf;
use std::sync::Arc;

use pockethog_device::folders::Folders;
use posthog_api::{Bearer, BearerError, Client, Limits, RateLimiter, Token};
use sign_in_with_posthog::{
    AccessToken, Config, Connection, CredentialKind, Host, HostError, OpenError, Region, Scopes,
    Session, SessionError, SignIn, VaultChoice, default_device_folder,
};

/// The scopes that PocketHog asks for, exactly these.
pub const SCOPES: &str = "openid profile organization:read project:read query:read \
                          event_definition:read annotation:read annotation:write";

/// The extra scope behind “Also show my e-mail address”.
pub const EMAIL_SCOPE: &str = "email";

/// Without these an API key shows nothing at all.
const API_KEY_SCOPES: &str = "project:read query:read";

/// What PocketHog is called on the consent page.
const CLIENT_NAME: &str = "PocketHog";

/// The API client of one Connection.
pub type ApiClient = Client<SessionBearer>;

/// The addresses of US and EU Cloud, which the environment may replace for tests and development.
#[derive(Clone, Debug)]
pub struct Clouds {
    us: Host,
    eu: Host,
    /// The self-hosted PostHog of a demo, beside which there is no other.
    demo: Option<Host>,
}

/// Why a Host cannot be chosen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// It is no address of a PostHog.
    #[error(transparent)]
    Address(#[from] HostError),
    /// This is a demo, and it is not one of the demo's.
    #[error(
        "a demo can only sign in to its own PostHogs, which are us, eu and {0}; to sign in to a real one, start PocketHog without the demo"
    )]
    NotTheDemos(String),
}

impl Clouds {
    /// From `POCKETHOG_US_URL` and `POCKETHOG_EU_URL`.
    ///
    /// # Errors
    ///
    /// A replacement that is no address or would send tokens in clear.
    pub fn from_environment() -> Result<Self, HostError> {
        let host = |region, variable| match std::env::var(variable) {
            Ok(address) if !address.trim().is_empty() => Host::cloud_at(region, &address),
            _ => Ok(Host::cloud(region)),
        };
        Ok(Self {
            us: host(Region::Us, "POCKETHOG_US_URL")?,
            eu: host(Region::Eu, "POCKETHOG_EU_URL")?,
            demo: None,
        })
    }

    /// Two addresses.
    ///
    /// # Errors
    ///
    /// As [`Clouds::from_environment`].
    pub fn at(us: &str, eu: &str) -> Result<Self, HostError> {
        Ok(Self {
            us: Host::cloud_at(Region::Us, us)?,
            eu: Host::cloud_at(Region::Eu, eu)?,
            demo: None,
        })
    }

    /// The three PostHogs of a demo. Nothing else can be chosen.
    ///
    /// # Errors
    ///
    /// As [`Clouds::from_environment`].
    pub fn of_demo(us: &str, eu: &str, self_hosted: &str) -> Result<Self, HostError> {
        Ok(Self {
            demo: Some(Host::self_hosted(self_hosted)?),
            ..Self::at(us, eu)?
        })
    }

    /// Whether they are those of a demo.
    pub fn is_demo(&self) -> bool {
        self.demo.is_some()
    }

    /// The Host of a region.
    pub fn host(&self, region: Region) -> &Host {
        match region {
            Region::Us => &self.us,
            Region::Eu => &self.eu,
        }
    }

    /// The Host that a person typed: `us`, `eu` or an address.
    ///
    /// # Errors
    ///
    /// As [`Host::self_hosted`], and in a demo every Host that is not one of its own.
    pub fn parse(&self, typed: &str) -> Result<Host, ChoiceError> {
        match typed.trim().to_ascii_lowercase().as_str() {
            "us" => return Ok(self.us.clone()),
            "eu" => return Ok(self.eu.clone()),
            _ => {}
        }
        let host = Host::self_hosted(typed)?;
        if let Some(region) = host.region() {
            return Ok(self.host(region).clone());
        }
        // The replaced address of a region is that region.
        let mut clouds = [&self.us, &self.eu].into_iter();
        if let Some(cloud) = clouds.find(|cloud| cloud.base_url() == host.base_url()) {
            return Ok(cloud.clone());
        }
        match &self.demo {
            Some(own) if *own != host => Err(ChoiceError::NotTheDemos(own.issuer())),
            _ => Ok(host),
        }
    }
}

/// Where secrets are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretStore {
    /// In the keychain of this device, or in an encrypted file if the device has no keychain.
    System,
    /// In an encrypted file whose key is in the same home: nothing outside of it is touched.
    Isolated,
}

/// Opens the signed-in accounts of this device.
///
/// # Errors
///
/// A folder that cannot be made or kept private.
pub fn open(
    folders: &Folders,
    http: reqwest::Client,
    keeping: SecretStore,
) -> Result<SignIn, OpenError> {
    let scopes = Scopes::parse(SCOPES);
    let mut config = Config::new(folders.state.clone(), CLIENT_NAME, scopes);
    config.http = Some(http);
    config.api_key_scopes = Scopes::parse(API_KEY_SCOPES);
    match keeping {
        SecretStore::System => {
            config.client_id = std::env::var("POCKETHOG_CLIENT_ID")
                .ok()
                .map(|id| id.trim().to_owned())
                .filter(|id| !id.is_empty());
        }
        SecretStore::Isolated => {
            config.vault = VaultChoice::EncryptedFile;
        }
    }
    config.device_folder = Some(device_folder(folders, keeping));
    SignIn::open(config)
}

/// Where the key of this device is stored.
pub fn device_folder(folders: &Folders, keeping: SecretStore) -> PathBuf {
    let beside = folders.state.with_extension("device");
    match keeping {
        SecretStore::System => default_device_folder().unwrap_or(beside),
        SecretStore::Isolated => beside,
    }
}

/// The scopes of a Connection that were not granted.
pub fn missing_scopes(connection: &Connection) -> Vec<String> {
    let objects: Scopes = SCOPES
        .split_whitespace()
        .filter(|scope| scope.contains(':'))
        .collect();
    connection.grant.scopes.missing_from(&objects)
}

/// Where PostHog lists the applications that may act for a user, and removes them.
pub fn removal_page(connection: &Connection) -> String {
    let base = connection.host.base_url().as_str();
    format!(
        "{}/settings/user-connected-apps",
        base.trim_end_matches('/')
    )
}

/// The API client of a Connection.
pub fn client(http: &reqwest::Client, sign_in: &SignIn, connection: &Connection) -> ApiClient {
    let bearer = SessionBearer(Arc::new(sign_in.session_of(connection)));
    let limits = match connection.kind {
        CredentialKind::ApiKey => Limits::API_KEY,
        CredentialKind::OAuth => Limits::OAUTH,
    };
    Client::new(
        http.clone(),
        connection.host.base_url().clone(),
        bearer,
        RateLimiter::new(limits),
    )
}

/// Lets the API client ask a Session for its tokens.
#[derive(Clone, Debug)]
pub struct SessionBearer(Arc<Session>);

/// An access token of a Session.
#[derive(Clone, Debug)]
pub struct SessionToken(AccessToken);

impl Token for SessionToken {
    fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl Bearer for SessionBearer {
    type Token = SessionToken;

    async fn token(&self) -> Result<SessionToken, BearerError> {
        self.0
            .access_token()
            .await
            .map(SessionToken)
            .map_err(bearer_error)
    }

    async fn replacement(&self, refused: &SessionToken) -> Result<SessionToken, BearerError> {
        let replacement = self.0.access_token_after_refusal(&refused.0).await;
        replacement.map(SessionToken).map_err(bearer_error)
    }
}

fn bearer_error(error: SessionError) -> BearerError {
    match error {
        SessionError::SignedOut(_) | SessionError::OtherHost(_) => BearerError::signed_out(error),
        SessionError::Busy { retry_after } => BearerError::unavailable(error, Some(retry_after)),
        SessionError::Offline { retry_after, .. } => BearerError::offline(error, retry_after),
        // PostHog was not asked: nothing may say that it is busy.
        SessionError::Closing
        | SessionError::Index(_)
        | SessionError::Keychain(_)
        | SessionError::Lock(_)
        | SessionError::Record(_) => BearerError::locked(error),
        _ => BearerError::unavailable(error, None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sign_in_with_posthog::EndReason;

    use super::*;

    #[test]
    fn the_scopes_are_exactly_the_ones_of_the_design() {
        assert_eq!(SCOPES.split_whitespace().count(), 8);
        assert!(!SCOPES.contains(EMAIL_SCOPE));
    }

    #[test]
    fn why_there_is_no_token_keeps_its_type_and_its_words() {
        let ended = EndReason::RevokedOrExpired;
        let error = posthog_api::Error::from(bearer_error(SessionError::SignedOut(ended)));
        assert_eq!(error.to_string(), ended.sentence());
        let posthog_api::Error::Bearer(error) = error else {
            panic!("not an error of the bearer: {error}");
        };
        let session = error.get_ref().downcast_ref::<SessionError>();
        assert!(matches!(session, Some(SessionError::SignedOut(reason)) if *reason == ended));
    }

    #[test]
    fn a_replaced_cloud_address_is_that_cloud() {
        let clouds = Clouds::at("http://127.0.0.1:1", "http://127.0.0.1:2").unwrap();
        assert_eq!(clouds.parse("http://127.0.0.1:2").unwrap().key(), "eu");
        assert_eq!(
            clouds
                .parse("https://us.posthog.com")
                .unwrap()
                .base_url()
                .port(),
            Some(1)
        );
        assert_eq!(clouds.parse(" EU ").unwrap().key(), "eu");
    }

    #[test]
    fn a_demo_knows_its_own_posthogs_alone() {
        let own = "http://127.0.0.1:3";
        let clouds = Clouds::of_demo("http://127.0.0.1:1", "http://127.0.0.1:2", own).unwrap();
        assert_eq!(clouds.parse(own).unwrap().key(), own);
        for (typed, port) in [("us", 1), ("https://eu.posthog.com", 2)] {
            assert_eq!(clouds.parse(typed).unwrap().base_url().port(), Some(port));
        }
        for typed in ["https://posthog.example.org", "http://127.0.0.1:4"] {
            let refused = clouds.parse(typed).unwrap_err();
            assert!(refused.to_string().contains(own), "{refused}");
        }
    }
}
