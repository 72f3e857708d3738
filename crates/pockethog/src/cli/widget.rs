//! `pockethog widget`.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use etcetera::BaseStrategy;

use super::console::{CliError, Console, Exit, Text};
use super::duration::duration;
use super::select;
use crate::install::{self, Call, InstallError, Plan, Target};
use crate::invocation::{self, text_of};
use crate::widget;
use pockethog_core::demo_home;
use pockethog_core::overview::Range;
use pockethog_core::preferences::{Mode, Preferences, Scheme};
use pockethog_core::widget::{Content, Request, State, Which};
use pockethog_device::folders::Folders;
use pockethog_device::private_files::write_private;
use pockethog_views::charts::image::Size;
use pockethog_views::json::write_document;
use pockethog_views::sentence::capitalised;
use pockethog_views::widgets::{self, MenuHost};

/// Device pixels per CSS pixel of a PNG.
const SCALE: f32 = 2.0;

/// Print a widget for a status bar, a desktop or a script.
///
/// It shows the numbers that were read last, and first refreshes those older than --max-age. It works with or without
/// the app running.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog widget                                   all projects in one line
  pockethog widget Acorn --format waybar             one project for Waybar
  pockethog widget --favourites --format tmux        favourites for tmux's status line
  pockethog widget us/12 --range 30d --format png --size large --output acorn.png
  pockethog widget --install waybar --write          set Waybar up
PROJECT is a number, a name, part of a name, or a key like us/12.

Old numbers are shown with their age, and problems are named.
Exit codes of text, json, svg and png: 0 shown; 1 nothing to show; 2 wrong usage, unknown project;
4 sign-in needed; 5 partly shown, or old. waybar, xbar and tmux always exit with 0: bars hide or replace
the output of a failing program.")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Widget {
    /// The projects, each on its own; the sum of all by default.
    #[arg(value_name = "PROJECT", conflicts_with_all = ["favourites", "total"])]
    projects: Vec<String>,
    /// The favourites, each on its own.
    #[arg(long, conflicts_with = "total")]
    favourites: bool,
    /// The sum over all projects that are not hidden.
    #[arg(long)]
    total: bool,
    /// The format; by default that of the ending of --output (.png, .svg, .json), or text.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// The last 24 hours, or 7, 30 or 90 days, compared with the period before; today by default.
    #[arg(long, value_name = "RANGE", value_parser = ["24h", "7d", "30d", "90d"])]
    range: Option<String>,
    /// Size of an image.
    #[arg(long, value_name = "SIZE", value_parser = ["small", "medium", "large"], default_value = "medium")]
    size: String,
    /// Colour scheme of an image: ember, lagoon, fern, plum or graphite; the preferred one by default.
    #[arg(long, value_name = "SCHEME", value_parser = scheme)]
    scheme: Option<Scheme>,
    /// Light or dark image; auto uses the preference, or light if that is auto too.
    #[arg(long, value_name = "MODE", value_parser = ["light", "dark", "auto"], default_value = "auto")]
    mode: String,
    /// Refresh numbers older than this, for example 90s, 15m or 2h.
    #[arg(long, value_name = "AGE", value_parser = duration, default_value = "15m")]
    max_age: Duration,
    /// How long to wait for PostHog before showing the last numbers.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    timeout: Duration,
    /// Show the last numbers without contacting PostHog.
    #[arg(long)]
    offline: bool,
    /// Write to a file, which is replaced atomically.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show the files that a program needs to show this widget, and where they belong.
    #[arg(long, value_name = "PROGRAM")]
    install: Option<Program>,
    /// With --install: create the files. Existing files are not replaced.
    #[arg(long, requires = "install")]
    write: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line per project.
    Text,
    /// One JSON document.
    Json,
    /// One line of JSON for Waybar's custom module.
    Waybar,
    /// A menu for xbar, SwiftBar and Argos.
    Xbar,
    /// One line with tmux's styles.
    Tmux,
    /// An image.
    Svg,
    /// An image, at twice its size.
    Png,
}

impl Format {
    /// What the ending of a file's name promises.
    fn of(file: &Path) -> Self {
        let ending = file.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("png") => Self::Png,
            Some("svg") => Self::Svg,
            Some("json") => Self::Json,
            _ => Self::Text,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Program {
    Waybar,
    Xbar,
    Tmux,
    Systemd,
}

/// Prints the widget.
///
/// # Errors
///
/// No home folder, a file that cannot be written, a PNG that would be printed to a terminal.
pub fn run(console: &Console, arguments: &Widget) -> Result<Exit, CliError> {
    if let Some(program) = arguments.install {
        return install(console, arguments, program);
    }
    let format = match arguments.format {
        None if console.is_json() => Format::Json,
        None => arguments.output.as_deref().map_or(Format::Text, Format::of),
        Some(format) => format,
    };
    let bare = arguments.output.is_none();
    if format == Format::Png && bare && io::stdout().is_terminal() {
        return Err(CliError::usage(
            "a PNG cannot be shown in a terminal; name a file with --output",
        ));
    }
    let shown = widget::show(
        &Folders::find()?,
        &arguments.request(),
        &|typed, projects, preferences| {
            select::project(typed, projects, preferences)
                .map(|project| project.key.clone())
                .map_err(|error| capitalised(&error.to_string()))
        },
    );
    let bytes = arguments.rendered(format, &shown.content, &shown.preferences)?;
    if let Some(path) = &arguments.output {
        write_whole(path, &bytes)
            .map_err(|error| CliError::failed(format!("{}: {error}", path.display())))?;
    } else {
        // A reader that went away is no error.
        let mut out = io::stdout().lock();
        out.write_all(&bytes).and_then(|()| out.flush()).ok();
    }
    let content = shown.content;
    // An image has room for a word or two; the log of a timer gets the sentence.
    if let (Format::Svg | Format::Png, Some(sentence)) = (format, &content.sentence) {
        console.say(format!("pockethog: {sentence}"));
    }
    for remark in &shown.remarks {
        console.remark(remark);
    }
    if let Some(renewals) = shown.renewals {
        renewals.finish();
    }
    Ok(match format {
        Format::Waybar | Format::Xbar | Format::Tmux => Exit::Done,
        Format::Text | Format::Json | Format::Svg | Format::Png => exit(&content),
    })
}

impl Widget {
    fn request(&self) -> Request {
        Request {
            which: if self.favourites {
                Which::Favourites
            } else if self.projects.is_empty() {
                Which::Total
            } else {
                Which::Named(self.projects.clone())
            },
            range: self.range.as_deref().and_then(Range::from_name),
            max_age: self.max_age,
            patience: self.timeout,
            offline: self.offline,
        }
    }

    fn rendered(
        &self,
        format: Format,
        content: &Content,
        preferences: &Preferences,
    ) -> Result<Vec<u8>, CliError> {
        let size = Size::from_name(&self.size).unwrap_or_default();
        let scheme = self.scheme.unwrap_or(content.scheme);
        let dark = match self.mode.as_str() {
            "dark" => true,
            "light" => false,
            _ => preferences.mode == Mode::Dark,
        };
        Ok(match format {
            Format::Text => widgets::text(content).into_bytes(),
            Format::Json => {
                let mut bytes = Vec::new();
                write_document(&mut bytes, &widgets::json(content))?;
                bytes
            }
            Format::Waybar => widgets::waybar(content).into_bytes(),
            Format::Xbar => {
                let host = MenuHost::of_environment(|name| std::env::var_os(name).is_some());
                widgets::xbar(content, host, &invocation::program().display().to_string())
                    .into_bytes()
            }
            Format::Tmux => widgets::tmux(content).into_bytes(),
            Format::Svg => (widgets::svg(content, size, scheme, dark) + "\n").into_bytes(),
            Format::Png => widgets::png(content, size, scheme, dark, SCALE)?,
        })
    }

    /// The options again, as an installed widget is to be called with.
    fn again(&self) -> Result<Vec<String>, InstallError> {
        let mut again = Vec::new();
        let mut add = |option: &str, value: &str| {
            again.push(option.to_owned());
            again.push(value.to_owned());
        };
        if let Some(range) = &self.range {
            add("--range", range);
        }
        if self.max_age != DEFAULT_AGE {
            add("--max-age", &format!("{}s", self.max_age.as_secs()));
        }
        if self.timeout != DEFAULT_TIMEOUT {
            add("--timeout", &format!("{}s", self.timeout.as_secs()));
        }
        if let Some(scheme) = self.scheme {
            add("--scheme", pockethog_views::colours::name(scheme));
        }
        if self.size != "medium" {
            add("--size", &self.size);
        }
        if self.mode != "auto" {
            add("--mode", &self.mode);
        }
        if let Some(output) = &self.output {
            let output = std::path::absolute(output).unwrap_or_else(|_| output.clone());
            add("--output", &text_of(&output)?);
        }
        if self.favourites {
            again.push("--favourites".to_owned());
        }
        if !self.projects.is_empty() {
            again.push("--".to_owned());
            again.extend(self.projects.iter().cloned());
        }
        Ok(again)
    }
}

const DEFAULT_AGE: Duration = Duration::from_secs(15 * 60);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How the program ends if its exit code is read.
fn exit(content: &Content) -> Exit {
    match content.state {
        State::Fresh | State::Empty | State::Stale | State::NoProjects => Exit::Done,
        State::UnknownProject => Exit::Usage,
        State::SignedOut | State::NeverSignedIn => Exit::SignInNeeded,
        State::Partly => Exit::Partly,
        State::Busy
        | State::Throttled
        | State::Offline
        | State::Locked
        | State::Forbidden
        | State::Failed => {
            if content.sum().is_some() {
                Exit::Partly
            } else {
                Exit::Failed
            }
        }
    }
}

fn install(console: &Console, arguments: &Widget, program: Program) -> Result<Exit, CliError> {
    let places = etcetera::choose_base_strategy()
        .map_err(|_| CliError::failed("there is no home folder, so nothing can be installed"))?;
    let target = match program {
        Program::Waybar => Target::Waybar,
        Program::Xbar => Target::Xbar,
        Program::Tmux => Target::Tmux,
        Program::Systemd => Target::Systemd,
    };
    let call = Call {
        program: invocation::program(),
        arguments: arguments.again()?,
        environment: invocation::environment()?,
    };
    let plan = target.plan(&call, &places.config_dir(), places.home_dir())?;
    carry_out(console, &plan, arguments.write, "widget")
}

/// Makes the files of a plan if that is wanted, and shows them otherwise.
pub(super) fn carry_out(
    console: &Console,
    plan: &Plan,
    write: bool,
    what: &str,
) -> Result<Exit, CliError> {
    let is_demo = demo_home::is_demo(&Folders::find()?);
    if write {
        if is_demo {
            return Err(CliError::usage(format!(
                "POCKETHOG_HOME is the home of a demo, and its {what} would show nothing once the demo has \
                 ended; unset POCKETHOG_HOME and install again",
            )));
        }
        let written = install::write(plan)?;
        for piece in &plan.pieces {
            let new = written.contains(&piece.path.as_path());
            let what = if new { "made" } else { "is there already" };
            console.line(format!("{}: {what}", piece.path.display()));
        }
    } else {
        for piece in &plan.pieces {
            console.line(format!("{}:", piece.path.display()));
            console.line("");
            console.line(Text::block(&piece.text));
        }
    }
    console.say(Text::block(&plan.then));
    if !write && !is_demo {
        console.say("With --write these files are created.");
    }
    Ok(Exit::Done)
}

/// Replaces the file as a whole: whoever reads it never meets half of one.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    write_private(path, bytes)
}

fn scheme(name: &str) -> Result<Scheme, String> {
    pockethog_views::colours::SCHEMES
        .into_iter()
        .find(|&scheme| pockethog_views::colours::name(scheme) == name)
        .ok_or_else(|| "one of ember, lagoon, fern, plum, graphite".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_written_as_its_ending_promises() {
        for (file, format) in [
            ("acorn.png", Format::Png),
            ("Acorn.SVG", Format::Svg),
            ("/run/acorn.json", Format::Json),
            ("acorn.txt", Format::Text),
            ("acorn", Format::Text),
        ] {
            assert_eq!(Format::of(Path::new(file)), format, "{file}");
        }
    }
}
