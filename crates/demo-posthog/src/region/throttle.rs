//! PostHog's throttle: a limit of requests within a sliding window of seconds.

use std::collections::VecDeque;

/// The requests of one caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct Throttle(VecDeque<i64>);

impl Throttle {
    /// Lets a request through and remembers it, or says how many seconds to wait.
    pub(crate) fn admit(&mut self, now: i64, window: i64, limit: usize) -> Option<u64> {
        while self.0.front().is_some_and(|at| *at <= now - window) {
            self.0.pop_front();
        }
        if self.0.len() < limit {
            self.0.push_back(now);
            return None;
        }
        let oldest = self.0.front().copied().unwrap_or(now);
        Some(u64::try_from(oldest + window - now).unwrap_or(1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_request_says_how_long_to_wait() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.admit(100, 60, 2), None);
        assert_eq!(throttle.admit(130, 60, 2), None);
        assert_eq!(throttle.admit(140, 60, 2), Some(20));
        assert_eq!(throttle.admit(160, 60, 2), None);
    }
}
