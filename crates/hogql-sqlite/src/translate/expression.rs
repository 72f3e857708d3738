//! Operators, constants and everything else that is not a call.

mod compare;

use compare::logical;
use serde_json::Value;

use super::scope::Scope;
use super::{MOST_EXPRESSIONS, Translator};
use crate::error::QueryError;
use crate::sql::Sql;
use crate::syntax::{Constant, Expression, ExpressionKind, Operator};
use crate::types::{Kind, Type};

impl Translator<'_> {
    pub(super) fn expression<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        expression: &'q Expression,
    ) -> Result<Sql, QueryError> {
        self.expressions += 1;
        if self.expressions > MOST_EXPRESSIONS {
            return Err(QueryError::syntax(
                "The query is too long",
                expression.start,
                expression.end,
            ));
        }
        let mut sql = self
            .kind(scope, expression)
            .map_err(|error| error.over(expression))?;
        if scope.group_keys.contains(&sql.text) {
            sql.ungrouped = None;
        }
        Ok(sql)
    }

    /// A condition: what is neither 0 nor NULL holds.
    pub(super) fn condition<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        expression: &'q Expression,
    ) -> Result<Sql, QueryError> {
        let sql = self.expression(scope, expression)?;
        self.truth(sql).map_err(|error| error.over(expression))
    }

    #[expect(clippy::unused_self, reason = "reads as the others do")]
    pub(super) fn truth(&self, sql: Sql) -> Result<Sql, QueryError> {
        if sql.ty.kind.is_number() || sql.ty.kind == Kind::Nothing {
            return Ok(sql);
        }
        Err(QueryError::new(
            "illegal_type_of_column_for_filter",
            format!(
                "Illegal type {} of a condition. Must be UInt8 or Nullable(UInt8)",
                sql.ty
            ),
        ))
    }

    fn kind<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        expression: &'q Expression,
    ) -> Result<Sql, QueryError> {
        match &expression.kind {
            ExpressionKind::Constant(constant) => Ok(Sql::constant(constant.clone())),
            ExpressionKind::Field(chain) => self.named(scope, chain),
            ExpressionKind::Star(_) => Err(QueryError::new(
                "invalid_input",
                "'*' can only stand alone in SELECT or in count(*)",
            )),
            ExpressionKind::Placeholder(chain) => self.placeholder(chain),
            ExpressionKind::Call(call) => self.call(scope, call),
            ExpressionKind::Lambda(..) => Err(QueryError::new(
                "invalid_input",
                "A lambda can only be an argument of a function of arrays",
            )),
            ExpressionKind::Not(value) => {
                let value = self.condition(scope, value)?;
                Ok(Sql::of(
                    format!("(NOT {})", value.text),
                    Type::plain(Kind::FLAG).or_null(value.ty.nullable),
                    &[&value],
                ))
            }
            ExpressionKind::Negative(value) => {
                let value = self.expression(scope, value)?;
                self.number_only("negate", &value)?;
                let kind = if value.ty.kind == Kind::Float {
                    Kind::Float
                } else {
                    Kind::Integer("Int64")
                };
                Ok(Sql::of(
                    format!("(-{})", value.text),
                    Type::plain(kind).or_null(value.ty.nullable),
                    &[&value],
                ))
            }
            ExpressionKind::Binary(..) => self.chain(scope, expression),
            ExpressionKind::Between {
                value,
                low,
                high,
                negated,
            } => {
                let value = self.expression(scope, value)?;
                let (low, high) = (self.expression(scope, low)?, self.expression(scope, high)?);
                let from = self.operate(Operator::GreaterOrEqual, value.clone(), low)?;
                let until = self.operate(Operator::LessOrEqual, value, high)?;
                let not = if *negated { "NOT " } else { "" };
                Ok(Sql::of(
                    format!("({not}({} AND {}))", from.text, until.text),
                    Type::plain(Kind::FLAG),
                    &[&from, &until],
                ))
            }
            ExpressionKind::In {
                value,
                set,
                negated,
            } => self.within(scope, value, set, *negated),
            ExpressionKind::IsNull { value, negated } => {
                let value = self.expression(scope, value)?;
                let not = if *negated { "NOT " } else { "" };
                Ok(Sql::of(
                    format!("({} IS {not}NULL)", value.text),
                    Type::plain(Kind::FLAG),
                    &[&value],
                ))
            }
            ExpressionKind::Case {
                operand,
                branches,
                otherwise,
            } => {
                let mut pairs = Vec::new();
                for (condition, result) in branches {
                    let condition = match operand {
                        Some(operand) => {
                            let operand = self.expression(scope, operand)?;
                            let value = self.expression(scope, condition)?;
                            self.operate(Operator::Equal, operand, value)?
                        }
                        None => self.condition(scope, condition)?,
                    };
                    pairs.push((condition, self.expression(scope, result)?));
                }
                let otherwise = match otherwise {
                    Some(otherwise) => self.expression(scope, otherwise)?,
                    None => Sql::constant(Constant::Null),
                };
                self.choose(pairs, otherwise)
            }
            ExpressionKind::Cast(value, name) => {
                let value = self.expression(scope, value)?;
                self.cast(value, name)
            }
            ExpressionKind::Interval(count, unit) => {
                let count = self.expression(scope, count)?;
                self.number_only("INTERVAL", &count)?;
                Ok(Sql::of(
                    count.text.clone(),
                    Type::plain(Kind::Interval(*unit)),
                    &[&count],
                ))
            }
            ExpressionKind::Array(items) => {
                let items = self.all(scope, items)?;
                self.array(items)
            }
            ExpressionKind::Tuple(items) => {
                let items = self.all(scope, items)?;
                Ok(tuple(items))
            }
            ExpressionKind::Element(value, index) => {
                let (value, index) = (
                    self.expression(scope, value)?,
                    self.expression(scope, index)?,
                );
                self.element(value, index)
            }
            ExpressionKind::Query(query) => {
                let output = self.inner(scope, query)?;
                let [column] = output.columns.as_slice() else {
                    return Err(QueryError::new(
                        "invalid_input",
                        "A subquery inside an expression has to have one column",
                    ));
                };
                Ok(Sql::new(
                    format!("({})", output.sql),
                    column.ty.clone().or_null(true),
                ))
            }
        }
    }

    pub(super) fn all<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        expressions: &'q [Expression],
    ) -> Result<Vec<Sql>, QueryError> {
        expressions
            .iter()
            .map(|expression| self.expression(scope, expression))
            .collect()
    }

    /// An alias, or else a column.
    fn named(&mut self, scope: &mut Scope<'_>, chain: &[String]) -> Result<Sql, QueryError> {
        if let [name] = chain
            && let Some((alias, value)) = scope
                .aliases
                .get_key_value(name.as_str())
                .map(|(name, value)| (*name, *value))
            && !scope.expanding.contains(&alias)
            && !scope.bound.iter().any(|(bound, _)| bound == name)
        {
            scope.expanding.push(alias);
            let sql = if scope.expanding.len() > 100 {
                Err(QueryError::new(
                    "invalid_input",
                    "The query is nested too deeply",
                ))
            } else {
                self.expression(scope, value)
            };
            scope.expanding.pop();
            return sql;
        }
        match (chain, self.field(scope, chain)) {
            ([name], Err(_))
                if matches!(name.to_ascii_lowercase().as_str(), "current_timestamp") =>
            {
                self.now()
            }
            ([name], Err(_)) if name.eq_ignore_ascii_case("current_date") => self.today(0),
            (_, found) => found,
        }
    }

    fn placeholder(&self, chain: &[String]) -> Result<Sql, QueryError> {
        let name = chain.join(".");
        let Some(values) = self.values else {
            return Ok(Sql::constant(Constant::Null));
        };
        match values.get(&name) {
            Some(value) => constant(value),
            None => Err(QueryError::new(
                "invalid_input",
                format!("Unresolved placeholder: {{{name}}}"),
            )),
        }
    }

    /// Operators of one strength, from left to right, however many.
    fn chain<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        expression: &'q Expression,
    ) -> Result<Sql, QueryError> {
        let mut rest = Vec::new();
        let mut first = expression;
        while let ExpressionKind::Binary(operator, left, right) = &first.kind {
            rest.push((*operator, right.as_ref(), first));
            first = left;
        }
        let mut sql = self.expression(scope, first)?;
        while let Some((operator, right, whole)) = rest.pop() {
            // `a AND b AND c` becomes one list, which SQLite does not nest either.
            if matches!(operator, Operator::And | Operator::Or) {
                let mut parts = vec![self.truth(sql)?, self.condition(scope, right)?];
                while let Some((_, right, _)) = rest.pop_if(|(next, ..)| *next == operator) {
                    parts.push(self.condition(scope, right)?);
                }
                sql = logical(operator, &parts);
            } else {
                let right = self.expression(scope, right)?;
                sql = self
                    .operate(operator, sql, right)
                    .map_err(|error| error.over(whole))?;
            }
            if scope.group_keys.contains(&sql.text) {
                sql.ungrouped = None;
            }
        }
        Ok(sql)
    }
}

pub(super) fn tuple(items: Vec<Sql>) -> Sql {
    let texts: Vec<String> = items.iter().map(as_member).collect();
    let parts: Vec<&Sql> = items.iter().collect();
    let types = items.iter().map(|item| item.ty.clone()).collect();
    Sql::of(
        format!("json_array({})", texts.join(", ")),
        Type::plain(Kind::Tuple(types)),
        &parts,
    )
}

/// A value as a member of an array: arrays inside arrays are no texts.
pub(super) fn as_member(item: &Sql) -> String {
    match item.ty.kind {
        Kind::Array(_) | Kind::Tuple(_) => format!("json({})", item.text),
        _ => item.text.clone(),
    }
}

/// A value that came beside the text.
fn constant(value: &Value) -> Result<Sql, QueryError> {
    Ok(match value {
        Value::Null => Sql::constant(Constant::Null),
        Value::Bool(yes) => Sql::constant(Constant::Boolean(*yes)),
        Value::Number(number) => Sql::constant(match number.as_i64() {
            Some(whole) => Constant::Integer(whole),
            None => Constant::Float(number.as_f64().unwrap_or(f64::NAN)),
        }),
        Value::String(text) => Sql::constant(Constant::Text(text.clone())),
        Value::Array(items) => {
            let items = items.iter().map(constant).collect::<Result<Vec<_>, _>>()?;
            let element = items
                .first()
                .map_or(Type::plain(Kind::Nothing), |item| item.ty.clone());
            let texts: Vec<String> = items.iter().map(as_member).collect();
            Sql::new(
                format!("json_array({})", texts.join(", ")),
                Type::plain(Kind::Array(Box::new(element))),
            )
        }
        Value::Object(_) => {
            return Err(QueryError::new(
                "invalid_input",
                "A placeholder cannot stand for an object",
            ));
        }
    })
}
