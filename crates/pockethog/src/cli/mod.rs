//! The command line: thin, over what the library does.

mod annotations;
mod api_key;
mod app;
mod cards;
mod completions;
mod config;
mod console;
mod demo;
mod doctor;
mod editor;
mod events;
mod login;
mod logout;
mod overview;
mod projects;
mod query;
mod select;
mod status;
mod table;
mod vault;
mod widget;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use console::{CliError, Console, Exit};

use crate::numerals::Numerals;
use crate::program::Program;

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
    #[command(after_help = "\
Examples:
  pockethog demo
  pockethog demo --no-browser --port 8123")]
    Demo(app::AppOptions),
    Login(login::Login),
    Logout(logout::Logout),
    Status(status::Status),
    Projects(projects::Projects),
    Overview(overview::Overview),
    /// Print a widget for a status bar, a desktop or a script.
    Widget(widget::Widget),
    Query(query::Query),
    Events(events::Events),
    Annotations(annotations::Annotations),
    Config(config::Config),
    Vault(vault::Vault),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(completions::ManPages),
}

const HELP: &str = "\
Examples:
  pockethog login eu              sign in at EU Cloud
  pockethog overview --range 7d   the last seven days of every project
  pockethog demo                  try it with invented data

Exit codes: 0 done, 1 failed, 2 wrong usage, 4 sign-in needed, 5 done in part.
PocketHog is an independent client, not affiliated with PostHog, Inc.";

/// Runs the program as its arguments say.
pub fn run() -> ExitCode {
    let typed = std::env::args_os().skip(1);
    let arguments = match widget_alone(typed).map_or_else(Arguments::try_parse, Ok) {
        Ok(arguments) => arguments,
        Err(error) => return not_understood(&error),
    };
    start_log();
    Numerals::of_environment().choose();
    let console = Console::new(arguments.shared.json);
    let ended = dispatch(arguments, &console);
    match ended.and_then(|exit| console.finish().map(|()| exit)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            console.error(&error);
            console.finish().ok();
            error.exit().into()
        }
    }
}

/// The arguments where the command is `widget`, read without the description of every other command: bars
/// start it all day long. `None` where it is another one, and where the whole command line has to say what is
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

/// Help and version, which were asked for; anything else is wrong usage, in JSON too where that was
/// asked for.
fn not_understood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.print().ok();
        return Exit::Done.into();
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let console = Console::new(true);
        console.document(&serde_json::json!({
            "error": { "kind": "usage", "message": message }
        }));
        console.finish().ok();
    }
    error.print().ok();
    Exit::Usage.into()
}

fn dispatch(arguments: Arguments, console: &Console) -> Result<Exit, CliError> {
    let open = Program::open;
    match arguments.command {
        Some(Command::Login(login)) => block_on(login::run(&open()?, console, &login)),
        Some(Command::Logout(logout)) => block_on(logout::run(&open()?, console, &logout)),
        Some(Command::Status(_)) => status::run(&open()?, console),
        Some(Command::Projects(_)) => block_on(projects::run(&open()?, console)),
        Some(Command::Overview(overview)) => block_on(overview::run(&open()?, console, &overview)),
        Some(Command::Query(query)) => block_on(query::run(&open()?, console, &query)),
        Some(Command::Events(events)) => block_on(events::run(&open()?, console, &events)),
        Some(Command::Annotations(annotations)) => {
            block_on(annotations::run(&open()?, console, &annotations))
        }
        Some(Command::Demo(options)) => block_on(demo::run(console, options)),
        Some(Command::Widget(widget)) => widget::run(console, &widget),
        Some(Command::Config(config)) => block_on(config::run(&open()?, console, &config)),
        Some(Command::Vault(vault)) => block_on(vault::run(&open()?, console, &vault)),
        Some(Command::Doctor(_)) => block_on(doctor::run(&open()?, console)),
        Some(Command::Completions(shell)) => Ok(completions::completions(console, &shell)),
        Some(Command::Man(man)) => completions::man(console, &man),
        None => block_on(app::run(open()?, console, arguments.app)),
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::from)?
        .block_on(work)
}

/// Logs to standard error where `POCKETHOG_LOG` asks for it, for example `POCKETHOG_LOG=debug`.
fn start_log() {
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::prelude::*;

    let Ok(wanted) = std::env::var("POCKETHOG_LOG") else {
        return;
    };
    match wanted.parse::<Targets>() {
        Ok(targets) => {
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            tracing_subscriber::registry()
                .with(lines.with_filter(targets))
                .init();
        }
        Err(error) => eprintln!("pockethog: POCKETHOG_LOG names no filter: {error}"),
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
