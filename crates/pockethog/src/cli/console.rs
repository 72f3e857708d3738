//! What is printed where: data on standard output, words about it on standard error.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
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
    /// Lines for people below the sentence.
    more: Option<String>,
    /// The same for programs, beside `kind` and `message`.
    details: Option<Value>,
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
            more: None,
            details: None,
        }
    }

    /// The same, with lines for people and with fields for programs.
    #[must_use]
    pub fn with_details(mut self, more: String, details: Value) -> Self {
        self.more = Some(more);
        self.details = Some(details);
        self
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
#[derive(Debug)]
pub struct Console {
    json: bool,
    colour: bool,
    colour_of_words: bool,
    /// Columns of the terminal that data is printed on; `None` where it goes elsewhere.
    columns: Option<usize>,
    columns_of_words: Option<usize>,
    output: Mutex<Output>,
}

#[derive(Debug)]
struct Output {
    writer: BufWriter<Stdout>,
    failed: Option<io::Error>,
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

/// How far something long is: set by those who work, shown by [`Console::watch`].
#[derive(Debug, Default)]
pub struct Progress(Mutex<String>);

impl Progress {
    /// Begins with `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Mutex::new(text.into()))
    }

    /// Says how far it is now.
    pub fn set(&self, text: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    fn text(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Console {
    /// The console of this process. Colours on a terminal only, and not with `NO_COLOR`.
    pub fn new(json: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let plain = no_colour || is_dumb();
        let width = |size: Option<(terminal_size::Width, terminal_size::Height)>| {
            let columns = size.map_or(80, |(width, _)| usize::from(width.0));
            columns.clamp(40, 240)
        };
        let columns = io::stdout()
            .is_terminal()
            .then(|| width(terminal_size::terminal_size_of(io::stdout())));
        let columns_of_words = io::stderr()
            .is_terminal()
            .then(|| width(terminal_size::terminal_size_of(io::stderr())));
        Self {
            json,
            colour: columns.is_some() && !plain,
            colour_of_words: columns_of_words.is_some() && !plain,
            columns,
            columns_of_words,
            output: Mutex::new(Output {
                writer: BufWriter::new(io::stdout()),
                failed: None,
            }),
        }
    }

    /// True where one JSON document is wanted.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Columns of the terminal; `None` where the output goes into a file or another program, which
    /// gets everything in full.
    pub fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// Columns of the terminal that words are said on; `None` where they go elsewhere.
    pub fn columns_of_words(&self) -> Option<usize> {
        self.columns_of_words
    }

    /// Prints the JSON document, piece by piece: ten thousand projects are a hundred megabytes of it.
    pub fn document<T: Serialize>(&self, document: &T) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if output.failed.is_some() {
            return;
        }
        let written = serde_json::to_writer_pretty(&mut output.writer, document)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(output.writer))
            .and_then(|()| output.writer.flush());
        output.failed = written.err();
    }

    fn flush(&self) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if output.failed.is_none()
            && let Err(error) = output.writer.flush()
        {
            output.failed = Some(error);
        }
    }

    /// Prints a line of data.
    pub fn line(&self, text: &str) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if output.failed.is_none()
            && let Err(error) = writeln!(output.writer, "{text}")
        {
            output.failed = Some(error);
        }
    }

    /// True where the reader of the data went away, as `head` does: more would be in vain.
    pub fn is_closed(&self) -> bool {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.failed.is_some()
    }

    /// Brings everything printed to its reader.
    ///
    /// # Errors
    ///
    /// A full disk and the like. A reader that went away is no error.
    pub fn finish(&self) -> Result<(), CliError> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let result = match output.failed.take() {
            Some(error) => Err(error),
            None => output.writer.flush(),
        };
        match result {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::failed(
                format!("the output could not be written: {error}"),
            )),
            _ => Ok(()),
        }
    }

    /// Says something to the person.
    pub fn say(&self, text: &str) {
        // What was printed first appears first, and an app that goes on running keeps nothing back.
        self.flush();
        let text = match self.columns_of_words() {
            Some(columns) => wrapped(text, columns, 0),
            None => text.to_owned(),
        };
        writeln!(io::stderr().lock(), "{text}").ok();
    }

    /// Does `work`, and shows `progress` on standard error once it takes longer than half a second: one
    /// line, written over and gone at the end. Only a terminal gets it; a log or a mail of a timer
    /// would keep it.
    pub async fn watch<T>(&self, progress: &Progress, work: impl Future<Output = T>) -> T {
        const PATIENCE: Duration = Duration::from_millis(500);
        const TICK: Duration = Duration::from_millis(100);
        const TURNS: [char; 4] = ['◐', '◓', '◑', '◒'];
        let Some(columns) = self.columns_of_words().filter(|_| !is_dumb()) else {
            return work.await;
        };
        let mut work = pin!(work);
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + PATIENCE, TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut turn = 0_usize;
        loop {
            tokio::select! {
                biased;
                done = &mut work => {
                    if turn > 0 {
                        write!(io::stderr().lock(), "\r\x1b[2K").ok();
                    }
                    return done;
                }
                _ = ticks.tick() => {}
            }
            let sign = TURNS[turn % TURNS.len()];
            let text = cut(&progress.text(), columns.saturating_sub(3));
            let line = format!("\r\x1b[2K{sign} {text}");
            io::stderr().lock().write_all(line.as_bytes()).ok();
            turn += 1;
        }
    }

    /// Reports why a command failed.
    pub fn error(&self, error: &CliError) {
        if self.json {
            let mut fields = json!({ "kind": error.exit.name(), "message": error.sentence });
            if let (Value::Object(fields), Some(Value::Object(more))) =
                (&mut fields, error.details.clone())
            {
                fields.extend(more);
            }
            self.document(&json!({ "error": fields }));
        }
        let title = self.paint_words(Style::Bad, "pockethog:");
        self.say(&format!("{title} {}", error.sentence));
        if let Some(more) = &error.more {
            self.say(more);
        }
    }

    /// Sets a piece of data off, where colours are wanted.
    pub fn paint(&self, style: Style, text: &str) -> String {
        painted(self.colour, style, text)
    }

    /// Sets a piece of what is said off, where colours are wanted.
    pub fn paint_words(&self, style: Style, text: &str) -> String {
        painted(self.colour_of_words, style, text)
    }
}

/// A terminal that knows no control sequences.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn painted(colour: bool, style: Style, text: &str) -> String {
    if !colour || text.is_empty() {
        return text.to_owned();
    }
    let code = match style {
        Style::Strong => "1",
        Style::Faint => "2",
        Style::Good => "32",
        Style::Bad => "31",
        Style::Accent => "38;5;209",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// A text whose lines break between words where they are longer than `width` columns. What follows
/// stands `hang` columns further in than its line began. Words themselves, such as addresses, stay whole.
pub fn wrapped(text: &str, width: usize, hang: usize) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        if visible_width(line) <= width {
            lines.push(line.to_owned());
            continue;
        }
        let (blanks, words) = line.split_at(line.len() - line.trim_start().len());
        let mut begun = blanks.to_owned();
        for (place, word) in words.split(' ').enumerate() {
            if place > 0 && visible_width(&begun) + 1 + visible_width(word) > width {
                let next = " ".repeat(blanks.len() + hang);
                lines.push(std::mem::replace(&mut begun, next));
            } else if place > 0 {
                begun.push(' ');
            }
            begun.push_str(word);
        }
        lines.push(begun);
    }
    lines.join("\n")
}

/// Columns that a text takes, its colours left out.
fn visible_width(text: &str) -> usize {
    let mut pieces = text.split('\x1b');
    let first = pieces.next().map_or(0, UnicodeWidthStr::width);
    let rest = pieces.map(|piece| piece.split_once('m').map_or(0, |(_, shown)| shown.width()));
    first + rest.sum::<usize>()
}

/// A text cut to `width` columns and filled up with blanks on the right.
pub fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let fill = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(fill))
}

/// A text cut to `width` columns and filled up with blanks on the left.
pub fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let fill = width.saturating_sub(text.width());
    format!("{}{text}", " ".repeat(fill))
}

/// A text without what could steer a terminal or turn its reading direction.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c })
        .filter(|&c| {
            !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .collect()
}

/// A text of at most `width` columns, cleaned.
pub fn cut(text: &str, width: usize) -> String {
    let text = clean(text);
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
    fn long_lines_break_between_words() {
        assert_eq!(
            wrapped("  one two three\nfour", 9, 2),
            "  one two\n    three\nfour"
        );
        assert_eq!(
            wrapped("a https://127.0.0.1/long", 6, 0),
            "a\nhttps://127.0.0.1/long"
        );
        assert_eq!(
            wrapped("\x1b[1mone\x1b[0m two", 7, 0),
            "\x1b[1mone\x1b[0m two"
        );
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(cut("a\x1b[31mb\nc\u{202e}d", 20), "a[31mb cd");
    }
}
