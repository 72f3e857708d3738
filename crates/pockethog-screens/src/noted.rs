//! Moves and notes: which note a move is near, and whether one can be added.

use std::collections::HashMap;

use jiff::Timestamp;
use sign_in_with_posthog::Connection;

use super::card::Card;
use pockethog_core::annotations::Annotations;
use pockethog_core::causes::Explanation;
use pockethog_core::live::explaining;
use pockethog_core::moves::{Judged, Listed, Move};
use pockethog_core::project::ProjectKey;

/// What a move has to do with the notes of its project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoveNote {
    /// The text of the note that it is near.
    pub near: Option<String>,
    /// Whether the sign-in may add a note.
    pub may_write: bool,
}

/// How a project has moved today.
#[derive(Clone, Debug, PartialEq)]
pub struct MovedHere {
    /// How.
    pub moved: Move,
    /// What made it, if that is known of this move.
    pub explanation: Option<Explanation>,
    /// The note that it is near, or whether one can be added.
    pub note: MoveNote,
}

impl MovedHere {
    /// How a project has moved, as it was judged last. `None` if it is as usual.
    #[must_use]
    pub fn new(
        judged: Option<&Judged>,
        explanation: Option<Explanation>,
        annotations: Option<&Annotations>,
        may_write: bool,
        now: Timestamp,
    ) -> Option<Self> {
        let moved = judged?.moved(now)?;
        let near = annotations.and_then(|annotations| annotations.near(moved.since));
        Some(Self {
            note: MoveNote {
                near: near.map(|note| note.text.clone()),
                may_write,
            },
            explanation: explanation.filter(|known| explaining::explains(known, &moved)),
            moved,
        })
    }
}

/// What these moves have to do with the notes of their projects. `annotations` are those of a project, if they were read.
pub(super) fn notes<'a>(
    listed: &[Listed],
    cards: &[Card],
    connections: &[Connection],
    annotations: impl Fn(&ProjectKey) -> Option<&'a Annotations>,
) -> HashMap<ProjectKey, MoveNote> {
    let notes = listed.iter().filter_map(|listed| {
        let card = cards.iter().find(|card| card.key == listed.project)?;
        let mut owners = connections.iter();
        let owner = owners.find(|known| known.id == card.connection)?;
        let near = annotations(&card.key)
            .and_then(|annotations| annotations.near(listed.moved.since))
            .map(|note| note.text.clone());
        let note = MoveNote {
            near,
            may_write: owner.is_active() && owner.grant.scopes.allows("annotation:write"),
        };
        Some((listed.project.clone(), note))
    });
    notes.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::samples::{at, card, connection};
    use pockethog_core::annotations::Annotation;
    use pockethog_core::moves::{Kind, Look, Metric};

    #[test]
    fn a_move_names_the_note_that_is_near_and_offers_one_only_if_it_may_be_written() {
        let connections = [
            connection("ada", "query:read annotation:write"),
            connection("eve", "query:read"),
        ];
        let moved = |project: &ProjectKey| Listed {
            project: project.clone(),
            explanation: None,
            moved: Move {
                kind: Kind::Spike,
                metric: Metric::Visitors,
                since: at(7200),
                look: Look::SoFar,
                count: 1,
                usual: None,
                basis: None,
                usual_gap: None,
                continues: false,
            },
        };
        let mut cards = vec![card(1, "Acorn", 5, 4), card(2, "Burrow", 5, 4)];
        cards[0].connection = connections[0].id.clone();
        cards[1].connection = connections[1].id.clone();
        let listed: Vec<Listed> = cards.iter().map(|card| moved(&card.key)).collect();
        let annotations = Annotations {
            measured_at: at(0),
            annotations: vec![Annotation {
                id: 1,
                text: "HN front page".to_owned(),
                at: at(3600),
                author: None,
                organization_wide: false,
                version: String::new(),
            }],
        };
        let of_acorn = cards[0].key.clone();
        let notes = notes(&listed, &cards, &connections, |key| {
            (*key == of_acorn).then_some(&annotations)
        });
        let note = |place: usize| notes.get(&cards[place].key).unwrap().clone();
        assert_eq!(note(0).near.as_deref(), Some("HN front page"));
        assert!(note(0).may_write);
        assert_eq!(note(1), MoveNote::default());
    }
}
