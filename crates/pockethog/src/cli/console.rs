//! What is printed where: data on standard output, messages on standard error.
//!
//! Everything goes through [`Text`], which takes away what could steer a terminal, or through the escapes of a JSON
//! document. Nothing else in the command line writes to these two streams.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

pub use super::text::{Style, Text};
use pockethog_core::discovery::{Cause, Failure};
use pockethog_core::preferences::PreferencesError;
use pockethog_core::snapshot::Snapshots;
use pockethog_views::json::{write_document, write_record};
use pockethog_views::plain::cut;
use pockethog_views::plain::plain;

/// How long PostHog is waited for in one run, all requests together, unless `--timeout` says otherwise. With what
/// is left to do then, a run ends within 30 s.
pub const PATIENCE: Duration = Duration::from_secs(25);

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
    /// How a command ended that could not read everything, and read anything if `any_read`.
    pub fn after(failures: &[Failure], any_read: bool) -> Self {
        if failures.is_empty() {
            Self::Done
        } else if any_read {
            Self::Partly
        } else if failures.iter().any(|failure| failure.needs_sign_in) {
            Self::SignInNeeded
        } else {
            Self::Failed
        }
    }
}

impl TimeIsUp {
    /// The failure of `what` for this reason.
    pub fn failure(self, what: impl Into<String>) -> Failure {
        Failure {
            what: what.into(),
            reason: self.to_string(),
            transient: true,
            needs_sign_in: false,
            cause: Cause::Busy,
        }
    }
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
    more: Option<Text>,
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
    pub fn with_details(mut self, more: Text, details: Value) -> Self {
        self.more = Some(more);
        self.details = Some(details);
        self
    }

    /// How the program ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

/// Anything that went wrong on the way is a failure; usage and sign-in are distinguished on purpose.
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
    /// Columns of the terminal that data is printed on; `None` if it goes elsewhere.
    columns: Option<usize>,
    columns_of_words: Option<usize>,
    output: Mutex<Output>,
    patience: Option<Duration>,
    /// How long PostHog has been waited for.
    waited: Mutex<Duration>,
    /// What was remarked, each once.
    remarks: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Output {
    writer: BufWriter<Stdout>,
    failed: Option<io::Error>,
}

/// PostHog took longer than the run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("PostHog did not answer within {} s", limit.as_secs())]
pub struct TimeIsUp {
    limit: Duration,
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
        *lock(&self.0) = text.into();
    }

    fn text(&self) -> String {
        lock(&self.0).clone()
    }
}

impl Console {
    /// The console of this process. Colours on a terminal only, and not with `NO_COLOR`. `patience` is how long
    /// PostHog is waited for, if the command lets a person say so.
    pub fn new(json: bool, patience: Option<Duration>) -> Self {
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
            patience,
            waited: Mutex::new(Duration::ZERO),
            remarks: Mutex::default(),
        }
    }

    /// True if one JSON document is wanted.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Columns of the terminal; `None` if the output goes into a file or another program, which
    /// gets everything in full.
    pub fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// Columns of the terminal that words are said on; `None` if they go elsewhere.
    pub fn columns_of_words(&self) -> Option<usize> {
        self.columns_of_words
    }

    /// Prints the JSON document, piece by piece: ten thousand projects are a hundred megabytes of it. What was
    /// remarked before is its member `remarks`.
    pub fn document<T: Serialize>(&self, document: &T) {
        #[derive(Serialize)]
        struct Remarked<'a, T> {
            #[serde(flatten)]
            document: &'a T,
            remarks: &'a [String],
        }

        let remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        let remarks = remarks.as_slice();
        self.print(|writer| {
            if remarks.is_empty() {
                write_document(&mut *writer, document)?;
            } else {
                write_document(&mut *writer, &Remarked { document, remarks })?;
            }
            writer.flush()
        });
    }

    /// Prints data.
    pub fn line(&self, text: impl Into<Text>) {
        let shown = text.into().rendered(self.colour);
        self.print(|writer| writeln!(writer, "{shown}"));
    }

    /// Prints data whose long lines break between words on a terminal, what follows `hang` columns further in.
    pub fn hanging(&self, text: impl Into<Text>, hang: usize) {
        match self.columns {
            Some(columns) => self.line(text.into().wrapped(columns, hang)),
            None => self.line(text),
        }
    }

    /// Prints a record for a program, byte by byte as it is; on a terminal it is a harmless line.
    pub fn record(&self, record: &str) {
        match self.columns {
            Some(_) => self.line(record),
            None => self.print(|writer| writeln!(writer, "{record}")),
        }
    }

    /// Prints one JSON document of a stream of them, on a line of its own, and brings it to its reader.
    pub fn document_line<T: Serialize>(&self, document: &T) {
        self.print(|writer| {
            write_record(&mut *writer, document)?;
            writer.flush()
        });
    }

    /// Brings what was printed to its reader.
    pub fn flush(&self) {
        self.print(Write::flush);
    }

    fn print(&self, write: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<()>) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if output.failed.is_none()
            && let Err(error) = write(&mut output.writer)
        {
            output.failed = Some(error);
        }
    }

    /// True if the reader of the data went away, as `head` does: more would be in vain.
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
    pub fn say(&self, text: impl Into<Text>) {
        // What was printed first appears first, and an app that goes on running keeps nothing back.
        self.flush();
        let mut text = text.into();
        if let Some(columns) = self.columns_of_words() {
            text = text.wrapped(columns, 0);
        }
        let shown = text.rendered(self.colour_of_words);
        writeln!(io::stderr().lock(), "{shown}").ok();
    }

    /// Says something of which lines are to be copied: on a narrow terminal they are not broken.
    pub fn say_whole(&self, text: impl Into<Text>) {
        self.flush();
        let shown = text.into().rendered(self.colour_of_words);
        writeln!(io::stderr().lock(), "{shown}").ok();
    }

    /// As [`Console::watch`], until the run has waited for PostHog as long as it may.
    ///
    /// # Errors
    ///
    /// The time is up; `work` is dropped then.
    pub async fn watch_in_time<T>(
        &self,
        progress: &Progress,
        work: impl Future<Output = T>,
    ) -> Result<T, TimeIsUp> {
        let limit = self.patience.unwrap_or(PATIENCE);
        let started = Instant::now();
        let left = limit.saturating_sub(*lock(&self.waited));
        let ended = self
            .watch(progress, tokio::time::timeout(left, work))
            .await
            .map_err(|_| TimeIsUp { limit });
        *lock(&self.waited) += started.elapsed();
        ended
    }

    /// When the run has waited for PostHog as long as it may, if it waits from now on.
    pub fn deadline(&self) -> Instant {
        let limit = self.patience.unwrap_or(PATIENCE);
        Instant::now() + limit.saturating_sub(*lock(&self.waited))
    }

    /// Whether a person can say how long the run may wait.
    pub fn can_wait_longer(&self) -> bool {
        self.patience.is_some()
    }

    /// Whether the run has waited for PostHog as long as it may.
    pub fn time_is_up(&self) -> bool {
        *lock(&self.waited) >= self.patience.unwrap_or(PATIENCE)
    }

    /// Runs `work`, and shows `progress` on standard error once it takes longer than half a second: one
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

    /// Says what did not keep the command from its work, once, on standard error; a JSON document that follows has
    /// it too.
    pub fn remark(&self, sentence: &str) {
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        if !remarks.iter().any(|known| known == sentence) {
            remarks.push(sentence.to_owned());
            drop(remarks);
            let title = Text::styled(Style::Accent, "pockethog:");
            self.say(title.and(" ").and(sentence));
        }
    }

    /// As [`Console::remark`], of what there is to say about how numbers and preferences are kept.
    pub fn remark_on(&self, snapshots: &Snapshots, preferences: Option<&PreferencesError>) {
        if let Some(problem) = preferences {
            self.remark(&format!("preferences: {problem}"));
        }
        for remark in snapshots.remarks() {
            self.remark(&remark);
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
        let title = Text::styled(Style::Bad, "pockethog:");
        self.say(title.and(" ").and(&error.sentence));
        if let Some(more) = &error.more {
            self.say(more.clone());
        }
    }
}

/// Standard error for the log: each entry is one harmless line, whatever a server wrote into it.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogWriter;

impl Write for LogWriter {
    /// Takes one whole entry.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(entry);
        writeln!(io::stderr().lock(), "{}", plain(text.trim_end()))?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal that knows no control sequences.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
