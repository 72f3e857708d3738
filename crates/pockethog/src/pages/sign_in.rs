//! The first screen, and the one that a lost sign-in leads back to.

use maud::{Markup, html};
use sign_in_with_posthog::Host;

use super::icons;
use super::layout::{Notice, Shell, Tone};

/// What the sign-in screen knows.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The shell; its title is ours.
    pub shell: Shell,
    /// Where the two buttons lead.
    pub clouds: [Cloud; 2],
    /// Why access ended, or why the last attempt failed: one sentence.
    pub reason: Option<String>,
    /// True where a way back exists: another Connection is still there.
    pub may_cancel: bool,
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
                p.lead { "Sign in at PostHog in this browser, and see all your projects here. No server in between." }
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
        },
    )
}
