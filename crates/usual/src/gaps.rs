//! Silence: no event for much longer than there ever is at this time.

use serde::{Deserialize, Serialize};

/// How many times the longest usual gap nothing has to come.
const TIMES: f64 = 3.0;
/// Fewer days say nothing about gaps.
const LEAST_DAYS: usize = 7;
/// From this many days on, the day with the longest gap does not count: it may have been an outage.
const ROBUST_DAYS: usize = 14;
/// A shorter silence is a hiccup on the way, whatever is usual.
const SHORTEST_SECONDS: f64 = 15.0 * 60.0;
/// Where gaps are this long a silence means nothing: it would last a whole day.
const LONGEST_USUAL_SECONDS: f64 = 8.0 * 3600.0;

/// The gaps between events of a closed day. For each hour of wall time, the longest that was open in it,
/// in seconds: measured from the event before, though that may have been hours earlier. `None` for an hour that did not happen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GapDay {
    /// By hour, 24 of them.
    pub longest: Vec<Option<f64>>,
    /// Whether the day has moved: it says nothing about what is usual.
    pub moved: bool,
}

/// The longest usual gap between events, by hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsualGaps {
    by_hour: Vec<Option<f64>>,
}

/// How quiet a project is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// Seconds since the last event.
    pub seconds: f64,
    /// The longest usual gap at this time, in seconds.
    pub usual: f64,
}

impl UsualGaps {
    /// From the closed days of the history.
    pub fn new(days: &[GapDay]) -> Self {
        let by_hour = (0..24_usize)
            .map(|hour| {
                // The hours beside it too: a gap does not keep to the full hour.
                let near = [(hour + 23) % 24, hour, (hour + 1) % 24];
                let mut longest: Vec<f64> = days
                    .iter()
                    .filter(|day| !day.moved)
                    .filter_map(|day| {
                        let gaps = near
                            .iter()
                            .filter_map(|hour| day.longest.get(*hour).copied().flatten());
                        gaps.filter(|gap| gap.is_finite()).reduce(f64::max)
                    })
                    .collect();
                longest.sort_unstable_by(|a, b| b.total_cmp(a));
                if longest.len() < LEAST_DAYS {
                    return None;
                }
                longest
                    .get(usize::from(longest.len() >= ROBUST_DAYS))
                    .copied()
            })
            .collect();
        Self { by_hour }
    }

    /// After how many seconds without an event a project is silent at this hour; `None` if it never is,
    /// because too little is known or because it is often quiet for long.
    pub fn limit(&self, hour: usize) -> Option<f64> {
        let usual = self.by_hour.get(hour).copied().flatten()?;
        (usual <= LONGEST_USUAL_SECONDS).then(|| (TIMES * usual).max(SHORTEST_SECONDS))
    }

    /// Whether a project is silent at this hour of wall time, this many seconds after its last event. The time that events
    /// arrive late is to be taken off before.
    pub fn silence(&self, hour: usize, seconds_since_event: f64) -> Option<Silence> {
        let limit = self.limit(hour)?;
        let usual = self.by_hour.get(hour).copied().flatten()?;
        (seconds_since_event >= limit).then_some(Silence {
            seconds: seconds_since_event,
            usual,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(count: usize, seconds: f64) -> Vec<GapDay> {
        let longest = (0..24)
            .map(|hour| Some(if hour < 6 { 6.0 * seconds } else { seconds }))
            .collect();
        vec![
            GapDay {
                longest,
                moved: false
            };
            count
        ]
    }

    #[test]
    fn a_project_is_silent_after_three_times_its_longest_usual_gap() {
        let gaps = UsualGaps::new(&days(20, 900.0));
        assert_eq!(gaps.silence(12, 2699.0), None);
        assert_eq!(
            gaps.silence(12, 2700.0),
            Some(Silence {
                seconds: 2700.0,
                usual: 900.0
            })
        );
        // At night it is quiet for longer.
        assert_eq!(gaps.silence(3, 2700.0), None);
        assert!(gaps.silence(3, 6.0 * 2700.0).is_some());
    }

    #[test]
    fn one_outage_does_not_make_long_gaps_usual() {
        let mut days = days(20, 900.0);
        days[4].longest.fill(Some(40_000.0));
        assert_eq!(UsualGaps::new(&days).limit(12), Some(2700.0));
        days[5].longest.fill(Some(30_000.0));
        days[5].moved = true;
        assert_eq!(UsualGaps::new(&days).limit(12), Some(2700.0));
    }

    #[test]
    fn a_handful_of_visitors_a_new_project_and_nothing_at_all_are_never_silent() {
        assert_eq!(UsualGaps::new(&days(20, 30_000.0)).silence(12, 1e9), None);
        assert_eq!(UsualGaps::new(&days(6, 60.0)).silence(12, 1e9), None);
        assert_eq!(UsualGaps::new(&[]).silence(12, 1e9), None);
        assert_eq!(UsualGaps::new(&days(20, 60.0)).silence(99, 1e9), None);
        // A busy project is not silent because of a minute.
        assert_eq!(UsualGaps::new(&days(20, 2.0)).silence(12, 60.0), None);
    }
}
