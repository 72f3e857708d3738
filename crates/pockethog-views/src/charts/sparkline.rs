//! The small curve of a card: no axis, no labels.

use jiff::civil::Date;
use maud::{Markup, html};

use super::curve::{short, smooth_path, smooth_path_with_end};

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 60.0;

/// A sparkline. `id` is unique on the page. The last value is of a day that is not over, so the way to it is
/// dotted. `today` is its day, for the read-out under the pointer. Decoration for those who see: the card says the
/// number.
pub fn sparkline(id: &str, values: &[u64], today: Option<Date>) -> Markup {
    let max = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let min = values.iter().copied().min().unwrap_or(0) as f64;
    // A lively project fills the height; a steady one stays flat instead of magnified noise.
    let floor = if min > max * 0.85 { 0.0 } else { min * 0.9 };
    let step = WIDTH / (values.len().saturating_sub(1).max(1)) as f64;
    let points: Vec<(f64, f64)> = values
        .iter()
        .enumerate()
        .map(|(place, &value)| {
            let share = (value as f64 - floor) / (max - floor).max(1.0);
            (place as f64 * step, HEIGHT - 5.0 - share * (HEIGHT - 8.0))
        })
        .collect();
    if points.len() < 2 {
        return html! { svg.spark aria-hidden="true" {} };
    }
    let line = smooth_path(&points);
    let (over, running) = smooth_path_with_end(&points);
    let area = format!("{line}V{HEIGHT}H0Z");
    html! {
        svg.spark viewBox={ "0 0 " (short(WIDTH)) " " (short(HEIGHT)) } preserveAspectRatio="none" aria-hidden="true" data-days=[today.map(|_| days(values))] data-today=[today] {
            linearGradient id={ (id) "-fill" } x1="0" y1="0" x2="0" y2="1" {
                stop.fill-top offset="0" {}
                stop.fill-end offset="1" {}
            }
            path fill={ "url(#" (id) "-fill)" } d=(area) {}
            path.line vector-effect="non-scaling-stroke" d=(over) {}
            path.line.running vector-effect="non-scaling-stroke" d=(running) {}
        }
    }
}

fn days(values: &[u64]) -> String {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    values.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_fills_the_height() {
        insta::assert_snapshot!(sparkline("card-us-12", &[10, 40, 20, 0, 30], None).into_string());
    }

    #[test]
    fn nothing_to_draw_draws_nothing() {
        assert!(!sparkline("a", &[], None).into_string().contains("path"));
        assert!(!sparkline("a", &[3], None).into_string().contains("path"));
    }

    #[test]
    fn zeros_are_a_flat_line_at_the_bottom() {
        let svg = sparkline("a", &[0, 0, 0], None).into_string();
        assert!(svg.contains("M0 55C40 55"), "{svg}");
    }
}
