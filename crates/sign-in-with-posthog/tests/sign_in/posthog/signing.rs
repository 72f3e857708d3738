//! The key that signs ID tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{rand, rsa, signature};
use serde_json::{Value, json};

/// The public key, as the server publishes it.
pub(super) fn jwks() -> Value {
    let public = rsa::PublicKeyComponents::<Vec<u8>>::from(signing_key().public());
    json!({"keys": [{
        "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "test",
        "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e),
    }]})
}

/// A JWT of these parts.
pub fn sign(header: &Value, claims: &Value) -> String {
    let key = signing_key();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut bytes = vec![0; key.public().modulus_len()];
    key.sign(
        &signature::RSA_PKCS1_SHA256,
        &rand::SystemRandom::new(),
        signed.as_bytes(),
        &mut bytes,
    )
    .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

fn signing_key() -> signature::RsaKeyPair {
    signature::RsaKeyPair::from_pkcs8(include_bytes!("../keys/signing_key.der")).unwrap()
}
