//! One region: what it holds, and how tests have changed its behaviour.

pub(crate) mod annotations;
pub(crate) mod behaviour;
pub(crate) mod clients;
pub(crate) mod clock;
pub(crate) mod counters;
pub(crate) mod events;
pub(crate) mod faults;
pub(crate) mod grants;
pub(crate) mod keys;
pub(crate) mod queries;
pub(crate) mod query_slots;
pub(crate) mod reach;
pub(crate) mod read_budgets;
pub(crate) mod scopes;
pub(crate) mod secrets;
pub(crate) mod store;
pub(crate) mod throttle;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::world::{RegionName, World};
use annotations::Annotations;
use behaviour::Behaviour;
use clock::Clock;
use counters::Counting;
use faults::Failures;
use grants::Grants;
use keys::KeyUse;
use queries::Queries;
use query_slots::QuerySlots;
use read_budgets::ReadBudgets;
use store::ProjectStore;
use throttle::Throttle;

/// A region.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) name: RegionName,
    /// Base address, without a slash at its end.
    pub(crate) address: String,
    pub(crate) clock: Clock,
    pub(crate) world: World,
    pub(crate) stores: BTreeMap<u64, Arc<ProjectStore>>,
    pub(crate) counting: Counting,
    pub(crate) queries: Queries,
    pub(crate) query_slots: QuerySlots,
    pub(crate) read_budgets: ReadBudgets,
    grants: Mutex<Grants>,
    annotations: Mutex<Annotations>,
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
    /// Organizations that admit only addresses of verified domains; no person here has one.
    pub(crate) verified_domains: Vec<String>,
}

impl Region {
    pub(crate) fn new(
        name: RegionName,
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
            name,
            address,
            annotations: Mutex::new(Annotations::invent(&world, seed, now)),
            clock,
            world,
            stores,
            counting: Counting::default(),
            queries: Queries::default(),
            query_slots: QuerySlots::default(),
            read_budgets: ReadBudgets::default(),
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
        (!self.self_hosted.load(Ordering::Relaxed)).then(|| self.name.key())
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

    pub(crate) fn annotations(&self) -> MutexGuard<'_, Annotations> {
        lock(&self.annotations)
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
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
