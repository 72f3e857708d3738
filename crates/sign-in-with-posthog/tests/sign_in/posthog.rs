//! PostHog's authorization server as its reference describes it, small, with faults on demand.
//!
//! Tokens rotate or stay (`Kind`), a used refresh token is answered with the same pair for 120 seconds
//! and kills its family afterwards, and every request is counted. Time is the test's own.

mod api;
mod signing;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{digest, rand};
use serde_json::{Value, json};

use crate::harness::MovedClock;
use test_support::{Reply, Request, Response, ScriptedServer};

pub use signing::sign;

/// Seconds in which a used refresh token is answered with the same pair again.
pub const GRACE: i64 = 120;

const SUBJECT: &str = "0195c2a0-ada0-7000-8000-000000000001";

/// Which kind of client PostHog takes the program for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Registered by hand: an hour, and every refresh replaces both tokens.
    Rotating,
    /// Registered dynamically: seven days, and one refresh token for ever.
    Keeping,
}

impl Kind {
    pub const BOTH: [Self; 2] = [Self::Rotating, Self::Keeping];

    pub fn lifetime(self) -> i64 {
        match self {
            Self::Rotating => 3600,
            Self::Keeping => 7 * 24 * 3600,
        }
    }
}

/// What happens to a request instead of the usual.
#[derive(Clone, Copy)]
pub enum Fault {
    /// This goes back, and the request has no effect.
    Before(fn() -> Reply),
    /// The request takes effect, and then this happens to its answer.
    After(fn(Response) -> Reply),
    /// The request takes effect, and a member of its JSON answer is changed.
    Edit(fn(&mut Value)),
}

pub struct PostHog {
    state: Arc<Mutex<State>>,
    server: ScriptedServer,
    base: String,
}

struct State {
    kind: Kind,
    clock: Arc<MovedClock>,
    /// How long an access token lives, in seconds.
    lifetime: i64,
    base: String,
    signs_as: Option<String>,
    minted: u32,
    /// Requests by path.
    counts: BTreeMap<String, u32>,
    faults: HashMap<String, VecDeque<Fault>>,
    /// Client ids that registered themselves, with the redirect addresses.
    clients: Vec<String>,
    codes: HashMap<String, Code>,
    families: Vec<Family>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    /// Verifiers, states and nonces that were seen.
    seen: Vec<String>,
    requests: Vec<Request>,
}

struct Code {
    client_id: String,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    scope: String,
}

struct Family {
    client_id: String,
    scope: String,
    revoked: bool,
}

struct Access {
    family: usize,
    expires_at: i64,
}

struct Refresh {
    family: usize,
    used_at: Option<i64>,
    /// The pair that the first use was answered with.
    successor: Option<(String, String)>,
}

impl PostHog {
    pub fn start(kind: Kind, clock: Arc<MovedClock>) -> Self {
        Self::start_over(kind, clock, None, None)
    }

    /// One that goes by a name.
    pub fn start_named(name: &str, kind: Kind, clock: Arc<MovedClock>) -> Self {
        Self::start_over(kind, clock, None, Some(name))
    }

    /// One whose certificate nobody trusts unless configured to.
    pub fn start_with_tls(kind: Kind, clock: Arc<MovedClock>) -> Self {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
        let key = PrivatePkcs8KeyDer::from(include_bytes!("keys/tls_key.der").to_vec());
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(
                    include_bytes!("keys/tls_certificate.der").to_vec(),
                )],
                PrivateKeyDer::Pkcs8(key),
            )
            .unwrap();
        Self::start_over(kind, clock, Some(Arc::new(config)), None)
    }

    fn start_over(
        kind: Kind,
        clock: Arc<MovedClock>,
        tls: Option<Arc<rustls::ServerConfig>>,
        name: Option<&str>,
    ) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let base = |address: SocketAddr| match name {
            Some(name) => format!("{scheme}://{name}:{}", address.port()),
            None => format!("{scheme}://{address}"),
        };
        let state = Arc::new(Mutex::new(State {
            kind,
            clock,
            lifetime: kind.lifetime(),
            base: String::new(),
            signs_as: None,
            minted: 0,
            counts: BTreeMap::new(),
            faults: HashMap::new(),
            clients: vec!["by-hand".to_owned()],
            codes: HashMap::new(),
            families: Vec::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            seen: Vec::new(),
            requests: Vec::new(),
        }));
        let mut at = String::new();
        let server = ScriptedServer::start_at(tls, |address| {
            at = base(address);
            state.lock().unwrap().base.clone_from(&at);
            let state = Arc::clone(&state);
            move |request: &Request| state.lock().unwrap().handle(request)
        });
        Self {
            state,
            server,
            base: at,
        }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn unplug(&self) {
        self.server.unplug();
    }

    pub fn plug_in(&self) {
        self.server.plug_in();
    }

    /// The next `times` requests to `path` meet `fault`.
    pub fn fail(&self, path: &str, times: usize, fault: Fault) {
        let mut state = self.state();
        let faults = state.faults.entry(path.to_owned()).or_default();
        faults.extend(std::iter::repeat_n(fault, times));
    }

    /// From now on access tokens are valid for this many seconds.
    pub fn shorten(&self, lifetime: i64) {
        self.state().lifetime = lifetime;
    }

    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Requests to `path` so far.
    pub fn count(&self, path: &str) -> u32 {
        self.state().counts.get(path).copied().unwrap_or(0)
    }

    /// The last request to `path`.
    pub fn last(&self, path: &str) -> Request {
        let requests = self.state();
        let mut newest = requests.requests.iter().rev();
        newest.find(|request| request.path == path).unwrap().clone()
    }

    /// Tokens name this issuer from now on.
    pub fn sign_as(&self, issuer: &str) {
        self.state().signs_as = Some(issuer.to_owned());
    }

    /// Tokens of either kind that would be taken now.
    pub fn alive(&self) -> usize {
        let state = self.state();
        let refresh = state.refresh.values();
        let refresh = refresh.filter(|token| !state.families[token.family].revoked);
        refresh.count() + state.alive_access()
    }

    /// Access tokens that would be taken now.
    pub fn alive_access(&self) -> usize {
        self.state().alive_access()
    }

    /// Whether the API would take `token` now.
    pub fn accepts(&self, token: &str) -> bool {
        self.state().accepts(token)
    }

    /// The user has removed the program in PostHog's settings.
    pub fn revoke_everything(&self) {
        self.state().revoke_everything();
    }

    /// The server has lost its registrations.
    pub fn forget_clients(&self) {
        self.state().clients.retain(|id| id == "by-hand");
    }

    /// Everything that was handed out and must appear in no log.
    pub fn secrets(&self) -> Vec<String> {
        let state = self.state();
        let tokens = state.access.keys().chain(state.refresh.keys());
        tokens.chain(&state.seen).cloned().collect()
    }

    /// What a browser does with an authorization address: the query of the redirect back.
    pub fn agree(&self, address: &url::Url) -> String {
        self.state().authorize(address.query().unwrap()).unwrap()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn handle(&mut self, request: &Request) -> Reply {
        let mut request = request.clone();
        request
            .path
            .truncate(request.path.trim_end_matches('/').len());
        let request = &request;
        *self.counts.entry(request.path.clone()).or_default() += 1;
        self.requests.push(request.clone());
        let fault = self
            .faults
            .get_mut(&request.path)
            .and_then(VecDeque::pop_front);
        match fault {
            Some(Fault::Before(wire)) => wire(),
            Some(Fault::After(change)) => change(self.answer(request)),
            Some(Fault::Edit(edit)) => {
                let mut answer = self.answer(request);
                let mut body: Value = serde_json::from_str(&answer.body).unwrap();
                edit(&mut body);
                answer.body = body.to_string();
                Reply::Response(answer)
            }
            None => Reply::Response(self.answer(request)),
        }
    }

    fn answer(&mut self, request: &Request) -> Response {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/.well-known/oauth-authorization-server") => {
                Response::json(200, &self.metadata())
            }
            ("GET", "/.well-known/jwks.json") => Response::json(200, &signing::jwks()),
            ("POST", "/oauth/register") => self.register(request),
            // Nobody is logged in who is no browser: known and unknown clients get the same.
            ("GET", "/oauth/authorize") => Response::html(302).with("Location", "/login?next=%2F"),
            ("POST", "/oauth/token") => self.token(request),
            ("POST", "/oauth/revoke") => self.revoke(request),
            ("GET", "/oauth/userinfo") => self.userinfo(request),
            ("POST", "/oauth/introspect") => self.introspect(request),
            ("GET", "/api/personal_api_keys/@current") => api::current_key(request),
            ("GET", "/api/projects") => api::projects(request),
            ("GET", "/api/users/@me") => self.me(request),
            _ => Response::html(404),
        }
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.base);
        json!({
            "issuer": self.base,
            "authorization_endpoint": at("/oauth/authorize/"),
            "token_endpoint": at("/oauth/token/"),
            "revocation_endpoint": at("/oauth/revoke/"),
            "registration_endpoint": at("/oauth/register/"),
            "jwks_uri": at("/.well-known/jwks.json"),
            "userinfo_endpoint": at("/oauth/userinfo/"),
            "introspection_endpoint": at("/oauth/introspect/"),
            "code_challenge_methods_supported": ["S256"],
        })
    }

    fn register(&mut self, request: &Request) -> Response {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let name = body["client_name"].as_str().unwrap().to_lowercase();
        if name.starts_with("posthog") || body.get("scope").is_some() {
            return refusal(400, "invalid_client_metadata");
        }
        let client_id = self.mint("client");
        self.clients.push(client_id.clone());
        Response::json(
            201,
            &json!({"client_id": client_id, "redirect_uris": body["redirect_uris"]}),
        )
    }

    fn authorize(&mut self, query: &str) -> Result<String, Response> {
        let fields: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        if !self.clients.contains(&field("client_id")) {
            return Err(Response::json(
                400,
                &json!({"error": "invalid_request", "error_description":
                    "No OAuth application is registered with this client_id in the US region."}),
            ));
        }
        assert_eq!(field("code_challenge_method"), "S256");
        self.seen.extend([field("state"), field("nonce")]);
        let code = self.mint("code");
        self.codes.insert(
            code.clone(),
            Code {
                client_id: field("client_id"),
                redirect_uri: field("redirect_uri"),
                challenge: field("code_challenge"),
                nonce: fields.get("nonce").cloned(),
                scope: field("scope"),
            },
        );
        Ok(format!("code={code}&state={}", field("state")))
    }

    fn token(&mut self, request: &Request) -> Response {
        let field = |name: &str| request.field(name).unwrap_or_default();
        if !self.clients.contains(&field("client_id")) {
            return refusal(401, "invalid_client");
        }
        if field("grant_type") == "refresh_token" {
            return self.refresh(&field("refresh_token"), &field("client_id"));
        }
        let Some(code) = self.codes.remove(&field("code")) else {
            return refusal(400, "invalid_grant");
        };
        self.seen.extend([field("code"), field("code_verifier")]);
        let hash = digest::digest(&digest::SHA256, field("code_verifier").as_bytes());
        if code.challenge != URL_SAFE_NO_PAD.encode(hash)
            || code.client_id != field("client_id")
            || code.redirect_uri != field("redirect_uri")
        {
            return refusal(400, "invalid_grant");
        }
        self.families.push(Family {
            client_id: code.client_id,
            scope: code.scope,
            revoked: false,
        });
        let family = self.families.len() - 1;
        let access = self.mint_access(family);
        let refresh = self.mint_refresh(family);
        self.token_answer(family, &access, &refresh, code.nonce.as_deref())
    }

    fn refresh(&mut self, token: &str, client_id: &str) -> Response {
        let now = self.clock.now();
        let Some(known) = self.refresh.get(token) else {
            return refusal(400, "invalid_grant");
        };
        let family = known.family;
        if self.families[family].revoked || self.families[family].client_id != client_id {
            return refusal(400, "invalid_grant");
        }
        if self.kind == Kind::Keeping {
            let access = self.mint_access(family);
            return self.token_answer(family, &access, token, None);
        }
        if let (Some(used_at), Some((access, refresh))) = (known.used_at, known.successor.clone()) {
            if now - used_at <= GRACE {
                return self.token_answer(family, &access, &refresh, None);
            }
            self.families[family].revoked = true;
            return refusal(400, "invalid_grant");
        }
        self.access.retain(|_, access| access.family != family);
        let pair = (self.mint_access(family), self.mint_refresh(family));
        let known = self.refresh.get_mut(token).unwrap();
        known.used_at = Some(now);
        known.successor = Some(pair.clone());
        self.token_answer(family, &pair.0, &pair.1, None)
    }

    fn token_answer(
        &self,
        family: usize,
        access: &str,
        refresh: &str,
        nonce: Option<&str>,
    ) -> Response {
        let scope = &self.families[family].scope;
        let mut body = json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "refresh_token": refresh,
            "scope": scope,
            "scoped_teams": [11, 12],
            "scoped_organizations": [],
            "posthog_region": "us",
            "posthog_base_url": self.base,
        });
        if scope.contains("openid") {
            body["id_token"] = self.id_token(family, access, nonce).into();
        }
        Response::json(200, &body).with("Cache-Control", "no-store")
    }

    fn id_token(&self, family: usize, access: &str, nonce: Option<&str>) -> String {
        let now = self.clock.now();
        let at_hash = digest::digest(&digest::SHA256, access.as_bytes());
        let mut claims = json!({
            "iss": self.signs_as.as_ref().unwrap_or(&self.base),
            "aud": self.families[family].client_id,
            "sub": SUBJECT,
            "iat": now,
            "exp": now + 36_000,
            "at_hash": URL_SAFE_NO_PAD.encode(&at_hash.as_ref()[..16]),
            "given_name": "Ada",
            "family_name": "Lovelace",
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        sign(&json!({"alg": "RS256", "kid": "test"}), &claims)
    }

    fn revoke(&mut self, request: &Request) -> Response {
        let token = request.field("token").unwrap_or_default();
        if let Some(known) = self.refresh.get(&token) {
            let family = known.family;
            match self.kind {
                Kind::Rotating => self.families[family].revoked = true,
                // A client that registered itself: everything of this user and this client.
                Kind::Keeping => {
                    let client_id = self.families[family].client_id.clone();
                    for family in &mut self.families {
                        family.revoked |= family.client_id == client_id;
                    }
                }
            }
        }
        self.access.remove(&token);
        Response {
            status: 200,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    fn revoke_everything(&mut self) {
        for family in &mut self.families {
            family.revoked = true;
        }
    }

    fn userinfo(&self, request: &Request) -> Response {
        if !self.accepts(request.bearer.as_deref().unwrap_or_default()) {
            return api::unauthenticated();
        }
        Response::json(
            200,
            &json!({"sub": SUBJECT, "given_name": "Ada", "email": ""}),
        )
    }

    /// A token about itself; one that is not known gets a 403 without a body.
    fn introspect(&self, request: &Request) -> Response {
        let bearer = request.bearer.clone().unwrap_or_default();
        if !self.accepts(&bearer) || request.field("token") != Some(bearer) {
            return Response {
                status: 403,
                headers: Vec::new(),
                body: String::new(),
            };
        }
        Response::json(
            200,
            &json!({"active": true, "token_type": "access_token", "scoped_teams": [21],
                "scoped_organizations": []}),
        )
    }

    fn me(&self, request: &Request) -> Response {
        let bearer = request.bearer.as_deref().unwrap_or_default();
        if bearer == "phx_projects" {
            return api::forbidden("user:read");
        }
        if bearer != "phx_right" && !self.accepts(bearer) {
            return api::unauthenticated();
        }
        Response::json(
            200,
            &json!({"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com"}),
        )
    }

    fn alive_access(&self) -> usize {
        self.access
            .keys()
            .filter(|token| self.accepts(token))
            .count()
    }

    fn accepts(&self, token: &str) -> bool {
        self.access.get(token).is_some_and(|access| {
            !self.families[access.family].revoked && access.expires_at > self.clock.now()
        })
    }

    fn mint(&mut self, what: &str) -> String {
        self.minted += 1;
        let mut bytes = [0_u8; 24];
        rand::SecureRandom::fill(&rand::SystemRandom::new(), &mut bytes).unwrap();
        format!("{what}{}x{}", self.minted, URL_SAFE_NO_PAD.encode(bytes))
    }

    fn mint_access(&mut self, family: usize) -> String {
        let token = self.mint("pha_");
        let expires_at = self.clock.now() + self.lifetime;
        self.access
            .insert(token.clone(), Access { family, expires_at });
        token
    }

    fn mint_refresh(&mut self, family: usize) -> String {
        let token = self.mint("phr_");
        self.refresh.insert(
            token.clone(),
            Refresh {
                family,
                used_at: None,
                successor: None,
            },
        );
        token
    }
}

/// `{"error": …}` as the token endpoint sends it.
pub fn refusal(status: u16, error: &str) -> Response {
    Response::json(status, &json!({"error": error}))
}
