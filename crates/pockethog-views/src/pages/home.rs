//! Home: the total over all projects, then a card for each.

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::layout::{Notice, Shell, Tone, avatar};
use super::{card_menu, element_id, encoded, icons, project_path};
use crate::charts::{AreaChart, sparkline};
use crate::colours;
use crate::format::{self, counted, grouped, hour, weekday};
use pockethog_core::overview::{self, Axis, Change, Curve};
use pockethog_core::preferences::Scheme;
use pockethog_core::project::ProjectKey;

/// Cards per page.
pub const PAGE: usize = 120;

/// What the home page knows.
#[derive(Clone, Debug, Default)]
pub struct Home {
    /// The shell; its title is ours.
    pub shell: Shell,
    /// The sum over all projects that are not hidden.
    pub total: Total,
    /// All cards that are not hidden, in the person's own order.
    pub cards: Vec<Card>,
    /// How to sort; favourites come first in any case.
    pub sort: Sort,
    /// True if the person arranged projects, so that [`Sort::Own`] is offered.
    pub has_own_order: bool,
    /// Only projects whose name or subtitle contains this.
    pub filter: String,
    /// Which page of cards, from 0.
    pub page: usize,
    /// How many projects are hidden.
    pub hidden: usize,
    /// The project that was just hidden, with its name.
    pub just_hidden: Option<(ProjectKey, String)>,
    /// What could not be read.
    pub troubles: Vec<Trouble>,
    /// Connections by API key that could sign in instead.
    pub banners: Vec<KeyBanner>,
}

/// Visitors today over all projects, each in its own time zone.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// The numbers, and which projects they are of.
    pub sum: overview::Total,
    /// True if nothing is known and nothing is on its way.
    pub unread: bool,
    /// The project that grew most.
    pub best_mover: Option<BestMover>,
    /// The zone that the last 24 hours are named in: that of the person who looks.
    pub zone: Option<TimeZone>,
}

/// The project that grew most.
#[derive(Clone, Debug)]
pub struct BestMover {
    /// Its name.
    pub name: String,
    /// Its page.
    pub path: String,
    /// How much it grew.
    pub change: Change,
}

/// A project on the home page.
#[derive(Clone, Debug)]
pub struct Card {
    /// Which project.
    pub key: ProjectKey,
    /// The name to show.
    pub name: String,
    /// Its website or organization.
    pub subtitle: String,
    /// `US`, `EU` or the host; only if projects of several Hosts are shown.
    pub host: Option<String>,
    /// Shown first.
    pub favourite: bool,
    /// A colour scheme of its own.
    pub scheme: Option<Scheme>,
    /// Its numbers.
    pub numbers: Numbers,
}

/// The numbers of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Never read so far.
    Loading,
    /// No event ever arrived.
    Empty,
    /// Could not be read, and none are known from before: one sentence.
    Unreadable(String),
    /// Known.
    Known {
        /// Visitors today.
        visitors: u64,
        /// Visitors yesterday by now.
        before: u64,
        /// Visitors of the last 30 days, oldest first.
        days: Vec<u64>,
        /// The last of these days, by the project's calendar.
        today: Option<Date>,
        /// Why they are not fresh, `PostHog is busy, numbers from 12 min ago`.
        stale: Option<String>,
        /// The zone that its days are shown in, if its own is unknown here.
        unknown_zone: Option<String>,
        /// Whether nobody reads them any longer: the sign-in has ended.
        ended: bool,
    },
}

impl Card {
    /// Whether its numbers are not those of now.
    pub fn is_old(&self) -> bool {
        matches!(&self.numbers, Numbers::Known { stale: Some(_), .. })
    }
}

/// How cards are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Most visitors first.
    #[default]
    Visitors,
    /// Strongest growth first.
    Trend,
    /// By name.
    Name,
    /// As the person arranged them.
    Own,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What it is about, as the heading of the sentence: `US Cloud`, `Projects of Burrow could not be read`.
    pub what: String,
    /// Why, in one sentence.
    pub reason: String,
    /// Where to go to fix it, if anything can: a label and a page.
    pub action: Option<(String, String)>,
}

/// Offers signing in to someone who uses an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBanner {
    /// The Connection, as addresses name it.
    pub connection: String,
    /// `US Cloud` or `EU Cloud`.
    pub host: String,
}

impl Sort {
    /// The value of `?sort=`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Visitors => "visitors",
            Self::Trend => "trend",
            Self::Name => "name",
            Self::Own => "own",
        }
    }

    /// The sort called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Visitors, Self::Trend, Self::Name, Self::Own]
            .into_iter()
            .find(|sort| sort.name() == name)
    }

    fn title(self) -> &'static str {
        match self {
            Self::Visitors => "Visitors",
            Self::Trend => "Trend",
            Self::Name => "Name",
            Self::Own => "Mine",
        }
    }
}

/// The home page.
pub fn render(view: &Home) -> Markup {
    let mut shell = view.shell.clone();
    "All projects".clone_into(&mut shell.title);
    shell.page(
        "home",
        &html! {
            @if let Some((key, name)) = &view.just_hidden { (card_menu::hidden_notice(key, name, &own_address(view))) }
            (render_content(view))
        },
    )
}

/// Everything below the header, as the event stream replaces it. Its id is `home`.
pub fn render_content(view: &Home) -> Markup {
    let found = arranged(view);
    let (page, pages) = page_of(view, found.len());
    let shown = on_page(&found, page);
    let live = pages == 1 && view.filter.is_empty();
    html! {
        div #home {
            h1.hidden-label { "All projects" }
            @for banner in &view.banners { (key_banner(banner)) }
            @if view.cards.is_empty() {
                (nothing(view))
            } @else {
                (render_total(&view.total))
                (render_troubles(&view.troubles))
                section.projects aria-labelledby="projects" {
                    div.tools {
                        h2 #projects data-one="project" data-many="projects" { (counted(found.len(), "project", "projects")) }
                        @if view.hidden > 0 { a.muted href="/settings#projects" { (counted(view.hidden, "hidden", "hidden")) } }
                        form.filter role="search" method="get" action="/" {
                            (icons::search())
                            input type="search" name="filter" value=(view.filter) placeholder="Filter" aria-label="Filter projects" autocomplete="off" data-live=[live.then_some("cards")];
                            input type="hidden" name="sort" value=(view.sort.name());
                        }
                        nav.segments aria-label="Sort by" {
                            @for sort in [Sort::Visitors, Sort::Trend, Sort::Name, Sort::Own] {
                                @if sort != Sort::Own || view.has_own_order {
                                    a href=(address(view, sort, 0)) aria-current=[(sort == view.sort).then_some("true")] { (sort.title()) }
                                }
                            }
                        }
                    }
                    @if found.is_empty() {
                        div.empty-box {
                            p { "No project matches “" bdi { (view.filter) } "”." }
                            a.button href=(format!("/?sort={}", view.sort.name())) { "Show all" }
                        }
                    }
                    @else if live {
                        // The script shows it where what is typed matches nothing.
                        div.empty-box #cards-none hidden { p { "No project matches “" bdi {} "”." } }
                    }
                    ul.cards.many[shown.len() > 60] #cards {
                        @for card in shown { (render_card(card, Some(&own_address(view)))) }
                    }
                    @if pages > 1 {
                        nav.pager aria-label="Pages" {
                            @if page > 0 { a.button href=(address(view, view.sort, page - 1)) rel="prev" { "Previous" } }
                            span { "Page " (page + 1) " of " (pages) }
                            @if page + 1 < pages { a.button href=(address(view, view.sort, page + 1)) rel="next" { "Next" } }
                        }
                    }
                }
            }
        }
    }
}

/// The cards of the page that is shown, in their order.
pub fn shown_cards(view: &Home) -> Vec<&Card> {
    let found = arranged(view);
    let (page, _) = page_of(view, found.len());
    on_page(&found, page).to_vec()
}

/// Their projects.
pub fn shown_keys(view: &Home) -> Vec<ProjectKey> {
    shown_cards(view)
        .into_iter()
        .map(|card| card.key.clone())
        .collect()
}

/// The page that is shown, and how many there are.
fn page_of(view: &Home, found: usize) -> (usize, usize) {
    let pages = found.div_ceil(PAGE).max(1);
    (view.page.min(pages - 1), pages)
}

fn on_page<'a, 'b>(found: &'b [&'a Card], page: usize) -> &'b [&'a Card] {
    &found[page * PAGE..found.len().min((page + 1) * PAGE)]
}

/// The total alone, as the event stream replaces it. Its id is `total`.
pub fn render_total(total: &Total) -> Markup {
    let sum = &total.sum;
    html! {
        section.card.total #total aria-labelledby="total-title" data-say=[said(sum)] {
            div.figures {
                h2 #total-title { b { "Visitors today" } " · " (sum.partly().unwrap_or_else(|| "all projects".to_owned())) }
                @if let Some((now, before)) = sum.sums {
                    p.huge.long[now.visitors >= 10_000_000] data-number=(now.visitors) { (grouped(now.visitors)) }
                    p.against {
                        (change_badge(Change::between(now.visitors, before.visitors)))
                        span { "vs. yesterday by now" }
                    }
                } @else if total.unread {
                    p.huge { "–" }
                    p.against { "No numbers could be read; each project says why." }
                } @else {
                    p.huge { span.bone { "00,000" } }
                    p.against { span.bone { "00% vs. yesterday by now" } }
                }
                dl.asides {
                    @if let Some(online) = sum.online {
                        div { dt { "Online now" } dd { (grouped(online)) } }
                    }
                    @if let Some(mover) = &total.best_mover {
                        div { dt { "Best mover" } dd { a href=(mover.path) title=(mover.name) { bdi { (mover.name) } } " " (change_badge(mover.change)) } }
                    }
                }
            }
            @if let Some(curve) = &sum.curve {
                (total_curve(curve, total.zone.as_ref().unwrap_or(&TimeZone::UTC)))
            } @else if sum.sums.is_none() && !total.unread {
                div.chart.bone-chart aria-hidden="true" {}
            }
        }
    }
}

/// The total in words, for those who hear the page.
fn said(sum: &overview::Total) -> Option<String> {
    let (now, _) = sum.sums?;
    let of = sum.partly().unwrap_or_else(|| "all projects".to_owned());
    let change = format::spoken(sum.change()?);
    Some(format!(
        "{} visitors today, {of}, {change}.",
        grouped(now.visitors)
    ))
}

/// The hours of the total. `viewer` is the zone of the person who looks, for hours that belong to no day.
fn total_curve(curve: &Curve, viewer: &TimeZone) -> Markup {
    let (title, label, zone, before) = match &curve.axis {
        Axis::Day(zone) => (
            "Visitors per hour, today",
            "Visitors per hour, today and yesterday",
            zone,
            "yesterday",
        ),
        Axis::LastHours => (
            "Visitors per hour, last 24 hours",
            "Visitors per hour, the last 24 hours and the 24 hours before",
            viewer,
            "24 hours before",
        ),
    };
    let rolling = curve.axis == Axis::LastHours;
    let places: Vec<String> = curve
        .starts
        .iter()
        .map(|&start| {
            let time = hour(start, zone);
            if rolling {
                format!("{} {time}", weekday(start, zone))
            } else {
                time
            }
        })
        .collect();
    let before_places: Vec<String> = curve
        .starts
        .iter()
        .filter(|_| rolling)
        .map(|&start| {
            let start = start - SignedDuration::from_hours(24);
            format!("{} {}", weekday(start, zone), hour(start, zone))
        })
        .collect();
    let last = places.len().saturating_sub(1);
    // Every six hours; a day also names its last hour.
    let named: Vec<usize> = if rolling {
        (0..=last).rev().step_by(6).collect()
    } else {
        (0..last).step_by(6).chain([last]).collect()
    };
    let axis: Vec<(usize, String)> = named
        .into_iter()
        .filter_map(|place| Some((place, hour(*curve.starts.get(place)?, zone))))
        .collect();
    html! {
        div.hours {
            p.legend {
                span.key { span.solid aria-hidden="true" {} (title) }
                @if !curve.before.is_empty() { span.key { span.dash aria-hidden="true" {} (before) } }
            }
            (AreaChart {
                id: "total-chart",
                label,
                values: &curve.now,
                running: false,
                before: &curve.before,
                before_name: before,
                before_places: &before_places,
                places: &places,
                axis: &axis,
                markers: &[],
            }.render())
        }
    }
}

/// One card alone, as the event stream replaces it. Its id is [`card_id`]. It has a menu that leads back to
/// the page `back`, if one is given.
pub fn render_card(card: &Card, back: Option<&str>) -> Markup {
    let id = card_id(&card.key);
    let text = format!("{} {}", card.name, card.subtitle).to_lowercase();
    html! {
        li.card.project.old[card.is_old()] #(id) data-scheme=[card.scheme.map(colours::name)] data-text=(text) {
            (avatar(&card.name))
            div.name {
                h3 {
                    a href=(project_path(&card.key)) title=(card.name) { bdi { (card.name) } }
                    @if card.favourite { span.fav title="Favourite" { (icons::star()) span.hidden-label { "Favourite" } } }
                }
                p.subtitle {
                    @if let Some(host) = &card.host { span.badge title=(host) { (host) } }
                    bdi title=(card.subtitle) { (card.subtitle) }
                }
            }
            @if let Some(back) = back { (card_menu::render(&card.key, &card.name, card.favourite, back)) }
            @match &card.numbers {
                Numbers::Loading => {
                    p.number { span.bone { "0,000" } span.hidden-label { "Loading" } }
                    p.change { span.bone { "00.0%" } }
                    div.spark.bone-chart aria-hidden="true" {}
                }
                Numbers::Empty => {
                    p.message { "No events yet" }
                    svg.spark.flat aria-hidden="true" { line x1="0" x2="100%" y1="92%" y2="92%" {} }
                }
                Numbers::Unreadable(reason) => p.message.failed { (icons::warning()) span { (reason) } },
                Numbers::Known { visitors, before, days, today, stale, unknown_zone, .. } => {
                    p.number.long[*visitors >= 1_000_000] { span data-number=(visitors) { (grouped(*visitors)) } span.hidden-label { " visitors today" } }
                    p.change { (change_badge(Change::between(*visitors, *before))) }
                    (sparkline(&id, days, *today))
                    @if stale.is_some() || unknown_zone.is_some() {
                        p.stale {
                            (icons::warning())
                            span {
                                @if let Some(zone) = unknown_zone {
                                    span title="This version of PocketHog does not know the project’s time zone. Days begin when PostHog says." { "Unknown time zone, days in " (zone) "." }
                                    " "
                                }
                                @if let Some(stale) = stale { (stale) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The element id of a project's card.
pub fn card_id(key: &ProjectKey) -> String {
    element_id("card", key)
}

/// A change with its direction, in words for those who hear it.
pub(super) fn change_badge(change: Change) -> Markup {
    let class = match change.tone() {
        1 => "delta good",
        -1 => "delta bad",
        _ => "delta",
    };
    html! {
        span class=(class) {
            @match change.direction() {
                1 => (icons::up()),
                -1 => (icons::down()),
                _ => {},
            }
            span aria-hidden="true" { (format::change(change)) }
            span.hidden-label { (format::spoken(change)) }
        }
    }
}

/// Cards that match the filter, favourites first, sorted.
fn arranged(view: &Home) -> Vec<&Card> {
    let wanted = view.filter.trim().to_lowercase();
    let mut found: Vec<&Card> = view
        .cards
        .iter()
        .filter(|card| {
            format!("{} {}", card.name, card.subtitle)
                .to_lowercase()
                .contains(&wanted)
        })
        .collect();
    match view.sort {
        Sort::Visitors => {
            found.sort_by_key(|card| std::cmp::Reverse(visitors(card)));
        }
        Sort::Trend => found.sort_by(|one, other| trend(other).total_cmp(&trend(one))),
        Sort::Name => found.sort_by_cached_key(|card| card.name.to_lowercase()),
        Sort::Own => {}
    }
    found.sort_by_key(|card| !card.favourite);
    found
}

fn visitors(card: &Card) -> Option<u64> {
    match card.numbers {
        Numbers::Known { visitors, .. } => Some(visitors),
        _ => None,
    }
}

/// Growth, with what is new above all and what is unknown below all.
fn trend(card: &Card) -> f64 {
    match card.numbers {
        Numbers::Known {
            visitors, before, ..
        } => {
            let change = Change::between(visitors, before);
            let new = if change.is_new() { f64::MAX } else { -1e6 };
            change.percent().unwrap_or(new)
        }
        _ => f64::MIN,
    }
}

/// The address of the page that is shown, sorted and filtered as it is.
pub fn own_address(view: &Home) -> String {
    address(view, view.sort, view.page)
}

fn address(view: &Home, sort: Sort, page: usize) -> String {
    let mut address = format!("/?sort={}", sort.name());
    if !view.filter.is_empty() {
        address.push_str("&filter=");
        address.push_str(&encoded(&view.filter));
    }
    if page > 0 {
        address.push_str("&page=");
        address.push_str(&page.to_string());
    }
    address
}

/// What could not be read, as the event stream replaces it. Its id is `troubles`.
pub fn render_troubles(troubles: &[Trouble]) -> Markup {
    let line = |trouble: &Trouble| {
        html! {
            b { bdi { (trouble.what) } "." } " " (trouble.reason)
            @if let Some((label, path)) = &trouble.action { " " a href=(path) { (label) } }
        }
    };
    html! {
        div #troubles {
            @match troubles {
                [] => {},
                [one] => div.notice.warn role="status" { (icons::warning()) p { (line(one)) } },
                several => details.notice.warn open[several.len() <= 4] {
                    summary { (icons::warning()) (several.len()) " things need a look" }
                    ul { @for trouble in several { li { (line(trouble)) } } }
                },
            }
        }
    }
}

fn nothing(view: &Home) -> Markup {
    let loading = (view.shell.status.as_ref()).is_some_and(|status| status.progress.is_some());
    html! {
        @if loading {
            (render_total(&Total::default()))
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
            (render_troubles(&view.troubles))
            div.empty-box.tall {
                (icons::logo())
                @if view.hidden > 0 {
                    h2 { "All projects are hidden" }
                    p { "All your projects are hidden on this page." }
                    a.button.primary href="/settings#projects" { "Choose what to show" }
                } @else if view.troubles.is_empty() {
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

fn key_banner(banner: &KeyBanner) -> Markup {
    let path = |step: &str| format!("/banner/{}/{step}", encoded(&banner.connection));
    html! {
        section.notice.offer aria-label={ "Sign in to " (banner.host) } {
            p { b { "You use an API key for " (banner.host) "." } " Sign in instead: nothing to paste or rotate, and your projects, favourites and colours stay." }
            form method="post" action=(path("sign-in")) { button.button.primary.small type="submit" { "Sign in" } }
            form method="post" action=(path("snooze")) { button.button.small type="submit" { "Snooze" } }
            form method="post" action=(path("dismiss")) { button.button.small type="submit" { "Dismiss" } }
        }
    }
}

/// A notice about numbers that could not be refreshed at all.
pub fn offline_notice(age: &str) -> Notice {
    let age = if age == "just now" {
        "a moment ago"
    } else {
        age
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

    fn card(id: u64, name: &str, visitors: u64, before: u64, favourite: bool) -> Card {
        Card {
            key: ProjectKey {
                host: "us".to_owned(),
                id,
            },
            name: name.to_owned(),
            subtitle: format!("{name}.example"),
            host: None,
            favourite,
            scheme: None,
            numbers: Numbers::Known {
                visitors,
                before,
                days: vec![1, 2, 3],
                today: None,
                stale: None,
                unknown_zone: None,
                ended: false,
            },
        }
    }

    fn names(view: &Home) -> Vec<&str> {
        arranged(view)
            .iter()
            .map(|card| card.name.as_str())
            .collect()
    }

    #[test]
    fn favourites_come_first_whatever_the_sort() {
        let mut view = Home {
            cards: vec![
                card(1, "b", 10, 10, false),
                card(2, "c", 5, 1, false),
                card(3, "a", 1, 1, true),
            ],
            ..Home::default()
        };
        assert_eq!(names(&view), ["a", "b", "c"]);
        view.sort = Sort::Trend;
        assert_eq!(names(&view), ["a", "c", "b"]);
        view.sort = Sort::Own;
        assert_eq!(names(&view), ["a", "b", "c"]);
    }

    #[test]
    fn a_filter_ignores_case_and_looks_at_the_website_too() {
        let view = Home {
            cards: vec![
                card(1, "Acorn", 1, 1, false),
                card(2, "Burrow", 1, 1, false),
            ],
            filter: "BURROW.ex".to_owned(),
            ..Home::default()
        };
        assert_eq!(names(&view), ["Burrow"]);
    }

    #[test]
    fn five_hundred_projects_are_paged() {
        let cards = (0..500).map(|id| card(id, "p", id, 1, false)).collect();
        let view = Home {
            cards,
            page: 99,
            ..Home::default()
        };
        let html = render(&view).into_string();
        assert!(html.contains("Page 5 of 5") && html.contains("500 projects"));
        assert_eq!(html.matches("<li class=\"card project\"").count(), 20);
    }

    #[test]
    fn a_total_says_of_how_many_projects_it_is() {
        let mut total = Total::default();
        total.sum.members = [[true; 9].as_slice(), &[false; 7]].concat();
        total.sum.sums = Some((overview::Counts::default(), overview::Counts::default()));
        let html = render_total(&total).into_string();
        assert!(html.contains("9 of 16 projects"), "{html}");
    }

    #[test]
    fn the_best_mover_shows_its_figure() {
        let total = Total {
            best_mover: Some(BestMover {
                name: "Snuffle App".to_owned(),
                path: "/project/us/13".to_owned(),
                change: Change::between(204, 175),
            }),
            ..Total::default()
        };
        let html = render_total(&total).into_string();
        let (_, mover) = html.split_once("Best mover").unwrap_or_default();
        let (mover, _) = mover.split_once("</dd>").unwrap_or_default();
        assert!(
            mover.contains("Snuffle App") && mover.contains("16.6%"),
            "{html}"
        );
    }

    #[test]
    fn an_unknown_zone_is_said_on_the_card() {
        let mut card = card(1, "Acorn", 5, 4, false);
        if let Numbers::Known { unknown_zone, .. } = &mut card.numbers {
            *unknown_zone = Some("UTC+05:30".to_owned());
        }
        let html = render_card(&card, None).into_string();
        assert!(
            html.contains("Unknown time zone, days in UTC+05:30."),
            "{html}"
        );
    }

    #[test]
    fn a_name_with_markup_is_text() {
        let html = render_card(
            &card(1, "<img src=x onerror=alert(1)>", 1, 1, false),
            Some("/"),
        )
        .into_string();
        assert!(!html.contains("<img"), "{html}");
    }
}
