//! tmux's status line: one line with `#[fg=…]` styles.
//!
//! tmux expands what a `#(…)` program prints once more, so a `#` in a name is doubled: `##[` prints `#[`
//! and `##{` prints `#{`.

use super::content::{Content, Numbers, Row, State};
use super::words::{change, figure, placeholder, remark, sentence, short_name, sum_remark};
use crate::format::Change;

/// Columns of a name.
const NAME: usize = 18;

/// Projects in the line.
const PROJECTS: usize = 4;

/// The widget as one line, with its line feed.
pub fn tmux(content: &Content) -> String {
    let signed_out = sentence(content).filter(|_| content.state == State::SignedOut);
    let Some(sum) = content.sum() else {
        let words = match sentence(content) {
            Some(sentence) if content.rows.is_empty() => format!("PocketHog: {sentence}"),
            _ => placeholder(content),
        };
        return format!("#[fg=yellow]{}#[default]\n", safe(&words));
    };
    // There is no tooltip, and only the user can help.
    let reason = signed_out.map_or(String::new(), |sentence| {
        format!(" #[fg=yellow]{}#[default]", safe(&sentence))
    });
    if content.summed {
        let item = item(&content.title, Some(&sum), &sum_remark(content));
        return format!("{item}{reason}\n");
    }
    let project = |row: &Row| item(&row.name, row.numbers.as_ref(), &remark(content, row));
    let items: Vec<String> = content.rows.iter().take(PROJECTS).map(project).collect();
    let more = content.rows.len().saturating_sub(PROJECTS);
    let more = if more > 0 {
        format!("  +{more}")
    } else {
        String::new()
    };
    format!("{}{more}{reason}\n", items.join("  "))
}

fn item(name: &str, numbers: Option<&Numbers>, remark: &str) -> String {
    let name = safe(&short_name(name, NAME));
    let numbers = match numbers {
        Some(numbers) => {
            let change = change(numbers);
            format!("#[bold]{}#[nobold] {}", figure(numbers), coloured(change))
        }
        None => "–".to_owned(),
    };
    let remark = if remark.is_empty() {
        String::new()
    } else {
        format!(" #[fg=yellow]({})#[default]", safe(remark))
    };
    format!("{name} {numbers}{remark}")
}

fn coloured(change: Change) -> String {
    let colour = match change.direction() {
        1 => "green",
        -1 => "red",
        _ => return change.arrow(),
    };
    format!("#[fg={colour}]{}#[default]", change.arrow())
}

/// Neither a style nor a format. `short_name` has taken control characters away.
fn safe(text: &str) -> String {
    text.replace('#', "##")
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
