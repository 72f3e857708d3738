//! Which events count as conversions: search, suggestions with their volume, what is chosen.

use maud::{Markup, html};

use super::layout::{Notice, Shell, Tone};
use super::{icons, project_path};
use crate::format::grouped;
use pockethog_core::conversions::Suggestions;
use pockethog_core::overview::Range;
use pockethog_core::project::ProjectKey;

/// What the chooser knows.
#[derive(Clone, Debug)]
pub struct Chooser {
    /// The shell; its title and its way back are ours.
    pub shell: Shell,
    /// Which project.
    pub key: ProjectKey,
    /// The range of the project page that it was opened from.
    pub range: Range,
    /// The name to show.
    pub name: String,
    /// Events that are chosen, in order.
    pub chosen: Vec<String>,
    /// What was searched for.
    pub search: String,
    /// Which page of suggestions, from 0.
    pub page: usize,
    /// Why the choice was not saved: one sentence.
    pub error: Option<String>,
    /// The suggestions, or why there are none: one sentence.
    pub suggestions: Result<Suggestions, String>,
}

/// The conversion chooser: search, suggestions with their volume, what is chosen.
pub fn render(view: &Chooser) -> Markup {
    let mut shell = view.shell.clone();
    shell.title = format!("Conversions of {}", view.name);
    let path = format!("{}/conversions", project_path(&view.key));
    let project = format!("{}?range={}", project_path(&view.key), view.range.name());
    shell.back = Some(project.clone());
    shell.page("narrow", &html! {
        h1 { "Conversions" }
        p.lead { "Which events count as a success in " bdi { (view.name) } "? The rate is the number of people with the event divided by unique visitors." }
        @if let Some(error) = &view.error { (Notice { tone: Tone::Bad, text: error.clone(), action: None }.render()) }
        // Searching and turning pages carry along what is ticked; only Save stores it.
        form method="get" action=(path) {
            input type="hidden" name="chosen" value="1";
            input type="hidden" name="range" value=(view.range.name());
            div.filter.wide role="search" {
                (icons::search())
                input type="search" name="search" value=(view.search) placeholder="Search events" aria-label="Search events" autocomplete="off" maxlength="200";
                button.button.small type="submit" { "Search" }
            }
            @if !view.chosen.is_empty() {
                h2.group { "Chosen" }
                ul.card.rows {
                    @for event in &view.chosen { (choice(event, None, true)) }
                }
            }
            @match &view.suggestions {
                Err(reason) => {
                    h2.group { "Another event" }
                    (Notice { tone: Tone::Warn, text: reason.clone(), action: None }.render())
                    label.card.field { span { "Name of the event" } input type="text" name="event" autocomplete="off" spellcheck="false" maxlength="400"; }
                },
                Ok(found) => {
                    h2.group { "Suggestions" }
                    @let fresh: Vec<_> = found.events.iter().filter(|suggestion| !view.chosen.contains(&suggestion.event)).collect();
                    @if fresh.is_empty() {
                        p.muted.none { (if view.search.trim().is_empty() { "This project has no events to choose from yet." } else { "No other event matches." }) }
                    } @else {
                        ul.card.rows { @for suggestion in fresh { (choice(&suggestion.event, suggestion.volume, false)) } }
                    }
                    @if view.page > 0 || found.has_more {
                        nav.pager aria-label="Pages" {
                            @if view.page > 0 { button.button type="submit" name="page" value=(view.page - 1) { "Previous" } }
                            span { "Page " (view.page + 1) }
                            @if found.has_more { button.button type="submit" name="page" value=(view.page + 1) { "Next" } }
                        }
                    }
                }
            }
            div.actions { a.button href=(project) { "Cancel" } button.button.primary type="submit" formmethod="post" { "Save" } }
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
