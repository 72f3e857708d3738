//! Pages of a list: `limit` and `offset`, with absolute addresses of the next and the previous one.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::call::Call;
use crate::server::Server;

/// Items of a page unless `limit` says otherwise.
pub(crate) const PAGE: usize = 100;

/// The page of `items` that a request asks for; `show` is called for that page only.
pub(crate) fn page<T>(
    server: &Server,
    call: &Call,
    items: &[T],
    default: usize,
    show: impl FnMut(&T) -> Value,
) -> Answer {
    let number = |name: &str| {
        call.parameter(name)
            .and_then(|value| value.parse::<usize>().ok())
    };
    let limit = number("limit")
        .filter(|limit| *limit > 0)
        .unwrap_or(default);
    let offset = number("offset").unwrap_or(0);
    let results: Vec<Value> = items.iter().skip(offset).take(limit).map(show).collect();
    let next = offset.saturating_add(limit);
    let next = (next < items.len()).then(|| address(server, call, limit, next));
    let previous = (offset > 0).then(|| address(server, call, limit, offset.saturating_sub(limit)));
    Answer::json(
        200,
        &json!({"count": items.len(), "next": next, "previous": previous, "results": results}),
    )
}

/// The address of another page: all other parameters stay, in the order of their names.
fn address(server: &Server, call: &Call, limit: usize, offset: usize) -> String {
    let mut query: Vec<(&str, String)> = call
        .query
        .iter()
        .filter(|(name, _)| name != "limit" && name != "offset")
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    query.push(("limit", limit.to_string()));
    if offset > 0 {
        query.push(("offset", offset.to_string()));
    }
    query.sort();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    format!("{}{}?{query}", server.address, call.uri.path())
}
