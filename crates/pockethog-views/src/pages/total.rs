//! The total on top of the home page, with its hours.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::card::change_badge;
use super::project_path;
use crate::charts::AreaChart;
use crate::format::{self, grouped, hour, weekday};
use pockethog_core::overview::{self, Axis, Change, Curve};
use pockethog_core::screens::Total;

/// The total alone, as the event stream replaces it. Its id is `total`. `viewer` is the zone of the person who looks:
/// the last 24 hours are named in it.
pub fn render_total(total: &Total, viewer: &TimeZone) -> Markup {
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
                        div { dt { "Best mover" } dd { a href=(project_path(&mover.key)) title=(mover.name) { bdi { (mover.name) } } " " (change_badge(mover.change)) } }
                    }
                }
            }
            @if let Some(curve) = &sum.curve {
                (total_curve(curve, viewer))
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

#[cfg(test)]
mod tests {
    use super::*;
    use pockethog_core::project::ProjectKey;
    use pockethog_core::screens::BestMover;

    #[test]
    fn a_total_says_of_how_many_projects_it_is() {
        let mut total = Total::default();
        total.sum.members = [[true; 9].as_slice(), &[false; 7]].concat();
        total.sum.sums = Some((overview::Counts::default(), overview::Counts::default()));
        let html = render_total(&total, &TimeZone::UTC).into_string();
        assert!(html.contains("9 of 16 projects"), "{html}");
    }

    #[test]
    fn the_best_mover_shows_its_figure() {
        let total = Total {
            best_mover: Some(BestMover {
                key: ProjectKey {
                    host: "us".to_owned(),
                    id: 13,
                },
                name: "Snuffle App".to_owned(),
                change: Change::between(204, 175),
            }),
            ..Total::default()
        };
        let html = render_total(&total, &TimeZone::UTC).into_string();
        let (_, mover) = html.split_once("Best mover").unwrap_or_default();
        let (mover, _) = mover.split_once("</dd>").unwrap_or_default();
        assert!(
            mover.contains("/project/us/13")
                && mover.contains("Snuffle App")
                && mover.contains("16.6%"),
            "{html}"
        );
    }
}
