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
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sign_in_with_posthog::{
    AuthorizationResponse, Clock, Config, Connection, Host, Scopes, SignIn, VaultChoice,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

pub const SCOPES: &str = "openid user:read query:read";
/// PostHog's grace for a refresh token that was used, in seconds.
const GRACE: i64 = 120;

/// What the token endpoint does with the next refresh instead of its work.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers this, unread.
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
    pub async fn start(rotating: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let posthog = Self {
            base,
            state: Arc::new(Mutex::new(State {
                rotating,
                lifetime: 3600,
                ..State::default()
            })),
            clock: TestClock(Arc::new(AtomicI64::new(
                i64::try_from(now.as_secs()).unwrap(),
            ))),
        };
        let server = posthog.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move {
                    // A client that goes away is its own business.
                    drop(server.serve(stream).await);
                });
            }
        });
        posthog
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
        let answer = client().get(address.clone()).send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let location: Url = location.parse().unwrap();
        AuthorizationResponse::parse_query(location.query().unwrap()).unwrap()
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        let (head, body) = loop {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).await?;
            if read == 0 {
                return Ok(());
            }
            bytes.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| {
                        line.to_lowercase()
                            .strip_prefix("content-length:")
                            .map(|n| n.trim().parse().unwrap())
                    })
                    .unwrap_or(0);
                if body.len() >= length {
                    break (head.to_owned(), body.to_owned());
                }
            }
        };
        if let Some(answer) = self.answer(&head, &body) {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await?;
        }
        Ok(())
    }

    fn answer(&self, head: &str, body: &str) -> Option<String> {
        let mut words = head.split_whitespace();
        let (method, target) = (words.next()?, words.next()?);
        let url = Url::parse(&format!("{}{target}", self.base)).ok()?;
        let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
        let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        let mut state = self.state.lock().unwrap();
        state.requests.push(format!("{method} {}", url.path()));
        let base = &self.base;
        match url.path() {
            "/.well-known/oauth-authorization-server" => Some(reply(
                200,
                "",
                &format!(
                    r#"{{"issuer":"{base}","authorization_endpoint":"{base}/oauth/authorize/","token_endpoint":"{base}/oauth/token/","registration_endpoint":"{base}/oauth/register/","revocation_endpoint":"{base}/oauth/revoke/","userinfo_endpoint":"{base}/oauth/userinfo/","code_challenge_methods_supported":["S256"]}}"#
                ),
            )),
            "/oauth/register/" => Some(reply(201, "", r#"{"client_id":"device-client"}"#)),
            "/oauth/authorize/" => {
                let Some(challenge) = query.get("code_challenge") else {
                    return Some(reply(200, "", "{}"));
                };
                let code = format!("code-{}", state.number());
                state.codes.insert(code.clone(), challenge.clone());
                state.secrets.push(code.clone());
                let location = format!(
                    "{}?code={code}&state={}",
                    query["redirect_uri"], query["state"]
                );
                Some(reply(302, &format!("Location: {location}\r\n"), ""))
            }
            "/oauth/userinfo/" => {
                Some(reply(200, "", r#"{"sub":"ada","email":"ada@example.org"}"#))
            }
            "/oauth/revoke/" => Some(reply(200, "", "")),
            "/api/personal_api_keys/@current/" if head.contains("phx_good") => Some(reply(
                200,
                "",
                r#"{"user_id":7,"scopes":["query:read","user:read"],"scoped_teams":[],"scoped_organizations":[]}"#,
            )),
            "/api/personal_api_keys/@current/" => {
                Some(reply(401, "", r#"{"detail":"Invalid personal API key."}"#))
            }
            "/oauth/token/" => self.token(&mut state, &form),
            _ => Some(reply(404, "", "{}")),
        }
    }

    fn token(&self, state: &mut State, form: &HashMap<String, String>) -> Option<String> {
        let now = self.clock.unix_seconds();
        if form["grant_type"] == "authorization_code" {
            state.secrets.push(form["code_verifier"].clone());
            return Some(match state.codes.remove(&form["code"]) {
                Some(_) => {
                    let refresh = state.new_refresh_token();
                    state.tokens(&refresh, None)
                }
                None => reply(400, "", r#"{"error":"invalid_grant"}"#),
            });
        }
        let fault = state.faults.pop_front();
        match &fault {
            Some(Fault::Answer(status, headers, body)) => {
                return Some(reply(*status, headers, body));
            }
            Some(Fault::Close) => return None,
            _ => {}
        }
        let presented = form["refresh_token"].clone();
        let refresh = match state.refresh_tokens.get(&presented).cloned() {
            _ if state.revoked => None,
            None => None,
            Some(None) if !state.rotating => Some(presented),
            Some(None) => {
                let next = state.new_refresh_token();
                state
                    .refresh_tokens
                    .insert(presented, Some((now, next.clone())));
                Some(next)
            }
            // The same successor again inside the grace; reuse after it revokes the family.
            Some(Some((used, next))) if now - used <= GRACE => Some(next),
            Some(Some(_)) => {
                state.revoked = true;
                None
            }
        };
        let Some(refresh) = refresh else {
            return Some(reply(400, "", r#"{"error":"invalid_grant"}"#));
        };
        let answer = state.tokens(&refresh, fault.as_ref());
        match fault {
            Some(Fault::Lost) => None,
            Some(Fault::Half) => Some(answer[..answer.len() - 40].to_owned()),
            _ => Some(answer),
        }
    }
}

impl State {
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

    fn tokens(&mut self, refresh: &str, fault: Option<&Fault>) -> String {
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

fn reply(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Scripted\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

pub fn client() -> reqwest::Client {
    // The second call in a process finds it installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

/// The configuration of a program with its state under `folder`, on the device's own clock.
pub fn config(folder: &Path) -> Config {
    let scopes = Scopes::parse(SCOPES);
    let mut config = Config::new(folder.join("program"), "Test program", scopes);
    config.http = Some(client());
    config.vault = VaultChoice::EncryptedFile;
    config.device_folder = Some(folder.join("device"));
    config
}
