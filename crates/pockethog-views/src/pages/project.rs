//! A project: figures, the chart with its annotations, lists, conversions, preferences.

mod chart;
mod lists;

use maud::{Markup, html};

use self::chart::chart;
use self::lists::{breakdown, conversions, rates, tone};
use super::annotations::{self, AnnotationDialog, AnnotationPanel, SavedAnnotation, shortened};
use super::card::change_badge;
use super::layout::{Notice, Shell, StatusLine, Tone, avatar};
use super::settings::preference_form;
use super::{icons, moves, project_path};
use crate::format::{self, grouped};
use crate::moved;
use crate::wording;
use pockethog_core::overview::{Change, Period, Range};
use pockethog_core::preferences::ProjectPreferences;
use pockethog_screens::ProjectScreen;

/// What the project page knows.
#[derive(Clone, Debug)]
pub struct ProjectPage {
    /// The shell; its title, its status and its way back are ours.
    pub shell: Shell,
    /// What it shows.
    pub screen: ProjectScreen,
    /// What the person chose about it and what could not be saved.
    pub refused: Option<ProjectPreferences>,
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

impl ProjectPage {
    /// The page of `screen`, with nothing of what was just done.
    pub fn new(shell: Shell, screen: ProjectScreen) -> Self {
        Self {
            shell,
            screen,
            refused: None,
            dialog: None,
            saved: None,
            deleted: None,
            restored: false,
        }
    }

    /// What the annotations beside the numbers need.
    fn panel(&self) -> AnnotationPanel<'_> {
        let screen = &self.screen;
        AnnotationPanel {
            key: &screen.key,
            range: screen.range,
            zone: &screen.zone,
            now: screen.now,
            annotations: &screen.annotations,
            access: screen.annotation_access,
            remedy: screen.remedy,
            connection: screen.connection.as_str(),
            trouble: screen.annotation_trouble.as_ref(),
            dialog: self.dialog.as_ref(),
            saved: self.saved,
        }
    }
}

/// The project page.
pub fn render(view: &ProjectPage) -> Markup {
    let screen = &view.screen;
    let mut shell = view.shell.clone();
    view.screen.name().clone_into(&mut shell.title);
    shell.back = Some("/".to_owned());
    shell.status = screen
        .status
        .map(|status| StatusLine::new(&status, screen.now));
    if let Some(reason) = screen.ended {
        shell.notices.push(Notice {
            tone: Tone::Warn,
            text: format!("{} is signed out. {}", screen.host_name, reason.sentence()),
            action: Some(("Connections".to_owned(), "/connections".to_owned())),
        });
    }
    if let Some(scheme) = view.screen.preferences.scheme {
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
    let trouble = wording::project::trouble(&view.screen);
    html! {
        div #numbers.old[view.screen.is_old()] data-say=[view.screen.period.as_ref().filter(|_| view.screen.may_query).map(said)] {
            @if let (Some(trouble), true) = (&trouble, view.screen.period.is_some() && view.screen.may_query) {
                (Notice { tone: Tone::Warn, text: trouble.clone(), action: None }.render())
            }
            @if let Some(here) = &view.screen.moved {
                div.card.moved-here {
                    (moves::kind_badge(here.moved.kind))
                    p { (moves::sentence(&moved::sentence(&here.moved, here.explanation.as_ref(), &view.screen.zone, view.screen.now))) }
                    (moves::note(&view.screen.key, Some(&here.note)))
                }
            }
            @if !view.screen.may_query {
                (without_numbers(view))
            } @else if let Some(period) = &view.screen.period {
                @if !period.time_zone_known {
                    (Notice {
                        tone: Tone::Warn,
                        text: format!(
                            "This version of PocketHog does not know the time zone {} as PostHog does. Hours and days begin when PostHog says, and are shown in {}.",
                            view.screen.zone_name, period.time_zone
                        ),
                        action: None,
                    }.render())
                }
                @if let Some(words) = wording::left_out(period.left_out, period.lacks_bots) {
                    p.note #left-out { "Numbers " (words) "." }
                }
                @let silent = view.screen.empty && period.now.pageviews == 0;
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
            } @else if let Some(trouble) = &trouble {
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
        div.panels.old[view.screen.is_old()] #lists {
            @if !view.screen.may_query {
            } @else if let Some(breakdowns) = &view.screen.breakdowns {
                @for (place, (list, rows)) in breakdowns.lists.iter().enumerate() {
                    (breakdown(*list, rows))
                    @if place == 0 { (conversions(view)) }
                }
            } @else if view.screen.is_old() {
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
                @for sibling in &view.screen.siblings {
                    li {
                        a href={ (project_path(&sibling.key)) "?range=" (view.screen.range.name()) } aria-current=[(sibling.key == view.screen.key).then_some("page")] {
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
            (avatar(view.screen.name()))
            div {
                h1 { bdi title=(view.screen.name()) { (view.screen.name()) } @if view.screen.preferences.favourite { span.fav title="Favourite" { (icons::star()) } } }
                p.subtitle { bdi title=(view.screen.subtitle) { (view.screen.subtitle) } span.badge title=(view.screen.host) { (view.screen.host) } }
            }
            (render_online(view.screen.online))
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
            form method="post" action={ (project_path(&view.screen.key)) "/annotations/" (id) "/undo" } {
                input type="hidden" name="range" value=(view.screen.range.name());
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

fn ranges(view: &ProjectPage) -> Markup {
    html! {
        nav.segments.ranges aria-label="Range" {
            @for range in Range::ALL {
                a href={ (project_path(&view.screen.key)) "?range=" (range.name()) } aria-current=[(range == view.screen.range).then_some("true")] { (range.name()) }
            }
        }
    }
}

fn preferences(view: &ProjectPage) -> Markup {
    html! {
        details.card.panel.preferences #preferences open[view.refused.is_some()] {
            summary { "Name, colours and position of this project" }
            (preference_form(&view.screen.key, &view.screen.original_name, view.refused.as_ref().unwrap_or(&view.screen.preferences), &format!("{}?range={}", project_path(&view.screen.key), view.screen.range.name())))
        }
    }
}
