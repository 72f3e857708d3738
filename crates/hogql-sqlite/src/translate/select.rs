//! SELECT and what joins several of them.

use super::refusals::no_common_type;
use super::scope::Scope;
use super::{Output, OutputColumn, Relation, Translator, list};
use crate::error::QueryError;
use crate::sql::Sql;
use crate::syntax::{
    Column, Constant, Expression, ExpressionKind, Order, QueryTree, Select, SetOperator, With,
};

impl Translator<'_> {
    pub(super) fn query(
        &mut self,
        query: &QueryTree,
        relations: &[Relation],
    ) -> Result<Output, QueryError> {
        match query {
            QueryTree::Select(select) => self.select(select, relations),
            QueryTree::Set { first, rest } => self.set(first, rest, relations),
        }
    }

    fn set(
        &mut self,
        first: &QueryTree,
        rest: &[(SetOperator, QueryTree)],
        relations: &[Relation],
    ) -> Result<Output, QueryError> {
        // What the first branch defines by WITH, the others see as well.
        let mut relations = relations.to_vec();
        if let QueryTree::Select(select) = first {
            for with in &select.with {
                if let With::Query(name, query) = with {
                    let relation = self.common_table(name, query, &relations)?;
                    relations.push(relation);
                }
            }
        }
        let mut output = self.query(first, &relations)?;
        output.sql = format!("SELECT * FROM ({})", output.sql);
        for (operator, branch) in rest {
            let next = self.query(branch, &relations)?;
            if next.columns.len() != output.columns.len() {
                return Err(QueryError::new(
                    "union_all_result_structures_mismatch",
                    "Different number of columns in UNION ALL elements",
                ));
            }
            for (column, other) in output.columns.iter_mut().zip(&next.columns) {
                column.ty = column
                    .ty
                    .common(&other.ty)
                    .ok_or_else(|| no_common_type(&column.ty, &other.ty))?;
            }
            let operator = match operator {
                SetOperator::UnionAll => "UNION ALL",
                SetOperator::UnionDistinct => "UNION",
                SetOperator::Intersect => "INTERSECT",
                SetOperator::Except => "EXCEPT",
            };
            output.sql = format!("{} {operator} SELECT * FROM ({})", output.sql, next.sql);
        }
        Ok(output)
    }

    fn common_table(
        &mut self,
        name: &str,
        query: &QueryTree,
        relations: &[Relation],
    ) -> Result<Relation, QueryError> {
        let output = self.query(query, relations)?;
        let table = self.fresh("w");
        let columns: Vec<String> = (0..output.columns.len())
            .map(|at| format!("c{at}"))
            .collect();
        self.common.push(format!(
            "{table}({}) AS ({})",
            columns.join(", "),
            output.sql
        ));
        Ok(Relation {
            name: name.to_owned(),
            table,
            columns: output.columns,
        })
    }

    fn select(&mut self, select: &Select, relations: &[Relation]) -> Result<Output, QueryError> {
        let mut scope = Scope {
            relations: relations.to_vec(),
            ..Scope::default()
        };
        for with in &select.with {
            match with {
                With::Query(name, query) => {
                    let relation = self.common_table(name, query, &scope.relations)?;
                    scope.relations.push(relation);
                }
                With::Expression(name, value) => {
                    scope.aliases.insert(name, value);
                }
            }
        }
        for column in &select.columns {
            if let Some(alias) = &column.alias {
                scope.aliases.insert(alias, &column.value);
            }
        }
        scope.windows = select
            .windows
            .iter()
            .map(|(name, window)| (name.as_str(), window))
            .collect();
        let mut from = String::new();
        for join in &select.from {
            let part = self.join(&mut scope, join, from.is_empty())?;
            from.push_str(&part);
        }
        if let Some((left, arrays)) = &select.array_join {
            let part = self.array_join(&mut scope, *left, arrays, from.is_empty())?;
            from.push_str(&part);
        }

        let mut filters = Vec::new();
        for filter in &select.filters {
            let condition = self.condition(&mut scope, filter)?;
            if condition.aggregates || condition.windows {
                return Err(QueryError::new(
                    "illegal_aggregation",
                    "Aggregate function found in WHERE in query",
                )
                .over(filter));
            }
            filters.push(format!("({})", condition.text));
        }
        let mut groups = Vec::new();
        for group in &select.group_by {
            let group = positional(select, group);
            let sql = self.expression(&mut scope, group)?;
            if sql.aggregates || sql.windows {
                return Err(QueryError::new(
                    "illegal_aggregation",
                    "Aggregate function found in GROUP BY in query",
                )
                .over(group));
            }
            scope.group_keys.push(sql.text.clone());
            if let Some(key) = &sql.key {
                scope.group_keys.push(key.text.clone());
            }
            // A bare number would mean a column to SQLite.
            groups.push(if sql.constant.is_some() {
                format!("({})", sql.text)
            } else {
                sql.key_text().to_owned()
            });
        }

        let columns = self.columns(&mut scope, &select.columns)?;
        let having = match &select.having {
            Some(having) => Some((having, self.condition(&mut scope, having)?)),
            None => None,
        };
        let orders = self.orders(&mut scope, &select.order_by, Some(&columns))?;
        let grouped = !groups.is_empty()
            || columns.iter().any(|(_, sql, _)| sql.aggregates)
            || having.as_ref().is_some_and(|(_, sql)| sql.aggregates)
            || orders.iter().any(|(sql, _)| sql.aggregates);
        if grouped {
            let judged = columns
                .iter()
                .map(|(_, sql, place)| (sql, *place))
                .chain(
                    having
                        .as_ref()
                        .map(|(having, sql)| (sql, (having.start, having.end))),
                )
                .chain(
                    orders
                        .iter()
                        .zip(&select.order_by)
                        .map(|((sql, _), order)| (sql, (order.value.start, order.value.end))),
                );
            for (sql, (start, end)) in judged {
                if let Some(name) = &sql.ungrouped {
                    let message = format!(
                        "Column `{name}` is not under aggregate function and not in GROUP BY"
                    );
                    return Err(QueryError::new("not_an_aggregate", message).at(start, end));
                }
            }
        }

        for (at, (array, name)) in scope.arrays.iter().enumerate() {
            let separator = if at == 0 && from.is_empty() { "" } else { ", " };
            from.push_str(&format!("{separator}json_each({array}) AS {name}"));
        }
        let mut sql = String::from("SELECT ");
        if select.distinct {
            sql.push_str("DISTINCT ");
        }
        let named: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, (_, sql, _))| format!("{} AS c{at}", sql.text))
            .collect();
        sql.push_str(&named.join(", "));
        let ordered: Vec<String> = orders
            .iter()
            .map(|(sql, direction)| format!("{}{direction}", bare(sql)))
            .collect();
        let limit_by = match &select.limit_by {
            Some((rows, keys)) => {
                if select.distinct {
                    return Err(
                        QueryError::unsupported("DISTINCT with LIMIT BY").at(rows.start, rows.end)
                    );
                }
                let rows = self.rows(&mut scope, rows)?;
                let mut by = Vec::new();
                for key in keys {
                    by.push(self.expression(&mut scope, key)?.text);
                }
                let order = if ordered.is_empty() {
                    String::new()
                } else {
                    format!(" ORDER BY {}", ordered.join(", "))
                };
                sql.push_str(&format!(
                    ", row_number() OVER (PARTITION BY {}{order}) AS place",
                    by.join(", ")
                ));
                for (at, (order, _)) in orders.iter().enumerate() {
                    sql.push_str(&format!(", {} AS o{at}", order.text));
                }
                Some(rows)
            }
            None => None,
        };
        if !from.is_empty() {
            sql.push_str(&format!(" FROM {from}"));
        }
        let mut having = having.map(|(_, sql)| sql.text);
        if !grouped {
            filters.extend(having.take().map(|having| format!("({having})")));
        }
        if !filters.is_empty() {
            sql.push_str(&format!(" WHERE {}", filters.join(" AND ")));
        }
        if !groups.is_empty() {
            sql.push_str(&format!(" GROUP BY {}", groups.join(", ")));
        }
        if let Some(having) = having {
            sql.push_str(&format!(" HAVING {having}"));
        }
        if let Some(rows) = limit_by {
            let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
            sql = format!(
                "SELECT {} FROM ({sql}) WHERE place <= {rows}",
                names.join(", ")
            );
            let ordered: Vec<String> = orders
                .iter()
                .enumerate()
                .map(|(at, (_, direction))| format!("o{at}{direction}"))
                .collect();
            if !ordered.is_empty() {
                sql.push_str(&format!(" ORDER BY {}", ordered.join(", ")));
            }
        } else if !ordered.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", ordered.join(", ")));
        }
        let limit = select
            .limit
            .as_ref()
            .map(|limit| self.rows(&mut scope, limit))
            .transpose()?;
        let offset = select
            .offset
            .as_ref()
            .map(|offset| self.rows(&mut scope, offset))
            .transpose()?;
        if limit.is_some() || offset.is_some() {
            sql.push_str(&format!(
                " LIMIT {} OFFSET {}",
                limit.unwrap_or(-1),
                offset.unwrap_or(0)
            ));
        }
        Ok(Output {
            sql,
            columns: columns
                .into_iter()
                .map(|(name, sql, _)| OutputColumn { name, ty: sql.ty })
                .collect(),
        })
    }

    /// The columns: name, SQL, place in the text.
    fn columns<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        columns: &'q [Column],
    ) -> Result<Vec<(String, Sql, (usize, usize))>, QueryError> {
        let mut found = Vec::new();
        for column in columns {
            let place = (column.value.start, column.value.end);
            if let ExpressionKind::Star(of) = &column.value.kind {
                let before = found.len();
                for source in &scope.sources {
                    if of.is_none() || source.name == *of {
                        found.extend(
                            self.star(source)
                                .into_iter()
                                .map(|(name, sql)| (name, sql, place)),
                        );
                    }
                }
                if found.len() == before {
                    let message = format!(
                        "Cannot expand '{}' without a table",
                        of.as_deref().unwrap_or("*")
                    );
                    return Err(QueryError::new("invalid_input", message).over(&column.value));
                }
                continue;
            }
            let guard = column.alias.as_deref();
            scope.expanding.extend(guard);
            let sql = self.expression(scope, &column.value);
            if guard.is_some() {
                scope.expanding.pop();
            }
            let name = column
                .alias
                .clone()
                .unwrap_or_else(|| expression_name(&column.value, found.len()));
            found.push((name, sql?, place));
        }
        Ok(found)
    }

    /// ORDER BY: SQL and direction. A number means a column of `columns`.
    pub(super) fn orders<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        orders: &'q [Order],
        columns: Option<&[(String, Sql, (usize, usize))]>,
    ) -> Result<Vec<(Sql, String)>, QueryError> {
        let mut found = Vec::new();
        for order in orders {
            let place = match &order.value.kind {
                ExpressionKind::Constant(Constant::Integer(place)) => usize::try_from(*place).ok(),
                _ => None,
            };
            let by_place = columns.and_then(|columns| columns.get(place?.checked_sub(1)?));
            let sql = match by_place {
                Some((_, sql, _)) => sql.clone(),
                None => self.expression(scope, &order.value)?,
            };
            let mut direction = if order.descending { " DESC" } else { "" }.to_owned();
            if order.nulls_first == Some(true) {
                direction.push_str(" NULLS FIRST");
            } else if sql.ty.nullable {
                // ClickHouse puts NULLs last either way.
                direction.push_str(" NULLS LAST");
            }
            found.push((sql, direction));
        }
        Ok(found)
    }

    /// The number of LIMIT or OFFSET.
    fn rows<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        value: &'q Expression,
    ) -> Result<i64, QueryError> {
        match self.expression(scope, value)?.constant {
            Some(Constant::Integer(rows)) if rows >= 0 => Ok(rows),
            _ => Err(QueryError::new(
                "invalid_limit_expression",
                "LIMIT and OFFSET have to be whole numbers",
            )
            .over(value)),
        }
    }

    /// A subquery of FROM's kind inside an expression.
    pub(super) fn inner(
        &mut self,
        scope: &Scope<'_>,
        query: &QueryTree,
    ) -> Result<Output, QueryError> {
        self.query(query, &scope.relations)
    }
}

/// ORDER BY and GROUP BY must not see a bare number, which would mean a column.
fn bare(sql: &Sql) -> String {
    if sql.constant.is_some() {
        format!("({})", sql.text)
    } else {
        sql.text.clone()
    }
}

/// `GROUP BY 1` means the first column.
fn positional<'q>(select: &'q Select, group: &'q Expression) -> &'q Expression {
    match &group.kind {
        ExpressionKind::Constant(Constant::Integer(place)) => usize::try_from(*place)
            .ok()
            .and_then(|place| select.columns.get(place.checked_sub(1)?))
            .map_or(group, |column| &column.value),
        _ => group,
    }
}

/// What PostHog calls a column without a name.
fn expression_name(expression: &Expression, nth: usize) -> String {
    match &expression.kind {
        ExpressionKind::Field(chain) => chain.last().cloned().unwrap_or_default(),
        ExpressionKind::Call(call) => {
            let arguments: Vec<String> = call
                .arguments
                .iter()
                .map(|argument| expression_name(argument, nth))
                .collect();
            let distinct = if call.distinct { "DISTINCT " } else { "" };
            format!(
                "{}({distinct}{})",
                call.name,
                list(arguments.iter().map(String::as_str))
            )
        }
        ExpressionKind::Constant(Constant::Integer(number)) => number.to_string(),
        ExpressionKind::Constant(Constant::Float(number)) => number.to_string(),
        ExpressionKind::Constant(Constant::Text(text)) => format!("'{text}'"),
        ExpressionKind::Constant(Constant::Boolean(yes)) => yes.to_string(),
        ExpressionKind::Constant(Constant::Null) => "NULL".to_owned(),
        ExpressionKind::Star(_) => "*".to_owned(),
        _ => format!("column_{}", nth + 1),
    }
}
