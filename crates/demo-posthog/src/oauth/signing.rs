//! The key that signs `id_token`s, made once per process and region when somebody begins to sign in.

use std::sync::{Once, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};

use crate::world::RegionName;

const BITS: usize = 2048;

static US: OnceLock<SigningKey> = OnceLock::new();
static EU: OnceLock<SigningKey> = OnceLock::new();
static US_BEGUN: Once = Once::new();
static EU_BEGUN: Once = Once::new();

/// A signing key with its public half.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pair: KeyPair,
    modulus: String,
    exponent: String,
    /// The thumbprint of the public half (RFC 7638).
    id: String,
}

/// The cell that holds the key of a region.
fn place(region: RegionName) -> &'static OnceLock<SigningKey> {
    match region {
        RegionName::Us => &US,
        RegionName::Eu => &EU,
    }
}

/// Starts to make a region's key in the background.
pub(crate) fn prepare(region: RegionName) {
    let key = place(region);
    let begun = match region {
        RegionName::Us => &US_BEGUN,
        RegionName::Eu => &EU_BEGUN,
    };
    begun.call_once(|| {
        std::thread::spawn(move || key.get_or_init(SigningKey::generate));
    });
}

/// The key of a region, once it is made.
pub(crate) async fn key(region: RegionName) -> &'static SigningKey {
    let key = place(region);
    if let Some(key) = key.get() {
        return key;
    }
    tokio::task::spawn_blocking(move || key.get_or_init(SigningKey::generate))
        .await
        .expect("making a key does not panic")
}

impl SigningKey {
    fn generate() -> Self {
        let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS)
            .expect("2048 bits is a size that keys have");
        let document = private
            .to_pkcs1_der()
            .expect("a fresh key can be written down");
        let pair = KeyPair::from_der(document.as_bytes()).expect("ring reads PKCS #1");
        let modulus = URL_SAFE_NO_PAD.encode(private.n().to_bytes_be());
        let exponent = URL_SAFE_NO_PAD.encode(private.e().to_bytes_be());
        let canonical = format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()));
        Self {
            pair,
            modulus,
            exponent,
            id,
        }
    }

    /// The key set with this key in it.
    pub(crate) fn jwks(&self) -> Value {
        json!({"keys": [{
            "alg": "RS256", "use": "sig", "kid": self.id, "kty": "RSA",
            "e": self.exponent, "n": self.modulus,
        }]})
    }

    /// A signed token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": self.id});
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .expect("the signature has the size of the modulus");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// `at_hash`: the left half of the access token's hash (OpenID Connect Core 3.1.3.6).
pub(crate) fn at_hash(access_token: &str) -> String {
    let hash = digest(&SHA256, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..16).unwrap_or_default())
}
