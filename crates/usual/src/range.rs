//! A centre with what is usual around it.

use serde::{Deserialize, Serialize};

/// Which way a number went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More than usual.
    Up,
    /// Less than usual.
    Down,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// What a number was really compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// This many days of the same weekday, and the level of the last days.
    Weeks(usize),
    /// The same weekday last week: its range is wide.
    LastWeek,
    /// The day before: its range is wider still.
    Yesterday,
}

/// What a count usually is. Every edge belongs to the range: a count is outside if it is below `low` or above
/// `high`, and there is no second rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The middle.
    pub centre: f64,
    /// The least that is still usual. It is 0 if there is no count so low that it would be unusual.
    pub low: f64,
    /// The most that is still usual.
    pub high: f64,
}

impl Range {
    /// On which side of the range the count is; `None` inside of it.
    pub fn side(&self, count: f64) -> Option<Direction> {
        if count > self.high {
            Some(Direction::Up)
        } else if count < self.low {
            Some(Direction::Down)
        } else {
            None
        }
    }

    /// The same range with its edges drawn towards the centre: 1 leaves it, 0 leaves the centre alone.
    #[must_use]
    pub(crate) fn drawn_in(&self, share: f64) -> Self {
        Self {
            centre: self.centre,
            low: self.centre - (self.centre - self.low) * share,
            high: self.centre + (self.high - self.centre) * share,
        }
    }

    /// How much more or less than the centre, as a share of it; `None` if the centre is 0.
    pub fn change(&self, count: f64) -> Option<f64> {
        (self.centre > 0.0).then(|| (count - self.centre) / self.centre)
    }
}
