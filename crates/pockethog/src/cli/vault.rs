//! `pockethog vault`: shows where the sign-ins are stored, and moves them.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use sign_in_with_posthog::{Connection, ConnectionState, EndReason, VaultBackend};

use super::console::{CliError, Console, Exit, Progress};
use pockethog_core::app_context::AppContext;

/// Show where the sign-ins are stored, or move them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog vault                  shows where they are stored
  pockethog vault move keychain    into the operating system's keychain
  pockethog vault move file        into a file that only this device can read
  pockethog vault move file --leave-keychain
                                   the same, if the keychain no longer exists")]
pub struct Vault {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Move(Move),
}

/// Move all sign-ins. You stay signed in, and running programs use the new place.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog vault move keychain
  pockethog vault move file --json")]
struct Move {
    /// Where to.
    to: Place,
    /// With `file`: do not use the keychain, because it no longer exists or cannot be reached. The sign-ins in it are
    /// left there, and you have to sign in again.
    #[arg(long)]
    leave_keychain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Place {
    /// The operating system's keychain.
    Keychain,
    /// A file that only this user on this device can read.
    File,
}

/// Shows or moves.
///
/// # Errors
///
/// A keychain that does not work: the sign-ins stay where they were.
pub async fn run(program: &AppContext, console: &Console, vault: &Vault) -> Result<Exit, CliError> {
    if let Some(Command::Move(wanted)) = &vault.command {
        if wanted.leave_keychain {
            if wanted.to != Place::File {
                return Err(CliError::usage(
                    "--leave-keychain only works with `vault move file`",
                ));
            }
            return leave_keychain(program, console).await;
        }
        let target = match wanted.to {
            Place::Keychain => VaultBackend::Keychain,
            Place::File => VaultBackend::EncryptedFile,
        };
        if program.is_demo() && target == VaultBackend::Keychain {
            return Err(CliError::usage(
                "a demo keeps its secrets in its own folder, never in your keychain",
            ));
        }
        let is_there = program.sign_in.vault()? == Some(target);
        let progress = Progress::new("Moving the sign-ins …");
        let moving = program.sign_in.move_vault(target);
        match console.watch(&progress, moving).await {
            // Only what an earlier move may have left elsewhere could not be removed.
            Err(error) if is_there => console.say(format!("Nothing was moved: {error}.")),
            moved => moved?,
        }
    }
    show(program, console)
}

async fn leave_keychain(program: &AppContext, console: &Console) -> Result<Exit, CliError> {
    program.sign_in.leave_keychain().await?;
    let ended = |known: &Connection| known.state == ConnectionState::Ended(EndReason::RecordLost);
    for connection in program
        .sign_in
        .connections()?
        .iter()
        .filter(|known| ended(known))
    {
        let host = &connection.host;
        console.say(format!(
            "{} as {} has to sign in again: `pockethog login {}`.",
            host.name(),
            connection.account.label(),
            host.key()
        ));
    }
    show(program, console)
}

fn show(program: &AppContext, console: &Console) -> Result<Exit, CliError> {
    let backend = program.sign_in.vault()?;
    if console.is_json() {
        console.document(&json!({ "vault": backend }));
        return Ok(Exit::Done);
    }
    console.line(match backend {
        Some(backend) => format!("The sign-ins are stored in {backend}."),
        None => {
            "Nobody has signed in yet. The first sign-in chooses the keychain if it works, and an \
                 encrypted file otherwise."
                .to_owned()
        }
    });
    Ok(Exit::Done)
}
