//! The total on top of the home page, with its hours.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::card::change_badge;
use crate::charts::AreaChart;
use crate::format::{self, grouped, hour, weekday};
use crate::moved;
use pockethog_core::overview::{Axis, Curve};
use pockethog_screens::Home;

/// The total alone, as the event stream replaces it. Its id is `total`. `viewer` is the zone of the person who looks:
/// the last 24 hours are named in it.
pub fn render_total(home: &Home, viewer: &TimeZone) -> Markup {
    let total = &home.total;
    let sum = &total.sum;
    let (change, against) = moved::total_change(home);
    html! {
        section.card.total #total aria-labelledby="total-title" data-say=[said(home)] {
            div.figures {
                h2 #total-title { b { "Visitors today" } " · " (sum.partly().unwrap_or_else(|| "all projects".to_owned())) }
                @if let Some((now, _)) = sum.sums {
                    p.huge.long[now.visitors >= 10_000_000] data-number=(now.visitors) { (grouped(now.visitors)) }
                    p.against {
                        (change_badge(change))
                        span { "vs. " (against) }
                    }
                } @else if total.unread {
                    p.huge { "–" }
                    p.against { "No numbers could be read; each project says why." }
                } @else {
                    p.huge { span.bone { "00,000" } }
                    p.against { span.bone { "00% vs. a usual day by now" } }
                }
                dl.asides {
                    @if let Some(online) = sum.online {
                        div { dt { "Online now" } dd { (grouped(online)) } }
                    }
                    @if let Some(total) = total.usual {
                        div { dt { "Usual by now" } dd { (moved::range(total.usual)) } }
                    }
                }
            }
            @if let Some(curve) = &sum.curve {
                (total_curve(curve, &total.usual_curve, viewer))
            } @else if sum.sums.is_none() && !total.unread {
                div.chart.bone-chart aria-hidden="true" {}
            }
        }
    }
}

/// The total in words, for those who hear the page.
fn said(home: &Home) -> Option<String> {
    let sum = &home.total.sum;
    let (now, _) = sum.sums?;
    let of = sum.partly().unwrap_or_else(|| "all projects".to_owned());
    let (change, against) = moved::total_change(home);
    let change = format::spoken(change);
    Some(format!(
        "{} visitors today, {of}, {change} compared with {against}.",
        grouped(now.visitors)
    ))
}

/// The hours of the total. `viewer` is the zone of the person who looks, for hours that belong to no day.
///
/// They are beside what is `usual` in them, or beside the day before if that is not known of each project.
fn total_curve(curve: &Curve, usual: &[f64], viewer: &TimeZone) -> Markup {
    let usual: Vec<u64> = usual.iter().map(|count| moved::whole(*count)).collect();
    let is_usual = !usual.is_empty();
    let (title, label, zone, before) = match &curve.axis {
        Axis::Day(zone) if is_usual => (
            "Visitors per hour, today",
            "Visitors per hour, today and what is usual",
            zone,
            "usual",
        ),
        Axis::LastHours if is_usual => (
            "Visitors per hour, last 24 hours",
            "Visitors per hour, the last 24 hours and what is usual in them",
            viewer,
            "usual in these hours",
        ),
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
        .filter(|_| rolling && !is_usual)
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
    let beside = if is_usual { &usual } else { &curve.before };
    html! {
        div.hours {
            p.legend {
                span.key { span.solid aria-hidden="true" {} (title) }
                @if !beside.is_empty() { span.key { span.dash aria-hidden="true" {} (before) } }
            }
            (AreaChart {
                id: "total-chart",
                label,
                values: &curve.now,
                running: false,
                before: beside,
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
    use pockethog_core::moves::{Basis, UsualRange, UsualTotal};
    use pockethog_core::overview;
    use pockethog_screens::Total;

    fn home(total: Total) -> Home {
        Home {
            total,
            ..Home::default()
        }
    }

    #[test]
    fn a_total_says_of_how_many_projects_it_is() {
        let mut total = Total::default();
        total.sum.members = [[true; 9].as_slice(), &[false; 7]].concat();
        total.sum.sums = Some((overview::Counts::default(), overview::Counts::default()));
        let html = render_total(&home(total), &TimeZone::UTC).into_string();
        assert!(html.contains("9 of 16 projects"), "{html}");
    }

    #[test]
    fn a_total_is_compared_with_what_is_usual_and_has_no_colour() {
        let mut total = Total {
            usual: Some(UsualTotal {
                count: 13_538,
                usual: UsualRange {
                    centre: 13_156.0,
                    low: 12_900,
                    high: 13_700,
                },
                basis: Basis::Weeks(8),
                projects: 9,
            }),
            ..Total::default()
        };
        total.sum.sums = Some((overview::Counts::default(), overview::Counts::default()));
        let html = render_total(&home(total), &TimeZone::UTC).into_string();
        for wanted in ["2.9%", "what is usual by now", "12,900 – 13,700"] {
            assert!(html.contains(wanted), "{wanted}: {html}");
        }
        assert!(!html.contains("delta good"), "{html}");
    }
}
