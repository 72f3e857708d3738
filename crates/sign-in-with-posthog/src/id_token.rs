//! The `id_token` check of OpenID Connect Core 3.1.3.7 (rule T7), and of 12.2 on refresh (rule T8).
//!
//! The signature is checked although TLS to the token endpoint would allow skipping it. This costs little, and the
//! account's identity then depends on PostHog's key and not on a proxy in between.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{digest, signature};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::secret::same_secret;

/// Seconds that an expiry may be in the past by this device's clock.
const EXPIRY_LEEWAY: i64 = 120;

/// Seconds that the time of issue may differ from this device's clock.
const ISSUED_LEEWAY: i64 = 600;

/// Which check of an `id_token` failed. The user has to sign in again; where the clock or a server's settings are
/// wrong, the message says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdTokenError {
    /// `alg` is not RS256.
    #[error("PostHog's proof of who signed in is not signed with RS256")]
    Algorithm,
    /// `at_hash` does not match the access token.
    #[error("PostHog's proof of who signed in belongs to another access token")]
    AccessTokenHash,
    /// `aud` does not hold the client id, or `azp` is another one.
    #[error("PostHog's proof of who signed in is for another program")]
    Audience,
    /// `exp` is past.
    #[error(
        "this device's clock is wrong, or PostHog's is: by this clock the sign-in has already expired. Set the clock and sign in again"
    )]
    Expired,
    /// `iat` is too far from now.
    #[error(
        "this device's clock is wrong, or PostHog's is: they differ by more than ten minutes. Set the clock and sign in again"
    )]
    IssuedAt,
    /// `iss` is not the Host.
    #[error(
        "PostHog's proof of who signed in names another PostHog. If you host it yourself, its settings \
         OIDC_ISS_ENDPOINT and SITE_URL have to be the address at which you sign in; until then, use a \
         personal API key"
    )]
    Issuer,
    /// `iss` is the Host with http in place of https.
    #[error(
        "PostHog does not know that it is reached by https, so it cannot prove who signed in: behind a proxy \
         it needs the setting IS_BEHIND_PROXY=true (or OIDC_ISS_ENDPOINT). Until then, use a personal API key"
    )]
    IssuerWithoutTls,
    /// It is no JWT.
    #[error("PostHog's proof of who signed in cannot be read")]
    Malformed,
    /// `nonce` is missing or another one.
    #[error("PostHog's proof of who signed in belongs to another sign-in")]
    Nonce,
    /// The signature is wrong.
    #[error("PostHog's proof of who signed in has a wrong signature")]
    Signature,
    /// `sub` is empty, or changed on refresh.
    #[error("PostHog's proof of who signed in names another account")]
    Subject,
    /// No published key has the `kid`.
    #[error("PostHog's proof of who signed in is signed with a key that PostHog does not publish")]
    UnknownKey,
}

/// Claims of a checked `id_token`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    pub(crate) sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    at_hash: Option<String>,
    #[serde(default)]
    pub(crate) given_name: Option<String>,
    #[serde(default)]
    pub(crate) family_name: Option<String>,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) email: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn all(&self) -> &[String] {
        match self {
            Self::One(audience) => std::slice::from_ref(audience),
            Self::Several(audiences) => audiences,
        }
    }
}

/// A set of published keys (RFC 7517).
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Keys {
    keys: Vec<Key>,
}

#[derive(Clone, Debug, Deserialize)]
struct Key {
    #[serde(default)]
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
}

/// What an `id_token` of the code flow has to agree with.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a SecretString,
    pub(crate) access_token: &'a SecretString,
    pub(crate) now: i64,
}

/// Checks the `id_token` of a code exchange.
pub(crate) fn check(
    token: &str,
    keys: &Keys,
    expected: &Expected<'_>,
) -> Result<Claims, IdTokenError> {
    let parts = Parts::split(token)?;
    parts.check_signature(keys)?;
    let claims = parts.claims()?;
    check_identity(&claims, expected.issuer, expected.client_id)?;
    if claims.exp <= expected.now.saturating_sub(EXPIRY_LEEWAY) {
        return Err(IdTokenError::Expired);
    }
    if expected.now.abs_diff(claims.iat) > ISSUED_LEEWAY.unsigned_abs() {
        return Err(IdTokenError::IssuedAt);
    }
    let nonce = claims.nonce.as_deref().ok_or(IdTokenError::Nonce)?;
    if !same_secret(nonce, expected.nonce.expose_secret()) {
        return Err(IdTokenError::Nonce);
    }
    if let Some(at_hash) = &claims.at_hash {
        let hash = digest::digest(
            &digest::SHA256,
            expected.access_token.expose_secret().as_bytes(),
        );
        if *at_hash != URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]) {
            return Err(IdTokenError::AccessTokenHash);
        }
    }
    Ok(claims)
}

/// Checks the `id_token` of a refresh: same issuer, audience and account. It has no nonce, and its
/// signature is left alone, since a key that cannot be fetched must not cost the new tokens.
pub(crate) fn check_refreshed(
    token: &str,
    issuer: &str,
    client_id: &str,
    subject: &str,
) -> Result<(), IdTokenError> {
    let claims = Parts::split(token)?.claims()?;
    check_identity(&claims, issuer, client_id)?;
    if claims.sub != subject {
        return Err(IdTokenError::Subject);
    }
    Ok(())
}

fn check_identity(claims: &Claims, issuer: &str, client_id: &str) -> Result<(), IdTokenError> {
    if claims.iss != issuer {
        // A proxy ended TLS, and the server behind it does not know.
        let without_tls = issuer.strip_prefix("https://");
        let is_the_same =
            without_tls.is_some() && claims.iss.strip_prefix("http://") == without_tls;
        return Err(if is_the_same {
            IdTokenError::IssuerWithoutTls
        } else {
            IdTokenError::Issuer
        });
    }
    let audiences = claims.aud.all();
    let mine = audiences.iter().any(|audience| audience == client_id);
    let presented_by_me = claims.azp.as_deref().is_none_or(|azp| azp == client_id);
    if !mine || !presented_by_me || (audiences.len() > 1 && claims.azp.is_none()) {
        return Err(IdTokenError::Audience);
    }
    if claims.sub.is_empty() {
        return Err(IdTokenError::Subject);
    }
    Ok(())
}

struct Parts<'a> {
    signed: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, IdTokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(IdTokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(IdTokenError::Malformed)?;
        if payload.contains('.') {
            return Err(IdTokenError::Malformed);
        }
        Ok(Self {
            signed,
            header,
            payload,
            signature,
        })
    }

    fn check_signature(&self, keys: &Keys) -> Result<(), IdTokenError> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
            #[serde(default)]
            kid: Option<String>,
            #[serde(default)]
            crit: Option<IgnoredAny>,
        }
        let header: Header = decode(self.header)
            .and_then(|json| serde_json::from_slice(&json).map_err(|_| IdTokenError::Malformed))?;
        if header.alg != "RS256" {
            return Err(IdTokenError::Algorithm);
        }
        // An extension that must be understood (RFC 7515, section 4.1.11), and is not.
        if header.crit.is_some() {
            return Err(IdTokenError::Malformed);
        }
        let signature = decode(self.signature)?;
        let mut known = false;
        for key in keys.keys.iter().filter(|key| key.kty == "RSA") {
            if header.kid.is_some() && key.kid != header.kid {
                continue;
            }
            let (Some(n), Some(e)) = (&key.n, &key.e) else {
                continue;
            };
            known = true;
            let (n, e) = (decode(n)?, decode(e)?);
            let key = signature::RsaPublicKeyComponents { n: &n, e: &e };
            if key
                .verify(
                    &signature::RSA_PKCS1_2048_8192_SHA256,
                    self.signed.as_bytes(),
                    &signature,
                )
                .is_ok()
            {
                return Ok(());
            }
        }
        Err(if known {
            IdTokenError::Signature
        } else {
            IdTokenError::UnknownKey
        })
    }

    fn claims(&self) -> Result<Claims, IdTokenError> {
        let json = decode(self.payload)?;
        serde_json::from_slice(&json).map_err(|_| IdTokenError::Malformed)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, IdTokenError> {
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| IdTokenError::Malformed)
}
