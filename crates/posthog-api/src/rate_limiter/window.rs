//! How many requests were sent within the last minute and hour.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::OLD_QUERIES_PER_HOUR;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Why not now, and for how long.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Paused(Duration),
    ReadBudget(Duration),
    Minute(Duration),
    Hour(Duration),
}

/// What was sent within the last hour.
#[derive(Debug)]
pub(super) struct Window {
    per_minute: u32,
    pub(super) per_hour: u32,
    pub(super) sent: VecDeque<Instant>,
    /// The projects that were refused for longer than a minute within the last hour.
    refused_for_long: HashSet<u64>,
    pub(super) refused_since: Option<Instant>,
}

impl Window {
    pub(super) fn new(per_minute: u32, per_hour: u32) -> Self {
        Self {
            per_minute: per_minute.max(1),
            per_hour: per_hour.max(1),
            sent: VecDeque::new(),
            refused_for_long: HashSet::new(),
            refused_since: None,
        }
    }

    pub(super) fn take(&mut self) -> Result<(), Refusal> {
        let now = Instant::now();
        self.forget_old(now);
        if let Some(wait) = self.wait(self.per_hour, HOUR, now) {
            return Err(Refusal::Hour(wait));
        }
        if let Some(wait) = self.wait(self.per_minute, MINUTE, now) {
            return Err(Refusal::Minute(wait));
        }
        self.sent.push_back(now);
        Ok(())
    }

    /// How long until fewer than `most` lie within `span`.
    fn wait(&self, most: u32, span: Duration, now: Instant) -> Option<Duration> {
        let at = self.sent.len().checked_sub(most as usize)?;
        let left = (*self.sent.get(at)? + span).checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    pub(super) fn forget_old(&mut self, now: Instant) {
        while let Some(&first) = self.sent.front()
            && now.duration_since(first) >= HOUR
        {
            self.sent.pop_front();
        }
    }

    /// PostHog has refused queries of a project for longer than a minute. One project may have limits of its
    /// own. If a second one is refused as well, it is an hourly limit of all; far from the usual one, it can
    /// only be the old one.
    pub(super) fn refused_for_long(&mut self, project: u64) {
        let now = Instant::now();
        if self
            .refused_since
            .is_none_or(|since| now.duration_since(since) >= HOUR)
        {
            self.refused_since = Some(now);
            self.refused_for_long.clear();
        }
        self.refused_for_long.insert(project);
        self.forget_old(now);
        if self.refused_for_long.len() > 1 && self.sent.len() < self.per_hour as usize / 2 {
            self.per_hour = self.per_hour.min(OLD_QUERIES_PER_HOUR);
        }
    }
}
