//! Scopes: what a credential may do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A list of scopes, each once, in the order given.
///
/// PostHog reads `x:write` as `x:read` too, and `*` as everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Reads the space-separated list of RFC 6749, section 3.3.
    pub fn parse(list: &str) -> Self {
        list.split_whitespace().collect()
    }

    /// Whether `scope` is allowed.
    pub fn allows(&self, scope: &str) -> bool {
        self.0.iter().any(|granted| {
            granted == scope
                || (granted == "*" && scope.contains(':'))
                || scope
                    .strip_suffix(":read")
                    .is_some_and(|object| granted.strip_suffix(":write") == Some(object))
        })
    }

    /// Those of `needed` that are not allowed.
    #[must_use]
    pub fn missing_from(&self, needed: &Self) -> Vec<String> {
        needed
            .iter()
            .filter(|scope| !self.allows(scope))
            .map(ToOwned::to_owned)
            .collect()
    }

    /// These and those of `more`.
    #[must_use]
    pub fn with(&self, more: &Self) -> Self {
        self.iter().chain(more.iter()).collect()
    }

    /// The scopes one by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a str>>(scopes: I) -> Self {
        let mut unique: Vec<String> = Vec::new();
        for scope in scopes {
            if !unique.iter().any(|known| known == scope) {
                unique.push(scope.to_owned());
            }
        }
        Self(unique)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl From<String> for Scopes {
    fn from(list: String) -> Self {
        Self::parse(&list)
    }
}

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> Self {
        scopes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_allows_read_of_the_same_object_only() {
        let scopes = Scopes::parse("annotation:write  project:read");
        assert!(scopes.allows("annotation:read"));
        assert!(!scopes.allows("project:write"));
        assert!(!scopes.allows("query:read"));
    }

    #[test]
    fn a_star_allows_objects_but_is_no_identity() {
        let scopes = Scopes::parse("*");
        assert!(scopes.allows("query:read"));
        assert!(!scopes.allows("openid"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let granted = Scopes::parse("openid project:read");
        let needed = Scopes::parse("openid project:read query:read");
        assert_eq!(granted.missing_from(&needed), ["query:read"]);
    }
}
