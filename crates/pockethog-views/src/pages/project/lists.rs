//! What visitors of a project saw, where they came from, and which share of them converted.

use maud::{Markup, html};

use super::ProjectPage;
use crate::format::{self, grouped};
use crate::pages::{icons, project_path, rest};
use pockethog_core::overview::{Breakdown, ConversionFigure, Period, share_tone};

pub(super) fn breakdown(list: Breakdown, rows: &[pockethog_core::overview::Row]) -> Markup {
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

pub(super) fn conversions(view: &ProjectPage) -> Markup {
    let choose = format!(
        "{}/conversions?range={}",
        project_path(&view.screen.key),
        view.screen.range.name()
    );
    html! {
        section.card.panel aria-labelledby="conversions-title" {
            div.panel-head { h2 #conversions-title { "Conversions" } span.muted { "of visitors" } }
            @if view.screen.preferences.conversions.is_empty() {
                p.muted.none { "Choose events that count as a success, such as a sign-up or a purchase, and see which share of visitors gets there." }
            } @else {
                @let figures = view.screen.period.as_ref().map_or(&[][..], |period| &period.conversions);
                ul.conversions {
                    @for event in &view.screen.preferences.conversions {
                        li {
                            bdi title=(event) { (event) }
                            @match (&view.screen.period, figures.iter().find(|figure| figure.event == *event)) {
                                (Some(period), Some(figure)) => (conversion(period, figure)),
                                _ if view.screen.is_old() => b { "–" },
                                _ => b { span.bone { "0.0%" } },
                            }
                        }
                    }
                }
            }
            a.link href=(choose) { (icons::plus()) (if view.screen.preferences.conversions.is_empty() { "Choose events" } else { "Change events" }) }
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

/// Unique persons with the event over unique visitors, now and before.
pub(super) fn rates(period: &Period, now: u64, before: u64) -> (f64, f64) {
    let rate = |persons: u64, visitors: u64| persons as f64 / visitors.max(1) as f64;
    (
        rate(now, period.now.visitors),
        rate(before, period.before.visitors),
    )
}

/// The colour of a change of the rate.
pub(super) fn tone(period: &Period, figure: &ConversionFigure) -> &'static str {
    let now = (figure.persons, period.now.visitors);
    let before = (figure.persons_before, period.before.visitors);
    match share_tone(now, before) {
        1 => " good",
        -1 => " bad",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use pockethog_core::overview::{Counts, LeftOut, Range};

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
}
