//! The pieces of text that the formats share.

use crate::format::{self, ago, counted};
use crate::moved;
use crate::plain::plain;
use crate::wording;
use jiff::tz::TimeZone;
use pockethog_core::moves::Kind;
use pockethog_core::overview::{Change, time_zone};
use pockethog_core::widget::{Content, Numbers, Row, State};

/// The number of visitors.
pub(super) fn figure(numbers: &Numbers) -> String {
    format::grouped(numbers.now.visitors)
}

/// What has moved, most surprising first, and how many projects more: `Acorn Market: +287 visitors since 13:15`. The name is
/// left out if there is only one project.
pub(super) fn moved(content: &Content, most: usize) -> Vec<(Kind, String)> {
    let moves = content.moves();
    let listed = moves.listed.iter().take(most).filter_map(|listed| {
        let is_it = |row: &&Row| row.project.key == listed.project;
        let row = content.rows.iter().find(is_it)?;
        let zone = row.numbers.as_ref()?.time_zone.as_deref();
        let zone = zone.and_then(time_zone).unwrap_or(TimeZone::UTC);
        let short = moved::short(&listed.moved, &zone, content.now);
        let line = match content.rows.len() {
            1 => short,
            _ => format!("{}: {short}", row.name),
        };
        Some((listed.moved.kind, line))
    });
    listed.collect()
}

/// How many projects have moved beyond those that [`moved()`] lists: `3 more moved`.
pub(super) fn more_moved(content: &Content, most: usize) -> Option<String> {
    let more = content.moves().listed.len().saturating_sub(most);
    (more > 0).then(|| format!("{more} more moved"))
}

/// `up`, `down` or `flat`, which is also said of a change that may be chance.
pub(super) fn trend(change: Change) -> &'static str {
    match change.tone() {
        1 => "up",
        -1 => "down",
        _ => "flat",
    }
}

/// What has to be said beside a project's number: `3 h ago · offline`. Empty if all is well.
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
    let unknown = row
        .numbers
        .as_ref()
        .is_some_and(|numbers| !numbers.time_zone_known);
    let zone = if unknown { "unknown time zone" } else { "" };
    let left_out = row.numbers.as_ref().and_then(left_out).unwrap_or_default();
    let remarks = [zone, left_out, words].map(ToOwned::to_owned);
    let [zone, left_out, words] = remarks;
    joined([age.unwrap_or_default(), zone, left_out, words])
}

/// What has to be said beside a sum: its age, and what is not in it.
pub(super) fn sum_remark(content: &Content) -> String {
    let sum = content.sum();
    let age = sum
        .filter(|sum| content.is_stale(sum.measured_at))
        .map(|sum| ago(sum.measured_at, content.now));
    let missing = content.total().partly();
    let unknown = content
        .rows
        .iter()
        .filter_map(|row| row.numbers.as_ref())
        .filter(|numbers| !numbers.time_zone_known)
        .count();
    let zones = (unknown > 0).then(|| counted(unknown, "unknown time zone", "unknown time zones"));
    // If PostHog cannot be reached at all, that says enough.
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
        zones.unwrap_or_default(),
        left_out_of_all(content).unwrap_or_default(),
        words.to_owned(),
    ])
}

/// Whose events these numbers leave out.
fn left_out(numbers: &Numbers) -> Option<&'static str> {
    wording::left_out(numbers.left_out, numbers.lacks_bots)
}

/// Whose events the projects leave out: all of them the same, or so many of them.
fn left_out_of_all(content: &Content) -> Option<String> {
    let all = content.rows.iter().filter_map(|row| row.numbers.as_ref());
    let words: Vec<Option<&str>> = all.map(left_out).collect();
    let some = words.iter().flatten().count();
    let first = words.iter().flatten().next()?;
    if words.iter().all(|words| words.as_ref() == Some(first)) {
        return Some((*first).to_owned());
    }
    Some(format!("{} filtered", counted(some, "project", "projects")))
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

/// A line for a program that reads markup. What is ours goes in as it is; everything else is made harmless and
/// escaped on its way in, so that nothing can be forgotten.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    line: String,
    escape: fn(&str) -> String,
}

impl Marked {
    /// An empty line for the program whose escapes these are.
    pub(super) fn new(escape: fn(&str) -> String) -> Self {
        Self {
            line: String::new(),
            escape,
        }
    }

    /// Markup of our own.
    pub(super) fn own(mut self, markup: &'static str) -> Self {
        self.line.push_str(markup);
        self
    }

    /// Anything else.
    pub(super) fn text(mut self, text: impl AsRef<str>) -> Self {
        let text = plain(text.as_ref());
        self.line.push_str(&(self.escape)(&text));
        self
    }

    /// Another line behind this one.
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.line.push_str(&other.line);
        self
    }

    /// The line, without a line feed.
    pub(super) fn line(self) -> String {
        self.line
    }
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join(" · ")
}

/// One word for a POSIX shell.
pub fn shell_quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-=:,+@".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_markup_stays_markup() {
        let line = Marked::new(|text| text.replace('<', "&lt;"));
        let line = line
            .own("<b>")
            .text("a<b>\x1b[31m\nb\u{202e}c\u{7}")
            .own("</b>");
        assert_eq!(line.line(), "<b>a&lt;b>[31m bc</b>");
    }
}
