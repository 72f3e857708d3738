//! Functions: which there are, and what each becomes.

use super::Translator;
use super::aggregate::{AGGREGATIONS, OVER_WINDOWS, aggregation};
use super::expression::{as_member, illegal, tuple};
use super::scope::Scope;
use super::select::not_an_array;
use crate::hogql::QueryError;
use crate::hogql::functions::{Plain, Returns, plain};
use crate::hogql::sql::Sql;
use crate::hogql::syntax::{Call, Constant, Expression, ExpressionKind, Operator, Unit};
use crate::hogql::types::{Kind, Type};

/// Functions that are more than a call in SQL: name, fewest and most arguments.
const SPECIAL: &[(&str, (usize, usize))] = &[
    // Comparing and choosing.
    ("equals", (2, 2)),
    ("notEquals", (2, 2)),
    ("less", (2, 2)),
    ("lessOrEquals", (2, 2)),
    ("greater", (2, 2)),
    ("greaterOrEquals", (2, 2)),
    ("like", (2, 2)),
    ("notLike", (2, 2)),
    ("ilike", (2, 2)),
    ("notILike", (2, 2)),
    ("match", (2, 2)),
    ("and", (2, 50)),
    ("or", (2, 50)),
    ("xor", (2, 2)),
    ("not", (1, 1)),
    ("if", (3, 3)),
    ("multiIf", (3, 99)),
    ("ifNull", (2, 2)),
    ("coalesce", (1, 50)),
    ("nullIf", (2, 2)),
    ("isNull", (1, 1)),
    ("isNotNull", (1, 1)),
    ("assumeNotNull", (1, 1)),
    ("toNullable", (1, 1)),
    ("least", (2, 50)),
    ("greatest", (2, 50)),
    // Arithmetic.
    ("plus", (2, 2)),
    ("minus", (2, 2)),
    ("multiply", (2, 2)),
    ("negate", (1, 1)),
    // Text.
    ("toString", (1, 2)),
    ("concat", (1, 50)),
    ("extract", (2, 2)),
    ("replaceRegexpAll", (3, 3)),
    ("replaceRegexpOne", (3, 3)),
    ("length", (1, 1)),
    ("toTypeName", (1, 1)),
    // Time.
    ("now", (0, 0)),
    ("now64", (0, 1)),
    ("today", (0, 0)),
    ("yesterday", (0, 0)),
    ("toDate", (1, 2)),
    ("toDateOrNull", (1, 1)),
    ("toDateTime", (1, 2)),
    ("toDateTime64", (1, 3)),
    ("toDateTimeOrNull", (1, 2)),
    ("parseDateTime", (1, 3)),
    ("parseDateTimeBestEffort", (1, 2)),
    ("parseDateTimeBestEffortOrNull", (1, 2)),
    ("parseDateTime64BestEffort", (1, 3)),
    ("parseDateTime64BestEffortOrNull", (1, 3)),
    ("fromUnixTimestamp", (1, 1)),
    ("toUnixTimestamp", (1, 2)),
    ("toUnixTimestamp64Milli", (1, 1)),
    ("toTimeZone", (2, 2)),
    ("formatDateTime", (2, 3)),
    ("dateDiff", (3, 4)),
    ("dateAdd", (2, 3)),
    ("dateSub", (2, 3)),
    ("dateTrunc", (2, 3)),
    ("toStartOfInterval", (2, 3)),
    ("toMonday", (1, 2)),
    ("toStartOfWeek", (1, 3)),
    // Arrays and tuples.
    ("array", (0, 1000)),
    ("tuple", (1, 50)),
    ("tupleElement", (2, 2)),
    ("arrayElement", (2, 2)),
    ("arrayJoin", (1, 1)),
    ("arrayMap", (2, 2)),
    ("arrayFilter", (2, 2)),
    ("arrayExists", (2, 2)),
    ("arrayAll", (2, 2)),
    ("arrayCount", (1, 2)),
    ("arraySum", (1, 2)),
    ("arrayAvg", (1, 2)),
    ("arrayMin", (1, 2)),
    ("arrayMax", (1, 2)),
    ("arraySort", (1, 2)),
    ("arrayReverseSort", (1, 2)),
];

/// `toStartOf…`: unit and count.
const STARTS: [(&str, &str, &str); 11] = [
    ("toStartOfSecond", "second", "1"),
    ("toStartOfMinute", "minute", "1"),
    ("toStartOfFiveMinutes", "minute", "5"),
    ("toStartOfFiveMinute", "minute", "5"),
    ("toStartOfTenMinutes", "minute", "10"),
    ("toStartOfFifteenMinutes", "minute", "15"),
    ("toStartOfHour", "hour", "1"),
    ("toStartOfDay", "day", "1"),
    ("toStartOfMonth", "month", "1"),
    ("toStartOfQuarter", "quarter", "1"),
    ("toStartOfYear", "year", "1"),
];

/// Numbers that a calendar or a clock shows.
const PARTS: [&str; 13] = [
    "toHour",
    "toMinute",
    "toSecond",
    "toDayOfWeek",
    "toDayOfMonth",
    "toDayOfYear",
    "toMonth",
    "toQuarter",
    "toYear",
    "toISOWeek",
    "toISOYear",
    "toYYYYMM",
    "toYYYYMMDD",
];

/// Other names of the same functions.
const SYNONYMS: [(&str, &str); 18] = [
    ("date_diff", "dateDiff"),
    ("datediff", "dateDiff"),
    ("date_add", "dateAdd"),
    ("date_sub", "dateSub"),
    ("date_trunc", "dateTrunc"),
    ("ifnull", "ifNull"),
    ("nullif", "nullIf"),
    ("substr", "substring"),
    ("mid", "substring"),
    ("ucase", "upper"),
    ("lcase", "lower"),
    ("length", "length"),
    ("mod", "modulo"),
    ("toStartOfISOYear", "toStartOfYear"),
    ("DATE", "toDate"),
    ("dateTrim", "dateTrunc"),
    ("current_timestamp", "now"),
    ("toFloat64", "toFloat"),
];

/// Functions of SQL, which may be written in any case.
const ANY_CASE: [&str; 26] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "any",
    "coalesce",
    "lower",
    "upper",
    "concat",
    "if",
    "now",
    "length",
    "round",
    "floor",
    "ceil",
    "abs",
    "sqrt",
    "exp",
    "ln",
    "trim",
    "substring",
    "position",
    "left",
    "right",
    "replace",
];

/// Every name that can be called.
fn names() -> impl Iterator<Item = &'static str> {
    let with_if = AGGREGATIONS.iter().map(|(name, _)| *name);
    with_if
        .chain(OVER_WINDOWS.iter().map(|(name, _)| *name))
        .chain(SPECIAL.iter().map(|(name, _)| *name))
        .chain(STARTS.iter().map(|(name, ..)| *name))
        .chain(PARTS)
        .chain(plain().map(|function| function.name))
}

/// The name as the tables here have it.
fn known_name(name: &str) -> String {
    if let Some((_, canonical)) = SYNONYMS.iter().find(|(synonym, _)| *synonym == name) {
        return (*canonical).to_owned();
    }
    let lower = name.to_ascii_lowercase();
    if ANY_CASE.contains(&lower.as_str()) {
        return lower;
    }
    SYNONYMS
        .iter()
        .find(|(synonym, _)| *synonym == lower)
        .map_or_else(|| name.to_owned(), |(_, name)| (*name).to_owned())
}

impl Translator<'_> {
    pub(super) fn call<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        call: &'q Call,
    ) -> Result<Sql, QueryError> {
        let name = known_name(&call.name);
        let given = call.arguments.len();
        if let Some((aggregation, arity, conditional)) = aggregation(&name) {
            let extra = usize::from(conditional);
            self.arity(&call.name, (arity.0 + extra, arity.1 + extra), given)?;
            return self.aggregate(scope, call, aggregation, conditional);
        }
        if let Some((function, arity)) = OVER_WINDOWS.iter().find(|(known, _)| *known == name) {
            self.arity(&call.name, *arity, given)?;
            let Some(window) = &call.over else {
                return Err(QueryError::new(
                    "invalid_input",
                    format!("Function '{}' needs OVER (…)", call.name),
                ));
            };
            return self.over_window(scope, call, function, window);
        }
        if call.over.is_some()
            || call.distinct
            || call.parameters.is_some() && !name.starts_with("JSON")
        {
            if names().any(|known| known == name) {
                let message = format!("Function '{}' is no aggregation", call.name);
                return Err(QueryError::new("invalid_input", message));
            }
            return Err(unknown(&call.name));
        }
        if let Some((_, arity)) = SPECIAL.iter().find(|(known, _)| *known == name) {
            self.arity(&call.name, *arity, given)?;
            if name.starts_with("array") && name != "array" && name != "arrayElement" {
                return self.array_function(scope, &name, &call.arguments);
            }
        }
        let arguments = self.all(scope, &call.arguments)?;
        self.function(
            if name == call.name { &call.name } else { &name },
            arguments,
        )
    }

    /// A function of values.
    pub(super) fn function(&mut self, name: &str, mut a: Vec<Sql>) -> Result<Sql, QueryError> {
        if let Some((_, unit, count)) = STARTS.iter().find(|(known, ..)| *known == name) {
            self.arity(name, (1, 2), a.len())?;
            let zone = second(&mut a);
            return self.start(unit, count, first(a)?, zone.as_ref());
        }
        if PARTS.contains(&name) {
            self.arity(name, (1, 2), a.len())?;
            let zone = second(&mut a);
            return self.part(name, first(a)?, zone.as_ref());
        }
        if let Some(unit) = name.strip_prefix("toInterval").and_then(Unit::parse) {
            self.arity(name, (1, 1), a.len())?;
            let count = first(a)?;
            self.number_only(name, &count)?;
            return Ok(Sql::of(
                count.text.clone(),
                Type::plain(Kind::Interval(unit)),
                &[&count],
            ));
        }
        for (prefix, back) in [("add", false), ("subtract", true)] {
            if let Some(unit) = name.strip_prefix(prefix).and_then(Unit::parse) {
                self.arity(name, (2, 2), a.len())?;
                let (value, count) = pair(a)?;
                self.number_only(name, &count)?;
                return self.shifted(value, &count, unit, back);
            }
        }
        if SPECIAL.iter().any(|(known, _)| *known == name) {
            return self.special(name, a);
        }
        let Some(function) = plain().find(|function| function.name == name) else {
            return Err(unknown(name));
        };
        self.arity(name, function.arity, a.len())?;
        self.plain_call(function, a)
    }

    fn plain_call(&mut self, function: &Plain, arguments: Vec<Sql>) -> Result<Sql, QueryError> {
        let mut nullable = arguments.iter().any(|argument| argument.ty.nullable);
        let texts: Vec<&str> = arguments
            .iter()
            .map(|argument| argument.text.as_str())
            .collect();
        let parts: Vec<&Sql> = arguments.iter().collect();
        let kind = match function.returns {
            Returns::Flag => Kind::FLAG,
            Returns::Boolean => Kind::Boolean,
            Returns::Integer(name) => Kind::Integer(name),
            Returns::Float => Kind::Float,
            Returns::Text => Kind::Text,
            Returns::Same => arguments
                .first()
                .map_or(Kind::Nothing, |first| first.ty.kind.clone()),
            Returns::FloatOrNull => {
                nullable |= !arguments
                    .iter()
                    .all(|argument| argument.ty.kind.is_number());
                Kind::Float
            }
            Returns::IntegerOrNull => {
                nullable |= !arguments
                    .iter()
                    .all(|argument| argument.ty.kind.is_number());
                Kind::Integer("Int64")
            }
            Returns::UuidOrNull => {
                nullable = true;
                Kind::Uuid
            }
            Returns::Texts => Kind::Array(Box::new(Type::plain(Kind::Text))),
            Returns::Integers => Kind::Array(Box::new(Type::plain(Kind::COUNT))),
        };
        // What is about numbers takes no text, and the other way round.
        let arithmetic = matches!(function.returns, Returns::Float | Returns::Same)
            && !function.name.starts_with("to")
            && !function.name.starts_with("JSON")
            && !function.name.starts_with("array");
        let textual = function.returns == Returns::Text
            && function.name != "toString"
            && !function.name.starts_with("array")
            && !function.name.starts_with("format");
        for argument in &arguments {
            if arithmetic {
                self.number_only(function.name, argument)?;
            }
        }
        if let Some(argument) = arguments.first()
            && textual
            && !argument.ty.kind.is_text()
            && argument.ty.kind != Kind::Nothing
        {
            return Err(illegal(function.name, &argument.ty));
        }
        Ok(Sql::of(
            format!("h_{}({})", function.name, texts.join(", ")),
            Type::plain(kind).or_null(nullable),
            &parts,
        ))
    }

    fn special(&mut self, name: &str, mut a: Vec<Sql>) -> Result<Sql, QueryError> {
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
                self.date_time(first(a)?, zone.as_ref())
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
                    return Err(QueryError::new(
                        "invalid_input",
                        "Unsupported in the embedded PostHog: toStartOfInterval with an origin",
                    ));
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

    fn array_function<'q>(
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
            return Err(QueryError::new(
                "invalid_input",
                format!(
                    "Unsupported in the embedded PostHog: {name} of an aggregation; use a subquery"
                ),
            ));
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
            return Err(QueryError::new(
                "invalid_input",
                "Unsupported in the embedded PostHog: arrayJoin of an aggregation; use a subquery",
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

fn first(arguments: Vec<Sql>) -> Result<Sql, QueryError> {
    arguments
        .into_iter()
        .next()
        .ok_or_else(|| QueryError::new("invalid_input", "An argument is missing"))
}

/// Takes the second argument, if there is one.
fn second(arguments: &mut Vec<Sql>) -> Option<Sql> {
    if arguments.len() == 2 {
        arguments.pop()
    } else {
        None
    }
}

fn pair(arguments: Vec<Sql>) -> Result<(Sql, Sql), QueryError> {
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next()) {
        (Some(a), Some(b)) => Ok((a, b)),
        _ => Err(QueryError::new("invalid_input", "An argument is missing")),
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

fn unknown(name: &str) -> QueryError {
    let near = names()
        .map(|known| {
            (
                distance(&name.to_ascii_lowercase(), &known.to_ascii_lowercase()),
                known,
            )
        })
        .min()
        .filter(|(distance, known)| distance * 5 <= known.len().max(name.len()) * 2);
    let hint = near
        .map(|(_, known)| format!(" Perhaps you meant '{known}(...)'?"))
        .unwrap_or_default();
    QueryError::new(
        "invalid_input",
        format!("Unsupported function call '{name}(...)'.{hint}"),
    )
}

/// How many letters have to be changed, added or taken away.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.bytes().enumerate() {
            let left = row[j];
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(left + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
