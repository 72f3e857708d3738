//! The change that is shown beside a number of today.

use super::{ByNow, Kind, Metric, Move};
use crate::overview::Change;

/// The change of the visitors of today, as every surface shows it: from what is usual by now, with a colour exactly if
/// visitors have left their range. If nothing is known of that, it is the change from `before`, the day before by now, and
/// has no colour.
#[must_use]
pub fn visitors_change(
    moved: Option<&Move>,
    by_now: Option<ByNow>,
    (now, before): (u64, u64),
) -> Change {
    let outside = moved.filter(|moved| {
        let is_outside = matches!(moved.kind, Kind::Spike | Kind::Drop);
        is_outside && moved.metric == Metric::Visitors
    });
    if let Some((moved, usual)) = outside.and_then(|moved| Some((moved, moved.usual?))) {
        return Change::from_usual(moved.count, usual.centre, true);
    }
    match by_now {
        Some(by_now) => Change::from_usual(by_now.count, by_now.usual.centre, false),
        None => Change::between(now, before).uncoloured(),
    }
}
