//! The way of a request through a region: to its endpoint, and past the failures that a test asked for.

mod faults;

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{ConnectInfo, State};

use crate::api::errors;
use crate::endpoint::Endpoint;
use crate::listener::CutHandle;
use crate::oauth::{introspection, metadata, registration, revocation, signing, token, userinfo};
use crate::region::Region;
use crate::region::faults::{Fault, When};
use crate::request::Request;
use crate::response::Response;
use crate::route::Route;
use crate::{api, pages};

/// Largest request body: PostHog's 20 MB.
const LARGEST_BODY: usize = 20 * 1024 * 1024;

/// Answers a request, and lets the failures strike that a test asked for.
pub(crate) async fn respond(
    State(region): State<Arc<Region>>,
    ConnectInfo(cut): ConnectInfo<CutHandle>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let route = Route::of(parts.uri.path());
    let endpoint = route.endpoint();
    let under_way = (endpoint == Endpoint::Query).then(|| region.counting.query());
    let agent = parts
        .headers
        .get("user-agent")
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    region.counting.change(|counters| {
        *counters.requests.entry(endpoint).or_default() += 1;
        *counters.user_agents.entry(agent).or_default() += 1;
    });
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return errors::too_large().into();
    };
    let request = Request::new(parts.method, parts.uri, parts.headers, body);
    // A query is delayed while it holds its slot, and a person who clicks through the pages is not.
    if endpoint != Endpoint::Query && !route.is_page() {
        region.delay().await;
    }
    let failure = region.failures().take(endpoint);
    let response = match failure {
        None => answer(&region, &request, &route).await,
        Some((Fault::Slow(late), when)) => {
            if when == When::Before {
                tokio::time::sleep(late).await;
            }
            let response = answer(&region, &request, &route).await;
            if when == When::After {
                tokio::time::sleep(late).await;
            }
            response
        }
        Some((fault @ Fault::Edit(_), _)) => {
            let mut response = answer(&region, &request, &route).await;
            faults::edit(&fault, &mut response);
            response
        }
        Some((Fault::Truncate, _)) => {
            let response = answer(&region, &request, &route).await;
            cut.in_body(response.body.len() / 2);
            response
        }
        Some((fault, when)) => {
            if when == When::After {
                answer(&region, &request, &route).await;
            }
            faults::response(&fault, endpoint).unwrap_or_else(|| {
                cut.now();
                Response::empty(200)
            })
        }
    };
    drop(under_way);
    response.into()
}

async fn answer(region: &Arc<Region>, request: &Request, route: &Route) -> Response {
    if matches!(
        route.endpoint(),
        Endpoint::Metadata | Endpoint::Registration | Endpoint::Authorize
    ) {
        // Somebody begins to sign in, and will need it.
        signing::prepare(region.name);
    }
    match route {
        Route::AuthorizationServer
        | Route::OpenIdConfiguration
        | Route::ProtectedResource
        | Route::Jwks => metadata::answer(region, request, route).await,
        Route::Registration => registration::answer(region, request),
        Route::Token => token::answer(region, request).await,
        Route::Revocation => revocation::answer(region, request),
        Route::Introspection => introspection::answer(region, request),
        Route::Userinfo => userinfo::answer(region, request),
        page if page.is_page() => pages::answer(region, request, page),
        _ => api::answer(region, request, route).await,
    }
}
