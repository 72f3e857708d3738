//! The list of all projects, hidden ones included.

use std::collections::HashMap;

use sign_in_with_posthog::{Connection, ConnectionId};

use pockethog_core::access;
use pockethog_core::discovery::Failure;
use pockethog_core::preferences::{Preferences, ProjectPreferences};
use pockethog_core::project::Project;
use pockethog_core::snapshot::KnownDiscovery;

/// All projects that are shown, in the person's order, and what could not be listed.
#[derive(Clone, Debug, Default)]
pub struct ProjectList {
    /// The projects.
    pub projects: Vec<ListedProject>,
    /// What could not be listed.
    pub failures: Vec<Failure>,
}

/// A project in the list.
#[derive(Clone, Debug)]
pub struct ListedProject {
    /// The project.
    pub project: Project,
    /// What the person chose about it.
    pub chosen: ProjectPreferences,
    /// Whether its sign-in has ended by itself.
    pub is_signed_out: bool,
}

impl ListedProject {
    /// The name to show.
    pub fn name(&self) -> &str {
        self.chosen.name.as_deref().unwrap_or(&self.project.name)
    }
}

impl ProjectList {
    /// The list of `projects`, as far as one of the `connections` is shown.
    pub fn new(
        mut projects: Vec<Project>,
        connections: &[Connection],
        preferences: &Preferences,
        discoveries: &HashMap<ConnectionId, KnownDiscovery>,
    ) -> Self {
        access::keep_shown(&mut projects, connections);
        preferences.sort(&mut projects);
        let is_active = |id: &ConnectionId| {
            let mut active = connections.iter().filter(|known| known.is_active());
            active.any(|known| known.id == *id)
        };
        let failures =
            connections
                .iter()
                .flat_map(|connection| match access::failure(connection) {
                    Some(failure) => vec![failure],
                    None => discoveries
                        .get(&connection.id)
                        .map(|found| found.failures.clone())
                        .unwrap_or_default(),
                });
        Self {
            failures: failures.collect(),
            projects: projects
                .into_iter()
                .map(|project| ListedProject {
                    chosen: preferences.project(&project.key),
                    is_signed_out: !is_active(&project.connection),
                    project,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use sign_in_with_posthog::{ConnectionState, EndReason};

    use super::*;
    use crate::samples::{connection, project};

    #[test]
    fn projects_of_an_ended_sign_in_stay_in_the_list_and_hidden_ones_too() {
        let mut ended = connection("ada", "query:read");
        let active = connection("eve", "query:read");
        let projects = [project(1, &ended), project(2, &active)];
        let mut preferences = Preferences::default();
        preferences.project_mut(&projects[1].key).hidden = true;
        preferences.project_mut(&projects[1].key).name = Some("Shop".to_owned());
        preferences.order = vec!["us/2".to_owned()];
        ended.state = ConnectionState::Ended(EndReason::RevokedOrExpired);
        let connections = [ended, active];
        let discoveries = HashMap::new();
        let list = ProjectList::new(projects.to_vec(), &connections, &preferences, &discoveries);
        let lines = list.projects.iter();
        let lines: Vec<_> = lines
            .map(|line| (line.name(), line.is_signed_out))
            .collect();
        assert_eq!(lines, [("Shop", false), ("Project 1", true)]);
        assert_eq!(list.failures.len(), 1);
        assert!(list.failures[0].needs_sign_in);
    }
}
