//! The moves of all projects.

use usual::Together;

use super::{Kind, Move};
use crate::ProjectKey;
use crate::causes::Explanation;

/// What has moved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moves {
    /// The projects that have moved: silent ones, then those outside their range, most surprising first, then those that
    /// are back.
    pub listed: Vec<Listed>,
    /// Most projects moved in one direction at once.
    pub together: Option<Together>,
    /// How many projects are as usual.
    pub ordinary: usize,
    /// How many cannot be judged: there is nothing to compare with yet, or their numbers are old.
    pub unknown: usize,
}

/// A project that has moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Which project.
    pub project: ProjectKey,
    /// How it moved.
    pub moved: Move,
    /// Why, once that is known.
    pub explanation: Option<Explanation>,
}

/// What has moved of these projects: for each whether there is anything to compare it with, and how it has moved. Why is
/// left to be filled in.
#[must_use]
pub fn moves<'a>(
    projects: impl IntoIterator<Item = (&'a ProjectKey, bool, Option<&'a Move>)>,
) -> Moves {
    let mut all = Moves::default();
    let mut directions = Vec::new();
    for (project, is_known, moved) in projects {
        if !is_known {
            all.unknown += 1;
            continue;
        }
        directions.push(moved.and_then(Move::direction));
        match moved {
            Some(moved) => all.listed.push(Listed {
                project: project.clone(),
                moved: moved.clone(),
                explanation: None,
            }),
            None => all.ordinary += 1,
        }
    }
    all.together = usual::together(directions);
    all.listed.sort_by(|a, b| {
        let by_rank = a.moved.rank().cmp(&b.moved.rank());
        by_rank.then_with(|| b.moved.surprise().total_cmp(&a.moved.surprise()))
    });
    all
}

impl Move {
    fn rank(&self) -> u8 {
        match self.kind {
            Kind::Silent => 0,
            Kind::Spike | Kind::Drop => 1,
            Kind::BackToUsual => 2,
        }
    }

    /// How far outside its range it is, in half-widths of that.
    #[must_use]
    pub fn surprise(&self) -> f64 {
        self.usual.map_or(0.0, |usual| usual.distance(self.count))
    }
}
