//! Home: the total over all projects, then a card for each.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::card::render_card;
use super::layout::{Notice, Shell, StatusLine, Tone};
use super::moves::render_moves;
use super::total::render_total;
use super::{card_menu, encoded, icons};
use crate::format::{ago, counted};
use crate::wording;
use pockethog_core::live::Status;
use pockethog_core::project::ProjectKey;
use pockethog_screens::{Home, Problem, SignInOffer, Sort};

/// Cards per page.
pub const PAGE: usize = 120;

/// What the home page knows.
#[derive(Clone, Debug)]
pub struct HomePage {
    /// The shell; its title and its status are ours.
    pub shell: Shell,
    /// What it shows.
    pub home: Home,
    /// The zone of the person who looks.
    pub viewer: TimeZone,
    /// The project that was just hidden, with its name.
    pub just_hidden: Option<(ProjectKey, String)>,
}

/// The home page.
pub fn render(view: &HomePage) -> Markup {
    let home = &view.home;
    let mut shell = view.shell.clone();
    "All projects".clone_into(&mut shell.title);
    shell.status = Some(StatusLine::new(&home.status, home.now));
    if let Status::Offline(Some(oldest)) = home.status {
        shell.notices.push(offline_notice(oldest, home.now));
    }
    shell.page(
        "home",
        &html! {
            @if let Some((key, name)) = &view.just_hidden { (card_menu::hidden_notice(key, name, &own_address(home))) }
            (render_content(home, &view.viewer))
        },
    )
}

/// Everything below the header, as the event stream replaces it. Its id is `home`.
pub fn render_content(home: &Home, viewer: &TimeZone) -> Markup {
    let shown = &home.shown;
    let (page, pages) = (shown.page, shown.pages);
    let live = pages == 1 && shown.filter.is_empty();
    let back = own_address(home);
    html! {
        div #home {
            h1.hidden-label { "All projects" }
            @for offer in &home.offers { (sign_in_offer(offer)) }
            @if home.cards.is_empty() {
                (nothing(home, viewer))
            } @else {
                (render_total(home, viewer))
                (render_moves(home))
                (render_problems(&home.problems))
                section.projects aria-labelledby="projects" {
                    div.tools {
                        h2 #projects data-one="project" data-many="projects" { (counted(shown.found, "project", "projects")) }
                        @if home.hidden > 0 { a.muted href="/settings#projects" { (counted(home.hidden, "hidden", "hidden")) } }
                        form.filter role="search" method="get" action="/" {
                            (icons::search())
                            input type="search" name="filter" value=(shown.filter) placeholder="Filter" aria-label="Filter projects" autocomplete="off" data-live=[live.then_some("cards")];
                            input type="hidden" name="sort" value=(shown.sort.name());
                        }
                        nav.segments aria-label="Sort by" {
                            @for sort in Sort::ALL {
                                @if sort != Sort::Own || home.has_own_order {
                                    a href=(address(home, sort, 0)) aria-current=[(sort == shown.sort).then_some("true")] { (title(sort)) }
                                }
                            }
                        }
                    }
                    @if shown.found == 0 {
                        div.empty-box {
                            p { "No project matches “" bdi { (shown.filter) } "”." }
                            a.button href=(format!("/?sort={}", shown.sort.name())) { "Show all" }
                        }
                    }
                    @else if live {
                        // The script shows it where what is typed matches nothing.
                        div.empty-box #cards-none hidden { p { "No project matches “" bdi {} "”." } }
                    }
                    ul.cards.many[shown.places.len() > 60] #cards {
                        @for card in home.shown_cards() { (render_card(card, home.now, Some(&back))) }
                    }
                    @if pages > 1 {
                        nav.pager aria-label="Pages" {
                            @if page > 0 { a.button href=(address(home, shown.sort, page - 1)) rel="prev" { "Previous" } }
                            span { "Page " (page + 1) " of " (pages) }
                            @if page + 1 < pages { a.button href=(address(home, shown.sort, page + 1)) rel="next" { "Next" } }
                        }
                    }
                }
            }
        }
    }
}

/// The address of the page that is shown, sorted and filtered as it is.
pub fn own_address(home: &Home) -> String {
    address(home, home.shown.sort, home.shown.page)
}

fn address(home: &Home, sort: Sort, page: usize) -> String {
    let mut address = format!("/?sort={}", sort.name());
    let filter = &home.shown.filter;
    if !filter.is_empty() {
        address.push_str("&filter=");
        address.push_str(&encoded(filter));
    }
    if page > 0 {
        address.push_str("&page=");
        address.push_str(&page.to_string());
    }
    address
}

fn title(sort: Sort) -> &'static str {
    match sort {
        Sort::Visitors => "Visitors",
        Sort::Unusual => "Unusual",
        Sort::Trend => "Trend",
        Sort::Name => "Name",
        Sort::Own => "Mine",
    }
}

/// What could not be read, as the event stream replaces it. Its id is `troubles`.
pub fn render_problems(problems: &[Problem]) -> Markup {
    let line = |problem: &Problem| {
        let (what, reason) = wording::home::problem(problem);
        html! {
            b { bdi { (what) } "." } " " (reason)
            @if let Some((label, path)) = remedy(problem) { " " a href=(path) { (label) } }
        }
    };
    html! {
        div #troubles {
            @match problems {
                [] => {},
                [one] => div.notice.warn role="status" { (icons::warning()) p { (line(one)) } },
                several => details.notice.warn open[several.len() <= 4] {
                    summary { (icons::warning()) (several.len()) " things need a look" }
                    ul { @for problem in several { li { (line(problem)) } } }
                },
            }
        }
    }
}

/// Where to go to solve a problem, if anything can: a label and a page.
fn remedy(problem: &Problem) -> Option<(&'static str, &'static str)> {
    let sign_in = ("Sign in again", "/sign-in");
    match problem {
        Problem::SignedOut { .. } => Some(sign_in),
        Problem::Outage { .. } => None,
        Problem::NotGranted { .. } => Some(("Change access", "/connections")),
        Problem::NotListed { failure, .. } => failure.needs_sign_in.then_some(sign_in),
    }
}

fn nothing(home: &Home, viewer: &TimeZone) -> Markup {
    let loading = matches!(home.status, Status::Loading { .. });
    html! {
        @if loading {
            (render_total(&Home::default(), viewer))
            ul.cards aria-hidden="true" {
                @for _ in 0..8 {
                    li.card.project {
                        span.avatar.bone-chart {}
                        div.name { p.bone { "Project name" } p.subtitle { span.bone { "project.example" } } }
                        p.number { span.bone { "0,000" } }
                        p.change { span.bone { "00.0%" } }
                        div.spark.bone-chart {}
                    }
                }
            }
        } @else {
            (render_problems(&home.problems))
            div.empty-box.tall {
                (icons::logo())
                @if home.hidden > 0 {
                    h2 { "All projects are hidden" }
                    p { "All your projects are hidden on this page." }
                    a.button.primary href="/settings#projects" { "Choose what to show" }
                } @else if home.problems.is_empty() {
                    h2 { "No projects granted" }
                    p { "You are signed in, but did not grant access to any project. Sign in again and choose organizations or projects on PostHog’s page." }
                    a.button.primary href="/connections" { "Change access" }
                } @else {
                    h2 { "No projects could be read" }
                    p { "PocketHog retries by itself. The reason is shown above." }
                    a.button href="/connections" { "Connections" }
                }
            }
        }
    }
}

fn sign_in_offer(offer: &SignInOffer) -> Markup {
    let path = |step: &str| format!("/banner/{}/{step}", encoded(offer.connection.as_str()));
    html! {
        section.notice.offer aria-label={ "Sign in to " (offer.host) } {
            p { b { "You use an API key for " (offer.host) "." } " Sign in instead: nothing to paste or rotate, and your projects, favourites and colours stay." }
            form method="post" action=(path("sign-in")) { button.button.primary.small type="submit" { "Sign in" } }
            form method="post" action=(path("snooze")) { button.button.small type="submit" { "Snooze" } }
            form method="post" action=(path("dismiss")) { button.button.small type="submit" { "Dismiss" } }
        }
    }
}

/// A notice about numbers that could not be refreshed at all.
fn offline_notice(oldest: Timestamp, now: Timestamp) -> Notice {
    let age = match ago(oldest, now).as_str() {
        "just now" => "a moment ago".to_owned(),
        age => age.to_owned(),
    };
    Notice {
        tone: Tone::Warn,
        text: format!(
            "PostHog cannot be reached. The numbers are from {age}; PocketHog keeps trying."
        ),
        action: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::samples::card;
    use pockethog_screens::Arrangement;

    #[test]
    fn five_hundred_projects_are_paged() {
        let mut home = Home {
            cards: (0..500).map(|id| card(id, "p", id, 1)).collect(),
            ..Home::default()
        };
        home.arrange(&Arrangement {
            page: 99,
            page_size: Some(PAGE),
            ..Arrangement::default()
        });
        let page = HomePage {
            shell: Shell::default(),
            home,
            viewer: TimeZone::UTC,
            just_hidden: None,
        };
        let html = render(&page).into_string();
        assert!(html.contains("Page 5 of 5") && html.contains("500 projects"));
        assert_eq!(html.matches("<li class=\"card project\"").count(), 20);
    }
}
