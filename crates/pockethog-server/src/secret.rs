//! Random secrets that give access to the app, compared in constant time.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Random bytes of a secret.
const BYTES: usize = 32;

/// 256 random bits as text that fits an address and a cookie.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A new one; `None` if the system cannot provide random numbers.
    pub fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new([0_u8; BYTES]);
        SystemRandom::new().fill(bytes.as_mut_slice()).ok()?;
        Some(Self(Zeroizing::new(
            URL_SAFE_NO_PAD.encode(bytes.as_slice()),
        )))
    }

    /// One that was stored.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        (bytes.len() == BYTES).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text. Marks the boundary: only a cookie, an opened address, a page and a private file may hold it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its digest, which may be kept to recognise it.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// Another secret, which nobody can make who does not have this one: the HMAC-SHA-256 of `parts`. Each
    /// part is preceded by its length, so that no two lists of parts are the same text.
    pub fn derive(&self, parts: &[&str]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        let mut context = hmac::Context::with_key(&key);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        Self(Zeroizing::new(
            URL_SAFE_NO_PAD.encode(context.sign().as_ref()),
        ))
    }

    /// Compares without telling by the time it takes how much was right.
    pub fn is(&self, guess: &str) -> bool {
        self.digest() == Digest::of(guess)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The SHA-256 of a secret: recognises it and does not tell it.
#[derive(Clone, Copy, Eq)]
pub struct Digest([u8; BYTES]);

impl Digest {
    /// Of a text that may be the secret.
    pub fn of(text: &str) -> Self {
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        Self(bytes)
    }

    /// One that was stored.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// To be stored.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl PartialEq for Digest {
    /// Takes the same time wherever the two differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
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
        assert_eq!(format!("{one:?} {:?}", one.digest()), "Secret Digest");
        assert_eq!(Digest::parse(&one.digest().text()), Some(one.digest()));
        assert!(Secret::parse(one.expose()).unwrap().is(one.expose()));
        assert!(Secret::parse("short").is_none());
    }

    #[test]
    fn what_is_derived_depends_on_every_part() {
        let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());
        let of = |secret: &Secret, parts: &[&str]| secret.derive(parts).expose().to_owned();
        assert_eq!(of(&one, &["a", "b"]), of(&one, &["a", "b"]));
        assert_ne!(of(&one, &["a", "b"]), of(&other, &["a", "b"]));
        assert_ne!(of(&one, &["a", "b"]), of(&one, &["ab"]));
        assert_ne!(of(&one, &["a", "b"]), of(&one, &["ab", ""]));
    }
}
