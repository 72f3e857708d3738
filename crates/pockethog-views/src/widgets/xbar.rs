//! xbar, SwiftBar and Argos: a line for the menu bar, `---`, then the lines of the menu, each with its
//! parameters after a bar.
//!
//! A name could end its line, begin its parameters, be taken for a separator or for markup; [`line()`] prevents it.
//! The three read different parameters, and xbar shows an error in place of the menu if it meets one that it does
//! not know, so each gets its own.
//! These programs show an error sign in place of the output where a program fails, so this format never
//! ends with an error.

use super::words::{figure, moved, placeholder, remark, sentence, shell_quoted, sum_remark};
use crate::format::{ago, arrow};
use crate::plain::{cut, plain};
use pockethog_core::widget::{Content, Numbers};

/// Columns of a name in the menu bar.
const NAME: usize = 18;

/// Projects in the menu bar, and in the menu before it goes on in a submenu.
const IN_BAR: usize = 3;
const IN_MENU: usize = 25;

/// The program that shows the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MenuHost {
    /// Argos, in the panel of GNOME: reads Pango markup and backslash escapes by default.
    Argos,
    /// SwiftBar, on macOS.
    SwiftBar,
    /// xbar, on macOS.
    Xbar,
}

impl MenuHost {
    /// The one that started this program, by the variables that each sets; without any, the usual one of this
    /// system.
    pub fn of_environment(is_set: impl Fn(&str) -> bool) -> Self {
        if is_set("ARGOS_VERSION") {
            Self::Argos
        } else if is_set("SWIFTBAR") || is_set("SWIFTBAR_VERSION") {
            Self::SwiftBar
        } else if cfg!(target_os = "macos") || is_set("XBARDarkMode") {
            Self::Xbar
        } else {
            Self::Argos
        }
    }

    /// Names are shown as they are: no markup, no `:emoji:`, no symbols, no colour codes.
    fn as_is(self) -> &'static str {
        match self {
            Self::Argos => "emojize=false ansi=false useMarkup=false unescape=false",
            Self::SwiftBar => "emojize=false symbolize=false ansi=false",
            Self::Xbar => "emojize=false ansi=false",
        }
    }

    /// What opens the app. Argos hands the command to a shell.
    fn command(self, program: &str) -> String {
        let program = program.replace(['"', '|'], "");
        let program = match self {
            Self::Argos => shell_quoted(&plain(&program)),
            Self::SwiftBar | Self::Xbar => plain(&program).into_owned(),
        };
        format!("bash=\"{program}\" terminal=false")
    }
}

/// The widget as a menu for `host`; `program` is what opens the app.
pub fn xbar(content: &Content, host: MenuHost, program: &str) -> String {
    let sum = content.sum();
    let as_is = host.as_is();
    let mut lines = vec![line("", &bar(content, sum.as_ref()), as_is)];
    lines.push("---".to_owned());
    let title = format!("{} · {}", content.title, content.caption());
    lines.push(line("", &title, &format!("size=12 {as_is}")));
    if let Some(sentence) = sentence(content) {
        lines.push(line("", &sentence, &format!("color=#c0392b {as_is}")));
    }
    if let Some(sum) = sum.as_ref().filter(|_| content.rows.len() > 1) {
        let total = entry("Total", Some(sum), &sum_remark(content));
        lines.push(line("", &total, as_is));
    }
    for (_, moved) in moved(content, IN_MENU) {
        lines.push(line("", &moved, &format!("size=12 {as_is}")));
    }
    for (place, row) in content.rows.iter().enumerate() {
        if place == IN_MENU {
            let more = content.rows.len() - IN_MENU;
            lines.push(format!("{more} more"));
        }
        let level = if place < IN_MENU { "" } else { "--" };
        let entry = entry(&row.name, row.numbers.as_ref(), &remark(content, row));
        let address = row.address.as_deref().filter(|address| is_plain(address));
        let href = address.map_or(String::new(), |address| format!("href={address} "));
        lines.push(line(level, &entry, &format!("{href}{as_is}")));
    }
    lines.push("---".to_owned());
    if let Some(sum) = &sum {
        let age = ago(sum.measured_at, content.now);
        lines.push(line("", &format!("Measured {age}"), "size=12"));
    }
    lines.push(line("", "Open PocketHog", &host.command(program)));
    lines.push(line("", "Refresh", "refresh=true"));
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn bar(content: &Content, sum: Option<&Numbers>) -> String {
    let Some(sum) = sum else {
        return placeholder(content);
    };
    if content.summed || content.rows.len() > IN_BAR {
        let remark = sum_remark(content);
        return entry(&cut(&content.title, NAME), Some(sum), &remark);
    }
    let items: Vec<String> = content
        .rows
        .iter()
        .map(|row| {
            let name = cut(&row.name, NAME);
            entry(&name, row.numbers.as_ref(), &remark(content, row))
        })
        .collect();
    items.join("   ")
}

fn entry(name: &str, numbers: Option<&Numbers>, remark: &str) -> String {
    let numbers = match numbers {
        Some(numbers) => format!("{} {}", figure(numbers), arrow(numbers.change)),
        None => "–".to_owned(),
    };
    let remark = if remark.is_empty() {
        String::new()
    } else {
        format!(" ({remark})")
    };
    format!("{name}  {numbers}{remark}")
}

/// One line whose text is neither a separator nor a submenu and brings no parameters.
fn line(level: &'static str, text: &str, parameters: &str) -> String {
    let text = plain(text).replace('|', "❘");
    let text = text.trim_start();
    let text = match text.strip_prefix('-') {
        Some(rest) => format!("‐{rest}"),
        None => text.to_owned(),
    };
    format!("{level}{text} | {parameters}")
}

/// An address that is one word for each of them.
fn is_plain(address: &str) -> bool {
    let plain =
        |letter: char| letter.is_ascii_alphanumeric() || "-._~:/?#[]@!&*+,;=%".contains(letter);
    address.chars().all(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::*;
    use super::*;
    use pockethog_core::widget::State;

    #[test]
    fn every_state_in_xbar() {
        let program = "/usr/bin/pockethog";
        insta::assert_snapshot!(printed(|content| xbar(content, MenuHost::Argos, program)));
    }

    #[test]
    fn each_program_gets_the_parameters_that_it_knows() {
        let by = |name: &'static str| MenuHost::of_environment(|variable| variable == name);
        assert_eq!(by("ARGOS_VERSION"), MenuHost::Argos);
        assert_eq!(by("SWIFTBAR"), MenuHost::SwiftBar);
        assert_eq!(by("XBARDarkMode"), MenuHost::Xbar);
        let (_, content) = all().remove(0);
        // These are all that xbar knows; with another one it shows an error instead of the menu.
        let known = [
            "href", "color", "size", "bash", "terminal", "refresh", "emojize", "ansi",
        ];
        let menu = xbar(&content, MenuHost::Xbar, "/usr/bin/pockethog");
        for parameter in menu.lines().filter_map(|line| line.split_once(" | ")) {
            for pair in parameter.1.split(' ') {
                let name = pair.split('=').next().unwrap();
                assert!(known.contains(&name), "{menu}");
            }
        }
        let menu = xbar(&content, MenuHost::Argos, "/opt/my tools/pockethog");
        for line in menu.lines().filter(|line| line.contains("Acorn")) {
            assert!(line.contains("useMarkup=false unescape=false"), "{line}");
        }
        assert!(
            menu.contains("bash=\"'/opt/my tools/pockethog'\""),
            "{menu}"
        );
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
            let menu = xbar(content, MenuHost::Argos, "pockethog");
            menu.lines().map(|line| line.matches('|').count()).collect()
        };
        assert_eq!(shape(&hostile), shape(&harmless));
    }
}
