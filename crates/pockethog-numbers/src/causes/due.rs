//! When to explain a move again.

use jiff::Timestamp;

use super::{Explanation, Question};
use crate::age;

/// A move is explained this often at most, in seconds.
const AGAIN_SECONDS: i64 = 15 * 60;

/// After how many seconds a move is to be explained, by what is stored: at once if nothing is, if another move
/// is, if other events are left out now, or if it was stored by a clock that was ahead.
#[must_use]
pub fn seconds_until_due(stored: Option<&Explanation>, question: &Question, now: Timestamp) -> i64 {
    let same = |stored: &&Explanation| {
        stored.is_about(question) && stored.question.left_out == question.left_out
    };
    let Some(stored) = stored.filter(same) else {
        return 0;
    };
    age::seconds(stored.measured_at, now).map_or(0, |age| (AGAIN_SECONDS - age).max(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Cause, Direction};
    use super::*;
    use crate::overview::LeftOut;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn question() -> Question {
        Question {
            direction: Direction::Up,
            since: at("2026-11-24T13:20:00Z"),
            hours: None,
            compared_with: vec![7, 14],
            until: None,
            usual: None,
            left_out: LeftOut::default(),
        }
    }

    fn due(change: impl FnOnce(&mut Question), now: &str) -> i64 {
        let stored = Explanation {
            measured_at: at("2026-11-24T14:00:00Z"),
            question: question(),
            visitors: 483,
            usual: 170,
            cause: Cause::Spread,
            pages_alike: true,
        };
        let mut asked = question();
        change(&mut asked);
        seconds_until_due(Some(&stored), &asked, at(now))
    }

    #[test]
    fn a_move_is_explained_again_after_a_quarter_of_an_hour() {
        assert_eq!(due(|_| (), "2026-11-24T14:00:30Z"), 870);
        assert_eq!(due(|_| (), "2026-11-24T14:15:00Z"), 0);
        assert_eq!(
            seconds_until_due(None, &question(), at("2026-11-24T14:00:00Z")),
            0
        );
        // Stored by a clock that was ahead.
        assert_eq!(due(|_| (), "2026-11-24T13:00:00Z"), 0);
    }

    #[test]
    fn another_move_is_explained_at_once_and_the_same_one_is_not() {
        let now = "2026-11-24T14:05:00Z";
        assert_eq!(
            due(|asked| asked.since = at("2026-11-24T13:05:00Z"), now),
            600
        );
        // It shows in another look now.
        assert_eq!(due(|asked| asked.hours = Some(6), now), 600);
        assert_eq!(due(|asked| asked.direction = Direction::Down, now), 0);
        assert_eq!(
            due(|asked| asked.since = at("2026-11-23T13:05:00Z"), now),
            0
        );
        assert_eq!(due(|asked| asked.left_out.bots = true, now), 0);
    }
}
