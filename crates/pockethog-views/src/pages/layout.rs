//! What every page has: the HTML shell, the header, the state of the numbers, notices.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::{alerts, icons, typeface};
use crate::colours;
use crate::format::ago;
use pockethog_alerts::Alert;
use pockethog_core::live::Status;
use pockethog_core::preferences::{Mode, Scheme};

/// The shell around a page.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    /// Title of the page, without the program's name.
    pub title: String,
    /// Colour scheme of the app.
    pub scheme: Scheme,
    /// Light, dark, or as the system.
    pub mode: Mode,
    /// Who is signed in, by Connection: an e-mail address if known, otherwise a name.
    pub connected: Vec<String>,
    /// The state of the numbers; none on pages without numbers.
    pub status: Option<StatusLine>,
    /// Where the arrow in the header leads.
    pub back: Option<String>,
    /// Address of the page's event stream; none on pages that stay as they are.
    pub stream: Option<String>,
    /// By which the page's script knows what comes from the app.
    pub key: Option<PageKey>,
    /// What the person has to know, on top of the page.
    pub notices: Vec<Notice>,
    /// What the person was told and has not seen, newest first.
    pub alerts: Vec<Alert>,
    /// Who has just signed in.
    pub welcome: Option<Welcome>,
    /// Whether this is a demo, which every page says.
    pub demo: bool,
    /// When the page was made, as the person who looks reads it: a printed page has it.
    pub made: Option<String>,
    /// Another site that the browser goes to by itself, without a form and without a script.
    pub leads_to: Option<String>,
}

/// Name and key of a page.
#[derive(Clone, PartialEq, Eq)]
pub struct PageKey {
    /// Sent with every request of the script.
    pub name: String,
    /// Never sent: what the script is answered is proved with it.
    pub key: String,
}

/// Who has just signed in. A sign-in that somebody else has answered shows here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Where.
    pub host: String,
    /// As whom.
    pub who: String,
    /// Where the form leads that undoes it.
    pub undo: String,
}

/// The state of the numbers, as the header shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusLine {
    /// `live`, `loading`, `updated`, `offline` or `busy`: the colour of the dot, and what the event stream calls it.
    pub name: &'static str,
    /// What the header says.
    pub text: String,
    /// How many projects have been read, and of how many, while they are being read.
    pub progress: Option<(usize, usize)>,
}

/// A sentence on top of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub tone: Tone,
    /// What happened.
    pub text: String,
    /// What to do: a label and the page it leads to.
    pub action: Option<(String, String)>,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Good to know.
    #[default]
    Plain,
    /// It went well.
    Good,
    /// Something is missing.
    Warn,
    /// Something failed.
    Bad,
}

impl StatusLine {
    /// The state of numbers, with their age at `now`.
    pub fn new(status: &Status, now: Timestamp) -> Self {
        let name = match status {
            Status::Live => "live",
            Status::Loading { .. } => "loading",
            Status::Updated(_) => "updated",
            Status::Offline(_) => "offline",
            // The dot says the same: something is missing, and it is not the connection.
            Status::Busy(_) | Status::Unread => "busy",
        };
        let text = match status {
            Status::Live => "Live".to_owned(),
            Status::Loading { total: 0, .. } => "Loading projects".to_owned(),
            Status::Loading { done, total } => format!("Loading {done} of {total}"),
            Status::Updated(at) => format!("Updated {}", ago(*at, now)),
            Status::Offline(Some(at)) => format!("Offline · {}", ago(*at, now)),
            Status::Offline(None) => "Offline".to_owned(),
            Status::Busy(Some(at)) => format!("Busy · {}", ago(*at, now)),
            Status::Busy(None) => "Busy · trying again".to_owned(),
            Status::Unread => "No numbers".to_owned(),
        };
        let progress = match *status {
            Status::Loading { done, total } => Some((done, total)),
            _ => None,
        };
        Self {
            name,
            text,
            progress,
        }
    }
}

impl Shell {
    /// A whole page. `class` names the page for the style sheet.
    pub fn page(&self, class: &str, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" data-base="/" data-page=[self.key.as_ref().map(|page| &page.name)] data-key=[self.key.as_ref().map(|page| &page.key)] data-scheme=(colours::name(self.scheme)) data-mode=(mode(self.mode)) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · PocketHog" }
                    link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
                    link rel="preload" as="font" type="font/woff2" crossorigin href=(typeface::first());
                    link rel="stylesheet" href="/assets/style.css";
                    script defer src="/assets/app.js" {}
                    @if let Some(address) = &self.leads_to {
                        meta http-equiv="refresh" content={ "0;url=" (address) };
                    }
                    @if self.stream.is_some() {
                        noscript { meta http-equiv="refresh" content=(self.reload_seconds()); }
                    }
                }
                body class=(class) data-stream=[&self.stream] {
                    a.skip href="#content" { "Skip to content" }
                    @if self.demo {
                        aside.demo aria-label="Demo" { b { "Demo" } " · invented data" }
                    }
                    p.printed { b { (self.title) } @if let Some(made) = &self.made { time { (made) } } }
                    @if class != "sign-in" { (self.header()) }
                    main #content tabindex="-1" {
                        @if let Some(welcome) = &self.welcome { (welcome.render()) }
                        @for notice in &self.notices { (notice.render()) }
                        @if self.stream.is_some() { (alerts::render(&self.alerts, Timestamp::now())) }
                        (content)
                    }
                    footer {
                        p { "PocketHog is an independent third-party client, not affiliated with PostHog, Inc." }
                    }
                }
            }
        }
    }

    /// How soon a page without its script reads itself again: soon while numbers are missing.
    fn reload_seconds(&self) -> u32 {
        match self.status.as_ref().and_then(|status| status.progress) {
            Some(_) => 3,
            _ => 60,
        }
    }

    fn header(&self) -> Markup {
        html! {
            header.bar {
                @if let Some(back) = &self.back {
                    a.icon-button.back href=(back) aria-label="Back" { (icons::back()) }
                }
                a.brand href="/" aria-label="PocketHog, all projects" {
                    (icons::logo())
                    span { "Pocket" b { "Hog" } }
                }
                @if let Some(who) = connected(&self.connected) {
                    a.who href="/connections" title=(who) { bdi { (who) } }
                }
                @if let Some(status) = &self.status { (render_status(status)) }
                a.icon-button href="/settings" aria-label="Settings" { (icons::settings()) }
                @if let Some((done, total)) = self.status.as_ref().and_then(|status| status.progress) {
                    progress.loading #progress max=(total.max(1)) value=(done) aria-label="Projects read" {}
                } @else {
                    progress.loading #progress max="1" value="1" hidden aria-label="Projects read" {}
                }
            }
        }
    }
}

impl Welcome {
    fn render(&self) -> Markup {
        html! {
            div.notice.good role="status" {
                p { "Connected to " (self.host) " as " b { bdi { (self.who) } } "." }
                form method="post" action=(self.undo) {
                    button.button.small #not-me type="submit" { "Not me" }
                }
            }
        }
    }
}

impl Notice {
    /// The notice.
    pub fn render(&self) -> Markup {
        let tone = match self.tone {
            Tone::Plain => "plain",
            Tone::Good => "good",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
        };
        let role = if self.tone == Tone::Bad {
            "alert"
        } else {
            "status"
        };
        html! {
            div class={ "notice " (tone) } role=(role) {
                @if matches!(self.tone, Tone::Warn | Tone::Bad) { (icons::warning()) }
                p { (self.text) }
                @if let Some((label, path)) = &self.action { a.button.small href=(path) { (label) } }
            }
        }
    }
}

/// The state of the numbers, as the header shows it and the event stream replaces it.
pub(crate) fn render_status(status: &StatusLine) -> Markup {
    html! {
        p.status #status role="status" data-state=(status.name) {
            span.dot aria-hidden="true" {}
            span title=(status.text) { (status.text) }
        }
    }
}

/// A project's avatar: its first letter on its own tint.
pub(crate) fn avatar(name: &str) -> Markup {
    let letter: String = name
        .chars()
        .find(|letter| letter.is_alphanumeric())
        .map_or_else(|| "·".to_owned(), |letter| letter.to_uppercase().collect());
    html! {
        span class={ "avatar tint-" (colours::tint_of(name)) } aria-hidden="true" { (letter) }
    }
}

/// `Connected as ada@example.com`, `… and 2 more`.
fn connected(who: &[String]) -> Option<String> {
    let first = who.first()?;
    Some(match who.len() - 1 {
        0 => format!("Connected as {first}"),
        more => format!("Connected as {first} and {more} more"),
    })
}

/// The name that `data-mode` uses.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Auto => "auto",
        Mode::Dark => "dark",
        Mode::Light => "light",
    }
}

impl std::fmt::Debug for PageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_is_counted() {
        let who = |names: &[&str]| {
            connected(
                &names
                    .iter()
                    .map(|&name| name.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(who(&[]), None);
        assert_eq!(who(&["ada"]).as_deref(), Some("Connected as ada"));
        assert_eq!(
            who(&["ada", "b", "c"]).as_deref(),
            Some("Connected as ada and 2 more")
        );
    }

    #[test]
    fn a_demo_says_so_on_whatever_page() {
        let page = |demo, class| {
            let shell = Shell {
                demo,
                ..Shell::default()
            };
            let page = shell.page(class, &html! {}).into_string();
            page.contains("<b>Demo</b> · invented data")
        };
        for class in ["home", "sign-in", "message-page"] {
            assert!(page(true, class) && !page(false, class), "{class}");
        }
    }

    #[test]
    fn no_page_has_inline_styles_or_handlers() {
        let page = Shell::default().page("home", &html! {}).into_string();
        assert!(!page.contains(" style=") && !page.contains(" onclick="));
        assert!(!page.contains("<script>"));
    }

    #[test]
    fn an_avatar_takes_the_first_letter_of_any_script() {
        assert!(avatar("  «étoile»").into_string().contains(">É<"));
        assert!(avatar("مدونة").into_string().contains(">م<"));
        assert!(avatar("***").into_string().contains(">·<"));
    }
}
