//! Judges a project once its numbers of today, or its closed days, have been stored.
//!
//! Whoever stores them does it: the app, a command or a widget. So what is stored beside the numbers of today always
//! belongs to them, and a view only reads it.

use crate::history::{History, Known};
use crate::moves::{Baselines, Counted, Judged, Marks};
use crate::overview::{Quarter, Today};
use crate::preferences::Preferences;
use crate::project::ProjectKey;
use crate::snapshot::{KnownMarks, SnapshotError, Snapshots, View};

/// Judges these projects by what is stored of them, and stores what came of it. Those without numbers of today or
/// without closed days have nothing to be judged by.
///
/// # Errors
///
/// The Snapshots cannot be read or written.
pub fn judge(
    snapshots: &mut Snapshots,
    baselines: &mut Baselines,
    preferences: &Preferences,
    projects: &[ProjectKey],
) -> Result<(), SnapshotError> {
    let mut all = Vec::with_capacity(projects.len());
    for key in projects {
        if let Some(judged) = judge_one(snapshots, baselines, preferences, key)? {
            all.push((key, judged));
        }
    }
    if all.is_empty() {
        return Ok(());
    }
    snapshots.together(|snapshots| {
        all.iter()
            .try_for_each(|(key, judged)| snapshots.put_judged(key, judged))
    })
}

fn judge_one(
    snapshots: &mut Snapshots,
    baselines: &mut Baselines,
    preferences: &Preferences,
    key: &ProjectKey,
) -> Result<Option<Judged>, SnapshotError> {
    let Some(known) = snapshots.known_history(key)? else {
        return Ok(None);
    };
    let Some(today) = snapshots.view::<Today>(key, View::Today)? else {
        return Ok(None);
    };
    let Some(counted) = counted(&today, &known) else {
        return Ok(None);
    };
    let before = snapshots.judged(key)?;
    let settings = preferences.judged_by();
    let fitted_to = (known.measured_at, known.asked.conversions.as_slice());
    baselines.judge(key, fitted_to, &counted, settings, before.as_ref(), || {
        let Some(history) = snapshots.history(key)? else {
            return Ok(None);
        };
        let marks = marks(snapshots, key, &history)?;
        Ok(Some((history, marks)))
    })
}

/// The marks of the closed days: those that are kept, if they are for this reading of them.
pub(crate) fn marks(
    snapshots: &mut Snapshots,
    key: &ProjectKey,
    history: &History,
) -> Result<Marks, SnapshotError> {
    let is_comparable = |known: &KnownMarks| known.asked == history.asked;
    let known = snapshots.marks(key)?.filter(is_comparable);
    if let Some(known) = &known
        && known.measured_at == history.measured_at
    {
        return Ok(known.marks.clone());
    }
    let marks = Marks::of(history, known.as_ref().map(|known| &known.marks));
    let kept = KnownMarks {
        measured_at: history.measured_at,
        asked: history.asked.clone(),
        marks: marks.clone(),
    };
    snapshots.put_marks(key, &kept)?;
    Ok(marks)
}

/// Today by quarter of an hour. `None` in numbers of an older program, or if they were asked for in another way than the
/// closed days: then one of them is about to be read again.
fn counted(today: &Today, known: &Known) -> Option<Counted> {
    if today.quarters.is_empty() || today.asked != known.asked {
        return None;
    }
    Some(Counted {
        measured_at: today.measured_at,
        day_began: today.began()?,
        last_event_at: today.last_event_at,
        first_views: today
            .quarters
            .iter()
            .map(|quarter| quarter.first_views)
            .collect(),
        pageviews: today
            .quarters
            .iter()
            .map(|quarter| quarter.pageviews)
            .collect(),
        first_conversions: (0..today.asked.conversions.len())
            .map(|event| {
                let counts = today.quarters.iter();
                let count = |quarter: &Quarter| quarter.first_conversions.get(event).copied();
                counts.map(|quarter| count(quarter).unwrap_or(0)).collect()
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;

    use super::*;
    use crate::overview::LeftOut;
    use crate::snapshot::samples;

    #[test]
    fn marks_of_days_that_counted_test_accounts_too_are_made_again() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let key = samples::project(1).key;
        let history = samples::history(Timestamp::now());
        let kept = |left_out| KnownMarks {
            measured_at: history.measured_at,
            asked: history.asked.clone().without(left_out),
            marks: Marks::default(),
        };
        let same = kept(LeftOut::default());
        snapshots.put_marks(&key, &same).unwrap();
        let used = marks(&mut snapshots, &key, &history).unwrap();
        assert_eq!(used, Marks::default());
        let without = kept(LeftOut {
            test_accounts: true,
            bots: false,
        });
        snapshots.put_marks(&key, &without).unwrap();
        let made = marks(&mut snapshots, &key, &history).unwrap();
        assert_eq!(made, Marks::of(&history, None));
        assert_ne!(made, Marks::default());
    }
}
