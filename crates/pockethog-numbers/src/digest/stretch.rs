//! Which days a digest is about.

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::overview::DayClock;

/// How many closed days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// The last closed day, beside the day before.
    Day,
    /// The last seven closed days, beside the seven before.
    Week,
}

/// Closed days of a project, and as many before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedStretch {
    /// How many days.
    pub span: Span,
    /// When the days before began.
    pub before: Timestamp,
    /// When the first day began.
    pub from: Timestamp,
    /// When the last day ended.
    pub until: Timestamp,
}

impl Span {
    /// `day` or `week`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// How many days it has.
    #[must_use]
    pub fn days(self) -> usize {
        match self {
            Self::Day => 1,
            Self::Week => 7,
        }
    }
}

impl ClosedStretch {
    /// The last closed days by the clock of the project. If its zone is unknown here, they are those of `history`, which
    /// PostHog has cut.
    #[must_use]
    pub fn new(span: Span, clock: &DayClock, history: Option<&History>) -> Self {
        let days = span.days();
        let cut = history
            .filter(|_| !clock.zone_known())
            .and_then(|history| Self::of_history(span, history))
            .filter(|cut| {
                let now = clock.until().timestamp();
                cut.until <= now
                    && cut
                        .until
                        .checked_add(25.hours())
                        .is_ok_and(|next| now < next)
            });
        cut.unwrap_or_else(|| {
            let start = |ago: usize| clock.day_start(i64::try_from(ago).unwrap_or(1)).timestamp();
            Self {
                span,
                before: start(2 * days),
                from: start(days),
                until: start(0),
            }
        })
    }

    fn of_history(span: Span, history: &History) -> Option<Self> {
        let back = |days: usize| history.days.get(history.days.len().checked_sub(days)?);
        Some(Self {
            span,
            before: back(2 * span.days())?.start,
            from: back(span.days())?.start,
            until: back(1)?.end,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_closed_day_is_that_of_the_project() {
        let now = "2026-10-26T03:00:00Z".parse().unwrap();
        let stretch = |zone, span| {
            let stretch = ClosedStretch::new(span, &DayClock::new(zone, now), None);
            [stretch.before, stretch.from, stretch.until].map(|at| at.to_string())
        };
        // A Sunday of 25 hours.
        assert_eq!(
            stretch("Europe/Berlin", Span::Day),
            [
                "2026-10-23T22:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z"
            ]
        );
        // There, it is still Sunday.
        assert_eq!(
            stretch("America/New_York", Span::Day),
            [
                "2026-10-23T04:00:00Z",
                "2026-10-24T04:00:00Z",
                "2026-10-25T04:00:00Z"
            ]
        );
        assert_eq!(
            stretch("UTC", Span::Week),
            [
                "2026-10-12T00:00:00Z",
                "2026-10-19T00:00:00Z",
                "2026-10-26T00:00:00Z"
            ]
        );
    }
}
