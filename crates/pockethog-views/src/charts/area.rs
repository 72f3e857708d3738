//! The large chart: the curve, the dashed comparison, grid lines, markers and labels.

use maud::{Markup, html};

use super::curve::{short, smooth_path, smooth_path_with_end};
use super::markers::{Marker, clustered};
use super::ticks::ticks;
use crate::format::{compact, grouped};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 240.0;

/// The share of the width that a marker takes: its 20 px and a little air on a phone.
const MARKER_ROOM: f64 = 0.08;

/// A chart of counts over hours or days.
#[derive(Clone, Debug)]
pub struct AreaChart<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// What it shows, for those who hear the page.
    pub label: &'a str,
    /// The curve. May end before the last place: the day is not over.
    pub values: &'a [u64],
    /// True if the last value is of an hour or a day that is not over. The way to it is dotted: a fresh one would
    /// look like a collapse.
    pub running: bool,
    /// The dashed comparison, place by place.
    pub before: &'a [u64],
    /// What the comparison is, for the read-out: `yesterday`.
    pub before_name: &'a str,
    /// When each place of the comparison was, for the read-out: `Tue 3 Nov`. May be empty.
    pub before_places: &'a [String],
    /// The name of each place, for the read-out: `14:00`, `Thu 5 Nov`. Its length is the chart's.
    pub places: &'a [String],
    /// Places that are named below the axis, with their short names.
    pub axis: &'a [(usize, String)],
    /// Annotations.
    pub markers: &'a [Marker],
}

impl AreaChart<'_> {
    /// Draws it. The page's script finds what a place holds in `data-points`.
    pub fn render(&self) -> Markup {
        let most = self.values.iter().chain(self.before).copied().max();
        let ticks = ticks(most.unwrap_or(0) as f64);
        let top = ticks.last().copied().unwrap_or(1.0);
        let points = self.points(self.values, top);
        let line = smooth_path(&points);
        let (over, running) = if self.running {
            smooth_path_with_end(&points)
        } else {
            (line.clone(), String::new())
        };
        let before = smooth_path(&self.points(self.before, top));
        let drawn = self.values.len().min(self.places.len());
        let end = drawn.checked_sub(1).map(|place| {
            let value = self.values[place] as f64;
            (self.across(place), 1.0 - value / top)
        });
        html! {
            div.chart data-points=(self.data(top)) data-before=(self.before_name) role="img" aria-label=(self.label) {
                div.plot {
                    svg.curves viewBox={ "0 0 " (short(WIDTH)) " " (short(HEIGHT)) } preserveAspectRatio="none" aria-hidden="true" {
                        linearGradient id={ (self.id) "-fill" } x1="0" y1="0" x2="0" y2="1" {
                            stop.fill-top offset="0" {}
                            stop.fill-end offset="1" {}
                        }
                        @for tick in &ticks {
                            path.grid vector-effect="non-scaling-stroke"
                                d={ "M0 " (short(HEIGHT * (1.0 - tick / top))) "H" (short(WIDTH)) } {}
                        }
                        @if let Some((across, _)) = end.filter(|_| self.values.len() > 1) {
                            path fill={ "url(#" (self.id) "-fill)" }
                                d={ (line) "L" (short(across * WIDTH)) " " (short(HEIGHT)) "H0Z" } {}
                        }
                        path.before vector-effect="non-scaling-stroke" d=(before) {}
                        path.line vector-effect="non-scaling-stroke" d=(over) {}
                        @if !running.is_empty() { path.line.running vector-effect="non-scaling-stroke" d=(running) {} }
                    }
                    svg.labels aria-hidden="true" {
                        @for tick in &ticks {
                            text.y x="100%" dx="10" dy="0.35em" y={ (percent(1.0 - tick / top)) } { (compact(*tick)) }
                        }
                        @for (nth, (place, name)) in self.axis.iter().enumerate() {
                            text.alternate[nth % 2 == 1] x=(percent(self.across(*place))) y="100%" dy="22" text-anchor=(if *place == 0 { "start" } else { "middle" }) { (name) }
                        }
                        // Each annotation has its line on its own day, even if its number shares a place with others.
                        @for marker in self.markers.iter().filter(|marker| (0.0..=1.0).contains(&marker.at)) {
                            line.stem x1=(percent(marker.at)) x2=(percent(marker.at)) y1="0" y2="100%" {}
                        }
                        @for cluster in clustered(self.markers, MARKER_ROOM) {
                            svg.marker x=(percent(cluster.at)) y="0" data-notes=(annotations(&cluster.markers)) {
                                @let wide = cluster.markers.len() > 1;
                                rect x=(if wide { "-18" } else { "-10" }) y="-12" rx="10" height="20" width=(if wide { "36" } else { "20" }) {}
                                text y="2" text-anchor="middle" { (cluster.label()) }
                            }
                        }
                        @if let Some((across, down)) = end {
                            circle.end cx=(percent(across)) cy=(percent(down)) r="4.5" {}
                        }
                    }
                }
            }
        }
    }

    fn points(&self, values: &[u64], top: f64) -> Vec<(f64, f64)> {
        values
            .iter()
            .take(self.places.len())
            .enumerate()
            .map(|(place, &value)| {
                (
                    self.across(place) * WIDTH,
                    HEIGHT * (1.0 - value as f64 / top),
                )
            })
            .collect()
    }

    /// From 0 at the first place to 1 at the last.
    fn across(&self, place: usize) -> f64 {
        place as f64 / self.places.len().saturating_sub(1).max(1) as f64
    }

    /// Name, value and comparison of each place as they are shown, when the comparison was, and how high both are,
    /// from 0 at the foot to 1.
    fn data(&self, top: f64) -> String {
        let shown = |values: &[u64], place: usize| values.get(place).map(|&value| grouped(value));
        let high = |values: &[u64], place: usize| {
            let value = *values.get(place)? as f64;
            Some((value / top * 1000.0).round() / 1000.0)
        };
        let points: Vec<_> = self
            .places
            .iter()
            .enumerate()
            .map(|(place, name)| {
                let so_far = self.running && place + 1 == self.values.len().min(self.places.len());
                let name = format!("{name}{}", if so_far { ", so far" } else { "" });
                (
                    name,
                    shown(self.values, place),
                    shown(self.before, place),
                    self.before_places.get(place),
                    high(self.values, place),
                    high(self.before, place),
                )
            })
            .collect();
        serde_json::to_string(&points).unwrap_or_default()
    }
}

fn percent(share: f64) -> String {
    format!("{}%", short(share * 100.0))
}

fn annotations(markers: &[Marker]) -> String {
    let annotations: Vec<_> = markers
        .iter()
        .map(|marker| (&marker.text, &marker.when))
        .collect();
    serde_json::to_string(&annotations).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_is_not_over_ends_early() {
        let places: Vec<String> = (0..5).map(|hour| format!("{hour:02}:00")).collect();
        let chart = AreaChart {
            id: "total",
            label: "Visitors today by hour",
            values: &[3, 8, 5],
            running: true,
            before: &[2, 6, 7, 4, 1],
            before_name: "yesterday",
            before_places: &[],
            places: &places,
            axis: &[(0, "00:00".to_owned()), (4, "04:00".to_owned())],
            markers: &[],
        };
        insta::assert_snapshot!(chart.render().into_string());
    }

    #[test]
    fn values_beyond_the_last_place_are_not_drawn() {
        let places = ["a".to_owned(), "b".to_owned()];
        let chart = |values| {
            let chart = AreaChart {
                id: "c",
                label: "c",
                values,
                running: true,
                before: &[],
                before_name: "before",
                before_places: &[],
                places: &places,
                axis: &[],
                markers: &[],
            };
            chart.render().into_string()
        };
        assert_eq!(chart(&[5, 5, 5]), chart(&[5, 5]));
    }

    #[test]
    fn markup_in_an_annotation_is_text() {
        let places = ["a".to_owned(), "b".to_owned()];
        let chart = AreaChart {
            id: "c",
            label: "c",
            values: &[1, 2],
            running: true,
            before: &[],
            before_name: "before",
            before_places: &[],
            places: &places,
            axis: &[],
            markers: &[Marker {
                number: 1,
                at: 0.5,
                text: "<script>alert(1)</script>\"'".to_owned(),
                when: "5 Nov".to_owned(),
            }],
        };
        let html = chart.render().into_string();
        assert!(!html.contains("<script>"), "{html}");
    }
}
