//! What the home screen knows, kept in memory.
//!
//! Reading thousands of Snapshots takes longer than drawing them, so they are read once, and again only
//! where something was written since: by the refresher, by a widget, by another program.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::age;
use crate::annotations::Annotations;
use crate::causes::Explanation;
use crate::live::explaining;
use crate::moves::{Judged, Move};
use crate::overview::TodaySummary;
use crate::project::{Project, ProjectKey};
use crate::snapshot::{SnapshotError, Snapshots, Stamp, Trouble, View};

/// If more than one project in this many has changed, all are read at once.
const READ_ALL_ABOVE: usize = 8;

/// Projects with their numbers of today.
#[derive(Clone, Debug, Default)]
pub struct HomeCache {
    /// In the order of names.
    pub projects: Vec<Project>,
    /// Counts up whenever anything changes.
    pub revision: u64,
    summaries: HashMap<ProjectKey, (i64, TodaySummary)>,
    judged: HashMap<ProjectKey, (i64, Judged)>,
    explained: HashMap<ProjectKey, (i64, Explanation)>,
    noted: HashMap<ProjectKey, (i64, Annotations)>,
    troubles: HashMap<ProjectKey, Trouble>,
    stamp: Option<Stamp>,
}

impl HomeCache {
    /// Today's numbers of a project.
    pub fn glance(&self, key: &ProjectKey) -> Option<&TodaySummary> {
        self.summaries.get(key).map(|(_, summary)| summary)
    }

    /// What was judged of a project: what is usual today, and whether it has left that.
    pub fn judged(&self, key: &ProjectKey) -> Option<&Judged> {
        self.judged.get(key).map(|(_, judged)| judged)
    }

    /// What made a project move, if this move of it has been explained.
    pub fn explanation(&self, key: &ProjectKey, moved: &Move) -> Option<&Explanation> {
        self.explained(key)
            .filter(|explanation| explaining::explains(explanation, moved))
    }

    /// What made a project move when that was last asked, whichever move it was.
    pub fn explained(&self, key: &ProjectKey) -> Option<&Explanation> {
        self.explained.get(key).map(|(_, explanation)| explanation)
    }

    /// The annotations of a project, if they were read.
    pub fn annotations(&self, key: &ProjectKey) -> Option<&Annotations> {
        self.noted.get(key).map(|(_, annotations)| annotations)
    }

    /// Why today's numbers of a project could not be refreshed.
    pub fn trouble(&self, key: &ProjectKey) -> Option<&Trouble> {
        self.troubles.get(key)
    }

    /// When today's numbers of a project were last asked for, with or without success, as far as the clock can
    /// tell.
    pub fn asked_at(&self, key: &ProjectKey, now: Timestamp) -> Option<Timestamp> {
        let measured = self.glance(key).map(|summary| summary.measured_at);
        let failed = self.trouble(key).map(|trouble| trouble.at);
        age::newest(measured.into_iter().chain(failed), now)
    }

    /// Whether something was written since the last time.
    pub(super) fn is_behind(&self, snapshots: &Snapshots) -> Result<bool, SnapshotError> {
        Ok(self.stamp != Some(snapshots.stamp()?))
    }

    /// Takes in what was written since the last time.
    pub(super) fn follow(&mut self, snapshots: &Snapshots) -> Result<(), SnapshotError> {
        let stamp = snapshots.stamp()?;
        let measured = snapshots.all_today_stamps()?;
        let changed: Vec<&(ProjectKey, i64)> = measured
            .iter()
            .filter(|(key, at)| self.summaries.get(key).is_none_or(|(known, _)| known != at))
            .collect();
        if changed.len() * READ_ALL_ABOVE > measured.len() {
            let at: HashMap<&ProjectKey, i64> =
                measured.iter().map(|(key, at)| (key, *at)).collect();
            self.summaries = snapshots
                .all_today_summaries()?
                .into_iter()
                .filter_map(|(key, summary)| Some((at.get(&key).copied()?, key, summary)))
                .map(|(at, key, summary)| (key, (at, summary)))
                .collect();
        } else {
            for (key, at) in changed {
                if let Some(summary) = snapshots.today_summary(key)? {
                    self.summaries.insert(key.clone(), (*at, summary));
                }
            }
            if self.summaries.len() > measured.len() {
                let known: std::collections::HashSet<&ProjectKey> =
                    measured.iter().map(|(key, _)| key).collect();
                self.summaries.retain(|key, _| known.contains(key));
            }
        }
        self.follow_judged(snapshots)?;
        self.follow_explained(snapshots)?;
        self.follow_noted(snapshots)?;
        self.troubles = snapshots.all_trouble()?.into_iter().collect();
        self.projects = snapshots.projects()?;
        self.stamp = Some(stamp);
        self.revision += 1;
        Ok(())
    }

    fn follow_explained(&mut self, snapshots: &Snapshots) -> Result<(), SnapshotError> {
        let stamps: HashMap<ProjectKey, i64> =
            snapshots.all_explained_stamps()?.into_iter().collect();
        self.explained.retain(|key, _| stamps.contains_key(key));
        for (key, at) in stamps {
            if self
                .explained
                .get(&key)
                .is_some_and(|(known, _)| *known == at)
            {
                continue;
            }
            if let Some(explanation) = snapshots.view(&key, View::Causes)? {
                self.explained.insert(key, (at, explanation));
            }
        }
        Ok(())
    }

    fn follow_noted(&mut self, snapshots: &Snapshots) -> Result<(), SnapshotError> {
        let stamps: HashMap<ProjectKey, i64> = snapshots.all_noted_stamps()?.into_iter().collect();
        self.noted.retain(|key, _| stamps.contains_key(key));
        for (key, at) in stamps {
            if self.noted.get(&key).is_some_and(|(known, _)| *known == at) {
                continue;
            }
            if let Some(annotations) = snapshots.view(&key, View::Annotations)? {
                self.noted.insert(key, (at, annotations));
            }
        }
        Ok(())
    }

    fn follow_judged(&mut self, snapshots: &Snapshots) -> Result<(), SnapshotError> {
        let stamps: HashMap<ProjectKey, i64> = snapshots.all_judged_stamps()?.into_iter().collect();
        self.judged.retain(|key, _| stamps.contains_key(key));
        for (key, at) in stamps {
            if self.judged.get(&key).is_some_and(|(known, _)| *known == at) {
                continue;
            }
            if let Some(judged) = snapshots.judged(&key)? {
                self.judged.insert(key, (at, judged));
            }
        }
        Ok(())
    }
}
