//! tmux's status line: one line with `#[fg=…]` styles.
//!
//! tmux expands what a `#(…)` program prints once more, so a `#` in a name is doubled: `##[` prints `#[`
//! and `##{` prints `#{`.

use super::words::{Marked, figure, more_moved, moved, placeholder, remark, sentence, sum_remark};
use crate::format::arrow;
use crate::plain::cut;
use pockethog_core::moves::Kind;
use pockethog_core::overview::Change;
use pockethog_core::widget::{Content, Numbers, Row, State};

/// Columns of a name.
const NAME: usize = 18;

/// Projects in the line.
const PROJECTS: usize = 4;

/// Columns of what has moved.
const MOVED: usize = 60;

/// The widget as one line, with its line feed.
pub fn tmux(content: &Content) -> String {
    shown(content).line() + "\n"
}

fn shown(content: &Content) -> Marked {
    let signed_out = sentence(content).filter(|_| content.state == State::SignedOut);
    let Some(sum) = content.sum() else {
        return warning(&match sentence(content) {
            Some(sentence) if content.rows.is_empty() => format!("PocketHog: {sentence}"),
            _ => placeholder(content),
        });
    };
    let mut line = if content.summed {
        item(&content.title, Some(&sum), &sum_remark(content))
    } else {
        let mut line = line();
        for (place, row) in content.rows.iter().take(PROJECTS).enumerate() {
            let Row { name, numbers, .. } = row;
            let gap = if place > 0 { "  " } else { "" };
            let item = item(name, numbers.as_ref(), &remark(content, row));
            line = line.own(gap).and(&item);
        }
        match content.rows.len().saturating_sub(PROJECTS) {
            0 => line,
            more => line.text(format!("  +{more}")),
        }
    };
    if let Some((kind, moved)) = moved(content, 1).into_iter().next() {
        line = line.own("  ").and(&told(kind, &cut(&moved, MOVED)));
    }
    if let Some(more) = more_moved(content, 1) {
        line = line.own("  ").text(more);
    }
    // There is no tooltip, and only the user can help.
    if let Some(sentence) = signed_out {
        line = line.own(" ").and(&warning(&sentence));
    }
    line
}

fn item(name: &str, numbers: Option<&Numbers>, remark: &str) -> Marked {
    let line = line().text(cut(name, NAME)).own(" ");
    let line = match numbers {
        Some(numbers) => {
            let figure = line.own("#[bold]").text(figure(numbers));
            figure.own("#[nobold] ").and(&coloured(numbers.change))
        }
        None => line.own("–"),
    };
    if remark.is_empty() {
        return line;
    }
    line.own(" ").and(&warning(&format!("({remark})")))
}

fn coloured(change: Change) -> Marked {
    let line = match change.tone() {
        1 => line().own("#[fg=green]"),
        -1 => line().own("#[fg=red]"),
        _ => return line().text(arrow(change)),
    };
    line.text(arrow(change)).own("#[default]")
}

fn told(kind: Kind, moved: &str) -> Marked {
    let line = match kind {
        Kind::Spike => line().own("#[fg=green]"),
        Kind::Drop => line().own("#[fg=red]"),
        Kind::Silent => line().own("#[fg=yellow]"),
        Kind::BackToUsual => return line().text(moved),
    };
    line.text(moved).own("#[default]")
}

fn warning(words: &str) -> Marked {
    line().own("#[fg=yellow]").text(words).own("#[default]")
}

/// A line in which text is neither a style nor a format.
fn line() -> Marked {
    Marked::new(|text| text.replace('#', "##"))
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;

    #[test]
    fn every_state_in_tmux() {
        insta::assert_snapshot!(printed(tmux));
    }
}
