//! A place among the requests that run at once.

use tokio::sync::OwnedSemaphorePermit;

use super::slots::Slot;

/// A place among the running requests; given back on drop.
#[derive(Debug)]
pub(crate) enum Place {
    /// Among those that are no queries.
    Request(#[expect(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>),
    /// Among the queries.
    Query {
        /// What PostHog counts: the organization's, or the project's.
        bound: Slot,
        #[expect(dead_code, reason = "held for its drop")]
        others: (Option<Slot>, Slot),
    },
}

impl Place {
    /// PostHog answered what was in this place.
    pub(crate) fn answered(&self) {
        if let Self::Query { bound, .. } = self {
            bound.answered();
        }
    }

    /// PostHog refused what was in this place for being too many at once.
    pub(crate) fn refused(&self) {
        if let Self::Query { bound, .. } = self {
            bound.refused();
        }
    }
}
