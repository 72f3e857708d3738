//! What a name means inside one SELECT.

use std::collections::HashMap;

use super::{OutputColumn, Relation, Translator};
use crate::error::QueryError;
use crate::schema::TableName;
use crate::sql::{Sql, literal};
use crate::syntax::{Expression, Window};
use crate::types::{Kind, Type};

/// The names of one SELECT.
#[derive(Default)]
pub(super) struct Scope<'q> {
    pub(super) relations: Vec<Relation>,
    pub(super) sources: Vec<Source>,
    /// Names given to expressions, by AS and by WITH.
    pub(super) aliases: HashMap<&'q str, &'q Expression>,
    /// Aliases that are being written out: inside its own expression a name means the column.
    pub(super) expanding: Vec<&'q str>,
    /// Parameters of lambdas, and arrays that are joined.
    pub(super) bound: Vec<(String, Sql)>,
    /// The SQL of what is grouped by.
    pub(super) group_keys: Vec<String>,
    /// Arrays whose elements become rows: SQL, name.
    pub(super) arrays: Vec<(String, String)>,
    pub(super) windows: HashMap<&'q str, &'q Window>,
}

/// A table or a subquery of FROM.
pub(super) struct Source {
    /// As HogQL calls it.
    pub(super) name: Option<String>,
    /// As SQL calls it.
    pub(super) rows: String,
    pub(super) kind: SourceKind,
    /// Whether an outer join may leave it out.
    pub(super) optional: bool,
}

pub(super) enum SourceKind {
    Table(TableName),
    Rows(Vec<OutputColumn>),
}

impl Translator<'_> {
    /// A field that is not an alias.
    pub(super) fn field(&self, scope: &Scope<'_>, chain: &[String]) -> Result<Sql, QueryError> {
        let (Some(first), rest) = (chain.first(), chain.get(1..).unwrap_or_default()) else {
            return Err(unresolved(chain));
        };
        if let Some((_, sql)) = scope.bound.iter().rev().find(|(name, _)| name == first) {
            return match rest {
                [] => Ok(sql.clone()),
                _ => Err(unresolved(chain)),
            };
        }
        let named = scope
            .sources
            .iter()
            .find(|source| !rest.is_empty() && source.name.as_ref() == Some(first));
        let mut found = match named.and_then(|source| self.column(source, rest)) {
            Some(column) => vec![column],
            None => scope
                .sources
                .iter()
                .filter_map(|source| self.column(source, chain))
                .collect(),
        };
        if found.len() > 1 {
            return Err(QueryError::new(
                "invalid_input",
                format!(
                    "Ambiguous query. Found multiple sources for field: {}",
                    chain.join(".")
                ),
            ));
        }
        let Some(mut column) = found.pop() else {
            return Err(unresolved(chain));
        };
        column.ungrouped = Some(chain.join("."));
        Ok(column)
    }

    /// A column of one source.
    pub(super) fn column(&self, source: &Source, chain: &[String]) -> Option<Sql> {
        let mut column = match &source.kind {
            SourceKind::Table(table) => self.schema.column(*table, &source.rows, chain)?,
            SourceKind::Rows(columns) => rows_column(columns, &source.rows, chain)?,
        };
        if source.optional {
            column.ty.nullable = true;
            // A column that does not read the row would have a value even if there is no row.
            if column.key.is_none() && !matches!(source.kind, SourceKind::Rows(_)) {
                let present = match source.kind {
                    SourceKind::Table(TableName::Events) => "timestamp",
                    _ => "id",
                };
                let rows = &source.rows;
                column = column.wrapped(|text| {
                    format!("(CASE WHEN {rows}.{present} IS NOT NULL THEN {text} END)")
                });
            }
        }
        Some(column)
    }

    /// What `*` stands for in one source: names and columns.
    pub(super) fn star(&self, source: &Source) -> Vec<(String, Sql)> {
        let names: Vec<String> = match &source.kind {
            SourceKind::Table(table) => table
                .columns()
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            SourceKind::Rows(columns) => columns.iter().map(|column| column.name.clone()).collect(),
        };
        names
            .into_iter()
            .filter_map(|name| {
                let mut column = self.column(source, std::slice::from_ref(&name))?;
                column.ungrouped = Some(name.clone());
                Some((name, column))
            })
            .collect()
    }
}

fn rows_column(columns: &[OutputColumn], rows: &str, chain: &[String]) -> Option<Sql> {
    let (first, rest) = chain.split_first()?;
    let at = columns.iter().position(|column| column.name == *first)?;
    let column = columns.get(at)?;
    let sql = format!("{rows}.c{at}");
    match rest {
        [] => Some(Sql::new(sql, column.ty.clone())),
        // `properties.x` of a subquery that has selected all of `properties`.
        [name] if column.ty.kind == Kind::Text => {
            let path = literal(&format!("$.\"{}\"", name.replace(['"', '\\'], "")));
            Some(Sql::new(
                format!("json_extract({sql}, {path})"),
                Type::nullable(Kind::Text),
            ))
        }
        _ => None,
    }
}

fn unresolved(chain: &[String]) -> QueryError {
    QueryError::new(
        "invalid_input",
        format!("Unable to resolve field: {}", chain.join(".")),
    )
}
