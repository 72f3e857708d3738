//! Reads HogQL: PostHog's grammar, as far as one SELECT statement uses it.

use super::QueryError;
use super::syntax::{
    Bound, Call, Column, Condition, Constant, Expression, ExpressionKind, Join, JoinKind, Operator,
    Order, Query, Select, SetOperator, Table, Unit, Window, With,
};
use super::token::{Token, TokenKind, tokens};

/// Expressions and queries inside one another.
const MOST_LEVELS: usize = 60;

/// Words that end an expression instead of naming it.
const NO_ALIASES: [&str; 51] = [
    "all",
    "and",
    "anti",
    "any",
    "array",
    "as",
    "asc",
    "asof",
    "between",
    "by",
    "collate",
    "cross",
    "desc",
    "else",
    "end",
    "except",
    "final",
    "format",
    "from",
    "full",
    "global",
    "group",
    "having",
    "ilike",
    "in",
    "inner",
    "intersect",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "not",
    "nulls",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "prewhere",
    "qualify",
    "right",
    "sample",
    "semi",
    "settings",
    "then",
    "union",
    "using",
    "when",
    "where",
    "with",
];

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Result<Query, QueryError> {
    Parser::new(text)?.whole()
}

/// True where a text is HogQL and has an OFFSET, however it is written.
pub(super) fn skips_rows(text: &str) -> bool {
    Parser::new(text).is_ok_and(|mut parser| parser.whole().is_ok() && parser.skips_rows)
}

struct Parser<'a> {
    text: &'a str,
    /// Ends with [`TokenKind::End`].
    tokens: Vec<Token>,
    at: usize,
    level: usize,
    /// An OFFSET was read.
    skips_rows: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, QueryError> {
        Ok(Self {
            text,
            tokens: tokens(text)?,
            at: 0,
            level: 0,
            skips_rows: false,
        })
    }

    fn whole(&mut self) -> Result<Query, QueryError> {
        let query = self.query()?;
        match self.peek() {
            TokenKind::End => Ok(query),
            _ => Err(self.unexpected("<EOF>")),
        }
    }

    fn peek(&self) -> &TokenKind {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &TokenKind {
        self.tokens
            .get(self.at + ahead)
            .map_or(&TokenKind::End, |token| &token.kind)
    }

    fn start(&self) -> usize {
        self.tokens
            .get(self.at)
            .map_or(self.text.len(), |token| token.start)
    }

    /// Where the token before this one ended.
    fn end(&self) -> usize {
        self.at
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or(0, |token| token.end)
    }

    fn next(&mut self) -> TokenKind {
        let kind = self.peek().clone();
        if kind != TokenKind::End {
            self.at += 1;
        }
        kind
    }

    fn unexpected(&self, expected: &str) -> QueryError {
        let (start, end) = self
            .tokens
            .get(self.at)
            .map_or((self.text.len(), self.text.len()), |token| {
                (token.start, token.end)
            });
        let found = match self.peek() {
            TokenKind::End => "<EOF>",
            _ => &self.text[start..end],
        };
        QueryError::syntax(
            format!("mismatched input '{found}' expecting {expected}"),
            start,
            end,
        )
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), TokenKind::Symbol(found) if *found == symbol)
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), QueryError> {
        if self.symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("'{symbol}'")))
        }
    }

    fn keyword_at(&self, ahead: usize, keyword: &str) -> bool {
        matches!(self.peek_at(ahead), TokenKind::Word { text, quoted: false } if text.eq_ignore_ascii_case(keyword))
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        self.keyword_at(0, keyword)
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        self.at += usize::from(found);
        found
    }

    /// All of them in a row, or none.
    fn keywords(&mut self, keywords: &[&str]) -> bool {
        let found = keywords
            .iter()
            .enumerate()
            .all(|(ahead, keyword)| self.keyword_at(ahead, keyword));
        if found {
            self.at += keywords.len();
        }
        found
    }

    fn expect_keyword(&mut self, keyword: &str) -> Result<(), QueryError> {
        if self.keyword(keyword) {
            Ok(())
        } else {
            Err(self.unexpected(&keyword.to_ascii_uppercase()))
        }
    }

    fn name(&mut self) -> Result<String, QueryError> {
        match self.peek() {
            TokenKind::Word { text, .. } => {
                let text = text.clone();
                self.at += 1;
                Ok(text)
            }
            _ => Err(self.unexpected("an identifier")),
        }
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        if self.level >= MOST_LEVELS {
            return Err(QueryError::syntax(
                "The query is nested too deeply",
                self.start(),
                self.text.len(),
            ));
        }
        self.level += 1;
        let result = read(self);
        self.level -= 1;
        result
    }

    // Queries.

    fn query(&mut self) -> Result<Query, QueryError> {
        self.deeper(|parser| {
            let first = parser.query_term()?;
            let mut rest = Vec::new();
            while let Some(operator) = parser.set_operator()? {
                rest.push((operator, parser.query_term()?));
            }
            Ok(if rest.is_empty() {
                first
            } else {
                Query::Set {
                    first: Box::new(first),
                    rest,
                }
            })
        })
    }

    fn set_operator(&mut self) -> Result<Option<SetOperator>, QueryError> {
        Ok(Some(if self.keyword("union") {
            if self.keyword("all") {
                SetOperator::UnionAll
            } else if self.keyword("distinct") {
                SetOperator::UnionDistinct
            } else {
                return Err(self.unexpected("ALL"));
            }
        } else if self.keyword("intersect") {
            self.keyword("distinct");
            SetOperator::Intersect
        } else if self.keyword("except") {
            SetOperator::Except
        } else {
            return Ok(None);
        }))
    }

    fn query_term(&mut self) -> Result<Query, QueryError> {
        if self.symbol("(") {
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(query);
        }
        if self.is_keyword("select") || self.is_keyword("with") {
            return Ok(Query::Select(Box::new(self.select()?)));
        }
        Err(self.unexpected("SELECT"))
    }

    /// True where a query begins, maybe inside further parentheses.
    fn is_query(&self) -> bool {
        let mut ahead = 0;
        while matches!(self.peek_at(ahead), TokenKind::Symbol("(")) {
            ahead += 1;
        }
        self.keyword_at(ahead, "select") || self.keyword_at(ahead, "with")
    }

    fn select(&mut self) -> Result<Select, QueryError> {
        let mut select = Select::default();
        if self.keyword("with") {
            loop {
                select.with.push(self.with()?);
                if !self.symbol(",") {
                    break;
                }
            }
        }
        self.expect_keyword("select")?;
        select.distinct = self.keyword("distinct");
        select.columns = self.columns()?;
        if self.keyword("from") {
            self.from(&mut select)?;
        }
        let left = self.keywords(&["left", "array", "join"]);
        if left || self.keywords(&["array", "join"]) || self.keywords(&["inner", "array", "join"]) {
            select.array_join = Some((left, self.columns()?));
        }
        for clause in ["prewhere", "where"] {
            if self.keyword(clause) {
                select.filters.push(self.expression()?);
            }
        }
        if self.keywords(&["group", "by"]) {
            select.group_by = self.expressions()?;
        }
        if self.keyword("having") {
            select.having = Some(self.expression()?);
        }
        if self.keyword("window") {
            loop {
                let name = self.name()?;
                self.expect_keyword("as")?;
                self.expect_symbol("(")?;
                select.windows.push((name, self.window()?));
                if !self.symbol(",") {
                    break;
                }
            }
        }
        if self.keywords(&["order", "by"]) {
            select.order_by = self.orders()?;
        }
        self.limits(&mut select)?;
        Ok(select)
    }

    fn with(&mut self) -> Result<With, QueryError> {
        let named = matches!(self.peek(), TokenKind::Word { .. })
            && self.keyword_at(1, "as")
            && matches!(self.peek_at(2), TokenKind::Symbol("("));
        if named {
            let name = self.name()?;
            self.expect_keyword("as")?;
            self.expect_symbol("(")?;
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(With::Query(name, query));
        }
        let value = self.expression()?;
        self.expect_keyword("as")?;
        Ok(With::Expression(self.name()?, value))
    }

    fn columns(&mut self) -> Result<Vec<Column>, QueryError> {
        let mut columns = Vec::new();
        loop {
            let value = self.expression()?;
            columns.push(Column {
                value,
                alias: self.alias()?,
            });
            // A comma before FROM is allowed.
            if !self.symbol(",") || self.is_keyword("from") {
                return Ok(columns);
            }
        }
    }

    fn alias(&mut self) -> Result<Option<String>, QueryError> {
        if self.keyword("as") {
            return self.name().map(Some);
        }
        match self.peek() {
            TokenKind::Word { text, quoted } if *quoted || !reserved(text) => self.name().map(Some),
            _ => Ok(None),
        }
    }

    fn from(&mut self, select: &mut Select) -> Result<(), QueryError> {
        select.from.push(self.table(JoinKind::Cross)?);
        loop {
            if self.symbol(",") {
                let join = self.table(JoinKind::Cross)?;
                select.from.push(join);
                continue;
            }
            let before = self.at;
            let Some(kind) = self.join_kind()? else {
                self.at = before;
                return Ok(());
            };
            let mut join = self.table(kind)?;
            if self.keyword("on") {
                join.condition = Some(Condition::On(self.expression()?));
            } else if self.keyword("using") {
                let parentheses = self.symbol("(");
                let mut names = vec![self.name()?];
                while parentheses && self.symbol(",") {
                    names.push(self.name()?);
                }
                if parentheses {
                    self.expect_symbol(")")?;
                }
                join.condition = Some(Condition::Using(names));
            } else if kind != JoinKind::Cross {
                return Err(self.unexpected("ON"));
            }
            select.from.push(join);
        }
    }

    /// `None` where no join follows; what was read has to be put back then.
    fn join_kind(&mut self) -> Result<Option<JoinKind>, QueryError> {
        self.keyword("global");
        let mut kind = JoinKind::Inner;
        let mut any = false;
        loop {
            let start = self.start();
            if self.keyword("join") {
                return Ok(Some(kind));
            }
            if self.keyword("left") {
                kind = JoinKind::Left;
            } else if self.keyword("right") {
                kind = JoinKind::Right;
            } else if self.keyword("full") {
                kind = JoinKind::Full;
            } else if self.keyword("cross") {
                kind = JoinKind::Cross;
            } else if self.is_keyword("any")
                || self.is_keyword("asof")
                || self.is_keyword("semi")
                || self.is_keyword("anti")
            {
                any = true;
                self.at += 1;
            } else if !(self.keyword("inner") || self.keyword("outer") || self.keyword("all")) {
                if any {
                    return Err(self.unexpected("JOIN"));
                }
                return Ok(None);
            }
            if any && self.is_keyword("join") {
                return Err(QueryError::unsupported(
                    "ANY, ASOF, SEMI and ANTI joins",
                    start,
                    self.end(),
                ));
            }
        }
    }

    fn table(&mut self, kind: JoinKind) -> Result<Join, QueryError> {
        let start = self.start();
        let table = if self.is_symbol("(") && self.is_query() {
            self.at += 1;
            let query = self.query()?;
            self.expect_symbol(")")?;
            Table::Query(query)
        } else {
            let mut chain = vec![self.name()?];
            while self.symbol(".") {
                chain.push(self.name()?);
            }
            if self.is_symbol("(") {
                return Err(QueryError::unsupported(
                    "table functions",
                    start,
                    self.end(),
                ));
            }
            Table::Named(chain)
        };
        let end = self.end();
        let alias = self.alias()?;
        self.keyword("final");
        if self.keyword("sample") {
            // A sample of what little there is would only be wrong.
            self.expression()?;
            if self.keyword("offset") {
                self.expression()?;
            }
        }
        Ok(Join {
            kind,
            table,
            start,
            end,
            alias,
            condition: None,
        })
    }

    fn orders(&mut self) -> Result<Vec<Order>, QueryError> {
        let mut orders = Vec::new();
        loop {
            let value = self.expression()?;
            let descending = self.keyword("desc") || self.keyword("descending");
            if !descending {
                self.keyword("asc");
            }
            let nulls_first = if self.keywords(&["nulls", "first"]) {
                Some(true)
            } else if self.keywords(&["nulls", "last"]) {
                Some(false)
            } else {
                None
            };
            orders.push(Order {
                value,
                descending,
                nulls_first,
            });
            if !self.symbol(",") {
                return Ok(orders);
            }
        }
    }

    fn limits(&mut self, select: &mut Select) -> Result<(), QueryError> {
        loop {
            let start = self.start();
            if self.keyword("limit") {
                let first = self.expression()?;
                let mut offset = None;
                let mut limit = first;
                if self.symbol(",") {
                    offset = Some(limit);
                    self.skips_rows = true;
                    limit = self.expression()?;
                } else if self.keyword("offset") {
                    offset = Some(self.expression()?);
                    self.skips_rows = true;
                }
                if self.keyword("by") {
                    if offset.is_some() {
                        return Err(QueryError::unsupported(
                            "LIMIT BY with OFFSET",
                            start,
                            self.end(),
                        ));
                    }
                    select.limit_by = Some((limit, self.expressions()?));
                    continue;
                }
                if self.keywords(&["with", "ties"]) {
                    return Err(QueryError::unsupported("WITH TIES", start, self.end()));
                }
                select.limit = Some(limit);
                select.offset = offset;
            } else if self.keyword("offset") {
                select.offset = Some(self.expression()?);
                self.skips_rows = true;
            } else {
                return Ok(());
            }
        }
    }

    /// What stands between the parentheses of `OVER (…)`, the closing one included.
    fn window(&mut self) -> Result<Window, QueryError> {
        let mut window = Window::default();
        if self.keywords(&["partition", "by"]) {
            window.partition_by = self.expressions()?;
        }
        if self.keywords(&["order", "by"]) {
            window.order_by = self.orders()?;
        }
        let unit = if self.keyword("rows") {
            Some("ROWS")
        } else if self.keyword("range") {
            Some("RANGE")
        } else {
            None
        };
        if let Some(unit) = unit {
            window.frame = Some(if self.keyword("between") {
                let from = self.bound()?;
                self.expect_keyword("and")?;
                (unit, from, self.bound()?)
            } else {
                (unit, self.bound()?, Bound::CurrentRow)
            });
        }
        self.expect_symbol(")")?;
        Ok(window)
    }

    fn bound(&mut self) -> Result<Bound, QueryError> {
        if self.keywords(&["current", "row"]) {
            return Ok(Bound::CurrentRow);
        }
        if self.keywords(&["unbounded", "preceding"]) {
            return Ok(Bound::UnboundedPreceding);
        }
        if self.keywords(&["unbounded", "following"]) {
            return Ok(Bound::UnboundedFollowing);
        }
        let rows = match self.peek() {
            TokenKind::Number(digits) => digits.parse().ok(),
            _ => None,
        };
        let Some(rows) = rows else {
            return Err(self.unexpected("CURRENT"));
        };
        self.at += 1;
        if self.keyword("preceding") {
            Ok(Bound::Preceding(rows))
        } else {
            self.expect_keyword("following")?;
            Ok(Bound::Following(rows))
        }
    }

    // Expressions.

    fn expressions(&mut self) -> Result<Vec<Expression>, QueryError> {
        let mut expressions = vec![self.expression()?];
        while self.symbol(",") {
            expressions.push(self.expression()?);
        }
        Ok(expressions)
    }

    fn expression(&mut self) -> Result<Expression, QueryError> {
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

    fn since(&self, start: usize, kind: ExpressionKind) -> Expression {
        Expression {
            kind,
            start,
            end: self.end(),
        }
    }

    /// An expression whose operators bind at least as tightly as `least`.
    fn operand(&mut self, least: u8) -> Result<Expression, QueryError> {
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
                        return Err(QueryError::unsupported("cohorts", start, self.end()));
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
    fn call(&mut self, start: usize, name: &str) -> Result<Expression, QueryError> {
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

    fn case(&mut self) -> Result<Expression, QueryError> {
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

    /// True where `INTERVAL (…) DAY` stands, and not a call.
    fn interval_follows(&self) -> bool {
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

    fn interval(&mut self) -> Result<Expression, QueryError> {
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

    fn cast(&mut self) -> Result<Expression, QueryError> {
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

    fn extract(&mut self) -> Result<Expression, QueryError> {
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
                return Err(QueryError::unsupported(
                    &format!("EXTRACT({unit} …)"),
                    start,
                    self.end(),
                ));
            }
        };
        Ok(self.since(start, call(function, vec![value])))
    }
}

/// How tightly comparisons bind; OR is 1, AND is 2, NOT stands between them.
const COMPARISON: u8 = 4;

fn reserved(word: &str) -> bool {
    NO_ALIASES
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(word))
        || word.eq_ignore_ascii_case("window")
}

fn call(name: &str, arguments: Vec<Expression>) -> ExpressionKind {
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
