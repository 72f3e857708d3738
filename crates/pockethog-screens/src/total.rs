//! The total on top of the home screen.

use super::card::Card;
use pockethog_core::moves::{self, Judged, UsualTotal};
use pockethog_core::overview;

/// Fewer visitors of today are too few to be seen in a curve.
const FEW: u64 = 10;

/// Visitors over all projects that are not hidden, each in its own time zone.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// The numbers, and which projects they are of.
    pub sum: overview::Total,
    /// The visitors of the counted projects that can be compared, beside what is usual by now.
    pub usual: Option<UsualTotal>,
    /// Visitors usual in the hours of the sum's curve; empty if that is not known of each project that has more than
    /// a few visitors.
    pub usual_curve: Vec<f64>,
    /// True if nothing is known and nothing is on its way.
    pub unread: bool,
}

impl Total {
    /// The total of numbers that are `sum`med up, with the card and what was `judged` of each project in the same order.
    pub(super) fn of(sum: overview::Total, cards: &[Card], judged: &[Option<&Judged>]) -> Self {
        let counted = || {
            let members = sum.members.iter().zip(judged);
            members
                .filter(|(counted, _)| **counted)
                .map(|(_, judged)| *judged)
        };
        // A project that is new or empty does not keep the others from being compared.
        let seen = sum.members.iter().zip(judged).zip(cards);
        let in_curve = seen
            .filter(|((counted, judged), card)| **counted && (judged.is_some() || has_many(card)))
            .map(|((_, judged), _)| *judged);
        let starts = sum.curve.as_ref().map(|curve| curve.starts.as_slice());
        Self {
            usual: UsualTotal::of(counted().map(|judged| judged?.visitors_by_now())),
            usual_curve: starts
                .map_or_else(Vec::new, |starts| moves::usual_curve(in_curve, starts)),
            unread: false,
            sum,
        }
    }
}

fn has_many(card: &Card) -> bool {
    card.figures()
        .is_some_and(|figures| figures.now.visitors >= FEW)
}
