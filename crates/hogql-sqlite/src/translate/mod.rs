//! From HogQL's tree to one SQL statement for SQLite.
//!
//! Every SELECT gives its columns the names `c0`, `c1`, …, so that no name of the user's meets SQLite's
//! own rules for names. All common table expressions are at the beginning of the whole statement.

#![allow(
    clippy::format_push_string,
    clippy::needless_pass_by_value,
    clippy::similar_names,
    clippy::type_complexity,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    clippy::wrong_self_convention,
    reason = "a translator of many small cases, all of which take pieces of SQL and give one"
)]

mod aggregate;
mod call;
mod expression;
mod from;
mod instants;
mod refusals;
mod scope;
mod select;
mod values;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::error::QueryError;
use crate::schema::Schema;
use crate::syntax::QueryTree;
use crate::types::Type;

/// Expressions that one query may come to, aliases written out.
const MOST_EXPRESSIONS: usize = 50_000;

/// A statement, and the columns that its rows have.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) sql: String,
    pub(super) columns: Vec<OutputColumn>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct OutputColumn {
    /// As HogQL names it.
    pub(super) name: String,
    pub(super) ty: Type,
}

/// A common table expression that can be read from.
#[derive(Clone, Debug)]
struct Relation {
    /// As HogQL names it.
    name: String,
    /// As SQL names it.
    table: String,
    columns: Vec<OutputColumn>,
}

pub(super) struct Translator<'a> {
    schema: &'a Schema<'a>,
    /// The constants of the placeholders; `None` if a text is only checked.
    values: Option<&'a Map<String, Value>>,
    /// `name AS (…)`, in the order in which they use one another.
    common: Vec<String>,
    names: usize,
    expressions: usize,
    tables: BTreeSet<&'static str>,
}

impl<'a> Translator<'a> {
    pub(super) fn new(schema: &'a Schema<'a>, values: Option<&'a Map<String, Value>>) -> Self {
        Self {
            schema,
            values,
            common: Vec::new(),
            names: 0,
            expressions: 0,
            tables: BTreeSet::new(),
        }
    }

    /// Translates a whole text.
    pub(super) fn whole(&mut self, query: &QueryTree) -> Result<Output, QueryError> {
        let mut output = self.query(query, &[])?;
        if !self.common.is_empty() {
            output.sql = format!("WITH {} {}", self.common.join(", "), output.sql);
        }
        Ok(output)
    }

    /// The tables that were read.
    pub(super) fn tables(&self) -> Vec<String> {
        self.tables.iter().map(|name| (*name).to_owned()).collect()
    }

    /// A name that nothing else has.
    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }
}

/// `a, b, c`
fn list<'s>(texts: impl IntoIterator<Item = &'s str>) -> String {
    texts.into_iter().collect::<Vec<_>>().join(", ")
}
