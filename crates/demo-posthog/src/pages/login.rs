//! Logging in as one of the sample people.

use axum::http::header;
use maud::{Markup, html};

use super::{browser, cookie_name, layout, place};
use crate::answer::Answer;
use crate::call::{Call, last};
use crate::oauth::grant::BrowserSession;
use crate::oauth::secrets;
use crate::server::Server;
use crate::world::Person;

/// The choice of people.
pub(super) fn page(server: &Server, call: &Call) -> Answer {
    let next = place(call.parameter("next"));
    let content = html! {
        section.card.narrow {
            h1 { "Log in" }
            p { "Choose one of the sample people. There is no password." }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                ul.people {
                    @for person in &server.world.people {
                        li { (choice(server, person)) }
                    }
                }
            }
        }
    };
    layout::page(server, 200, "Log in", "", &content)
}

fn choice(server: &Server, person: &Person) -> Markup {
    let organizations: Vec<&str> = server
        .world
        .organizations_of(person.id)
        .map(|organization| organization.name.as_str())
        .collect();
    let projects = server
        .world
        .projects
        .iter()
        .filter(|project| server.world.sees(person.id, project))
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
pub(super) fn log_in(server: &Server, call: &Call) -> Answer {
    let form = call.form();
    let person = last(&form, "person")
        .and_then(|id| id.parse().ok())
        .and_then(|id| server.world.person(id));
    let Some(person) = person else {
        return layout::refusal(server, 400, "There is no such person here.");
    };
    let name = secrets::alphanumeric(32);
    let session = BrowserSession {
        person: person.id,
        form_token: secrets::alphanumeric(32),
        since: server.clock.seconds(),
    };
    server.grants().browsers.insert(name.clone(), session);
    let cookie = format!(
        "{}={name}; Path=/; HttpOnly; SameSite=Lax",
        cookie_name(server)
    );
    Answer::redirect(303, place(last(&form, "next"))).with(header::SET_COOKIE, cookie)
}

/// Logs out, and shows the choice of people for the same place.
pub(super) fn log_out(server: &Server, call: &Call) -> Answer {
    let form = call.form();
    if browser(server, call).is_some()
        && let Some(cookie) = call.cookie(&cookie_name(server))
    {
        server.grants().browsers.remove(cookie);
    }
    let next = place(last(&form, "next"));
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    let gone = format!(
        "{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0",
        cookie_name(server)
    );
    Answer::redirect(303, &format!("/login?next={next}")).with(header::SET_COOKIE, gone)
}
