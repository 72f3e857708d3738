//! What time it is, replaceable in tests.
//!
//! Expiry is compared by the wall clock that it was computed from. A monotonic clock stops while a
//! laptop sleeps, so it would call a token fresh that has long expired.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Seconds since 1970-01-01 UTC by this device's wall clock.
    fn unix_seconds(&self) -> i64;
}

/// The device's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_seconds(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
}
