//! The digest as Markdown.

use super::{
    beside, days, figures, lists, moved_on, mover, own_days, remark, summary, total, unread,
};
use crate::format::grouped;
use crate::moved::{self, Piece, Sentence};
use crate::plain::{cut, plain};
use pockethog_core::discovery::Failure;
use pockethog_screens::Digest;

/// Columns of a name.
const NAME: usize = 60;

/// The digest as Markdown. What others wrote is text in it, never a link, an image or markup.
#[must_use]
pub fn markdown(digest: &Digest, failures: &[Failure]) -> String {
    let mut out = vec![format!("# PocketHog, {}", days(digest)), String::new()];
    out.push(said(&total(digest)));
    if !digest.moves.is_empty() {
        out.extend([String::new(), "## What moved".to_owned(), String::new()]);
        for one in &digest.moves {
            let Some(project) = mover(digest, one) else {
                continue;
            };
            out.push(format!(
                "- **{}** ({}): {}",
                escaped(&cut(&project.name, NAME)),
                moved::label(one.closed.moved.kind),
                said(&moved_on(digest, project, one))
            ));
        }
    }
    if let Some(line) = summary(digest) {
        out.extend([String::new(), line]);
    }
    for project in &digest.projects {
        let name = escaped(&cut(&project.name, NAME));
        let days = own_days(digest, project).map(|days| format!(", {days}"));
        let heading = format!("## {name}{}", days.unwrap_or_default());
        out.extend([String::new(), heading, String::new()]);
        if let Some(remark) = remark(digest, project) {
            out.extend([format!("*{remark}*"), String::new()]);
        }
        for (name, figure) in figures(project) {
            let beside = beside(&figure, digest.span);
            let beside = (!beside.is_empty()).then(|| format!(" ({beside})"));
            out.push(format!(
                "- {}: **{}**{}",
                escaped(&name),
                grouped(figure.count),
                beside.unwrap_or_default()
            ));
        }
        for (title, rows) in lists(project) {
            let rows: Vec<String> = rows
                .iter()
                .map(|(label, count)| format!("{} ({count})", escaped(label)))
                .collect();
            out.push(format!("- {title}: {}", rows.join(", ")));
        }
    }
    if !failures.is_empty() {
        out.extend([String::new(), "## Not read".to_owned(), String::new()]);
        let lines = failures.iter().map(unread);
        out.extend(lines.map(|line| format!("- {}", said(&line))));
    }
    out.join("\n") + "\n"
}

fn said(sentence: &Sentence) -> String {
    let pieces = sentence.pieces.iter().map(|piece| match piece {
        Piece::Words(words) => words.clone(),
        Piece::Strong(text) => escaped(text),
    });
    pieces.collect()
}

/// One line that is text and nothing else: `CommonMark` takes a backslash before any ASCII punctuation, and what it is
/// before neither begins markup nor is part of an address that is made a link of its own accord.
fn escaped(text: &str) -> String {
    let text = plain(text);
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        // Thousands and signs of numbers, and what is common in names and harmless.
        if letter.is_ascii_punctuation() && !matches!(letter, ',' | '/' | '%' | '\'') {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_day_as_markdown() {
        insta::assert_snapshot!(markdown(&samples::day(), &samples::failures()));
    }

    #[test]
    fn what_others_wrote_is_no_markup() {
        let said = markdown(&samples::hostile(), &[]);
        assert!(
            said.contains(r"\[click\]\(https\://evil\.example\)"),
            "{said}"
        );
        assert!(said.contains(r"\<script\>"), "{said}");
        assert!(!said.contains("www.evil"), "{said}");
        assert!(
            said.lines().all(|line| !line.starts_with("injected")),
            "{said}"
        );
    }
}
