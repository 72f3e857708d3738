//! Cards on a terminal: a frame per project with its number, its change and its curve.

use unicode_width::UnicodeWidthStr;

use super::console::{Console, Style, Text};
use super::text::{left, right};
use pockethog_views::plain::cut;

/// Rows of a curve.
const ROWS: usize = 2;

/// Columns between two cards.
const GAP: usize = 1;

/// Columns that a card likes to have.
const LIKED: usize = 31;

/// One card.
#[derive(Clone, Debug)]
pub struct Card {
    /// What it is about, shown in the frame.
    pub title: String,
    /// The number.
    pub number: String,
    /// What is beside the number, and how.
    pub beside: (Style, String),
    /// Whether the number is not of now; it is grey then.
    pub is_old: bool,
    /// Drawn below, scaled to the largest.
    pub curve: Vec<u64>,
}

impl Card {
    fn style(&self, of_now: Style) -> Style {
        if self.is_old { Style::Faint } else { of_now }
    }
}

/// Prints one card over the whole width, without a curve, its last word on the right.
pub fn print_head(console: &Console, columns: usize, card: &Card, note: &str, last: &str) {
    let inner = columns.saturating_sub(4);
    console.line(top(&card.title, columns));
    let used = card.number.width() + card.beside.1.width() + 4;
    let note = left(note, inner.saturating_sub(used + last.width() + 2));
    let parts = [
        Text::styled(card.style(Style::Strong), &card.number),
        Text::styled(card.beside.0, &card.beside.1),
        Text::styled(Style::Faint, note),
        Text::styled(Style::Good, last),
    ];
    let inside = parts
        .into_iter()
        .reduce(|line, part| line.and("  ").and(part));
    console.line(framed(inside.unwrap_or_else(|| "".into())));
    console.line(bottom(columns));
}

/// Prints cards side by side, as many as fit.
pub fn print(console: &Console, columns: usize, cards: &[Card]) {
    let side_by_side = (columns / LIKED).clamp(1, 4);
    let width = (columns - GAP * (side_by_side - 1)) / side_by_side;
    for row in cards.chunks(side_by_side) {
        let drawn = row.iter().map(|card| draw(card, width));
        let side_by_side = drawn.reduce(|left, right| {
            let pairs = left.into_iter().zip(right);
            let joined = pairs.map(|(left, right)| left.and(" ".repeat(GAP)).and(right));
            joined.collect()
        });
        for line in side_by_side.into_iter().flatten() {
            console.line(line);
        }
    }
}

fn draw(card: &Card, width: usize) -> Vec<Text> {
    let inner = width.saturating_sub(4);
    let number = cut(&card.number, inner);
    let beside = right(&card.beside.1, inner.saturating_sub(number.width()));
    let mut lines = vec![
        top(&card.title, width),
        framed(
            Text::styled(card.style(Style::Strong), &number)
                .and(Text::styled(card.beside.0, &beside)),
        ),
    ];
    for row in curve(&card.curve, inner) {
        lines.push(framed(Text::styled(card.style(Style::Accent), row)));
    }
    lines.push(bottom(width));
    lines
}

fn framed(inside: Text) -> Text {
    let bar = || Text::styled(Style::Faint, "│");
    bar().and(" ").and(inside).and(" ").and(bar())
}

fn top(title: &str, width: usize) -> Text {
    let title = cut(title, width.saturating_sub(5));
    let rest = "─".repeat(width.saturating_sub(title.width() + 4));
    Text::styled(Style::Faint, "╭")
        .and(" ")
        .and(Text::styled(Style::Strong, title))
        .and(" ")
        .and(Text::styled(Style::Faint, format!("{rest}╮")))
}

fn bottom(width: usize) -> Text {
    let line = "─".repeat(width.saturating_sub(2));
    Text::styled(Style::Faint, format!("╰{line}╯"))
}

/// A curve of exactly `width` columns in [`ROWS`] rows, the newest value on the right. Few values are
/// drawn wide; of too many the oldest are left out.
fn curve(values: &[u64], width: usize) -> Vec<String> {
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = values
        .get(values.len().saturating_sub(width)..)
        .unwrap_or(values);
    if shown.is_empty() {
        return vec![" ".repeat(width); ROWS];
    }
    let most = shown.iter().copied().max().unwrap_or(0);
    let levels = u64::try_from(ROWS * 8).unwrap_or(16);
    let heights: Vec<usize> = shown
        .iter()
        .map(|&value| {
            // Something is never drawn as nothing.
            let height = value.saturating_mul(levels).checked_div(most);
            let height = height.map_or(0, |height| height.max(u64::from(value > 0)));
            usize::try_from(height).unwrap_or(0)
        })
        .collect();
    (0..ROWS)
        .rev()
        .map(|row| {
            let columns = (0..width).map(|column| heights[column * heights.len() / width]);
            columns
                .map(|height| BLOCKS[height.saturating_sub(row * 8).min(8)])
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_fills_its_width_and_ends_with_the_newest_value() {
        assert_eq!(curve(&[0, 8, 16], 6), ["    ██", "  ████"]);
        assert_eq!(curve(&[8, 16], 3), ["  █", "███"]);
        assert_eq!(curve(&[1, 2, 3, 4], 2), ["▄█", "██"]);
        assert_eq!(curve(&[], 3), ["   ", "   "]);
        assert_eq!(curve(&[0, 0], 2), ["  ", "  "]);
    }

    #[test]
    fn a_small_number_beside_a_large_one_is_seen() {
        assert_eq!(curve(&[1, 1000], 2)[1], "▁█");
    }
}
