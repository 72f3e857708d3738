//! The list of projects in the settings: searching, paging and ordering.
//!
//! There may be thousands. An order is that of the whole list, so a move never means "one row up on this
//! page": it says which project to place it before or after. What passes whom is what the eye sees, on the
//! edge of a page and between the rows of a search as well.

use maud::{Markup, html};

use super::layout::avatar;
use super::{encoded, icons, project_path};
use crate::format::{counted, grouped};
use pockethog_core::preferences::ProjectPreferences;
use pockethog_core::project::ProjectKey;

/// Projects on a page.
pub const PAGE: usize = 50;

/// Lists as short as this are seen at a glance, and need no search.
const SHORT: usize = 12;

/// The projects and what of them is to be shown.
#[derive(Clone, Debug, Default)]
pub struct ProjectList {
    /// All projects in the person's order, hidden ones too.
    pub lines: Vec<ProjectLine>,
    /// Only those whose name or Host contains this.
    pub filter: String,
    /// The page, from 0; ignored where a project was just moved, since that one is to be seen.
    pub page: usize,
    /// The project that was just moved, by which control: it has the focus again.
    pub moved: Option<(String, Control)>,
}

/// A project in the settings.
#[derive(Clone, Debug)]
pub struct ProjectLine {
    /// Which project.
    pub key: ProjectKey,
    /// Its name at PostHog.
    pub original_name: String,
    /// `US`, `EU` or the host.
    pub host: String,
    /// What the person chose about it.
    pub preferences: ProjectPreferences,
}

/// What moves a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The button that moves it up.
    Up,
    /// The button that moves it down.
    Down,
    /// The field for its place.
    Place,
}

impl Control {
    /// The name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Place => "place",
        }
    }

    /// The control called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Up, Self::Down, Self::Place]
            .into_iter()
            .find(|control| control.name() == name)
    }
}

/// The address that shows a project where it was moved to.
pub fn moved_path(filter: &str, key: &str, control: Control) -> String {
    format!(
        "/settings?filter={}&moved={}&by={}",
        encoded(filter),
        encoded(key),
        control.name()
    )
}

/// The list with its search.
pub fn render(list: &ProjectList) -> Markup {
    html! {
        @if !list.lines.is_empty() {
            h2.group #projects { "Projects" }
            p.hint { "Open a project to name, colour or hide it, or to make it a favourite, which comes first." }
            @if list.lines.len() > SHORT {
                form.filter.wide role="search" method="get" action="/settings#projects" {
                    (icons::search())
                    input type="search" name="filter" value=(list.filter) placeholder="Search projects" aria-label="Search projects" autocomplete="off" maxlength="200" data-search="project-list";
                    button.button.small type="submit" { "Search" }
                }
            }
            div #project-list { (rows(list)) }
        }
    }
}

/// What a search, a move and a turned page change.
fn rows(list: &ProjectList) -> Markup {
    let found = list.found();
    let pages = found.len().div_ceil(PAGE).max(1);
    let page = list.shown_page(&found).min(pages - 1);
    let all = list.lines.len();
    let long = all > PAGE;
    let at = |row: usize| found.get(row).map(|&(_, line)| line);
    html! {
        @if all > SHORT {
            p.hint role="status" {
                @if found.len() == all { (counted(all, "project", "projects")) ". " }
                @else { (grouped_count(found.len())) " of " (counted(all, "project", "projects")) ". " }
                @if found.is_empty() {} @else if !list.filter.is_empty() { "Moving a project changes its place in the whole list: it is placed next to the project that it passes here." }
                @else if pages > 1 { "The order continues over all pages; type a number to move a project further." }
            }
        }
        @if found.is_empty() {
            div.empty-box {
                p { "No project matches “" bdi { (list.filter) } "”." }
                a.button href="/settings#projects" { "Show all" }
            }
        } @else {
            ul.card.rows.order data-order="/settings/order" data-filter=(list.filter) {
                @for (row, (place, line)) in found.iter().enumerate().skip(page * PAGE).take(PAGE) {
                    @let same = |other: &&ProjectLine| other.preferences.favourite == line.preferences.favourite;
                    @let above = row.checked_sub(1).and_then(at).filter(same);
                    @let below = at(row + 1).filter(same);
                    (render_line(list, line, long.then_some((*place, all)), above, below))
                }
            }
        }
        @if pages > 1 {
            nav.pager aria-label="Pages of projects" {
                @if page > 0 { a.button href=(list.address(page - 1)) rel="prev" { "Previous" } }
                span { "Page " (page + 1) " of " (pages) }
                @if page + 1 < pages { a.button href=(list.address(page + 1)) rel="next" { "Next" } }
            }
        }
    }
}

fn render_line(
    list: &ProjectList,
    line: &ProjectLine,
    place: Option<(usize, usize)>,
    above: Option<&ProjectLine>,
    below: Option<&ProjectLine>,
) -> Markup {
    let name = line.name();
    let key = line.key.to_string();
    let last_used = list
        .moved
        .as_ref()
        .filter(|(moved, _)| *moved == key)
        .map(|(_, control)| *control);
    // At an end of the list the button that led there is off; the other one takes the focus.
    let focus = match last_used {
        Some(Control::Up) if above.is_none() => Some(Control::Down),
        Some(Control::Down) if below.is_none() => Some(Control::Up),
        other => other,
    };
    let button = |control: Control, other: Option<&ProjectLine>| {
        let (field, word) = match control {
            Control::Down => ("after", "down"),
            _ => ("before", "up"),
        };
        html! {
            button.icon-button type="submit" name=(field) value=[other.map(|other| other.key.to_string())]
                disabled[other.is_none()] autofocus[focus == Some(control)] aria-label={ "Move " (name) " " (word) } {
                @if control == Control::Down { (icons::down()) } @else { (icons::up()) }
            }
        }
    };
    html! {
        li data-key=(key) data-favourite[line.preferences.favourite] {
            div.row {
                span.grip aria-hidden="true" {}
                (avatar(name))
                span.grow {
                    a href={ (project_path(&line.key)) "#preferences" } { bdi { (name) } }
                    @if line.preferences.favourite { span.fav { (icons::star()) span.hidden-label { "Favourite" } } }
                    small.muted { (line.host) @if line.preferences.hidden { " · hidden" } }
                }
                @if let Some((place, all)) = place {
                    form.place method="post" action="/settings/order" {
                        input type="hidden" name="key" value=(key);
                        input type="hidden" name="filter" value=(list.filter);
                        input type="number" name="place" value=(place + 1) min="1" max=(all) required inputmode="numeric" enterkeyhint="go"
                            autofocus[focus == Some(Control::Place)] aria-label={ "Place of " (name) " among " (grouped_count(all)) };
                    }
                }
                form.move method="post" action="/settings/order" {
                    input type="hidden" name="key" value=(key);
                    input type="hidden" name="filter" value=(list.filter);
                    (button(Control::Up, above))
                    (button(Control::Down, below))
                }
            }
        }
    }
}

fn grouped_count(count: usize) -> String {
    grouped(u64::try_from(count).unwrap_or(u64::MAX))
}

impl ProjectLine {
    fn name(&self) -> &str {
        self.preferences
            .name
            .as_deref()
            .unwrap_or(&self.original_name)
    }

    fn contains(&self, wanted: &str) -> bool {
        [self.name(), &self.original_name, &self.host]
            .iter()
            .any(|text| text.to_lowercase().contains(wanted))
    }
}

impl ProjectList {
    /// What matches, each with its place among all.
    fn found(&self) -> Vec<(usize, &ProjectLine)> {
        let wanted = self.filter.trim().to_lowercase();
        self.lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.contains(&wanted))
            .collect()
    }

    fn shown_page(&self, found: &[(usize, &ProjectLine)]) -> usize {
        self.moved
            .as_ref()
            .and_then(|(key, _)| {
                found
                    .iter()
                    .position(|(_, line)| line.key.to_string() == *key)
            })
            .map_or(self.page, |row| row / PAGE)
    }

    fn address(&self, page: usize) -> String {
        let mut address = format!("/settings?page={page}");
        if !self.filter.is_empty() {
            address.push_str("&filter=");
            address.push_str(&encoded(&self.filter));
        }
        address + "#projects"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(count: u64) -> ProjectList {
        let line = |id| ProjectLine {
            key: ProjectKey {
                host: "us".to_owned(),
                id,
            },
            original_name: format!("Project {id:04}"),
            host: "US".to_owned(),
            preferences: ProjectPreferences {
                favourite: id < 2,
                ..ProjectPreferences::default()
            },
        };
        ProjectList {
            lines: (0..count).map(line).collect(),
            ..ProjectList::default()
        }
    }

    fn rows_of(html: &str) -> usize {
        html.matches("<li data-key").count()
    }

    #[test]
    fn two_thousand_projects_are_a_page_at_a_time() {
        let mut list = list(2000);
        let html = render(&list).into_string();
        assert_eq!(rows_of(&html), PAGE);
        assert!(html.len() < 100_000, "{} bytes", html.len());
        assert!(html.contains("2,000 projects") && html.contains("Page 1 of 40"));
        list.page = 4000;
        let html = render(&list).into_string();
        assert!(html.contains("Page 40 of 40") && html.contains("Project 1999"));
    }

    #[test]
    fn a_short_list_has_neither_search_nor_places() {
        let html = render(&list(4)).into_string();
        assert!(!html.contains("search") && !html.contains("name=\"place\""));
        assert!(!html.contains("pager"));
    }

    #[test]
    fn a_move_passes_what_the_eye_sees() {
        let mut list = list(120);
        list.page = 1;
        let html = render(&list).into_string();
        let first = &html[html.find("data-key=\"us/50\"").unwrap_or_default()..];
        assert!(first.contains("name=\"before\" value=\"us/49\""), "{first}");
        list.filter = "project 003".to_owned();
        list.page = 0;
        let html = render(&list).into_string();
        assert_eq!(rows_of(&html), 10);
        assert!(html.contains("10 of 120 projects"));
        assert!(html.contains("name=\"after\" value=\"us/31\""));
    }

    #[test]
    fn a_favourite_passes_no_other() {
        let html = render(&list(4)).into_string();
        assert!(!html.contains("name=\"after\" value=\"us/2\""));
        assert!(!html.contains("name=\"before\" value=\"us/1\""));
        assert!(html.contains("name=\"before\" value=\"us/0\""));
    }

    #[test]
    fn a_moved_project_is_shown_wherever_it_went_and_has_the_focus() {
        let mut list = list(120);
        list.moved = Some(("us/77".to_owned(), Control::Place));
        let html = render(&list).into_string();
        assert!(html.contains("Page 2 of 3"));
        assert_eq!(html.matches("autofocus").count(), 1);
        list.moved = Some(("us/2".to_owned(), Control::Up));
        let html = render(&list).into_string();
        let focused = &html[html.find("autofocus").unwrap_or_default()..];
        assert!(focused.contains("aria-label=\"Move Project 0002 down\""));
    }
}
