//! Random texts that open the app, and how they are compared.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// 256 random bits as text that fits an address and a cookie.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A new one; `None` where the system gives no random numbers.
    pub fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        SystemRandom::new().fill(bytes.as_mut_slice()).ok()?;
        Some(Self(Zeroizing::new(
            URL_SAFE_NO_PAD.encode(bytes.as_slice()),
        )))
    }

    /// The text. Marks the boundary: only a cookie, the opened address and the private file may hold it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares without telling by the time it takes how much was right.
    pub fn is(&self, guess: &str) -> bool {
        let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
        hash(&self.0)
            .as_ref()
            .iter()
            .zip(hash(guess).as_ref())
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_is_itself_alone_and_is_never_printed() {
        let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert!(one.is(one.expose()) && !one.is(other.expose()) && !one.is(""));
        assert_eq!(format!("{one:?}"), "Secret");
    }
}
