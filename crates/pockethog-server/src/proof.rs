//! How an open page verifies that what it receives comes from the app.
//!
//! After the app has ended, another user's program may listen on its port, and the open tab goes on asking
//! there. So every page has a random name and a key, which only that page and the app know. With a request
//! the page sends its name and a random text, and never the key; each event of a stream and each answer that is
//! put into the page comes with an HMAC over that text and all of the content. The script shows nothing
//! without it. The key is derived from the name, so that the app keeps no list, and from a secret that outlives
//! the app, so that a tab goes on where it was after a restart.

use std::sync::{Arc, OnceLock};

use axum::http::HeaderMap;
use url::form_urlencoded;

use super::secret::Secret;
use pockethog_views::pages::layout::PageKey;

/// Header of a request that names the page which asks, and parameter of a stream's address.
const PAGE: (&str, &str) = ("x-pockethog-page", "page");

/// The same for the random text.
const NONCE: (&str, &str) = ("x-pockethog-nonce", "nonce");

/// Header of an answer with its proof.
pub const PROOF: &str = "x-pockethog-proof";

/// Longest name or random text that is taken.
const LONGEST: usize = 64;

/// Makes the keys of pages.
#[derive(Debug)]
pub struct PageKeys(Secret);

/// Proves what is sent to one page in answer to one request.
#[derive(Debug)]
pub struct Prover {
    key: Secret,
    nonce: String,
}

/// Where a stream finds its prover, once the guard has seen the request.
pub type Slot = Arc<OnceLock<Prover>>;

impl PageKeys {
    /// Derives keys from `secret`.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// For a page that is about to be sent. `None` if the system cannot provide random numbers: such a page shows
    /// what it has, and nothing live.
    pub fn new_page(&self) -> Option<PageKey> {
        let name = Secret::random()?.expose().to_owned();
        let key = self.key(&name).expose().to_owned();
        Some(PageKey { name, key })
    }

    /// For the request of a script.
    pub fn prover_for_answer(&self, headers: &HeaderMap) -> Option<Prover> {
        let of = |name| headers.get(name)?.to_str().ok();
        self.prover(of(PAGE.0)?, of(NONCE.0)?)
    }

    /// For the request of an event stream, which cannot have headers of its own.
    pub fn prover_for_stream(&self, query: &str) -> Option<Prover> {
        let of = |name| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find_map(|(known, value)| (known == name).then_some(value))
        };
        self.prover(&of(PAGE.1)?, &of(NONCE.1)?)
    }

    fn prover(&self, name: &str, nonce: &str) -> Option<Prover> {
        (name.len() <= LONGEST && nonce.len() <= LONGEST).then(|| Prover {
            key: self.key(name),
            nonce: nonce.to_owned(),
        })
    }

    fn key(&self, name: &str) -> Secret {
        self.0.derive(&["page", name])
    }
}

impl Prover {
    /// For the event of a stream at `place`, counted from 0.
    pub fn event(&self, place: u64, name: &str, data: &str) -> String {
        self.prove(&["event", &self.nonce, &place.to_string(), name, data])
    }

    /// For a whole answer.
    pub fn answer(&self, body: &str) -> String {
        self.prove(&["answer", &self.nonce, body])
    }

    fn prove(&self, parts: &[&str]) -> String {
        self.key.derive(parts).expose().to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_proof_is_for_one_page_one_request_and_one_content() {
        let keys = PageKeys::new(Secret::random().unwrap());
        let query = |page: &str, nonce: &str| format!("sort=name&page={page}&nonce={nonce}");
        let page = keys.new_page().unwrap();
        let proof = |page: &str, nonce: &str, place, data| {
            let prover = keys.prover_for_stream(&query(page, nonce)).unwrap();
            prover.event(place, "part", data)
        };
        let right = proof(&page.name, "a", 0, "{}");
        // What the page itself comes to.
        let own = Secret::parse(&page.key).unwrap();
        assert!(own.derive(&["event", "a", "0", "part", "{}"]).is(&right));
        for other in [
            proof("another", "a", 0, "{}"),
            proof(&page.name, "b", 0, "{}"),
            proof(&page.name, "a", 1, "{}"),
            proof(&page.name, "a", 0, "{} "),
        ] {
            assert_ne!(other, right);
        }
        assert!(keys.prover_for_stream("sort=name").is_none());
        let long = "a".repeat(LONGEST + 1);
        assert!(keys.prover_for_stream(&query(&long, "a")).is_none());
    }
}
