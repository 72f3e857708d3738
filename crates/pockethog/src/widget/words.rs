//! The pieces of text that every format is made of.

use unicode_width::UnicodeWidthChar;

use super::content::{Content, Numbers, Row, State};
use crate::format::{self, Change, ago, counted};

/// The number of visitors.
pub(super) fn figure(numbers: &Numbers) -> String {
    format::grouped(numbers.now.visitors)
}

/// How the visitors changed.
pub(super) fn change(numbers: &Numbers) -> Change {
    Change::between(numbers.now.visitors, numbers.before.visitors)
}

/// `up`, `down` or `flat`.
pub(super) fn trend(change: Change) -> &'static str {
    match change.direction() {
        1 => "up",
        -1 => "down",
        _ => "flat",
    }
}

/// What has to be said beside a project's number: `3 h ago · offline`. Empty where all is well.
pub(super) fn remark(content: &Content, row: &Row) -> String {
    let age = row
        .numbers
        .as_ref()
        .filter(|numbers| content.is_stale(numbers.measured_at))
        .map(|numbers| ago(numbers.measured_at, content.now));
    let words = match (row.state, &row.numbers) {
        (State::Stale, None) => "no numbers yet",
        (state, _) => state.words(),
    };
    joined([age.unwrap_or_default(), words.to_owned()])
}

/// What has to be said beside a sum: its age, and what is not in it.
pub(super) fn sum_remark(content: &Content) -> String {
    let sum = content.sum();
    let age = sum
        .filter(|sum| content.is_stale(sum.measured_at))
        .map(|sum| ago(sum.measured_at, content.now));
    let missing = content
        .rows
        .iter()
        .filter(|row| row.numbers.is_none())
        .count();
    let missing = (missing > 0).then(|| {
        let all = counted(content.rows.len(), "project", "projects");
        format!("{missing} of {all} missing")
    });
    // Where PostHog cannot be reached at all, that says enough.
    let partly = content.summed && content.state == State::Partly;
    let unlisted = (partly && !content.failures.is_empty()).then(|| {
        let parts = content.failures.len();
        format!("{} not listed", counted(parts, "part", "parts"))
    });
    let words = match content.state {
        State::Partly if missing.is_some() || unlisted.is_some() => "",
        state => state.words(),
    };
    joined([
        age.unwrap_or_default(),
        missing.unwrap_or_default(),
        unlisted.unwrap_or_default(),
        words.to_owned(),
    ])
}

/// The sentence with its full stop.
pub(super) fn sentence(content: &Content) -> Option<String> {
    let sentence = content.sentence.as_deref()?.trim();
    let stop = if sentence.ends_with(['.', '!', '?', '…']) {
        ""
    } else {
        "."
    };
    (!sentence.is_empty()).then(|| format!("{}{stop}", plain(sentence)))
}

/// Where no number can be shown: `PocketHog: signed out`.
pub(super) fn placeholder(content: &Content) -> String {
    let words = match content.state.words() {
        "" => "no numbers yet",
        words => words,
    };
    format!("PocketHog: {words}")
}

/// The text in one line without control characters, which steer terminals and end lines, and without
/// those that turn the direction of the text around them.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_whitespace() { ' ' } else { letter })
        .filter(|letter| !letter.is_control() && !is_direction(*letter))
        .collect()
}

/// A name for a narrow place.
pub(super) fn short_name(name: &str, columns: usize) -> String {
    let name = plain(name);
    let wide = |letter: char| letter.width().unwrap_or(0);
    if name.chars().map(wide).sum::<usize>() <= columns {
        return name;
    }
    let mut left = columns.saturating_sub(1);
    let kept: String = name
        .chars()
        .take_while(|&letter| {
            let fits = wide(letter) <= left;
            left = left.saturating_sub(wide(letter));
            fits
        })
        .collect();
    format!("{}…", kept.trim_end())
}

fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_what_shows_it() {
        assert_eq!(plain("a\x1b[31m\nb\u{202e}c\u{7}"), "a[31m bc");
    }

    #[test]
    fn a_long_name_fits_a_narrow_place() {
        assert_eq!(short_name("Acorn Market", 12), "Acorn Market");
        assert_eq!(short_name("Acorn Market", 8), "Acorn M…");
        assert_eq!(short_name("猫カフェ予約", 7), "猫カフ…");
    }
}
