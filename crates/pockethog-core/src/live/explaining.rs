//! What is to be explained: how a project has moved, as far as visitors can explain it.

use jiff::Timestamp;

use crate::causes::{Direction, Question};
use crate::moves::{Basis, Kind, Move};
use crate::project::ProjectKey;
use crate::snapshot::{SnapshotError, Snapshots};

/// The days that a weekday is compared with.
const WEEKS: [u16; 4] = [7, 14, 21, 28];

/// What is to be explained of a project now: nothing if it is as usual, or silent.
///
/// # Errors
///
/// The Snapshots cannot be read.
pub fn question(
    snapshots: &Snapshots,
    key: &ProjectKey,
    now: Timestamp,
) -> Result<Option<Question>, SnapshotError> {
    let judged = snapshots.judged(key)?;
    let moved = judged.and_then(|judged| judged.moved(now));
    Ok(moved.as_ref().and_then(of))
}

/// What is to be explained of a move.
#[must_use]
pub fn of(moved: &Move) -> Option<Question> {
    let direction = match moved.kind {
        Kind::Spike => Direction::Up,
        Kind::Drop => Direction::Down,
        Kind::Silent | Kind::BackToUsual => return None,
    };
    let compared_with = match moved.basis? {
        Basis::Weeks(_) => WEEKS.to_vec(),
        Basis::LastWeek => vec![7],
        Basis::Yesterday => vec![1],
    };
    Some(Question {
        direction,
        since: moved.since,
        hours: moved
            .look
            .hours()
            .and_then(|hours| u8::try_from(hours).ok()),
        compared_with,
        condition: None,
    })
}
