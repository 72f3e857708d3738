//! Operators, constants and everything else that is not a call.

mod compare;

use compare::logical;
use serde_json::Value;

use super::refusals::{no_common_type, not_an_array};
use super::scope::Scope;
use super::{MOST_EXPRESSIONS, Translator};
use crate::error::QueryError;
use crate::sql::{Key, Sql, WORDS, literal};
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
            None if name == "filters" => Ok(Sql::constant(Constant::Boolean(true))),
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

    /// CASE, `if`, `multiIf`.
    pub(super) fn choose(
        &mut self,
        pairs: Vec<(Sql, Sql)>,
        otherwise: Sql,
    ) -> Result<Sql, QueryError> {
        let mut ty = otherwise.ty.clone();
        for (_, result) in &pairs {
            ty = ty
                .common(&result.ty)
                .ok_or_else(|| no_common_type(&ty, &result.ty))?;
        }
        let mut text = String::from("(CASE");
        let mut parts: Vec<&Sql> = vec![&otherwise];
        for (condition, result) in &pairs {
            text.push_str(&format!(" WHEN {} THEN {}", condition.text, result.text));
            parts.extend([condition, result]);
        }
        text.push_str(&format!(" ELSE {} END)", otherwise.text));
        Ok(Sql::of(text, ty, &parts))
    }

    /// `ifNull`, `coalesce`, `??`.
    pub(super) fn otherwise(&mut self, values: Vec<Sql>) -> Result<Sql, QueryError> {
        let mut ty = Type::nullable(Kind::Nothing);
        for value in &values {
            let nullable = ty.nullable && value.ty.nullable;
            ty = ty
                .common(&value.ty)
                .ok_or_else(|| no_common_type(&ty, &value.ty))?;
            ty.nullable = nullable;
        }
        let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
        let parts: Vec<&Sql> = values.iter().collect();
        let text = if texts.len() == 1 {
            texts.concat()
        } else {
            format!("coalesce({})", texts.join(", "))
        };
        let mut sql = Sql::of(text, ty, &parts);
        if let [value, instead] = values.as_slice()
            && let (Some(key), Some(text)) = (&value.key, instead.text_constant())
            && key.space == WORDS
            && let Some(word) = self.schema.words.get(text)
        {
            sql.key = Some(Key {
                text: format!("ifnull({}, {word})", key.text),
                space: WORDS,
            });
        }
        Ok(sql)
    }

    pub(super) fn concat(&mut self, values: &[Sql]) -> Result<Sql, QueryError> {
        let mut texts = Vec::new();
        for value in values {
            texts.push(self.to_text(value.clone())?.text);
        }
        let nullable = values.iter().any(|value| value.ty.nullable);
        let parts: Vec<&Sql> = values.iter().collect();
        Ok(Sql::of(
            format!("({})", texts.join(" || ")),
            Type::plain(Kind::Text).or_null(nullable),
            &parts,
        ))
    }

    pub(super) fn array(&mut self, items: Vec<Sql>) -> Result<Sql, QueryError> {
        let mut element = Type::plain(Kind::Nothing);
        for (nth, item) in items.iter().enumerate() {
            element = if nth == 0 {
                item.ty.clone()
            } else {
                element
                    .common(&item.ty)
                    .ok_or_else(|| no_common_type(&element, &item.ty))?
            };
        }
        let texts: Vec<String> = items.iter().map(as_member).collect();
        let parts: Vec<&Sql> = items.iter().collect();
        Ok(Sql::of(
            format!("json_array({})", texts.join(", ")),
            Type::plain(Kind::Array(Box::new(element))),
            &parts,
        ))
    }

    /// `x[n]`, `pair.n`.
    pub(super) fn element(&mut self, value: Sql, index: Sql) -> Result<Sql, QueryError> {
        let constant = match &index.constant {
            Some(Constant::Integer(number)) => Some(*number),
            _ => None,
        };
        match &value.ty.kind {
            Kind::Tuple(members) => {
                let place = constant.and_then(|place| usize::try_from(place).ok()?.checked_sub(1));
                let Some((place, member)) =
                    place.and_then(|place| Some((place, members.get(place)?)))
                else {
                    return Err(QueryError::new(
                        "not_found_column_in_block",
                        "The tuple has no such member",
                    ));
                };
                Ok(Sql::of(
                    format!("json_extract({}, '$[{place}]')", value.text),
                    member.clone(),
                    &[&value],
                ))
            }
            Kind::Array(element) => {
                self.number_only("arrayElement", &index)?;
                let i = &index.text;
                let path = match constant {
                    Some(place) if place > 0 => format!("'$[{}]'", place - 1),
                    Some(place) => format!("'$[#{place}]'"),
                    None => format!(
                        "('$[' || (CASE WHEN {i} > 0 THEN {i} - 1 ELSE '#' || {i} END) || ']')"
                    ),
                };
                let read = format!("json_extract({}, {path})", value.text);
                let text = if element.nullable {
                    read
                } else {
                    format!("ifnull({read}, {})", element.kind.default_sql())
                };
                Ok(Sql::of(text, (**element).clone(), &[&value, &index]))
            }
            // A member of an object that is kept as text.
            Kind::Text if index.ty.kind == Kind::Text => {
                let path = index
                    .text_constant()
                    .map(|name| literal(&format!("$.\"{}\"", name.replace(['"', '\\'], ""))));
                let Some(path) = path else {
                    return Err(not_an_array("arrayElement", &value.ty));
                };
                Ok(Sql::of(
                    format!("json_extract({}, {path})", value.text),
                    Type::nullable(Kind::Text),
                    &[&value],
                ))
            }
            _ => Err(not_an_array("arrayElement", &value.ty)),
        }
    }

    fn cast(&mut self, value: Sql, name: &str) -> Result<Sql, QueryError> {
        let function = match name.to_ascii_lowercase().as_str() {
            "string" | "text" | "varchar" => "toString",
            "int" | "integer" | "bigint" | "int8" | "int16" | "int32" | "int64" | "uint8"
            | "uint16" | "uint32" | "uint64" => "toInt",
            "float" | "double" | "float32" | "float64" => "toFloat",
            "boolean" | "bool" => "toBool",
            "date" => "toDate",
            "datetime" | "timestamp" => "toDateTime",
            "uuid" => "toUUID",
            _ => {
                return Err(QueryError::new(
                    "unknown_type",
                    format!("Unknown type {name}"),
                ));
            }
        };
        self.function(function, vec![value])
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
