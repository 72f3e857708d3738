//! What a region was asked, for tests that count.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::endpoint::Endpoint;

/// Counts since the start or since [`crate::Instance::reset_counters`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests by endpoint, those that met a fault included.
    pub requests: BTreeMap<Endpoint, usize>,
    /// Connections accepted.
    pub connections: usize,
    /// Refresh grants that were answered with tokens.
    pub refreshes: usize,
    /// Queries that were computed, not taken from the cache.
    pub computed_queries: usize,
    /// Queries that were being answered at this moment, at most.
    pub most_queries_at_once: usize,
    /// `User-Agent` headers and how often each was sent.
    pub user_agents: BTreeMap<String, usize>,
}

impl Counters {
    /// Requests to one endpoint; [`Endpoint::Any`] gives the sum.
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.requests
            .iter()
            .filter(|(known, _)| endpoint.covers(**known))
            .map(|(_, count)| count)
            .sum()
    }
}

/// The counters of a running region.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    counters: Mutex<Counters>,
    queries: Mutex<usize>,
}

impl Counting {
    pub(crate) fn read(&self) -> Counters {
        self.lock().clone()
    }

    pub(crate) fn reset(&self) {
        *self.lock() = Counters::default();
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.lock());
    }

    /// Counts a query as under way until the guard is dropped.
    pub(crate) fn query(&self) -> QueryUnderWay<'_> {
        let mut queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        *queries += 1;
        let now = *queries;
        self.change(|counters| {
            counters.most_queries_at_once = counters.most_queries_at_once.max(now);
        });
        QueryUnderWay(self)
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A query that is being answered.
pub(crate) struct QueryUnderWay<'a>(&'a Counting);

impl Drop for QueryUnderWay<'_> {
    fn drop(&mut self) {
        let mut queries = self
            .0
            .queries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *queries = queries.saturating_sub(1);
    }
}
