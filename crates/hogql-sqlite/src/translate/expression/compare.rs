//! Operators: arithmetic, comparisons, tests of texts and of membership.

use crate::error::QueryError;
use crate::sql::{Sql, WORDS};
use crate::syntax::{Constant, Expression, ExpressionKind, Operator};
use crate::translate::Translator;
use crate::translate::refusals::{illegal, no_common_type};
use crate::translate::scope::Scope;
use crate::types::{Kind, Type};

impl Translator<'_> {
    pub(in crate::translate) fn operate(
        &mut self,
        operator: Operator,
        left: Sql,
        right: Sql,
    ) -> Result<Sql, QueryError> {
        match operator {
            Operator::Or | Operator::And => {
                let parts = [self.truth(left)?, self.truth(right)?];
                Ok(logical(operator, &parts))
            }
            Operator::Equal => self.equal(left, right, false),
            Operator::NotEqual => self.equal(left, right, true),
            Operator::Less => self.ordered("<", left, right),
            Operator::LessOrEqual => self.ordered("<=", left, right),
            Operator::Greater => self.ordered(">", left, right),
            Operator::GreaterOrEqual => self.ordered(">=", left, right),
            Operator::Like => self.text_test("h_like({}, {})", left, right, false),
            Operator::NotLike => self.text_test("h_like({}, {})", left, right, true),
            Operator::ILike => self.text_test("h_ilike({}, {})", left, right, false),
            Operator::NotILike => self.text_test("h_ilike({}, {})", left, right, true),
            Operator::Matches => self.text_test("h_regex({}, {}, 'match', '')", left, right, false),
            Operator::MatchesNot => {
                self.text_test("h_regex({}, {}, 'match', '')", left, right, true)
            }
            Operator::MatchesAnyCase => {
                self.text_test("h_regex({}, '(?i)' || {}, 'match', '')", left, right, false)
            }
            Operator::MatchesNotAnyCase => {
                self.text_test("h_regex({}, '(?i)' || {}, 'match', '')", left, right, true)
            }
            Operator::Otherwise => self.otherwise(vec![left, right]),
            Operator::Concat => self.concat(&[left, right]),
            Operator::Plus => self.moved(left, right, false),
            Operator::Minus => self.moved(left, right, true),
            Operator::Times | Operator::Modulo | Operator::Divide => {
                self.arithmetic(operator, &left, &right)
            }
        }
    }

    pub(in crate::translate) fn number_only(
        &self,
        what: &str,
        value: &Sql,
    ) -> Result<(), QueryError> {
        let _ = self;
        if value.ty.kind.is_number() || value.ty.kind == Kind::Nothing {
            return Ok(());
        }
        Err(illegal(what, &value.ty))
    }

    fn arithmetic(
        &mut self,
        operator: Operator,
        left: &Sql,
        right: &Sql,
    ) -> Result<Sql, QueryError> {
        let (name, template) = match operator {
            Operator::Plus => ("plus", "({} + {})"),
            Operator::Minus => ("minus", "({} - {})"),
            Operator::Times => ("multiply", "({} * {})"),
            Operator::Divide => ("divide", "h_divide({}, {})"),
            _ => ("modulo", "h_modulo({}, {})"),
        };
        self.number_only(name, left)?;
        self.number_only(name, right)?;
        let kind = match (operator, &left.ty.kind, &right.ty.kind) {
            (Operator::Divide, ..) | (_, Kind::Float, _) | (_, _, Kind::Float) => Kind::Float,
            (Operator::Minus, ..) => Kind::Integer("Int64"),
            (_, Kind::Integer(a), _) if a.starts_with('I') => Kind::Integer("Int64"),
            (_, _, Kind::Integer(b)) if b.starts_with('I') => Kind::Integer("Int64"),
            _ => Kind::COUNT,
        };
        let nullable = left.ty.nullable || right.ty.nullable;
        Ok(Sql::of(
            fill(template, &left.text, &right.text),
            Type::plain(kind).or_null(nullable),
            &[left, right],
        ))
    }

    /// `+` and `-`: of numbers, or of an instant and an interval.
    fn moved(&mut self, left: Sql, right: Sql, back: bool) -> Result<Sql, QueryError> {
        let operator = if back {
            Operator::Minus
        } else {
            Operator::Plus
        };
        match (&left.ty.kind, &right.ty.kind) {
            (_, Kind::Interval(unit)) => {
                let unit = *unit;
                self.shifted(left, &right, unit, back)
            }
            (Kind::Interval(unit), _) if !back => {
                let unit = *unit;
                self.shifted(right, &left, unit, back)
            }
            // Instants differ by seconds, days by days.
            (Kind::Timestamp { .. }, Kind::Timestamp { .. }) | (Kind::Date, Kind::Date) if back => {
                Ok(Sql::of(
                    format!("({} - {})", left.text, right.text),
                    Type::plain(Kind::Integer("Int32"))
                        .or_null(left.ty.nullable || right.ty.nullable),
                    &[&left, &right],
                ))
            }
            (kind, other) if kind.is_time() && other.is_number() => Ok(Sql::of(
                fill(
                    if back { "({} - {})" } else { "({} + {})" },
                    &left.text,
                    &right.text,
                ),
                left.ty.clone().or_null(right.ty.nullable),
                &[&left, &right],
            )),
            _ => self.arithmetic(operator, &left, &right),
        }
    }

    /// Makes two values comparable, as ClickHouse does.
    fn comparable(&mut self, left: Sql, right: Sql) -> Result<(Sql, Sql), QueryError> {
        let text_number = |text: &Sql| {
            text.text_constant()
                .and_then(|text| text.trim().parse::<f64>().ok())
        };
        Ok(match (&left.ty.kind, &right.ty.kind) {
            (Kind::Nothing, _) | (_, Kind::Nothing) => (left, right),
            (a, b) if a.is_number() && b.is_number() || a.is_text() && b.is_text() => (left, right),
            (Kind::Timestamp { .. }, Kind::Timestamp { .. }) | (Kind::Date, Kind::Date) => {
                (left, right)
            }
            (Kind::Date, Kind::Text) => (left, self.date(right)?),
            (Kind::Text, Kind::Date) => (self.date(left)?, right),
            (Kind::Timestamp { zone, .. }, Kind::Text | Kind::Date) => {
                let zone = zone.clone();
                (left, self.instant_in(right, &zone)?)
            }
            (Kind::Text | Kind::Date, Kind::Timestamp { zone, .. }) => {
                let zone = zone.clone();
                (self.instant_in(left, &zone)?, right)
            }
            (Kind::Timestamp { .. }, number) | (number, Kind::Timestamp { .. })
                if number.is_number() =>
            {
                (left, right)
            }
            (number, Kind::Text) if number.is_number() && text_number(&right).is_some() => {
                let number = text_number(&right).unwrap_or_default();
                (left, Sql::constant(Constant::Float(number)))
            }
            (Kind::Text, number) if number.is_number() && text_number(&left).is_some() => {
                let number = text_number(&left).unwrap_or_default();
                (Sql::constant(Constant::Float(number)), right)
            }
            (Kind::Array(_), Kind::Array(_)) | (Kind::Tuple(_), Kind::Tuple(_)) => (left, right),
            _ => return Err(no_common_type(&left.ty, &right.ty)),
        })
    }

    /// `=` and `!=`, in which NULL is a value like any other: so HogQL has it.
    pub(in crate::translate) fn equal(
        &mut self,
        left: Sql,
        right: Sql,
        negated: bool,
    ) -> Result<Sql, QueryError> {
        let (left, right) = self.comparable(left, right)?;
        let (a, b) = self.keys(&left, &right);
        let nullable = left.ty.nullable || right.ty.nullable;
        let operator = match (nullable, negated) {
            (true, false) => "IS",
            (true, true) => "IS NOT",
            (false, false) => "=",
            (false, true) => "!=",
        };
        Ok(Sql::of(
            format!("({a} {operator} {b})"),
            Type::plain(Kind::FLAG),
            &[&left, &right],
        ))
    }

    /// What to compare where only equality matters.
    fn keys(&self, left: &Sql, right: &Sql) -> (String, String) {
        let word = |sql: &Sql| {
            sql.text_constant().map(|text| {
                self.schema
                    .words
                    .get(text)
                    .copied()
                    .unwrap_or(-1)
                    .to_string()
            })
        };
        match (&left.key, &right.key) {
            (Some(a), Some(b)) if a.space == b.space => (a.text.clone(), b.text.clone()),
            (Some(a), None) if a.space == WORDS && word(right).is_some() => {
                (a.text.clone(), word(right).unwrap_or_default())
            }
            (None, Some(b)) if b.space == WORDS && word(left).is_some() => {
                (word(left).unwrap_or_default(), b.text.clone())
            }
            _ => (left.text.clone(), right.text.clone()),
        }
    }

    fn ordered(&mut self, operator: &str, left: Sql, right: Sql) -> Result<Sql, QueryError> {
        let (left, right) = self.comparable(left, right)?;
        let mut text = format!("({} {operator} {})", left.text, right.text);
        if left.ty.nullable || right.ty.nullable {
            text = format!("ifnull({text}, 0)");
        }
        Ok(Sql::of(text, Type::plain(Kind::FLAG), &[&left, &right]))
    }

    /// A test of a text by a pattern; NULL never fits.
    pub(in crate::translate) fn text_test(
        &mut self,
        template: &str,
        left: Sql,
        right: Sql,
        negated: bool,
    ) -> Result<Sql, QueryError> {
        for side in [&left, &right] {
            if !side.ty.kind.is_text() && side.ty.kind != Kind::Nothing {
                return Err(illegal("like", &side.ty));
            }
        }
        if let Some(pattern) = right.text_constant()
            && template.starts_with("h_regex")
            && let Err(error) = regex_lite::Regex::new(pattern)
        {
            let first = error
                .to_string()
                .lines()
                .last()
                .unwrap_or_default()
                .to_owned();
            return Err(QueryError::new(
                "cannot_compile_regexp",
                format!("Cannot compile regular expression: {first}"),
            ));
        }
        let test = fill(template, &left.text, &right.text);
        let text = if negated {
            format!("(NOT ifnull({test}, 0))")
        } else {
            format!("ifnull({test}, 0)")
        };
        Ok(Sql::of(text, Type::plain(Kind::FLAG), &[&left, &right]))
    }

    pub(super) fn within<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        value: &'q Expression,
        set: &'q Expression,
        negated: bool,
    ) -> Result<Sql, QueryError> {
        let not = if negated { "NOT " } else { "" };
        let finish = |test: String, nullable: bool, parts: &[&Sql]| {
            // NULL is in no set, and so it is in the complement of every one.
            let test = if nullable {
                format!("ifnull({test}, 0)")
            } else {
                test
            };
            Sql::of(format!("({not}{test})"), Type::plain(Kind::FLAG), parts)
        };
        let relation = match &set.kind {
            ExpressionKind::Field(chain) => match chain.as_slice() {
                [name] => scope
                    .relations
                    .iter()
                    .rev()
                    .find(|relation| relation.name == *name)
                    .cloned(),
                _ => None,
            },
            _ => None,
        };
        let of_query = match (&set.kind, relation) {
            (ExpressionKind::Query(query), _) => {
                let output = self.inner(scope, query)?;
                Some((output.sql, output.columns))
            }
            (_, Some(relation)) => Some((
                format!("SELECT * FROM {}", relation.table),
                relation.columns,
            )),
            _ => None,
        };
        let members = match &value.kind {
            ExpressionKind::Tuple(members) => self.all(scope, members)?,
            _ => vec![self.expression(scope, value)?],
        };
        let parts: Vec<&Sql> = members.iter().collect();
        let nullable = members.iter().any(|member| member.ty.nullable);
        let row = |texts: Vec<String>| {
            if texts.len() == 1 {
                texts.concat()
            } else {
                format!("({})", texts.join(", "))
            }
        };
        if let Some((sql, columns)) = of_query {
            if columns.len() != members.len() {
                return Err(QueryError::new(
                    "invalid_input",
                    "The subquery of IN has another number of columns",
                ));
            }
            let value = row(members.iter().map(|member| member.text.clone()).collect());
            return Ok(finish(format!("({value} IN ({sql}))"), true, &parts));
        }
        if let ExpressionKind::Tuple(items) | ExpressionKind::Array(items) = &set.kind {
            let mut alternatives = Vec::new();
            for item in items {
                let item = match &item.kind {
                    ExpressionKind::Tuple(members) if parts.len() > 1 => {
                        self.all(scope, members)?
                    }
                    _ => vec![self.expression(scope, item)?],
                };
                if item.len() != members.len() {
                    return Err(QueryError::new(
                        "invalid_input",
                        "The members of IN have another number of values",
                    ));
                }
                alternatives.push(item);
            }
            return self.one_of(&members, alternatives, &finish, nullable);
        }
        let set = self.expression(scope, set)?;
        match (&set.ty.kind, members.as_slice()) {
            (Kind::Array(_), [value]) => Ok(Sql::of(
                format!("({not}ifnull(h_has({}, {}), 0))", set.text, value.text),
                Type::plain(Kind::FLAG),
                &[value, &set],
            )),
            _ => self.one_of(&members, vec![vec![set]], &finish, nullable),
        }
    }

    fn one_of(
        &mut self,
        members: &[Sql],
        alternatives: Vec<Vec<Sql>>,
        finish: &dyn Fn(String, bool, &[&Sql]) -> Sql,
        nullable: bool,
    ) -> Result<Sql, QueryError> {
        let parts: Vec<&Sql> = members.iter().collect();
        // One value among constants is the common case, and quick.
        if let [value] = members {
            let mut left = value.text.clone();
            let mut listed = Vec::new();
            for item in alternatives.iter().flatten() {
                let (value, item) = self.comparable(value.clone(), item.clone())?;
                let (a, b) = self.keys(&value, &item);
                left = a;
                listed.push((b, item.constant.is_some() || item.ungrouped.is_none()));
            }
            let same_side = alternatives
                .iter()
                .flatten()
                .all(|item| item.constant.is_some());
            if same_side && !listed.is_empty() {
                let listed: Vec<String> = listed.into_iter().map(|(text, _)| text).collect();
                return Ok(finish(
                    format!("({left} IN ({}))", listed.join(", ")),
                    nullable,
                    &parts,
                ));
            }
        }
        let mut tests = Vec::new();
        for alternative in alternatives {
            let mut pairs = Vec::new();
            for (member, item) in members.iter().zip(alternative) {
                pairs.push(self.equal(member.clone(), item, false)?.text);
            }
            tests.push(format!("({})", pairs.join(" AND ")));
        }
        if tests.is_empty() {
            tests.push("0".to_owned());
        }
        Ok(finish(format!("({})", tests.join(" OR ")), false, &parts))
    }
}

pub(super) fn logical(operator: Operator, parts: &[Sql]) -> Sql {
    let (word, nullable) = (
        if operator == Operator::And {
            " AND "
        } else {
            " OR "
        },
        parts.iter().any(|part| part.ty.nullable),
    );
    let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    let parts: Vec<&Sql> = parts.iter().collect();
    Sql::of(
        format!("({})", texts.join(word)),
        Type::plain(Kind::FLAG).or_null(nullable),
        &parts,
    )
}

/// Puts two texts into the two `{}` of a template.
fn fill(template: &str, a: &str, b: &str) -> String {
    let mut parts = template.split("{}");
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    [
        first.unwrap_or_default(),
        a,
        second.unwrap_or_default(),
        b,
        third.unwrap_or_default(),
    ]
    .concat()
}
