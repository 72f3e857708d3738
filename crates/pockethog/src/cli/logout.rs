//! `pockethog logout`.

use clap::Args;
use serde_json::json;
use sign_in_with_posthog::Connection;

use super::console::{CliError, Console, Exit, Progress, Text};
use super::select;
use crate::program::Program;

/// Sign out: forget the tokens here and revoke them at PostHog.
///
/// This device alone is signed out. Preferences and the last numbers stay for the next sign-in.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog logout
  pockethog logout eu
  pockethog logout --all --json")]
pub struct Logout {
    /// `us`, `eu`, an address or a connection; needed where there are several.
    connection: Option<String>,
    /// Sign out everywhere.
    #[arg(long, conflicts_with = "connection")]
    all: bool,
}

/// Signs out.
///
/// # Errors
///
/// Nobody signed in, several to choose from, or a mark that could not be written.
pub async fn run(program: &Program, console: &Console, logout: &Logout) -> Result<Exit, CliError> {
    let active = program.active_connections()?;
    let chosen: Vec<&Connection> = match &logout.connection {
        Some(typed) => {
            let found = select::connections(typed, &active);
            if found.is_empty() {
                return Err(CliError::usage(format!("nobody is signed in at “{typed}”")));
            }
            found
        }
        None if logout.all || active.len() <= 1 => active.iter().collect(),
        None => {
            let names: Vec<String> = active
                .iter()
                .map(|known| {
                    format!(
                        "  {}  {} as {}",
                        known.id,
                        known.host.name(),
                        known.account.label()
                    )
                })
                .collect();
            let ids: Vec<&str> = active.iter().map(|known| known.id.as_str()).collect();
            let choices = json!({ "choices": ids });
            return Err(CliError::usage("say which of these, or --all:")
                .with_details(names.into_iter().collect::<Text>(), choices));
        }
    };
    for connection in &chosen {
        let progress = Progress::new(format!("Signing out of {} …", connection.host.name()));
        let leaving = program.sign_in.sign_out(&connection.id);
        console.watch(&progress, leaving).await?;
    }
    if console.is_json() {
        let ids: Vec<&str> = chosen
            .iter()
            .map(|connection| connection.id.as_str())
            .collect();
        console.document(&json!({ "signed_out": ids }));
    } else if chosen.is_empty() {
        console.line("Nobody is signed in.");
    }
    for connection in chosen.iter().filter(|_| !console.is_json()) {
        console.line(&format!(
            "Signed out of {} as {}.",
            connection.host.name(),
            connection.account.label()
        ));
    }
    Ok(Exit::Done)
}
