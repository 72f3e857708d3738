//! The pages that a person sees: login, consent, connected apps. Plain forms, no scripts.

mod connected_apps;
mod consent;
mod layout;
mod login;

use axum::http::header;
use url::Url;

use crate::region::Region;
use crate::region::grants::BrowserSession;
use crate::request::{Request, last};
use crate::response::Response;
use crate::route::Route;

/// Answers everything that a browser opens.
pub(crate) fn answer(region: &Region, request: &Request, route: &Route) -> Response {
    let method = match request.method.as_str() {
        "HEAD" => "GET",
        other => other,
    };
    if method == "POST" && !is_from_here(region, request) {
        return layout::refusal(region, 403, "This form was sent by another site.");
    }
    match (route, method) {
        (Route::Style, "GET") => layout::style(),
        (Route::Front, "GET") => Response::redirect(302, "/settings/connected-apps"),
        (Route::Login, "GET") => login::page(region, request),
        (Route::Login, "POST") => login::log_in(region, request),
        (Route::Logout, "POST") => login::log_out(region, request),
        (Route::ConnectedApps, "GET") => connected_apps::page(region, request),
        (Route::RevokeApp, "POST") => connected_apps::revoke(region, request),
        (Route::Authorize, "GET") => consent::page(region, request),
        (Route::Authorize, "POST") => consent::decide(region, request),
        (Route::Unknown, _) => layout::refusal(region, 404, "There is no such page."),
        (Route::Login | Route::Authorize, _) => {
            Response::empty(405).with(header::ALLOW, "GET, POST, HEAD")
        }
        (Route::Logout | Route::RevokeApp, _) => Response::empty(405).with(header::ALLOW, "POST"),
        _ => Response::empty(405).with(header::ALLOW, "GET, HEAD"),
    }
}

/// Whether a form came from one of these pages. A client that is no browser sends neither header.
fn is_from_here(region: &Region, request: &Request) -> bool {
    let site = request.header("sec-fetch-site");
    let origin = request.header(header::ORIGIN.as_str());
    site.is_none_or(|site| site == "same-origin")
        && origin.is_none_or(|origin| origin == region.address)
}

fn cookie_name(region: &Region) -> String {
    // Cookies do not mind the port: everything here and the app share one host.
    let name = region.posthog_region().unwrap_or("self_hosted");
    format!("demo_posthog_{name}")
}

/// Who is logged in, if anybody.
fn browser(region: &Region, request: &Request) -> Option<BrowserSession> {
    let cookie = request.cookie(&cookie_name(region))?;
    region.grants().browsers.get(cookie).cloned()
}

/// Who is logged in, or the way to the login.
fn logged_in(region: &Region, request: &Request) -> Result<BrowserSession, Response> {
    browser(region, request).ok_or_else(|| {
        let here = request
            .uri
            .path_and_query()
            .map_or("/", |here| here.as_str());
        let encoded = |text: &str| -> String {
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
        };
        let login = format!("/login?next={}", encoded(here));
        match &region.settings().single_sign_on {
            Some(elsewhere) => {
                let next = encoded(&format!("{}{login}", region.address));
                Response::redirect(302, &format!("{elsewhere}?next={next}"))
            }
            None => Response::redirect(302, &login),
        }
    })
}

/// Who sent a form, once it carries the token of that browser's pages.
fn sender(
    region: &Region,
    request: &Request,
    form: &[(String, String)],
) -> Result<BrowserSession, Response> {
    let browser = logged_in(region, request)?;
    if last(form, "form_token") == Some(&browser.form_token) {
        return Ok(browser);
    }
    Err(layout::refusal(
        region,
        403,
        "This page is out of date. Open it again.",
    ))
}

/// A place on this server to go on to; nothing else is followed.
fn place(next: Option<&str>) -> &str {
    next.filter(|next| {
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n'])
    })
    .unwrap_or("/settings/connected-apps")
}

/// What `form-action` has to allow, besides this server, for a redirect to `address`.
fn form_target(address: &str) -> String {
    let Ok(url) = Url::parse(address) else {
        return String::new();
    };
    let origin = url.origin();
    if origin.is_tuple() {
        origin.ascii_serialization()
    } else {
        format!("{}:", url.scheme())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_leads_on_to_this_server_only() {
        assert_eq!(
            place(Some("/oauth/authorize/?a=b")),
            "/oauth/authorize/?a=b"
        );
        for elsewhere in [
            Some("//evil.example"),
            Some("/\\evil.example"),
            Some("https://evil.example"),
            None,
        ] {
            assert_eq!(place(elsewhere), "/settings/connected-apps");
        }
    }

    #[test]
    fn a_form_may_lead_back_to_the_program() {
        assert_eq!(
            form_target("http://127.0.0.1:4711/callback"),
            "http://127.0.0.1:4711"
        );
        assert_eq!(form_target("com.example.app:/oauth"), "com.example.app:");
    }
}
