//! Functions of arrays, with and without a lambda.

use super::names::unknown;
use crate::error::QueryError;
use crate::sql::Sql;
use crate::syntax::{Expression, ExpressionKind};
use crate::translate::Translator;
use crate::translate::expression::as_member;
use crate::translate::refusals::not_an_array;
use crate::translate::scope::Scope;
use crate::types::{Kind, Type};

impl Translator<'_> {
    pub(super) fn array_function<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        name: &str,
        arguments: &'q [Expression],
    ) -> Result<Sql, QueryError> {
        let (lambda, array) = match arguments {
            [lambda, array] => (Some(lambda), array),
            [array] => (None, array),
            _ => return Err(unknown(name)),
        };
        let array_sql = self.expression(scope, array)?;
        let Kind::Array(element) = array_sql.ty.kind.clone() else {
            return Err(not_an_array(name, &array_sql.ty).over(array));
        };
        if name == "arrayJoin" {
            return self.array_join_function(scope, array_sql, *element);
        }
        let Some(lambda) = lambda else {
            return self.array_as_it_is(name, array_sql, *element);
        };
        if array_sql.aggregates || array_sql.windows {
            return Err(QueryError::unsupported(&format!(
                "{name} of an aggregation; use a subquery"
            )));
        }
        let rows = self.fresh("j");
        let item = Sql::new(format!("{rows}.value"), (*element).clone());
        let ExpressionKind::Lambda(parameters, body) = &lambda.kind else {
            return Err(QueryError::new(
                "invalid_input",
                format!("Function '{name}' expects a lambda first"),
            ));
        };
        let [parameter] = parameters.as_slice() else {
            return Err(QueryError::new(
                "invalid_input",
                format!("The lambda of {name} has to have one parameter"),
            ));
        };
        scope.bound.push((parameter.clone(), item.clone()));
        let body = self.expression(scope, body);
        scope.bound.pop();
        let value = body?;
        let from = format!("FROM json_each({}) AS {rows}", array_sql.text);
        let parts = [&array_sql, &value];
        let (text, ty) = match name {
            "arrayMap" => (
                format!("(SELECT json_group_array({}) {from})", as_member(&value)),
                Type::plain(Kind::Array(Box::new(value.ty.clone()))),
            ),
            "arrayFilter" => {
                let condition = self.truth(value.clone())?;
                (
                    format!(
                        "(SELECT json_group_array({}) {from} WHERE {})",
                        as_member(&item),
                        condition.text
                    ),
                    array_sql.ty.clone(),
                )
            }
            "arrayExists" | "arrayAll" | "arrayCount" => {
                let condition = self.truth(value.clone())?;
                let (text, kind) = match name {
                    "arrayExists" => (
                        format!("EXISTS (SELECT 1 {from} WHERE {})", condition.text),
                        Kind::FLAG,
                    ),
                    "arrayAll" => (
                        format!(
                            "NOT EXISTS (SELECT 1 {from} WHERE NOT ifnull({}, 0))",
                            condition.text
                        ),
                        Kind::FLAG,
                    ),
                    _ => (
                        format!("(SELECT count(*) {from} WHERE {})", condition.text),
                        Kind::Integer("UInt32"),
                    ),
                };
                (format!("({text})"), Type::plain(kind))
            }
            "arraySum" | "arrayAvg" => {
                self.number_only(name, &value)?;
                let (function, kind) = match (name, &value.ty.kind) {
                    ("arrayAvg", _) => ("avg", Kind::Float),
                    (_, Kind::Float) => ("sum", Kind::Float),
                    (_, Kind::Integer(width)) if width.starts_with('I') => {
                        ("sum", Kind::Integer("Int64"))
                    }
                    _ => ("sum", Kind::COUNT),
                };
                (
                    format!("(SELECT ifnull({function}({}), 0) {from})", value.text),
                    Type::plain(kind),
                )
            }
            "arrayMin" | "arrayMax" => {
                let function = if name == "arrayMin" { "min" } else { "max" };
                let default = value.ty.kind.default_sql();
                (
                    format!(
                        "(SELECT ifnull({function}({}), {default}) {from})",
                        value.text
                    ),
                    value.ty.clone(),
                )
            }
            _ => {
                let direction = if name == "arraySort" { "" } else { " DESC" };
                (
                    format!(
                        "(SELECT json_group_array({}) FROM (SELECT {rows}.value {from} ORDER BY {}{direction}))",
                        if matches!(element.kind, Kind::Array(_) | Kind::Tuple(_)) {
                            "json(value)"
                        } else {
                            "value"
                        },
                        value.text
                    ),
                    array_sql.ty.clone(),
                )
            }
        };
        Ok(Sql::of(text, ty, &parts))
    }

    /// A function of an array alone, which an aggregation may have made.
    fn array_as_it_is(&mut self, name: &str, array: Sql, element: Type) -> Result<Sql, QueryError> {
        let kind = match (name, &element.kind) {
            ("arraySort" | "arrayReverseSort", _) => array.ty.kind.clone(),
            ("arrayMin" | "arrayMax", kind) => kind.clone(),
            ("arrayAvg", kind) if kind.is_number() => Kind::Float,
            ("arraySum", Kind::Float) => Kind::Float,
            ("arraySum", Kind::Integer(width)) if width.starts_with('I') => Kind::Integer("Int64"),
            ("arraySum", kind) if kind.is_number() || *kind == Kind::Nothing => Kind::COUNT,
            _ => {
                return Err(QueryError::new(
                    "invalid_input",
                    format!("Function '{name}' expects a lambda first"),
                ));
            }
        };
        Ok(Sql::of(
            format!("h_{name}({})", array.text),
            Type::plain(kind),
            &[&array],
        ))
    }

    /// A row for each element.
    fn array_join_function(
        &mut self,
        scope: &mut Scope<'_>,
        array: Sql,
        element: Type,
    ) -> Result<Sql, QueryError> {
        if array.aggregates || array.windows {
            return Err(QueryError::unsupported(
                "arrayJoin of an aggregation; use a subquery",
            ));
        }
        // The same array twice is one array.
        let known = scope
            .arrays
            .iter()
            .find(|(text, _)| *text == array.text)
            .map(|(_, rows)| rows.clone());
        let rows = if let Some(rows) = known {
            rows
        } else {
            let rows = self.fresh("j");
            scope.arrays.push((array.text.clone(), rows.clone()));
            rows
        };
        let mut sql = Sql::new(format!("{rows}.value"), element);
        sql.ungrouped = Some("arrayJoin".to_owned());
        Ok(sql)
    }
}
