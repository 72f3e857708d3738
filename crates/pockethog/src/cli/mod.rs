//! The command line: a thin layer over the library.

mod annotations;
mod api_key;
mod app;
mod autostart;
mod cards;
mod completions;
mod config;
mod console;
#[cfg(feature = "demo")]
mod demo;
mod digest;
mod doctor;
mod duration;
mod editor;
mod events;
mod login;
mod logout;
mod moved;
mod open;
mod overview;
mod patience;
mod projects;
mod query;
mod reading;
mod select;
mod status;
mod table;
mod text;
mod uninstall;
mod vault;
mod watch;
mod widget;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

pub use console::{CliError, Console, Exit};
use console::{LogWriter, Style, Text};
use patience::{after_renewals, in_time};
use sign_in_with_posthog::SignIn;

use pockethog_core::app_context::AppContext;
use pockethog_views::numerals::Numerals;
use pockethog_views::plain::plain;

/// Every PostHog project you have, at a glance.
///
/// Without a command, PocketHog opens its page in the browser.
#[derive(Debug, Parser)]
#[command(name = "pockethog", version, propagate_version = true, after_help = HELP)]
pub struct Arguments {
    /// What to do; without it, the page is opened.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    app: app::AppOptions,
    #[command(flatten)]
    shared: Shared,
}

/// Options of every command.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Shared {
    /// Print one JSON document.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: an embedded PostHog with invented data, and the app on it.
    #[cfg(feature = "demo")]
    #[command(after_help = "\
Examples:
  pockethog demo
  pockethog demo --latency 300                    as slow as a distant PostHog
  pockethog demo --no-browser --port 8123
  POCKETHOG_HOME=~/demo pockethog demo            in a folder of your choice, which is kept
The demo prints an API key, and the commands that use the demo from another terminal.")]
    Demo(demo::DemoOptions),
    Login(login::Login),
    Logout(logout::Logout),
    Status(status::Status),
    Projects(projects::Projects),
    Overview(overview::Overview),
    Moved(moved::Moved),
    Open(open::Open),
    Watch(watch::Watch),
    Digest(digest::Digest),
    /// Print a widget for a status bar, a desktop or a script.
    Widget(widget::Widget),
    Query(query::Query),
    Events(events::Events),
    Annotations(annotations::Annotations),
    Config(config::Config),
    Vault(vault::Vault),
    Autostart(autostart::Autostart),
    Doctor(doctor::Doctor),
    Uninstall(uninstall::Uninstall),
    Completions(completions::Completions),
    Man(completions::ManPages),
}

const HELP: &str = "\
Examples:
  pockethog login eu              sign in at EU Cloud
  pockethog overview --range 7d   the last seven days of every project
  pockethog demo                  try it with invented data

Exit codes: 0 done, 1 failed, 2 wrong usage, 4 sign-in needed, 5 partly done.
PocketHog is an independent client, not affiliated with PostHog, Inc.";

/// Runs the program as its arguments say.
pub fn run() -> ExitCode {
    let typed = std::env::args_os().skip(1);
    let whole = || parse(std::env::args_os().skip(1));
    let arguments = match widget_alone(typed).map_or_else(whole, Ok) {
        Ok(arguments) => arguments,
        Err(error) => return not_understood(&presentable(error)),
    };
    let console = Console::new(arguments.shared.json, arguments.patience());
    start_log(&console);
    Numerals::of_environment().choose();
    let ended = dispatch(arguments, &console);
    let exit = match ended.and_then(|exit| console.finish().map(|()| exit)) {
        Ok(exit) => exit,
        Err(error) => {
            console.error(&error);
            console.finish().ok();
            error.exit()
        }
    };
    if console.time_is_up() && console.can_wait_longer() {
        console.say("To wait longer, use for example `--timeout 2m`.");
    }
    exit.into()
}

/// The arguments if the command is `widget`, read without the description of every other command: bars
/// start it all day long. `None` if it is another one, and if the whole command line has to say what is
/// wrong or to help.
fn widget_alone(mut typed: impl Iterator<Item = OsString>) -> Option<Arguments> {
    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Alone {
        #[command(flatten)]
        widget: widget::Widget,
        #[command(flatten)]
        shared: Shared,
    }
    if typed.next()? != "widget" {
        return None;
    }
    let Alone { widget, shared } = Alone::try_parse_from(typed).ok()?;
    Some(Arguments {
        command: Some(Command::Widget(widget)),
        app: app::AppOptions::default(),
        shared,
    })
}

/// Reads the whole command line. What the program was started as is nothing to print.
fn parse(typed: impl Iterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(std::iter::once(OsString::from("pockethog")).chain(typed))
}

/// The same error about the same arguments, each of them one harmless line: a script may have had them from anywhere.
fn presentable(error: clap::Error) -> clap::Error {
    let typed = std::env::args_os().skip(1);
    let harmless = typed.map(|typed| plain(&typed.to_string_lossy()).into_owned().into());
    match parse(harmless) {
        Err(presentable) if presentable.kind() == error.kind() => presentable,
        _ => error,
    }
}

/// Help and version, which were asked for; anything else is wrong usage, in JSON too where that was
/// asked for.
fn not_understood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.print().ok();
        return Exit::Done.into();
    }
    let json = std::env::args_os().any(|argument| argument == "--json");
    let console = Console::new(json, None);
    let message = error.to_string();
    let message = message.trim_end();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    if json {
        let message = message.lines().next().unwrap_or_default();
        console.document(&serde_json::json!({
            "error": { "kind": "usage", "message": message }
        }));
        console.finish().ok();
    }
    let said = Text::block(message);
    console.say(match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => said,
        _ => Text::styled(Style::Bad, "error:").and(" ").and(said),
    });
    Exit::Usage.into()
}

impl Arguments {
    /// How long PostHog is waited for, in the commands where a person can say so.
    fn patience(&self) -> Option<Duration> {
        let patience = match self.command.as_ref()? {
            Command::Projects(projects) => &projects.patience,
            Command::Overview(overview) => &overview.patience,
            Command::Moved(moved) => &moved.patience,
            Command::Digest(digest) => &digest.patience,
            Command::Query(query) => &query.patience,
            Command::Events(events) => &events.patience,
            Command::Annotations(annotations) => &annotations.patience,
            _ => return None,
        };
        Some(patience.timeout)
    }
}

fn dispatch(arguments: Arguments, console: &Console) -> Result<Exit, CliError> {
    let open = AppContext::open;
    match arguments.command {
        Some(Command::Login(login)) => {
            let program = open()?;
            in_time(&program, console, login::run(&program, console, &login))
        }
        Some(Command::Logout(logout)) => {
            let program = open()?;
            in_time(&program, console, logout::run(&program, console, &logout))
        }
        Some(Command::Status(_)) => status::run(&open()?, console),
        Some(Command::Projects(_)) => {
            let program = open()?;
            in_time(&program, console, projects::run(&program, console))
        }
        Some(Command::Overview(overview)) => {
            let program = open()?;
            in_time(
                &program,
                console,
                overview::run(&program, console, &overview),
            )
        }
        Some(Command::Moved(moved)) => {
            let program = open()?;
            in_time(&program, console, moved::run(&program, console, &moved))
        }
        Some(Command::Digest(digest)) => {
            if let Some(installed) = digest::install(console, &digest) {
                return installed;
            }
            let program = open()?;
            in_time(&program, console, digest::run(&program, console, &digest))
        }
        Some(Command::Query(query)) => {
            let program = open()?;
            in_time(&program, console, query::run(&program, console, &query))
        }
        Some(Command::Events(events)) => {
            let program = open()?;
            in_time(&program, console, events::run(&program, console, &events))
        }
        Some(Command::Annotations(annotations)) => {
            let program = open()?;
            in_time(
                &program,
                console,
                annotations::run(&program, console, &annotations),
            )
        }
        #[cfg(feature = "demo")]
        Some(Command::Demo(options)) => block_on(demo::run(console, &options)),
        Some(Command::Widget(widget)) => widget::run(console, &widget),
        Some(Command::Config(config)) => {
            let program = open()?;
            in_time(&program, console, config::run(&program, console, &config))
        }
        Some(Command::Vault(vault)) => {
            let program = open()?;
            in_time(&program, console, vault::run(&program, console, &vault))
        }
        Some(Command::Autostart(wanted)) => autostart::run(console, &wanted),
        Some(Command::Doctor(wanted)) => {
            let program = open();
            let run = doctor::run(&program, console, &wanted);
            match &program {
                Ok(opened) => in_time(opened, console, run),
                Err(_) => block_on(run),
            }
        }
        Some(Command::Uninstall(wanted)) => {
            let program = open()?;
            block_on(uninstall::run(&program, console, &wanted))
        }
        Some(Command::Completions(shell)) => Ok(completions::completions(console, &shell)),
        Some(Command::Man(man)) => completions::man(console, &man),
        Some(Command::Open(wanted)) => {
            let program = open()?;
            staying(
                &program.sign_in.clone(),
                open::run(program, console, wanted),
            )
        }
        Some(Command::Watch(watch)) => {
            let program = open()?;
            staying(
                &program.sign_in.clone(),
                watch::run(program, console, watch),
            )
        }
        None => {
            let program = open()?;
            let sign_in = program.sign_in.clone();
            staying(&sign_in, app::run(program, console, arguments.app))
        }
    }
}

/// Runs a command that stays until it is asked to end, and then waits a moment for tokens that are being renewed.
fn staying(
    sign_in: &SignIn,
    work: impl Future<Output = Result<Exit, CliError>>,
) -> Result<Exit, CliError> {
    let runtime = runtime()?;
    let ended = runtime.block_on(work);
    after_renewals(&runtime, sign_in);
    ended
}

fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    runtime()?.block_on(work)
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all();
    runtime.build().map_err(CliError::from)
}

/// Logs to standard error if `POCKETHOG_LOG` asks for it, for example `POCKETHOG_LOG=debug`.
fn start_log(console: &Console) {
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::prelude::*;

    let Ok(wanted) = std::env::var("POCKETHOG_LOG") else {
        return;
    };
    match wanted.parse::<Targets>() {
        Ok(targets) => {
            let lines = tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .with_writer(LogWriter::default);
            tracing_subscriber::registry()
                .with(lines.with_filter(targets))
                .init();
        }
        Err(error) => console.say(format!(
            "pockethog: the value of POCKETHOG_LOG is not a log filter: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn every(command: &clap::Command, visit: &mut dyn FnMut(&clap::Command)) {
        visit(command);
        for below in command.get_subcommands() {
            every(below, visit);
        }
    }

    #[test]
    fn the_description_of_the_commands_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_widget_alone_is_read_as_by_the_whole_command_line() {
        for line in [
            "widget",
            "widget --json",
            "widget Acorn us/12 --range 30d --format png --size large --output acorn.png",
            "widget --favourites --format tmux --max-age 90s --timeout 2s --offline",
            "widget --total --scheme fern --mode dark",
            "widget --install waybar --write -- --odd",
        ] {
            let typed = || line.split(' ').map(OsString::from);
            let alone = widget_alone(typed()).map(|arguments| format!("{arguments:?}"));
            let whole = std::iter::once("pockethog".into()).chain(typed());
            let whole = Arguments::try_parse_from(whole).ok();
            assert_eq!(
                alone,
                whole.map(|arguments| format!("{arguments:?}")),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_not_a_sound_widget_is_left_to_the_whole_command_line() {
        for line in [
            "",
            "status",
            "--json widget",
            "widget --help",
            "widget --size huge",
        ] {
            let typed = line.split(' ').map(OsString::from);
            assert!(widget_alone(typed).is_none(), "{line}");
        }
    }

    #[test]
    fn the_help_of_every_command_shows_examples() {
        every(&Arguments::command(), &mut |command| {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Example"), "{}", command.get_name());
            assert!(
                command.get_about().is_some(),
                "{} says not what it does",
                command.get_name()
            );
        });
    }
}
