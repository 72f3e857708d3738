//! The last numbers of each project, on disk, shared by app, widgets and command line.
//!
//! Everything in here can be asked for again, so a database that is broken or from a newer version is
//! set aside and rebuilt. Writers are short; a reader never waits for PostHog.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection as Database, OpenFlags, OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sign_in_with_posthog::ConnectionId;

use crate::discovery::{Cause, Discovery, Failure};
use crate::folders::make_private;
use crate::notes::Notes;
use crate::overview::{Breakdowns, Glance, Period, Range, Today};
use crate::project::{Project, ProjectKey};

/// Version of the layout. Another one is set aside, older or newer: everything can be asked again.
const VERSION: i64 = 1;

/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why Snapshots could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct SnapshotError {
    path: PathBuf,
    source: rusqlite::Error,
}

/// The Snapshot database.
#[derive(Debug)]
pub struct Snapshots {
    database: Database,
    path: PathBuf,
    set_aside: Option<PathBuf>,
}

/// Tells whether anything was written since it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    others: i64,
    own: u64,
}

impl Stamp {
    /// True where another program has written since `earlier`.
    pub fn others_wrote_since(self, earlier: Self) -> bool {
        self.others != earlier.others
    }
}

/// What Discovery last found for a Connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDiscovery {
    /// When.
    pub found_at: Timestamp,
    /// What could not be read then.
    pub failures: Vec<Failure>,
}

/// Why a view of a project could not be refreshed the last time it was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// One sentence.
    pub reason: String,
    /// True where it may heal by itself.
    pub transient: bool,
    /// What kind of trouble it is.
    #[serde(default)]
    pub cause: Cause,
    /// Before this instant nobody need ask again; PostHog's own word where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// A view of a project that has Snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// [`Today`].
    Today,
    /// [`Period`].
    Period(Range),
    /// [`Breakdowns`].
    Breakdowns(Range),
    /// [`Notes`].
    Notes,
}

impl View {
    fn name(self) -> String {
        match self {
            Self::Today => "today".to_owned(),
            Self::Period(range) => format!("period {}", range.name()),
            Self::Breakdowns(range) => format!("breakdowns {}", range.name()),
            Self::Notes => "notes".to_owned(),
        }
    }
}

/// A value that belongs to one [`View`].
pub trait Viewed: Serialize + DeserializeOwned {
    /// When PostHog was asked.
    fn measured_at(&self) -> Timestamp;
    /// Which view it is.
    fn view(&self) -> View;
}

impl Viewed for Today {
    fn measured_at(&self) -> Timestamp {
        self.measured_at
    }

    fn view(&self) -> View {
        View::Today
    }
}

impl Viewed for Period {
    fn measured_at(&self) -> Timestamp {
        self.measured_at
    }

    fn view(&self) -> View {
        View::Period(self.range)
    }
}

impl Viewed for Breakdowns {
    fn measured_at(&self) -> Timestamp {
        self.measured_at
    }

    fn view(&self) -> View {
        View::Breakdowns(self.range)
    }
}

impl Viewed for Notes {
    fn measured_at(&self) -> Timestamp {
        self.measured_at
    }

    fn view(&self) -> View {
        View::Notes
    }
}

impl Snapshots {
    /// Opens the database, making it where there is none and setting a useless one aside.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written to.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        if let Some(folder) = path.parent() {
            // Opening the database tells the reason where this fails.
            make_private(folder).ok();
        }
        match Self::open_as_is(path) {
            Ok(Some(snapshots)) => Ok(snapshots),
            Err(error) if !is_broken(&error) => Err(failed(path, error)),
            Ok(None) | Err(_) => {
                let aside = set_aside(path);
                let snapshots = Self::open_as_is(path).map_err(|error| failed(path, error))?;
                let mut snapshots =
                    snapshots.ok_or_else(|| failed(path, rusqlite::Error::InvalidQuery))?;
                snapshots.set_aside = Some(aside);
                Ok(snapshots)
            }
        }
    }

    /// Snapshots that end with the program: where the disk cannot be written to.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn in_memory() -> Result<Self, SnapshotError> {
        let path = Path::new(":memory:");
        let database = Database::open_in_memory().map_err(|error| failed(path, error))?;
        lay_out(&database).map_err(|error| failed(path, error))?;
        Ok(Self {
            database,
            path: path.to_owned(),
            set_aside: None,
        })
    }

    /// Opens the database to read only, and in no case makes or changes one: for a short process that
    /// shows what is there. `None` where there is none of this version.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is no database.
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, SnapshotError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> rusqlite::Result<Option<Self>> {
            let database = Database::open_with_flags(path, flags)?;
            database.busy_timeout(PATIENCE)?;
            let version: i64 =
                database.pragma_query_value(None, "user_version", |row| row.get(0))?;
            // One transaction for all that is read: one moment, and locked once.
            database.execute_batch("BEGIN")?;
            Ok((version == VERSION).then(|| Self {
                database,
                path: path.to_owned(),
                set_aside: None,
            }))
        };
        if !path.exists() {
            return Ok(None);
        }
        open().map_err(|error| failed(path, error))
    }

    /// Where a database that could not be used was moved to.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    fn open_as_is(path: &Path) -> rusqlite::Result<Option<Self>> {
        let database = Database::open(path)?;
        database.busy_timeout(PATIENCE)?;
        let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            // Readers do not block the writer, nor the writer readers, in several processes.
            database.pragma_update(None, "journal_mode", "WAL")?;
            lay_out(&database)?;
        } else if version != VERSION {
            return Ok(None);
        }
        database.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Some(Self {
            database,
            path: path.to_owned(),
            set_aside: None,
        }))
    }

    /// Every known project, in the order of names.
    pub fn projects(&self) -> Result<Vec<Project>, SnapshotError> {
        self.rows("SELECT json FROM projects ORDER BY place, host, id", [])
    }

    /// What Discovery last found for a Connection.
    pub fn discovery(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<KnownDiscovery>, SnapshotError> {
        let found = self
            .database
            .query_row(
                "SELECT found_at, failures FROM discoveries WHERE connection = ?1",
                [connection.as_str()],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
            )
            .optional()
            .map_err(|error| failed(&self.path, error))?;
        Ok(found.map(|(found_at, failures)| KnownDiscovery {
            found_at: Timestamp::from_second(found_at).unwrap_or(Timestamp::UNIX_EPOCH),
            failures: serde_json::from_str(&failures).unwrap_or_default(),
        }))
    }

    /// Stores what Discovery found. Projects that went missing beside a transient failure stay: they
    /// may belong to what could not be read.
    pub fn put_discovery(
        &mut self,
        connection: &ConnectionId,
        discovery: &Discovery,
        now: Timestamp,
    ) -> Result<(), SnapshotError> {
        let keep_missing = discovery.failures.iter().any(|failure| failure.transient);
        let path = self.path.clone();
        let store = |database: &mut Database| -> rusqlite::Result<()> {
            let transaction = database.transaction()?;
            if !keep_missing {
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
        };
        store(&mut self.database).map_err(|error| failed(&path, error))
    }

    /// Forgets what a Connection reached. Snapshots of its projects stay for when it comes back.
    pub fn forget_connection(&mut self, connection: &ConnectionId) -> Result<(), SnapshotError> {
        for statement in [
            "DELETE FROM projects WHERE connection = ?1",
            "DELETE FROM discoveries WHERE connection = ?1",
        ] {
            self.database
                .execute(statement, [connection.as_str()])
                .map_err(|error| failed(&self.path, error))?;
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

    /// The project of this key, where a Connection reaches it.
    pub fn project(&self, key: &ProjectKey) -> Result<Option<Project>, SnapshotError> {
        let found: Vec<Project> = self.rows(
            "SELECT json FROM projects WHERE host = ?1 AND id = ?2",
            params![key.host, number(key.id)],
        )?;
        Ok(found.into_iter().next())
    }

    /// Projects of one Connection that another one reaches too now belong to that one: a credential
    /// is being swapped. Their Snapshots stay.
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
            self.database
                .execute(
                    "UPDATE projects SET connection = ?1, json = ?2 WHERE host = ?3 AND id = ?4",
                    params![
                        to.as_str(),
                        json(project),
                        project.key.host,
                        number(project.key.id)
                    ],
                )
                .map_err(|error| failed(&self.path, error))?;
        }
        Ok(())
    }

    /// Changes whenever anything was written, by this program or another one. Cheap to ask.
    pub fn stamp(&self) -> Result<Stamp, SnapshotError> {
        let others: i64 = self
            .database
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| failed(&self.path, error))?;
        Ok(Stamp {
            others,
            own: self.database.total_changes(),
        })
    }

    /// When today's numbers of each project were measured: tells which ones have changed, without
    /// reading them.
    pub fn all_today_stamps(&self) -> Result<Vec<(ProjectKey, i64)>, SnapshotError> {
        let read = || -> rusqlite::Result<Vec<(String, i64, i64)>> {
            self.database
                .prepare_cached("SELECT host, id, measured_at FROM views WHERE view = 'today'")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        };
        let rows = read().map_err(|error| failed(&self.path, error))?;
        Ok(rows
            .into_iter()
            .filter_map(|(host, id, measured_at)| {
                let id = u64::try_from(id).ok()?;
                Some((ProjectKey { host, id }, measured_at))
            })
            .collect())
    }

    /// Today's numbers of every project that has them, as far as the home screen shows them.
    pub fn all_glances(&self) -> Result<Vec<(ProjectKey, Glance)>, SnapshotError> {
        self.keyed("SELECT host, id, json FROM views WHERE view = 'today'")
    }

    /// As [`Snapshots::all_glances`], of one project.
    pub fn glance(&self, key: &ProjectKey) -> Result<Option<Glance>, SnapshotError> {
        self.one(
            "SELECT json FROM views WHERE host = ?1 AND id = ?2 AND view = ?3",
            key,
            View::Today,
        )
    }

    /// Today's numbers of every project that has them.
    pub fn all_today(&self) -> Result<Vec<(ProjectKey, Today)>, SnapshotError> {
        self.keyed("SELECT host, id, json FROM views WHERE view = 'today'")
    }

    /// Why today's numbers of projects could not be refreshed.
    pub fn all_trouble(&self) -> Result<Vec<(ProjectKey, Trouble)>, SnapshotError> {
        self.keyed("SELECT host, id, json FROM troubles WHERE view = 'today'")
    }

    /// The Snapshot of one view of a project.
    pub fn view<T: Viewed>(
        &self,
        key: &ProjectKey,
        view: View,
    ) -> Result<Option<T>, SnapshotError> {
        self.one(
            "SELECT json FROM views WHERE host = ?1 AND id = ?2 AND view = ?3",
            key,
            view,
        )
    }

    /// Why a view of a project could not be refreshed, if that is so.
    pub fn trouble(&self, key: &ProjectKey, view: View) -> Result<Option<Trouble>, SnapshotError> {
        self.one(
            "SELECT json FROM troubles WHERE host = ?1 AND id = ?2 AND view = ?3",
            key,
            view,
        )
    }

    /// Does several writes as one, which takes the time of one and is either whole or not there.
    ///
    /// # Errors
    ///
    /// As `writes`, and where the whole cannot be written.
    pub fn together(
        &mut self,
        writes: impl FnOnce(&mut Self) -> Result<(), SnapshotError>,
    ) -> Result<(), SnapshotError> {
        let run = |this: &Self, statement| {
            let ran = this.database.execute_batch(statement);
            ran.map_err(|error| failed(&this.path, error))
        };
        run(self, "BEGIN IMMEDIATE")?;
        let written = writes(self).and_then(|()| run(self, "COMMIT"));
        if written.is_err() {
            run(self, "ROLLBACK").ok();
        }
        written
    }

    /// Stores fresh numbers and forgets the trouble there was. Older numbers never replace newer ones.
    pub fn put<T: Viewed>(&mut self, key: &ProjectKey, value: &T) -> Result<(), SnapshotError> {
        let name = value.view().name();
        let write = || -> rusqlite::Result<()> {
            self.database
                .prepare_cached(
                    "INSERT INTO views (host, id, view, measured_at, json) VALUES (?1, ?2, ?3, ?4, ?5) \
                     ON CONFLICT (host, id, view) DO UPDATE \
                     SET measured_at = excluded.measured_at, json = excluded.json \
                     WHERE excluded.measured_at >= measured_at",
                )?
                .execute(params![
                    key.host,
                    number(key.id),
                    name,
                    // Milliseconds: two reads within a second are told apart.
                    value.measured_at().as_millisecond(),
                    json(value)
                ])?;
            self.database
                .prepare_cached("DELETE FROM troubles WHERE host = ?1 AND id = ?2 AND view = ?3")?
                .execute(params![key.host, number(key.id), name])?;
            Ok(())
        };
        write().map_err(|error| failed(&self.path, error))
    }

    /// Notes why a view could not be refreshed; its last numbers stay.
    pub fn put_trouble(
        &mut self,
        key: &ProjectKey,
        view: View,
        trouble: &Trouble,
    ) -> Result<(), SnapshotError> {
        self.database
            .execute(
                "INSERT OR REPLACE INTO troubles (host, id, view, json) VALUES (?1, ?2, ?3, ?4)",
                params![key.host, number(key.id), view.name(), json(trouble)],
            )
            .map_err(|error| failed(&self.path, error))?;
        Ok(())
    }

    fn one<T: DeserializeOwned>(
        &self,
        statement: &str,
        key: &ProjectKey,
        view: View,
    ) -> Result<Option<T>, SnapshotError> {
        let read = || -> rusqlite::Result<Option<String>> {
            self.database
                .prepare_cached(statement)?
                .query_row(params![key.host, number(key.id), view.name()], |row| {
                    row.get(0)
                })
                .optional()
        };
        let found = read().map_err(|error| failed(&self.path, error))?;
        // A value of another version is as good as none.
        Ok(found.and_then(|json| serde_json::from_str(&json).ok()))
    }

    fn rows<T: DeserializeOwned, P: rusqlite::Params>(
        &self,
        statement: &str,
        parameters: P,
    ) -> Result<Vec<T>, SnapshotError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            self.database
                .prepare_cached(statement)?
                .query_map(parameters, |row| row.get(0))?
                .collect()
        };
        let rows = read().map_err(|error| failed(&self.path, error))?;
        Ok(rows
            .iter()
            .filter_map(|json| serde_json::from_str(json).ok())
            .collect())
    }

    fn keyed<T: DeserializeOwned>(
        &self,
        statement: &str,
    ) -> Result<Vec<(ProjectKey, T)>, SnapshotError> {
        let read = || -> rusqlite::Result<Vec<(String, i64, String)>> {
            self.database
                .prepare_cached(statement)?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        };
        let rows = read().map_err(|error| failed(&self.path, error))?;
        Ok(rows
            .into_iter()
            .filter_map(|(host, id, json)| {
                let id = u64::try_from(id).ok()?;
                Some((ProjectKey { host, id }, serde_json::from_str(&json).ok()?))
            })
            .collect())
    }
}

fn lay_out(database: &Database) -> rusqlite::Result<()> {
    database.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS projects (
             host TEXT NOT NULL, id INTEGER NOT NULL, connection TEXT NOT NULL,
             place TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (host, id)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS discoveries (
             connection TEXT PRIMARY KEY, found_at INTEGER NOT NULL, failures TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS views (
             host TEXT NOT NULL, id INTEGER NOT NULL, view TEXT NOT NULL,
             measured_at INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (host, id, view));
         CREATE TABLE IF NOT EXISTS troubles (
             host TEXT NOT NULL, id INTEGER NOT NULL, view TEXT NOT NULL, json TEXT NOT NULL,
             PRIMARY KEY (host, id, view));
         PRAGMA user_version = {VERSION};
         COMMIT;"
    ))
}

/// True where the file is no database of ours; false where the disk or another program is at fault.
fn is_broken(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => {
            matches!(failure.code, DatabaseCorrupt | NotADatabase)
        }
        _ => false,
    }
}

fn set_aside(path: &Path) -> PathBuf {
    let aside = path.with_extension(format!("set-aside-{}", Timestamp::now().as_second()));
    if let Err(error) = std::fs::rename(path, &aside) {
        tracing::warn!(path = %path.display(), %error, "the Snapshots could not be set aside");
    }
    for suffix in ["-wal", "-shm"] {
        let mut side = path.as_os_str().to_owned();
        side.push(suffix);
        // They belong to the file that was moved; usually there are none.
        std::fs::remove_file(side).ok();
    }
    aside
}

fn failed(path: &Path, source: rusqlite::Error) -> SnapshotError {
    SnapshotError {
        path: path.to_owned(),
        source,
    }
}

/// Project numbers are positive and far below `i64::MAX`.
fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use sign_in_with_posthog::{CredentialKind, Host, Region};

    #[cfg(unix)]
    #[test]
    fn other_users_cannot_look_into_the_folder() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        Snapshots::open(&cache.join("snapshots.sqlite")).unwrap();
        let mode = std::fs::metadata(&cache).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    fn connection() -> ConnectionId {
        ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::OAuth, "a")
    }

    fn project(id: u64) -> Project {
        Project {
            key: ProjectKey {
                host: "us".into(),
                id,
            },
            name: format!("Project {id}"),
            organization: None,
            organization_name: None,
            time_zone: "UTC".into(),
            has_events: None,
            website: None,
            connection: connection(),
        }
    }

    fn discovery(ids: &[u64], transient: Option<bool>) -> Discovery {
        Discovery {
            projects: ids.iter().copied().map(project).collect(),
            failures: transient
                .map(|transient| Failure {
                    what: "Organization A".into(),
                    reason: "busy".into(),
                    transient,
                    needs_sign_in: false,
                    cause: Cause::Busy,
                })
                .into_iter()
                .collect(),
        }
    }

    fn ids(snapshots: &Snapshots) -> Vec<u64> {
        snapshots
            .projects()
            .unwrap()
            .iter()
            .map(|project| project.key.id)
            .collect()
    }

    #[test]
    fn projects_beside_a_transient_failure_stay() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let put = |snapshots: &mut Snapshots, found| {
            snapshots
                .put_discovery(&connection(), &found, Timestamp::UNIX_EPOCH)
                .unwrap();
        };
        put(&mut snapshots, discovery(&[1, 2], None));
        put(&mut snapshots, discovery(&[2], Some(true)));
        assert_eq!(ids(&snapshots), [1, 2]);
        put(&mut snapshots, discovery(&[2], Some(false)));
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

    #[test]
    fn a_broken_database_is_set_aside_and_rebuilt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        std::fs::write(
            &path,
            "this is no database, however long it may be".repeat(50),
        )
        .unwrap();
        let snapshots = Snapshots::open(&path).unwrap();
        assert!(snapshots.set_aside().unwrap().exists());
        assert!(ids(&snapshots).is_empty());
    }

    #[test]
    fn a_reader_makes_no_database_and_shares_one_with_a_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/snapshots.sqlite");
        assert!(Snapshots::open_to_read(&path).unwrap().is_none());
        assert!(!path.exists());
        let mut writer = Snapshots::open(&path).unwrap();
        writer
            .put_discovery(&connection(), &discovery(&[1], None), Timestamp::UNIX_EPOCH)
            .unwrap();
        let mut reader = Snapshots::open_to_read(&path).unwrap().unwrap();
        assert_eq!(ids(&reader), [1]);
        assert!(reader.forget_connection(&connection()).is_err());
    }

    #[test]
    fn a_database_of_a_newer_version_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        Database::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", VERSION + 1)
            .unwrap();
        assert!(Snapshots::open(&path).unwrap().set_aside().is_some());
        assert!(Snapshots::open(&path).unwrap().set_aside().is_none());
    }

    #[test]
    fn of_writes_that_belong_together_all_are_there_or_none() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let breakdowns = Breakdowns {
            measured_at: Timestamp::UNIX_EPOCH,
            range: Range::Week,
            lists: vec![],
        };
        let stored = |snapshots: &Snapshots, id| {
            let view = View::Breakdowns(Range::Week);
            let found: Option<Breakdowns> = snapshots.view(&project(id).key, view).unwrap();
            found.is_some()
        };
        let broken = snapshots.together(|snapshots| {
            snapshots.put(&project(1).key, &breakdowns)?;
            Err(failed(Path::new("disk"), rusqlite::Error::InvalidQuery))
        });
        assert!(broken.is_err());
        assert!(!stored(&snapshots, 1));
        let sound = |snapshots: &mut Snapshots| {
            snapshots.put(&project(1).key, &breakdowns)?;
            snapshots.put(&project(2).key, &breakdowns)
        };
        snapshots.together(sound).unwrap();
        assert!(stored(&snapshots, 1) && stored(&snapshots, 2));
    }

    #[test]
    fn older_numbers_do_not_replace_newer_ones() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let key = project(1).key;
        let trouble = |at| Trouble {
            at,
            reason: "busy".into(),
            transient: true,
            cause: Cause::Busy,
            retry_at: None,
        };
        snapshots
            .put_trouble(&key, View::Today, &trouble(Timestamp::UNIX_EPOCH))
            .unwrap();
        let breakdowns = |seconds| Breakdowns {
            measured_at: Timestamp::from_second(seconds).unwrap(),
            range: Range::Week,
            lists: vec![],
        };
        snapshots.put(&key, &breakdowns(20)).unwrap();
        snapshots.put(&key, &breakdowns(10)).unwrap();
        let view = View::Breakdowns(Range::Week);
        let stored: Breakdowns = snapshots.view(&key, view).unwrap().unwrap();
        assert_eq!(stored.measured_at.as_second(), 20);
        assert!(snapshots.trouble(&key, View::Today).unwrap().is_some());
    }
}
