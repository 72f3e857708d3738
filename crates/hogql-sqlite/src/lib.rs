//! Runs HogQL, PostHog's dialect of SQL, on SQLite.
//!
//! A [`Database`] holds the events of one project in memory. A [`Query`] is read by the grammar of HogQL, checked
//! against the tables, fields and functions that it knows, translated to one SQL statement, and run. No query
//! is known in advance: what PostHog refuses is refused with its sentence, and what PostHog can do and this crate
//! cannot is refused as [`ErrorKind::Unsupported`].
//!
//! It is meant for demos and tests of programs that send HogQL: each number that such a program shows can
//! be compared with a second computation over the same events.
//!
//! ```
//! use hogql_sqlite::{Database, Event, Project, Query};
//! use serde_json::json;
//!
//! let project = Project {
//!     id: 1,
//!     time_zone: "Europe/Berlin".to_owned(),
//!     website: "docs.example".to_owned(),
//!     ..Project::default()
//! };
//! let monday = 1_795_388_400; // 2026-11-23T00:00 in Berlin
//! let database = Database::open(
//!     project,
//!     [
//!         Event::pageview(monday - 60, 1, 1),
//!         Event { pathname: Some("/pricing"), ..Event::pageview(monday + 60, 1, 2) },
//!         Event::pageview(monday + 120, 2, 3),
//!     ],
//! )?;
//! let query = Query::new(
//!     "SELECT toDate(timestamp) AS day, uniq(person_id) AS visitors FROM events GROUP BY day ORDER BY day",
//! )
//! .now(monday + 3600);
//! let result = database.run(&query)?;
//! for row in &result.rows {
//!     println!("{}: {} visitors", row[0], row[1]);
//! }
//! assert_eq!(result.rows, [[json!("2026-11-22"), json!(1)], [json!("2026-11-23"), json!(2)]]);
//! # Ok::<(), hogql_sqlite::QueryError>(())
//! ```
//!
//! # What is there
//!
//! - Tables: `events`, `sessions`, `persons`, with `events.session.…` and `events.person.…`; columns that hold what an
//!   [`Event`] has.
//! - SELECT with common table expressions, joins, `ARRAY JOIN`, windows, `LIMIT BY`, unions; some two hundred functions and
//!   their types as ClickHouse gives them.
//! - `{placeholders}`, whose constants come with the [`Query`], and `{filters}` with PostHog's property filters, range of
//!   dates and filter of test accounts.
//! - `$virt_is_bot` and its kin by the user agent, as newer servers have them.
//! - PostHog's limits: 100 rows without a LIMIT, 50,000 rows at most, each branch of a union on its own.
//!
//! # How a query runs
//!
//! Text → tokens → tree → SQL → rows. Texts of events are stored once and rows refer to them by number, so that
//! grouping and comparing is a matter of numbers; functions that SQLite does not have are registered with it. A
//! query sees the events up to its present alone, so that numbers grow while one watches.

mod database;
mod error;
mod event;
mod execute;
mod filters;
mod functions;
mod limit;
mod parse;
mod query;
mod schema;
mod sql;
mod syntax;
mod token;
mod translate;
mod types;

pub use database::{Column, Database, QueryResult, skips_rows};
pub use error::{ErrorKind, QueryError};
pub use event::{Event, Exception, Project, Utm, Vitals};
pub use query::Query;

/// The example of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
