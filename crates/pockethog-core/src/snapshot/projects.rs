//! The projects that each Connection reaches, and what Discovery could not read.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use sign_in_with_posthog::{Connection, ConnectionId};

use super::{KnownDiscovery, SnapshotError, Snapshots, json, number};
use crate::discovery::Discovery;
use crate::project::{Project, ProjectKey};

impl Snapshots {
    /// Every known project, in the order of names.
    pub fn projects(&self) -> Result<Vec<Project>, SnapshotError> {
        self.rows("SELECT json FROM projects ORDER BY place, host, id", [])
    }

    /// What Discovery last found for a Connection.
    pub fn discovery(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<KnownDiscovery>, SnapshotError> {
        let found = self.run(|database| {
            database
                .query_row(
                    "SELECT found_at, failures FROM discoveries WHERE connection = ?1",
                    [connection.as_str()],
                    |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
                )
                .optional()
        })?;
        Ok(found.map(|(found_at, failures)| KnownDiscovery {
            found_at: Timestamp::from_second(found_at).unwrap_or(Timestamp::UNIX_EPOCH),
            failures: serde_json::from_str(&failures).unwrap_or_default(),
        }))
    }

    /// The last list of each of these Connections, as far as one was read.
    pub fn discoveries(
        &self,
        connections: &[Connection],
    ) -> Result<HashMap<ConnectionId, KnownDiscovery>, SnapshotError> {
        let mut known = HashMap::new();
        for connection in connections {
            if let Some(found) = self.discovery(&connection.id)? {
                known.insert(connection.id.clone(), found);
            }
        }
        Ok(known)
    }

    /// Stores what Discovery found. Only a list that was read as a whole takes projects away; beside any
    /// failure those that are missing stay, since they may belong to what could not be read.
    pub(crate) fn put_discovery(
        &mut self,
        connection: &ConnectionId,
        discovery: &Discovery,
        now: Timestamp,
    ) -> Result<(), SnapshotError> {
        let whole = discovery.failures.is_empty();
        self.run(|database| {
            let transaction = database.unchecked_transaction()?;
            if whole {
                transaction.execute(
                    "DELETE FROM projects WHERE connection = ?1",
                    [connection.as_str()],
                )?;
            }
            for project in &discovery.projects {
                // Two accounts at one Host may both reach a project; the first one keeps it.
                transaction.execute(
                    "INSERT INTO projects (host, id, connection, place, json) VALUES (?1, ?2, ?3, ?4, ?5) \
                     ON CONFLICT (host, id) DO UPDATE SET place = excluded.place, json = excluded.json \
                     WHERE connection = excluded.connection",
                    params![
                        project.key.host,
                        number(project.key.id),
                        connection.as_str(),
                        project.name.to_lowercase(),
                        json(project),
                    ],
                )?;
            }
            transaction.execute(
                "INSERT OR REPLACE INTO discoveries (connection, found_at, failures) VALUES (?1, ?2, ?3)",
                params![connection.as_str(), now.as_second(), json(&discovery.failures)],
            )?;
            transaction.commit()
        })
    }

    /// Forgets what a Connection reached. Snapshots of its projects stay for when it comes back.
    pub fn forget_connection(&mut self, connection: &ConnectionId) -> Result<(), SnapshotError> {
        for statement in [
            "DELETE FROM projects WHERE connection = ?1",
            "DELETE FROM discoveries WHERE connection = ?1",
        ] {
            self.run(|database| database.execute(statement, [connection.as_str()]))?;
        }
        Ok(())
    }

    /// The projects of one Connection, in the order of names.
    pub fn projects_of(&self, connection: &ConnectionId) -> Result<Vec<Project>, SnapshotError> {
        self.rows(
            "SELECT json FROM projects WHERE connection = ?1 ORDER BY place, id",
            [connection.as_str()],
        )
    }

    /// The Connections that projects belong to.
    pub fn owners(&self) -> Result<Vec<ConnectionId>, SnapshotError> {
        let names = self.run(|database| {
            database
                .prepare_cached("SELECT DISTINCT connection FROM projects")?
                .query_map([], |row| row.get::<_, String>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(names
            .into_iter()
            .filter_map(|name| ConnectionId::try_from(name).ok())
            .collect())
    }

    /// The project of this key, where a Connection reaches it.
    pub fn project(&self, key: &ProjectKey) -> Result<Option<Project>, SnapshotError> {
        let found: Vec<Project> = self.rows(
            "SELECT json FROM projects WHERE host = ?1 AND id = ?2",
            params![key.host, number(key.id)],
        )?;
        Ok(found.into_iter().next())
    }

    /// Projects of one Connection that another one reaches too now belong to that one: a credential
    /// is being swapped. Their Snapshots stay; what was refused to the old one is forgotten.
    pub fn hand_over(
        &mut self,
        from: &ConnectionId,
        to: &ConnectionId,
        reached: &dyn Fn(&ProjectKey) -> bool,
    ) -> Result<(), SnapshotError> {
        let mut projects = self.projects_of(from)?;
        projects.retain(|project| reached(&project.key));
        for project in &mut projects {
            project.connection = to.clone();
            self.run(|database| {
                database.execute(
                    "UPDATE projects SET connection = ?1, json = ?2 WHERE host = ?3 AND id = ?4",
                    params![
                        to.as_str(),
                        json(project),
                        project.key.host,
                        number(project.key.id)
                    ],
                )
            })?;
            self.run(|database| {
                database.execute(
                    "DELETE FROM troubles WHERE host = ?1 AND id = ?2",
                    params![project.key.host, number(project.key.id)],
                )
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sign_in_with_posthog::{CredentialKind, Host, Region};

    use super::super::samples::{connection, discovery, ids, project};
    use super::*;

    #[test]
    fn only_a_list_that_was_read_as_a_whole_takes_projects_away() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let put = |snapshots: &mut Snapshots, found| {
            snapshots
                .put_discovery(&connection(), &found, Timestamp::UNIX_EPOCH)
                .unwrap();
        };
        put(&mut snapshots, discovery(&[1, 2], None));
        put(&mut snapshots, discovery(&[2], Some(true)));
        assert_eq!(ids(&snapshots), [1, 2]);
        // A revoked sign-in is no transient failure, and nothing was read.
        put(&mut snapshots, discovery(&[], Some(false)));
        assert_eq!(ids(&snapshots), [1, 2]);
        put(&mut snapshots, discovery(&[2], None));
        assert_eq!(ids(&snapshots), [2]);
    }

    #[test]
    fn only_projects_that_are_reached_are_handed_over() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let to = ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::OAuth, "b");
        let found = discovery(&[1, 2], None);
        snapshots
            .put_discovery(&connection(), &found, Timestamp::UNIX_EPOCH)
            .unwrap();
        snapshots
            .hand_over(&connection(), &to, &|key| key.id == 2)
            .unwrap();
        let kept = snapshots.projects_of(&connection()).unwrap();
        let handed = snapshots.projects_of(&to).unwrap();
        assert_eq!(kept, [project(1)]);
        assert_eq!((handed[0].key.id, &handed[0].connection), (2, &to));
    }
}
