//! Doors for the fuzzer to what reads foreign bytes and is not public. Behind the feature `fuzzing`; no
//! part of the interface.

use serde_json::Value;

use crate::id_token;
use crate::loopback;
use crate::record::Record;
use crate::token_endpoint;

/// A request head, as the one-shot listener at 127.0.0.1:4242 reads it.
pub fn request_head(head: &str) {
    let address = ([127, 0, 0, 1], 4242).into();
    drop(loopback::route(head, address));
}

/// An `id_token` beside a refresh.
pub fn id_token(token: &str) {
    let checked = id_token::check_refreshed(token, "https://us.posthog.com", "client", "subject");
    assert!(checked.is_err() || token.matches('.').count() == 2);
}

/// A record of the Vault. What is read once is read again from what is written.
pub fn record(bytes: &[u8]) {
    if let Ok(record) = Record::parse("fuzz", bytes) {
        let written = record.to_bytes();
        let again = Record::parse("fuzz", &written).expect("what was written is read");
        assert_eq!(written, again.to_bytes());
    }
}

/// An answer of the token endpoint.
pub fn token_answer(bytes: &[u8]) {
    use secrecy::ExposeSecret as _;
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    if let Ok(answer) = token_endpoint::read(value) {
        let token = answer.access_token.expose_secret();
        assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(answer.expires_in >= 0);
    }
}
