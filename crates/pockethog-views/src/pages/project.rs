//! A project: figures, the chart with its annotations, lists, conversions, preferences.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::annotations::{
    self, AnnotationAccess, AnnotationDialog, AnnotationPanel, Remedy, SavedAnnotation, shortened,
};
use super::card::change_badge;
use super::layout::{Notice, Shell, Tone, avatar};
use super::settings::preference_form;
use super::{icons, project_path, rest};
use crate::charts::{AreaChart, Marker};
use crate::format::{self, grouped};
use pockethog_core::annotations::Annotation;
use pockethog_core::overview::{
    Breakdown, Breakdowns, Change, ConversionFigure, Period, Point, Range, share_tone,
};
use pockethog_core::preferences::ProjectPreferences;
use pockethog_core::project::ProjectKey;

/// What the project page knows.
#[derive(Clone, Debug)]
pub struct ProjectPage {
    /// The shell; its title and its way back are ours.
    pub shell: Shell,
    /// Which project.
    pub key: ProjectKey,
    /// Its name at PostHog.
    pub original_name: String,
    /// Its website or organization.
    pub subtitle: String,
    /// `US`, `EU` or the host.
    pub host: String,
    /// The Connection that reads it, as addresses name it.
    pub connection: String,
    /// What the person chose about it.
    pub preferences: ProjectPreferences,
    /// What the person chose about it and what could not be saved.
    pub refused: Option<ProjectPreferences>,
    /// Projects for the list beside the page.
    pub siblings: Vec<Sibling>,
    /// How a permission that is missing can be given.
    pub remedy: Remedy,
    /// True if `query:read` was granted.
    pub may_query: bool,
    /// Persons online now, if known.
    pub online: Option<u64>,
    /// The range to show.
    pub range: Range,
    /// The time zone that hours and days are shown in.
    pub zone: TimeZone,
    /// The name that PostHog gives to the project's time zone.
    pub zone_name: String,
    /// When the page is made.
    pub now: Timestamp,
    /// The numbers of the range; none while they were never read.
    pub period: Option<Period>,
    /// The lists of the range; none while they were never read.
    pub breakdowns: Option<Breakdowns>,
    /// Why the numbers could not be read or are not fresh: one sentence.
    pub trouble: Option<String>,
    /// True if no event ever arrived.
    pub empty: bool,
    /// Annotations of the range, oldest first.
    pub annotations: Vec<Annotation>,
    /// What may be done with annotations.
    pub annotation_access: AnnotationAccess,
    /// Why the annotations are not fresh: one sentence.
    pub annotation_trouble: Option<String>,
    /// The annotation that is being written, where a form has to be open.
    pub dialog: Option<AnnotationDialog>,
    /// The annotation that was just saved, `None` within for one that was added: its text need not be kept
    /// for another try.
    pub saved: Option<SavedAnnotation>,
    /// The annotation that was just deleted: its number and text.
    pub deleted: Option<(u64, String)>,
    /// True if a deleted annotation was just brought back.
    pub restored: bool,
}

/// A project in the list beside the page.
#[derive(Clone, Debug)]
pub struct Sibling {
    /// Which project.
    pub key: ProjectKey,
    /// The name to show.
    pub name: String,
    /// Visitors today, if known.
    pub visitors: Option<u64>,
}

impl ProjectPage {
    /// The name to show.
    pub fn name(&self) -> &str {
        self.preferences
            .name
            .as_deref()
            .unwrap_or(&self.original_name)
    }

    /// What the annotations beside the numbers need.
    fn panel(&self) -> AnnotationPanel<'_> {
        AnnotationPanel {
            key: &self.key,
            range: self.range,
            zone: &self.zone,
            now: self.now,
            annotations: &self.annotations,
            access: self.annotation_access,
            remedy: self.remedy,
            connection: &self.connection,
            trouble: self.annotation_trouble.as_deref(),
            dialog: self.dialog.as_ref(),
            saved: self.saved,
        }
    }
}

/// The project page.
pub fn render(view: &ProjectPage) -> Markup {
    let mut shell = view.shell.clone();
    view.name().clone_into(&mut shell.title);
    shell.back = Some("/".to_owned());
    if let Some(scheme) = view.preferences.scheme {
        shell.scheme = scheme;
    }
    shell.page(
        "project",
        &html! {
            div.beside {
                (sidebar(view))
                div.content {
                    (heading(view))
                    @if let Some((id, text)) = &view.deleted { (undo(view, *id, text)) }
                    @if view.restored { div.notice.good role="status" { p { "The annotation was restored." } } }
                    (render_numbers(view))
                    (render_lists(view))
                    (preferences(view))
                }
            }
            (annotations::dialogs(&view.panel()))
        },
    )
}

/// Figures and chart alone, as the event stream replaces them. Their id is `numbers`.
pub fn render_numbers(view: &ProjectPage) -> Markup {
    html! {
        div #numbers.old[view.trouble.is_some()] data-say=[view.period.as_ref().filter(|_| view.may_query).map(said)] {
            @if let (Some(trouble), true) = (&view.trouble, view.period.is_some() && view.may_query) {
                (Notice { tone: Tone::Warn, text: trouble.clone(), action: None }.render())
            }
            @if !view.may_query {
                (without_numbers(view))
            } @else if let Some(period) = &view.period {
                @if !period.time_zone_known {
                    (Notice {
                        tone: Tone::Warn,
                        text: format!(
                            "This version of PocketHog does not know the time zone {} as PostHog does. Hours and days begin when PostHog says, and are shown in {}.",
                            view.zone_name, period.time_zone
                        ),
                        action: None,
                    }.render())
                }
                @if let Some(words) = crate::wording::left_out(period.left_out, period.lacks_bots) {
                    p.note #left-out { "Numbers " (words) "." }
                }
                @let silent = view.empty && period.now.pageviews == 0;
                @if silent {
                    div.empty-box {
                        h2 { "No events yet" }
                        p { "Numbers appear here as soon as PostHog receives the first page view." }
                    }
                }
                div.figures-row hidden[silent] {
                    (figure("Visitors", period.now.visitors, period.before.visitors))
                    (figure("Pageviews", period.now.pageviews, period.before.pageviews))
                    (figure("Sessions", period.sessions, period.sessions_before))
                    (fourth(period))
                }
                @if silent { (annotations_alone(view)) } @else { (chart(view, period)) }
            } @else if let Some(trouble) = &view.trouble {
                div.empty-box {
                    h2 { "No numbers so far" }
                    p { (trouble) }
                    // Those of another range may be there.
                    (ranges(view))
                }
                (annotations_alone(view))
            } @else {
                div.figures-row aria-hidden="true" {
                    @for label in ["Visitors", "Pageviews", "Sessions", "Conversion"] {
                        div.card.figure { p { (label) } b { span.bone { "000,000" } } }
                    }
                }
                section.card.panel aria-label="Unique visitors" {
                    div.panel-head { h2 { "Unique visitors" } (ranges(view)) }
                    div.chart.bone-chart aria-hidden="true" {}
                }
            }
        }
    }
}

/// The figures in words, for those who hear the page.
fn said(period: &Period) -> String {
    let change = Change::between(period.now.visitors, period.before.visitors);
    format!(
        "{} visitors, {}; {} pageviews.",
        grouped(period.now.visitors),
        format::spoken(change),
        grouped(period.now.pageviews)
    )
}

fn without_numbers(view: &ProjectPage) -> Markup {
    html! {
        div.empty-box {
            h2 { "Numbers are not shown" }
            p { "The permission query:read was not granted. The project and its annotations are still shown." }
            (annotations::missing(&view.panel(), ""))
        }
        (annotations_alone(view))
    }
}

/// The annotations if there is no chart for them.
fn annotations_alone(view: &ProjectPage) -> Markup {
    html! {
        section.card.panel.chart-panel aria-label="Annotations" {
            div.panel-head { h2 { "Annotations" } }
            (annotations::list(&view.panel()))
        }
    }
}

/// Lists and conversions alone, as the event stream replaces them. Their id is `lists`.
pub fn render_lists(view: &ProjectPage) -> Markup {
    html! {
        div.panels.old[view.trouble.is_some()] #lists {
            @if !view.may_query {
            } @else if let Some(breakdowns) = &view.breakdowns {
                @for (place, (list, rows)) in breakdowns.lists.iter().enumerate() {
                    (breakdown(*list, rows))
                    @if place == 0 { (conversions(view)) }
                }
            } @else if view.trouble.is_some() {
                (conversions(view))
            } @else {
                @for title in ["Top pages", "Referrers"] {
                    section.card.panel aria-label=(title) {
                        div.panel-head { h2 { (title) } }
                        div.bone-list aria-hidden="true" { @for _ in 0..5 { p.bone { "/" } } }
                    }
                }
                (conversions(view))
            }
        }
    }
}

fn sidebar(view: &ProjectPage) -> Markup {
    html! {
        nav.sidebar aria-label="Projects" {
            a.all href="/" { (icons::back()) "All projects" }
            ul {
                @for sibling in &view.siblings {
                    li {
                        a href={ (project_path(&sibling.key)) "?range=" (view.range.name()) } aria-current=[(sibling.key == view.key).then_some("page")] {
                            (avatar(&sibling.name))
                            bdi title=(sibling.name) { (sibling.name) }
                            @if let Some(visitors) = sibling.visitors { span.count { (grouped(visitors)) } }
                        }
                    }
                }
            }
        }
    }
}

fn heading(view: &ProjectPage) -> Markup {
    html! {
        div.title {
            (avatar(view.name()))
            div {
                h1 { bdi title=(view.name()) { (view.name()) } @if view.preferences.favourite { span.fav title="Favourite" { (icons::star()) } } }
                p.subtitle { bdi title=(view.subtitle) { (view.subtitle) } span.badge title=(view.host) { (view.host) } }
            }
            (render_online(view.online))
        }
    }
}

/// Persons online now, as the event stream replaces it. Its id is `online`.
pub fn render_online(online: Option<u64>) -> Markup {
    html! {
        p.online #online hidden[online.is_none()] {
            @if let Some(online) = online { span.dot aria-hidden="true" {} b { (grouped(online)) } " online" }
        }
    }
}

fn undo(view: &ProjectPage, id: u64, text: &str) -> Markup {
    html! {
        div.notice.good role="status" {
            p { "Deleted “" bdi { (shortened(text)) } "”." }
            form method="post" action={ (project_path(&view.key)) "/annotations/" (id) "/undo" } {
                input type="hidden" name="range" value=(view.range.name());
                button.button.small type="submit" { "Undo" }
            }
        }
    }
}

fn figure(label: &str, now: u64, before: u64) -> Markup {
    html! {
        div.card.figure {
            p { (label) (change_badge(Change::between(now, before))) }
            b data-number=(now) { (grouped(now)) }
        }
    }
}

/// The rate of the first conversion; without one, how deep visits go.
fn fourth(period: &Period) -> Markup {
    if let Some(first) = period.conversions.first() {
        let (now, before) = rates(period, first.persons, first.persons_before);
        return html! {
            div.card.figure title=(first.event) {
                p { "Conversion" span class={ "delta" (tone(period, first)) } { (format::points(now, before)) } }
                b { (format::share(now)) }
            }
        };
    }
    let depth = |views: u64, sessions: u64| views as f64 / sessions.max(1) as f64;
    html! {
        div.card.figure {
            p { "Pages per session" }
            b { (format!("{:.1}", depth(period.now.pageviews, period.sessions))) }
        }
    }
}

/// Unique persons with the event over unique visitors, now and before.
fn rates(period: &Period, now: u64, before: u64) -> (f64, f64) {
    let rate = |persons: u64, visitors: u64| persons as f64 / visitors.max(1) as f64;
    (
        rate(now, period.now.visitors),
        rate(before, period.before.visitors),
    )
}

/// The colour of a change of the rate.
fn tone(period: &Period, figure: &ConversionFigure) -> &'static str {
    let now = (figure.persons, period.now.visitors);
    let before = (figure.persons_before, period.before.visitors);
    match share_tone(now, before) {
        1 => " good",
        -1 => " bad",
        _ => "",
    }
}

fn ranges(view: &ProjectPage) -> Markup {
    html! {
        nav.segments.ranges aria-label="Range" {
            @for range in Range::ALL {
                a href={ (project_path(&view.key)) "?range=" (range.name()) } aria-current=[(range == view.range).then_some("true")] { (range.name()) }
            }
        }
    }
}

fn chart(view: &ProjectPage, period: &Period) -> Markup {
    let place_name = |point: &Point| match view.range {
        Range::Day => format!(
            "{} {}",
            format::weekday(point.start, &view.zone),
            format::hour(point.start, &view.zone)
        ),
        _ => format::weekday(point.start, &view.zone),
    };
    let places: Vec<String> = period.points.iter().map(place_name).collect();
    let before_places: Vec<String> = period.points_before.iter().map(place_name).collect();
    let visitors = |points: &[Point]| {
        points
            .iter()
            .map(|point| point.visitors)
            .collect::<Vec<_>>()
    };
    let starts: Vec<Timestamp> = period.points.iter().map(|point| point.start).collect();
    let markers: Vec<Marker> = view
        .annotations
        .iter()
        .enumerate()
        .filter_map(|(place, annotation)| {
            Some(Marker {
                number: place + 1,
                at: across(&starts, annotation.at)?,
                text: shortened(&annotation.text),
                when: annotations::when(annotation, &view.zone),
            })
        })
        .collect();
    let dates: Vec<String> = starts
        .iter()
        .map(|&start| format::date_value(start, &view.zone))
        .collect();
    let during = during(view.range);
    html! {
        section.card.panel.chart-panel aria-labelledby="chart-title" {
            div.panel-head {
                div {
                    h2 #chart-title { "Unique visitors" }
                    p.legend { span.solid aria-hidden="true" {} (during) span.dash aria-hidden="true" {} "period before" }
                }
                (ranges(view))
            }
            div.large data-dates=[view.annotation_access.may_write().then(|| serde_json::to_string(&dates).unwrap_or_default())] {
                (AreaChart {
                    id: "visitors",
                    label: &format!("Unique visitors, {during}, compared with the period before. The table below has the numbers."),
                    values: &visitors(&period.points),
                    running: true,
                    before: &visitors(&period.points_before),
                    before_name: "in the period before",
                    before_places: &before_places,
                    places: &places,
                    axis: &axis(view, &starts),
                    markers: &markers,
                }.render())
            }
            (annotations::list(&view.panel()))
            (table(view, period, &places))
        }
    }
}

fn during(range: Range) -> &'static str {
    match range {
        Range::Day => "last 24 hours",
        Range::Week => "last 7 days",
        Range::Month => "last 30 days",
        Range::Quarter => "last 90 days",
    }
}

/// Where an instant is: the hour or day that holds it, from 0 at the first to 1 at the last.
fn across(starts: &[Timestamp], at: Timestamp) -> Option<f64> {
    let place = starts
        .partition_point(|&start| start <= at)
        .checked_sub(1)?;
    let last = starts.len() - 1;
    let length = starts
        .windows(2)
        .last()
        .map_or(86_400, |pair| pair[1].as_second() - pair[0].as_second());
    (place < last || at.as_second() < starts[last].as_second() + length)
        .then(|| place as f64 / last.max(1) as f64)
}

/// About six places are named, the last one among them.
fn axis(view: &ProjectPage, starts: &[Timestamp]) -> Vec<(usize, String)> {
    let Some(last) = starts.len().checked_sub(1) else {
        return Vec::new();
    };
    let step = (starts.len() / 6).max(1);
    (0..=last)
        .rev()
        .step_by(step)
        .map(|place| {
            let name = match view.range {
                Range::Day => format::hour(starts[place], &view.zone),
                _ => format::day(starts[place], &view.zone),
            };
            (place, name)
        })
        // A name at the very edge would stick out of the card.
        .filter(|&(place, _)| place == 0 || place * 14 >= last)
        .collect()
}

fn table(view: &ProjectPage, period: &Period, places: &[String]) -> Markup {
    html! {
        details.as-table #as-table {
            summary { "Show as table" }
            div.scroll tabindex="0" role="region" aria-label="Visitors as a table" {
                table {
                    caption.hidden-label { "Visitors and pageviews of " (view.name()) ", " (during(view.range)) }
                    thead { tr {
                        th scope="col" { (if view.range == Range::Day { "Hour" } else { "Day" }) }
                        th scope="col" { "Visitors" }
                        th scope="col" { "Period before" }
                        th scope="col" { "Pageviews" }
                    } }
                    tbody {
                        @for (from_last, (place, point)) in period.points.iter().enumerate().rev().enumerate() {
                            tr class=[rest::class(from_last)] {
                                th scope="row" { (places[place]) }
                                td { (grouped(point.visitors)) }
                                td { @if let Some(before) = period.points_before.get(place) { (grouped(before.visitors)) } }
                                td { (grouped(point.pageviews)) }
                            }
                        }
                    }
                }
            }
            (rest::rest("all-places", period.points.len()))
        }
    }
}

fn breakdown(list: Breakdown, rows: &[pockethog_core::overview::Row]) -> Markup {
    let title = match list {
        Breakdown::Pages => "Top pages",
        Breakdown::Referrers => "Referrers",
        Breakdown::Countries => "Countries",
        Breakdown::Devices => "Devices",
    };
    let most = rows
        .iter()
        .map(|row| row.visitors)
        .max()
        .unwrap_or(0)
        .max(1);
    html! {
        section.card.panel aria-label=(title) {
            div.panel-head { h2 { (title) } span.muted { "visitors" } }
            @if rows.is_empty() { p.muted.none { "Nothing in this range." } }
            ol.bars {
                @for (place, row) in rows.iter().enumerate() {
                    li class=[rest::class(place)] {
                        svg.bar-ground aria-hidden="true" { rect width=(format!("{:.1}%", row.visitors as f64 / most as f64 * 100.0)) height="100%" rx="9" {} }
                        bdi title=(label(list, &row.label)) data-country=[(list == Breakdown::Countries && row.label.len() == 2).then_some(row.label.as_str())] { (label(list, &row.label)) }
                        b { (grouped(row.visitors)) }
                    }
                }
            }
            (rest::rest(&format!("all-{}", list.name()), rows.len()))
        }
    }
}

fn label(list: Breakdown, label: &str) -> &str {
    match (list, label) {
        (Breakdown::Referrers, "$direct") => "Direct",
        (_, "") => "Unknown",
        _ => label,
    }
}

fn conversions(view: &ProjectPage) -> Markup {
    let choose = format!(
        "{}/conversions?range={}",
        project_path(&view.key),
        view.range.name()
    );
    html! {
        section.card.panel aria-labelledby="conversions-title" {
            div.panel-head { h2 #conversions-title { "Conversions" } span.muted { "of visitors" } }
            @if view.preferences.conversions.is_empty() {
                p.muted.none { "Choose events that count as a success, such as a sign-up or a purchase, and see which share of visitors gets there." }
            } @else {
                @let figures = view.period.as_ref().map_or(&[][..], |period| &period.conversions);
                ul.conversions {
                    @for event in &view.preferences.conversions {
                        li {
                            bdi title=(event) { (event) }
                            @match (&view.period, figures.iter().find(|figure| figure.event == *event)) {
                                (Some(period), Some(figure)) => (conversion(period, figure)),
                                _ if view.trouble.is_some() => b { "–" },
                                _ => b { span.bone { "0.0%" } },
                            }
                        }
                    }
                }
            }
            a.link href=(choose) { (icons::plus()) (if view.preferences.conversions.is_empty() { "Choose events" } else { "Change events" }) }
        }
    }
}

fn conversion(period: &Period, figure: &ConversionFigure) -> Markup {
    let (now, before) = rates(period, figure.persons, figure.persons_before);
    html! {
        b { (format::share(now)) }
        span.muted { (grouped(figure.persons)) (if figure.persons == 1 { " person" } else { " people" }) }
        span class={ "points" (tone(period, figure)) } { (format::points(now, before)) }
        svg.meter aria-hidden="true" {
            rect.well width="100%" height="100%" rx="3" {}
            // As full as the rate says. More people than visitors fill it, and no more.
            rect.filled width=(format!("{:.1}%", now.min(1.0) * 100.0)) height="100%" rx="3" {}
        }
    }
}

fn preferences(view: &ProjectPage) -> Markup {
    html! {
        details.card.panel.preferences #preferences open[view.refused.is_some()] {
            summary { "Name, colours and position of this project" }
            (preference_form(&view.key, &view.original_name, view.refused.as_ref().unwrap_or(&view.preferences), &format!("{}?range={}", project_path(&view.key), view.range.name())))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pockethog_core::overview::{Counts, LeftOut};

    #[test]
    fn a_bar_of_conversions_is_as_full_as_the_rate_beside_it() {
        let period = Period {
            measured_at: Timestamp::UNIX_EPOCH,
            range: Range::Month,
            time_zone: "UTC".to_owned(),
            time_zone_known: true,
            now: Counts {
                visitors: 1000,
                ..Counts::default()
            },
            before: Counts {
                visitors: 1000,
                ..Counts::default()
            },
            sessions: 0,
            sessions_before: 0,
            points: Vec::new(),
            points_before: Vec::new(),
            conversions: Vec::new(),
            left_out: LeftOut::default(),
            lacks_bots: false,
        };
        for (persons, said, full) in [
            (0, "0.0%", "0.0%"),
            (37, "3.7%", "3.7%"),
            (500, "50.0%", "50.0%"),
            (1000, "100.0%", "100.0%"),
            (1200, "120.0%", "100.0%"),
        ] {
            let event = "signed_up".to_owned();
            let figure = ConversionFigure {
                event,
                persons,
                persons_before: 30,
            };
            let html = conversion(&period, &figure).into_string();
            assert!(html.contains(&format!("<b>{said}</b>")), "{html}");
            assert!(
                html.contains(&format!("class=\"filled\" width=\"{full}\"")),
                "{html}"
            );
        }
    }

    #[test]
    fn an_annotation_lies_on_the_day_that_holds_it() {
        let day = |day: i64| Timestamp::from_second(day * 86_400).unwrap();
        let starts = [day(1), day(2), day(3)];
        let at = |seconds| across(&starts, Timestamp::from_second(seconds).unwrap());
        assert_eq!(at(86_400 + 5), Some(0.0));
        assert_eq!(at(2 * 86_400 + 40_000), Some(0.5));
        assert_eq!(at(3 * 86_400 + 86_399), Some(1.0));
        assert_eq!(at(4 * 86_400), None);
        assert_eq!(at(0), None);
    }
}
