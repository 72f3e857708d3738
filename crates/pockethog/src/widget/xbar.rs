//! xbar, SwiftBar and Argos: a line for the menu bar, `---`, then the lines of the menu, each with its
//! parameters after a bar.
//!
//! A name could end its line, begin its parameters or be taken for a separator; [`safe`] prevents it.
//! These programs show an error sign in place of the output where a program fails, so this format never
//! ends with an error.

use super::content::{Content, Numbers};
use super::words::{change, figure, placeholder, plain, remark, sentence, short_name, sum_remark};
use crate::format::ago;

/// Columns of a name in the menu bar.
const NAME: usize = 18;

/// Projects in the menu bar, and in the menu before it goes on in a submenu.
const IN_BAR: usize = 3;
const IN_MENU: usize = 25;

/// Names are shown as they are: no `:emoji:`, no symbols, no colour codes.
const AS_IS: &str = "emojize=false symbolize=false ansi=false";

/// The widget as a menu; `program` is what opens the app.
pub fn xbar(content: &Content, program: &str) -> String {
    let sum = content.sum();
    let mut lines = vec![format!("{} | {AS_IS}", safe(&bar(content, sum.as_ref())))];
    lines.push("---".to_owned());
    let title = format!("{} · {}", content.title, content.caption());
    lines.push(format!("{} | size=12 {AS_IS}", safe(&title)));
    if let Some(sentence) = sentence(content) {
        lines.push(format!("{} | color=#c0392b {AS_IS}", safe(&sentence)));
    }
    if let Some(sum) = sum.as_ref().filter(|_| content.rows.len() > 1) {
        lines.push(format!(
            "{} | {AS_IS}",
            safe(&entry("Total", Some(sum), &sum_remark(content)))
        ));
    }
    for (place, row) in content.rows.iter().enumerate() {
        if place == IN_MENU {
            let more = content.rows.len() - IN_MENU;
            lines.push(format!("{more} more"));
        }
        let level = if place < IN_MENU { "" } else { "--" };
        let entry = safe(&entry(
            &row.name,
            row.numbers.as_ref(),
            &remark(content, row),
        ));
        let href = row
            .address
            .as_ref()
            .map_or(String::new(), |address| format!("href={address} "));
        lines.push(format!("{level}{entry} | {href}{AS_IS}"));
    }
    lines.push("---".to_owned());
    if let Some(sum) = &sum {
        lines.push(format!(
            "Measured {} | size=12",
            ago(sum.measured_at, content.now)
        ));
    }
    lines.push(format!(
        "Open PocketHog | bash=\"{}\" terminal=false",
        program.replace(['"', '\n', '\r', '|'], "")
    ));
    lines.push("Look again | refresh=true".to_owned());
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn bar(content: &Content, sum: Option<&Numbers>) -> String {
    let Some(sum) = sum else {
        return placeholder(content);
    };
    if content.summed || content.rows.len() > IN_BAR {
        let remark = sum_remark(content);
        return entry(&short_name(&content.title, NAME), Some(sum), &remark);
    }
    let items: Vec<String> = content
        .rows
        .iter()
        .map(|row| {
            let name = short_name(&row.name, NAME);
            entry(&name, row.numbers.as_ref(), &remark(content, row))
        })
        .collect();
    items.join("   ")
}

fn entry(name: &str, numbers: Option<&Numbers>, remark: &str) -> String {
    let numbers = match numbers {
        Some(numbers) => format!("{} {}", figure(numbers), change(numbers).arrow()),
        None => "–".to_owned(),
    };
    let remark = if remark.is_empty() {
        String::new()
    } else {
        format!(" ({remark})")
    };
    format!("{name}  {numbers}{remark}")
}

/// One line that is neither a separator nor a submenu and has no parameters.
fn safe(text: &str) -> String {
    let text = plain(text).replace('|', "❘");
    let text = text.trim_start();
    match text.strip_prefix('-') {
        Some(rest) => format!("‐{rest}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::content::State;
    use super::super::samples::*;
    use super::*;

    #[test]
    fn every_state_in_xbar() {
        insta::assert_snapshot!(printed(|content| xbar(content, "/usr/bin/pockethog")));
    }

    #[test]
    fn a_name_adds_neither_a_line_nor_a_parameter() {
        let hostile = content(
            vec![row(1, HOSTILE, State::Fresh, Some(numbers(1, 1, 1)))],
            State::Fresh,
            None,
        );
        let harmless = content(
            vec![row(1, "x", State::Fresh, Some(numbers(1, 1, 1)))],
            State::Fresh,
            None,
        );
        let shape = |content: &Content| -> Vec<usize> {
            let menu = xbar(content, "pockethog");
            menu.lines().map(|line| line.matches('|').count()).collect()
        };
        assert_eq!(shape(&hostile), shape(&harmless));
    }
}
