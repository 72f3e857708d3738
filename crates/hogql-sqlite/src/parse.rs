//! Reads HogQL: PostHog's grammar, as far as one SELECT statement uses it.

mod expression;
mod forms;
mod select;

use crate::error::QueryError;
use crate::syntax::{Expression, QueryTree};
use crate::token::{Token, TokenKind, tokens};

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
pub(crate) fn parse(text: &str) -> Result<QueryTree, QueryError> {
    Parser::new(text)?.whole()
}

/// Reads a text that is a single expression, as a property filter of type `hogql` has it.
pub(crate) fn condition(text: &str) -> Result<Expression, QueryError> {
    let mut parser = Parser::new(text)?;
    let expression = parser.expression()?;
    match parser.peek() {
        TokenKind::End => Ok(expression),
        _ => Err(parser.unexpected("<EOF>")),
    }
}

/// Whether a text is HogQL and has an OFFSET, however it is written.
pub(crate) fn skips_rows(text: &str) -> bool {
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

    fn whole(&mut self) -> Result<QueryTree, QueryError> {
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
}

fn reserved(word: &str) -> bool {
    NO_ALIASES
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(word))
        || word.eq_ignore_ascii_case("window")
}
