//! Expressions: operators by how tightly they bind, calls, literals.

use super::{Parser, reserved};
use crate::error::QueryError;
use crate::syntax::{Call, Constant, Expression, ExpressionKind, Operator, Window};
use crate::token::TokenKind;

/// How tightly comparisons bind; OR is 1, AND is 2, NOT is between AND and comparisons.
pub(super) const COMPARISON: u8 = 4;

impl Parser<'_> {
    pub(super) fn expressions(&mut self) -> Result<Vec<Expression>, QueryError> {
        let mut expressions = vec![self.expression()?];
        while self.symbol(",") {
            expressions.push(self.expression()?);
        }
        Ok(expressions)
    }

    pub(super) fn expression(&mut self) -> Result<Expression, QueryError> {
        self.deeper(|parser| {
            let start = parser.start();
            let condition = parser.operand(0)?;
            if !parser.symbol("?") {
                return Ok(condition);
            }
            let yes = parser.expression()?;
            parser.expect_symbol(":")?;
            let no = parser.expression()?;
            Ok(parser.since(start, call("if", vec![condition, yes, no])))
        })
    }

    pub(super) fn since(&self, start: usize, kind: ExpressionKind) -> Expression {
        Expression {
            kind,
            start,
            end: self.end(),
        }
    }

    /// An expression whose operators bind at least as tightly as `least`.
    pub(super) fn operand(&mut self, least: u8) -> Result<Expression, QueryError> {
        let start = self.start();
        let mut left = self.prefix()?;
        loop {
            let before = self.at;
            let negated = self.keyword("not");
            if (negated || self.is_keyword("between"))
                && least <= COMPARISON
                && self.keyword("between")
            {
                let low = self.operand(COMPARISON + 1)?;
                self.expect_keyword("and")?;
                let high = self.operand(COMPARISON + 1)?;
                left = self.since(
                    start,
                    ExpressionKind::Between {
                        value: Box::new(left),
                        low: Box::new(low),
                        high: Box::new(high),
                        negated,
                    },
                );
                continue;
            }
            if least <= COMPARISON {
                let global = self.keyword("global");
                if self.keyword("in") {
                    if self.is_keyword("cohort") {
                        return Err(QueryError::unsupported("cohorts").at(start, self.end()));
                    }
                    let set = self.operand(COMPARISON + 1)?;
                    left = self.since(
                        start,
                        ExpressionKind::In {
                            value: Box::new(left),
                            set: Box::new(set),
                            negated,
                        },
                    );
                    continue;
                }
                if global {
                    return Err(self.unexpected("IN"));
                }
                if !negated && self.keyword("is") {
                    let negated = self.keyword("not");
                    self.expect_keyword("null")?;
                    left = self.since(
                        start,
                        ExpressionKind::IsNull {
                            value: Box::new(left),
                            negated,
                        },
                    );
                    continue;
                }
            }
            let Some((operator, binding)) = self.operator(negated) else {
                self.at = before;
                return Ok(left);
            };
            if binding < least {
                self.at = before;
                return Ok(left);
            }
            let right = self.operand(binding + 1)?;
            left = self.since(
                start,
                ExpressionKind::Binary(operator, Box::new(left), Box::new(right)),
            );
        }
    }

    /// The operator here and how tightly it binds.
    fn operator(&mut self, negated: bool) -> Option<(Operator, u8)> {
        let like = |parser: &mut Self| {
            if parser.keyword("like") {
                Some((
                    if negated {
                        Operator::NotLike
                    } else {
                        Operator::Like
                    },
                    COMPARISON,
                ))
            } else if parser.keyword("ilike") {
                Some((
                    if negated {
                        Operator::NotILike
                    } else {
                        Operator::ILike
                    },
                    COMPARISON,
                ))
            } else {
                None
            }
        };
        if let Some(found) = like(self) {
            return Some(found);
        }
        if negated {
            return None;
        }
        let found = match self.peek() {
            TokenKind::Symbol(symbol) => match *symbol {
                "=" | "==" => (Operator::Equal, COMPARISON),
                "!=" | "<>" => (Operator::NotEqual, COMPARISON),
                "<" => (Operator::Less, COMPARISON),
                "<=" => (Operator::LessOrEqual, COMPARISON),
                ">" => (Operator::Greater, COMPARISON),
                ">=" => (Operator::GreaterOrEqual, COMPARISON),
                "=~" => (Operator::Matches, COMPARISON),
                "!~" => (Operator::MatchesNot, COMPARISON),
                "=~*" => (Operator::MatchesAnyCase, COMPARISON),
                "!~*" => (Operator::MatchesNotAnyCase, COMPARISON),
                "??" => (Operator::Otherwise, COMPARISON + 1),
                "+" => (Operator::Plus, COMPARISON + 2),
                "-" => (Operator::Minus, COMPARISON + 2),
                "||" => (Operator::Concat, COMPARISON + 2),
                "*" => (Operator::Times, COMPARISON + 3),
                "/" => (Operator::Divide, COMPARISON + 3),
                "%" => (Operator::Modulo, COMPARISON + 3),
                _ => return None,
            },
            _ if self.is_keyword("or") => (Operator::Or, 1),
            _ if self.is_keyword("and") => (Operator::And, 2),
            _ => return None,
        };
        self.at += 1;
        Some(found)
    }

    fn prefix(&mut self) -> Result<Expression, QueryError> {
        let start = self.start();
        if self.is_keyword("not") && !matches!(self.peek_at(1), TokenKind::Symbol("." | ")" | ","))
        {
            self.at += 1;
            let value = self.deeper(|parser| parser.operand(COMPARISON))?;
            return Ok(self.since(start, ExpressionKind::Not(Box::new(value))));
        }
        if self.symbol("-") {
            let value = self.deeper(Self::prefix)?;
            let kind = match value.kind {
                ExpressionKind::Constant(Constant::Integer(number)) => {
                    ExpressionKind::Constant(Constant::Integer(number.wrapping_neg()))
                }
                ExpressionKind::Constant(Constant::Float(number)) => {
                    ExpressionKind::Constant(Constant::Float(-number))
                }
                _ => ExpressionKind::Negative(Box::new(value)),
            };
            return Ok(self.since(start, kind));
        }
        let mut value = self.primary()?;
        loop {
            if self.symbol("[") {
                let index = self.expression()?;
                self.expect_symbol("]")?;
                value = match (value.kind, index.kind) {
                    (
                        ExpressionKind::Field(mut chain),
                        ExpressionKind::Constant(Constant::Text(name)),
                    ) => {
                        chain.push(name);
                        self.since(start, ExpressionKind::Field(chain))
                    }
                    (kind, index_kind) => {
                        let array = Expression { kind, ..value };
                        let index = Expression {
                            kind: index_kind,
                            ..index
                        };
                        self.since(
                            start,
                            ExpressionKind::Element(Box::new(array), Box::new(index)),
                        )
                    }
                };
            } else if self.symbol(".") || self.symbol("?.") {
                let member = match self.next() {
                    TokenKind::Number(digits) => digits.parse().ok(),
                    _ => None,
                };
                let Some(member) = member else {
                    self.at -= 1;
                    return Err(self.unexpected("a member"));
                };
                let index = self.since(start, ExpressionKind::Constant(Constant::Integer(member)));
                value = self.since(
                    start,
                    ExpressionKind::Element(Box::new(value), Box::new(index)),
                );
            } else if self.symbol("::") {
                let name = self.name()?;
                value = self.since(start, ExpressionKind::Cast(Box::new(value), name));
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self) -> Result<Expression, QueryError> {
        let start = self.start();
        let kind = match self.peek().clone() {
            TokenKind::Number(digits) => {
                let Some(constant) = number(&digits) else {
                    return Err(self.unexpected("a number"));
                };
                self.at += 1;
                ExpressionKind::Constant(constant)
            }
            TokenKind::Text(text) => {
                self.at += 1;
                ExpressionKind::Constant(Constant::Text(text))
            }
            TokenKind::Symbol("(") => return self.parenthesis(),
            TokenKind::Symbol("[") => {
                self.at += 1;
                let items = self.list("]")?;
                ExpressionKind::Array(items)
            }
            TokenKind::Symbol("{") => {
                self.at += 1;
                let mut chain = vec![self.name()?];
                while self.symbol(".") {
                    chain.push(self.name()?);
                }
                self.expect_symbol("}")?;
                ExpressionKind::Placeholder(chain)
            }
            TokenKind::Symbol("*") => {
                self.at += 1;
                ExpressionKind::Star(None)
            }
            TokenKind::Word { text, quoted } => return self.word(&text, quoted),
            _ => return Err(self.unexpected("an expression")),
        };
        Ok(self.since(start, kind))
    }

    /// What follows an opening bracket, up to and with the closing one.
    fn list(&mut self, close: &str) -> Result<Vec<Expression>, QueryError> {
        let mut items = Vec::new();
        while !self.symbol(close) {
            items.push(self.expression()?);
            if !self.symbol(",") && !self.is_symbol(close) {
                return Err(self.unexpected(&format!("'{close}'")));
            }
        }
        Ok(items)
    }

    fn parenthesis(&mut self) -> Result<Expression, QueryError> {
        let start = self.start();
        if self.is_query() {
            self.expect_symbol("(")?;
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(self.since(start, ExpressionKind::Query(Box::new(query))));
        }
        self.expect_symbol("(")?;
        let mut items = Vec::new();
        let mut comma = false;
        while !self.symbol(")") {
            items.push(self.expression()?);
            if self.symbol(",") {
                comma = true;
            } else if !self.is_symbol(")") {
                return Err(self.unexpected("')'"));
            }
        }
        if self.is_symbol("->") {
            let names = items
                .iter()
                .map(|item| match &item.kind {
                    ExpressionKind::Field(chain) if chain.len() == 1 => chain.first().cloned(),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>();
            let Some(names) = names else {
                return Err(self.unexpected("an expression"));
            };
            self.at += 1;
            let body = self.expression()?;
            return Ok(self.since(start, ExpressionKind::Lambda(names, Box::new(body))));
        }
        if items.len() == 1 && !comma {
            // The parentheses themselves mean nothing more.
            return items.pop().ok_or_else(|| self.unexpected("an expression"));
        }
        if items.is_empty() {
            return Err(self.unexpected("an expression"));
        }
        Ok(self.since(start, ExpressionKind::Tuple(items)))
    }

    fn word(&mut self, text: &str, quoted: bool) -> Result<Expression, QueryError> {
        let start = self.start();
        let called = matches!(self.peek_at(1), TokenKind::Symbol("("));
        if !quoted {
            let constant = match text.to_ascii_lowercase().as_str() {
                "null" => Some(Constant::Null),
                "true" => Some(Constant::Boolean(true)),
                "false" => Some(Constant::Boolean(false)),
                "inf" | "infinity" if !called => Some(Constant::Float(f64::INFINITY)),
                "nan" if !called => Some(Constant::Float(f64::NAN)),
                _ => None,
            };
            if let Some(constant) = constant {
                self.at += 1;
                return Ok(self.since(start, ExpressionKind::Constant(constant)));
            }
            match text.to_ascii_lowercase().as_str() {
                "case" => return self.case(),
                "interval" if !called || self.interval_follows() => return self.interval(),
                "cast" if called => return self.cast(),
                "extract" if called => return self.extract(),
                "date" | "timestamp" => {
                    if let TokenKind::Text(value) = self.peek_at(1).clone() {
                        self.at += 2;
                        let literal =
                            self.since(start, ExpressionKind::Constant(Constant::Text(value)));
                        let function = if text.eq_ignore_ascii_case("date") {
                            "toDate"
                        } else {
                            "toDateTime"
                        };
                        return Ok(self.since(start, call(function, vec![literal])));
                    }
                }
                "select" => return Err(self.unexpected("an expression")),
                _ if !called && reserved(text) => return Err(self.unexpected("an expression")),
                _ => {}
            }
        }
        self.at += 1;
        if self.symbol("->") {
            let body = self.expression()?;
            return Ok(self.since(
                start,
                ExpressionKind::Lambda(vec![text.to_owned()], Box::new(body)),
            ));
        }
        if self.symbol("(") {
            return self.call(start, text);
        }
        let mut chain = vec![text.to_owned()];
        loop {
            if !(self.is_symbol(".") || self.is_symbol("?.")) {
                break;
            }
            match self.peek_at(1) {
                TokenKind::Word { text, .. } => {
                    chain.push(text.clone());
                    self.at += 2;
                }
                TokenKind::Symbol("*") => {
                    self.at += 2;
                    return Ok(self.since(start, ExpressionKind::Star(Some(chain.join(".")))));
                }
                _ => break,
            }
        }
        Ok(self.since(start, ExpressionKind::Field(chain)))
    }

    /// What follows the opening parenthesis of a call.
    pub(super) fn call(&mut self, start: usize, name: &str) -> Result<Expression, QueryError> {
        let mut distinct = self.keyword("distinct");
        let mut arguments = self.list(")")?;
        let mut parameters = None;
        if self.symbol("(") {
            parameters = Some(arguments);
            distinct = self.keyword("distinct");
            arguments = self.list(")")?;
        }
        let mut over = None;
        if self.keyword("over") {
            over = Some(if self.symbol("(") {
                self.window()?
            } else {
                Window {
                    name: Some(self.name()?),
                    ..Window::default()
                }
            });
        }
        Ok(self.since(
            start,
            ExpressionKind::Call(Box::new(Call {
                name: name.to_owned(),
                parameters,
                arguments,
                distinct,
                over,
            })),
        ))
    }
}

pub(super) fn call(name: &str, arguments: Vec<Expression>) -> ExpressionKind {
    ExpressionKind::Call(Box::new(Call {
        name: name.to_owned(),
        parameters: None,
        arguments,
        distinct: false,
        over: None,
    }))
}

fn number(digits: &str) -> Option<Constant> {
    if let Some(hexadecimal) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        return i64::from_str_radix(hexadecimal, 16)
            .ok()
            .map(Constant::Integer);
    }
    match digits.parse() {
        Ok(whole) => Some(Constant::Integer(whole)),
        Err(_) => digits.parse().ok().map(Constant::Float),
    }
}
