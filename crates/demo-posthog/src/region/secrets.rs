//! Random identifiers, from the operating system's generator: the tokens of a demo are tokens.

use ring::rand::{SecureRandom, SystemRandom};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random letters and digits.
pub(crate) fn alphanumeric(length: usize) -> String {
    let random = SystemRandom::new();
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        random
            .fill(&mut bytes)
            .expect("the operating system has random numbers");
        // 248 is the largest multiple of 62 in a byte: no letter is likelier than another.
        let letters = bytes
            .iter()
            .filter(|byte| **byte < 248)
            .filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
        for letter in letters.take(length - text.len()) {
            text.push(char::from(*letter));
        }
    }
    text
}

/// An access token.
pub(crate) fn access_token() -> String {
    format!("pha_{}", alphanumeric(43))
}

/// A refresh token.
pub(crate) fn refresh_token() -> String {
    format!("phr_{}", alphanumeric(43))
}

/// A personal API key.
pub(crate) fn api_key() -> String {
    format!("phx_{}", alphanumeric(43))
}

/// A random UUID.
pub(crate) fn uuid() -> String {
    crate::world::uuid("random", &alphanumeric(32))
}
