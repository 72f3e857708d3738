//! `pockethog digest`.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use etcetera::BaseStrategy;
use jiff::Timestamp;
use sign_in_with_posthog::Connection;

use super::console::{CliError, Console, Exit, Progress};
use super::patience::{OLD_LISTS, Patience, unread_lists};
use super::projects::{print_failures, print_remedies, shown_connections, signed_in};
use super::select;
use super::widget::{carry_out, write_whole};
use crate::install::{self, Call, InstallError};
use crate::invocation::{self, text_of};
use pockethog_core::app_context::AppContext;
use pockethog_core::digest::Span;
use pockethog_core::discovery::Failure;
use pockethog_core::live::{digesting, in_turn, refresh};
use pockethog_core::project::ProjectKey;
use pockethog_screens::DigestRun;
use pockethog_views::digest;

/// Sum up the last closed day or week of all projects: what moved and why, best pages, new referrers.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog digest                                 yesterday, as text
  pockethog digest --week --format markdown        the last seven closed days
  pockethog digest Acorn us/12 --output day.html   one page to mail
  pockethog digest --install systemd --write       a timer that makes one each morning
Days are those of each project, in its own time zone. A day is compared with what is usual, a week with the week before.")]
pub struct Digest {
    /// The projects to sum up; all that are not hidden by default.
    #[arg(value_name = "PROJECT")]
    projects: Vec<String>,
    /// The last closed day, which is the default.
    #[arg(long, conflicts_with = "week")]
    day: bool,
    /// The last seven closed days.
    #[arg(long)]
    week: bool,
    /// The format; by default that of the ending of --output (.html, .md, .json), or text.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write to a file, which is replaced atomically.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show the files that make a digest each morning, or each Monday with --week, and where they belong.
    #[arg(long, value_name = "PROGRAM")]
    install: Option<Timer>,
    /// With --install: create the files. Existing files are not replaced.
    #[arg(long, requires = "install")]
    write: bool,
    #[command(flatten)]
    pub(super) patience: Patience,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// To be read, or read aloud.
    Text,
    /// Markdown.
    Markdown,
    /// One page without scripts, which mail programs show.
    Html,
    /// One JSON document.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Timer {
    Systemd,
}

impl Format {
    /// What the ending of a file's name promises.
    fn of(file: &Path) -> Self {
        let ending = file.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("html" | "htm") => Self::Html,
            Some("md" | "markdown") => Self::Markdown,
            Some("json") => Self::Json,
            _ => Self::Text,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Json => "json",
        }
    }
}

impl Digest {
    fn span(&self) -> Span {
        if self.week { Span::Week } else { Span::Day }
    }

    /// The options again, as a timer is to call it with.
    fn again(&self) -> Result<Vec<String>, InstallError> {
        let mut again = Vec::new();
        if let Some(format) = self.format {
            again.extend(["--format".to_owned(), format.name().to_owned()]);
        }
        if let Some(output) = &self.output {
            let output = std::path::absolute(output).unwrap_or_else(|_| output.clone());
            again.extend(["--output".to_owned(), text_of(&output)?]);
        }
        if !self.projects.is_empty() {
            again.push("--".to_owned());
            again.extend(self.projects.iter().cloned());
        }
        Ok(again)
    }
}

/// Makes a timer, if that is what is wanted.
pub fn install(console: &Console, digest: &Digest) -> Option<Result<Exit, CliError>> {
    let Timer::Systemd = digest.install?;
    let made = || {
        let places = etcetera::choose_base_strategy().map_err(|_| {
            CliError::failed("there is no home folder, so nothing can be installed")
        })?;
        let call = Call {
            program: invocation::program(),
            arguments: digest.again()?,
            environment: invocation::environment()?,
        };
        let plan = install::digest(&call, digest.span(), &places.config_dir())?;
        carry_out(console, &plan, digest.write, "digest")
    };
    Some(made())
}

/// Reads what is due and prints the digest.
///
/// # Errors
///
/// Nobody is signed in, there is no such project, or the file cannot be written.
pub async fn run(
    program: &AppContext,
    console: &Console,
    wanted: &Digest,
) -> Result<Exit, CliError> {
    let format = match wanted.format {
        None if console.is_json() => Format::Json,
        None => wanted.output.as_deref().map_or(Format::Text, Format::of),
        Some(format) => format,
    };
    let read = read(program, console, wanted).await?;
    let Read {
        digest, failures, ..
    } = &read;
    let exit = Exit::after(failures, digest.any_fresh());
    let document = (format == Format::Json).then(|| digest::json(digest, failures));
    let text = match format {
        Format::Text => digest::text(digest, failures),
        Format::Markdown => digest::markdown(digest, failures),
        Format::Html => digest::html(digest, failures),
        Format::Json => format!("{:#}\n", document.as_ref().unwrap_or_default()),
    };
    match (&wanted.output, &document) {
        (Some(path), _) => write_whole(path, text.as_bytes())
            .map_err(|error| CliError::failed(format!("{}: {error}", path.display())))?,
        (None, Some(document)) => console.document(document),
        (None, None) => {
            // A reader that went away is no error.
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())
                .and_then(|()| out.flush())
                .ok();
        }
    }
    // The digest names them too, but a timer's log and a terminal say so at once.
    if wanted.output.is_some() {
        print_failures(console, failures);
    }
    print_remedies(console, &read.connections);
    Ok(exit)
}

/// What a digest is printed from.
struct Read {
    digest: pockethog_screens::Digest,
    failures: Vec<Failure>,
    connections: Vec<Connection>,
}

async fn read(program: &AppContext, console: &Console, wanted: &Digest) -> Result<Read, CliError> {
    let span = wanted.span();
    let connections = signed_in(program)?;
    let mut snapshots = program.snapshots()?;
    let (preferences, problem) = program.preferences();
    let chosen: Option<HashSet<ProjectKey>> = if wanted.projects.is_empty() {
        None
    } else {
        let names = &wanted.projects;
        let found = select::projects(
            program,
            console,
            &mut snapshots,
            &connections,
            &preferences,
            names,
        );
        let found = found.await?.into_iter().map(|project| project.key);
        Some(found.collect())
    };
    let started = Timestamp::now();
    let progress = Progress::new("Reading the last closed days …");
    let mut shown = Vec::new();
    let reading = async {
        refresh::home(
            program,
            &mut snapshots,
            &connections,
            &preferences,
            &|_| false,
            &mut |_, _| (),
        )
        .await?;
        let active = program.active_connections()?;
        let connections = shown_connections(program)?;
        shown = digesting::projects(&snapshots, &connections, &preferences, chosen.as_ref())?;
        let deadline = console.deadline();
        in_turn::all_closed_days(program, &mut snapshots, &preferences, &shown, deadline).await?;
        let mut tell = |done: usize, total: usize| {
            progress.set(format!("{done} of {total} projects …"));
        };
        let of = (shown.as_slice(), span);
        digesting::read_due(
            program,
            &mut snapshots,
            &active,
            &preferences,
            of,
            &mut tell,
        )
        .await?;
        Ok::<_, CliError>(())
    };
    let in_time = console.watch_in_time(&progress, reading).await;
    let time_is_up = in_time.as_ref().err().copied();
    in_time.ok().transpose()?;

    // A session that ended in the meantime has its reason in the list of Connections.
    let connections = shown_connections(program)?;
    let shown = digesting::projects(&snapshots, &connections, &preferences, chosen.as_ref())?;
    let mut failures = Vec::new();
    if let Some(time) = time_is_up {
        let reason = time.to_string();
        digesting::give_up(&mut snapshots, (&shown, span), started, &reason)?;
        failures = unread_lists(&snapshots, &connections, OLD_LISTS, started, time)?;
    }
    console.remark_on(&snapshots, problem.as_ref());
    let run = DigestRun {
        preferences: &preferences,
        connections: &connections,
        projects: &shown,
        only: chosen.as_ref(),
        started,
        now: Timestamp::now(),
    };
    let (digest, unread) = run.digest(&mut snapshots, span)?;
    failures.extend(unread);
    Ok(Read {
        digest,
        failures,
        connections,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_as_its_ending_promises() {
        for (file, format) in [
            ("day.html", Format::Html),
            ("DAY.HTM", Format::Html),
            ("/run/day.md", Format::Markdown),
            ("day.json", Format::Json),
            ("day.txt", Format::Text),
            ("day", Format::Text),
        ] {
            assert_eq!(Format::of(Path::new(file)), format, "{file}");
        }
    }
}
