//! The last numbers of each project, on disk, shared by app, widgets and command line.
//!
//! Everything in here can be asked for again, so a database that is broken or from an older version is
//! set aside and rebuilt, and one that cannot be written, or is from a newer version, is replaced by one in memory:
//! nothing that was read stays unseen because of a disk. Writers are short; a reader never waits for PostHog.
//!
//! | module | what it knows |
//! |---|---|
//! | `copy` | from one database into another, so that of everything the newer one stays |
//! | `database` | opening the file, in which way, and setting it aside |
//! | `store` | the database in use, and what becomes of it when it fails |
//! | `unkept` | why numbers are not kept, for people |
//! | `histories` | the closed days of each project |
//! | `judged` | what was judged of each project |
//! | `projects` | the projects of each Connection |

mod copy;
mod database;
mod histories;
mod judged;
mod open;
mod projects;
#[cfg(test)]
pub(crate) mod samples;
mod store;
mod unkept;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection as Database, OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sign_in_with_posthog::Connection;

use store::Store;

pub use database::{is_newer, set_aside_before};
pub use judged::KnownMarks;
pub use unkept::Unkept;

use crate::age;
use crate::annotations::Annotations;
use crate::causes::Explanation;
use crate::digest::{ClosedFigures, Span};
use crate::discovery::{Cause, Failure};
use crate::overview::{Breakdowns, Period, Range, Today, TodaySummary};
use crate::project::ProjectKey;

/// Why Snapshots could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct SnapshotError {
    path: PathBuf,
    source: rusqlite::Error,
}

/// Stores numbers unless there are newer ones. The sixth parameter is [`age::latest`]: what is measured later than
/// that is of unknown age, and counts as the oldest.
const PUT_VIEW: &str = "INSERT INTO views (host, id, view, measured_at, json) VALUES (?1, ?2, ?3, ?4, ?5) \
     ON CONFLICT (host, id, view) DO UPDATE \
     SET measured_at = excluded.measured_at, json = excluded.json \
     WHERE measured_at > ?6 OR (excluded.measured_at >= measured_at AND excluded.measured_at <= ?6)";

/// How often work is done again, each time on another database: a new file, then memory.
const MOST_TRIES: u32 = 3;

/// The Snapshot database.
#[derive(Debug)]
pub struct Snapshots {
    store: RefCell<Store>,
    path: PathBuf,
    /// True inside [`Snapshots::together`], which does all of it again if one write fails.
    together: Cell<bool>,
}

/// Tells whether anything was written since it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    others: i64,
    own: u64,
    generation: u64,
}

impl Stamp {
    /// True if another program has written since `earlier`.
    pub(crate) fn others_wrote_since(self, earlier: Self) -> bool {
        (self.others, self.generation) != (earlier.others, earlier.generation)
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

impl KnownDiscovery {
    /// True if it was found before this sign-in, which may reach something else, or by a clock that was ahead.
    pub fn is_before(&self, connection: &Connection) -> bool {
        let refused = self.failures.iter().any(|failure| failure.needs_sign_in);
        is_before(self.found_at, refused, connection)
    }
}

/// Why a view of a project could not be refreshed the last time it was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// One sentence.
    pub reason: String,
    /// Whether a retry can succeed.
    pub transient: bool,
    /// What kind of trouble it is.
    #[serde(default)]
    pub cause: Cause,
    /// Do not retry before this instant (from `Retry-After`, if PostHog sent one).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

impl Trouble {
    /// True if it was met before this sign-in, which may be allowed more, or by a clock that was ahead.
    pub fn is_before(&self, connection: &Connection) -> bool {
        is_before(self.at, self.cause == Cause::SignedOut, connection)
    }
}

/// A sign-in is noted to the second. What ended within the same one was another, as this one has not ended.
/// If the clock went back behind the sign-in, everything new would seem older than it.
fn is_before(at: Timestamp, signed_out: bool, connection: &Connection) -> bool {
    let now = Timestamp::now();
    if age::trusted(at, now).is_none() {
        return true;
    }
    let (at, signed_in_at) = (at.as_second(), connection.signed_in_at);
    if signed_in_at > age::latest(now).as_second() {
        return false;
    }
    at < signed_in_at || (at == signed_in_at && signed_out)
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
    /// [`Annotations`].
    Annotations,
    /// [`History`](crate::history::History), which has a table of its own.
    History,
    /// [`Explanation`].
    Causes,
    /// [`ClosedFigures`].
    Digest(Span),
}

impl View {
    fn name(self) -> String {
        match self {
            Self::Today => "today".to_owned(),
            Self::Period(range) => format!("period {}", range.name()),
            Self::Breakdowns(range) => format!("breakdowns {}", range.name()),
            Self::Annotations => "notes".to_owned(),
            Self::History => "history".to_owned(),
            Self::Causes => "causes".to_owned(),
            Self::Digest(span) => format!("digest {}", span.name()),
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

impl Viewed for Explanation {
    fn measured_at(&self) -> Timestamp {
        self.measured_at
    }

    fn view(&self) -> View {
        View::Causes
    }
}

impl Viewed for ClosedFigures {
    fn measured_at(&self) -> Timestamp {
        self.measured_at
    }

    fn view(&self) -> View {
        View::Digest(self.stretch.span)
    }
}

impl Viewed for Annotations {
    fn measured_at(&self) -> Timestamp {
        self.measured_at
    }

    fn view(&self) -> View {
        View::Annotations
    }
}

impl Snapshots {
    fn of(path: &Path, store: rusqlite::Result<Store>) -> Result<Self, SnapshotError> {
        Ok(Self {
            store: RefCell::new(store.map_err(|error| failed(path, error))?),
            path: path.to_owned(),
            together: Cell::new(false),
        })
    }

    /// Does `work`, again and on another database if this one turns out to be broken or cannot be used.
    fn run<T>(&self, work: impl Fn(&Database) -> rusqlite::Result<T>) -> Result<T, SnapshotError> {
        for _ in 1..MOST_TRIES {
            let done = work(&self.store.borrow().database);
            match done {
                Err(error) if !self.together.get() && self.recover(&error) => {}
                done => return done.map_err(|error| failed(&self.path, error)),
            }
        }
        work(&self.store.borrow().database).map_err(|error| failed(&self.path, error))
    }

    fn recover(&self, error: &rusqlite::Error) -> bool {
        self.store.borrow_mut().recover(&self.path, error)
    }

    /// Why numbers are not kept on this device, if they are not.
    pub fn unkept(&self) -> Option<Unkept> {
        self.store.borrow().unkept().cloned()
    }

    /// Where a database that could not be used was moved to.
    pub fn set_aside(&self) -> Option<PathBuf> {
        let store = self.store.borrow();
        store.aside.as_ref().map(|aside| aside.to.clone())
    }

    /// What a person has to know about how numbers are kept, in sentences; most often nothing.
    pub fn remarks(&self) -> Vec<String> {
        let store = self.store.borrow();
        let aside = store.aside.as_ref().map(|aside| {
            format!(
                "the stored numbers in {} could not be used ({}) and were set aside as {}, which can be \
                 deleted; they are being read from PostHog again",
                self.path.display(),
                aside.why,
                aside.to.display()
            )
        });
        let unkept = store.unkept().map(ToString::to_string);
        aside.into_iter().chain(unkept).collect()
    }

    fn met_broken(&self) -> bool {
        self.store.borrow().met_broken()
    }

    /// Changes whenever anything was written, by this program or another one, and when there is another database.
    /// Cheap to ask. Goes on with a file that another program has put in place, and back to the disk if that
    /// can be used again.
    pub fn stamp(&self) -> Result<Stamp, SnapshotError> {
        if !self.together.get() {
            self.store.borrow_mut().follow(&self.path);
        }
        let others = self
            .run(|database| database.pragma_query_value(None, "data_version", |row| row.get(0)))?;
        let store = self.store.borrow();
        Ok(Stamp {
            others,
            own: store.database.total_changes(),
            generation: store.generation,
        })
    }

    /// The time at which today's numbers of each project were measured, in seconds: shows which have changed without
    /// reading them.
    pub(crate) fn all_today_stamps(&self) -> Result<Vec<(ProjectKey, i64)>, SnapshotError> {
        self.stamps("today")
    }

    /// The same for what made projects move.
    pub fn all_explained_stamps(&self) -> Result<Vec<(ProjectKey, i64)>, SnapshotError> {
        self.stamps(&View::Causes.name())
    }

    /// The same for annotations.
    pub(crate) fn all_noted_stamps(&self) -> Result<Vec<(ProjectKey, i64)>, SnapshotError> {
        self.stamps(&View::Annotations.name())
    }

    fn stamps(&self, view: &str) -> Result<Vec<(ProjectKey, i64)>, SnapshotError> {
        let rows = self.run(|database| {
            database
                .prepare_cached("SELECT host, id, measured_at FROM views WHERE view = ?1")?
                .query_map([view], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get(2)?))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(rows
            .into_iter()
            .filter_map(|(host, id, measured_at)| {
                let id = u64::try_from(id).ok()?;
                Some((ProjectKey { host, id }, measured_at))
            })
            .collect())
    }

    /// Today's numbers of every project that has them, as far as the home screen shows them.
    pub fn all_today_summaries(&self) -> Result<Vec<(ProjectKey, TodaySummary)>, SnapshotError> {
        self.keyed("SELECT host, id, json FROM views WHERE view = 'today'")
    }

    /// As [`Snapshots::all_today_summaries`], of one project.
    pub fn today_summary(&self, key: &ProjectKey) -> Result<Option<TodaySummary>, SnapshotError> {
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
    pub(crate) fn all_trouble(&self) -> Result<Vec<(ProjectKey, Trouble)>, SnapshotError> {
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
    /// As `writes`, and if the whole cannot be written.
    pub fn together(
        &mut self,
        writes: impl Fn(&mut Self) -> Result<(), SnapshotError>,
    ) -> Result<(), SnapshotError> {
        for _ in 1..MOST_TRIES {
            match self.once_together(&writes) {
                Err(error) if self.recover(&error.source) => {}
                done => return done,
            }
        }
        self.once_together(&writes)
    }

    fn once_together(
        &mut self,
        writes: impl Fn(&mut Self) -> Result<(), SnapshotError>,
    ) -> Result<(), SnapshotError> {
        let run = |this: &Self, statement| this.run(|database| database.execute_batch(statement));
        self.together.set(true);
        let written = run(self, "BEGIN IMMEDIATE")
            .and_then(|()| writes(self))
            .and_then(|()| run(self, "COMMIT"));
        if written.is_err() {
            run(self, "ROLLBACK").ok();
        }
        self.together.set(false);
        written
    }

    /// Stores fresh numbers and forgets the trouble there was. Older numbers never replace newer ones, but for
    /// those of a clock that was ahead: their age is unknown.
    pub fn put<T: Viewed>(&mut self, key: &ProjectKey, value: &T) -> Result<(), SnapshotError> {
        let name = value.view().name();
        let json = json(value);
        let latest = age::latest(Timestamp::now()).as_millisecond();
        self.run(|database| {
            database.prepare_cached(PUT_VIEW)?.execute(params![
                key.host,
                number(key.id),
                name,
                // Milliseconds: two reads within a second are distinguished.
                value.measured_at().as_millisecond(),
                json,
                latest
            ])?;
            database
                .prepare_cached("DELETE FROM troubles WHERE host = ?1 AND id = ?2 AND view = ?3")?
                .execute(params![key.host, number(key.id), name])?;
            Ok(())
        })
    }

    /// Notes why a view could not be refreshed; its last numbers stay.
    pub fn put_trouble(
        &mut self,
        key: &ProjectKey,
        view: View,
        trouble: &Trouble,
    ) -> Result<(), SnapshotError> {
        self.run(|database| {
            database.execute(
                "INSERT OR REPLACE INTO troubles (host, id, view, json) VALUES (?1, ?2, ?3, ?4)",
                params![key.host, number(key.id), view.name(), json(trouble)],
            )
        })?;
        Ok(())
    }

    /// Writes what is there already, to find out whether it could be written: [`Snapshots::unkept`] tells.
    ///
    /// # Errors
    ///
    /// The database in memory cannot be used.
    pub fn try_to_write(&mut self) -> Result<(), SnapshotError> {
        let version = |database: &Database| -> rusqlite::Result<()> {
            let version: i64 =
                database.pragma_query_value(None, "user_version", |row| row.get(0))?;
            database.pragma_update(None, "user_version", version)
        };
        self.together(|this| this.run(version))
    }

    fn one<T: DeserializeOwned>(
        &self,
        statement: &str,
        key: &ProjectKey,
        view: View,
    ) -> Result<Option<T>, SnapshotError> {
        let found = self.run(|database| {
            database
                .prepare_cached(statement)?
                .query_row(params![key.host, number(key.id), view.name()], |row| {
                    row.get::<_, String>(0)
                })
                .optional()
        })?;
        // A value of another version is as good as none.
        Ok(found.and_then(|json| serde_json::from_str(&json).ok()))
    }

    fn rows<T: DeserializeOwned, P: rusqlite::Params + Copy>(
        &self,
        statement: &str,
        parameters: P,
    ) -> Result<Vec<T>, SnapshotError> {
        let rows = self.run(|database| {
            database
                .prepare_cached(statement)?
                .query_map(parameters, |row| row.get::<_, String>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(rows
            .iter()
            .filter_map(|json| serde_json::from_str(json).ok())
            .collect())
    }

    fn keyed<T: DeserializeOwned>(
        &self,
        statement: &str,
    ) -> Result<Vec<(ProjectKey, T)>, SnapshotError> {
        let rows = self.run(|database| {
            database
                .prepare_cached(statement)?
                .query_map([], |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, String>(2)?,
                    ))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(rows
            .into_iter()
            .filter_map(|(host, id, json)| {
                let id = u64::try_from(id).ok()?;
                Some((ProjectKey { host, id }, serde_json::from_str(&json).ok()?))
            })
            .collect())
    }
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
    use super::samples::{breakdowns_at, project};
    use super::*;

    #[test]
    fn of_writes_that_belong_together_all_are_there_or_none() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let breakdowns = Breakdowns {
            measured_at: Timestamp::UNIX_EPOCH,
            range: Range::Week,
            lists: vec![],
            left_out: crate::overview::LeftOut::default(),
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
    fn numbers_of_a_clock_that_was_ahead_are_replaced() {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let key = project(1).key;
        let hour = std::time::Duration::from_secs(3600);
        let now = Timestamp::now();
        let stored = |snapshots: &Snapshots| {
            let view = View::Breakdowns(Range::Week);
            let stored: Breakdowns = snapshots.view(&key, view).unwrap().unwrap();
            stored.measured_at
        };
        snapshots.put(&key, &breakdowns_at(now + hour)).unwrap();
        snapshots.put(&key, &breakdowns_at(now)).unwrap();
        assert_eq!(stored(&snapshots), now);
        // What was asked before the clock went back comes in after it.
        snapshots.put(&key, &breakdowns_at(now + hour)).unwrap();
        assert_eq!(stored(&snapshots), now);
    }

    #[test]
    fn what_a_clock_that_was_ahead_noted_was_before_every_sign_in() {
        let now = Timestamp::now();
        let mut connection = samples::signed_in_at(now.as_second() - 60);
        let hour = std::time::Duration::from_secs(3600);
        let list = |found_at| KnownDiscovery {
            found_at,
            failures: Vec::new(),
        };
        assert!(!list(now).is_before(&connection));
        assert!(list(now + hour).is_before(&connection));
        // The sign-in itself was noted by that clock: what is found now is after it.
        connection.signed_in_at += 7200;
        assert!(!list(now).is_before(&connection));
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
            left_out: crate::overview::LeftOut::default(),
        };
        snapshots.put(&key, &breakdowns(20)).unwrap();
        snapshots.put(&key, &breakdowns(10)).unwrap();
        let view = View::Breakdowns(Range::Week);
        let stored: Breakdowns = snapshots.view(&key, view).unwrap().unwrap();
        assert_eq!(stored.measured_at.as_second(), 20);
        assert!(snapshots.trouble(&key, View::Today).unwrap().is_some());
    }
}
