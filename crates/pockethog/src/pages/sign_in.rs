//! The first screen, and the one that a lost sign-in leads back to.

use maud::{Markup, html};

use super::icons;
use super::layout::{Notice, Shell, Tone};

/// What the sign-in screen knows.
#[derive(Clone, Debug, Default)]
pub struct SignIn {
    /// The shell; its title is ours.
    pub shell: Shell,
    /// Why access ended, or why the last attempt failed: one sentence.
    pub reason: Option<String>,
    /// True where a way back exists: another Connection is still there.
    pub may_cancel: bool,
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
                form.ways method="post" action="/sign-in/us" {
                    button.way type="submit" formaction="/sign-in/us" {
                        span.badge-big aria-hidden="true" { "US" }
                        span { b { "Sign in with US Cloud" } small { "us.posthog.com" } }
                        (icons::forward())
                    }
                    button.way type="submit" formaction="/sign-in/eu" {
                        span.badge-big aria-hidden="true" { "EU" }
                        span { b { "Sign in with EU Cloud" } small { "eu.posthog.com" } }
                        (icons::forward())
                    }
                    label.check { input type="checkbox" name="with_email" value="1"; span { "Also show my e-mail address" } }
                }
                p.quiet { a href="/api-key" { (icons::key()) span { "Use API key instead" } } }
                @if view.may_cancel { p.quiet { a href="/" { "Back to my projects" } } }
            }
        },
    )
}
