//! How a second `pockethog` asks the running one to open an address.
//!
//! `running.json`, which this user alone can read, holds a key. Whoever listens at the address in that file may be
//! somebody else, for example after a crash. So the key is never sent: each side proves that it has it by an HMAC
//! over random texts of both. First the app proves itself; only then the second one sends anything, and that is
//! a proof too. The code of the opened address is derived from the key by both, and does not travel at all.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// Where the app answers, below its address.
pub const PATH: &str = "/running";

/// Longest random text that is taken from outside.
const LONGEST_NONCE: usize = 64;

/// What the private file says.
#[derive(Serialize, Deserialize)]
pub struct Note {
    /// Where the app answers, `http://127.0.0.1:49152/`.
    pub address: String,
    key: String,
    /// The app's process id, for people.
    pub process: u32,
    /// The app's version, for people; versions before 0.2.0 do not say theirs.
    #[serde(default)]
    pub version: Option<String>,
}

/// The app's side.
#[derive(Debug)]
pub struct Keyholder {
    key: Secret,
    nonce: Secret,
    address: String,
}

/// What the app says first.
#[derive(Serialize, Deserialize)]
pub struct Proof {
    nonce: String,
    proof: String,
}

/// What the second one asks for.
#[derive(Serialize, Deserialize)]
pub struct Request {
    nonce: String,
    /// How long the code is to be good, in seconds.
    life: u64,
    proof: String,
}

/// The second one's side.
#[derive(Debug)]
pub struct Asker {
    key: Secret,
    nonce: Secret,
    address: String,
    /// The app's random text, once it has proved itself.
    theirs: Option<String>,
}

impl Keyholder {
    /// For the app at `address`; `None` if the system cannot provide random numbers.
    pub fn new(address: &str) -> Option<Self> {
        Some(Self {
            key: Secret::random()?,
            nonce: Secret::random()?,
            address: address.to_owned(),
        })
    }

    /// For the private file.
    pub fn note(&self) -> Note {
        Note {
            address: self.address.clone(),
            key: self.key.expose().to_owned(),
            process: std::process::id(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }

    /// Proves that this is the app which wrote the file, to one that sent `nonce`.
    pub fn prove(&self, nonce: &str) -> Option<Proof> {
        (nonce.len() <= LONGEST_NONCE).then(|| Proof {
            nonce: self.nonce.expose().to_owned(),
            proof: proof_of_app(&self.key, &self.address, nonce, self.nonce.expose())
                .expose()
                .to_owned(),
        })
    }

    /// The code that `request` asks for and how long it is good; `None` unless the request proves that it
    /// comes from somebody who has the key.
    pub fn code(&self, request: &Request) -> Option<(Secret, Duration)> {
        let ours = self.nonce.expose();
        let expected = proof_of_asker(&self.key, &request.nonce, ours, request.life);
        (request.nonce.len() <= LONGEST_NONCE && expected.is(&request.proof)).then(|| {
            (
                code(&self.key, &request.nonce, ours),
                Duration::from_secs(request.life),
            )
        })
    }
}

impl Asker {
    /// One that has read the file; `None` if that is no such file.
    pub fn new(note: &Note) -> Option<Self> {
        Some(Self {
            key: Secret::parse(&note.key)?,
            nonce: Secret::random()?,
            address: note.address.clone(),
            theirs: None,
        })
    }

    /// What is sent first.
    pub fn nonce(&self) -> &str {
        self.nonce.expose()
    }

    /// Whether the answer proves that this is the app which wrote the file.
    pub fn accepts(&mut self, proof: &Proof) -> bool {
        let ours = self.nonce.expose();
        let expected = proof_of_app(&self.key, &self.address, ours, &proof.nonce);
        let accepted = expected.is(&proof.proof);
        self.theirs = accepted.then(|| proof.nonce.clone());
        accepted
    }

    /// Asks for a code that is good for `life`, and tells that code. `None` before the app has proved itself.
    pub fn ask(&self, life: Duration) -> Option<(Request, Secret)> {
        let theirs = self.theirs.as_deref()?;
        let ours = self.nonce.expose();
        let proof = proof_of_asker(&self.key, ours, theirs, life.as_secs());
        let request = Request {
            nonce: ours.to_owned(),
            life: life.as_secs(),
            proof: proof.expose().to_owned(),
        };
        Some((request, code(&self.key, ours, theirs)))
    }
}

fn proof_of_app(key: &Secret, address: &str, theirs: &str, ours: &str) -> Secret {
    key.derive(&["pockethog runs", address, theirs, ours])
}

fn proof_of_asker(key: &Secret, ours: &str, theirs: &str, life: u64) -> Secret {
    key.derive(&["pockethog asks", ours, theirs, &life.to_string()])
}

fn code(key: &Secret, ours: &str, theirs: &str) -> Secret {
    key.derive(&["pockethog opens", ours, theirs])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    fn both() -> (Keyholder, Asker) {
        let app = Keyholder::new("http://127.0.0.1:49152/").unwrap();
        let asker = Asker::new(&app.note()).unwrap();
        (app, asker)
    }

    #[test]
    fn both_sides_come_to_the_same_code_without_sending_it() {
        let (app, mut asker) = both();
        let proof = app.prove(asker.nonce()).unwrap();
        assert!(asker.accepts(&proof));
        let (request, code) = asker.ask(LIFE).unwrap();
        let (registered, life) = app.code(&request).unwrap();
        assert!(registered.is(code.expose()));
        assert_eq!(life, LIFE);
        let sent = serde_json::to_string(&(&proof, &request)).unwrap();
        assert!(!sent.contains(code.expose()) && !sent.contains(app.key.expose()));
    }

    #[test]
    fn whoever_else_listens_at_the_address_is_not_believed_and_is_sent_nothing() {
        let (app, mut asker) = both();
        // An impostor has a key of its own.
        let impostor = Keyholder::new("http://127.0.0.1:49152/").unwrap();
        assert!(!asker.accepts(&impostor.prove(asker.nonce()).unwrap()));
        assert!(asker.ask(LIFE).is_none());
        // What the app said to somebody else is no answer to this one.
        assert!(!asker.accepts(&app.prove("another").unwrap()));
        assert!(asker.ask(LIFE).is_none());
        assert!(app.prove(&"a".repeat(65)).is_none());
    }

    #[test]
    fn a_request_without_the_key_gets_no_code() {
        let (app, mut asker) = both();
        assert!(asker.accepts(&app.prove(asker.nonce()).unwrap()));
        let (mut request, _) = asker.ask(LIFE).unwrap();
        request.life = 1_000_000;
        assert!(app.code(&request).is_none());
        let (other, mut stranger) = both();
        assert!(stranger.accepts(&other.prove(stranger.nonce()).unwrap()));
        assert!(app.code(&stranger.ask(LIFE).unwrap().0).is_none());
    }
}
