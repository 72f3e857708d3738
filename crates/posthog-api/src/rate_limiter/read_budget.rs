//! How much a personal API key may still read in a project.
//!
//! PostHog keeps a bucket of bytes for each project: every query that is computed takes out what it has read,
//! and the bucket fills again all the time, by 20 GB an hour on the free plan and 200 GB on a paid one. Once it
//! is empty, queries are refused for up to an hour. The answers say what a query has read and what is left, so
//! that a client can slow down before.

use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;

/// The slowest that a bucket fills, in bytes per second: the free plan's 20 GB an hour.
const SLOWEST_REFILL: f64 = 20e9 / 3600.0;

/// With fewer queries left than this, they are spread.
const FEW: f64 = 8.0;

/// How far apart the last queries are spaced: this, divided by the number of queries left.
const SPREAD: Duration = Duration::from_secs(60);

/// The longest that a query is held back: after so long the bucket holds a good part of an hour's bytes.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// What the headers of an answer say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// `X-PostHog-Query-Bytes-Read`
    pub(crate) read: Option<u64>,
    /// `X-PostHog-Query-Budget-Remaining-Bytes`
    pub(crate) remaining: Option<u64>,
}

impl Reading {
    /// From the headers of an answer; absent from those to OAuth and of older servers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let bytes = |name: &str| {
            let text = headers.get(name)?.to_str().ok()?.trim();
            // An overdrawn budget is an empty one.
            match text.parse::<i128>().ok()? {
                ..0 => Some(0),
                bytes => Some(u64::try_from(bytes).unwrap_or(u64::MAX)),
            }
        };
        Self {
            read: bytes("x-posthog-query-bytes-read"),
            remaining: bytes("x-posthog-query-budget-remaining-bytes"),
        }
    }
}

/// The read budget of one project, as far as responses have said.
#[derive(Debug, Default)]
pub(super) struct ReadBudget {
    told: Option<(Instant, f64)>,
    /// What a query reads, the dearer ones remembered longer.
    cost: f64,
    /// Bytes per second that were seen to come back.
    refill: f64,
}

impl ReadBudget {
    /// Takes over what an answer says.
    pub(super) fn note(&mut self, reading: Reading) {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let float = |bytes: u64| bytes as f64;
        let read = reading.read.map_or(0.0, float);
        if read > 0.0 {
            self.cost = read.max(self.cost * 0.9);
        }
        let Some(remaining) = reading.remaining.map(float) else {
            return;
        };
        let now = Instant::now();
        if let Some((since, before)) = self.told {
            let seconds = now.duration_since(since).as_secs_f64();
            if seconds >= 1.0 {
                self.refill = (remaining + read - before) / seconds;
            }
        }
        self.told = Some((now, remaining));
    }

    /// Whether an answer has mentioned a budget at all.
    pub(super) fn is_known(&self) -> bool {
        self.told.is_some()
    }

    /// How long the next query had better wait.
    pub(super) fn rest(&self) -> Duration {
        let Some((since, remaining)) = self.told else {
            return Duration::ZERO;
        };
        let refill = self.refill.max(SLOWEST_REFILL);
        let passed = since.elapsed();
        let left = (remaining + refill * passed.as_secs_f64()) / self.cost.max(1.0);
        if left >= FEW {
            return Duration::ZERO;
        }
        let at_the_start = remaining / self.cost.max(1.0);
        let spread = SPREAD.as_secs_f64() / at_the_start.max(0.1);
        let refilled = self.cost / refill;
        let rest = spread.max(refilled).min(LONGEST_REST.as_secs_f64());
        Duration::from_secs_f64(rest).saturating_sub(passed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(read: u64, remaining: u64) -> ReadBudget {
        let mut budget = ReadBudget::default();
        budget.note(Reading {
            read: Some(read),
            remaining: Some(remaining),
        });
        budget
    }

    #[test]
    fn headers_are_numbers_or_nothing() {
        let mut headers = HeaderMap::new();
        assert_eq!(Reading::of(&headers), Reading::default());
        headers.insert("X-PostHog-Query-Bytes-Read", "142000000".parse().unwrap());
        headers.insert(
            "X-PostHog-Query-Budget-Remaining-Bytes",
            "-5".parse().unwrap(),
        );
        let reading = Reading {
            read: Some(142_000_000),
            remaining: Some(0),
        };
        assert_eq!(Reading::of(&headers), reading);
        headers.insert("X-PostHog-Query-Bytes-Read", "much".parse().unwrap());
        assert_eq!(Reading::of(&headers).read, None);
    }

    #[test]
    fn a_full_budget_holds_nothing_back() {
        assert_eq!(ReadBudget::default().rest(), Duration::ZERO);
        assert_eq!(told(142_000_000, 480_000_000_000).rest(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_fewer_queries_are_left_the_longer_they_wait() {
        let four = told(100, 400).rest();
        let one = told(100, 100).rest();
        let none = told(100, 0).rest();
        assert!(
            Duration::ZERO < four && four < one && one < none,
            "{four:?} {one:?} {none:?}"
        );
        assert_eq!(none, LONGEST_REST);
        // A dear query waits until as much has come back as it takes.
        let dear = told(5_000_000_000, 5_000_000_000).rest();
        assert!(dear > Duration::from_secs(600 - 1), "{dear:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_back_with_time_ends_the_waiting() {
        let budget = told(142_000_000, 142_000_000);
        assert!(budget.rest() >= Duration::from_secs(25));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(budget.rest(), Duration::ZERO);
    }
}
