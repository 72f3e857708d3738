//! Logging in as one of the sample people.

use axum::http::header;
use maud::{Markup, html};

use super::{browser, cookie_name, layout, place};
use crate::region::Region;
use crate::region::grants::BrowserSession;
use crate::region::secrets;
use crate::request::{Request, last};
use crate::response::Response;
use crate::world::Person;

/// The choice of people.
pub(super) fn page(region: &Region, request: &Request) -> Response {
    let next = place(request.parameter("next"));
    let content = html! {
        section.card.narrow {
            h1 { "Log in" }
            p { "Choose one of the sample people. There is no password." }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                ul.people {
                    @for person in &region.world.people {
                        li { (choice(region, person)) }
                    }
                }
            }
        }
    };
    layout::page(region, 200, "Log in", "", &content)
}

fn choice(region: &Region, person: &Person) -> Markup {
    let organizations: Vec<&str> = region
        .world
        .organizations_of(person.id)
        .map(|organization| organization.name.as_str())
        .collect();
    let projects = region
        .world
        .projects
        .iter()
        .filter(|project| region.world.sees(person.id, project))
        .count();
    let reach = match organizations.as_slice() {
        names @ ([] | [_] | [_, _]) => names.join(", "),
        many => format!("{} organizations", many.len()),
    };
    html! {
        button.choice id={ "login-as-" (person.id) } type="submit" name="person" value=(person.id) {
            (layout::person(person))
            span.reach { (reach) " · " (projects) " projects" }
        }
    }
}

/// Logs somebody in, and goes on to where they wanted to.
pub(super) fn log_in(region: &Region, request: &Request) -> Response {
    let form = request.form();
    let person = last(&form, "person")
        .and_then(|id| id.parse().ok())
        .and_then(|id| region.world.person(id));
    let Some(person) = person else {
        return layout::refusal(region, 400, "There is no such person.");
    };
    let name = secrets::alphanumeric(32);
    let session = BrowserSession {
        person: person.id,
        form_token: secrets::alphanumeric(32),
        since: region.clock.seconds(),
    };
    region.grants().browsers.insert(name.clone(), session);
    let cookie = format!(
        "{}={name}; Path=/; HttpOnly; SameSite=Lax",
        cookie_name(region)
    );
    Response::redirect(303, place(last(&form, "next"))).with(header::SET_COOKIE, cookie)
}

/// Logs out, and shows the choice of people for the same place.
pub(super) fn log_out(region: &Region, request: &Request) -> Response {
    let form = request.form();
    if browser(region, request).is_some()
        && let Some(cookie) = request.cookie(&cookie_name(region))
    {
        region.grants().browsers.remove(cookie);
    }
    let next = place(last(&form, "next"));
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    let gone = format!(
        "{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0",
        cookie_name(region)
    );
    Response::redirect(303, &format!("/login?next={next}")).with(header::SET_COOKIE, gone)
}
