//! The total on top of the home screen.

use pockethog_core::moves::{self, Judged, UsualTotal};
use pockethog_core::overview;

/// Visitors over all projects that are not hidden, each in its own time zone.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// The numbers, and which projects they are of.
    pub sum: overview::Total,
    /// The visitors beside what is usual by now, if that is known of each project that is counted.
    pub usual: Option<UsualTotal>,
    /// Visitors usual in the hours of the sum's curve; empty if that is not known of each project.
    pub usual_curve: Vec<f64>,
    /// True if nothing is known and nothing is on its way.
    pub unread: bool,
}

impl Total {
    /// The total of numbers that are `sum`med up, with what was `judged` of each project in the same order.
    pub(super) fn of(sum: overview::Total, judged: &[Option<&Judged>]) -> Self {
        let counted = || {
            let members = sum.members.iter().zip(judged);
            members
                .filter(|(counted, _)| **counted)
                .map(|(_, judged)| *judged)
        };
        let starts = sum.curve.as_ref().map(|curve| curve.starts.as_slice());
        Self {
            usual: UsualTotal::of(counted().map(|judged| judged?.visitors_by_now())),
            usual_curve: starts
                .map_or_else(Vec::new, |starts| moves::usual_curve(counted(), starts)),
            unread: false,
            sum,
        }
    }
}
