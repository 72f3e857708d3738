//! What was judged of each project, and the marks of its closed days.
//!
//! Both are kept beside the views, under names that an older program does not ask for. What was judged is a result of what
//! else is stored, so what was judged last is right, whatever the clock says.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{SnapshotError, Snapshots, json, number};
use crate::moves::{Judged, Marks};
use crate::overview::Asked;
use crate::project::ProjectKey;

const JUDGED: &str = "judged";
const MARKS: &str = "marks";

/// The marks of the closed days of a project, and for which reading of its History they were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMarks {
    /// [`History::measured_at`](crate::history::History::measured_at).
    pub measured_at: Timestamp,
    /// What the closed days were asked for with.
    pub asked: Asked,
    /// The marks.
    pub marks: Marks,
}

impl Snapshots {
    /// What was judged of a project.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read.
    pub fn judged(&self, key: &ProjectKey) -> Result<Option<Judged>, SnapshotError> {
        self.kept(key, JUDGED)
    }

    /// Replaces what was judged of a project.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be written.
    pub(crate) fn put_judged(
        &mut self,
        key: &ProjectKey,
        judged: &Judged,
    ) -> Result<(), SnapshotError> {
        self.keep(key, JUDGED, judged)
    }

    /// When each project was judged, in milliseconds: shows which have changed without reading them.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read.
    pub(crate) fn all_judged_stamps(&self) -> Result<Vec<(ProjectKey, i64)>, SnapshotError> {
        self.stamps(JUDGED)
    }

    /// The marks of the closed days of a project.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read.
    pub fn marks(&self, key: &ProjectKey) -> Result<Option<KnownMarks>, SnapshotError> {
        self.kept(key, MARKS)
    }

    /// Replaces the marks of the closed days of a project.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be written.
    pub(crate) fn put_marks(
        &mut self,
        key: &ProjectKey,
        marks: &KnownMarks,
    ) -> Result<(), SnapshotError> {
        self.keep(key, MARKS, marks)
    }

    fn kept<T: DeserializeOwned>(
        &self,
        key: &ProjectKey,
        name: &str,
    ) -> Result<Option<T>, SnapshotError> {
        let found = self.run(|database| {
            database
                .prepare_cached("SELECT json FROM views WHERE host = ?1 AND id = ?2 AND view = ?3")?
                .query_row(params![key.host, number(key.id), name], |row| {
                    row.get::<_, String>(0)
                })
                .optional()
        })?;
        // A value of another version is as good as none.
        Ok(found.and_then(|json| serde_json::from_str(&json).ok()))
    }

    fn keep<T: Serialize>(
        &mut self,
        key: &ProjectKey,
        name: &str,
        value: &T,
    ) -> Result<(), SnapshotError> {
        let json = json(value);
        let now = Timestamp::now().as_millisecond();
        self.run(|database| {
            database
                .prepare_cached(
                    "INSERT OR REPLACE INTO views (host, id, view, measured_at, json) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![key.host, number(key.id), name, now, json])?;
            Ok(())
        })
    }
}
