//! The sign-in screen: shown first, and again when access has ended.

use jiff::Timestamp;
use maud::{Markup, html};
use sign_in_with_posthog::Host;

use super::card::render_card;
use super::icons;
use super::layout::{Notice, Shell, Tone};
use pockethog_screens::Card;

/// What the sign-in screen knows.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The shell; its title is ours.
    pub shell: Shell,
    /// Where the two buttons lead.
    pub clouds: [Cloud; 2],
    /// Why access ended, or why the last attempt failed: one sentence.
    pub reason: Option<String>,
    /// Whether there is a way back: another Connection is still there.
    pub may_cancel: bool,
    /// When the page is made.
    pub now: Timestamp,
    /// The last numbers of sign-ins that have ended.
    pub last: Vec<Card>,
}

/// A button of the screen. The address below its name is the one that will be asked: in a demo or a test
/// that is not PostHog, and nobody should have to guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// `us` or `eu`.
    pub key: String,
    /// `US Cloud`.
    pub name: String,
    /// `us.posthog.com`.
    pub address: String,
}

impl Cloud {
    /// The button that leads to `host`.
    pub fn of(host: &Host) -> Self {
        Self {
            key: host.key().to_owned(),
            name: host.name(),
            address: host.authority(),
        }
    }
}

/// The page between a sign-in button and PostHog. The button is a form, and browsers apply `form-action` to
/// every redirect that follows a form: from here on it is a plain navigation, which may be led anywhere.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// The shell; its title is ours.
    pub shell: Shell,
    /// PostHog, as people call it.
    pub host: String,
    /// Its authorization address.
    pub address: String,
}

/// The page that leads to PostHog.
pub fn render_leaving(view: &Leaving) -> Markup {
    let mut shell = view.shell.clone();
    "Sign in".clone_into(&mut shell.title);
    shell.leads_to = Some(view.address.clone());
    shell.page(
        "message-page",
        &html! {
            div.empty-box.tall {
                (icons::logo())
                h1 { "Continue at PostHog" }
                p { "You sign in to " (view.host) " and choose what PocketHog may see." }
                div.actions {
                    a.button.primary #continue href=(view.address) rel="noreferrer" { "Continue to PostHog" }
                    a.button href="/sign-in" { "Cancel" }
                }
            }
        },
    )
}

/// The sign-in screen.
pub fn render(view: &SignIn) -> Markup {
    let mut shell = view.shell.clone();
    "Sign in".clone_into(&mut shell.title);
    let reason = view.reason.as_ref().map(|reason| Notice {
        tone: Tone::Warn,
        text: reason.clone(),
        action: None,
    });
    shell.page(
        "sign-in",
        &html! {
            div.welcome {
                div.hero { (icons::logo()) }
                h1 { "Every project," br; "in your pocket." }
                p.lead { "Sign in to PostHog in this browser, and see all your projects here. There is no server in between." }
                @if let Some(reason) = &reason { (reason.render()) }
                form.ways method="post" {
                    @for cloud in &view.clouds {
                        button.way type="submit" formaction={ "/sign-in/" (cloud.key) } {
                            span.badge-big aria-hidden="true" { (cloud.key.to_uppercase()) }
                            span { b { "Sign in with " (cloud.name) } small { (cloud.address) } }
                            (icons::forward())
                        }
                    }
                    label.check { input type="checkbox" name="with_email" value="1"; span { "Also show my e-mail address" } }
                }
                p.quiet { a href="/api-key" { (icons::key()) span { "Use API key instead" } } }
                @if view.may_cancel { p.quiet { a href="/" { "Back to my projects" } } }
            }
            @if !view.last.is_empty() {
                section.projects.last aria-labelledby="last" {
                    h2 #last { "The last numbers" }
                    ul.cards { @for card in &view.last { (render_card(card, view.now, None)) } }
                }
            }
        },
    )
}
