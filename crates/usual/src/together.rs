//! Most projects at once.

use serde::{Deserialize, Serialize};

use crate::range::Direction;

/// Fewer projects are named one by one.
const LEAST: usize = 3;

/// Most projects moved in the same direction: one sentence, not one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Together {
    /// Where they went.
    pub direction: Direction,
    /// How many.
    pub moved: usize,
    /// Of how many that could be judged.
    pub of: usize,
}

/// Whether most of the projects moved in one direction; each is given by its direction, or `None` if it did not move.
/// Projects with nothing to compare with are to be left out.
pub fn together(projects: impl IntoIterator<Item = Option<Direction>>) -> Option<Together> {
    let (mut up, mut down, mut of) = (0, 0, 0);
    for project in projects {
        of += 1;
        match project {
            Some(Direction::Up) => up += 1,
            Some(Direction::Down) => down += 1,
            None => {}
        }
    }
    let (direction, moved) = if up >= down {
        (Direction::Up, up)
    } else {
        (Direction::Down, down)
    };
    (moved >= LEAST && 2 * moved > of).then_some(Together {
        direction,
        moved,
        of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_projects_are_one_sentence_and_a_few_are_not() {
        let down = Some(Direction::Down);
        let most = together([down, down, None, down, Some(Direction::Up)]);
        assert_eq!(
            most,
            Some(Together {
                direction: Direction::Down,
                moved: 3,
                of: 5
            })
        );
        assert_eq!(together([down, down]), None);
        assert_eq!(together([down, down, down, None, None, None]), None);
        assert_eq!(together([]), None);
    }
}
