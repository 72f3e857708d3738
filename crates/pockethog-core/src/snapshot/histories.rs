//! The closed days of each project.
//!
//! They have a table of their own, which an older program leaves alone and a newer one adds to a database that lacks
//! it: both can use the same file. A History that cannot be read is set aside in its row and is read again.

use jiff::Timestamp;
use rusqlite::{Connection as Database, OptionalExtension, params};

use super::{SnapshotError, Snapshots, View, json, number};
use crate::age;
use crate::history::{Asked, History, Known};
use crate::project::ProjectKey;

/// Adds the table, if there is none.
pub(super) fn lay_out(database: &Database) -> rusqlite::Result<()> {
    if is_there(database)? {
        return Ok(());
    }
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS histories (
             host TEXT NOT NULL, id INTEGER NOT NULL, asked TEXT NOT NULL,
             measured_at INTEGER NOT NULL, all_measured_at INTEGER NOT NULL,
             ended_at INTEGER, limited_to INTEGER, days BLOB, set_aside BLOB,
             PRIMARY KEY (host, id));",
    )
}

/// A database of an older program, which is only looked at, has none.
pub(super) fn is_there(database: &Database) -> rusqlite::Result<bool> {
    database
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'histories')",
        )?
        .query_row([], |row| row.get(0))
}

/// Stores days unless there are newer ones; see `PUT_VIEW`.
pub(super) const PUT: &str = "INSERT INTO histories \
     (host, id, asked, measured_at, all_measured_at, ended_at, limited_to, days) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (host, id) DO UPDATE \
     SET asked = excluded.asked, measured_at = excluded.measured_at, \
     all_measured_at = excluded.all_measured_at, ended_at = excluded.ended_at, \
     limited_to = excluded.limited_to, days = excluded.days, set_aside = NULL \
     WHERE days IS NULL OR measured_at > ?9 \
     OR (excluded.measured_at >= measured_at AND excluded.measured_at <= ?9)";

impl Snapshots {
    /// What is known of a project's History without reading it.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read.
    pub fn known_history(&self, key: &ProjectKey) -> Result<Option<Known>, SnapshotError> {
        let found = self.run(|database| {
            if !is_there(database)? {
                return Ok(None);
            }
            database
                .prepare_cached(
                    "SELECT asked, measured_at, all_measured_at, ended_at, limited_to FROM histories \
                     WHERE host = ?1 AND id = ?2 AND days IS NOT NULL",
                )?
                .query_row(params![key.host, number(key.id)], |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, i64>(2)?,
                        row.get::<_, Option<i64>>(3)?,
                        row.get::<_, Option<i64>>(4)?,
                    ))
                })
                .optional()
        })?;
        let known = |(asked, measured_at, all_measured_at, ended_at, limited_to)| {
            let asked: String = asked;
            let asked: Asked = serde_json::from_str(&asked).ok()?;
            Some(Known {
                asked,
                measured_at: Timestamp::from_millisecond(measured_at).ok()?,
                all_measured_at: Timestamp::from_millisecond(all_measured_at).ok()?,
                ended_at: Option::<i64>::and_then(ended_at, |at| Timestamp::from_second(at).ok()),
                limited_to: Option::<i64>::and_then(limited_to, |days| usize::try_from(days).ok()),
            })
        };
        Ok(found.and_then(known))
    }

    /// The closed days of a project, as far as they were read.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read.
    pub fn history(&self, key: &ProjectKey) -> Result<Option<History>, SnapshotError> {
        let bytes = self.run(|database| {
            if !is_there(database)? {
                return Ok(None);
            }
            database
                .prepare_cached("SELECT days FROM histories WHERE host = ?1 AND id = ?2")?
                .query_row(params![key.host, number(key.id)], |row| {
                    row.get::<_, Option<Vec<u8>>>(0)
                })
                .optional()
        })?;
        let Some(bytes) = bytes.flatten() else {
            return Ok(None);
        };
        match History::from_bytes(&bytes) {
            Ok(history) => Ok(Some(history)),
            Err(error) => {
                tracing::warn!(project = %key, %error, "a history cannot be read and is set aside");
                // Who only looks cannot; whoever reads it again does.
                self.set_history_aside(key).ok();
                Ok(None)
            }
        }
    }

    fn set_history_aside(&self, key: &ProjectKey) -> Result<(), SnapshotError> {
        self.run(|database| {
            database.execute(
                "UPDATE histories SET set_aside = days, days = NULL WHERE host = ?1 AND id = ?2",
                params![key.host, number(key.id)],
            )
        })?;
        Ok(())
    }

    /// Stores the closed days of a project and forgets the trouble there was. Older ones never replace newer ones,
    /// but for those of a clock that was ahead.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be written.
    pub(crate) fn put_history(
        &mut self,
        key: &ProjectKey,
        history: &History,
    ) -> Result<(), SnapshotError> {
        let bytes = match history.to_bytes() {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(project = %key, %error, "a history cannot be kept");
                return Ok(());
            }
        };
        let known = history.known();
        let latest = age::latest(Timestamp::now()).as_millisecond();
        self.run(|database| {
            database.prepare_cached(PUT)?.execute(params![
                key.host,
                number(key.id),
                json(&known.asked),
                known.measured_at.as_millisecond(),
                known.all_measured_at.as_millisecond(),
                known.ended_at.map(Timestamp::as_second),
                known.limited_to.and_then(|days| i64::try_from(days).ok()),
                bytes,
                latest,
            ])?;
            database
                .prepare_cached("DELETE FROM troubles WHERE host = ?1 AND id = ?2 AND view = ?3")?
                .execute(params![key.host, number(key.id), View::History.name()])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::ToSpan as _;

    use super::super::samples::{breakdowns_at, connection, discovery, history, ids, project};
    use super::*;

    fn now() -> Timestamp {
        let now = Timestamp::now().as_millisecond();
        Timestamp::from_millisecond(now).unwrap()
    }

    #[test]
    fn a_history_is_kept_and_its_summary_is_that_of_the_whole() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let key = project(1).key;
        assert_eq!(snapshots.history(&key).unwrap(), None);
        let kept = history(now());
        snapshots.put_history(&key, &kept).unwrap();
        assert_eq!(snapshots.history(&key).unwrap().as_ref(), Some(&kept));
        assert_eq!(snapshots.known_history(&key).unwrap(), Some(kept.known()));
        let older = history(now() - 60.minutes());
        snapshots.put_history(&key, &older).unwrap();
        assert_eq!(snapshots.history(&key).unwrap(), Some(kept));
    }

    #[test]
    fn a_history_of_a_clock_that_was_ahead_is_replaced() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let key = project(1).key;
        let kept = history(now());
        snapshots
            .put_history(&key, &history(now() + 60.minutes()))
            .unwrap();
        snapshots.put_history(&key, &kept).unwrap();
        assert_eq!(snapshots.history(&key).unwrap(), Some(kept));
    }

    #[test]
    fn a_damaged_history_is_set_aside_and_due_again() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let key = project(1).key;
        let kept = history(now());
        let whole = kept.to_bytes().unwrap();
        for place in [0, whole.len() / 2, whole.len() - 3] {
            snapshots.put_history(&key, &kept).unwrap();
            let mut broken = whole.clone();
            broken[place] ^= 0x10;
            snapshots
                .run(|database| database.execute("UPDATE histories SET days = ?1", [&broken]))
                .unwrap();
            assert_eq!(snapshots.history(&key).unwrap(), None, "byte {place}");
            assert_eq!(snapshots.known_history(&key).unwrap(), None);
            let aside: Vec<u8> = snapshots
                .run(|database| {
                    database.query_row("SELECT set_aside FROM histories", [], |row| row.get(0))
                })
                .unwrap();
            assert_eq!(aside, broken);
        }
        // The newest days of the one that was damaged do not keep the new one out.
        let again = history(now() - 60.minutes());
        snapshots.put_history(&key, &again).unwrap();
        assert_eq!(snapshots.history(&key).unwrap(), Some(again));
    }

    /// A database as a program without histories makes it.
    fn of_an_older_program(path: &std::path::Path) {
        let mut snapshots = Snapshots::open(path).unwrap();
        let found = discovery(&[1], None);
        snapshots
            .put_discovery(&connection(), &found, Timestamp::UNIX_EPOCH)
            .unwrap();
        snapshots
            .run(|database| database.execute_batch("DROP TABLE histories"))
            .unwrap();
    }

    #[test]
    fn a_database_of_an_older_program_goes_on_and_gets_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        of_an_older_program(&path);
        let key = project(1).key;
        let seen = Snapshots::look(&path, |found| {
            let found = found.unwrap();
            (
                ids(found),
                found.history(&key).unwrap(),
                found.known_history(&key).unwrap(),
            )
        });
        assert_eq!(seen, (vec![1], None, None));
        let kept = history(now());
        let mut snapshots = Snapshots::open(&path).unwrap();
        assert_eq!((ids(&snapshots), snapshots.set_aside()), (vec![1], None));
        snapshots.put_history(&key, &kept).unwrap();
        drop(snapshots);
        let seen = Snapshots::look(&path, |found| found.unwrap().history(&key).unwrap());
        assert_eq!(seen, Some(kept));
    }

    #[test]
    fn an_older_program_opens_a_database_with_histories_and_leaves_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshots.sqlite");
        let key = project(1).key;
        let kept = history(now());
        let mut snapshots = Snapshots::open(&path).unwrap();
        snapshots.put_history(&key, &kept).unwrap();
        drop(snapshots);
        // What the older program looks at and does: the version of the layout, and its own tables.
        let older = Database::open(&path).unwrap();
        let version: i64 = older
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, 1);
        older
            .execute(
                "INSERT INTO views (host, id, view, measured_at, json) VALUES ('us', 1, 'today', 1, '{}')",
                [],
            )
            .unwrap();
        drop(older);
        let mut snapshots = Snapshots::open(&path).unwrap();
        assert_eq!(snapshots.set_aside(), None);
        assert_eq!(snapshots.history(&key).unwrap(), Some(kept));
        snapshots.put(&key, &breakdowns_at(now())).unwrap();
    }
}
