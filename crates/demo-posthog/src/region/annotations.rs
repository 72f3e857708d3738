//! Annotations: notes on dates, and in which projects each shows.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use crate::world::{Project, World};

/// An annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// Its number, unique in its region.
    pub id: u64,
    /// The project that owns it.
    pub project: u64,
    /// What it says.
    pub content: Option<String>,
    /// The instant it marks.
    pub date_marker: Option<Timestamp>,
    /// `project`, `organization`, `dashboard_item`, `dashboard` or `tag`.
    pub scope: String,
    /// `USR` or `GIT`.
    pub creation_type: String,
    /// Number of the insight it belongs to.
    pub dashboard_item: Option<u64>,
    /// Number of the dashboard it belongs to.
    pub dashboard_id: Option<u64>,
    /// An emoji in place of a dot.
    pub emoji: Option<String>,
    /// Not shown in PostHog's own pages.
    pub hidden_in_user_interface: Option<bool>,
    /// Tags of the dashboards it shows on.
    pub tags: Vec<String>,
    /// Number of the person who made it.
    pub created_by: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Deleted, and still able to come back.
    pub deleted: bool,
}

/// Every annotation of a region.
#[derive(Debug, Default)]
pub(crate) struct Annotations {
    pub(crate) all: BTreeMap<u64, Annotation>,
    last: u64,
}

impl Annotations {
    /// The invented ones: two or three in each project that has visitors, and one for an organization.
    pub(crate) fn invent(world: &World, seed: u64, now: Timestamp) -> Self {
        const TEXTS: [&str; 8] = [
            "New landing page",
            "Pricing page redesigned",
            "Release 2.4",
            "Linked from a newsletter",
            "Checkout moved to one page",
            "Front page of Hacker News",
            "Sign-up form shortened",
            "Outage: 40 minutes",
        ];
        let mut annotations = Self::default();
        for project in world
            .projects
            .iter()
            .filter(|project| project.visitors > 20)
        {
            let mut random = fastrand::Rng::with_seed(seed ^ project.id);
            let mut texts = TEXTS;
            random.shuffle(&mut texts);
            for (nth, text) in (0..3_i64).zip(texts) {
                let days = 2 + nth * 9 + random.i64(0..8);
                annotations.invented(project, text, "project", days, random.i64(8..20), now);
            }
        }
        if let Some(first) = world.projects.first() {
            annotations.invented(first, "Autumn campaign", "organization", 12, 9, now);
        }
        annotations
    }

    fn invented(
        &mut self,
        project: &Project,
        text: &str,
        scope: &str,
        days: i64,
        hour: i64,
        now: Timestamp,
    ) {
        let zone = TimeZone::get(&project.time_zone).unwrap_or(TimeZone::UTC);
        let marked = now
            .to_zoned_datetime(zone)
            .checked_sub(days.days())
            .and_then(|day| day.start_of_day())
            .and_then(|day| day.checked_add(hour.hours()))
            .map_or(now, |at| at.timestamp());
        self.add(Annotation {
            content: Some(text.to_owned()),
            date_marker: Some(marked),
            scope: scope.to_owned(),
            ..Annotation::new(project.id, 1, marked)
        });
    }

    pub(crate) fn add(&mut self, mut note: Annotation) -> Annotation {
        self.last += 1;
        note.id = self.last;
        self.all.insert(note.id, note.clone());
        note
    }

    /// Those that a project owns, by number.
    pub(crate) fn of_project(&self, project: u64) -> Vec<Annotation> {
        let owned = self.all.values().filter(|note| note.project == project);
        owned.cloned().collect()
    }

    /// Those that show in a project: its own, and those for its whole organization. Latest first.
    pub(crate) fn shown(&self, world: &World, project: &Project) -> Vec<Annotation> {
        let mut shown: Vec<Annotation> = self
            .all
            .values()
            .filter(|note| shows(world, note, project))
            .cloned()
            .collect();
        shown.sort_by_key(|note| std::cmp::Reverse((note.date_marker, note.id)));
        shown
    }
}

impl Annotation {
    pub(crate) fn new(project: u64, person: u64, now: Timestamp) -> Self {
        Self {
            id: 0,
            project,
            content: None,
            date_marker: None,
            scope: "dashboard_item".to_owned(),
            creation_type: "USR".to_owned(),
            dashboard_item: None,
            dashboard_id: None,
            emoji: None,
            hidden_in_user_interface: None,
            tags: Vec::new(),
            created_by: person,
            created_at: now,
            updated_at: now,
            deleted: false,
        }
    }
}

pub(crate) fn shows(world: &World, note: &Annotation, project: &Project) -> bool {
    note.project == project.id
        || (note.scope == "organization"
            && world
                .project(note.project)
                .is_some_and(|owner| owner.organization == project.organization))
}
