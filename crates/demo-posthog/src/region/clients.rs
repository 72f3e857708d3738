//! Registered programs, and which redirect addresses are theirs.

use url::Url;

/// Which kind of program it is; tokens depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Registered itself: 7 days, one refresh token for ever.
    Dynamic,
    /// Made by hand: an hour, and each refresh replaces both tokens.
    Manual,
}

impl Kind {
    /// How long an access token lives, in seconds.
    pub(crate) fn lifetime(self) -> i64 {
        match self {
            Self::Dynamic => 7 * 24 * 3600,
            Self::Manual => 3600,
        }
    }
}

/// A registered program.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) redirect_uris: Vec<String>,
    /// The ceiling of its scopes, and the ones that a user cannot untick. Empty: no ceiling.
    pub(crate) scopes: Vec<String>,
    /// Only for confidential programs.
    pub(crate) secret: Option<String>,
}

impl Client {
    /// Whether a redirect address is one of those registered.
    pub(crate) fn accepts(&self, redirect_uri: &str) -> bool {
        self.redirect_uris
            .iter()
            .any(|registered| matches(registered, redirect_uri))
    }
}

/// PostHog's rules for an address to be registered.
pub(crate) fn check_redirect_uri(address: &str) -> Result<(), String> {
    let url = Url::parse(address).map_err(|_| format!("Invalid redirect URI: {address}"))?;
    if url.fragment().is_some() {
        return Err("Redirect URIs cannot contain fragments".to_owned());
    }
    match url.scheme() {
        "http" if !is_loopback(&url) => {
            Err("Redirect URIs must use https, except for loopback addresses".to_owned())
        }
        scheme @ ("javascript" | "data" | "file" | "blob" | "vbscript") => {
            Err(format!("Redirect URI scheme {scheme} is not allowed"))
        }
        _ => Ok(()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Scheme, host and path are equal, the registered query is part of the other's, and the port is
/// free for `127.0.0.1` and `[::1]`, and for `localhost` if none was registered.
fn matches(registered: &str, asked: &str) -> bool {
    if registered == asked {
        return true;
    }
    let (Ok(registered), Ok(asked)) = (Url::parse(registered), Url::parse(asked)) else {
        return false;
    };
    let any_port = registered.scheme() == "http"
        && match registered.host_str() {
            Some("127.0.0.1" | "[::1]") => true,
            Some("localhost") => registered.port().is_none(),
            _ => false,
        };
    let queries: Vec<_> = asked.query_pairs().collect();
    registered.scheme() == asked.scheme()
        && registered.host_str() == asked.host_str()
        && (any_port || registered.port() == asked.port())
        && registered.path() == asked.path()
        && registered.query_pairs().all(|pair| queries.contains(&pair))
        && asked.username().is_empty()
        && asked.password().is_none()
        && asked.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_literals_take_any_port_and_localhost_only_if_registered_without() {
        assert!(matches(
            "http://127.0.0.1/callback",
            "http://127.0.0.1:54321/callback"
        ));
        assert!(matches(
            "http://[::1]/callback",
            "http://[::1]:54321/callback"
        ));
        assert!(matches(
            "http://localhost/callback",
            "http://localhost:54321/callback"
        ));
        assert!(!matches(
            "http://localhost:8080/callback",
            "http://localhost:1/callback"
        ));
        assert!(!matches(
            "http://127.0.0.2/callback",
            "http://127.0.0.2:1/callback"
        ));
    }

    #[test]
    fn other_hosts_paths_and_tricks_are_refused() {
        for asked in [
            "http://localhost:54321/callback",
            "http://127.0.0.1:54321/callback/",
            "http://127.0.0.1:54321/other",
            "https://127.0.0.1/callback",
            "http://127.0.0.1@evil.example/callback",
            "http://user@127.0.0.1:1/callback",
            "http://127.0.0.1:1/callback#x",
        ] {
            assert!(!matches("http://127.0.0.1/callback", asked), "{asked}");
        }
    }

    #[test]
    fn custom_schemes_may_be_registered_and_dangerous_ones_not() {
        assert!(check_redirect_uri("com.example.app:/oauth").is_ok());
        assert!(check_redirect_uri("http://127.0.0.1/callback").is_ok());
        assert!(check_redirect_uri("https://example.com/callback").is_ok());
        for refused in [
            "http://example.com/callback",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://example.com/callback#fragment",
            "no address",
        ] {
            assert!(check_redirect_uri(refused).is_err(), "{refused}");
        }
    }
}
