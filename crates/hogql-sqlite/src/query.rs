//! A query to be run: its text, and what it is run with.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// The time limit of a query unless another is set: what ClickHouse is given for a query in PostHog's pages.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A query to be run.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    pub(crate) text: &'a str,
    pub(crate) values: Map<String, Value>,
    pub(crate) filters: Option<Value>,
    pub(crate) knows_bots: bool,
    pub(crate) now: i64,
    pub(crate) time_limit: Duration,
}

impl<'a> Query<'a> {
    /// A query without values, at the present of this device, with a limit of 60 seconds.
    pub fn new(text: &'a str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
        Self {
            text,
            values: Map::new(),
            filters: None,
            knows_bots: true,
            now,
            time_limit: TIME_LIMIT,
        }
    }

    /// With the constants of its `{placeholders}`. They are values in every case, never a part of the text.
    #[must_use]
    pub fn values(mut self, values: Map<String, Value>) -> Self {
        self.values = values;
        self
    }

    /// With what `{filters}` stands for: the `filters` of a `HogQLQuery`.
    #[must_use]
    pub fn filters(mut self, filters: Value) -> Self {
        self.filters = Some(filters);
        self
    }

    /// On a server that knows `$virt_is_bot` and its kin, or on an older one to which they are unknown fields.
    #[must_use]
    pub fn knows_bots(mut self, knows: bool) -> Self {
        self.knows_bots = knows;
        self
    }

    /// With another present, in Unix seconds. Later events cannot be seen.
    #[must_use]
    pub fn now(mut self, now: i64) -> Self {
        self.now = now;
        self
    }

    /// With another time limit.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }
}
