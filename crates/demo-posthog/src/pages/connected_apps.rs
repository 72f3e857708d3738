//! The programs that a person let in, and how to throw them out.

use maud::{Markup, html};

use super::{layout, logged_in, sender};
use crate::region::Region;
use crate::region::clients::Client;
use crate::region::grants::{BrowserSession, SignIn};
use crate::region::reach::Reach;
use crate::request::{Request, last};
use crate::response::Response;

/// The list.
pub(super) fn page(region: &Region, request: &Request) -> Response {
    let browser = match logged_in(region, request) {
        Ok(browser) => browser,
        Err(login) => return login,
    };
    let apps: Vec<(Client, Vec<SignIn>)> = {
        let grants = region.grants();
        grants
            .connected(browser.person, region.clock.seconds())
            .into_iter()
            .map(|client| {
                let sign_ins = grants.sign_ins.values().filter(|sign_in| {
                    sign_in.person == browser.person && sign_in.client_id == client.id
                });
                (client.clone(), sign_ins.cloned().collect())
            })
            .collect()
    };
    let revoked = request.parameter("revoked").is_some();
    let content = html! {
        section.card {
            h1 { "Connected apps" }
            @if revoked {
                p.notice role="status" { "Access was revoked. The application has to ask you again." }
            }
            p { "Applications that may use your account. Revoking one ends all of its sign-ins at once." }
            @if apps.is_empty() {
                p.empty { "No application has access." }
            } @else {
                ul.apps {
                    @for (client, sign_ins) in &apps {
                        li { (app(region, &browser, client, sign_ins)) }
                    }
                }
            }
            (account(region, &browser, "/settings/connected-apps", "log-out", "Log out"))
        }
    };
    layout::page(region, 200, "Connected apps", "", &content)
}

fn app(region: &Region, browser: &BrowserSession, client: &Client, sign_ins: &[SignIn]) -> Markup {
    html! {
        div.app {
            h2 { (client.name) }
            @for sign_in in sign_ins {
                p {
                    (reach(region, &sign_in.reach))
                    br;
                    small.scopes { (sign_in.scopes.join(" ")) }
                }
            }
        }
        form method="post" action="/settings/connected-apps/revoke" {
            input type="hidden" name="form_token" value=(browser.form_token);
            input type="hidden" name="client_id" value=(client.id);
            button.danger id={ "revoke-" (client.id) } type="submit"
                aria-label={ "Revoke " (client.name) } { "Revoke" }
        }
    }
}

fn reach(region: &Region, reach: &Reach) -> String {
    let names: Vec<&str> = match reach {
        Reach::All => return "All organizations and projects".to_owned(),
        Reach::Organizations(ids) => ids
            .iter()
            .filter_map(|id| region.world.organization(id))
            .map(|organization| organization.name.as_str())
            .collect(),
        Reach::Projects(ids) => ids
            .iter()
            .filter_map(|id| region.world.project(*id))
            .map(|project| project.name.as_str())
            .collect(),
    };
    names.join(", ")
}

/// Who is logged in, with a button that ends it.
pub(super) fn account(
    region: &Region,
    browser: &BrowserSession,
    next: &str,
    id: &str,
    button: &str,
) -> Markup {
    html! {
        form.account method="post" action="/logout" {
            input type="hidden" name="next" value=(next);
            @if let Some(person) = region.world.person(browser.person) {
                (layout::person(person))
            }
            button.quiet id=(id) type="submit" { (button) }
        }
    }
}

/// Throws a program out.
pub(super) fn revoke(region: &Region, request: &Request) -> Response {
    let form = request.form();
    let browser = match sender(region, request, &form) {
        Ok(browser) => browser,
        Err(refusal) => return refusal,
    };
    let client = last(&form, "client_id").unwrap_or_default();
    region.grants().sweep(browser.person, client);
    Response::redirect(303, "/settings/connected-apps?revoked=1")
}
