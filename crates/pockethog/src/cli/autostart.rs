//! `pockethog autostart`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::console::{CliError, Console, Exit};
use crate::autostart::{self, Autostart as Session, Outcome, Status, System};
use pockethog_core::demo_home;
use pockethog_core::preferences::Preferences;
use pockethog_device::folders::Folders;

/// Start PocketHog with your session, so that its page is always there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog autostart on       starts it now and with each session
  pockethog autostart status
  pockethog autostart off      stops it, and starts it no more")]
pub struct Autostart {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Start it now and with each session.
    ///
    /// On Linux it is a service of systemd with few rights, without systemd an entry of the desktop; on macOS an agent
    /// of launchd; on Windows a value of the Run key. The page keeps its address. If the program was moved, or a
    /// POCKETHOG_ variable is to count, run it again.
    #[command(after_help = "\
Examples:
  pockethog autostart on
  POCKETHOG_HOME=~/work pockethog autostart on    with the sign-ins in this folder")]
    On,
    /// Stop it, and start it no more.
    #[command(after_help = "Example: pockethog autostart off")]
    Off,
    /// Show whether it starts with your session, and whether it runs.
    #[command(after_help = "Example: pockethog autostart status --json")]
    Status,
}

/// Arranges it, or shows how it is.
///
/// # Errors
///
/// No home folder, a file in the way, or a system that refuses.
pub fn run(console: &Console, wanted: &Autostart) -> Result<Exit, CliError> {
    let folders = Folders::find()?;
    let session = Session::of_this_device()?;
    let (preferences, _) = Preferences::load(&folders.preferences());
    let outcome = match wanted.command {
        Command::On => {
            if demo_home::is_demo(&folders) {
                return Err(CliError::usage(
                    "POCKETHOG_HOME is the home of a demo, and there would be nothing to show once the demo has \
                     ended; unset POCKETHOG_HOME and try again",
                ));
            }
            autostart::apply(&session.on(&preferences)?)?
        }
        Command::Off => autostart::apply(&session.off())?,
        Command::Status => Outcome::default(),
    };
    show(console, &session, &session.status(&preferences));
    if let Some(reason) = outcome.later {
        console.say(format!(
            "It starts with your next session, since {} cannot start it now: {reason}",
            session.system().name()
        ));
    }
    Ok(Exit::Done)
}

fn show(console: &Console, session: &Session, services: &[Status]) {
    let on = services.iter().all(|service| service.on);
    if console.is_json() {
        console.document(&json!({
            "on": on,
            "system": session.system(),
            "services": services,
        }));
        return;
    }
    for service in services {
        let name = service.name;
        if !service.on {
            console.line(format!("{name} does not start with your session."));
            continue;
        }
        let state = match service.running {
            Some(true) => ", and runs",
            Some(false) => ", and does not run as a service now",
            None => "",
        };
        let (system, by) = (session.system().name(), &service.by);
        console.line(format!(
            "{name} starts with your session, by {system} ({by}){state}."
        ));
        if !service.current {
            console.line(
                "It starts another program, or in another way than this version would. `pockethog autostart on` \
                 changes that.",
            );
        }
    }
    if session.system() == System::Desktop && on {
        console.say("To open the page now, run `pockethog`.");
    }
}
