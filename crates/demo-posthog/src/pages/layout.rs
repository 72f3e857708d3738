//! What all pages share: the ribbon that says what this is, the headers, the style sheet.

use axum::http::{HeaderName, header};
use maud::{DOCTYPE, Markup, html};

use crate::region::Region;
use crate::response::Response;
use crate::world::{Person, RegionName};

const STYLE: &str = include_str!("style.css");

/// A page. Its forms may lead to `form_target` besides this server.
pub(super) fn page(
    region: &Region,
    status: u16,
    title: &str,
    form_target: &str,
    content: &Markup,
) -> Response {
    let place = match (region.posthog_region(), region.name) {
        (None, _) => "self-hosted",
        (_, RegionName::Us) => "US region",
        (_, RegionName::Eu) => "EU region",
    };
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Demo PostHog" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/static/demo.css";
            }
            body {
                header.ribbon {
                    span.mark aria-hidden="true" {}
                    strong { "Demo PostHog" }
                    span.invented { "invented data" }
                    span.region { (place) }
                }
                main { (content) }
                footer {
                    p { "This server runs on your own computer and belongs to PocketHog's demo. It is not PostHog, and nothing here is real." }
                }
            }
        }
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' {form_target}; base-uri 'none'; frame-ancestors 'none'"
    );
    Response::html(status, document.into_string())
        .with(header::CONTENT_SECURITY_POLICY, policy)
        .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .with(header::REFERRER_POLICY, "same-origin")
        .with(header::CACHE_CONTROL, "no-store")
}

/// A page that says no in one sentence.
pub(super) fn refusal(region: &Region, status: u16, sentence: &str) -> Response {
    let content = html! {
        section.card.narrow {
            h1 { "That did not work" }
            p { (sentence) }
            p { a href="/settings/connected-apps" { "Connected apps" } }
        }
    };
    page(region, status, "That did not work", "", &content)
}

/// The style sheet.
pub(super) fn style() -> Response {
    let mut response = Response::empty(200)
        .with(header::CONTENT_TYPE, "text/css; charset=utf-8")
        .with(header::CACHE_CONTROL, "max-age=60")
        .with(HeaderName::from_static("x-content-type-options"), "nosniff");
    response.body = STYLE.as_bytes().to_vec();
    response
}

/// A person with initials in a circle.
pub(super) fn person(person: &Person) -> Markup {
    let initials: String = [&person.given_name, &person.family_name]
        .iter()
        .filter_map(|name| name.chars().next())
        .collect();
    html! {
        span.person {
            span.initials aria-hidden="true" { (initials) }
            span.who {
                strong { (person.name()) }
                small { (person.email) }
            }
        }
    }
}
