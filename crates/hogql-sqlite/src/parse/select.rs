//! Queries: SELECT with its clauses, and how several are put together.

use super::{Parser, reserved};
use crate::error::QueryError;
use crate::syntax::{
    Bound, Column, Condition, Join, JoinKind, Order, QueryTree, Select, SetOperator, Table, Window,
    With,
};
use crate::token::TokenKind;

impl Parser<'_> {
    pub(super) fn query(&mut self) -> Result<QueryTree, QueryError> {
        self.deeper(|parser| {
            let first = parser.query_term()?;
            let mut rest = Vec::new();
            while let Some(operator) = parser.set_operator()? {
                rest.push((operator, parser.query_term()?));
            }
            Ok(if rest.is_empty() {
                first
            } else {
                QueryTree::Set {
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

    fn query_term(&mut self) -> Result<QueryTree, QueryError> {
        if self.symbol("(") {
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(query);
        }
        if self.is_keyword("select") || self.is_keyword("with") {
            return Ok(QueryTree::Select(Box::new(self.select()?)));
        }
        Err(self.unexpected("SELECT"))
    }

    /// Whether a query begins here, maybe inside further parentheses.
    pub(super) fn is_query(&self) -> bool {
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

    /// `None` if no join follows; what was read has to be restored then.
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
                return Err(
                    QueryError::unsupported("ANY, ASOF, SEMI and ANTI joins").at(start, self.end())
                );
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
                return Err(QueryError::unsupported("table functions").at(start, self.end()));
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
                        return Err(
                            QueryError::unsupported("LIMIT BY with OFFSET").at(start, self.end())
                        );
                    }
                    select.limit_by = Some((limit, self.expressions()?));
                    continue;
                }
                if self.keywords(&["with", "ties"]) {
                    return Err(QueryError::unsupported("WITH TIES").at(start, self.end()));
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

    /// The content of `OVER (…)`, including the closing parenthesis.
    pub(super) fn window(&mut self) -> Result<Window, QueryError> {
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
}
