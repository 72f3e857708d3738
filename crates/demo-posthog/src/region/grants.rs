//! What was granted: codes, sign-ins and their tokens, personal API keys, logged-in browsers.

use std::collections::{BTreeMap, HashMap};

use super::clients::{Client, Kind};
use super::keys::ApiKey;
use super::reach::Reach;
use super::secrets;

/// Seconds in which an authorization code can be exchanged.
pub(crate) const CODE_LIFETIME: i64 = 300;
/// Seconds in which a refresh token that was used is answered with the same pair again.
pub(crate) const GRACE: i64 = 120;

/// A user's yes to one authorization request, until its code is exchanged.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) person: u64,
    pub(crate) scopes: Vec<String>,
    pub(crate) reach: Reach,
    pub(crate) auth_time: i64,
    pub(crate) expires_at: i64,
}

/// One sign-in; all tokens that came of it belong to it.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    pub(crate) client_id: String,
    pub(crate) person: u64,
    pub(crate) scopes: Vec<String>,
    pub(crate) reach: Reach,
    pub(crate) auth_time: i64,
}

/// An access token that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    /// Number of the sign-in.
    pub(crate) sign_in: u64,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: i64,
}

/// A refresh token that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct RefreshToken {
    /// Number of the sign-in.
    pub(crate) sign_in: u64,
    /// The access token that came with it.
    pub(crate) access: String,
    /// When it was used or revoked.
    pub(crate) ended_at: Option<i64>,
    /// The pair it was exchanged for.
    pub(crate) successor: Option<(String, String)>,
}

/// A browser in which somebody logged in.
#[derive(Clone, Debug)]
pub(crate) struct BrowserSession {
    pub(crate) person: u64,
    /// Stands in every form, so that no other site can send one.
    pub(crate) form_token: String,
    pub(crate) since: i64,
}

/// Everything that was registered and granted in a region.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) sign_ins: BTreeMap<u64, SignIn>,
    pub(crate) access: HashMap<String, AccessToken>,
    pub(crate) refresh: HashMap<String, RefreshToken>,
    pub(crate) api_keys: BTreeMap<String, ApiKey>,
    pub(crate) browsers: HashMap<String, BrowserSession>,
    /// Client id metadata documents, by their address.
    pub(crate) documents: BTreeMap<String, serde_json::Value>,
    /// Scopes that the next refresh still grants, once somebody narrowed them.
    pub(crate) narrowed_to: Option<Vec<String>>,
    next_sign_in: u64,
}

impl Grants {
    /// Begins a sign-in; its tokens are minted apart.
    pub(crate) fn begin(&mut self, sign_in: SignIn) -> u64 {
        self.next_sign_in += 1;
        self.sign_ins.insert(self.next_sign_in, sign_in);
        self.next_sign_in
    }

    /// A new access token of a sign-in.
    pub(crate) fn mint_access(&mut self, number: u64, now: i64) -> Option<String> {
        let sign_in = self.sign_ins.get(&number)?;
        let lifetime = self.clients.get(&sign_in.client_id)?.kind.lifetime();
        let token = secrets::access_token();
        self.access.insert(
            token.clone(),
            AccessToken {
                sign_in: number,
                scopes: sign_in.scopes.clone(),
                expires_at: now + lifetime,
            },
        );
        Some(token)
    }

    /// A new refresh token beside an access token.
    pub(crate) fn mint_refresh(&mut self, number: u64, access: &str) -> String {
        let token = secrets::refresh_token();
        self.refresh.insert(
            token.clone(),
            RefreshToken {
                sign_in: number,
                access: access.to_owned(),
                ended_at: None,
                successor: None,
            },
        );
        token
    }

    /// Ends a sign-in with all its tokens.
    pub(crate) fn end(&mut self, number: u64) {
        self.sign_ins.remove(&number);
        self.access.retain(|_, token| token.sign_in != number);
        self.refresh.retain(|_, token| token.sign_in != number);
    }

    /// Ends every sign-in of a person by a program, as the settings page does.
    pub(crate) fn sweep(&mut self, person: u64, client_id: &str) {
        self.codes
            .retain(|_, code| (code.person, code.client_id.as_str()) != (person, client_id));
        let ended: Vec<u64> = self
            .sign_ins
            .iter()
            .filter(|(_, sign_in)| {
                (sign_in.person, sign_in.client_id.as_str()) == (person, client_id)
            })
            .map(|(number, _)| *number)
            .collect();
        for number in ended {
            self.end(number);
        }
    }

    /// Ends every sign-in of everybody.
    pub(crate) fn sweep_all(&mut self) {
        self.codes.clear();
        self.sign_ins.clear();
        self.access.clear();
        self.refresh.clear();
    }

    /// Forgets the programs that registered themselves, and what was granted to them.
    pub(crate) fn forget_clients(&mut self) {
        let forgotten: Vec<String> = self
            .clients
            .values()
            .filter(|client| client.kind == Kind::Dynamic)
            .map(|client| client.id.clone())
            .collect();
        for id in forgotten {
            let people: Vec<u64> = self
                .sign_ins
                .values()
                .filter(|sign_in| sign_in.client_id == id)
                .map(|sign_in| sign_in.person)
                .collect();
            for person in people {
                self.sweep(person, &id);
            }
            self.codes.retain(|_, code| code.client_id != id);
            self.clients.remove(&id);
        }
    }

    /// The programs that a person let in and that still have a live token.
    pub(crate) fn connected(&self, person: u64, now: i64) -> Vec<&Client> {
        self.clients
            .values()
            .filter(|client| {
                self.sign_ins.iter().any(|(number, sign_in)| {
                    sign_in.person == person
                        && sign_in.client_id == client.id
                        && (self
                            .access
                            .values()
                            .any(|token| token.sign_in == *number && token.expires_at > now)
                            || self
                                .refresh
                                .values()
                                .any(|token| token.sign_in == *number && token.ended_at.is_none()))
                })
            })
            .collect()
    }
}
