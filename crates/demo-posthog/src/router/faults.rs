//! What a client sees of a failure.

use axum::http::header;
use serde_json::json;

use crate::api::errors;
use crate::endpoint::Endpoint;
use crate::region::faults::Fault;
use crate::response::Response;

/// The response that replaces the usual one, if the fault is a response.
pub(crate) fn response(fault: &Fault, endpoint: Endpoint) -> Option<Response> {
    match fault {
        Fault::Status {
            code,
            body,
            content_type,
            retry_after,
        } => {
            let mut response = Response::empty(*code).with(header::CONTENT_TYPE, content_type);
            response.body = body.clone().into_bytes();
            Some(match retry_after {
                Some(seconds) => response.with(header::RETRY_AFTER, seconds.to_string()),
                None => response,
            })
        }
        Fault::Html502 => Some(Response::html(
            502,
            "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n",
        )),
        Fault::Throttled(seconds) => Some(errors::throttled(*seconds)),
        Fault::TooManyQueries => Some(errors::too_many_queries(
            "Exceeded maximum concurrency limit: 3 for key: api:query:per-team:1 and task: demo.",
        )),
        Fault::TooMuchMemory { old } => Some(errors::too_much_memory(*old)),
        Fault::Unavailable if endpoint.is_api() => Some(errors::database_unavailable()),
        Fault::Unavailable => Some(
            Response::json(
                503,
                &json!({
                    "error": "temporarily_unavailable",
                    "error_description": "The authorization server is temporarily unable to handle the request. Please retry.",
                }),
            )
            .with(header::RETRY_AFTER, "1"),
        ),
        Fault::BrokenJson => {
            let mut response = Response::empty(200).with(header::CONTENT_TYPE, "application/json");
            response.body = br#"{"results": [[1764"#.to_vec();
            Some(response)
        }
        Fault::Drop | Fault::Truncate | Fault::Slow(_) | Fault::Edit(_) => None,
    }
}

/// Changes the usual response, if the fault does.
pub(crate) fn edit(fault: &Fault, response: &mut Response) {
    if let Fault::Edit(edit) = fault
        && let Ok(mut body) = serde_json::from_slice(&response.body)
    {
        edit.apply(&mut body);
        response.body = body.to_string().into_bytes();
    }
}
