//! A PostHog instance: US Cloud, EU Cloud, or one self-hosted base address.
//!
//! A Host is an OAuth issuer: everything that is sent to PostHog goes to an address built from it. What a person
//! types is parsed into a Host here, once, or refused with what to write instead.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// US or EU Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// `https://us.posthog.com`
    Us,
    /// `https://eu.posthog.com`
    Eu,
}

impl Region {
    /// `us` or `eu`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
        }
    }

    fn address(self) -> &'static str {
        match self {
            Self::Us => "https://us.posthog.com",
            Self::Eu => "https://eu.posthog.com",
        }
    }

    /// The region that a PostHog host name belongs to, capture hosts and the old `app` included.
    fn of_host_name(name: &str) -> Option<Self> {
        match name {
            "us.posthog.com"
            | "app.posthog.com"
            | "posthog.com"
            | "www.posthog.com"
            | "us.i.posthog.com"
            | "us-assets.i.posthog.com"
            | "app.i.posthog.com" => Some(Self::Us),
            "eu.posthog.com" | "eu.i.posthog.com" | "eu-assets.i.posthog.com" => Some(Self::Eu),
            _ => None,
        }
    }
}

/// A PostHog instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "StoredHost", into = "StoredHost")]
pub struct Host {
    region: Option<Region>,
    key: String,
    base: Url,
}

impl Host {
    /// US or EU Cloud.
    pub fn cloud(region: Region) -> Self {
        let base = Url::parse(region.address()).expect("a constant address");
        Self {
            region: Some(region),
            key: region.key().to_owned(),
            base,
        }
    }

    /// US or EU Cloud at another address, for tests and development. It keeps the region's key.
    ///
    /// # Errors
    ///
    /// As [`Host::self_hosted`].
    pub fn cloud_at(region: Region, base: &str) -> Result<Self, HostError> {
        Ok(Self {
            region: Some(region),
            key: region.key().to_owned(),
            base: parse_base(base)?,
        })
    }

    /// The Host at an address that a person typed. PostHog's own addresses become the Cloud.
    ///
    /// # Errors
    ///
    /// Blank, without scheme, with a path, with plain http other than loopback, and the like; each
    /// error says what to write instead.
    pub fn self_hosted(typed: &str) -> Result<Self, HostError> {
        let base = parse_base(typed)?;
        if let Some(region) = base.host_str().and_then(Region::of_host_name) {
            return Ok(Self::cloud(region));
        }
        Ok(Self {
            region: None,
            key: origin(&base),
            base,
        })
    }

    /// The region, for US and EU Cloud.
    pub fn region(&self) -> Option<Region> {
        self.region
    }

    /// The origin that every address is built on; its path is `/`.
    pub fn base_url(&self) -> &Url {
        &self.base
    }

    /// The issuer identifier: the origin without a trailing slash, compared byte for byte.
    pub fn issuer(&self) -> String {
        origin(&self.base)
    }

    /// A stable name for files and preferences: `us`, `eu`, or the origin.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The name that people use: “US Cloud”, or the host name.
    pub fn name(&self) -> String {
        match self.region {
            Some(Region::Us) => "US Cloud".to_owned(),
            Some(Region::Eu) => "EU Cloud".to_owned(),
            None => self
                .key
                .split_once("://")
                .map_or(self.key.as_str(), |(_, rest)| rest)
                .to_owned(),
        }
    }

    /// The host name and port that requests are sent to: `us.posthog.com`, `127.0.0.1:8000`.
    pub fn authority(&self) -> String {
        authority(&self.base)
    }

    /// Whether it is on this device.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.base)
    }

    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Why an address is not a Host. Each message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The address is empty.
    #[error("the address of your PostHog is missing; write it as https://posthog.example.org")]
    Empty,
    /// The text is not an address.
    #[error("“{0}” is not an address; write it as https://posthog.example.org")]
    NotAnAddress(String),
    /// `https://` is missing.
    #[error("the address needs its scheme; write https://{0}")]
    NoScheme(String),
    /// The address has a path, a query or a user name.
    #[error("only the address of your PostHog is needed, without a path; write {0}")]
    NotAnOrigin(String),
    /// The address at which sign-ins of all regions begin, which is in no region.
    #[error(
        "oauth.posthog.com only redirects people to their region and has no projects; \
         write https://us.posthog.com or https://eu.posthog.com"
    )]
    RegionUnknown,
    /// Plain http to another device: everyone on the way could read the key.
    #[error("with plain http everyone on the network could read your sign-in; write https://{0}")]
    PlainHttp(String),
}

/// Whether it is `https`, or `http` to this device itself.
pub(crate) fn is_https_or_loopback(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn parse_base(typed: &str) -> Result<Url, HostError> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(HostError::Empty);
    }
    if !typed.contains("://") {
        let guess = Url::parse(&format!("https://{typed}"))
            .ok()
            .filter(|url| url.host_str().is_some_and(|host| !host.is_empty()));
        return Err(guess.map_or_else(
            || HostError::NotAnAddress(shorten(typed)),
            |url| HostError::NoScheme(authority(&url)),
        ));
    }
    let url = Url::parse(typed).map_err(|_| HostError::NotAnAddress(shorten(typed)))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(HostError::NotAnAddress(shorten(typed)));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(HostError::PlainHttp(authority(&url)));
    }
    if url.host_str() == Some("oauth.posthog.com") {
        return Err(HostError::RegionUnknown);
    }
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !bare {
        return Err(HostError::NotAnOrigin(origin(&url)));
    }
    Ok(url)
}

fn origin(url: &Url) -> String {
    format!("{}://{}", url.scheme(), authority(url))
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A Host as it is stored in files: readable, and checked again when it is read.
#[derive(Serialize, Deserialize)]
struct StoredHost {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    region: Option<Region>,
    address: String,
}

impl From<Host> for StoredHost {
    fn from(host: Host) -> Self {
        Self {
            region: host.region,
            address: host.issuer(),
        }
    }
}

impl TryFrom<StoredHost> for Host {
    type Error = HostError;

    fn try_from(stored: StoredHost) -> Result<Self, HostError> {
        match stored.region {
            Some(region) => Self::cloud_at(region, &stored.address),
            None => Self::self_hosted(&stored.address),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_is_trimmed_and_may_end_with_a_slash() {
        let host = Host::self_hosted("  https://ph.example.org:8443/ ").unwrap();
        assert_eq!(host.key(), "https://ph.example.org:8443");
        assert_eq!(host.name(), "ph.example.org:8443");
    }

    #[test]
    fn posthogs_own_addresses_are_the_cloud() {
        for typed in [
            "https://us.posthog.com",
            "https://app.posthog.com/",
            "https://us.i.posthog.com",
        ] {
            assert_eq!(Host::self_hosted(typed).unwrap(), Host::cloud(Region::Us));
        }
        assert_eq!(
            Host::self_hosted("https://eu.i.posthog.com").unwrap(),
            Host::cloud(Region::Eu)
        );
    }

    #[test]
    fn the_address_where_sign_ins_begin_is_no_host() {
        for typed in [
            "https://oauth.posthog.com",
            "https://OAuth.PostHog.com/oauth/authorize",
        ] {
            let error = Host::self_hosted(typed).unwrap_err();
            assert_eq!(error, HostError::RegionUnknown);
            assert!(error.to_string().contains("https://eu.posthog.com"));
        }
        assert!(Host::cloud_at(Region::Us, "https://oauth.posthog.com").is_err());
    }

    #[test]
    fn a_refused_address_comes_with_the_one_to_write() {
        let message = |typed: &str| Host::self_hosted(typed).unwrap_err().to_string();
        assert!(message("ph.example.org").contains("write https://ph.example.org"));
        assert!(message("ph.example.org/a").contains("write https://ph.example.org"));
        assert!(
            message("https://ph.example.org/project/1").ends_with("write https://ph.example.org")
        );
        assert!(message("http://ph.example.org").contains("write https://ph.example.org"));
        assert_eq!(Host::self_hosted("  "), Err(HostError::Empty));
        assert!(matches!(
            Host::self_hosted("ftp://x"),
            Err(HostError::NotAnAddress(_))
        ));
        assert!(matches!(
            Host::self_hosted("https://me:secret@ph.example.org"),
            Err(HostError::NotAnOrigin(_))
        ));
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        assert!(Host::self_hosted("http://127.0.0.1:8000").is_ok());
        assert!(Host::self_hosted("http://[::1]:8000").is_ok());
        assert!(Host::self_hosted("http://127.0.0.1.example.org").is_err());
        assert!(Host::cloud_at(Region::Us, "http://10.0.0.1").is_err());
    }

    #[test]
    fn a_stored_host_comes_back() {
        let host = Host::cloud_at(Region::Eu, "http://127.0.0.1:9").unwrap();
        let text = serde_json::to_string(&host).unwrap();
        assert_eq!(serde_json::from_str::<Host>(&text).unwrap(), host);
    }

    #[test]
    fn a_region_at_another_address_keeps_its_name_and_tells_the_address() {
        let host = Host::cloud_at(Region::Us, "http://127.0.0.1:8000").unwrap();
        assert_eq!(
            (host.name(), host.authority()),
            ("US Cloud".into(), "127.0.0.1:8000".into())
        );
        assert_eq!(Host::cloud(Region::Eu).authority(), "eu.posthog.com");
    }
}
