//! A client of the scripted PostHog, and a credential that a test can refuse.

use std::sync::{Arc, Mutex};

use posthog_api::{Bearer, BearerError, Client, Limits, RateLimiter, Token};
use test_support::ScriptedServer;

/// What is handed out for a refused token.
#[derive(Clone, Debug)]
pub enum Replacement {
    /// The next token: `token-2`, `token-3` and so on.
    Next,
    /// The refused one again.
    Same,
    /// None; the session has ended.
    SignedOut,
    /// None for now.
    Offline,
}

#[derive(Clone, Debug)]
pub struct Credential(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    number: u32,
    replacement: Replacement,
    refused: Vec<String>,
}

impl Credential {
    pub fn new(replacement: Replacement) -> Self {
        Self(Arc::new(Mutex::new(State {
            number: 1,
            replacement,
            refused: Vec::new(),
        })))
    }

    /// The tokens that a replacement was asked for.
    pub fn refused(&self) -> Vec<String> {
        self.0.lock().unwrap().refused.clone()
    }
}

#[derive(Clone, Debug)]
pub struct TestToken(String);

impl Token for TestToken {
    fn expose(&self) -> &str {
        &self.0
    }
}

impl Bearer for Credential {
    type Token = TestToken;

    async fn token(&self) -> Result<TestToken, BearerError> {
        Ok(current(&self.0.lock().unwrap()))
    }

    async fn replacement(&self, refused: &TestToken) -> Result<TestToken, BearerError> {
        let mut state = self.0.lock().unwrap();
        state.refused.push(refused.0.clone());
        match state.replacement {
            Replacement::Next => {
                // As a Session does: whoever comes with an older token gets what is there.
                if current(&state).0 == refused.0 {
                    state.number += 1;
                }
                Ok(current(&state))
            }
            Replacement::Same => Ok(refused.clone()),
            Replacement::SignedOut => Err(BearerError::signed_out("access was revoked")),
            Replacement::Offline => Err(BearerError::unavailable("offline", None)),
        }
    }
}

fn current(state: &State) -> TestToken {
    TestToken(format!("token-{}", state.number))
}

pub fn client(server: &ScriptedServer) -> Client<Credential> {
    client_of(server, Credential::new(Replacement::Next))
}

pub fn client_of(server: &ScriptedServer, credential: Credential) -> Client<Credential> {
    client_with(server, credential, Limits::OAUTH)
}

pub fn client_with(
    server: &ScriptedServer,
    credential: Credential,
    limits: Limits,
) -> Client<Credential> {
    let base = server.base().parse().unwrap();
    Client::new(
        test_support::http::client(),
        base,
        credential,
        RateLimiter::new(limits),
    )
}
