//! A test harness: a device with one program on it, and the PostHog that it signs in to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sign_in_with_posthog::{
    AccessToken, Attempt, AuthorizationResponse, Clock, CompleteError, Config, Connection, Host,
    Region, Scopes, Session, SignIn, SystemClock, VaultChoice,
};
use test_support::http;
use url::Url;

use crate::posthog::{Kind, PostHog};

pub const REDIRECT: &str = "http://127.0.0.1:45678/callback";

pub struct Harness {
    pub posthog: PostHog,
    pub sign_in: SignIn,
    pub clock: Arc<MovedClock>,
    pub kind: Kind,
    folder: tempfile::TempDir,
}

impl Harness {
    pub fn new(kind: Kind) -> Self {
        let clock = Arc::new(MovedClock::default());
        let posthog = PostHog::start(kind, clock.clone());
        Self::at(posthog, kind, clock, http::client())
    }

    pub fn at(posthog: PostHog, kind: Kind, clock: Arc<MovedClock>, http: reqwest::Client) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sign_in = SignIn::open(config(folder.path(), kind, clock.clone(), http)).unwrap();
        Self {
            posthog,
            sign_in,
            clock,
            kind,
            folder,
        }
    }

    /// Everything that the program writes is in here.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The same program started once more: another process, as far as memory goes.
    pub fn another_program(&self) -> SignIn {
        self.another_program_with(http::client())
    }

    pub fn another_program_with(&self, http: reqwest::Client) -> SignIn {
        let config = config(self.folder.path(), self.kind, self.clock.clone(), http);
        SignIn::open(config).unwrap()
    }

    /// The same program with a configured client id.
    pub fn another_program_as(&self, client_id: &str) -> SignIn {
        let folder = self.folder.path();
        let mut config = config(folder, self.kind, self.clock.clone(), http::client());
        config.client_id = Some(client_id.to_owned());
        SignIn::open(config).unwrap()
    }

    pub fn host(&self) -> Host {
        Host::cloud_at(Region::Us, self.posthog.base()).unwrap()
    }

    pub async fn begin(&self) -> Attempt {
        let redirect: Url = REDIRECT.parse().unwrap();
        self.sign_in
            .begin(&self.host(), &redirect, &Scopes::default())
            .await
            .unwrap()
    }

    pub async fn connect(&self) -> Connection {
        self.try_to_connect().await.unwrap()
    }

    pub async fn try_to_connect(&self) -> Result<Connection, CompleteError> {
        let attempt = self.begin().await;
        let response = self.agree(&attempt);
        self.sign_in.complete(&attempt, &response).await
    }

    /// The user agrees on PostHog's page.
    pub fn agree(&self, attempt: &Attempt) -> AuthorizationResponse {
        let query = self.posthog.agree(attempt.authorization_url());
        AuthorizationResponse::parse_query(&query).unwrap()
    }

    /// A token that PostHog takes.
    pub async fn token(&self, connection: &Connection) -> AccessToken {
        let token = self.session(connection).access_token().await.unwrap();
        assert!(self.posthog.accepts(token.expose()));
        token
    }

    pub fn session(&self, connection: &Connection) -> Session {
        self.sign_in.session(&connection.id)
    }

    /// The access token expires in `seconds`.
    pub fn leave(&self, seconds: i64) {
        self.clock.advance(self.kind.lifetime() - seconds);
    }
}

fn config(folder: &Path, kind: Kind, clock: Arc<MovedClock>, http: reqwest::Client) -> Config {
    let scopes = Scopes::parse("openid profile project:read query:read");
    let mut config = Config::new(folder.join("sign-in"), "PocketHog", scopes);
    config.http = Some(http);
    config.api_key_scopes = Scopes::parse("project:read query:read");
    config.clock = clock;
    config.vault = VaultChoice::EncryptedFile;
    config.device_folder = Some(folder.join("device"));
    if kind == Kind::Rotating {
        config.client_id = Some("by-hand".into());
    }
    config
}

/// One that does not wait long for an answer.
pub fn impatient_http() -> reqwest::Client {
    let http = http::client_builder().read_timeout(Duration::from_millis(100));
    http.build().unwrap()
}

/// One that trusts the certificate of [`PostHog::start_with_tls`].
pub fn trusting_http() -> reqwest::Client {
    let certificate = include_bytes!("keys/tls_certificate.der");
    http::client_builder()
        .tls_certs_only([reqwest::Certificate::from_der(certificate).unwrap()])
        .build()
        .unwrap()
}

/// The time at which the test began, and what it has added since: a pause does not end while the machine
/// is busy with something else.
#[derive(Debug)]
pub struct MovedClock(AtomicI64);

impl Default for MovedClock {
    fn default() -> Self {
        Self(AtomicI64::new(SystemClock.unix_seconds()))
    }
}

impl MovedClock {
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clock for MovedClock {
    fn unix_seconds(&self) -> i64 {
        self.now()
    }
}
