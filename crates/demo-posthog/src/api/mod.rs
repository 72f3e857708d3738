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

use crate::answer::Answer;
use crate::call::Call;
use crate::route::Route;
use crate::server::Server;

/// Answers a request below `/api/`.
pub(crate) async fn answer(server: &Arc<Server>, call: &Call, route: &Route) -> Answer {
    let answered = match route {
        Route::CurrentUser => users::current(server, call),
        Route::CurrentApiKey => api_keys::current(server, call),
        Route::Organizations => organizations::list(server, call),
        Route::Organization(id) => organizations::one(server, call, id),
        Route::OrganizationProjects(id) => projects::of_organization(server, call, id),
        Route::OrganizationProject(id, project) => {
            projects::one_of_organization(server, call, id, project)
        }
        Route::Projects => projects::list(server, call),
        Route::Project(id) => projects::one(server, call, id),
        Route::EventDefinitions(id) => event_definitions::list(server, call, id).await,
        Route::Annotations(id) => annotations::all(server, call, id),
        Route::Annotation(id, note) => annotations::one(server, call, id, note),
        Route::Query(id) => query::ask(server, call, id).await,
        Route::QueryStatus(id, query) => query::status(server, call, id, query),
        _ => Err(errors::not_found("Endpoint not found.")),
    };
    answered.unwrap_or_else(|refusal| refusal)
}

/// Refuses every method but these.
fn allow(call: &Call, methods: &[&str]) -> Result<(), Answer> {
    let method = call.method.as_str();
    let asked = if method == "HEAD" { "GET" } else { method };
    if methods.contains(&asked) {
        return Ok(());
    }
    Err(errors::method_not_allowed(
        method,
        &format!("{}, HEAD, OPTIONS", methods.join(", ")),
    ))
}
