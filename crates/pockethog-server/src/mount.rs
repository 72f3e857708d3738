//! The random path that all pages are below, and how addresses get it.
//!
//! A browser keeps cookies by host name and path, and not by port: a cookie of `http://127.0.0.1:49152/` is
//! sent to whatever else listens on 127.0.0.1. So the pages are below a random path, which the cookie has as
//! its `Path`. Other servers of this machine do not know it and therefore are not sent the cookie.
//!
//! Pages and handlers are written as if they were at the root. What comes in loses the prefix before it is
//! routed ([`Mount::strip`]); what goes out gets it in one place: redirects ([`Mount::address`]), pages and
//! fragments of pages ([`Mount::html`]). Style sheet, script and icon stay at the root: they hold nothing
//! personal, and pages for strangers use them too.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

/// Where the style sheet, the script and the icon are, with and without the prefix.
pub const ASSETS: &str = "/assets/";

/// What the prefix begins with, so that it can be distinguished from every page.
const MARK: &str = "/~";

/// Random bytes in the prefix.
const BYTES: usize = 16;

/// Attributes that hold an address of ours.
const ADDRESSES: [&str; 7] = [
    "action",
    "data-base",
    "data-order",
    "data-stream",
    "formaction",
    "href",
    "src",
];

/// The prefix, `/~` and 128 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Mount(String);

impl Mount {
    /// A new one; `None` if the system cannot provide random numbers.
    pub fn random() -> Option<Self> {
        let mut bytes = [0_u8; BYTES];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Self(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// One that was stored.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(MARK)?).ok()?;
        (bytes.len() == BYTES).then(|| Self(text.to_owned()))
    }

    /// The prefix itself, without a slash at its end: the cookie's `Path`.
    pub fn path(&self) -> &str {
        &self.0
    }

    /// What `path` is below the prefix; `None` if it is elsewhere.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        match path.strip_prefix(self.0.as_str())? {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    /// The address of a page of ours: `/settings` becomes `/~…/settings`. Other addresses stay as they are.
    pub fn address<'a>(&self, path: &'a str) -> Cow<'a, str> {
        if is_ours(path) {
            Cow::Owned(format!("{}{path}", self.0))
        } else {
            Cow::Borrowed(path)
        }
    }

    /// Puts the prefix into the addresses of a page or of a part of one. Quotes in text are escaped as
    /// `&quot;`, so that `="/` begins the value of an attribute and nothing else.
    pub fn html<'a>(&self, html: &'a str) -> Cow<'a, str> {
        const VALUE: &str = "=\"";
        let mut mounted = String::new();
        let mut rest = html;
        while let Some(at) = rest.find("=\"/") {
            let (before, value) = rest.split_at(at + VALUE.len());
            mounted.push_str(before);
            let name = before.trim_end_matches(VALUE);
            let name = name.rsplit([' ', '\n']).next().unwrap_or_default();
            if ADDRESSES.contains(&name) && is_ours(value) {
                mounted.push_str(&self.0);
            }
            rest = value;
        }
        if mounted.is_empty() {
            return Cow::Borrowed(html);
        }
        mounted.push_str(rest);
        Cow::Owned(mounted)
    }
}

/// True for the beginning of an address that is mounted.
fn is_ours(address: &str) -> bool {
    address.starts_with('/') && !address.starts_with("//") && !address.starts_with(ASSETS)
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mount")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use maud::html;

    use super::*;

    #[test]
    fn addresses_get_the_prefix_and_lose_it_again() {
        let mount = Mount::random().unwrap();
        assert_eq!(mount.strip(mount.path()), Some("/"));
        for path in ["/", "/settings?filter=a", "/project/us/1"] {
            let address = mount.address(path);
            assert_ne!(address, path);
            assert_eq!(mount.strip(&address), Some(path));
            assert_eq!(mount.strip(path), None);
        }
        let longer = format!("{}a/settings", mount.path());
        assert_eq!(mount.strip(&longer), None);
        for elsewhere in ["/assets/app.js", "https://us.posthog.com/", "//evil", "#a"] {
            assert_eq!(mount.address(elsewhere), elsewhere);
        }
        assert_eq!(Mount::parse(mount.path()), Some(mount));
        assert_eq!(Mount::parse("/~short"), None);
        assert_eq!(Mount::parse("/settings"), None);
    }

    #[test]
    fn pages_get_the_prefix_where_an_address_is_and_nowhere_else() {
        let mount = Mount::random().unwrap();
        let page = html! {
            link href="/assets/style.css";
            a href="/settings#projects" title="/settings" { "href=\"/settings\"" }
            a href="#content" {} a href="https://us.posthog.com/" {}
            form action="/api-key" { input name="back" value="/project/us/1"; }
        };
        let page = page.into_string();
        let mounted = mount.html(&page);
        let path = mount.path();
        assert!(mounted.contains(&format!("href=\"{path}/settings#projects\"")));
        assert!(mounted.contains(&format!("action=\"{path}/api-key\"")));
        assert_eq!(mounted.matches(path).count(), 2);
        assert_eq!(mounted.replace(path, ""), page);
    }
}
