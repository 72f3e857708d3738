//! The events of one project, made when first asked for.

use std::sync::OnceLock;

use jiff::Timestamp;

use crate::events::{self, Event};
use crate::world::Project;

/// The events of one project.
#[derive(Debug)]
pub(crate) struct ProjectStore {
    pub(crate) project: Project,
    seed: u64,
    now: Timestamp,
    events: OnceLock<Vec<Event>>,
}

impl ProjectStore {
    pub(crate) fn new(project: Project, seed: u64, now: Timestamp) -> Self {
        Self {
            project,
            seed,
            now,
            events: OnceLock::new(),
        }
    }

    /// The events, those that have not happened yet included.
    pub(crate) fn events(&self) -> &[Event] {
        self.events
            .get_or_init(|| events::generate(&self.project, self.seed, self.now))
    }
}
