//! How many rows a query gives: PostHog's LIMIT is added if a text has none.

use crate::syntax::{Constant, Expression, ExpressionKind, QueryTree, Select};

/// Rows of a query without a LIMIT of its own.
const DEFAULT_ROWS: i64 = 100;
/// Rows of any query.
pub(crate) const MOST_ROWS: i64 = 50_000;

/// Adds PostHog's LIMIT if the query has no LIMIT, and lowers what is too large. Returns the LIMIT that a query
/// alone was given; it then asks for one row more, to see whether there are more.
pub(crate) fn limit(query: &mut QueryTree) -> Option<i64> {
    match query {
        QueryTree::Select(select) if select.limit.is_none() => {
            select.limit = Some(number(DEFAULT_ROWS + 1));
            Some(DEFAULT_ROWS)
        }
        QueryTree::Select(select) => {
            lower(select);
            None
        }
        QueryTree::Set { first, rest } => {
            for branch in
                std::iter::once(first.as_mut()).chain(rest.iter_mut().map(|(_, branch)| branch))
            {
                if let QueryTree::Select(select) = branch
                    && select.limit.is_none()
                {
                    select.limit = Some(number(DEFAULT_ROWS));
                } else {
                    limit(branch);
                }
            }
            None
        }
    }
}

fn lower(select: &mut Select) {
    if let Some(Expression {
        kind: ExpressionKind::Constant(Constant::Integer(limit)),
        ..
    }) = &mut select.limit
    {
        *limit = (*limit).min(MOST_ROWS);
    }
}

fn number(number: i64) -> Expression {
    Expression {
        kind: ExpressionKind::Constant(Constant::Integer(number)),
        start: 0,
        end: 0,
    }
}
