//! Plain text: a line per project, or one for the sum. For terminals, prompts, conky and scripts.

use super::words::{figure, more_moved, moved, remark, sentence, sum_remark};
use crate::charts::blocks;
use crate::format::arrow;
use crate::plain::plain;
use pockethog_core::widget::{Content, Numbers, State};

/// Points of the curve: two weeks of days.
const CURVE: usize = 14;

/// Projects that are listed because they have moved.
const MOVES: usize = 5;

/// The widget as text. Every line ends in a line feed.
pub fn text(content: &Content) -> String {
    let mut lines = Vec::new();
    let needs_somebody = content.rows.is_empty() || content.state == State::SignedOut;
    if let Some(sentence) = sentence(content).filter(|_| needs_somebody) {
        lines.push(format!("PocketHog: {sentence}"));
    }
    if content.summed {
        if !content.rows.is_empty() {
            lines.push(line(
                &content.title,
                content.sum().as_ref(),
                &sum_remark(content),
            ));
        }
    } else {
        for row in &content.rows {
            lines.push(line(&row.name, row.numbers.as_ref(), &remark(content, row)));
        }
    }
    let moved = moved(content, MOVES);
    lines.extend(moved.into_iter().map(|(_, moved)| format!("  {moved}")));
    lines.extend(more_moved(content, MOVES).map(|more| format!("  {more}")));
    // One line each, whatever a name or a reason holds.
    let lines = lines.iter().map(|line| plain(line) + "\n");
    lines.collect()
}

fn line(name: &str, numbers: Option<&Numbers>, remark: &str) -> String {
    let mut parts = vec![name.to_owned()];
    if let Some(numbers) = numbers {
        let skip = numbers.curve.len().saturating_sub(CURVE);
        parts.push(figure(numbers));
        parts.push(arrow(numbers.change));
        parts.push(blocks(numbers.curve.iter().skip(skip).copied()));
    }
    if !remark.is_empty() {
        parts.push(format!("({remark})"));
    }
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;

    #[test]
    fn every_state_as_text() {
        insta::assert_snapshot!(printed(text));
    }
}
