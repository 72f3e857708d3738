//! The REST API: who asks, what they may reach, and the endpoints.

pub(crate) mod annotations;
pub(crate) mod api_keys;
pub(crate) mod credential;
pub(crate) mod errors;
pub(crate) mod event_definitions;
pub(crate) mod organizations;
pub(crate) mod page;
pub(crate) mod projects;
pub(crate) mod query;
pub(crate) mod users;

use std::sync::Arc;

use crate::region::Region;
use crate::request::Request;
use crate::response::Response;
use crate::route::Route;

/// Answers a request below `/api/`.
pub(crate) async fn answer(region: &Arc<Region>, request: &Request, route: &Route) -> Response {
    let answered = match route {
        Route::CurrentUser => users::current(region, request),
        Route::CurrentApiKey => api_keys::current(region, request),
        Route::Organizations => organizations::list(region, request),
        Route::Organization(id) => organizations::one(region, request, id),
        Route::OrganizationProjects(id) => projects::of_organization(region, request, id),
        Route::OrganizationProject(id, project) => {
            projects::one_of_organization(region, request, id, project)
        }
        Route::Projects => projects::list(region, request),
        Route::Project(id) => projects::one(region, request, id),
        Route::EventDefinitions(id) => event_definitions::list(region, request, id).await,
        Route::Annotations(id) => annotations::all(region, request, id),
        Route::Annotation(id, note) => annotations::one(region, request, id, note),
        Route::Query(id) => query::ask(region, request, id).await,
        Route::QueryStatus(id, query) => query::status(region, request, id, query),
        _ => Err(errors::not_found("Endpoint not found.")),
    };
    answered.unwrap_or_else(|refusal| refusal)
}

/// Refuses every method but these.
fn allow(request: &Request, methods: &[&str]) -> Result<(), Response> {
    let method = request.method.as_str();
    let asked = if method == "HEAD" { "GET" } else { method };
    if methods.contains(&asked) {
        return Ok(());
    }
    Err(errors::method_not_allowed(
        method,
        &format!("{}, HEAD, OPTIONS", methods.join(", ")),
    ))
}
