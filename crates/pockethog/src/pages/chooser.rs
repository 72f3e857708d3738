//! Which events count as conversions: search, suggestions with their volume, what is chosen.

use maud::{Markup, html};

use super::layout::{Notice, Shell, Tone};
use super::{encoded, icons, project_path};
use crate::conversions::Suggestions;
use crate::format::grouped;
use crate::project::ProjectKey;

/// What the chooser knows.
#[derive(Clone, Debug)]
pub struct Chooser {
    /// The shell; its title and its way back are ours.
    pub shell: Shell,
    /// Which project.
    pub key: ProjectKey,
    /// The name to show.
    pub name: String,
    /// Events that are chosen, in order.
    pub chosen: Vec<String>,
    /// What was searched for.
    pub search: String,
    /// Which page of suggestions, from 0.
    pub page: usize,
    /// The suggestions, or why there are none: one sentence.
    pub suggestions: Result<Suggestions, String>,
}

/// The conversion chooser: search, suggestions with their volume, what is chosen.
pub fn render(view: &Chooser) -> Markup {
    let mut shell = view.shell.clone();
    shell.title = format!("Conversions of {}", view.name);
    let project = project_path(&view.key);
    let path = format!("{project}/conversions");
    let to = |page: usize| format!("{path}?search={}&page={page}", encoded(&view.search));
    shell.back = Some(project.clone());
    shell.page("narrow", &html! {
        h1 { "Conversions" }
        p.lead { "Which events count as success in " bdi { (view.name) } "? The rate is people with the event over unique visitors." }
        form.filter.wide role="search" method="get" action=(path) {
            (icons::search())
            input type="search" name="search" value=(view.search) placeholder="Search events" aria-label="Search events" autocomplete="off";
        }
        form method="post" action=(path) {
            @if !view.chosen.is_empty() {
                h2.group { "Chosen" }
                ul.card.rows {
                    @for event in &view.chosen { (choice(event, None, true)) }
                }
            }
            h2.group { "Suggestions" }
            @match &view.suggestions {
                Err(reason) => {
                    (Notice { tone: Tone::Warn, text: reason.clone(), action: None }.render())
                    label.card.field { span { "Name of the event" } input type="text" name="event" autocomplete="off" spellcheck="false"; }
                },
                Ok(found) => {
                    @let fresh: Vec<_> = found.events.iter().filter(|suggestion| !view.chosen.contains(&suggestion.event)).collect();
                    @if fresh.is_empty() { p.muted.none { "No event matches." } }
                    @else {
                        ul.card.rows { @for suggestion in fresh { (choice(&suggestion.event, suggestion.volume, false)) } }
                    }
                    @if view.page > 0 || found.has_more {
                        nav.pager aria-label="Pages" {
                            @if view.page > 0 { a.button href=(to(view.page - 1)) rel="prev" { "Previous" } }
                            span { "Page " (view.page + 1) }
                            @if found.has_more { a.button href=(to(view.page + 1)) rel="next" { "Next" } }
                        }
                    }
                }
            }
            div.actions { a.button href=(project) { "Cancel" } button.button.primary type="submit" { "Save" } }
        }
    })
}

fn choice(event: &str, volume: Option<u64>, chosen: bool) -> Markup {
    html! {
        li {
            label.choice {
                input type="checkbox" name="event" value=(event) checked[chosen];
                bdi { (event) }
                @if let Some(volume) = volume { span.muted { (grouped(volume)) " in 30 days" } }
            }
        }
    }
}
