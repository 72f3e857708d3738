//! A PostHog on loopback whose token endpoint does what a test's script says.
#![allow(
    clippy::unwrap_used,
    clippy::format_push_string,
    dead_code,
    reason = "for tests, and each test program uses its part"
)]

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use sign_in_with_posthog::{
    AuthorizationResponse, Clock, Config, Connection, Host, Scopes, SignIn, VaultChoice,
};
use test_support::{Reply, Request, Response, ScriptedServer, http};
use url::Url;

pub const SCOPES: &str = "openid user:read query:read";
/// PostHog's grace for a refresh token that was used, in seconds.
const GRACE: i64 = 120;

/// What the token endpoint does with the next refresh instead of its work.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers this status, header line and body.
    Answer(u16, &'static str, &'static str),
    /// Closes the connection without reading on.
    Close,
    /// Does its work, then closes the connection: the answer is lost.
    Lost,
    /// Does its work and answers half of it.
    Half,
    /// Does its work with this `scope` member (`None`: the member is absent).
    Scope(Option<&'static str>),
    /// Does its work and leaves the refresh token out.
    NoRefreshToken,
    /// Does its work with this JSON for `expires_in`.
    ExpiresIn(&'static str),
}

#[derive(Default)]
pub struct State {
    pub faults: VecDeque<Fault>,
    /// Every request as `METHOD path`, and the form of token requests.
    pub requests: Vec<String>,
    /// Every access token, refresh token, code and verifier ever seen.
    pub secrets: Vec<String>,
    pub rotating: bool,
    pub lifetime: i64,
    next: u64,
    /// Refresh token → when it was used, and its successor.
    refresh_tokens: HashMap<String, Option<(i64, String)>>,
    codes: HashMap<String, String>,
    pub revoked: bool,
}

#[derive(Clone)]
pub struct PostHog {
    pub base: String,
    pub state: Arc<Mutex<State>>,
    pub clock: TestClock,
    server: Arc<ScriptedServer>,
}

/// A clock that only a test moves.
#[derive(Clone, Debug)]
pub struct TestClock(pub Arc<AtomicI64>);

impl TestClock {
    pub fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn unix_seconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl PostHog {
    pub fn start(rotating: bool) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        let clock = TestClock(Arc::new(AtomicI64::new(now)));
        let state = Arc::new(Mutex::new(State {
            rotating,
            lifetime: 3600,
            ..State::default()
        }));
        let (scripted, time) = (Arc::clone(&state), clock.clone());
        let server = ScriptedServer::start_at(None, |address| {
            let base = format!("http://{address}");
            move |request: &Request| {
                let mut state = scripted.lock().unwrap();
                state.answer(request, &base, time.unix_seconds())
            }
        });
        Self {
            base: server.base(),
            server: Arc::new(server),
            state,
            clock,
        }
    }

    pub fn host(&self) -> Host {
        Host::self_hosted(&self.base).unwrap()
    }

    pub fn fault(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults = faults.into_iter().collect();
    }

    /// How many requests went to `path`.
    pub fn count(&self, path: &str) -> usize {
        let state = self.state.lock().unwrap();
        state
            .requests
            .iter()
            .filter(|line| line.ends_with(path))
            .count()
    }

    pub fn forget_requests(&self) {
        self.state.lock().unwrap().requests.clear();
    }

    /// A program with its state in `folder`.
    pub fn program(&self, folder: &Path) -> SignIn {
        SignIn::open(self.config(folder)).unwrap()
    }

    pub fn config(&self, folder: &Path) -> Config {
        let mut config = config(folder);
        config.clock = Arc::new(self.clock.clone());
        config
    }

    /// Signs in the way a browser would.
    pub async fn sign_in(&self, program: &SignIn) -> Connection {
        let redirect: Url = "http://127.0.0.1:1/callback".parse().unwrap();
        let attempt = program
            .begin(&self.host(), &redirect, &Scopes::default())
            .await
            .unwrap();
        let response = self.browse(attempt.authorization_url()).await;
        program.complete(&attempt, &response).await.unwrap()
    }

    /// What the browser brings back from an authorization address.
    pub async fn browse(&self, address: &Url) -> AuthorizationResponse {
        let answer = http::client().get(address.clone()).send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let location: Url = location.parse().unwrap();
        AuthorizationResponse::parse_query(location.query().unwrap()).unwrap()
    }
}

impl State {
    fn answer(&mut self, request: &Request, base: &str, now: i64) -> Reply {
        self.requests
            .push(format!("{} {}", request.method, request.path));
        let response = match request.path.as_str() {
            "/.well-known/oauth-authorization-server" => reply(
                200,
                "",
                &format!(
                    r#"{{"issuer":"{base}","authorization_endpoint":"{base}/oauth/authorize/","token_endpoint":"{base}/oauth/token/","registration_endpoint":"{base}/oauth/register/","revocation_endpoint":"{base}/oauth/revoke/","userinfo_endpoint":"{base}/oauth/userinfo/","code_challenge_methods_supported":["S256"]}}"#
                ),
            ),
            "/oauth/register/" => reply(201, "", r#"{"client_id":"device-client"}"#),
            "/oauth/authorize/" => self.authorize(request),
            "/oauth/userinfo/" => reply(200, "", r#"{"sub":"ada","email":"ada@example.org"}"#),
            "/oauth/revoke/" => reply(200, "", ""),
            "/api/personal_api_keys/@current/" if request.bearer.as_deref() == Some("phx_good") => {
                reply(
                    200,
                    "",
                    r#"{"user_id":7,"scopes":["query:read","user:read"],"scoped_teams":[],"scoped_organizations":[]}"#,
                )
            }
            "/api/personal_api_keys/@current/" => {
                reply(401, "", r#"{"detail":"Invalid personal API key."}"#)
            }
            "/oauth/token/" => return self.token(request, now),
            _ => reply(404, "", "{}"),
        };
        response.into()
    }

    fn authorize(&mut self, request: &Request) -> Response {
        let Some(challenge) = request.field("code_challenge") else {
            return reply(200, "", "{}");
        };
        let code = format!("code-{}", self.number());
        self.codes.insert(code.clone(), challenge);
        self.secrets.push(code.clone());
        let field = |name| request.field(name).unwrap();
        let location = format!(
            "{}?code={code}&state={}",
            field("redirect_uri"),
            field("state")
        );
        reply(302, "", "").with("Location", location)
    }

    fn token(&mut self, request: &Request, now: i64) -> Reply {
        let field = |name| request.field(name).unwrap();
        if field("grant_type") == "authorization_code" {
            self.secrets.push(field("code_verifier"));
            let response = match self.codes.remove(&field("code")) {
                Some(_) => {
                    let refresh = self.new_refresh_token();
                    self.tokens(&refresh, None)
                }
                None => reply(400, "", r#"{"error":"invalid_grant"}"#),
            };
            return response.into();
        }
        let fault = self.faults.pop_front();
        match &fault {
            Some(Fault::Answer(status, headers, body)) => {
                return reply(*status, headers, body).into();
            }
            Some(Fault::Close) => return Reply::Close,
            _ => {}
        }
        let presented = field("refresh_token");
        let refresh = match self.refresh_tokens.get(&presented).cloned() {
            _ if self.revoked => None,
            None => None,
            Some(None) if !self.rotating => Some(presented),
            Some(None) => {
                let next = self.new_refresh_token();
                self.refresh_tokens
                    .insert(presented, Some((now, next.clone())));
                Some(next)
            }
            // The same successor again inside the grace; reuse after it revokes the family.
            Some(Some((used, next))) if now - used <= GRACE => Some(next),
            Some(Some(_)) => {
                self.revoked = true;
                None
            }
        };
        let Some(refresh) = refresh else {
            return reply(400, "", r#"{"error":"invalid_grant"}"#).into();
        };
        let response = self.tokens(&refresh, fault.as_ref());
        match fault {
            Some(Fault::Lost) => Reply::Close,
            Some(Fault::Half) => Reply::Half(response),
            _ => response.into(),
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn new_refresh_token(&mut self) -> String {
        let token = format!("phr_refresh_secret_{}", self.number());
        self.refresh_tokens.insert(token.clone(), None);
        self.secrets.push(token.clone());
        token
    }

    fn tokens(&mut self, refresh: &str, fault: Option<&Fault>) -> Response {
        let access = format!("pha_access_secret_{}", self.number());
        self.secrets.push(access.clone());
        let scope = match fault {
            Some(Fault::Scope(scope)) => *scope,
            _ => Some(SCOPES),
        };
        let mut body = format!(r#"{{"access_token":"{access}","token_type":"Bearer""#);
        match fault {
            Some(Fault::ExpiresIn(json)) => body += &format!(r#","expires_in":{json}"#),
            _ => body.push_str(&format!(r#","expires_in":{}"#, self.lifetime)),
        }
        if let Some(scope) = scope {
            body += &format!(r#","scope":"{scope}""#);
        }
        if !matches!(fault, Some(Fault::NoRefreshToken)) {
            body += &format!(r#","refresh_token":"{refresh}""#);
        }
        reply(200, "", &(body + "}"))
    }
}

/// `header` is one line, `Name: value` with its end, or nothing.
fn reply(status: u16, header: &'static str, body: &str) -> Response {
    let header = header.trim_end().split_once(": ");
    Response {
        status,
        headers: header
            .map(|(name, value)| (name, value.to_owned()))
            .into_iter()
            .collect(),
        body: body.to_owned(),
    }
}

/// The configuration of a program with its state under `folder`, on the device's own clock.
pub fn config(folder: &Path) -> Config {
    let scopes = Scopes::parse(SCOPES);
    let mut config = Config::new(folder.join("program"), "Test program", scopes);
    config.http = Some(http::client());
    config.vault = VaultChoice::EncryptedFile;
    config.device_folder = Some(folder.join("device"));
    config
}
