//! The command line: thin, over what the library does.

mod api_key;
mod app;
mod console;
mod demo;
mod login;
mod logout;
mod overview;
mod projects;
mod select;
mod status;
mod widget;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use console::{CliError, Console, Exit};

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
    Demo(app::AppOptions),
    /// Sign in at PostHog in the browser, or with a personal API key.
    Login(login::Login),
    /// Sign out: forget the tokens here and revoke them at PostHog.
    Logout(logout::Logout),
    /// Show who is signed in, with what permission, and where things lie.
    Status,
    /// List every project that the sign-ins reach.
    Projects,
    /// Show the numbers of projects.
    Overview(overview::Overview),
    /// Print a widget for a status bar, a desktop or a script.
    Widget(widget::Widget),
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
    let arguments = Arguments::parse();
    start_log();
    let console = Console::new(arguments.shared.json);
    match dispatch(arguments, &console) {
        Ok(exit) => exit.into(),
        Err(error) => {
            console.error(&error);
            error.exit().into()
        }
    }
}

fn dispatch(arguments: Arguments, console: &Console) -> Result<Exit, CliError> {
    match arguments.command {
        Some(Command::Login(login)) => block_on(login::run(&Program::open()?, console, &login)),
        Some(Command::Logout(logout)) => block_on(logout::run(&Program::open()?, console, &logout)),
        Some(Command::Status) => status::run(&Program::open()?, console),
        Some(Command::Projects) => block_on(projects::run(&Program::open()?, console)),
        Some(Command::Overview(overview)) => {
            block_on(overview::run(&Program::open()?, console, &overview))
        }
        Some(Command::Demo(options)) => block_on(demo::run(console, options)),
        Some(Command::Widget(widget)) => widget::run(console, &widget),
        None => block_on(app::run(Program::open()?, console, arguments.app)),
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
    let Ok(filter) = std::env::var("POCKETHOG_LOG") else {
        return;
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .init();
}
