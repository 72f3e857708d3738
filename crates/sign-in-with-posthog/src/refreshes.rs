//! The refreshes in progress in this process, so that it ends after them and not within one.
//!
//! A runtime that shuts down drops its tasks wherever they wait. A refresh that is dropped between PostHog's
//! response and the write would lose the new tokens, and its lock would be released before the write is done.

use tokio::sync::watch;

/// Counts refreshes, and lets no new one begin once the process is about to end.
#[derive(Debug)]
pub(crate) struct PendingRefreshes(watch::Sender<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    refreshes: usize,
    closed: bool,
}

/// One refresh, until dropped.
#[derive(Debug)]
pub(crate) struct Refreshing<'a>(&'a PendingRefreshes);

impl PendingRefreshes {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    /// Begins a refresh; `None` once the process is about to end.
    pub(crate) fn begin(&self) -> Option<Refreshing<'_>> {
        let begun = self.0.send_if_modified(|state| {
            if !state.closed {
                state.refreshes += 1;
            }
            !state.closed
        });
        begun.then(|| Refreshing(self))
    }

    /// Lets no refresh begin from here on, and waits for those that have.
    pub(crate) async fn close(&self) {
        self.0.send_modify(|state| state.closed = true);
        let mut states = self.0.subscribe();
        // It never fails: the sender is here.
        drop(states.wait_for(|state| state.refreshes == 0).await);
    }
}

impl Drop for Refreshing<'_> {
    fn drop(&mut self) {
        self.0
            .0
            .send_modify(|state| state.refreshes = state.refreshes.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn closing_waits_for_what_has_begun_and_lets_nothing_begin() {
        let refreshes = PendingRefreshes::new();
        let first = refreshes.begin().unwrap();
        let mut closing = std::pin::pin!(refreshes.close());
        assert!(futures_poll(closing.as_mut()).await.is_none());
        assert!(refreshes.begin().is_none());
        drop(first);
        closing.await;
        refreshes.close().await;
    }

    /// Polls once.
    async fn futures_poll<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = &mut future => Some(output),
            () = std::future::ready(()) => None,
        }
    }
}
