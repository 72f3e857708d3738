//! Tables that fit the terminal: columns as wide as their content, the widest ones giving way first.
//!
//! Into a file or another program everything goes in full, the columns separated by tabs. If even narrow columns do
//! not fit side by side on the terminal, each row becomes a block of `name  value` lines.

use unicode_width::UnicodeWidthStr;

use super::console::{Console, Style, Text};
use super::text::{left, right};
use pockethog_views::plain::plain;

/// Columns are not made narrower than this.
const NARROWEST: usize = 6;

/// Blanks between two columns.
const GAP: usize = 2;

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    /// Plain text.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self {
            text: plain(text.as_ref()).into_owned(),
            style: None,
        }
    }

    /// Text that is set off.
    pub fn styled(style: Style, text: impl AsRef<str>) -> Self {
        Self {
            style: Some(style),
            ..Self::new(text)
        }
    }
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// Its title; a table whose titles are all empty has no head.
    pub title: &'a str,
    /// Numbers are aligned right.
    pub on_the_right: bool,
    /// Never cut: numbers, keys, curves.
    pub whole: bool,
}

impl<'a> Column<'a> {
    /// Words, which may be cut.
    pub fn text(title: &'a str) -> Self {
        Self {
            title,
            on_the_right: false,
            whole: false,
        }
    }

    /// Words that are of no use when cut.
    pub fn whole(title: &'a str) -> Self {
        Self {
            whole: true,
            ..Self::text(title)
        }
    }

    /// A number.
    pub fn number(title: &'a str) -> Self {
        Self {
            on_the_right: true,
            whole: true,
            ..Self::text(title)
        }
    }
}

/// Prints rows below their titles.
pub fn print(console: &Console, columns: &[Column<'_>], rows: &[Vec<Cell>]) {
    let Some(limit) = console.columns() else {
        return print_separated(console, columns, rows);
    };
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let cells = rows.iter().filter_map(|row| row.get(place));
            cells
                .map(|cell| cell.text.width())
                .chain([plain(column.title).width()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let whole: Vec<bool> = columns.iter().map(|column| column.whole).collect();
    let Some(widths) = fit(&natural, &whole, limit) else {
        return print_blocks(console, columns, rows);
    };
    if columns.iter().any(|column| !column.title.is_empty()) {
        let titles = columns
            .iter()
            .map(|column| Cell::styled(Style::Faint, column.title));
        print_row(console, columns, &widths, &titles.collect::<Vec<_>>());
    }
    for row in rows {
        if console.is_closed() {
            return;
        }
        print_row(console, columns, &widths, row);
    }
}

/// No text has a tab in it: a cell is one harmless line.
fn print_separated(console: &Console, columns: &[Column<'_>], rows: &[Vec<Cell>]) {
    let titles = columns.iter().map(|column| column.title).collect();
    let rows = rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.text.as_str()).collect());
    for fields in std::iter::once::<Vec<&str>>(titles).chain(rows) {
        if console.is_closed() {
            return;
        }
        let fields: Vec<_> = fields.into_iter().map(plain).collect();
        console.line(Text::block(&fields.join("\t")));
    }
}

fn print_row(console: &Console, columns: &[Column<'_>], widths: &[usize], row: &[Cell]) {
    let mut line = Text::from("");
    let last = columns.len().saturating_sub(1);
    for (place, ((column, cell), &width)) in columns.iter().zip(row).zip(widths).enumerate() {
        let text = match (column.on_the_right, place == last) {
            (true, _) => right(&cell.text, width),
            // No blanks at the end of a line.
            (false, true) => left(&cell.text, width).trim_end().to_owned(),
            (false, false) => left(&cell.text, width),
        };
        line = match cell.style {
            Some(style) => line.and(Text::styled(style, text)),
            None => line.and(text),
        };
        if place != last {
            line = line.and(" ".repeat(GAP));
        }
    }
    console.line(line.trimmed());
}

fn print_blocks(console: &Console, columns: &[Column<'_>], rows: &[Vec<Cell>]) {
    let title_width = columns
        .iter()
        .map(|column| column.title.width())
        .max()
        .unwrap_or(0)
        .min(24);
    for (place, row) in rows.iter().enumerate() {
        if console.is_closed() {
            return;
        }
        if place > 0 {
            console.line("");
        }
        for (column, cell) in columns.iter().zip(row) {
            let title = Text::styled(Style::Faint, left(column.title, title_width));
            console.line(title.and("  ").and(&cell.text).trimmed());
        }
    }
}

/// Widths that add up to at most `limit`; `None` if that cannot be.
fn fit(natural: &[usize], whole: &[bool], limit: usize) -> Option<Vec<usize>> {
    let mut widths = natural.to_vec();
    let gaps = GAP * natural.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > limit {
        let widest = widths
            .iter_mut()
            .zip(whole)
            .filter(|(width, whole)| !**whole && **width > NARROWEST)
            .map(|(width, _)| width)
            .max()?;
        *widest -= 1;
    }
    Some(widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_column_gives_way() {
        assert_eq!(
            fit(&[30, 10, 5], &[false, false, true], 40),
            Some(vec![21, 10, 5])
        );
    }

    #[test]
    fn numbers_are_never_cut() {
        assert_eq!(fit(&[30, 20], &[true, true], 40), None);
    }
}
