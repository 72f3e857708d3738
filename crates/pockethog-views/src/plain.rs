//! Text from outside, made safe to print as one line.
//!
//! Names, pages, events, cells and error texts are written by others. On a terminal, in a bar or in a log they
//! must not move the cursor, set a colour, begin a line, turn the direction of what is beside them, or hide
//! characters. [`plain`] takes all of that away, and everything that is not ours goes through it.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// The text in one line, without control characters, direction marks and characters that cannot be seen.
///
/// Line ends and tabs become blanks. Emoji stay whole: a joiner or a variation selector is kept between or
/// behind the characters that it is made for, and nowhere else.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut last = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        let letter = match letter {
            '\r' if next == Some('\n') => continue,
            '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            '\u{200d}' if last.is_some_and(joins) && next.is_some_and(is_pictograph) => letter,
            '\u{fe0e}' | '\u{fe0f}' if last.is_some_and(has_variants) => letter,
            hidden if is_hidden(hidden) => continue,
            seen => seen,
        };
        kept.push(letter);
        last = Some(letter);
    }
    Cow::Owned(kept)
}

/// A harmless line of at most `width` columns. One that is longer ends in `…`.
pub fn cut(text: &str, width: usize) -> String {
    let text = plain(text);
    if text.width() <= width {
        return text.into_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        kept.push(letter);
        if kept.width() + 1 > width {
            kept.pop();
            break;
        }
    }
    // An emoji that was cut loses what joined it to the rest.
    let whole = kept.trim_end_matches(is_hidden).trim_end().len();
    kept.truncate(whole);
    kept + "…"
}

/// Whether a character steers what shows it, or cannot be seen: controls, Unicode's `Bidi_Control`,
/// `Default_Ignorable_Code_Point` (zero-width marks, fillers, variation selectors, tags) and the two
/// separators of lines and paragraphs.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// What a zero-width joiner may follow within an emoji.
fn joins(letter: char) -> bool {
    is_pictograph(letter) || letter == '\u{fe0f}'
}

/// What a variation selector shows as text or as a picture; one that follows another is none of them.
fn has_variants(letter: char) -> bool {
    is_pictograph(letter) || matches!(letter, '0'..='9' | '#' | '*')
}

/// The blocks that emoji are in, skin tones included.
fn is_pictograph(letter: char) -> bool {
    matches!(
        letter,
        '\u{a9}'
            | '\u{ae}'
            | '\u{203c}'
            | '\u{2049}'
            | '\u{2122}'
            | '\u{2139}'
            | '\u{2190}'..='\u{21ff}'
            | '\u{2300}'..='\u{23ff}'
            | '\u{24c2}'
            | '\u{25a0}'..='\u{27bf}'
            | '\u{2934}'..='\u{2935}'
            | '\u{2b00}'..='\u{2bff}'
            | '\u{3030}'
            | '\u{303d}'
            | '\u{3297}'
            | '\u{3299}'
            | '\u{1f000}'..='\u{1faff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_or_hides_is_taken_away() {
        for (text, shown) in [
            ("Acorn", "Acorn"),
            ("a\x1b[31mb\nc\u{202e}d", "a[31mb cd"),
            ("a\r\nb\rc\td\u{85}e\u{2028}f", "a b c d e f"),
            ("a\0b\u{7}c\u{7f}d\u{9b}31me", "abcd31me"),
            ("a\u{200b}b\u{feff}c\u{2060}d\u{180e}e\u{ad}f", "abcdef"),
            ("a\u{61c}b\u{200e}c\u{200f}d\u{2066}e\u{2069}f", "abcdef"),
            ("a\u{e0041}\u{e007f}b\u{fe0f}c\u{e0100}d\u{200d}e", "abcde"),
            ("猫カフェ · Žluťoučký", "猫カフェ · Žluťoučký"),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_by_columns() {
        assert_eq!(cut("Acorn Market", 12), "Acorn Market");
        assert_eq!(cut("Acorn Market", 8), "Acorn M…");
        assert_eq!(cut("Acorn Market", 7), "Acorn…");
        assert_eq!(cut("猫カフェ予約", 7), "猫カフ…");
    }

    #[test]
    fn emoji_stay_whole() {
        for emoji in ["👩‍💻", "🏳️‍🌈", "❤️‍🔥", "1️⃣", "👨🏽‍🚀", "☎︎"]
        {
            assert_eq!(plain(emoji), emoji);
        }
        assert_eq!(plain("👩\u{200d}a"), "👩a");
        assert_eq!(plain("❤\u{fe0f}\u{fe0f}\u{fe0e}"), "❤\u{fe0f}");
    }

    proptest! {
        #[test]
        fn a_second_time_changes_nothing(text in "\\PC*|.*") {
            let once = plain(&text).into_owned();
            prop_assert_eq!(plain(&once), once.as_str());
            prop_assert!(!once.chars().any(char::is_control));
        }
    }
}
