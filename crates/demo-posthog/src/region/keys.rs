//! Personal API keys.

use super::reach::Reach;

/// A personal API key.
#[derive(Clone, Debug)]
pub(crate) struct ApiKey {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) person: u64,
    pub(crate) scopes: Vec<String>,
    pub(crate) reach: Reach,
    pub(crate) created_at: i64,
    pub(crate) last_used_at: Option<i64>,
}

/// Requests that are throttled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyUse {
    /// Queries in a minute.
    QueryBurst,
    /// Queries in an hour.
    QuerySustained,
    /// Other requests in a minute.
    Burst,
    /// Other requests in an hour.
    Sustained,
}
