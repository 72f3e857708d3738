//! Copying one database into another: from disk to memory if the disk cannot be used, and back once it can.
//!
//! Other programs may have written to the disk in the meantime, so of everything the newer one stays.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection as Database, OptionalExtension, Row, params};

use super::{PUT_VIEW, Trouble, histories};
use crate::age;
use crate::discovery::Failure;

/// Copies every row that can be read, unless `to` has something newer.
///
/// # Errors
///
/// `to` cannot be written.
pub(super) fn copy(from: &Database, to: &Database) -> rusqlite::Result<()> {
    let transaction = to.unchecked_transaction()?;
    let now = Timestamp::now();
    copy_lists(from, &transaction, now)?;
    copy_views(from, &transaction, now)?;
    copy_histories(from, &transaction, now)?;
    copy_troubles(from, &transaction, now)?;
    transaction.commit()
}

/// A stored list of projects: when it was found, in seconds, and what could not be read.
type List = (i64, String);

/// What Discovery found for a Connection, and its projects. Projects go with the newer list; which one that is
/// is decided for all before any is written.
fn copy_lists(from: &Database, to: &Database, now: Timestamp) -> rusqlite::Result<()> {
    let (theirs, ours) = (lists(from), lists(to));
    let found_at = |(second, _): &List| age::trusted(Timestamp::from_second(*second).ok()?, now);
    let is_newer = |connection: &str| match (theirs.get(connection), ours.get(connection)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(their), Some(our)) => found_at(their) > found_at(our),
    };
    let newer = || theirs.iter().filter(|(connection, _)| is_newer(connection));
    for (connection, (_, failures)) in newer() {
        let failures: Option<Vec<Failure>> = serde_json::from_str(failures).ok();
        if failures.is_some_and(|failures| failures.is_empty()) {
            // The list was read as a whole.
            to.execute("DELETE FROM projects WHERE connection = ?1", [connection])?;
        }
    }
    // A project of another Connection stays there if that one's list, which is in `to` still, is newer.
    let mut put = to.prepare(
        "INSERT INTO projects (host, id, connection, place, json) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (host, id) DO UPDATE \
         SET connection = excluded.connection, place = excluded.place, json = excluded.json \
         WHERE connection = excluded.connection OR NOT EXISTS (\
             SELECT 1 FROM discoveries WHERE discoveries.connection = projects.connection \
             AND discoveries.found_at > ?6 AND discoveries.found_at <= ?7)",
    )?;
    let latest = age::latest(now).as_second();
    each(
        from,
        "SELECT host, id, connection, place, json FROM projects",
        |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, String>(3)?,
                row.get::<_, String>(4)?,
            ))
        },
        |(host, id, connection, place, json)| {
            if is_newer(&connection) {
                let found_at = theirs.get(&connection).and_then(found_at);
                let second = found_at.map_or(i64::MIN, Timestamp::as_second);
                put.execute(params![host, id, connection, place, json, second, latest])?;
            }
            Ok(())
        },
    )?;
    let mut put = to.prepare(
        "INSERT OR REPLACE INTO discoveries (connection, found_at, failures) VALUES (?1, ?2, ?3)",
    )?;
    for (connection, (second, failures)) in newer() {
        put.execute(params![connection, second, failures])?;
    }
    Ok(())
}

/// The lists of projects that can be read, by Connection.
fn lists(database: &Database) -> HashMap<String, List> {
    let mut lists = HashMap::new();
    let statement = "SELECT connection, found_at, failures FROM discoveries";
    let list = |row: &Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
    // What cannot be read is not there.
    each(database, statement, list, |(connection, list)| {
        lists.insert(connection, list);
        Ok(())
    })
    .ok();
    lists
}

/// Numbers. They end the trouble that was before them.
fn copy_views(from: &Database, to: &Database, now: Timestamp) -> rusqlite::Result<()> {
    let mut put = to.prepare(PUT_VIEW)?;
    let mut delete =
        to.prepare("DELETE FROM troubles WHERE host = ?1 AND id = ?2 AND view = ?3")?;
    let latest = age::latest(now).as_millisecond();
    each(
        from,
        "SELECT host, id, view, measured_at, json FROM views",
        |row| {
            Ok((
                row_key(row)?,
                row.get::<_, i64>(3)?,
                row.get::<_, String>(4)?,
            ))
        },
        |(key, measured_at, json)| {
            let (host, id, view) = &key;
            let written = put.execute(params![host, id, view, measured_at, json, latest])?;
            if written > 0
                && let Some(trouble) = trouble(to, &key)?
                && age::trusted(trouble.at, now) <= instant(measured_at, now)
            {
                delete.execute(params![host, id, view])?;
            }
            Ok(())
        },
    )
}

/// Closed days.
fn copy_histories(from: &Database, to: &Database, now: Timestamp) -> rusqlite::Result<()> {
    histories::lay_out(to)?;
    let mut put = to.prepare(histories::PUT)?;
    let latest = age::latest(now).as_millisecond();
    // An older program's database has none.
    each(
        from,
        "SELECT host, id, asked, measured_at, all_measured_at, ended_at, limited_to, days \
         FROM histories WHERE days IS NOT NULL",
        |row| {
            Ok((
                (row.get::<_, String>(0)?, row.get::<_, i64>(1)?),
                (row.get::<_, String>(2)?, row.get::<_, i64>(3)?),
                (row.get::<_, i64>(4)?, row.get::<_, Option<i64>>(5)?),
                (row.get::<_, Option<i64>>(6)?, row.get::<_, Vec<u8>>(7)?),
            ))
        },
        |((host, id), (asked, measured_at), (all_measured_at, ended_at), (limited_to, days))| {
            put.execute(params![
                host,
                id,
                asked,
                measured_at,
                all_measured_at,
                ended_at,
                limited_to,
                days,
                latest
            ])?;
            Ok(())
        },
    )
}

/// Why numbers could not be read, unless they were read after that.
fn copy_troubles(from: &Database, to: &Database, now: Timestamp) -> rusqlite::Result<()> {
    let mut put = to.prepare(
        "INSERT OR REPLACE INTO troubles (host, id, view, json) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut measured =
        to.prepare("SELECT measured_at FROM views WHERE host = ?1 AND id = ?2 AND view = ?3")?;
    each(
        from,
        "SELECT host, id, view, json FROM troubles",
        |row| Ok((row_key(row)?, row.get::<_, String>(3)?)),
        |(key, json)| {
            let (host, id, view) = &key;
            let Ok(their) = serde_json::from_str::<Trouble>(&json) else {
                return Ok(());
            };
            let at = age::trusted(their.at, now);
            let measured: Option<i64> = measured
                .query_row(params![host, id, view], |row| row.get(0))
                .optional()?;
            let is_over = measured.is_some_and(|measured| at < instant(measured, now));
            let is_known = trouble(to, &key)?.is_some_and(|our| at <= age::trusted(our.at, now));
            if !is_over && !is_known {
                put.execute(params![host, id, view, json])?;
            }
            Ok(())
        },
    )
}

/// Host, number and view.
type Key = (String, i64, String);

fn row_key(row: &Row<'_>) -> rusqlite::Result<Key> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// The trouble of a view. One of another version is as good as none.
fn trouble(database: &Database, (host, id, view): &Key) -> rusqlite::Result<Option<Trouble>> {
    let found: Option<String> = database
        .prepare_cached("SELECT json FROM troubles WHERE host = ?1 AND id = ?2 AND view = ?3")?
        .query_row(params![host, id, view], |row| row.get(0))
        .optional()?;
    Ok(found.and_then(|json| serde_json::from_str(&json).ok()))
}

fn instant(millisecond: i64, now: Timestamp) -> Option<Timestamp> {
    age::trusted(Timestamp::from_millisecond(millisecond).ok()?, now)
}

/// Does `act` with each row that can be read: of a damaged file that is not all of them.
fn each<T>(
    database: &Database,
    statement: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    mut act: impl FnMut(T) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let Ok(mut statement) = database.prepare(statement) else {
        return Ok(());
    };
    let Ok(mut rows) = statement.query([]) else {
        return Ok(());
    };
    while let Ok(Some(row)) = rows.next() {
        if let Ok(found) = read(row) {
            act(found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::super::samples::{breakdowns_at, connection, discovery, ids, project};
    use super::super::{Breakdowns, Range, Snapshots, View};
    use super::*;
    use crate::discovery::Cause;

    const VIEW: View = View::Breakdowns(Range::Week);

    fn ago(seconds: u64) -> Timestamp {
        Timestamp::now() - Duration::from_secs(seconds)
    }

    fn ahead() -> Timestamp {
        Timestamp::now() + Duration::from_secs(3600)
    }

    fn found(at: Timestamp, projects: &[u64], transient: Option<bool>) -> Snapshots {
        let mut snapshots = Snapshots::in_memory().unwrap();
        let found = discovery(projects, transient);
        snapshots.put_discovery(&connection(), &found, at).unwrap();
        snapshots
    }

    fn measured(at: Timestamp) -> Snapshots {
        let mut snapshots = Snapshots::in_memory().unwrap();
        snapshots.put(&project(1).key, &breakdowns_at(at)).unwrap();
        snapshots
    }

    fn troubled(mut snapshots: Snapshots, at: Timestamp) -> Snapshots {
        let trouble = Trouble {
            at,
            reason: at.to_string(),
            transient: true,
            cause: Cause::Busy,
            retry_at: None,
        };
        snapshots
            .put_trouble(&project(1).key, VIEW, &trouble)
            .unwrap();
        snapshots
    }

    fn empty() -> Snapshots {
        Snapshots::in_memory().unwrap()
    }

    fn copied(from: &Snapshots, to: Snapshots) -> Snapshots {
        copy(&from.store.borrow().database, &to.store.borrow().database).unwrap();
        to
    }

    fn numbers(snapshots: &Snapshots) -> Option<Timestamp> {
        let found: Option<Breakdowns> = snapshots.view(&project(1).key, VIEW).unwrap();
        found.map(|found| found.measured_at)
    }

    fn trouble_at(snapshots: &Snapshots) -> Option<Timestamp> {
        let found = snapshots.trouble(&project(1).key, VIEW).unwrap();
        found.map(|trouble| trouble.at)
    }

    #[test]
    fn an_older_list_replaces_neither_a_newer_one_nor_its_projects() {
        let (memory, disk) = (
            found(ago(60), &[1, 2], None),
            found(ago(30), &[2, 3], Some(true)),
        );
        let kept = disk.discovery(&connection()).unwrap();
        let disk = copied(&memory, disk);
        assert_eq!(ids(&disk), [2, 3]);
        assert_eq!(disk.discovery(&connection()).unwrap(), kept);
    }

    #[test]
    fn a_newer_list_takes_projects_away_if_it_was_read_as_a_whole() {
        let older = || found(ago(60), &[1, 2], None);
        let whole = found(ago(30), &[2, 3], None);
        let in_part = found(ago(30), &[2, 3], Some(true));
        assert_eq!(ids(&copied(&whole, older())), [2, 3]);
        let disk = copied(&in_part, older());
        assert_eq!(ids(&disk), [1, 2, 3]);
        let list = disk.discovery(&connection()).unwrap().unwrap();
        assert_eq!(list.failures.len(), 1);
        // To begin with.
        assert_eq!(ids(&copied(&whole, empty())), [2, 3]);
    }

    #[test]
    fn a_list_of_a_clock_that_was_ahead_is_older_than_any_other() {
        let (future, present) = (found(ahead(), &[1], None), found(ago(30), &[2], None));
        let disk = copied(&future, present);
        assert_eq!(ids(&disk), [2]);
        let (future, present) = (disk, found(ahead(), &[1], None));
        assert_eq!(ids(&copied(&future, present)), [2]);
    }

    #[test]
    fn of_numbers_the_newer_ones_stay_and_those_of_a_clock_that_was_ahead_never() {
        let (older, newer) = (ago(60), ago(30));
        for (from, to, stays) in [
            (older, newer, newer),
            (newer, older, newer),
            (ahead(), older, older),
            (older, ahead(), older),
        ] {
            let disk = copied(&measured(from), measured(to));
            assert_eq!(numbers(&disk), Some(stays), "{from} into {to}");
        }
    }

    #[test]
    fn a_trouble_is_copied_if_nothing_newer_is_known() {
        let trouble = ago(30);
        let memory = troubled(empty(), trouble);
        let copy_into = |disk| trouble_at(&copied(&memory, disk));
        assert_eq!(copy_into(empty()), Some(trouble));
        assert_eq!(copy_into(measured(ago(60))), Some(trouble));
        assert_eq!(copy_into(measured(ago(10))), None, "read since");
        assert_eq!(copy_into(troubled(empty(), ago(60))), Some(trouble));
        let newer = ago(10);
        assert_eq!(copy_into(troubled(empty(), newer)), Some(newer));
        assert_eq!(copy_into(troubled(empty(), ahead())), Some(trouble));
    }

    #[test]
    fn newer_numbers_end_the_trouble_that_was_before_them() {
        let memory = measured(ago(30));
        let disk = troubled(measured(ago(90)), ago(60));
        assert_eq!(trouble_at(&copied(&memory, disk)), None);
        let since = ago(10);
        let disk = troubled(measured(ago(90)), since);
        assert_eq!(trouble_at(&copied(&memory, disk)), Some(since));
    }
}
