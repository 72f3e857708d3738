//! What could not be read, as one list.

use super::home::Home;
use super::sources::Sources;
use pockethog_core::access;
use pockethog_core::discovery::Failure;

impl Home {
    /// What could not be read, for a surface that lists it below the numbers instead of saying it on each card:
    /// as few times as possible. `sources` are those that this was made from.
    pub fn failures(&self, sources: &Sources<'_>) -> Vec<Failure> {
        let mut failures = Vec::new();
        for connection in sources.connections {
            let own = self
                .cards
                .iter()
                .filter(|card| card.connection == connection.id);
            let asked = own.clone().count();
            if sources.only.is_some() && asked == 0 {
                continue;
            }
            if let Some(failure) = access::failure(connection) {
                failures.push(failure);
                continue;
            }
            let unread: Vec<_> = own
                .filter_map(|card| Some((card.name.clone(), card.trouble.as_ref()?)))
                .collect();
            let listed = sources.listed_failures(&connection.id).to_vec();
            failures.extend(access::summed_up(connection, listed, &unread, asked));
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::samples::{at, connection, project, sources, trouble};
    use crate::sources::{Freshness, Source};
    use pockethog_core::discovery::Cause;
    use pockethog_core::snapshot::KnownDiscovery;

    #[test]
    fn a_run_lists_what_it_could_not_read_of_what_it_was_asked_for() {
        let connections = [
            connection("ada", "query:read"),
            connection("eve", "query:read"),
        ];
        let projects = [project(1, &connections[0]), project(2, &connections[1])];
        let refused = trouble(20);
        let listed = KnownDiscovery {
            found_at: at(1),
            failures: vec![Failure {
                what: "Burrow".to_owned(),
                reason: "busy".to_owned(),
                transient: true,
                needs_sign_in: false,
                cause: Cause::Busy,
            }],
        };
        let discoveries = HashMap::from([(connections[1].id.clone(), listed)]);
        let mut sources = sources(&connections, 30);
        sources.discoveries = &discoveries;
        sources.freshness = Freshness::Since(at(10));
        sources.projects = projects
            .iter()
            .map(|project| Source {
                project,
                numbers: None,
                judged: None,
                explanation: None,
                trouble: Some(&refused),
            })
            .collect();
        let whats = |sources: &Sources<'_>| -> Vec<String> {
            let failures = Home::of_run(sources).failures(sources).into_iter();
            failures.map(|failure| failure.what).collect()
        };
        assert_eq!(whats(&sources), ["Project 1", "Burrow", "Project 2"]);
        let only = [projects[0].key.clone()].into();
        sources.only = Some(&only);
        assert_eq!(whats(&sources), ["Project 1"]);
    }
}
