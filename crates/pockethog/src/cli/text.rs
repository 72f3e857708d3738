//! What is printed: pieces of text with their styles.
//!
//! A text is made of strings, and every string is one harmless line: whatever is in it, ours or not, ends no line
//! and steers no terminal ([`plain`]). Lines and styles are structure and not characters, so that no name can bring
//! its own. Only the console turns a style into a terminal's codes.

use std::borrow::Cow;
use std::fmt::Write as _;

use anstyle::{Ansi256Color, AnsiColor};
use unicode_width::UnicodeWidthStr;

use pockethog_views::plain::{cut, plain};

/// How a piece of text is set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bold.
    Strong,
    /// Grey.
    Faint,
    /// Green.
    Good,
    /// Red.
    Bad,
    /// The accent.
    Accent,
}

/// A text of one or more lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    lines: Vec<Vec<Piece>>,
}

/// A harmless piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    text: String,
    style: Option<Style>,
}

impl Text {
    /// One line that is set off.
    pub fn styled(style: Style, text: impl AsRef<str>) -> Self {
        Self::piece(Some(style), plain(text.as_ref()).into_owned())
    }

    /// A text whose lines are known to be ours: a script, a manual page, a preferences file. Tabs stay.
    pub fn block(text: &str) -> Self {
        let line = |line: &str| -> Vec<Piece> {
            let tabs = line.split('\t').map(plain).collect::<Vec<_>>();
            vec![Piece {
                text: tabs.join("\t"),
                style: None,
            }]
        };
        Self {
            lines: text.split('\n').map(line).collect(),
        }
    }

    /// `more` behind the last line.
    #[must_use]
    pub fn and(mut self, more: impl Into<Self>) -> Self {
        let mut more = more.into().lines.into_iter();
        if let (Some(last), Some(first)) = (self.lines.last_mut(), more.next()) {
            last.extend(first);
        }
        self.lines.extend(more);
        self
    }

    /// `more` below the last line.
    #[must_use]
    pub fn below(mut self, more: impl Into<Self>) -> Self {
        self.lines.extend(more.into().lines);
        self
    }

    /// Without blanks at the end of each line.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        for line in &mut self.lines {
            while let Some(last) = line.last_mut() {
                last.text.truncate(last.text.trim_end().len());
                if !last.text.is_empty() {
                    break;
                }
                line.pop();
            }
        }
        self
    }

    /// Lines that are longer than `width` columns break between words. What follows is `hang` columns further
    /// in than its line began. Words themselves, such as addresses, stay whole.
    #[must_use]
    pub fn wrapped(self, width: usize, hang: usize) -> Self {
        let wrap = |line: Vec<Piece>| {
            if columns(&line) <= width {
                vec![line]
            } else {
                wrapped_line(line, width, hang)
            }
        };
        Self {
            lines: self.lines.into_iter().flat_map(wrap).collect(),
        }
    }

    /// As characters, with a terminal's codes if it shows colours.
    pub(super) fn rendered(&self, colour: bool) -> String {
        let mut shown = String::new();
        for (place, line) in self.lines.iter().enumerate() {
            if place > 0 {
                shown.push('\n');
            }
            for Piece { text, style } in line {
                let style = style.filter(|_| colour && !text.is_empty());
                let style = style.map(Style::of_terminal).unwrap_or_default();
                write!(shown, "{style}{text}{style:#}").ok();
            }
        }
        shown
    }

    fn piece(style: Option<Style>, text: String) -> Self {
        Self {
            lines: vec![vec![Piece { text, style }]],
        }
    }
}

impl Style {
    fn of_terminal(self) -> anstyle::Style {
        match self {
            Self::Strong => anstyle::Style::new().bold(),
            Self::Faint => anstyle::Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Accent => Ansi256Color(209).on_default(),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::piece(None, plain(text).into_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        match plain(&text) {
            Cow::Owned(text) => Self::piece(None, text),
            Cow::Borrowed(_) => Self::piece(None, text),
        }
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        Self::from(text.as_ref())
    }
}

/// One text below the other.
impl<T: Into<Text>> FromIterator<T> for Text {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let lines = texts.into_iter().flat_map(|text| text.into().lines);
        Self {
            lines: lines.collect(),
        }
    }
}

/// A text cut to `width` columns and filled up with blanks on the right.
pub fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let fill = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(fill))
}

/// A text cut to `width` columns and filled up with blanks on the left.
pub fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let fill = width.saturating_sub(text.width());
    format!("{}{text}", " ".repeat(fill))
}

fn columns(line: &[Piece]) -> usize {
    line.iter().map(|piece| piece.text.width()).sum()
}

/// A line as words, each of one or more pieces, put into lines again.
fn wrapped_line(line: Vec<Piece>, width: usize, hang: usize) -> Vec<Vec<Piece>> {
    let mut words: Vec<Vec<Piece>> = vec![Vec::new()];
    for Piece { text, style } in line {
        for (place, word) in text.split(' ').enumerate() {
            if place > 0 {
                words.push(Vec::new());
            }
            if let Some(last) = words.last_mut().filter(|_| !word.is_empty()) {
                last.push(Piece {
                    text: word.to_owned(),
                    style,
                });
            }
        }
    }
    let blanks = words.iter().take_while(|word| word.is_empty()).count();
    let blank = |count: usize| Piece {
        text: " ".repeat(count),
        style: None,
    };
    let mut lines = Vec::new();
    let mut begun = vec![blank(blanks)];
    for (place, word) in words.into_iter().skip(blanks).enumerate() {
        if place > 0 && columns(&begun) + 1 + columns(&word) > width {
            lines.push(std::mem::replace(&mut begun, vec![blank(blanks + hang)]));
        } else if place > 0 {
            begun.push(blank(1));
        }
        begun.extend(word);
    }
    lines.push(begun);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\x1b[31mb\nc\u{202e}d\re";

    fn wrapped(text: impl Into<Text>, width: usize, hang: usize) -> String {
        text.into().wrapped(width, hang).rendered(true)
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(left("猫カフェ", 10), "猫カフェ  ");
        assert_eq!(cut("猫カフェ", 5), "猫カ…");
    }

    #[test]
    fn long_lines_break_between_words() {
        assert_eq!(
            wrapped(Text::block("  one two three\nfour"), 9, 2),
            "  one two\n    three\nfour"
        );
        assert_eq!(
            wrapped("a https://127.0.0.1/long", 6, 0),
            "a\nhttps://127.0.0.1/long"
        );
        assert_eq!(
            wrapped(Text::styled(Style::Strong, "one").and(" two"), 7, 0),
            "\x1b[1mone\x1b[0m two"
        );
        assert_eq!(
            wrapped(Text::styled(Style::Strong, "one").and(": two"), 5, 1),
            "\x1b[1mone\x1b[0m:\n two"
        );
    }

    #[test]
    fn no_text_brings_a_line_or_a_code_of_its_own() {
        assert_eq!(Text::from(HOSTILE).rendered(true), "a[31mb cd e");
        assert_eq!(
            Text::styled(Style::Bad, HOSTILE).rendered(true),
            "\x1b[31ma[31mb cd e\x1b[0m"
        );
        assert_eq!(cut(HOSTILE, 8), "a[31mb…");
        let two = Text::from("one").below(HOSTILE);
        assert_eq!(two.rendered(false), "one\na[31mb cd e");
    }

    #[test]
    fn a_block_keeps_its_lines_and_tabs_and_nothing_else() {
        let block = Text::block("a\tb\x1b[2J\n\u{200b}c\r\n");
        assert_eq!(block.rendered(true), "a\tb[2J\nc \n");
    }
}
