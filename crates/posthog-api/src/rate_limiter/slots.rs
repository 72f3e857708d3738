//! How many queries run at once: half as many after PostHog has refused one for being too many, and slowly
//! more again.
//!
//! PostHog lets 20 queries of an organization run today, 10 on older servers, and people in its web app use
//! the same places; the next one is refused at once, without a word about when to come back. So the bound is
//! found by trying: additive increase, multiplicative decrease.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How long a bound that was found holds before one more is tried.
const GROWS_AFTER: Duration = Duration::from_secs(30);

/// The places of one organization, one project or one Connection.
#[derive(Debug)]
pub(super) struct Slots {
    places: Arc<Semaphore>,
    bound: Mutex<Bound>,
}

#[derive(Debug)]
struct Bound {
    /// Never more than this.
    most: usize,
    limit: usize,
    held: usize,
    /// Places that vanish when they are given back, since they were held while the bound shrank.
    owed: usize,
    /// How often the bound has shrunk. Of those that were sent together, one refusal counts.
    round: u64,
    /// When one more may be tried, after a refusal.
    grows_at: Option<Instant>,
}

/// One held place; given back on drop.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    permit: Option<OwnedSemaphorePermit>,
    round: u64,
}

impl Slots {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = most.max(1);
        Arc::new(Self {
            places: Arc::new(Semaphore::new(most)),
            bound: Mutex::new(Bound {
                most,
                limit: most,
                held: 0,
                owed: 0,
                round: 0,
                grows_at: None,
            }),
        })
    }

    /// Waits for a place, in the order of asking.
    pub(super) async fn take(self: &Arc<Self>) -> Slot {
        // The semaphore is never closed; `None` would only mean one bound less.
        let permit = Arc::clone(&self.places).acquire_owned().await.ok();
        let mut bound = self.bound();
        bound.held += 1;
        Slot {
            slots: Arc::clone(self),
            permit,
            round: bound.round,
        }
    }

    /// How many may run at once now.
    pub(super) fn limit(&self) -> usize {
        self.bound().limit
    }

    fn bound(&self) -> MutexGuard<'_, Bound> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// PostHog refused the query in this place for being too many.
    pub(super) fn refused(&self) {
        let mut bound = self.slots.bound();
        bound.grows_at = Some(Instant::now() + GROWS_AFTER);
        if self.round != bound.round {
            return;
        }
        bound.round += 1;
        let limit = (bound.limit.min(bound.held) / 2).max(1);
        let fewer = bound.limit.saturating_sub(limit);
        bound.owed += fewer - self.slots.places.forget_permits(fewer);
        bound.limit = limit;
    }

    /// PostHog answered the query in this place.
    pub(super) fn answered(&self) {
        let mut bound = self.slots.bound();
        let now = Instant::now();
        // A bound that is not reached says nothing about one more.
        let may_grow = bound.grows_at.is_some_and(|at| at <= now);
        if !may_grow || bound.held < bound.limit {
            return;
        }
        bound.limit += 1;
        bound.grows_at = (bound.limit < bound.most).then(|| now + GROWS_AFTER);
        if bound.owed > 0 {
            bound.owed -= 1;
        } else {
            self.slots.places.add_permits(1);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut bound = self.slots.bound();
        bound.held = bound.held.saturating_sub(1);
        if bound.owed > 0
            && let Some(permit) = self.permit.take()
        {
            bound.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_free(slots: &Arc<Slots>) -> bool {
        tokio::time::timeout(Duration::from_millis(20), slots.take())
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn one_round_of_refusals_halves_the_places_once() {
        let slots = Slots::new(14);
        let mut held = Vec::new();
        for _ in 0..14 {
            held.push(slots.take().await);
        }
        for refused in held.iter().take(4) {
            refused.refused();
        }
        assert_eq!(slots.limit(), 7);
        held.truncate(7);
        assert!(!is_free(&slots).await);
        held.truncate(6);
        assert!(is_free(&slots).await);
    }

    #[tokio::test(start_paused = true)]
    async fn places_come_back_one_by_one_and_only_as_they_are_needed() {
        let slots = Slots::new(4);
        let held = [slots.take().await, slots.take().await];
        for slot in &held {
            slot.refused();
        }
        drop(held);
        assert_eq!(slots.limit(), 1);
        slots.take().await.answered();
        assert_eq!(slots.limit(), 1, "not yet");
        for limit in [2, 3, 4, 4] {
            tokio::time::advance(GROWS_AFTER).await;
            let mut held = Vec::new();
            for _ in 0..slots.limit() {
                held.push(slots.take().await);
            }
            for slot in &held {
                slot.answered();
            }
            assert_eq!(slots.limit(), limit);
        }
        tokio::time::advance(GROWS_AFTER).await;
        slots.take().await.answered();
        assert_eq!(slots.limit(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_place_stays() {
        let slots = Slots::new(3);
        for _ in 0..5 {
            slots.take().await.refused();
        }
        assert_eq!(slots.limit(), 1);
        assert!(is_free(&slots).await);
    }
}
