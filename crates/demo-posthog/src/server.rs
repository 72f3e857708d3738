//! One region: what it knows, and the way of a request through it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;

use crate::answer::Answer;
use crate::api::annotations::Notes;
use crate::api::errors;
use crate::api::query::QueryDesk;
use crate::api::{self, credential::KeyUse};
use crate::behaviour::Behaviour;
use crate::call::Call;
use crate::clock::Clock;
use crate::counters::Counting;
use crate::faults::{Endpoint, Failures, Fault, When};
use crate::listener::Cut;
use crate::oauth::grant::Grants;
use crate::oauth::{introspection, metadata, registration, revocation, signing, token, userinfo};
use crate::pages;
use crate::route::Route;
use crate::store::ProjectStore;
use crate::throttle::Throttle;
use crate::world::{RegionName, World};

/// Largest request body: PostHog's 20 MB.
const LARGEST_BODY: usize = 20 * 1024 * 1024;

/// A region.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) region: RegionName,
    /// Base address, without a slash at its end.
    pub(crate) address: String,
    pub(crate) clock: Clock,
    pub(crate) world: World,
    pub(crate) stores: BTreeMap<u64, Arc<ProjectStore>>,
    pub(crate) counting: Counting,
    pub(crate) queries: QueryDesk,
    grants: Mutex<Grants>,
    notes: Mutex<Notes>,
    registrations: Mutex<Throttle>,
    key_uses: Mutex<BTreeMap<(String, KeyUse), Throttle>>,
    failures: Mutex<Failures>,
    refusals: Mutex<Refusals>,
    latency: Mutex<Duration>,
    behaviour: Mutex<Behaviour>,
    opened: Mutex<BTreeMap<u64, String>>,
    self_hosted: AtomicBool,
    settings: Mutex<Settings>,
}

/// What whoever hosts PostHog has set, or has not.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// `OIDC_RSA_PRIVATE_KEY` is missing.
    pub(crate) without_signing_key: bool,
    /// The `iss` of tokens. PostHog reads it from the request, which a proxy changes, unless
    /// `IS_BEHIND_PROXY` or `OIDC_ISS_ENDPOINT` is set.
    pub(crate) signs_as: Option<String>,
    /// `SITE_URL`.
    pub(crate) site_url: Option<String>,
    /// Where people are sent to log in, if not here.
    pub(crate) single_sign_on: Option<String>,
}

/// Organizations and projects that answer with an error.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    pub(crate) organizations: BTreeMap<String, u16>,
    pub(crate) projects: BTreeMap<u64, u16>,
    /// Organizations that forbid personal API keys.
    pub(crate) without_api_keys: Vec<String>,
    /// Organizations that let in addresses of verified domains alone; nobody here has one.
    pub(crate) verified_domains: Vec<String>,
}

impl Server {
    pub(crate) fn new(
        region: RegionName,
        address: String,
        clock: Clock,
        world: World,
        seed: u64,
    ) -> Self {
        let now = clock.now();
        let stores = world
            .projects
            .iter()
            .map(|project| {
                let store = ProjectStore::new(project.clone(), seed, now);
                (project.id, Arc::new(store))
            })
            .collect();
        Self {
            region,
            address,
            notes: Mutex::new(Notes::invent(&world, seed, now)),
            clock,
            world,
            stores,
            counting: Counting::default(),
            queries: QueryDesk::default(),
            grants: Mutex::default(),
            registrations: Mutex::default(),
            key_uses: Mutex::default(),
            failures: Mutex::default(),
            refusals: Mutex::default(),
            latency: Mutex::default(),
            behaviour: Mutex::default(),
            opened: Mutex::default(),
            self_hosted: AtomicBool::new(false),
            settings: Mutex::default(),
        }
    }

    /// `us` or `eu`; `None` while it plays a self-hosted instance.
    pub(crate) fn posthog_region(&self) -> Option<&'static str> {
        (!self.self_hosted.load(Ordering::Relaxed)).then(|| self.region.key())
    }

    pub(crate) fn play_self_hosted(&self) {
        self.self_hosted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    /// What metadata is built from: never the address that was asked.
    pub(crate) fn site_url(&self) -> String {
        let site_url = self.settings().site_url.clone();
        site_url.unwrap_or_else(|| self.address.clone())
    }

    pub(crate) fn grants(&self) -> MutexGuard<'_, Grants> {
        lock(&self.grants)
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        lock(&self.notes)
    }

    pub(crate) fn registrations(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.registrations)
    }

    pub(crate) fn key_uses(&self) -> MutexGuard<'_, BTreeMap<(String, KeyUse), Throttle>> {
        lock(&self.key_uses)
    }

    pub(crate) fn failures(&self) -> MutexGuard<'_, Failures> {
        lock(&self.failures)
    }

    pub(crate) fn refusals(&self) -> MutexGuard<'_, Refusals> {
        lock(&self.refusals)
    }

    pub(crate) fn latency(&self) -> MutexGuard<'_, Duration> {
        lock(&self.latency)
    }

    /// How it behaves where PostHogs differ.
    pub(crate) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        lock(&self.behaviour)
    }

    /// The organizations that people last opened in the web app, by the number of the person.
    pub(crate) fn opened(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        lock(&self.opened)
    }

    /// Waits as long as every request of a program is made to wait.
    pub(crate) async fn delay(&self) {
        let latency = *self.latency();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    async fn answer(self: &Arc<Self>, call: &Call, route: &Route) -> Answer {
        if matches!(
            route.endpoint(),
            Endpoint::Metadata | Endpoint::Registration | Endpoint::Authorize
        ) {
            // Somebody begins to sign in, and will need it.
            signing::prepare(self.region);
        }
        match route {
            Route::AuthorizationServer
            | Route::OpenIdConfiguration
            | Route::ProtectedResource
            | Route::Jwks => metadata::answer(self, call, route).await,
            Route::Registration => registration::answer(self, call),
            Route::Token => token::answer(self, call).await,
            Route::Revocation => revocation::answer(self, call),
            Route::Introspection => introspection::answer(self, call),
            Route::Userinfo => userinfo::answer(self, call),
            page if page.is_page() => pages::answer(self, call, page),
            _ => api::answer(self, call, route).await,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers a request, and lets the failures strike that a test asked for.
pub(crate) async fn respond(
    State(server): State<Arc<Server>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let route = Route::of(parts.uri.path());
    let endpoint = route.endpoint();
    let under_way = (endpoint == Endpoint::Query).then(|| server.counting.query());
    let agent = parts
        .headers
        .get("user-agent")
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    server.counting.change(|counters| {
        *counters.requests.entry(endpoint).or_default() += 1;
        *counters.user_agents.entry(agent).or_default() += 1;
    });
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return errors::too_large().into();
    };
    let call = Call::new(parts.method, parts.uri, parts.headers, body);
    // A query is delayed while it holds its slot, and a person who clicks through the pages is not.
    if endpoint != Endpoint::Query && !route.is_page() {
        server.delay().await;
    }
    let failure = server.failures().take(endpoint);
    let answer = match failure {
        None => server.answer(&call, &route).await,
        Some((Fault::Slow(late), when)) => {
            if when == When::Before {
                tokio::time::sleep(late).await;
            }
            let answer = server.answer(&call, &route).await;
            if when == When::After {
                tokio::time::sleep(late).await;
            }
            answer
        }
        Some((fault @ Fault::Edit(_), _)) => {
            let mut answer = server.answer(&call, &route).await;
            fault.edit(&mut answer);
            answer
        }
        Some((Fault::Truncate, _)) => {
            let answer = server.answer(&call, &route).await;
            cut.in_body(answer.body.len() / 2);
            answer
        }
        Some((fault, when)) => {
            if when == When::After {
                server.answer(&call, &route).await;
            }
            fault.answer(endpoint).unwrap_or_else(|| {
                cut.now();
                Answer::empty(200)
            })
        }
    };
    drop(under_way);
    answer.into()
}
