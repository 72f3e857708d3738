//! What is asked of a project, as a person chose.

use super::Preferences;
use crate::overview::Asked;
use crate::project::Project;

impl Preferences {
    /// What the numbers of a project depend on besides its events.
    pub fn asked(&self, project: &Project) -> Asked {
        let chosen = self.projects.get(&project.key.to_string());
        let conversions = chosen.map_or(&[][..], |chosen| &chosen.conversions);
        Asked::new(&project.time_zone, conversions)
    }
}
