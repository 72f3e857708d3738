//! The total on top of the home screen.

use super::card::Card;
use crate::overview::{self, Change};
use crate::project::ProjectKey;

/// Visitors over all projects that are not hidden, each in its own time zone.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// The numbers, and which projects they are of.
    pub sum: overview::Total,
    /// True if nothing is known and nothing is on its way.
    pub unread: bool,
    /// The project that grew most.
    pub best_mover: Option<BestMover>,
}

/// The project that grew most.
#[derive(Clone, Debug, PartialEq)]
pub struct BestMover {
    /// Which project.
    pub key: ProjectKey,
    /// The name to show.
    pub name: String,
    /// How much it grew.
    pub change: Change,
}

impl Total {
    /// The total of `cards`, whose numbers are `sum`med up in their order.
    pub(super) fn of(sum: overview::Total, cards: &[Card]) -> Self {
        let best_mover = sum.best_mover.and_then(|place| {
            let card = cards.get(place)?;
            let figures = card.figures()?;
            Some(BestMover {
                key: card.key.clone(),
                name: card.name.clone(),
                change: Change::between(figures.now.visitors, figures.before.visitors),
            })
        });
        Self {
            sum,
            unread: false,
            best_mover,
        }
    }
}
