//! The chart of a project's visitors with its annotations, and the same as a table.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{ProjectPage, ranges};
use crate::charts::{AreaChart, Marker};
use crate::format::{self, grouped};
use crate::pages::annotations::{self, shortened};
use crate::pages::rest;
use pockethog_core::overview::{Period, Point, Range};

pub(super) fn chart(view: &ProjectPage, period: &Period) -> Markup {
    let place_name = |point: &Point| match view.screen.range {
        Range::Day => format!(
            "{} {}",
            format::weekday(point.start, &view.screen.zone),
            format::hour(point.start, &view.screen.zone)
        ),
        _ => format::weekday(point.start, &view.screen.zone),
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
        .screen
        .annotations
        .iter()
        .enumerate()
        .filter_map(|(place, annotation)| {
            Some(Marker {
                number: place + 1,
                at: across(&starts, annotation.at)?,
                text: shortened(&annotation.text),
                when: annotations::when(annotation, &view.screen.zone),
            })
        })
        .collect();
    let dates: Vec<String> = starts
        .iter()
        .map(|&start| format::date_value(start, &view.screen.zone))
        .collect();
    let during = during(view.screen.range);
    html! {
        section.card.panel.chart-panel aria-labelledby="chart-title" {
            div.panel-head {
                div {
                    h2 #chart-title { "Unique visitors" }
                    p.legend { span.solid aria-hidden="true" {} (during) span.dash aria-hidden="true" {} "period before" }
                }
                (ranges(view))
            }
            div.large data-dates=[view.screen.annotation_access.may_write().then(|| serde_json::to_string(&dates).unwrap_or_default())] {
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
            let name = match view.screen.range {
                Range::Day => format::hour(starts[place], &view.screen.zone),
                _ => format::day(starts[place], &view.screen.zone),
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
                    caption.hidden-label { "Visitors and pageviews of " (view.screen.name()) ", " (during(view.screen.range)) }
                    thead { tr {
                        th scope="col" { (if view.screen.range == Range::Day { "Hour" } else { "Day" }) }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
