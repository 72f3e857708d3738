//! The embedded PostHog, a home folder, and an account that is signed in.

use std::error::Error;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use demo_posthog::{Consent, Demo, Endpoint, Instance, Options, Size};
use pockethog_core::accounts::Clouds;
use pockethog_core::app_context::AppContext;
use pockethog_device::folders::Folders;
use sign_in_with_posthog::{AuthorizationResponse, Connection, Region, Scopes};
use tempfile::TempDir;

use crate::tls::Front;

/// Where the browser would come back to; nobody listens there, the response is handed over.
const REDIRECT: &str = "http://127.0.0.1:47113/callback";

/// One measuring place.
pub struct Harness {
    demo: Demo,
    home: TempDir,
    address: String,
    handshakes: Arc<AtomicUsize>,
}

impl Harness {
    /// A PostHog of this size behind TLS, with nobody signed in.
    pub async fn new(size: Size) -> Result<Self, Box<dyn Error>> {
        let front = Front::bind().await?;
        let address = front.address()?;
        // A port that was free a moment ago: the front has to know it before the region starts.
        let target = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let demo = Demo::start(Options {
            size,
            us_port: target.port(),
            us_address: Some(address.clone()),
            ..Options::default()
        })
        .await?;
        Ok(Self {
            handshakes: front.lead_to(target),
            demo,
            home: tempfile::tempdir()?,
            address,
        })
    }

    /// So many projects in organizations of up to forty, with somebody signed in to all of them.
    pub async fn of(projects: u32) -> Result<Self, Box<dyn Error>> {
        let organizations = projects.div_ceil(40);
        let harness = Self::new(Size::Large {
            organizations,
            projects_each: projects.div_ceil(organizations),
        })
        .await?;
        harness.sign_in(&harness.program()?).await?;
        Ok(harness)
    }

    /// The region that everybody is signed in to.
    pub fn posthog(&self) -> &Instance {
        self.demo.us()
    }

    /// Waits for a new minute where too little of this one is left. PostHog keeps a query's result by the text,
    /// which names the minute: what is asked again within it is answered from the cache, so that the embedded
    /// PostHog computes on the same cores as little as it can.
    pub async fn within_one_minute() {
        const NEEDED: u64 = 25;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let left = 60 - now.unwrap_or_default().as_secs() % 60;
        if left < NEEDED {
            tokio::time::sleep(Duration::from_secs(left)).await;
        }
    }

    /// Every answer from now on comes so much later.
    pub fn set_latency(&self, latency: Duration) {
        self.posthog().set_latency(latency);
    }

    /// Connections with a TLS handshake since the last time this was asked.
    pub fn handshakes(&self) -> usize {
        self.handshakes.swap(0, Ordering::SeqCst)
    }

    /// Queries since the last time this was asked.
    pub fn queries(&self) -> usize {
        let queries = self.posthog().counters().count(Endpoint::Query);
        self.posthog().reset_counters();
        queries
    }

    /// The parts of the program within this process.
    pub fn program(&self) -> Result<AppContext, Box<dyn Error>> {
        let clouds = Clouds::at(&self.address, self.demo.eu().address())?;
        Ok(AppContext::open_at(self.folders(), clouds)?)
    }

    /// Signs in without a browser.
    pub async fn sign_in(&self, program: &AppContext) -> Result<Connection, Box<dyn Error>> {
        let host = program.clouds.host(Region::Us);
        let none = Scopes::default();
        let attempt = program
            .sign_in
            .begin(host, &REDIRECT.parse()?, &none)
            .await?;
        let redirect = self
            .posthog()
            .consent(attempt.authorization_url().as_str(), &Consent::default());
        let response = AuthorizationResponse::parse_pasted(&redirect)?;
        Ok(program.sign_in.complete(&attempt, &response).await?)
    }

    /// The program as a command that talks to the embedded PostHog with this home.
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("POCKETHOG_HOME", self.home.path())
            .env("POCKETHOG_US_URL", &self.address)
            .env("POCKETHOG_EU_URL", self.demo.eu().address())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The program's folders.
    pub fn folders(&self) -> Folders {
        Folders::below(PathBuf::from(self.home.path()))
    }
}
