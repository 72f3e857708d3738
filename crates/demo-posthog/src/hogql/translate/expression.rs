//! Operators, constants and everything else that is not a call.

use serde_json::Value;

use super::scope::Scope;
use super::select::{no_common_type, not_an_array};
use super::{MOST_EXPRESSIONS, Translator};
use crate::hogql::QueryError;
use crate::hogql::sql::{Key, Sql, WORDS, literal};
use crate::hogql::syntax::{Constant, Expression, ExpressionKind, Operator};
use crate::hogql::types::{Kind, Type};

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

    pub(super) fn operate(
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

    pub(super) fn number_only(&self, what: &str, value: &Sql) -> Result<(), QueryError> {
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
    pub(super) fn equal(
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
    pub(super) fn text_test(
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

    fn within<'q>(
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

fn logical(operator: Operator, parts: &[Sql]) -> Sql {
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

pub(super) fn illegal(what: &str, ty: &Type) -> QueryError {
    QueryError::new(
        "illegal_type_of_argument",
        format!("Illegal type {ty} of argument of function {what}"),
    )
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
