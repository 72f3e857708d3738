//! How many bytes the queries of personal API keys may still read, project by project.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::behaviour::ReadBudget;

/// The budgets of all projects of which something was read.
#[derive(Debug, Default)]
pub(crate) struct ReadBudgets(Mutex<HashMap<u64, Bucket>>);

/// What is left of a budget: less than nothing after the query that crossed the line.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl ReadBudgets {
    /// Leaves this many bytes to a project.
    pub(crate) fn leave(&self, project: u64, bytes: u64, at: Timestamp) {
        let left = float(bytes);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.insert(project, Bucket { left, at });
    }

    /// Takes `read` bytes out of the budget of a project. Returns what is left.
    pub(crate) fn debit(&self, project: u64, budget: ReadBudget, read: u64, now: Timestamp) -> f64 {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = Bucket {
            left: float(budget.burst),
            at: now,
        };
        let bucket = buckets.entry(project).or_insert(full);
        let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        let refilled = bucket.left + float(budget.per_hour) / 3600.0 * passed;
        bucket.left = refilled.min(float(budget.burst)) - float(read);
        bucket.at = now;
        bucket.left
    }
}

/// Seconds until a project with `left` bytes may read again: from 1 to 3600.
pub(crate) fn seconds_to_wait(budget: ReadBudget, left: f64) -> u64 {
    let seconds = ((1.0 - left) / (float(budget.per_hour) / 3600.0)).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to an hour"
    )]
    let seconds = seconds.clamp(1.0, 3600.0) as u64;
    seconds
}

#[expect(clippy::cast_precision_loss, reason = "bytes of an invented budget")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
