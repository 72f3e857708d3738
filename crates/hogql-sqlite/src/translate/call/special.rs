//! Functions that are more than a call in SQL.

use super::names::unknown;
use super::{first, pair, second};
use crate::error::QueryError;
use crate::sql::Sql;
use crate::syntax::{Constant, Operator, Unit};
use crate::translate::Translator;
use crate::translate::expression::tuple;
use crate::translate::refusals::illegal;
use crate::types::{Kind, Type};

impl Translator<'_> {
    pub(super) fn special(&mut self, name: &str, mut a: Vec<Sql>) -> Result<Sql, QueryError> {
        let operator = match name {
            "equals" => Some(Operator::Equal),
            "notEquals" => Some(Operator::NotEqual),
            "less" => Some(Operator::Less),
            "lessOrEquals" => Some(Operator::LessOrEqual),
            "greater" => Some(Operator::Greater),
            "greaterOrEquals" => Some(Operator::GreaterOrEqual),
            "like" => Some(Operator::Like),
            "notLike" => Some(Operator::NotLike),
            "ilike" => Some(Operator::ILike),
            "notILike" => Some(Operator::NotILike),
            "match" => Some(Operator::Matches),
            "plus" => Some(Operator::Plus),
            "minus" => Some(Operator::Minus),
            "multiply" => Some(Operator::Times),
            _ => None,
        };
        if let Some(operator) = operator {
            let (left, right) = pair(a)?;
            return self.operate(operator, left, right);
        }
        match name {
            "and" | "or" => {
                let operator = if name == "and" {
                    Operator::And
                } else {
                    Operator::Or
                };
                let mut values = a.into_iter();
                let mut sql = values.next().ok_or_else(|| unknown(name))?;
                for value in values {
                    sql = self.operate(operator, sql, value)?;
                }
                Ok(sql)
            }
            "xor" => {
                let (left, right) = pair(a)?;
                let (left, right) = (self.truth(left)?, self.truth(right)?);
                Ok(Sql::of(
                    format!("(({} != 0) != ({} != 0))", left.text, right.text),
                    Type::plain(Kind::FLAG),
                    &[&left, &right],
                ))
            }
            "not" => {
                let value = self.truth(first(a)?)?;
                Ok(Sql::of(
                    format!("(NOT {})", value.text),
                    Type::plain(Kind::FLAG).or_null(value.ty.nullable),
                    &[&value],
                ))
            }
            "negate" => {
                let value = first(a)?;
                self.number_only(name, &value)?;
                Ok(Sql::of(
                    format!("(-{})", value.text),
                    value.ty.clone(),
                    &[&value],
                ))
            }
            "if" | "multiIf" => {
                if a.len().is_multiple_of(2) {
                    return Err(QueryError::new(
                        "invalid_input",
                        format!("Function '{name}' expects an odd number of arguments"),
                    ));
                }
                let otherwise = a.pop().ok_or_else(|| unknown(name))?;
                let mut pairs = Vec::new();
                let mut values = a.into_iter();
                while let (Some(condition), Some(result)) = (values.next(), values.next()) {
                    pairs.push((self.truth(condition)?, result));
                }
                self.choose(pairs, otherwise)
            }
            "ifNull" | "coalesce" => self.otherwise(a),
            "nullIf" => {
                let (value, null) = pair(a)?;
                let same = self.equal(value.clone(), null, false)?;
                self.choose(vec![(same, Sql::constant(Constant::Null))], value)
            }
            "isNull" | "isNotNull" => {
                let value = first(a)?;
                let not = if name == "isNull" { "" } else { "NOT " };
                Ok(Sql::of(
                    format!("({} IS {not}NULL)", value.text),
                    Type::plain(Kind::FLAG),
                    &[&value],
                ))
            }
            "assumeNotNull" => {
                let value = first(a)?;
                let ty = Type::plain(value.ty.kind.clone());
                Ok(Sql::of(
                    format!("ifnull({}, {})", value.text, ty.kind.default_sql()),
                    ty,
                    &[&value],
                ))
            }
            "toNullable" => {
                let mut value = first(a)?;
                value.ty.nullable = true;
                Ok(value)
            }
            "least" | "greatest" => {
                let array = self.array(a.clone())?;
                let ty = self.array_of(name, &array)?;
                let function = if name == "least" { "min" } else { "max" };
                let texts: Vec<&str> = a.iter().map(|sql| sql.text.as_str()).collect();
                Ok(Sql::of(
                    format!("{function}({})", texts.join(", ")),
                    ty,
                    &a.iter().collect::<Vec<_>>(),
                ))
            }
            "toString" => match second(&mut a) {
                Some(zone) => self.formatted(first(a)?, "%F %T", Some(&zone)),
                None => self.to_text(first(a)?),
            },
            "concat" => self.concat(&a),
            "extract" => {
                let (text, pattern) = pair(a)?;
                self.by_pattern("extract", text, &pattern, None)
            }
            "replaceRegexpAll" | "replaceRegexpOne" => {
                let with = a.pop();
                let (text, pattern) = pair(a)?;
                self.by_pattern(
                    if name == "replaceRegexpAll" {
                        "all"
                    } else {
                        "one"
                    },
                    text,
                    &pattern,
                    with,
                )
            }
            "length" => {
                let value = first(a)?;
                let text = match &value.ty.kind {
                    Kind::Array(_) => format!("json_array_length({})", value.text),
                    kind if kind.is_text() => format!("length(CAST({} AS BLOB))", value.text),
                    _ => return Err(illegal(name, &value.ty)),
                };
                Ok(Sql::of(
                    text,
                    Type::plain(Kind::COUNT).or_null(value.ty.nullable),
                    &[&value],
                ))
            }
            "toTypeName" => {
                let value = first(a)?;
                Ok(Sql::constant(Constant::Text(value.ty.to_string())))
            }
            "JSONExtract" => {
                let ty = a.pop().ok_or_else(|| unknown(name))?;
                let same = match ty.text_constant() {
                    Some("Array(String)") => return Ok(texts_of_json(&a)),
                    Some("String" | "Nullable(String)") => "JSONExtractString",
                    Some("Float64" | "Float32") => "JSONExtractFloat",
                    Some("Int64" | "UInt64" | "Int32" | "UInt32") => "JSONExtractInt",
                    Some("Bool") => "JSONExtractBool",
                    _ => return Err(QueryError::unsupported("JSONExtract with this type")),
                };
                self.function(same, a)
            }
            "now" => self.now(),
            "now64" => {
                let mut now = self.now()?;
                if let Kind::Timestamp { fractions, .. } = &mut now.ty.kind {
                    *fractions = true;
                }
                Ok(now)
            }
            "today" => self.today(0),
            "yesterday" => self.today(1),
            "toDate" | "toDateOrNull" => {
                let zone = second(&mut a);
                let mut value = first(a)?;
                if let Some(zone) = zone {
                    let zone = self.zone(Some(&zone))?;
                    value = self.shown_in(value, &zone)?;
                }
                self.date(value)
            }
            // PostHog puts its own zone behind what is there, which is the place of the precision then.
            "toDateTime64" if a.len() < 2 => Err(QueryError::new(
                "illegal_type_of_argument",
                "The precision of toDateTime64 is missing".to_owned(),
            )),
            "toDateTime64" | "parseDateTime64BestEffort" | "parseDateTime64BestEffortOrNull" => {
                let zone = if a.len() == 3 { a.pop() } else { None };
                a.truncate(1);
                let mut value = self.date_time(first(a)?, zone.as_ref())?;
                if let Kind::Timestamp { fractions, .. } = &mut value.ty.kind {
                    *fractions = true;
                }
                Ok(value)
            }
            "toDateTime"
            | "toDateTimeOrNull"
            | "parseDateTime"
            | "parseDateTimeBestEffort"
            | "parseDateTimeBestEffortOrNull"
            | "fromUnixTimestamp" => {
                let zone = if name == "parseDateTime" {
                    None
                } else {
                    second(&mut a)
                };
                a.truncate(1);
                let value = first(a)?;
                let text = value.ty.kind == Kind::Text;
                let mut value = self.date_time(value, zone.as_ref())?;
                // With a zone, PostHog prints `parseDateTime64BestEffortOrNull` for a text.
                if text && name == "toDateTime" && zone.is_some() {
                    value.ty.nullable = true;
                    if let Kind::Timestamp { fractions, .. } = &mut value.ty.kind {
                        *fractions = true;
                    }
                }
                Ok(value)
            }
            "toUnixTimestamp" => {
                let zone = second(&mut a);
                let value = first(a)?;
                let zone = self.zone(zone.as_ref())?;
                let at = match value.ty.kind {
                    Kind::Date => self.instant_in(value, "UTC")?,
                    _ => self.instant_in(value, &zone)?,
                };
                Ok(Sql::of(
                    at.text.clone(),
                    Type::plain(Kind::Integer("UInt32")).or_null(at.ty.nullable),
                    &[&at],
                ))
            }
            "toUnixTimestamp64Milli" => {
                let (at, _) = self.instant(first(a)?)?;
                Ok(Sql::of(
                    format!("({} * 1000)", at.text),
                    Type::plain(Kind::Integer("Int64")).or_null(at.ty.nullable),
                    &[&at],
                ))
            }
            "toTimeZone" => {
                let (value, zone) = pair(a)?;
                let zone = self.zone(Some(&zone))?;
                self.shown_in(value, &zone)
            }
            "formatDateTime" => {
                let zone = if a.len() == 3 { a.pop() } else { None };
                let (value, pattern) = pair(a)?;
                let pattern = pattern
                    .text_constant()
                    .ok_or_else(|| illegal(name, &pattern.ty))?
                    .to_owned();
                self.formatted(value, &pattern, zone.as_ref())
            }
            "dateDiff" => {
                let zone = if a.len() == 4 { a.pop() } else { None };
                let until = a.pop().ok_or_else(|| unknown(name))?;
                let (unit, from) = pair(a)?;
                let unit = unit_of(name, &unit)?;
                self.difference(unit, from, until, zone.as_ref())
            }
            "dateAdd" | "dateSub" => {
                let back = name == "dateSub";
                if a.len() == 2 {
                    let (value, interval) = pair(a)?;
                    return self.operate(
                        if back {
                            Operator::Minus
                        } else {
                            Operator::Plus
                        },
                        value,
                        interval,
                    );
                }
                let value = a.pop().ok_or_else(|| unknown(name))?;
                let (unit, count) = pair(a)?;
                let unit = unit_of(name, &unit)?;
                self.number_only(name, &count)?;
                self.shifted(value, &count, unit, back)
            }
            "dateTrunc" => {
                let zone = if a.len() == 3 { a.pop() } else { None };
                let (unit, value) = pair(a)?;
                let unit = unit_of(name, &unit)?;
                self.start(unit.name(), "1", value, zone.as_ref())
            }
            "toStartOfInterval" => {
                if a.len() == 3 && a.last().is_some_and(|zone| zone.ty.kind != Kind::Text) {
                    return Err(QueryError::unsupported("toStartOfInterval with an origin"));
                }
                let zone = if a.len() == 3 { a.pop() } else { None };
                let (value, interval) = pair(a)?;
                let (Kind::Interval(unit), Some(count)) = (
                    &interval.ty.kind,
                    interval.text.parse::<u32>().ok().filter(|count| *count > 0),
                ) else {
                    return Err(illegal(name, &interval.ty));
                };
                self.start(unit.name(), &count.to_string(), value, zone.as_ref())
            }
            "toMonday" => {
                let zone = second(&mut a);
                self.start("week", "1", first(a)?, zone.as_ref())
            }
            "toStartOfWeek" => {
                let zone = if a.len() == 3 { a.pop() } else { None };
                let mode = second(&mut a);
                let monday = match mode.as_ref().map(|mode| &mode.constant) {
                    None => false,
                    Some(Some(Constant::Integer(mode))) => matches!(mode, 1 | 3 | 5 | 7 | 9),
                    Some(_) => {
                        return Err(QueryError::new(
                            "invalid_input",
                            "The mode of toStartOfWeek is a number",
                        ));
                    }
                };
                self.start(
                    if monday { "week" } else { "sunday" },
                    "1",
                    first(a)?,
                    zone.as_ref(),
                )
            }
            "array" => self.array(a),
            "tuple" => Ok(tuple(a)),
            "tupleElement" | "arrayElement" => {
                let (value, index) = pair(a)?;
                self.element(value, index)
            }
            _ => Err(unknown(name)),
        }
    }

    fn date_time(&mut self, value: Sql, zone: Option<&Sql>) -> Result<Sql, QueryError> {
        let explicit = zone.is_some();
        let zone = self.zone(zone)?;
        if explicit && matches!(value.ty.kind, Kind::Timestamp { .. }) {
            return self.shown_in(value, &zone);
        }
        self.instant_in(value, &zone)
    }

    fn by_pattern(
        &mut self,
        what: &str,
        text: Sql,
        pattern: &Sql,
        with: Option<Sql>,
    ) -> Result<Sql, QueryError> {
        // Says what is wrong with the pattern.
        self.text_test(
            "h_regex({}, {}, 'match', '')",
            text.clone(),
            pattern.clone(),
            false,
        )?;
        let with = with.unwrap_or_else(|| Sql::constant(Constant::Text(String::new())));
        Ok(Sql::of(
            format!(
                "h_regex({}, {}, '{what}', {})",
                text.text, pattern.text, with.text
            ),
            Type::plain(Kind::Text).or_null(text.ty.nullable),
            &[&text, pattern, &with],
        ))
    }
}

fn unit_of(function: &str, argument: &Sql) -> Result<Unit, QueryError> {
    let name = argument
        .text_constant()
        .ok_or_else(|| illegal(function, &argument.ty))?;
    Unit::parse(name).ok_or_else(|| {
        QueryError::new(
            "bad_arguments",
            format!("{function} does not support '{name}' unit"),
        )
    })
}

/// The texts of a list in JSON; what is no such list has none.
fn texts_of_json(arguments: &[Sql]) -> Sql {
    let texts: Vec<&str> = arguments.iter().map(|sql| sql.text.as_str()).collect();
    Sql::of(
        format!("h_texts({})", texts.join(", ")),
        Type::plain(Kind::Array(Box::new(Type::plain(Kind::Text)))),
        &arguments.iter().collect::<Vec<_>>(),
    )
}
