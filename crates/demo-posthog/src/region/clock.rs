//! The time as one region knows it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The device's clock, or a stopped one; both can be moved forward.
#[derive(Debug)]
pub(crate) struct Clock {
    standing: Option<Timestamp>,
    ahead: Mutex<Duration>,
}

impl Clock {
    /// A clock stopped at `standing`, or the device's.
    pub(crate) fn new(standing: Option<Timestamp>) -> Self {
        Self {
            standing,
            ahead: Mutex::new(Duration::ZERO),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let start = self.standing.unwrap_or_else(Timestamp::now);
        SignedDuration::try_from(ahead)
            .ok()
            .and_then(|ahead| start.checked_add(ahead).ok())
            .unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.now().as_second()
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = ahead.saturating_add(by);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_standing_clock_moves_only_when_told() {
        let start: Timestamp = "2026-03-29T00:59:00Z".parse().unwrap();
        let clock = Clock::new(Some(start));
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(clock.now().to_string(), "2026-03-29T01:59:00Z");
    }
}
