//! Detects that the device was suspended.
//!
//! The clock that sleeps and back-offs are measured by stands still in the meantime, so a wait of five minutes from
//! before a night would last five minutes of the morning. The clock on the wall goes on.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A shorter difference is a busy machine, or a clock that was set right.
const SHORTEST_SLEEP: Duration = Duration::from_secs(10);

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    wall: Timestamp,
    running: Instant,
}

impl Clocks {
    pub(super) fn now() -> Self {
        Self {
            wall: Timestamp::now(),
            running: Instant::now(),
        }
    }

    /// How long the device has slept since the last call. A clock that was set ahead looks the same.
    pub(super) fn slept(&mut self) -> Option<Duration> {
        self.compare(Self::now())
    }

    fn compare(&mut self, now: Self) -> Option<Duration> {
        let wall = Duration::try_from(now.wall.duration_since(self.wall)).unwrap_or_default();
        let slept = wall.saturating_sub(now.running.duration_since(self.running));
        *self = now;
        (slept >= SHORTEST_SLEEP).then_some(slept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(clocks: Clocks, wall: i64, running: u64) -> Clocks {
        Clocks {
            wall: clocks.wall + jiff::SignedDuration::from_secs(wall),
            running: clocks.running + Duration::from_secs(running),
        }
    }

    #[test]
    fn a_night_is_noticed_once_and_nothing_else_is_one() {
        let mut clocks = Clocks::now();
        let evening = after(clocks, 300, 300);
        assert_eq!(clocks.compare(evening), None);
        let morning = after(evening, 28_800, 3);
        let night = Duration::from_secs(28_797);
        assert_eq!(clocks.compare(morning), Some(night));
        assert_eq!(clocks.compare(after(morning, 2, 2)), None);
        let set_back = after(morning, -3600, 4);
        assert_eq!(clocks.compare(set_back), None);
        assert_eq!(clocks.compare(after(set_back, 5, 5)), None);
    }
}
