//! FROM: tables, subqueries and arrays, and how they are joined.

use super::Translator;
use super::refusals::not_an_array;
use super::scope::{Scope, Source, SourceKind};
use crate::error::QueryError;
use crate::schema::TableName;
use crate::sql::Sql;
use crate::syntax::{Column, Condition, ExpressionKind, Join, JoinKind, Table};
use crate::types::Kind;

impl Translator<'_> {
    /// One table of FROM, with how it is joined to those before it.
    pub(super) fn join<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        join: &'q Join,
        first: bool,
    ) -> Result<String, QueryError> {
        let rows = self.fresh("t");
        let (table, kind, name) = match &join.table {
            Table::Query(query) => {
                let output = self.query(query, &scope.relations)?;
                (
                    format!("({})", output.sql),
                    SourceKind::Rows(output.columns),
                    None,
                )
            }
            Table::Named(chain) => {
                let relation = match chain.as_slice() {
                    [name] => scope
                        .relations
                        .iter()
                        .rev()
                        .find(|relation| relation.name == *name),
                    _ => None,
                };
                if let Some(relation) = relation {
                    (
                        relation.table.clone(),
                        SourceKind::Rows(relation.columns.clone()),
                        chain.last().cloned(),
                    )
                } else {
                    let Some(table) = TableName::parse(chain) else {
                        let message = format!("Unknown table `{}`.", chain.join("."));
                        return Err(
                            QueryError::new("invalid_input", message).at(join.start, join.end)
                        );
                    };
                    self.tables.insert(table.name());
                    (
                        table.rows(self.schema),
                        SourceKind::Table(table),
                        chain.last().cloned(),
                    )
                }
            }
        };
        let keyword = match join.kind {
            JoinKind::Cross => " CROSS JOIN ",
            JoinKind::Inner => " JOIN ",
            JoinKind::Left => " LEFT JOIN ",
            JoinKind::Right => " RIGHT JOIN ",
            JoinKind::Full => " FULL JOIN ",
        };
        if matches!(join.kind, JoinKind::Right | JoinKind::Full) {
            for source in &mut scope.sources {
                source.optional = true;
            }
        }
        scope.sources.push(Source {
            name: join.alias.clone().or(name),
            rows: rows.clone(),
            kind,
            optional: matches!(join.kind, JoinKind::Left | JoinKind::Full),
        });
        let mut sql = format!("{}{table} AS {rows}", if first { "" } else { keyword });
        match &join.condition {
            Some(Condition::On(condition)) => {
                let condition = self.condition(scope, condition)?;
                sql.push_str(&format!(" ON {}", condition.text));
            }
            Some(Condition::Using(names)) => {
                let mut pairs = Vec::new();
                for name in names {
                    let chain = std::slice::from_ref(name);
                    let (right, left) =
                        scope
                            .sources
                            .split_last()
                            .map_or((None, None), |(last, before)| {
                                (
                                    self.column(last, chain),
                                    before.iter().find_map(|source| self.column(source, chain)),
                                )
                            });
                    let (Some(left), Some(right)) = (left, right) else {
                        return Err(QueryError::new(
                            "invalid_input",
                            format!("Unable to resolve field: {name}"),
                        )
                        .at(join.start, join.end));
                    };
                    pairs.push(self.equal(left, right, false)?.text);
                }
                sql.push_str(&format!(" ON {}", pairs.join(" AND ")));
            }
            None => {}
        }
        Ok(sql)
    }

    pub(super) fn array_join<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        left: bool,
        arrays: &'q [Column],
        first: bool,
    ) -> Result<String, QueryError> {
        let mut sql = String::new();
        for (nth, array) in arrays.iter().enumerate() {
            let value = self.expression(scope, &array.value)?;
            let Kind::Array(element) = &value.ty.kind else {
                return Err(not_an_array("ARRAY JOIN", &value.ty).over(&array.value));
            };
            let name = self.fresh("j");
            let separator = match (first && nth == 0, left) {
                (true, _) => "",
                (false, true) => " LEFT JOIN ",
                (false, false) => " JOIN ",
            };
            sql.push_str(&format!("{separator}json_each({}) AS {name}", value.text));
            // Several arrays are walked side by side.
            if let (true, Some((_, before))) = (nth > 0, scope.bound.last()) {
                let before = before.text.trim_end_matches(".value").to_owned();
                sql.push_str(&format!(" ON {name}.key = {before}.key"));
            } else if left && !first {
                sql.push_str(" ON 1");
            }
            let called = array.alias.clone().or_else(|| match &array.value.kind {
                ExpressionKind::Field(chain) => chain.last().cloned(),
                _ => None,
            });
            let mut bound = Sql::new(format!("{name}.value"), (**element).clone().or_null(left));
            bound.ungrouped = Some(called.clone().unwrap_or_default());
            scope.bound.push((called.unwrap_or_default(), bound));
        }
        Ok(sql)
    }
}
