//! Queries that run at once: each holds a slot of its organization or of its project.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// The slots that are taken.
#[derive(Debug, Default)]
pub(crate) struct QuerySlots {
    /// How many are taken, by what they are counted for.
    taken: Mutex<BTreeMap<String, usize>>,
    /// A slot was given back.
    freed: Notify,
}

/// A place among the queries that run at once, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    slots: &'a QuerySlots,
    key: String,
}

impl QuerySlots {
    /// Takes one of `size` slots, if one is free.
    pub(crate) fn take(&self, key: &str, size: usize) -> Option<Slot<'_>> {
        let mut taken = self.lock();
        let running = taken.entry(key.to_owned()).or_default();
        if *running >= size {
            return None;
        }
        *running += 1;
        Some(Slot {
            slots: self,
            key: key.to_owned(),
        })
    }

    /// Takes one of `size` slots, or waits until one is free, but no longer than `patience`.
    pub(crate) async fn take_within(
        &self,
        key: &str,
        size: usize,
        patience: Duration,
    ) -> Option<Slot<'_>> {
        let give_up = tokio::time::Instant::now() + patience;
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Some(slot) = self.take(key, size) {
                return Some(slot);
            }
            tokio::time::timeout_at(give_up, freed).await.ok()?;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.slots.lock().get_mut(&self.key) {
            *running = running.saturating_sub(1);
        }
        self.slots.freed.notify_waiters();
    }
}
