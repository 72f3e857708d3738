//! How many queries may be sent in how much time. docs/limits.md has the table.
//!
//! PostHog counts per key and says nothing beforehand, so the count is kept here too, somewhat below
//! PostHog's: what people do in PostHog itself, and widgets of other devices, come out of the same purse.

use std::time::Duration;

use tokio::time::Instant;

/// A purse that fills up steadily.
#[derive(Clone, Debug)]
pub struct Budget {
    most: f64,
    per_second: f64,
    left: f64,
    counted_at: Instant,
}

impl Budget {
    /// Of a personal API key: at most 233 in any minute of PostHog's 240, and 2,200 in any hour of its
    /// 2,400.
    pub fn api_key(now: Instant) -> Self {
        Self::new(200, 2000, now)
    }

    /// Of a personal API key in an organization with old limits: 110 in any hour of PostHog's 120.
    pub fn legacy_api_key(now: Instant) -> Self {
        Self::new(20, 90, now)
    }

    /// Of one organization by OAuth, where PostHog does not count: enough to read 400 projects at once and
    /// two a second from then on.
    pub fn organization(now: Instant) -> Self {
        Self::new(400, 7200, now)
    }

    fn new(most: u32, per_hour: u32, now: Instant) -> Self {
        Self {
            most: f64::from(most),
            per_second: f64::from(per_hour) / 3600.0,
            left: f64::from(most),
            counted_at: now,
        }
    }

    /// Takes one query out.
    ///
    /// # Errors
    ///
    /// The purse is empty; how long until there is one again.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.counted_at);
        self.left = (self.left + passed.as_secs_f64() * self.per_second).min(self.most);
        self.counted_at = now;
        if self.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.left) / self.per_second));
        }
        self.left -= 1.0;
        Ok(())
    }

    /// Is content with no more than `other` gives from now on.
    pub fn lower_to(&mut self, other: &Self) {
        self.most = self.most.min(other.most);
        self.per_second = self.per_second.min(other.per_second);
        self.left = self.left.min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Most queries that a purse gives within `window`, wherever the window begins.
    fn most_within(mut budget: Budget, window: Duration) -> usize {
        let start = Instant::now();
        let mut sent: Vec<Duration> = Vec::new();
        let mut at = Duration::ZERO;
        while at < window * 3 {
            match budget.take(start + at) {
                Ok(()) => sent.push(at),
                Err(wait) => at += wait.max(Duration::from_millis(1)),
            }
        }
        (0..sent.len())
            .map(|first| {
                sent[first..]
                    .iter()
                    .take_while(|&&at| at < sent[first] + window)
                    .count()
            })
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn an_api_key_stays_below_posthogs_limits() {
        let now = Instant::now();
        assert!(most_within(Budget::api_key(now), Duration::from_secs(60)) < 240);
        assert!(most_within(Budget::api_key(now), Duration::from_secs(3600)) < 2400);
        assert!(most_within(Budget::legacy_api_key(now), Duration::from_secs(3600)) < 120);
    }

    #[test]
    fn an_empty_purse_says_when_to_come_back() {
        let now = Instant::now();
        let mut budget = Budget::legacy_api_key(now);
        for _ in 0..20 {
            assert!(budget.take(now).is_ok());
        }
        let wait = budget.take(now).unwrap_err();
        assert!(budget.take(now + wait + Duration::from_millis(1)).is_ok());
    }
}
