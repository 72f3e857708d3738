//! What is printed where: data on standard output, words about it on standard error.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;
use unicode_width::UnicodeWidthStr;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Wrong usage.
    Usage,
    /// Signing in is needed first.
    SignInNeeded,
    /// Done in part; the failures are listed.
    Partly,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::SignInNeeded => 4,
            Self::Partly => 5,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::SignInNeeded => "sign_in_needed",
            Self::Partly => "partly",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    sentence: String,
}

impl CliError {
    /// Something failed.
    pub fn failed(sentence: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, sentence)
    }

    /// It was asked for in a way that makes no sense.
    pub fn usage(sentence: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, sentence)
    }

    /// Nobody is signed in.
    pub fn sign_in_needed(sentence: impl fmt::Display) -> Self {
        Self::new(Exit::SignInNeeded, sentence)
    }

    fn new(exit: Exit, sentence: impl fmt::Display) -> Self {
        Self {
            exit,
            sentence: sentence.to_string(),
        }
    }

    /// What went wrong.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// How the program ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

/// Anything that went wrong on the way is a failure; usage and sign-in are told apart on purpose.
impl<E: std::error::Error> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::failed(error)
    }
}

/// Where a command prints.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    json: bool,
    colour: bool,
    width: usize,
}

/// How a piece of text is set off.
#[derive(Clone, Copy, Debug)]
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

impl Console {
    /// The console of this process. Colours on a terminal only, and not with `NO_COLOR`.
    pub fn new(json: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            json,
            colour: io::stdout().is_terminal() && !no_colour && !dumb,
            width: terminal_size::terminal_size()
                .map_or(100, |(width, _)| usize::from(width.0))
                .clamp(40, 200),
        }
    }

    /// True where one JSON document is wanted.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Columns to print in.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Prints the JSON document.
    pub fn document<T: Serialize>(&self, document: &T) {
        match serde_json::to_string_pretty(document) {
            Ok(text) => self.line(&text),
            Err(error) => self.say(&error.to_string()),
        }
    }

    /// Prints a line of data. A reader that went away, as `head` does, is no error.
    pub fn line(&self, text: &str) {
        writeln!(io::stdout().lock(), "{text}").ok();
    }

    /// Says something to the person.
    pub fn say(&self, text: &str) {
        writeln!(io::stderr().lock(), "{text}").ok();
    }

    /// Shows how far something long is, in one line that is written over.
    pub fn progress(&self, text: &str) {
        if io::stderr().is_terminal() && !self.json {
            write!(io::stderr().lock(), "\r\x1b[2K{text}").ok();
        }
    }

    /// Takes the progress line away.
    pub fn progress_done(&self) {
        self.progress("");
    }

    /// Reports why a command failed.
    pub fn error(&self, error: &CliError) {
        if self.json {
            self.document(&json!({
                "error": { "kind": error.exit.name(), "message": error.sentence }
            }));
        }
        self.say(&format!("pockethog: {}", error.sentence));
    }

    /// Sets a piece of text off, where colours are wanted.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match style {
            Style::Strong => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Bad => "31",
            Style::Accent => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A text cut to `width` columns and filled up with blanks on the right.
pub fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let fill = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(fill))
}

/// A text filled up with blanks on the left.
pub fn right(text: &str, width: usize) -> String {
    let fill = width.saturating_sub(text.width());
    format!("{}{text}", " ".repeat(fill))
}

/// A text of at most `width` columns; control characters, which could steer a terminal, are gone.
pub fn cut(text: &str, width: usize) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if text.width() <= width {
        return text;
    }
    let mut kept = String::new();
    for c in text.chars() {
        if kept.width() + c.to_string().width() + 1 > width {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(left("猫カフェ", 10), "猫カフェ  ");
        assert_eq!(cut("猫カフェ", 5), "猫カ…");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(cut("a\x1b[31mb\n", 20), "a[31mb");
    }
}
