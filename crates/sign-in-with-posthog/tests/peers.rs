//! Against servers that somebody else wrote: django-oauth-toolkit, PostHog's own engine, with its
//! grace at 0 and at 120 seconds, and node's certified oidc-provider. See peers/README.md.
#![allow(clippy::unwrap_used)]

mod posthog;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{SystemTime, UNIX_EPOCH};

use posthog::TestClock;
use sign_in_with_posthog::{
    AuthorizationResponse, CompleteError, Connection, ConnectionState, EndReason, Host, Scopes,
    Session, SessionError, SignIn,
};
use url::Url;

const SCOPES: &str = "openid profile email project:read query:read";

struct Peer {
    child: Child,
    issuer: String,
    client_id: String,
    /// The address of a client id metadata document, if the peer takes one.
    document: Option<String>,
}

impl Peer {
    fn start(arguments: &[&str]) -> Self {
        let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../peers/run");
        let mut child = Command::new(run)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("no peer; `cargo xtask prepare` prepares it: {line}"));
        Self {
            child,
            issuer: ready["issuer"].as_str().unwrap().to_owned(),
            client_id: ready["client_id"].as_str().unwrap().to_owned(),
            document: ready["document_client_id"].as_str().map(ToOwned::to_owned),
        }
    }

    async fn tell(&self, what: &str) {
        let address = format!("{}/_peer/{what}", self.issuer);
        let answer = test_support::http::client()
            .post(address)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{what}: {}", answer.status());
    }

    async fn counters(&self) -> BTreeMap<String, u64> {
        let address = format!("{}/_peer/counters", self.issuer);
        let answer = test_support::http::client()
            .get(address)
            .send()
            .await
            .unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn serves(&self, token: &str) -> bool {
        let address = format!("{}/api/users/@me/", self.issuer);
        let request = test_support::http::client().get(address).bearer_auth(token);
        request.send().await.unwrap().status().is_success()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends by itself when its input ends; this only makes it sooner.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

struct World {
    peer: Peer,
    folder: tempfile::TempDir,
    clock: TestClock,
    client_id: Option<String>,
}

impl World {
    /// `registered`: the client id registers itself, else it is the peer's rotating one.
    fn new(arguments: &[&str], registered: bool) -> Self {
        let peer = Peer::start(arguments);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        Self {
            client_id: (!registered).then(|| peer.client_id.clone()),
            peer,
            folder: tempfile::tempdir().unwrap(),
            clock: TestClock(Arc::new(AtomicI64::new(now))),
        }
    }

    fn program(&self) -> SignIn {
        let mut config = posthog::config(self.folder.path());
        config.scopes = Scopes::parse(SCOPES);
        config.client_id.clone_from(&self.client_id);
        config.clock = Arc::new(self.clock.clone());
        SignIn::open(config).unwrap()
    }

    async fn sign_in(&self, program: &SignIn) -> Result<Connection, CompleteError> {
        let host = Host::self_hosted(&self.peer.issuer).unwrap();
        let redirect: Url = "http://127.0.0.1:49152/callback".parse().unwrap();
        let scopes = Scopes::default();
        let attempt = program.begin(&host, &redirect, &scopes).await.unwrap();
        let query = browse(attempt.authorization_url().clone()).await;
        let response = AuthorizationResponse::parse_query(&query).unwrap();
        program.complete(&attempt, &response).await
    }
}

/// Follows redirects with cookies up to the redirect address, and returns its query.
async fn browse(mut address: Url) -> String {
    let mut cookies = BTreeMap::new();
    for _ in 0..10 {
        if address.path() == "/callback" {
            return address.query().unwrap().to_owned();
        }
        let jar: Vec<String> = cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let request = test_support::http::client().get(address.clone());
        let answer = request
            .header("cookie", jar.join("; "))
            .send()
            .await
            .unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = answer.headers().get("location");
        let location = location.unwrap_or_else(|| panic!("{} at {address}", answer.status()));
        address = address.join(location.to_str().unwrap()).unwrap();
    }
    panic!("too many redirects");
}

fn ended(error: &SessionError) -> bool {
    matches!(error, SessionError::SignedOut(EndReason::RevokedOrExpired))
}

/// Sign in, be identified, refresh, rotate, be followed by a sibling, sign out.
async fn the_whole_way(world: World) {
    let program = world.program();
    let connection = world.sign_in(&program).await.unwrap();
    assert!(connection.account.email.is_some() || connection.account.name.is_some());
    let session = program.session(&connection.id);
    let mut token = session.access_token().await.unwrap();
    assert!(world.peer.serves(token.expose()).await);
    for _ in 0..3 {
        let next = session.access_token_after_refusal(&token).await.unwrap();
        assert_ne!(next.expose(), token.expose());
        assert!(world.peer.serves(next.expose()).await);
        token = next;
        world.clock.forward(120);
    }
    let sibling = world.program().session(&connection.id);
    assert_eq!(
        sibling.access_token().await.unwrap().expose(),
        token.expose()
    );
    program.sign_out(&connection.id).await.unwrap();
    assert!(
        !world.peer.serves(token.expose()).await,
        "revoked there too"
    );
    sibling.access_token().await.unwrap_err();
}

#[tokio::test]
async fn django_grace_120_registered() {
    the_whole_way(World::new(
        &["django-oauth-toolkit", "--grace", "120"],
        true,
    ))
    .await;
}

#[tokio::test]
async fn django_grace_120_rotating() {
    the_whole_way(World::new(
        &["django-oauth-toolkit", "--grace", "120"],
        false,
    ))
    .await;
}

#[tokio::test]
async fn django_grace_0_rotating() {
    the_whole_way(World::new(&["django-oauth-toolkit", "--grace", "0"], false)).await;
}

#[tokio::test]
async fn oidc_provider_rotating() {
    the_whole_way(World::new(&["oidc-provider"], false)).await;
}

#[tokio::test]
async fn oidc_provider_with_a_client_id_that_is_an_address() {
    let mut world = World::new(&["oidc-provider"], false);
    let document = world.peer.document.clone().unwrap();
    world.client_id = Some(document.clone());
    let program = world.program();
    let connection = world.sign_in(&program).await.unwrap();
    let again = world.sign_in(&program).await.unwrap();
    assert_eq!(connection.id, again.id);
    // Nobody was registered, nothing was looked up, and nothing is kept that could be forgotten.
    let counters = world.peer.counters().await;
    assert_eq!(counters.get("/reg"), None, "{counters:?}");
    assert_eq!(
        counters["/token"], 2,
        "one exchange for each sign-in: {counters:?}"
    );
    assert!(counters[&document] >= 1, "{counters:?}");
    let index = std::fs::read_to_string(world.folder.path().join("program/connections.json"));
    assert!(index.unwrap().contains("\"client_ids\": {}"));
    the_whole_way(world).await;
}

/// Without any grace, any second use of a refresh token ends the session: a crowd must send one.
async fn a_crowd_of_sessions(world: World) {
    let first = world.program();
    let connection = world.sign_in(&first).await.unwrap();
    world.clock.forward(8 * 86_400);
    let sessions: Vec<Session> = (0..20)
        .map(|_| world.program().session(&connection.id))
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for session in sessions {
        tasks.spawn(async move { session.access_token().await.unwrap() });
    }
    let tokens = tasks.join_all().await;
    assert!(
        tokens
            .iter()
            .all(|token| token.expose() == tokens[0].expose())
    );
    assert!(world.peer.serves(tokens[0].expose()).await);
    let state = first.connections().unwrap()[0].state;
    assert_eq!(state, ConnectionState::Active);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_at_django_grace_0() {
    a_crowd_of_sessions(World::new(&["django-oauth-toolkit", "--grace", "0"], false)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_at_oidc_provider() {
    a_crowd_of_sessions(World::new(&["oidc-provider"], false)).await;
}

#[tokio::test]
async fn removing_the_application_at_django_ends_the_session() {
    let world = World::new(&["django-oauth-toolkit", "--grace", "120"], false);
    let program = world.program();
    let connection = world.sign_in(&program).await.unwrap();
    let session = program.session(&connection.id);
    let token = session.access_token().await.unwrap();
    world.peer.tell("revoke_everything").await;
    assert!(!world.peer.serves(token.expose()).await);
    let error = session
        .access_token_after_refusal(&token)
        .await
        .unwrap_err();
    assert!(ended(&error), "{error:?}");
    // And signing in again starts over.
    world.sign_in(&program).await.unwrap();
    session.access_token().await.unwrap();
}

#[tokio::test]
async fn signing_in_again_at_django_revokes_what_was_superseded_and_nothing_else() {
    for registered in [true, false] {
        let world = World::new(&["django-oauth-toolkit", "--grace", "120"], registered);
        let program = world.program();
        let connection = world.sign_in(&program).await.unwrap();
        let session = program.session(&connection.id);
        let old = session.access_token().await.unwrap();
        world.sign_in(&program).await.unwrap();
        let new = session.access_token().await.unwrap();
        assert_ne!(old.expose(), new.expose());
        assert!(!world.peer.serves(old.expose()).await, "{registered}");
        assert!(world.peer.serves(new.expose()).await, "{registered}");
        session.access_token_after_refusal(&new).await.unwrap();
    }
}

#[tokio::test]
async fn a_spent_refresh_token_brought_back_from_a_backup_ends_the_session() {
    let world = World::new(&["django-oauth-toolkit", "--grace", "120"], false);
    let program = world.program();
    let connection = world.sign_in(&program).await.unwrap();
    let record = format!("program/vault/{}.sealed", connection.id);
    let record = world.folder.path().join(record);
    let backup = std::fs::read(&record).unwrap();
    let session = program.session(&connection.id);
    let token = session.access_token().await.unwrap();
    session.access_token_after_refusal(&token).await.unwrap();
    world.peer.tell("let_the_grace_pass").await;
    std::fs::write(&record, backup).unwrap();
    // With the whole home, so that nothing on the device knows better.
    std::fs::remove_dir_all(world.folder.path().join("device/generations")).unwrap();
    let error = session
        .access_token_after_refusal(&token)
        .await
        .unwrap_err();
    assert!(ended(&error), "{error:?}");
}
