//! Which proxy a request goes through.
//!
//! The variables are curl's: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or not; without
//! any of them the operating system's settings count. Two things differ from what the HTTP client does by
//! itself. Loopback is this machine, so no proxy can lead there. And a variable that is not understood ends
//! every request that it is meant for: who asks for a proxy does not want to go without one.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

/// The port of a SOCKS proxy that names none, as for curl.
const SOCKS_PORT: u16 = 1080;

/// Stands for a proxy whose variable is not understood: a name that no resolver knows (RFC 6761).
const NOT_UNDERSTOOD: &str = "not-understood.invalid";

/// A variable that names no proxy.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "the value of {variable} is not the address of a proxy; write it as socks5h://localhost:1080 or \
     http://proxy.example:3128"
)]
pub struct NotUnderstood {
    /// Its name, as it is written in the environment.
    pub variable: &'static str,
}

/// Has the client's requests go through the proxies of the environment or of the system.
pub(crate) fn applied(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    let proxies = Proxies::read(|name| std::env::var(name).ok());
    let builder = match proxies.mistake() {
        Some(mistake) => builder.dns_resolver(Arc::new(Refusing(mistake.clone()))),
        None => builder,
    };
    builder.proxy(reqwest::Proxy::custom(move |url| proxies.proxy_for(url)))
}

/// Looks whether the variables are understood.
///
/// # Errors
///
/// The first that is not.
pub fn check_variables() -> Result<(), NotUnderstood> {
    let proxies = Proxies::read(|name| std::env::var(name).ok());
    proxies
        .mistake()
        .map_or(Ok(()), |mistake| Err(mistake.clone()))
}

struct Proxies {
    matcher: Matcher,
    https: Option<NotUnderstood>,
    http: Option<NotUnderstood>,
}

impl Proxies {
    fn read(value_of: impl Fn(&str) -> Option<String>) -> Self {
        let find = |names: [&'static str; 2]| {
            names
                .into_iter()
                .find_map(|name| value_of(name).map(|value| Variable { name, value }))
                .filter(|variable| !variable.value.is_empty())
        };
        let all = find(["ALL_PROXY", "all_proxy"]);
        let https = find(["HTTPS_PROXY", "https_proxy"]);
        // In a CGI script, `HTTP_PROXY` is what a stranger's request says.
        let http = match value_of("REQUEST_METHOD") {
            Some(_) => None,
            None => find(["HTTP_PROXY", "http_proxy"]),
        };
        if all.is_none() && https.is_none() && http.is_none() {
            return Self {
                matcher: Matcher::from_system(),
                https: None,
                http: None,
            };
        }
        let mistake = |own: &Option<Variable>| own.as_ref().or(all.as_ref())?.mistake();
        let address = |variable: &Option<Variable>| {
            let variable = variable.as_ref();
            variable.map_or_else(String::new, Variable::address)
        };
        let no = ["NO_PROXY", "no_proxy"].into_iter().find_map(&value_of);
        Self {
            https: mistake(&https),
            http: mistake(&http),
            matcher: Matcher::builder()
                .all(address(&all))
                .https(address(&https))
                .http(address(&http))
                .no(no.unwrap_or_default())
                .build(),
        }
    }

    fn mistake(&self) -> Option<&NotUnderstood> {
        self.https.as_ref().or(self.http.as_ref())
    }

    fn proxy_for(&self, url: &Url) -> Option<Url> {
        if is_loopback(url) {
            return None;
        }
        let refused = match url.scheme() {
            "https" => self.https.is_some(),
            _ => self.http.is_some(),
        };
        if refused {
            return Url::parse(&format!("http://{NOT_UNDERSTOOD}")).ok();
        }
        address_of(&self.matcher.intercept(&url.as_str().parse().ok()?)?)
    }
}

struct Variable {
    name: &'static str,
    value: String,
}

impl Variable {
    /// GNOME writes `socks://` and means version 5.
    fn address(&self) -> String {
        let value = self.value.trim();
        match value.strip_prefix("socks://") {
            Some(rest) => format!("socks5h://{rest}"),
            None => value.to_owned(),
        }
    }

    fn mistake(&self) -> Option<NotUnderstood> {
        let anywhere = "https://posthog.invalid/".parse().ok()?;
        let only = Matcher::builder().all(self.address()).build();
        let understood = only.intercept(&anywhere).as_ref().and_then(address_of);
        understood.is_none().then_some(NotUnderstood {
            variable: self.name,
        })
    }
}

/// The proxy's address with its port and with the name and password that it asks for.
fn address_of(proxy: &Intercept) -> Option<Url> {
    let mut address = Url::parse(&proxy.uri().to_string()).ok()?;
    address.host()?;
    if address.scheme().starts_with("socks") && address.port().is_none() {
        address.set_port(Some(SOCKS_PORT)).ok()?;
    }
    if let Some((user, password)) = credentials(proxy) {
        address.set_username(&user).ok()?;
        address.set_password(Some(&password)).ok()?;
    }
    Some(address)
}

fn credentials(proxy: &Intercept) -> Option<(String, String)> {
    if let Some((user, password)) = proxy.raw_auth() {
        return Some((user.to_owned(), password.to_owned()));
    }
    let basic = proxy.basic_auth()?.as_bytes().strip_prefix(b"Basic ")?;
    let basic = String::from_utf8(BASE64_STANDARD.decode(basic).ok()?).ok()?;
    let (user, password) = basic.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => false,
    }
}

/// Resolves names as the system does, except the one that stands for a mistake.
struct Refusing(NotUnderstood);

impl Resolve for Refusing {
    fn resolve(&self, name: Name) -> Resolving {
        let mistake = self.0.clone();
        Box::pin(async move {
            if name.as_str() == NOT_UNDERSTOOD {
                return Err(Box::new(mistake) as Box<dyn Error + Send + Sync>);
            }
            let addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn proxies(set: &[(&str, &str)]) -> Proxies {
        Proxies::read(|name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn through(proxies: &Proxies, url: &str) -> Option<String> {
        let proxy = proxies.proxy_for(&url.parse().unwrap());
        proxy.map(String::from)
    }

    #[test]
    fn loopback_is_never_reached_through_a_proxy() {
        for value in ["socks5h://proxy.example:9050", "nonsense://x"] {
            let proxies = proxies(&[("ALL_PROXY", value)]);
            for here in [
                "http://127.0.0.1:8010/",
                "http://127.9.9.9/",
                "http://localhost:1/",
                "http://us.localhost:1/",
                "http://[::1]:1/",
                "http://[::ffff:127.0.0.1]:1/",
            ] {
                assert_eq!(through(&proxies, here), None, "{here}");
            }
            assert!(through(&proxies, "https://us.posthog.com/").is_some());
            assert!(through(&proxies, "https://localhost.example.com/").is_some());
        }
    }

    #[test]
    fn a_socks_proxy_has_its_port_and_its_password() {
        for (value, address) in [
            ("socks5h://proxy.example", "socks5h://proxy.example:1080/"),
            ("socks://proxy.example:9/", "socks5h://proxy.example:9/"),
            (
                "socks5://me:p%40ss@proxy.example:9",
                "socks5://me:p%40ss@proxy.example:9/",
            ),
            (
                "http://me:p%40ss@proxy.example:3128",
                "http://me:p%40ss@proxy.example:3128/",
            ),
            ("proxy.example:3128", "http://proxy.example:3128/"),
        ] {
            let proxies = proxies(&[("all_proxy", value)]);
            let found = through(&proxies, "https://us.posthog.com/");
            assert_eq!(found.as_deref(), Some(address), "{value}");
        }
    }

    #[test]
    fn a_variable_that_is_not_understood_is_named_and_no_request_goes_without_it() {
        for value in ["sock5://proxy.example:1", "socks5h://", "://", "a b"] {
            let wrong = proxies(&[("https_proxy", value), ("ALL_PROXY", "proxy.example:1")]);
            assert_eq!(wrong.mistake().unwrap().variable, "https_proxy", "{value}");
            let found = through(&wrong, "https://us.posthog.com/").unwrap();
            assert!(found.contains(NOT_UNDERSTOOD), "{value}: {found}");
        }
        // One that no request needs is not asked for.
        let unused = proxies(&[
            ("ALL_PROXY", "sock5://x"),
            ("HTTPS_PROXY", "proxy.example:1"),
            ("HTTP_PROXY", "proxy.example:1"),
        ]);
        assert_eq!(unused.mistake(), None);
    }

    #[test]
    fn some_hosts_are_reached_without_it() {
        let proxies = proxies(&[
            ("ALL_PROXY", "socks5h://proxy.example:1"),
            ("NO_PROXY", "example.com"),
        ]);
        assert_eq!(through(&proxies, "https://posthog.example.com/"), None);
        assert!(through(&proxies, "https://us.posthog.com/").is_some());
    }
}
