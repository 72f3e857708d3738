//! The events of one project in a database of its own, made at the first query.

use std::sync::{Arc, Mutex, PoisonError};

use hogql_sqlite::{Database, Query, QueryError, QueryResult};
use jiff::Timestamp;

use crate::region::events::{self, Event};
use crate::world::Project;

/// The events of one project.
#[derive(Debug)]
pub(crate) struct ProjectStore {
    pub(crate) project: Project,
    seed: u64,
    /// The instant around which events are invented.
    around: Timestamp,
    database: Mutex<Option<Arc<Database>>>,
}

impl ProjectStore {
    /// A project with events from `seed` around an instant.
    pub(crate) fn new(project: Project, seed: u64, around: Timestamp) -> Self {
        Self {
            project,
            seed,
            around,
            database: Mutex::new(None),
        }
    }

    /// The events, those that have not happened yet included. They are made again each time.
    pub(crate) fn events(&self) -> Vec<Event> {
        events::generate(&self.project, self.seed, self.around)
    }

    /// Runs a query.
    pub(crate) fn run(&self, query: &Query<'_>) -> Result<QueryResult, QueryError> {
        self.database()?.run(query)
    }

    /// The tables that a query reads, if it can be run.
    pub(crate) fn check(&self, query: &Query<'_>) -> Result<Vec<String>, QueryError> {
        self.database()?.check(query)
    }

    /// The events that have happened by `now`: name, first time, last time; by name.
    pub(crate) fn event_times(&self, now: i64) -> Result<Vec<(String, i64, i64)>, QueryError> {
        let text = "SELECT event, toUnixTimestamp(min(timestamp)), toUnixTimestamp(max(timestamp)) \
                    FROM events GROUP BY event ORDER BY event LIMIT 50000";
        let result = self.run(&Query::new(text).now(now))?;
        Ok(result
            .rows
            .iter()
            .filter_map(|row| {
                Some((
                    row.first()?.as_str()?.to_owned(),
                    row.get(1)?.as_i64()?,
                    row.get(2)?.as_i64()?,
                ))
            })
            .collect())
    }

    /// How many events there are.
    pub(crate) fn size(&self) -> Result<u64, QueryError> {
        Ok(self.database()?.event_count())
    }

    fn database(&self) -> Result<Arc<Database>, QueryError> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*database {
            return Ok(Arc::clone(known));
        }
        let project = hogql_sqlite::Project {
            id: self.project.id,
            time_zone: self.project.time_zone.clone(),
            website: self.project.website.clone(),
            test_account_filters: self.project.test_account_filters.clone(),
        };
        let made = Arc::new(Database::open(project, self.events())?);
        *database = Some(Arc::clone(&made));
        Ok(made)
    }
}
