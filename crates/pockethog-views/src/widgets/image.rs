//! SVG and PNG: the same content as an image, drawn by [`crate::charts::image`].

use std::cmp::Reverse;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::words::{figure, remark, sum_remark};
use crate::charts::image::{Figure, Size, WidgetImage};
use crate::charts::png::PngError;
use crate::format::{day, hour};
use crate::plain::plain;
use pockethog_core::overview::{Change, Point, Range, time_zone};
use pockethog_core::preferences::Scheme;
use pockethog_core::widget::{Content, Numbers, Row, State};

/// Names below the curve.
const PLACES: usize = 4;

/// The widget as SVG.
pub fn svg(content: &Content, size: Size, scheme: Scheme, dark: bool) -> String {
    image(content, size, scheme, dark).svg()
}

/// The widget as PNG, at `scale` device pixels per CSS pixel.
///
/// # Errors
///
/// See [`PngError`].
pub fn png(
    content: &Content,
    size: Size,
    scheme: Scheme,
    dark: bool,
    scale: f32,
) -> Result<Vec<u8>, PngError> {
    crate::charts::png::png(&image(content, size, scheme, dark), scale)
}

/// The picture of a widget.
pub fn image(content: &Content, size: Size, scheme: Scheme, dark: bool) -> WidgetImage {
    let mut image = WidgetImage {
        size,
        scheme,
        dark,
        title: plain(&content.title).into_owned(),
        ..WidgetImage::default()
    };
    let sum = content.sum();
    if sum.is_some() {
        content.caption().clone_into(&mut image.caption);
    }
    image.figure = match &sum {
        Some(sum) => Figure::Number(figure(sum), Some(sum.change)),
        None => Figure::Message(message(content)),
    };
    image.remark = match content.rows.as_slice() {
        _ if sum.is_none() => plain(content.sentence.as_deref().unwrap_or_default()).into_owned(),
        [row] if !content.summed => remark(content, row),
        _ => sum_remark(content),
    };
    if let Some(sum) = &sum {
        curve(&mut image, content, sum);
    }
    if content.rows.len() > 1 {
        image.rows = rows(content);
    }
    image
}

/// The projects: those of a total from the largest to the smallest, chosen ones as they were chosen.
fn rows(content: &Content) -> Vec<(String, String, Change)> {
    let mut rows: Vec<&Row> = content.rows.iter().collect();
    if content.summed {
        let visitors = |row: &Row| row.numbers.as_ref().map(|numbers| numbers.now.visitors);
        rows.sort_by_key(|row| Reverse(visitors(row)));
    }
    rows.into_iter()
        .map(|row| {
            let (number, change) = match &row.numbers {
                Some(numbers) => (figure(numbers), numbers.change),
                None => ("–".to_owned(), Change::NONE),
            };
            (plain(&row.name).into_owned(), number, change)
        })
        .collect()
}

fn message(content: &Content) -> String {
    let words = match content.state {
        State::SignedOut => "Sign in again",
        State::NeverSignedIn => "Sign in first",
        State::NoProjects => "No projects",
        State::UnknownProject => "Unknown project",
        State::Offline => "Offline",
        State::Locked => "Sign-in locked",
        State::Busy => "PostHog is busy",
        State::Throttled => "Rate-limited",
        State::Forbidden => "Not allowed",
        State::Failed => "Something failed",
        State::Fresh | State::Empty | State::Stale | State::Partly => "No numbers yet",
    };
    words.to_owned()
}

/// The hours of today over those of yesterday, the last 24 hours of projects whose days begin at different times,
/// or the points of a range over those before. The small size shows 30 days: in the early morning there are no
/// hours yet.
///
/// An hour that is not over is left out: it would look like a collapse. A day that is not over is dotted.
fn curve(image: &mut WidgetImage, content: &Content, sum: &Numbers) {
    if image.size == Size::Small {
        image.values.clone_from(&sum.curve);
        image.running = content.range != Some(Range::Day);
        return;
    }
    let visitors = |points: &[Point]| points.iter().map(|point| point.visitors).collect();
    image.values = visitors(&sum.points);
    image.before = visitors(&sum.points_before);
    let by_hour = matches!(content.range, None | Some(Range::Day));
    if by_hour {
        if content.rows.len() == 1 {
            image.values.pop();
        }
        let rolling = content.range.is_none() && sum.time_zone.is_none();
        let title = if rolling {
            "per hour, last 24 hours"
        } else {
            "per hour"
        };
        title.clone_into(&mut image.curve_title);
    }
    image.running = !by_hour;
    let longest = if sum.points.len() >= sum.points_before.len() {
        &sum.points
    } else {
        &sum.points_before
    };
    if let [row] = content.rows.as_slice() {
        let places: Vec<Timestamp> = longest.iter().map(|point| point.start).collect();
        // The places of yesterday name the hours; the annotations are those of today.
        let start = sum.points.first().map(|point| point.start);
        if let (Some(start), Some(first), Some(last)) = (start, places.first(), places.last()) {
            let whole = last.duration_since(*first).as_secs_f64();
            image.annotations = row
                .annotations
                .iter()
                .map(|annotation| annotation.duration_since(start).as_secs_f64() / whole.max(1.0))
                .filter(|place| (0.0..=1.0).contains(place))
                .collect();
        }
    }
    let zone = match &sum.time_zone {
        Some(zone) => time_zone(zone).unwrap_or(TimeZone::UTC),
        // Hours that belong to no day are named by the clock of the person who looks.
        None if by_hour => TimeZone::system(),
        None => first_zone(content),
    };
    let name = |at| {
        if by_hour {
            hour(at, &zone)
        } else {
            day(at, &zone)
        }
    };
    let last = longest.len().saturating_sub(1);
    image.axis = (0..PLACES)
        .map(|place| last * place / (PLACES - 1))
        .filter_map(|place| Some((place, name(longest.get(place)?.start))))
        .collect();
    image.axis.dedup();
}

/// Days of several zones were added by their place; the first one's zone names them.
fn first_zone(content: &Content) -> TimeZone {
    content
        .rows
        .iter()
        .find_map(|row| row.numbers.as_ref()?.time_zone.as_deref())
        .and_then(time_zone)
        .unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::*;
    use super::*;

    #[test]
    fn every_state_has_its_picture() {
        for (name, content) in all() {
            for size in [Size::Small, Size::Medium, Size::Large] {
                let image = image(&content, size, content.scheme, false);
                let (figure, remark) = (format!("{:?}", image.figure), &image.remark);
                match content.state {
                    State::Fresh => assert!(remark.is_empty(), "{name}: {remark}"),
                    _ => assert!(!remark.is_empty(), "{name}: {figure}"),
                }
            }
        }
    }

    #[test]
    fn a_total_shows_its_largest_projects_and_how_many_there_are_besides() {
        let rows = (1..=9)
            .map(|id| {
                let numbers = numbers(id * 100, id * 90, 3);
                row(id, &format!("Project {id}"), State::Fresh, Some(numbers))
            })
            .collect();
        let content = content(rows, State::Fresh, None);
        let image = image(&content, Size::Large, content.scheme, false);
        let first: Vec<&str> = image
            .rows
            .iter()
            .map(|(name, ..)| &**name)
            .take(2)
            .collect();
        assert_eq!(first, ["Project 9", "Project 8"]);
        assert!(image.svg().contains("+4 more"));
    }

    #[test]
    fn the_hour_that_is_not_over_is_no_fall_at_the_end() {
        let all = all();
        for name in ["fresh", "fresh sum"] {
            let (_, content) = all.iter().find(|(known, _)| *known == name).unwrap();
            let image = image(content, Size::Medium, content.scheme, false);
            // Of the 13 hours that have begun.
            assert_eq!(image.values.len(), 12, "{name}");
        }
    }

    #[test]
    fn an_unknown_zone_is_said_in_every_picture() {
        let mut unknown = numbers(100, 90, 3);
        unknown.time_zone_known = false;
        let one = row(1, "Acorn Market", State::Fresh, Some(unknown.clone()));
        let two = row(2, "Quillcast", State::Fresh, Some(unknown));
        let remark = |rows: Vec<Row>| {
            let content = content(rows, State::Fresh, None);
            image(&content, Size::Medium, content.scheme, false).remark
        };
        assert_eq!(remark(vec![one.clone()]), "unknown time zone");
        assert_eq!(remark(vec![one, two]), "2 unknown time zones");
    }

    #[test]
    fn a_sum_of_two_with_one_missing() {
        let all = all();
        let (_, content) = all
            .iter()
            .find(|(name, _)| *name == "one of two missing")
            .unwrap();
        insta::assert_snapshot!(svg(content, Size::Large, content.scheme, true));
    }
}
