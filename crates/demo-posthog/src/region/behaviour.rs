//! What differs between PostHog's versions, plans and installations. The default is PostHog Cloud as it is today.

use std::time::Duration;

/// How a region behaves where PostHogs differ.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a difference of its own between servers"
)]
pub struct Behaviour {
    /// Whether `HogQLQuery` has a `name`: since February 2025.
    pub queries_have_names: bool,
    /// Whether `QueryRequest` has a `name`: since September 2025.
    pub requests_have_names: bool,
    /// Whether events have `$virt_is_bot` and its kin: newer servers. On older ones they are unknown fields.
    pub events_know_bots: bool,
    /// Queries at once per organization, for everything but personal API keys: 10 on older servers.
    pub queries_at_once_per_organization: usize,
    /// Queries at once per project, for personal API keys.
    pub queries_at_once_per_project: usize,
    /// How long a query with a personal API key waits for its turn.
    pub key_patience: Duration,
    /// How much the queries of personal API keys may read in each project; `None` before September 2026 and on
    /// self-hosted servers.
    pub read_budget: Option<ReadBudget>,
    /// The status that old servers answer a key with that asks about itself.
    pub keys_cannot_ask: Option<u16>,
    /// Whether polled results hold a bare `NaN` for numbers that are none.
    pub polls_hold_nan: bool,
    /// Bytes that each organization is longer than usual, as those with many projects and features are.
    pub longer_organizations: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            queries_have_names: true,
            requests_have_names: true,
            events_know_bots: true,
            queries_at_once_per_organization: 20,
            queries_at_once_per_project: 3,
            key_patience: Duration::from_secs(30),
            read_budget: Some(ReadBudget::default()),
            keys_cannot_ask: None,
            polls_hold_nan: true,
            longer_organizations: 0,
        }
    }
}

/// A bucket of bytes for each project.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReadBudget {
    /// What a full bucket holds.
    pub burst: u64,
    /// What comes back in an hour.
    pub per_hour: u64,
    /// What a query reads for each event of its project.
    pub per_event: u64,
}

impl Default for ReadBudget {
    /// The free plan's, and what a query reads of a row of ClickHouse.
    fn default() -> Self {
        Self {
            burst: 480_000_000_000,
            per_hour: 20_000_000_000,
            per_event: 43,
        }
    }
}
