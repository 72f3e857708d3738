//! What is usual of several projects together.

use jiff::Timestamp;
use usual::Basis;

use super::{ByNow, Judged, UsualRange, whole};

/// The visitors of several projects so far, each by its own day, beside what is usual by then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsualTotal {
    /// Visitors in the closed quarters of an hour of each.
    pub count: u64,
    /// What is usual by then. Projects vary independently of each other, so the range is narrower than the sum of theirs.
    pub usual: UsualRange,
    /// What it comes from: of the project with the least history.
    pub basis: Basis,
    /// How many projects are in it: those that have something to compare with.
    pub projects: usize,
}

impl UsualTotal {
    /// The sum over those of these projects that have something to compare with, on both sides: each is given by its
    /// visitors so far. `None` if none has.
    #[must_use]
    pub fn of(projects: impl IntoIterator<Item = Option<ByNow>>) -> Option<Self> {
        let (mut count, mut centre, mut below, mut above) = (0_u64, 0.0, 0.0, 0.0);
        let mut least = None;
        let mut known = 0;
        for by_now in projects.into_iter().flatten() {
            known += 1;
            count = count.saturating_add(by_now.count);
            centre += by_now.usual.centre;
            below += (by_now.usual.centre - by_now.usual.low as f64)
                .max(0.0)
                .powi(2);
            above += (by_now.usual.high as f64 - by_now.usual.centre)
                .max(0.0)
                .powi(2);
            let is_less = least.is_none_or(|least| rank(by_now.basis) < rank(least));
            if is_less {
                least = Some(by_now.basis);
            }
        }
        Some(Self {
            count,
            usual: UsualRange {
                centre,
                low: whole((centre - f64::sqrt(below)).ceil()),
                high: whole((centre + f64::sqrt(above)).floor()),
            },
            basis: least?,
            projects: known,
        })
    }
}

/// Visitors usual in the hours that begin at `starts`, over all these projects: a project whose hours begin on the half
/// counts as it does in [`Curve`](crate::overview::Curve). Empty if that is not known of each project and hour. A project
/// that has had next to no visitors, of which nothing is usual yet, can be left out by the caller.
#[must_use]
pub fn usual_curve<'a>(
    projects: impl IntoIterator<Item = Option<&'a Judged>>,
    starts: &[Timestamp],
) -> Vec<f64> {
    let mut sums = vec![0.0; starts.len()];
    for judged in projects {
        let Some(judged) = judged else {
            return Vec::new();
        };
        for (sum, start) in sums.iter_mut().zip(starts) {
            let Some(usual) = judged.usual_near_hour(*start) else {
                return Vec::new();
            };
            *sum += usual;
        }
    }
    sums
}

fn rank(basis: Basis) -> (u8, usize) {
    match basis {
        Basis::Yesterday => (0, 0),
        Basis::LastWeek => (1, 0),
        Basis::Weeks(weeks) => (2, weeks),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::ToSpan as _;

    use super::super::{Lag, Metric, Number, Settings, State};
    use super::*;

    fn judged(from: &str, count: u64, centre: f64, half: f64, basis: Basis) -> Judged {
        let from: Timestamp = from.parse().unwrap();
        Judged {
            measured_at: from + 30.hours(),
            settings: Settings::default(),
            date: "2026-11-27".parse().unwrap(),
            day_began: from + 24.hours(),
            day_ends: from + 48.hours(),
            numbers: vec![Number {
                metric: Metric::Visitors,
                by_now: Some(ByNow {
                    count,
                    usual: usual::Range {
                        centre,
                        low: centre - half,
                        high: centre + half,
                    }
                    .into(),
                    basis,
                }),
                whole_day: 4.0 * centre,
                state: State::Ordinary,
            }],
            silent: None,
            last_event_at: None,
            lag: Lag::default(),
            pageviews: Vec::new(),
            usual_hours: (0..48_u32).map(f64::from).collect(),
            usual_hours_from: from,
        }
    }

    #[test]
    fn ranges_add_up_as_independent_ones_and_the_least_history_is_named() {
        let one = judged("2026-11-26T00:00:00Z", 90, 100.0, 30.0, Basis::Weeks(8));
        let other = judged("2026-11-26T11:00:00Z", 210, 200.0, 40.0, Basis::LastWeek);
        let total = UsualTotal::of([one.visitors_by_now(), other.visitors_by_now()]).unwrap();
        assert_eq!((total.count, total.basis), (300, Basis::LastWeek));
        assert_eq!((total.usual.low, total.usual.high), (250, 350));
        assert_eq!(total.projects, 2);
        let partly = UsualTotal::of([one.visitors_by_now(), None]).unwrap();
        assert_eq!((partly.count, partly.projects), (90, 1));
        assert_eq!(UsualTotal::of([]), None);
    }

    #[test]
    fn hours_on_the_half_count_with_the_full_hour_they_are_nearest_to() {
        let full = judged("2026-11-26T00:00:00Z", 1, 1.0, 1.0, Basis::Weeks(8));
        let half = judged("2026-11-25T18:30:00Z", 1, 1.0, 1.0, Basis::Weeks(8));
        let starts: Vec<Timestamp> = ["2026-11-26T05:00:00Z", "2026-11-26T06:00:00Z"]
            .map(|start| start.parse().unwrap())
            .into();
        assert_eq!(usual_curve([Some(&full)], &starts), [5.0, 6.0]);
        // 10:00 of that day is 04:30 of UTC.
        assert_eq!(usual_curve([Some(&half)], &starts), [10.0, 11.0]);
        assert_eq!(
            usual_curve([Some(&full), Some(&half)], &starts),
            [15.0, 17.0]
        );
        assert!(usual_curve([Some(&full), None], &starts).is_empty());
        let early: Vec<Timestamp> = vec!["2026-11-25T20:00:00Z".parse().unwrap()];
        assert!(usual_curve([Some(&full)], &early).is_empty());
    }
}
