//! The consent page: who asks, what for, and what of it the person gives.

use maud::{Markup, html};

use super::{connected_apps, form_target, layout, logged_in, sender};
use crate::oauth::authorize::{self, Authorization, Refusal};
use crate::oauth::consent::{Decision, Level, Row, rows};
use crate::region::Region;
use crate::region::grants::BrowserSession;
use crate::region::scopes;
use crate::request::{Request, every, last};
use crate::response::Response;
use crate::world::{Organization, Project};

/// Shows the page, or why there is not one. A browser that is not logged in is sent to the login first: a
/// program learns nothing here about the client id that it has.
pub(super) fn page(region: &Region, request: &Request) -> Response {
    let browser = match logged_in(region, request) {
        Ok(browser) => browser,
        Err(login) => return login,
    };
    let authorization = match authorize::read(region, &request.query) {
        Ok(authorization) => authorization,
        Err(refusal) => return refused(refusal, 302),
    };
    if authorization.auto
        && let Some(decision) = earlier(region, &authorization, &browser)
    {
        return Response::redirect(302, &decision.settle(region, &authorization));
    }
    show(region, request, &authorization, &browser, None, &[])
}

/// Reads the form, and leads back to the program.
pub(super) fn decide(region: &Region, request: &Request) -> Response {
    let form = request.form();
    let browser = match sender(region, request, &form) {
        Ok(browser) => browser,
        Err(refusal) => return refusal,
    };
    let authorization = match authorize::read(region, &request.query) {
        Ok(authorization) => authorization,
        Err(refusal) => return refused(refusal, 303),
    };
    if last(&form, "decision") == Some("deny") {
        return Response::redirect(303, &authorization.deny());
    }
    match Decision::read(region, &authorization, browser.person, browser.since, &form) {
        Ok(decision) => Response::redirect(303, &decision.settle(region, &authorization)),
        Err(why) => show(region, request, &authorization, &browser, Some(why), &form),
    }
}

fn refused(refusal: Refusal, status: u16) -> Response {
    match refusal {
        Refusal::Shown(response) => response,
        Refusal::Redirected(address) => Response::redirect(status, &address),
    }
}

/// The decision of an earlier sign-in that still holds and covers what is asked for.
fn earlier(
    region: &Region,
    authorization: &Authorization,
    browser: &BrowserSession,
) -> Option<Decision> {
    let now = region.clock.seconds();
    let grants = region.grants();
    grants
        .access
        .values()
        .filter(|token| token.expires_at > now)
        .filter(|token| {
            let granted = |scope| scopes::satisfies(&token.scopes, scope);
            authorization.scopes.iter().all(|scope| granted(scope))
        })
        .filter_map(|token| grants.sign_ins.get(&token.sign_in))
        .find(|sign_in| {
            sign_in.person == browser.person && sign_in.client_id == authorization.client.id
        })
        .map(|sign_in| Decision {
            person: browser.person,
            reach: sign_in.reach.clone(),
            scopes: authorization.scopes.clone(),
            auth_time: browser.since,
        })
}

/// The page. After a mistake, `form` is what the person had chosen.
fn show(
    region: &Region,
    request: &Request,
    authorization: &Authorization,
    browser: &BrowserSession,
    mistake: Option<&str>,
    form: &[(String, String)],
) -> Response {
    let here = request
        .uri
        .path_and_query()
        .map_or("/", |here| here.as_str());
    let target = form_target(&authorization.redirect_uri);
    let name = &authorization.client.name;
    let content = html! {
        section.card {
            h1 { bdi { (name) } " wants to access your account" }
            p.unverified {
                strong { "Unverified application." }
                " Only go on if you started this yourself."
            }
            (connected_apps::account(region, browser, here, "switch-account", "Switch account"))
            @if let Some(mistake) = mistake {
                p.mistake role="alert" { (mistake) }
            }
            form method="post" action=(here) {
                input type="hidden" name="form_token" value=(browser.form_token);
                (reach(region, authorization, browser, form))
                (permissions(authorization, form))
                p.back {
                    "After this you go back to " strong { (target) } ". Your organization's own access rules still apply."
                }
                div.decision {
                    button.secondary id="deny" type="submit" name="decision" value="deny" { "Cancel" }
                    button.primary id="authorize" type="submit" name="decision" value="authorize" {
                        "Authorize " bdi { (name) }
                    }
                }
            }
        }
    };
    let status = if mistake.is_some() { 400 } else { 200 };
    layout::page(region, status, "Authorize", &target, &content)
}

/// The three levels of access, with what can be chosen in each.
fn reach(
    region: &Region,
    authorization: &Authorization,
    browser: &BrowserSession,
    form: &[(String, String)],
) -> Markup {
    let required = authorization.required_access_level.as_deref();
    let chosen = last(form, "access_level").or(required).unwrap_or("all");
    let offered = |level: &str| required.is_none_or(|required| required == level);
    let organizations: Vec<&Organization> = region.world.organizations_of(browser.person).collect();
    let level = |key: &str, title: &str, explanation: &str| {
        html! {
            input id={ "access-" (key) } type="radio" name="access_level" value=(key)
                checked[chosen == key];
            label for={ "access-" (key) } { strong { (title) } small { (explanation) } }
        }
    };
    html! {
        fieldset.levels {
            legend { "What it may see" }
            @if offered("all") {
                div.level { (level("all", "Everything", "All organizations and projects, future ones too")) }
            }
            @if offered("organization") {
                div.level {
                    (level("organization", "Organizations", "Only the ones you choose"))
                    ul.options {
                        @for organization in &organizations {
                            li { (organization_option(organization, form)) }
                        }
                    }
                }
            }
            @if offered("project") {
                div.level {
                    (level("project", "Projects", "Only the ones you choose"))
                    @for organization in &organizations {
                        h2.group { bdi { (organization.name) } }
                        ul.options {
                            @for project in region.world.projects_of(&organization.id) {
                                li { (project_option(project, authorization.team, form)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn organization_option(organization: &Organization, form: &[(String, String)]) -> Markup {
    let id = format!("organization-{}", organization.id);
    let ticked = every(form, "organization").any(|chosen| chosen == organization.id);
    html! {
        label.option for=(id) {
            input id=(id) type="checkbox" name="organization" value=(organization.id) checked[ticked];
            bdi { (organization.name) }
        }
    }
}

fn project_option(project: &Project, team: Option<u64>, form: &[(String, String)]) -> Markup {
    let id = format!("project-{}", project.id);
    let number = project.id.to_string();
    let ticked = every(form, "project").any(|chosen| chosen == number)
        || (form.is_empty() && team == Some(project.id));
    html! {
        label.option for=(id) {
            input id=(id) type="checkbox" name="project" value=(number) checked[ticked];
            bdi { (project.name) }
        }
    }
}

/// What it asks for, one row for each kind of object.
fn permissions(authorization: &Authorization, form: &[(String, String)]) -> Markup {
    let identity: Vec<&str> = scopes::IDENTITY
        .iter()
        .filter(|(scope, _)| authorization.scopes.iter().any(|asked| asked == scope))
        .map(|(_, words)| *words)
        .collect();
    html! {
        fieldset.permissions {
            legend { "What it may do" }
            @if !identity.is_empty() {
                ul.identity {
                    @for words in &identity { li { (words) } }
                }
            }
            @for row in &rows(authorization) { (permission(row, form)) }
            @if authorization.scopes.iter().any(|scope| scope == "*") {
                p.mistake { "Everything that you are allowed to do yourself." }
            }
        }
    }
}

fn permission(row: &Row, form: &[(String, String)]) -> Markup {
    let title = scopes::OBJECTS
        .iter()
        .find(|(object, _)| *object == row.object)
        .map_or(row.object.as_str(), |(_, words)| words);
    let group = format!("scope.{}", row.object);
    let chosen = last(form, &group).unwrap_or(row.asked.key());
    let levels: &[(Level, &str)] = match row.asked {
        Level::Write => &[
            (Level::None, "None"),
            (Level::Read, "Read"),
            (Level::Write, "Write"),
        ],
        _ => &[(Level::None, "None"), (Level::Read, "Read")],
    };
    html! {
        div.permission role="group" aria-label=(title) {
            span.object { (title) }
            @if row.required {
                span.required {
                    @if row.asked == Level::Write { "Write" } @else { "Read" }
                    " · required"
                }
            } @else {
                span.segments {
                    @for (level, words) in levels {
                        @let id = format!("scope-{}-{}", row.object, level.key());
                        input id=(id) type="radio" name=(group) value=(level.key())
                            checked[chosen == level.key()];
                        label for=(id) { (words) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_object_has_nothing_to_choose() {
        let row = Row {
            object: "query".to_owned(),
            asked: Level::Read,
            both: false,
            required: true,
        };
        let markup = permission(&row, &[]).into_string();
        assert!(markup.contains("required") && !markup.contains("<input"));
    }
}
