//! Finds the places of filters in a tree.

use super::{Filters, yes};
use crate::error::QueryError;
use crate::schema::TableName;
use crate::syntax::{
    Condition, Expression, ExpressionKind, Operator, Order, QueryTree, Select, Table, Window, With,
};

/// Puts filters into their places.
pub(super) fn replace(filters: &Filters, query: &mut QueryTree) -> Result<(), QueryError> {
    let mut walk = Walk {
        filters,
        selects: Vec::new(),
        comparisons: Vec::new(),
    };
    walk.query(query)
}

struct Walk<'a> {
    filters: &'a Filters,
    /// What the SELECTs around this place read from, the innermost one last.
    selects: Vec<Reads>,
    /// The comparisons around this place: whether they are left out, since a bound is missing.
    comparisons: Vec<bool>,
}

/// Tables of a FROM that can be filtered.
#[derive(Clone, Copy, Default)]
struct Reads {
    events: bool,
    sessions: bool,
}

impl Reads {
    fn of(select: &Select) -> Self {
        let mut reads = Self::default();
        for join in &select.from {
            if let Table::Named(chain) = &join.table {
                match TableName::parse(chain) {
                    Some(TableName::Events) => reads.events = true,
                    Some(TableName::Sessions) => reads.sessions = true,
                    Some(TableName::Persons) | None => {}
                }
            }
        }
        reads
    }
}

impl Walk<'_> {
    fn query(&mut self, query: &mut QueryTree) -> Result<(), QueryError> {
        match query {
            QueryTree::Select(select) => self.select(select),
            QueryTree::Set { first, rest } => {
                self.query(first)?;
                rest.iter_mut()
                    .try_for_each(|(_, branch)| self.query(branch))
            }
        }
    }

    fn select(&mut self, select: &mut Select) -> Result<(), QueryError> {
        self.selects.push(Reads::of(select));
        for with in &mut select.with {
            match with {
                With::Query(_, query) => self.query(query)?,
                With::Expression(_, value) => self.expression(value)?,
            }
        }
        for join in &mut select.from {
            if let Table::Query(query) = &mut join.table {
                self.query(query)?;
            }
            if let Some(Condition::On(condition)) = &mut join.condition {
                self.expression(condition)?;
            }
        }
        let arrays = select.array_join.iter_mut().flat_map(|(_, arrays)| arrays);
        for column in select.columns.iter_mut().chain(arrays) {
            self.expression(&mut column.value)?;
        }
        self.expressions(&mut select.filters)?;
        self.expressions(&mut select.group_by)?;
        let single = [&mut select.having, &mut select.limit, &mut select.offset];
        for value in single.into_iter().flatten() {
            self.expression(value)?;
        }
        for (_, window) in &mut select.windows {
            self.window(window)?;
        }
        self.orders(&mut select.order_by)?;
        if let Some((rows, keys)) = &mut select.limit_by {
            self.expression(rows)?;
            self.expressions(keys)?;
        }
        self.selects.pop();
        Ok(())
    }

    fn window(&mut self, window: &mut Window) -> Result<(), QueryError> {
        self.expressions(&mut window.partition_by)?;
        self.orders(&mut window.order_by)
    }

    fn orders(&mut self, orders: &mut [Order]) -> Result<(), QueryError> {
        orders
            .iter_mut()
            .try_for_each(|order| self.expression(&mut order.value))
    }

    fn expressions(&mut self, values: &mut [Expression]) -> Result<(), QueryError> {
        values
            .iter_mut()
            .try_for_each(|value| self.expression(value))
    }

    fn expression(&mut self, expression: &mut Expression) -> Result<(), QueryError> {
        match expression.kind {
            ExpressionKind::Binary(..) => self.chain(expression),
            ExpressionKind::In { .. } => {
                self.comparisons.push(false);
                self.inside(expression)?;
                if self.comparisons.pop() == Some(true) {
                    expression.kind = yes().kind;
                }
                Ok(())
            }
            _ => self.inside(expression),
        }
    }

    fn inside(&mut self, expression: &mut Expression) -> Result<(), QueryError> {
        let place = (expression.start, expression.end);
        match &mut expression.kind {
            ExpressionKind::Placeholder(chain) => {
                let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
                let found = self.placeholder(&chain);
                if let Some(found) = found.map_err(|error| error.at(place.0, place.1))? {
                    expression.kind = found.kind;
                }
                Ok(())
            }
            ExpressionKind::Constant(_) | ExpressionKind::Field(_) | ExpressionKind::Star(_) => {
                Ok(())
            }
            ExpressionKind::Binary(_, left, right) | ExpressionKind::Element(left, right) => {
                self.expression(left)?;
                self.expression(right)
            }
            ExpressionKind::Call(call) => {
                self.expressions(&mut call.arguments)?;
                self.expressions(call.parameters.as_deref_mut().unwrap_or_default())?;
                match &mut call.over {
                    Some(window) => self.window(window),
                    None => Ok(()),
                }
            }
            ExpressionKind::Lambda(_, value)
            | ExpressionKind::Not(value)
            | ExpressionKind::Negative(value)
            | ExpressionKind::IsNull { value, .. }
            | ExpressionKind::Cast(value, _)
            | ExpressionKind::Interval(value, _) => self.expression(value),
            ExpressionKind::Between {
                value, low, high, ..
            } => {
                self.expression(value)?;
                self.expression(low)?;
                self.expression(high)
            }
            ExpressionKind::In { value, set, .. } => {
                self.expression(value)?;
                self.expression(set)
            }
            ExpressionKind::Case {
                operand,
                branches,
                otherwise,
            } => {
                for value in [operand, otherwise].into_iter().flatten() {
                    self.expression(value)?;
                }
                for (condition, result) in branches {
                    self.expression(condition)?;
                    self.expression(result)?;
                }
                Ok(())
            }
            ExpressionKind::Array(items) | ExpressionKind::Tuple(items) => self.expressions(items),
            ExpressionKind::Query(query) => self.query(query),
        }
    }

    /// Operators from left to right, however many: they lean to the left, and are walked without recursion.
    fn chain(&mut self, expression: &mut Expression) -> Result<(), QueryError> {
        let mut rest = Vec::new();
        let mut whole = std::mem::replace(expression, yes());
        while let ExpressionKind::Binary(operator, left, right) = whole.kind {
            if is_comparison(operator) {
                self.comparisons.push(false);
            }
            rest.push((operator, right, whole.start, whole.end));
            whole = *left;
        }
        self.expression(&mut whole)?;
        while let Some((operator, mut right, start, end)) = rest.pop() {
            self.expression(&mut right)?;
            let left_out = is_comparison(operator) && self.comparisons.pop() == Some(true);
            whole = Expression {
                kind: if left_out {
                    yes().kind
                } else {
                    ExpressionKind::Binary(operator, Box::new(whole), right)
                },
                start,
                end,
            };
        }
        *expression = whole;
        Ok(())
    }

    /// What replaces a placeholder; `None` if it is one of the query's own.
    fn placeholder(&mut self, chain: &[&str]) -> Result<Option<Expression>, QueryError> {
        match chain {
            ["filters"] => {
                let reads = self.selects.last().copied().unwrap_or_default();
                if !reads.events && !reads.sessions {
                    return Err(QueryError::new(
                        "invalid_input",
                        "Cannot use 'filters' placeholder in a SELECT clause that does not select from the events, \
                         sessions, logs, traces or groups table.",
                    ));
                }
                self.filters
                    .condition(reads.events, reads.sessions)
                    .map(Some)
            }
            ["filters", "dateRange", bound @ ("from" | "to")] => {
                let filters = self.filters;
                let value = if *bound == "from" {
                    &filters.from
                } else {
                    &filters.to
                };
                if let Some(value) = value {
                    return Ok(Some(value.clone()));
                }
                let Some(left_out) = self.comparisons.last_mut() else {
                    return Err(QueryError::new(
                        "invalid_input",
                        format!(
                            "The `{{filters.dateRange.{bound}}}` placeholder must be used directly in a comparison (e.g. `timestamp > \
                             {{filters.dateRange.{bound}}}`), not nested inside a function call, when the date range is not set."
                        ),
                    ));
                };
                *left_out = true;
                Ok(Some(yes()))
            }
            ["filters", ..] => Err(QueryError::new(
                "invalid_input",
                format!(
                    "Unsupported filters placeholder `{{{}}}`. Supported filters placeholders are: `{{filters}}`, \
                     `{{filters.dateRange.from}}`, `{{filters.dateRange.to}}`.",
                    chain.join(".")
                ),
            )),
            _ => Ok(None),
        }
    }
}

fn is_comparison(operator: Operator) -> bool {
    !matches!(
        operator,
        Operator::Or
            | Operator::And
            | Operator::Otherwise
            | Operator::Plus
            | Operator::Minus
            | Operator::Concat
            | Operator::Times
            | Operator::Divide
            | Operator::Modulo
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::event::Project;
    use crate::parse::parse;

    #[test]
    fn a_long_chain_of_conditions_does_not_exhaust_the_stack() {
        let chain = vec!["event = 'a'"; 2000].join(" AND ");
        let text = format!("SELECT count() FROM events WHERE {chain} AND {{filters}}");
        let mut tree = parse(&text).unwrap();
        let filters = json!({"properties": [{"type": "event", "key": "$os", "value": "iOS"}]});
        let filters = Filters::read(Some(&filters), &Project::default(), 0).unwrap();
        filters.replace(&mut tree).unwrap();
        let QueryTree::Select(select) = tree else {
            panic!("one SELECT")
        };
        assert!(format!("{:?}", select.filters).contains("$os"));
    }

    #[test]
    fn a_comparison_with_a_bound_that_is_missing_is_true() {
        let mut tree = parse(
            "SELECT 1 FROM events WHERE timestamp > {filters.dateRange.from} AND event = 'a'",
        )
        .unwrap();
        Filters::default().replace(&mut tree).unwrap();
        let QueryTree::Select(select) = tree else {
            panic!("one SELECT")
        };
        let [
            Expression {
                kind: ExpressionKind::Binary(Operator::And, first, second),
                ..
            },
        ] = select.filters.as_slice()
        else {
            panic!("{:?}", select.filters)
        };
        assert_eq!(first.kind, yes().kind);
        assert!(matches!(
            second.kind,
            ExpressionKind::Binary(Operator::Equal, ..)
        ));
    }
}
