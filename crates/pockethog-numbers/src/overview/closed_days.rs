//! The days before today, as far as they need not be asked for.

use jiff::Timestamp;

use super::{Counts, DayClock, Point};

/// What today's numbers need of the days before: from a [`History`](crate::history::History), so that the query reads
/// today alone. It holds for one minute of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedDays {
    /// The end of the minute it is for, as [`DayClock::until`](super::DayClock::until).
    pub(crate) until: Timestamp,
    /// When today began.
    pub(crate) today: Timestamp,
    /// The days of the sparkline but for today, oldest first.
    pub(crate) days: Vec<Point>,
    /// The hours of yesterday and of the days before it, as far as they are shown, oldest first.
    pub(crate) hours: Vec<Point>,
    /// Yesterday up to the same time of day.
    pub(crate) yesterday_by_now: Counts,
    /// The last event before today.
    pub(crate) last_event_at: Option<Timestamp>,
}

impl ClosedDays {
    /// Nothing happened before today.
    pub(crate) fn none(clock: &DayClock) -> Self {
        Self {
            until: clock.until().timestamp(),
            today: clock.day_start(0).timestamp(),
            days: Vec::new(),
            hours: Vec::new(),
            yesterday_by_now: Counts::default(),
            last_event_at: None,
        }
    }

    /// When yesterday began.
    pub(super) fn yesterday(&self) -> Timestamp {
        self.days.last().map_or(self.today, |day| day.start)
    }
}
