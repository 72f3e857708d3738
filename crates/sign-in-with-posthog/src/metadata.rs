//! Authorization server metadata (RFC 8414). It is used only if the issuer is the Host, if all endpoints are at the
//! same origin, and if PKCE with S256 is offered (rules B1 and B2).

use serde::Deserialize;
use url::Url;

use crate::host::{Host, is_https_or_loopback};
use crate::http::{self, NoAnswer};

/// The paths of the metadata, in priority order.
const PATHS: [&str; 2] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

/// The endpoints of a Host, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) jwks_uri: Option<Url>,
    pub(crate) registration_endpoint: Option<Url>,
    pub(crate) revocation_endpoint: Option<Url>,
    pub(crate) introspection_endpoint: Option<Url>,
    pub(crate) userinfo_endpoint: Option<Url>,
    pub(crate) sends_iss: bool,
}

/// Why a Host's metadata is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// An endpoint is at another origin than the issuer, so codes and tokens would be sent elsewhere.
    ///
    /// Only the administrator of that PostHog can change it. A personal API key works without.
    #[error(
        "{host} names a {endpoint} at an address that is not its own, so signing in there is not safe"
    )]
    ForeignEndpoint {
        /// The Host.
        host: String,
        /// Which endpoint.
        endpoint: &'static str,
    },
    /// The issuer is not the address of the Host, byte for byte (RFC 8414, section 3.3).
    ///
    /// Use the address that it names itself by, or correct its setting `SITE_URL`.
    #[error("{}", issuer_mismatch(.host, .address, .issuer, *.self_hosted))]
    IssuerMismatch {
        /// The Host.
        host: String,
        /// The address of the Host.
        address: String,
        /// Whether it is self-hosted, so that its administrator can set `SITE_URL`.
        self_hosted: bool,
        /// The issuer that it names.
        issuer: String,
    },
    /// There is no metadata: an old version, or not a PostHog. A personal API key may work.
    #[error("{0} offers no sign-in with the browser (OAuth); use a personal API key")]
    None(String),
    /// PKCE with S256 is not offered (RFC 7636). A personal API key works without.
    #[error(
        "{0} does not offer PKCE with S256, so signing in there is not safe; use a personal API key"
    )]
    NoPkce(String),
    /// The metadata names an endpoint with something that is no address.
    ///
    /// The administrator of that PostHog has to repair it. A personal API key works without.
    #[error("the description of the sign-in at {host} cannot be read")]
    Unreadable {
        /// The Host.
        host: String,
        /// What is wrong with the address.
        source: url::ParseError,
    },
    /// There was no response; see there.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// PostHog is overloaded or restarting. A retry can succeed.
    #[error("{host} is busy ({status}); try again in a moment")]
    Busy {
        /// The Host.
        host: String,
        /// HTTP status.
        status: u16,
    },
}

/// PostHog builds its issuer from `SITE_URL` and not from the address of the request.
fn issuer_mismatch(host: &str, address: &str, issuer: &str, self_hosted: bool) -> String {
    if self_hosted {
        format!(
            "{host} calls itself {issuer}, so it may not be the server that you meant. If {issuer} is its \
             correct address, sign in there; if not, its setting SITE_URL has to be {address}. A personal API \
             key works in both cases"
        )
    } else {
        format!(
            "{host} calls itself {issuer}, so it may not be the server that you meant; nothing was sent"
        )
    }
}

impl Metadata {
    pub(crate) async fn fetch(http: &reqwest::Client, host: &Host) -> Result<Self, MetadataError> {
        for path in PATHS {
            let answer = http::send(http.get(host.join(path))).await?;
            match answer.status.as_u16() {
                200 => {
                    let Some(raw) = answer.json::<Raw>() else {
                        // A single-page app answers 200 with HTML for any path it does not know.
                        continue;
                    };
                    return raw.check(host);
                }
                status @ (429 | 500..) => {
                    return Err(MetadataError::Busy {
                        host: host.name(),
                        status,
                    });
                }
                _ => {}
            }
        }
        Err(MetadataError::None(host.name()))
    }
}

#[derive(Deserialize)]
struct Raw {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    jwks_uri: Option<String>,
    #[serde(default)]
    registration_endpoint: Option<String>,
    #[serde(default)]
    revocation_endpoint: Option<String>,
    #[serde(default)]
    introspection_endpoint: Option<String>,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Raw {
    fn check(self, host: &Host) -> Result<Metadata, MetadataError> {
        if self.issuer != host.issuer() {
            return Err(MetadataError::IssuerMismatch {
                host: host.name(),
                address: host.issuer(),
                self_hosted: host.region().is_none(),
                issuer: http::words(&self.issuer),
            });
        }
        if !self
            .code_challenge_methods_supported
            .iter()
            .any(|method| method == "S256")
        {
            return Err(MetadataError::NoPkce(host.name()));
        }
        let endpoint = |name: &'static str, address: &str| {
            let url = Url::parse(address).map_err(|source| MetadataError::Unreadable {
                host: host.name(),
                source,
            })?;
            if url.origin() != host.base_url().origin() || !is_https_or_loopback(&url) {
                return Err(MetadataError::ForeignEndpoint {
                    host: host.name(),
                    endpoint: name,
                });
            }
            Ok(url)
        };
        let optional = |name, address: Option<String>| {
            address.map(|address| endpoint(name, &address)).transpose()
        };
        Ok(Metadata {
            authorization_endpoint: endpoint(
                "authorization_endpoint",
                &self.authorization_endpoint,
            )?,
            token_endpoint: endpoint("token_endpoint", &self.token_endpoint)?,
            jwks_uri: optional("jwks_uri", self.jwks_uri)?,
            registration_endpoint: optional("registration_endpoint", self.registration_endpoint)?,
            revocation_endpoint: optional("revocation_endpoint", self.revocation_endpoint)?,
            introspection_endpoint: optional(
                "introspection_endpoint",
                self.introspection_endpoint,
            )?,
            userinfo_endpoint: optional("userinfo_endpoint", self.userinfo_endpoint)?,
            sends_iss: self.authorization_response_iss_parameter_supported,
            issuer: self.issuer,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::Region;
    use serde_json::json;

    fn check(change: impl FnOnce(&mut serde_json::Value)) -> Result<Metadata, MetadataError> {
        let mut raw = json!({
            "issuer": "https://us.posthog.com",
            "authorization_endpoint": "https://us.posthog.com/oauth/authorize/",
            "token_endpoint": "https://us.posthog.com/oauth/token/",
            "code_challenge_methods_supported": ["S256"],
        });
        change(&mut raw);
        serde_json::from_value::<Raw>(raw)
            .unwrap()
            .check(&Host::cloud(Region::Us))
    }

    #[test]
    fn rule_b1_the_issuer_is_equal_byte_for_byte() {
        assert!(check(|_| ()).is_ok());
        for issuer in [
            "https://us.posthog.com/",
            "https://US.posthog.com",
            "https://oauth.posthog.com",
        ] {
            let result = check(|raw| raw["issuer"] = json!(issuer));
            assert!(matches!(result, Err(MetadataError::IssuerMismatch { .. })));
        }
    }

    #[test]
    fn rule_b1_an_endpoint_elsewhere_is_not_used() {
        for address in [
            "https://evil.example/oauth/token/",
            "http://us.posthog.com/oauth/token/",
        ] {
            let result = check(|raw| raw["token_endpoint"] = json!(address));
            assert!(matches!(result, Err(MetadataError::ForeignEndpoint { .. })));
        }
    }

    #[test]
    fn rule_b2_without_s256_there_is_no_sign_in() {
        for methods in [json!([]), json!(["plain"])] {
            let result = check(|raw| raw["code_challenge_methods_supported"] = methods);
            assert!(matches!(result, Err(MetadataError::NoPkce(_))));
        }
    }
}
