//! Connections: which accounts are signed in, with which permissions, and what failed.

use maud::{Markup, html};

use super::layout::Shell;
use super::{encoded, icons};
use crate::format::counted;
use crate::wording;
use pockethog_core::discovery::Failure;

/// What the connections page knows.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    /// The shell; its title and its way back are ours.
    pub shell: Shell,
    /// All Connections.
    pub connections: Vec<ConnectionCard>,
}

/// One Connection.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCard {
    /// As addresses name it.
    pub id: String,
    /// An e-mail address or a name.
    pub who: String,
    /// `US Cloud`, `EU Cloud` or the host.
    pub host: String,
    /// True for a personal API key, false for OAuth.
    pub by_key: bool,
    /// True if signing in with the browser is possible at this Host.
    pub can_sign_in: bool,
    /// Why it is signed out: one sentence.
    pub signed_out: Option<String>,
    /// Granted scopes.
    pub granted: Vec<String>,
    /// Scopes that PocketHog asks for and that were not granted.
    pub missing: Vec<String>,
    /// Reach in words: `All organizations`, `2 projects: Acorn Market, Quillcast`.
    pub reach: String,
    /// Where its secrets are stored: `Keychain of this device`, `Encrypted file`.
    pub vault: String,
    /// When its token was last refreshed, `12 min ago`.
    pub refreshed: Option<String>,
    /// Projects it reaches.
    pub projects: usize,
    /// What Discovery could not read.
    pub failures: Vec<Failure>,
}

/// The connections page.
pub fn render(view: &Connections) -> Markup {
    let mut shell = view.shell.clone();
    "Connections".clone_into(&mut shell.title);
    shell.back = Some("/".to_owned());
    shell.page(
        "narrow",
        &html! {
            h1 { "Connections" }
            @for connection in &view.connections { (card(connection)) }
            h2.group { "Add a connection" }
            form.card.rows method="post" action="/sign-in/us" {
                div.row.add-row {
                    button.button type="submit" formaction="/sign-in/us" { "Sign in with US Cloud" }
                    button.button type="submit" formaction="/sign-in/eu" { "Sign in with EU Cloud" }
                    a.button href="/api-key" { (icons::key()) "Use API key instead" }
                }
                label.check { input type="checkbox" name="with_email" value="1"; span { "Also show my e-mail address" } }
            }
        },
    )
}

/// A scope in plain words. Scopes that PocketHog does not ask for are named as they are.
pub(crate) fn plain_words(scope: &str) -> &str {
    match scope {
        "openid" => "Recognise your account",
        "profile" => "See your name",
        "email" => "See your e-mail address",
        "organization:read" => "List your organizations",
        "project:read" => "List your projects",
        "query:read" => "Read numbers",
        "event_definition:read" => "Suggest conversion events",
        "annotation:read" => "Read annotations",
        "annotation:write" => "Write annotations",
        "user:read" => "See your account",
        "*" => "Everything that you are allowed to do",
        _ => scope,
    }
}

/// What does not work without a scope, where all of `missing` were refused.
fn consequence(scope: &str, missing: &[String]) -> &'static str {
    let also = |other: &str| missing.iter().any(|scope| scope == other);
    match scope {
        "query:read" => "no numbers are shown",
        "organization:read" | "project:read" => "projects may not be found",
        "event_definition:read" => "events have to be typed by name",
        "annotation:read" => "annotations are not shown",
        "annotation:write" if also("annotation:read") => "annotations cannot be written",
        "annotation:write" => "annotations can be read but not written",
        "profile" | "openid" => "your name is not shown",
        _ => "not used without it",
    }
}

fn card(connection: &ConnectionCard) -> Markup {
    let path = |step: &str| format!("/connections/{}/{step}", encoded(&connection.id));
    let again = if connection.by_key {
        "Sign in with the browser"
    } else if connection.missing.is_empty() {
        "Sign in again"
    } else {
        "Sign in again to grant more"
    };
    html! {
        section.card.connection aria-label={ (connection.who) ", " (connection.host) } {
            div.row {
                span.grow {
                    h2 { bdi { (connection.who) } }
                    small.muted { (connection.host) " · " (if connection.by_key { "API key" } else { "signed in with the browser" }) }
                }
                @if connection.signed_out.is_some() { span.delta.bad { "Signed out" } }
                @else { span.delta.good { "Connected" } }
            }
            @if let Some(reason) = &connection.signed_out { p.notice.warn { (icons::warning()) span { (reason) } } }
            dl.facts {
                div { dt { "Reach" } dd { (connection.reach) } }
                div { dt { "Projects" } dd { (counted(connection.projects, "project", "projects")) } }
                div { dt { "Secrets" } dd { (connection.vault) } }
                @if let Some(refreshed) = &connection.refreshed { div { dt { "Last refresh" } dd { (refreshed) } } }
            }
            @if !connection.granted.is_empty() || !connection.missing.is_empty() {
                ul.scopes aria-label="Permissions" {
                    @for scope in &connection.granted {
                        li.granted title=(scope) { (icons::check()) span { (plain_words(scope)) span.hidden-label { ": given" } } }
                    }
                    @for scope in &connection.missing {
                        li.not-granted title=(scope) { (icons::minus()) span { (plain_words(scope)) small { "Not given: " (consequence(scope, &connection.missing)) } } }
                    }
                }
            }
            @if !connection.failures.is_empty() {
                ul.notice.warn.plain-list {
                    @for failure in &connection.failures {
                        @let (what, reason) = wording::home::not_listed(failure);
                        li { b { bdi { (what) } "." } " " (reason) }
                    }
                }
            }
            div.actions {
                @if connection.can_sign_in {
                    form method="post" action=(path("sign-in")) { button.button type="submit" { (again) } }
                } @else if connection.signed_out.is_some() {
                    a.button href="/api-key" { "Enter a new key" }
                }
                @if connection.signed_out.is_some() {
                    form method="post" action=(path("remove")) { button.button.danger type="submit" { "Remove from the list" } }
                } @else {
                    form method="post" action=(path("sign-out")) { button.button.danger type="submit" { (if connection.by_key { "Forget this key" } else { "Sign out" }) } }
                }
            }
        }
    }
}
