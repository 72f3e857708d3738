//! The bounds that a client keeps, below PostHog's own.

/// What one Connection allows itself. Every bound is at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests to anything but the query endpoint that run at once.
    pub requests_at_once: usize,
    /// Such requests per minute.
    pub requests_per_minute: u32,
    /// Such requests per hour.
    pub requests_per_hour: u32,
    /// Queries that run at once, over all organizations.
    pub queries_at_once: usize,
    /// Queries that run at once in one organization.
    pub queries_at_once_per_organization: usize,
    /// Queries that run at once in one project.
    pub queries_at_once_per_project: usize,
    /// Queries per minute of one budget.
    pub queries_per_minute: u32,
    /// Queries per hour of one budget.
    pub queries_per_hour: u32,
    /// Whether each organization has a budget, or all share one.
    pub budget: Budget,
}

/// Whose queries are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// All of the Connection.
    Connection,
    /// Those of one organization.
    Organization,
}

impl Limits {
    /// For tokens of OAuth. PostHog lets 20 queries run per organization and refuses the next at once,
    /// people in its web app included: 6 are left to them. It counts no minutes.
    pub const OAUTH: Self = Self {
        requests_at_once: 64,
        requests_per_minute: 430,
        requests_per_hour: 4_300,
        queries_at_once: 200,
        queries_at_once_per_organization: 14,
        queries_at_once_per_project: 14,
        queries_per_minute: u32::MAX,
        queries_per_hour: 2_200,
        budget: Budget::Organization,
    };

    /// For personal API keys: PostHog counts 240 queries a minute and 2,400 an hour, other requests 480
    /// and 4,800, and lets 3 queries run per project. A tenth is left to other programs of this device.
    pub const API_KEY: Self = Self {
        requests_at_once: 24,
        requests_per_minute: 430,
        requests_per_hour: 4_300,
        queries_at_once: 48,
        queries_at_once_per_organization: 48,
        queries_at_once_per_project: 3,
        queries_per_minute: 216,
        queries_per_hour: 2_160,
        budget: Budget::Connection,
    };
}
