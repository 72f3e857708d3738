//! A smooth line through points that never overshoots them.
//!
//! Monotone cubic interpolation after Fritsch and Carlson (SIAM J. Numer. Anal. 17, 1980): between two
//! points the line stays between their values, so a day without visitors never dips below zero.

use std::fmt::{self, Write};

/// The `d` of an SVG path through `points`, which are ordered by x. Coordinates have two decimals.
pub(crate) fn smooth_path(points: &[(f64, f64)]) -> String {
    let mut path = String::with_capacity(points.len() * 36);
    if let Some(&first) = points.first() {
        move_to(&mut path, first);
        curves(&mut path, points, 0);
    }
    path
}

/// The same line in two: up to the last point but one, and from there to the last, which is still moving.
pub(crate) fn smooth_path_with_end(points: &[(f64, f64)]) -> (String, String) {
    let Some(from) = points.len().checked_sub(2) else {
        return (smooth_path(points), String::new());
    };
    let whole = smooth_path(points);
    let mut end = String::new();
    curves(&mut end, points, from);
    let rest = whole[..whole.len() - end.len()].to_owned();
    let mut last = String::new();
    move_to(&mut last, points[from]);
    (rest, last + &end)
}

fn move_to(path: &mut String, (x, y): (f64, f64)) {
    let _ = write!(path, "M{} {}", short(x), short(y));
}

/// The pieces between the points, from one of them on.
fn curves(path: &mut String, points: &[(f64, f64)], from: usize) {
    let slopes = slopes(points);
    for (pair, slope) in points.windows(2).zip(slopes.windows(2)).skip(from) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
        let third = (x1 - x0) / 3.0;
        let _ = write!(
            path,
            "C{} {} {} {} {} {}",
            short(x0 + third),
            short(y0 + slope[0] * third),
            short(x1 - third),
            short(y1 - slope[1] * third),
            short(x1),
            short(y1)
        );
    }
}

/// The slope of the line at each point.
fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let secants: Vec<f64> = points
        .windows(2)
        .map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0))
        .collect();
    let last = points.len().saturating_sub(1);
    let mut slopes: Vec<f64> = (0..points.len())
        .map(|place| match place {
            0 => secants.first().copied().unwrap_or(0.0),
            _ if place == last => secants[place - 1],
            _ if secants[place - 1] * secants[place] <= 0.0 => 0.0,
            _ => f64::midpoint(secants[place - 1], secants[place]),
        })
        .collect();
    for (place, &secant) in secants.iter().enumerate() {
        if secant == 0.0 {
            slopes[place] = 0.0;
            slopes[place + 1] = 0.0;
            continue;
        }
        let (a, b) = (slopes[place] / secant, slopes[place + 1] / secant);
        let length = a.hypot(b);
        if length > 3.0 {
            slopes[place] = 3.0 / length * a * secant;
            slopes[place + 1] = 3.0 / length * b * secant;
        }
    }
    slopes
}

/// At most two decimals, without trailing zeros. A page has tens of thousands of them, so they are written as
/// whole hundredths: printing a float exactly is several times as much work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Short(i64);

/// `number`, a place in a drawing.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a drawing is a few hundred units wide, and what is not saturates"
)]
pub(super) fn short(number: f64) -> Short {
    Short((number * 100.0).round() as i64)
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let (whole, part) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        match part {
            0 => write!(f, "{whole}"),
            _ if part % 10 == 0 => write!(f, "{whole}.{}", part / 10),
            _ => write!(f, "{whole}.{part:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_have_no_more_digits_than_they_need() {
        let text = |number| short(number).to_string();
        assert_eq!(text(3.0), "3");
        assert_eq!(text(-0.001), "0");
        assert_eq!(text(2.5), "2.5");
        assert_eq!(text(-2.05), "-2.05");
        assert_eq!(text(119.999), "120");
    }

    #[test]
    fn nothing_and_one_point_draw_no_curve() {
        assert_eq!(smooth_path(&[]), "");
        assert_eq!(smooth_path(&[(0.0, 2.5)]), "M0 2.5");
    }

    #[test]
    fn the_end_goes_on_where_the_rest_stops() {
        let points = [(0.0, 0.0), (3.0, 3.0), (6.0, 6.0)];
        let (rest, end) = smooth_path_with_end(&points);
        assert_eq!((&*rest, &*end), ("M0 0C1 1 2 2 3 3", "M3 3C4 4 5 5 6 6"));
        let one = smooth_path_with_end(&points[..1]);
        assert_eq!(one, ("M0 0".to_owned(), String::new()));
    }

    #[test]
    fn a_straight_line_stays_straight() {
        let path = smooth_path(&[(0.0, 0.0), (3.0, 3.0), (6.0, 6.0)]);
        assert_eq!(path, "M0 0C1 1 2 2 3 3C4 4 5 5 6 6");
    }

    proptest! {
        #[test]
        fn the_curve_never_leaves_the_span_of_its_two_ends(
            values in proptest::collection::vec(0.0..1000.0_f64, 2..40)
        ) {
            let points: Vec<(f64, f64)> =
                values.iter().enumerate().map(|(x, &y)| (x as f64, y)).collect();
            let slopes = slopes(&points);
            for place in 0..points.len() - 1 {
                let (y0, y1) = (points[place].1, points[place + 1].1);
                let (c0, c1) = (y0 + slopes[place] / 3.0, y1 - slopes[place + 1] / 3.0);
                for step in 0..=20 {
                    let t = f64::from(step) / 20.0;
                    let u = 1.0 - t;
                    let y = u * u * u * y0 + 3.0 * u * u * t * c0 + 3.0 * u * t * t * c1 + t * t * t * y1;
                    prop_assert!(y >= y0.min(y1) - 1e-6 && y <= y0.max(y1) + 1e-6);
                }
            }
        }
    }
}
