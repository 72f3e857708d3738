//! Pages of a list: `limit` and `offset`, with absolute addresses of the next and the previous one.

use serde_json::{Value, json};

use crate::region::Region;
use crate::request::Request;
use crate::response::Response;

/// Items of a page unless `limit` says otherwise.
pub(crate) const PAGE: usize = 100;

/// The page of `items` that a request asks for; `show` is called for that page only.
pub(crate) fn page<T>(
    region: &Region,
    request: &Request,
    items: &[T],
    default: usize,
    show: impl FnMut(&T) -> Value,
) -> Response {
    let number = |name: &str| {
        request
            .parameter(name)
            .and_then(|value| value.parse::<usize>().ok())
    };
    let limit = number("limit")
        .filter(|limit| *limit > 0)
        .unwrap_or(default);
    let offset = number("offset").unwrap_or(0);
    let results: Vec<Value> = items.iter().skip(offset).take(limit).map(show).collect();
    let next = offset.saturating_add(limit);
    let next = (next < items.len()).then(|| address(region, request, limit, next));
    let previous =
        (offset > 0).then(|| address(region, request, limit, offset.saturating_sub(limit)));
    Response::json(
        200,
        &json!({"count": items.len(), "next": next, "previous": previous, "results": results}),
    )
}

/// The address of another page: all other parameters stay, in the order of their names.
fn address(region: &Region, request: &Request, limit: usize, offset: usize) -> String {
    let mut query: Vec<(&str, String)> = request
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
    format!("{}{}?{query}", region.address, request.uri.path())
}
