//! One region as a test sees it: what it holds, and the methods that change its behaviour.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::oauth::authorize::{self, Refusal};
use crate::oauth::consent::{Consent, Decision};
use crate::region::Region;
use crate::region::annotations::Annotation;
use crate::region::behaviour::Behaviour;
use crate::region::clients::{Client, Kind};
use crate::region::counters::Counters;
use crate::region::events::Event;
use crate::region::faults::Failure;
use crate::region::grants::SignIn;
use crate::region::keys::ApiKey;
use crate::region::reach::Reach;
use crate::region::scopes;
use crate::region::secrets;
use crate::world::World;

/// A running region. Clones steer the same one.
#[derive(Clone, Debug)]
pub struct Instance(Arc<Region>);

/// A personal API key to be made.
#[derive(Clone, Debug)]
pub struct ApiKeyOptions {
    /// What the person called it.
    pub label: String,
    /// Space-separated scopes; `*` for all.
    pub scopes: String,
    /// Projects it is limited to; empty: no limit.
    pub scoped_teams: Vec<u64>,
    /// Organizations it is limited to; empty: no limit.
    pub scoped_organizations: Vec<String>,
    /// Number of the person it belongs to.
    pub person: u64,
}

impl Default for ApiKeyOptions {
    /// All that PocketHog asks for, for the first person.
    fn default() -> Self {
        Self {
            label: "Made by a test".to_owned(),
            scopes: "organization:read project:read query:read event_definition:read annotation:read annotation:write user:read".to_owned(),
            scoped_teams: Vec::new(),
            scoped_organizations: Vec::new(),
            person: 1,
        }
    }
}

/// Tokens of a sign-in that took no browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The client it was made for.
    pub client_id: String,
    /// Access token.
    pub access_token: String,
    /// Refresh token.
    pub refresh_token: String,
}

impl Instance {
    pub(crate) fn new(region: Arc<Region>) -> Self {
        Self(region)
    }

    /// Base address, for example `http://127.0.0.1:4711`.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Its people, organizations and projects.
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// All events of a project by time, including those that have not happened yet. They are made again each time.
    pub fn events(&self, project: u64) -> Option<Vec<Event>> {
        self.0.stores.get(&project).map(|store| store.events())
    }

    /// The annotations of a project, deleted ones included, by number.
    pub fn annotations(&self, project: u64) -> Vec<Annotation> {
        self.0.annotations().of_project(project)
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Moves the present on.
    pub fn advance_clock(&self, by: Duration) {
        self.0.clock.advance(by);
    }

    /// What it was asked so far.
    pub fn counters(&self) -> Counters {
        self.0.counting.read()
    }

    /// Sets all counters to zero.
    pub fn reset_counters(&self) {
        self.0.counting.reset();
    }

    /// Makes the next requests fail.
    pub fn fail_next(&self, failure: Failure) {
        self.0.failures().add(failure);
    }

    /// Takes back every failure: those of [`Instance::fail_next`], of organizations and of projects.
    pub fn heal(&self) {
        self.0.failures().clear();
        *self.0.refusals() = crate::region::Refusals::default();
    }

    /// Delays every response to a program; a query holds its slot in the meantime. Pages are not delayed.
    pub fn set_latency(&self, latency: Duration) {
        *self.0.latency() = latency;
    }

    /// Changes how it behaves where PostHogs differ.
    pub fn change_behaviour(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.0.behaviour());
    }

    /// Leaves this many bytes in the read budget of a project.
    pub fn leave_read_budget(&self, project: u64, bytes: u64) {
        let now = self.0.clock.now();
        self.0.read_budgets.leave(project, bytes, now);
    }

    /// A person opens an organization in the web app: it is their current one from now on. At first it is the
    /// first that they belong to.
    pub fn open_organization(&self, person: u64, organization: &str) {
        self.0.opened().insert(person, organization.to_owned());
    }

    /// An organization admits only addresses of its verified domains. No person here has one.
    pub fn require_verified_domain(&self, organization: &str) {
        self.0
            .refusals()
            .verified_domains
            .push(organization.to_owned());
    }

    /// Answers without `posthog_region` and `posthog_base_url`, as a self-hosted PostHog does.
    pub fn play_self_hosted(&self) {
        self.0.play_self_hosted();
    }

    /// There is no `OIDC_RSA_PRIVATE_KEY`, as in most self-hosted installations: no client is registered, and
    /// nothing can be signed.
    pub fn lose_signing_key(&self) {
        self.0.settings().without_signing_key = true;
    }

    /// Tokens have this `iss` from now on, as behind a proxy without `IS_BEHIND_PROXY`.
    pub fn sign_as(&self, issuer: &str) {
        self.0.settings().signs_as = Some(issuer.to_owned());
    }

    /// `SITE_URL` is set to this, whatever address it is reached by.
    pub fn set_site_url(&self, address: &str) {
        self.0.settings().site_url = Some(address.to_owned());
    }

    /// Who is not logged in is sent to this address first, with `next` to come back to: single sign-on.
    pub fn log_in_at(&self, address: &str) {
        self.0.settings().single_sign_on = Some(address.to_owned());
    }

    /// Puts a client id metadata document on the web, for this region alone. PostHog fetches it when somebody
    /// who is logged in authorizes with its address as the client id.
    pub fn publish_client(&self, address: &str, document: serde_json::Value) {
        let documents = &mut self.0.grants().documents;
        documents.insert(address.to_owned(), document);
    }

    /// Every access token expires now.
    pub fn expire_access_tokens(&self) {
        let now = self.0.clock.seconds();
        for token in self.0.grants().access.values_mut() {
            token.expires_at = now;
        }
    }

    /// Every person revokes every program on the page of connected apps.
    pub fn revoke_all(&self) {
        self.0.grants().sweep_all();
    }

    /// The next refresh of every sign-in grants at most these scopes, and those of OpenID. If nothing of
    /// what was granted is left, it is refused.
    pub fn narrow_all(&self, scopes: &str) {
        self.0.grants().narrowed_to = Some(scopes::split(scopes));
    }

    /// Forgets every program that registered itself.
    pub fn forget_clients(&self) {
        self.0.grants().forget_clients();
    }

    /// An organization, and every project in it, answers 403.
    pub fn forbid_organization(&self, id: &str) {
        self.fail_organization(id, 403);
    }

    /// An organization, and every project in it, answers with this status.
    pub fn fail_organization(&self, id: &str, status: u16) {
        self.0
            .refusals()
            .organizations
            .insert(id.to_owned(), status);
    }

    /// A project answers with this status.
    pub fn fail_project(&self, id: u64, status: u16) {
        self.0.refusals().projects.insert(id, status);
    }

    /// Makes a personal API key.
    pub fn create_api_key(&self, options: ApiKeyOptions) -> String {
        let reach = if !options.scoped_teams.is_empty() {
            Reach::Projects(options.scoped_teams)
        } else if !options.scoped_organizations.is_empty() {
            Reach::Organizations(options.scoped_organizations)
        } else {
            Reach::All
        };
        let key = secrets::api_key();
        let made = ApiKey {
            id: secrets::alphanumeric(12),
            label: options.label,
            person: options.person,
            scopes: scopes::split(&options.scopes),
            reach,
            created_at: self.0.clock.seconds(),
            last_used_at: None,
        };
        self.0.grants().api_keys.insert(key.clone(), made);
        key
    }

    /// Deletes a personal API key.
    pub fn delete_api_key(&self, key: &str) {
        self.0.grants().api_keys.remove(key);
    }

    /// An organization forbids personal API keys. Everybody counts as a member here, nobody as an admin.
    pub fn forbid_api_keys(&self, organization: &str) {
        self.0
            .refusals()
            .without_api_keys
            .push(organization.to_owned());
    }

    /// Makes a program by hand, as PostHog's settings do: its tokens live an hour and rotate.
    pub fn create_client(&self, redirect_uri: &str) -> String {
        self.add_client(Kind::Manual, redirect_uri)
    }

    /// Signs a person in to a new program that registered itself, or (`rotating`) was made by hand.
    pub fn sign_in_directly(
        &self,
        person: u64,
        reach: Reach,
        scopes: &str,
        rotating: bool,
    ) -> SignedIn {
        let kind = if rotating {
            Kind::Manual
        } else {
            Kind::Dynamic
        };
        let client_id = self.add_client(kind, "http://127.0.0.1/callback");
        let now = self.0.clock.seconds();
        let mut grants = self.0.grants();
        let number = grants.begin(SignIn {
            client_id: client_id.clone(),
            person,
            scopes: scopes::split(scopes),
            reach,
            auth_time: now,
        });
        let access_token = grants.mint_access(number, now).unwrap_or_default();
        let refresh_token = grants.mint_refresh(number, &access_token);
        SignedIn {
            client_id,
            access_token,
            refresh_token,
        }
    }

    /// Decides about an authorization request as a person would on the consent page, and returns the
    /// redirect back to the program.
    ///
    /// # Panics
    ///
    /// If a browser would show an error instead of redirecting: an unknown client, a redirect address
    /// that is not registered, or a Reach that the person does not have.
    pub fn consent(&self, authorize_url: &str, consent: &Consent<'_>) -> String {
        let query = authorize_url.split_once('?').map_or("", |(_, query)| query);
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        match authorize::read(&self.0, &query) {
            Err(Refusal::Redirected(address)) => address,
            Err(Refusal::Shown(response)) => panic!(
                "the browser shows {}: {}",
                response.status,
                String::from_utf8_lossy(&response.body)
            ),
            Ok(authorization) if consent.deny => authorization.deny(),
            Ok(authorization) => match Decision::from_consent(&self.0, &authorization, consent) {
                Ok(decision) => decision.settle(&self.0, &authorization),
                Err(why) => panic!("the consent page says: {why}"),
            },
        }
    }

    fn add_client(&self, kind: Kind, redirect_uri: &str) -> String {
        let id = secrets::alphanumeric(40);
        let client = Client {
            id: id.clone(),
            kind,
            name: "A program".to_owned(),
            redirect_uris: vec![redirect_uri.to_owned()],
            scopes: Vec::new(),
            secret: None,
        };
        self.0.grants().clients.insert(id.clone(), client);
        id
    }
}
