//! A database of one project's events, and the queries that are run on it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use serde_json::Value;

use crate::error::QueryError;
use crate::event::{Event, Project};
use crate::execute::execute;
use crate::filters::Filters;
use crate::limit::{MOST_ROWS, limit};
use crate::parse;
use crate::query::Query;
use crate::schema::Schema;
use crate::schema::fill::fill;
use crate::syntax::QueryTree;
use crate::translate::Translator;

/// The events of one project, in memory. One query runs at a time; others wait.
#[derive(Debug)]
pub struct Database {
    project: Project,
    tables: Mutex<Tables>,
}

#[derive(Debug)]
struct Tables {
    connection: Connection,
    /// Numbers of the texts that rows refer to.
    words: HashMap<String, i64>,
}

/// What a query gives.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QueryResult {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows: a value for each column.
    pub rows: Vec<Vec<Value>>,
    /// Whether there would be more rows, if the query had no LIMIT.
    pub has_more: Option<bool>,
    /// The LIMIT that was added, if the query had none.
    pub limit: Option<i64>,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as ClickHouse writes it: `UInt64`, `Nullable(String)`, `DateTime64(6, 'Europe/Berlin')`.
    pub type_name: String,
}

impl Database {
    /// Puts events, in any order, into a new database.
    ///
    /// # Errors
    ///
    /// Of kind [`Database`](crate::ErrorKind::Database), if SQLite has no memory for them.
    pub fn open<'a>(
        project: Project,
        events: impl IntoIterator<Item = Event<'a>>,
    ) -> Result<Self, QueryError> {
        let (connection, words) = fill(&project, events)?;
        Ok(Self {
            project,
            tables: Mutex::new(Tables { connection, words }),
        })
    }

    /// The project whose events these are.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Runs a query.
    ///
    /// # Errors
    ///
    /// If the text is refused or not supported, if running it fails, or if it takes too long: see
    /// [`ErrorKind`](crate::ErrorKind).
    pub fn run(&self, query: &Query<'_>) -> Result<QueryResult, QueryError> {
        self.run_bytes(query)
            .map_err(|error| error.in_characters(query.text))
    }

    /// Checks a query without running it, and without the constants of its placeholders. Returns the names of the
    /// tables that it reads.
    ///
    /// # Errors
    ///
    /// If the text is refused or not supported.
    pub fn check(&self, query: &Query<'_>) -> Result<Vec<String>, QueryError> {
        self.check_bytes(query)
            .map_err(|error| error.in_characters(query.text))
    }

    /// How many events there are, those that have not happened yet included.
    pub fn event_count(&self) -> u64 {
        self.with(|tables| {
            let count = "SELECT count(*) FROM event_rows";
            let count = tables.connection.query_row(count, [], |row| row.get(0));
            count.map_or(0, |count: i64| u64::try_from(count).unwrap_or(0))
        })
    }

    fn run_bytes(&self, query: &Query<'_>) -> Result<QueryResult, QueryError> {
        let mut tree = self.tree(query)?;
        let limited = limit(&mut tree);
        let (columns, mut rows) = self.with(|tables| {
            let schema = self.schema(tables, query);
            let output = Translator::new(&schema, Some(&query.values)).whole(&tree)?;
            let zone = &self.project.time_zone;
            let rows = execute(&tables.connection, &output, zone, query.time_limit)?;
            Ok::<_, QueryError>((output.columns, rows))
        })?;
        let most = usize::try_from(limited.unwrap_or(MOST_ROWS)).unwrap_or(usize::MAX);
        let has_more = limited.map(|_| rows.len() > most);
        rows.truncate(most);
        Ok(QueryResult {
            columns: columns
                .into_iter()
                .map(|column| Column {
                    type_name: column.ty.to_string(),
                    name: column.name,
                })
                .collect(),
            rows,
            has_more,
            limit: limited,
        })
    }

    fn check_bytes(&self, query: &Query<'_>) -> Result<Vec<String>, QueryError> {
        let mut tree = self.tree(query)?;
        limit(&mut tree);
        self.with(|tables| {
            let schema = self.schema(tables, query);
            let mut translator = Translator::new(&schema, None);
            translator.whole(&tree)?;
            Ok(translator.tables())
        })
    }

    /// What was asked, with the filters in their places.
    fn tree(&self, query: &Query<'_>) -> Result<QueryTree, QueryError> {
        let mut tree = parse::parse(query.text)?;
        let filters = Filters::read(query.filters.as_ref(), &self.project, query.now)?;
        filters.replace(&mut tree)?;
        Ok(tree)
    }

    fn schema<'a>(&'a self, tables: &'a Tables, query: &Query<'_>) -> Schema<'a> {
        Schema {
            zone: &self.project.time_zone,
            website: &self.project.website,
            words: &tables.words,
            knows_bots: query.knows_bots,
            now: query.now,
        }
    }

    fn with<T>(&self, work: impl FnOnce(&Tables) -> T) -> T {
        work(&self.tables.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a text skips rows anywhere (OFFSET, however it is written). A text that is not HogQL does not; running
/// it says what is wrong.
pub fn skips_rows(text: &str) -> bool {
    parse::skips_rows(text)
}
