//! `pockethog uninstall`.

use std::io::{self, IsTerminal};

use clap::Args;
use futures::future::join_all;
use serde_json::json;
use sign_in_with_posthog::{Connection, Revocation, SessionError};

use super::console::{CliError, Console, Exit, Progress, Style, Text};
use crate::autostart::{self, Autostart};
use crate::invocation;
use crate::uninstall::{self, Installed, Stored};
use pockethog_core::accounts::{SecretStore, device_folder, removal_page};
use pockethog_core::app_context::AppContext;
use pockethog_device::private_files::open_lock;
use pockethog_views::format::counted;

/// Show what PocketHog stores on this device and how to remove it, or remove it.
///
/// Without --data nothing is removed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog uninstall                 shows what is stored and how the program is removed
  pockethog uninstall --data          signs out everywhere and removes what is stored, after asking
  pockethog uninstall --data --yes    the same without asking")]
pub struct Uninstall {
    /// Sign out of all accounts, and remove sign-ins, preferences and numbers from this device.
    #[arg(long)]
    data: bool,
    /// Do not ask.
    #[arg(long, requires = "data")]
    yes: bool,
}

/// Shows or removes.
///
/// # Errors
///
/// A running app, a keychain that is locked, a file that cannot be removed. If PostHog did not revoke a token, the
/// run ends in part.
pub async fn run(
    program: &AppContext,
    console: &Console,
    wanted: &Uninstall,
) -> Result<Exit, CliError> {
    if program.is_demo() {
        return Err(CliError::usage(
            "this is the home of a demo, which is invented; stop the demo and delete the folder that POCKETHOG_HOME \
             names",
        ));
    }
    let connections = program.sign_in.connections()?;
    let device = device_folder(&program.folders, SecretStore::System);
    let stored = uninstall::stored(&program.folders, &device);
    let removal = Installed::find(&invocation::program()).removal();
    if !wanted.data {
        show(console, &connections, &stored, &removal);
        return Ok(Exit::Done);
    }
    if stored.is_empty() {
        report(console, &[], &[], &removal);
        return Ok(Exit::Done);
    }
    if !wanted.yes {
        if console.is_json() || !io::stdin().is_terminal() {
            return Err(CliError::usage(
                "nothing was removed: answer the question in a terminal, or add --yes",
            ));
        }
        show(console, &connections, &stored, &removal);
        console.say("Sign out of all accounts and remove all of this? Type yes to go on.");
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !answer.trim().eq_ignore_ascii_case("yes") {
            return Err(CliError::failed("nothing was removed"));
        }
    }
    stop_autostart()?;
    let lock = open_lock(&program.folders.running().with_extension("lock"))?;
    if lock.try_lock().is_err() {
        return Err(CliError::failed(
            "PocketHog is running; stop it first, then try again. Nothing was removed",
        ));
    }
    let unrevoked = sign_out(program, console, &connections).await?;
    program.sign_in.erase().await?;
    // Windows keeps a file that is open.
    drop(lock);
    uninstall::remove(&program.folders, &stored, &device)?;
    report(console, &stored, &unrevoked, &removal);
    Ok(if unrevoked.is_empty() {
        Exit::Done
    } else {
        Exit::Partly
    })
}

/// What starts with the session would store something again.
fn stop_autostart() -> Result<(), CliError> {
    let session = Autostart::of_this_device()?;
    autostart::apply(&session.off())?;
    Ok(())
}

/// Signs out everywhere. Returns those that PostHog did not confirm.
async fn sign_out<'a>(
    program: &AppContext,
    console: &Console,
    connections: &'a [Connection],
) -> Result<Vec<&'a Connection>, CliError> {
    let active: Vec<&Connection> = connections
        .iter()
        .filter(|known| known.is_active())
        .collect();
    let progress = Progress::new("Signing out …");
    let leaving = active
        .iter()
        .map(|known| program.sign_in.sign_out(&known.id));
    let revoked = match console.watch_in_time(&progress, join_all(leaving)).await {
        Ok(revoked) => revoked
            .into_iter()
            .collect::<Result<Vec<_>, SessionError>>()?,
        // Nothing is left on this device in any case.
        Err(_) => vec![Revocation::Failed; active.len()],
    };
    let both = active.into_iter().zip(revoked);
    let failed = both.filter(|(_, revoked)| *revoked == Revocation::Failed);
    Ok(failed.map(|(known, _)| known).collect())
}

fn show(console: &Console, connections: &[Connection], stored: &[Stored], removal: &str) {
    // Opening the sign-ins has made their folder.
    let stored: Vec<&Stored> = stored.iter().filter(|stored| stored.bytes > 0).collect();
    let accounts: Vec<String> = connections.iter().map(name_of).collect();
    if console.is_json() {
        let ids: Vec<&str> = connections.iter().map(|known| known.id.as_str()).collect();
        console.document(&json!({ "accounts": ids, "stored": stored, "remove_program": removal }));
        return;
    }
    if stored.is_empty() {
        console.line("PocketHog stores nothing on this device.");
    } else {
        console.line("PocketHog stores this on this device:");
        for stored in stored {
            let what = Text::styled(Style::Strong, format!("  {:<20}", stored.what));
            let size = format!("{} KiB", stored.bytes.div_ceil(1024));
            console.line(what.and(format!("{}  ({size})", stored.path.display())));
        }
    }
    if !accounts.is_empty() {
        let number = counted(accounts.len(), "account", "accounts");
        console.line(format!("It knows {number}: {}.", accounts.join(", ")));
    }
    console.line("");
    console.line("To sign out everywhere and remove all of this: pockethog uninstall --data");
    console.line(format!("To remove the program afterwards: {removal}"));
}

fn name_of(connection: &Connection) -> String {
    let (host, account) = (connection.host.name(), connection.account.label());
    format!("{host} as {account}")
}

fn report(console: &Console, stored: &[Stored], unrevoked: &[&Connection], removal: &str) {
    if console.is_json() {
        let paths = stored.iter().map(|stored| &stored.path);
        // The key of this device stays if another program uses it.
        let paths: Vec<_> = paths.filter(|path| !path.exists()).collect();
        let unrevoked: Vec<_> = unrevoked
            .iter()
            .map(|known| json!({ "connection": known.id.as_str(), "remove_at": removal_page(known) }))
            .collect();
        console.document(&json!({
            "removed": paths,
            "not_revoked": unrevoked,
            "remove_program": removal,
        }));
        return;
    }
    console.line(if stored.is_empty() {
        "PocketHog stores nothing on this device.".to_owned()
    } else {
        "PocketHog is signed out everywhere, and nothing of it is stored on this device any longer."
            .to_owned()
    });
    for known in unrevoked {
        console.say(format!(
            "{} did not confirm that access was revoked. To end it, remove PocketHog at {}",
            name_of(known),
            removal_page(known)
        ));
    }
    console.line(format!("To remove the program: {removal}"));
}
