//! Expressions that have a grammar of their own: CASE, INTERVAL, CAST, EXTRACT.

use super::Parser;
use super::expression::{COMPARISON, call};
use crate::error::QueryError;
use crate::syntax::{Constant, Expression, ExpressionKind, Unit};
use crate::token::TokenKind;

impl Parser<'_> {
    pub(super) fn case(&mut self) -> Result<Expression, QueryError> {
        let start = self.start();
        self.at += 1;
        let operand = if self.is_keyword("when") {
            None
        } else {
            Some(Box::new(self.expression()?))
        };
        let mut branches = Vec::new();
        while self.keyword("when") {
            let condition = self.expression()?;
            self.expect_keyword("then")?;
            branches.push((condition, self.expression()?));
        }
        if branches.is_empty() {
            return Err(self.unexpected("WHEN"));
        }
        let otherwise = if self.keyword("else") {
            Some(Box::new(self.expression()?))
        } else {
            None
        };
        self.expect_keyword("end")?;
        Ok(self.since(
            start,
            ExpressionKind::Case {
                operand,
                branches,
                otherwise,
            },
        ))
    }

    /// Whether this is `INTERVAL (…) DAY`, and not a call.
    pub(super) fn interval_follows(&self) -> bool {
        let mut open = 0;
        for ahead in 1.. {
            match self.peek_at(ahead) {
                TokenKind::Symbol("(") => open += 1,
                TokenKind::Symbol(")") => open -= 1,
                TokenKind::End => return false,
                _ => {}
            }
            if open == 0 {
                return matches!(self.peek_at(ahead + 1), TokenKind::Word { text, .. } if Unit::parse(text).is_some());
            }
        }
        false
    }

    pub(super) fn interval(&mut self) -> Result<Expression, QueryError> {
        let start = self.start();
        self.at += 1;
        if let TokenKind::Text(text) = self.peek().clone() {
            let mut parts = text.split_whitespace();
            let count = parts.next().and_then(|count| count.parse::<i64>().ok());
            if let (Some(count), Some(unit)) = (count, parts.next().and_then(Unit::parse)) {
                self.at += 1;
                let count = self.since(start, ExpressionKind::Constant(Constant::Integer(count)));
                return Ok(self.since(start, ExpressionKind::Interval(Box::new(count), unit)));
            }
        }
        let count = self.operand(COMPARISON + 2)?;
        let unit = match self.peek() {
            TokenKind::Word {
                text,
                quoted: false,
            } => Unit::parse(text),
            _ => None,
        };
        let Some(unit) = unit else {
            return Err(self.unexpected("{SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR}"));
        };
        self.at += 1;
        Ok(self.since(start, ExpressionKind::Interval(Box::new(count), unit)))
    }

    pub(super) fn cast(&mut self) -> Result<Expression, QueryError> {
        let start = self.start();
        self.at += 1;
        self.expect_symbol("(")?;
        let value = self.expression()?;
        let name = if self.symbol(",") {
            match self.next() {
                TokenKind::Text(name) => name,
                _ => return Err(self.unexpected("the name of a type")),
            }
        } else {
            self.expect_keyword("as")?;
            self.name()?
        };
        self.expect_symbol(")")?;
        Ok(self.since(start, ExpressionKind::Cast(Box::new(value), name)))
    }

    pub(super) fn extract(&mut self) -> Result<Expression, QueryError> {
        let start = self.start();
        self.at += 2;
        if !self.keyword_at(1, "from") {
            // The other `extract`: a part of a text by a regular expression.
            return self.call(start, "extract");
        }
        let unit = self.name()?;
        self.expect_keyword("from")?;
        let value = self.expression()?;
        self.expect_symbol(")")?;
        let function = match unit.to_ascii_lowercase().as_str() {
            "second" => "toSecond",
            "minute" => "toMinute",
            "hour" => "toHour",
            "day" => "toDayOfMonth",
            "month" => "toMonth",
            "quarter" => "toQuarter",
            "year" => "toYear",
            _ => {
                return Err(
                    QueryError::unsupported(&format!("EXTRACT({unit} …)")).at(start, self.end())
                );
            }
        };
        Ok(self.since(start, call(function, vec![value])))
    }
}
