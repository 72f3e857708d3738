//! `pockethog logout`.

use clap::Args;
use futures::future::join_all;
use serde_json::json;
use sign_in_with_posthog::{Connection, CredentialKind, Revocation, SessionError};

use super::console::{CliError, Console, Exit, Progress, Text};
use super::select;
use pockethog_core::accounts::removal_page;
use pockethog_core::app_context::AppContext;
use pockethog_core::key_swap;

/// Sign out: remove the tokens from this device and revoke them at PostHog.
///
/// Only this device is signed out. Preferences and the last numbers are kept for the next sign-in.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog logout
  pockethog logout eu
  pockethog logout --all --json
  pockethog logout us-0123456789ab --not-me    somebody else signed in")]
pub struct Logout {
    /// `us`, `eu`, an address or a connection; needed if there are several.
    connection: Option<String>,
    /// Sign out of all accounts.
    #[arg(long, conflicts_with = "connection")]
    all: bool,
    /// Use this if somebody else signed in: it also removes the account from the list, and restores the API key that
    /// the account has replaced within the last day.
    #[arg(long, requires = "connection")]
    not_me: bool,
}

/// Signs out.
///
/// # Errors
///
/// Nobody signed in, several to choose from, or a mark that could not be written. If PostHog did not revoke the
/// tokens, the run ends in part.
pub async fn run(
    program: &AppContext,
    console: &Console,
    logout: &Logout,
) -> Result<Exit, CliError> {
    let mut active = program.active_connections()?;
    if logout.not_me {
        // One that has ended in the meantime may have replaced a key nevertheless.
        active = program.sign_in.connections()?;
        active.retain(|known| known.kind == CredentialKind::OAuth);
    }
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
            return Err(CliError::usage(
                "several accounts match; name one of these, or use --all:",
            )
            .with_details(names.into_iter().collect::<Text>(), choices));
        }
    };
    let hosts: Vec<String> = chosen.iter().map(|known| known.host.name()).collect();
    let progress = Progress::new(format!("Signing out of {} …", hosts.join(", ")));
    let leaving = join_all(
        chosen
            .iter()
            .map(|known| leave(program, known, logout.not_me)),
    );
    let mut keys = Vec::new();
    let left = match console.watch_in_time(&progress, leaving).await {
        Ok(left) => {
            let left = left.into_iter().collect::<Result<Vec<_>, _>>()?;
            let (back, left): (Vec<_>, Vec<_>) = left.into_iter().unzip();
            keys.extend(back.into_iter().flatten());
            left
        }
        // Here it is over, and PostHog did not say so in time.
        Err(time) => {
            let active = program.active_connections()?;
            if chosen
                .iter()
                .any(|known| active.iter().any(|left| left.id == known.id))
            {
                return Err(time.into());
            }
            vec![Revocation::Failed; chosen.len()]
        }
    };
    let left: Vec<_> = chosen.iter().copied().zip(left).collect();
    if logout.not_me {
        forget_projects(program, &chosen);
    }
    report(console, &left, &keys);
    let all_revoked = left.iter().all(|(_, left)| *left != Revocation::Failed);
    Ok(if all_revoked {
        Exit::Done
    } else {
        Exit::Partly
    })
}

/// Signs out of one, and if the person did not sign in there, undoes what the sign-in has changed.
async fn leave(
    program: &AppContext,
    known: &Connection,
    not_me: bool,
) -> Result<(Vec<Connection>, Revocation), SessionError> {
    if not_me {
        return key_swap::undo(program, known).await;
    }
    let revocation = program.sign_in.sign_out(&known.id).await?;
    Ok((Vec::new(), revocation))
}

fn forget_projects(program: &AppContext, gone: &[&Connection]) {
    let forgotten = program.snapshots().and_then(|mut snapshots| {
        gone.iter()
            .try_for_each(|known| snapshots.forget_connection(&known.id))
    });
    if let Err(error) = forgotten {
        tracing::warn!(%error, "the projects of a removed account are still listed");
    }
}

fn report(console: &Console, left: &[(&Connection, Revocation)], keys: &[Connection]) {
    let unrevoked = left.iter().filter(|(_, left)| *left == Revocation::Failed);
    if console.is_json() {
        let ids: Vec<&str> = left.iter().map(|(known, _)| known.id.as_str()).collect();
        let unrevoked: Vec<_> = unrevoked
            .map(|(known, _)| json!({ "connection": known.id.as_str(), "remove_at": removal_page(known) }))
            .collect();
        let keys: Vec<&str> = keys.iter().map(|known| known.id.as_str()).collect();
        console.document(
            &json!({ "signed_out": ids, "not_revoked": unrevoked, "restored_keys": keys }),
        );
        return;
    }
    if left.is_empty() {
        console.line("Nobody is signed in.");
    }
    for (known, left) in left {
        let (host, account) = (known.host.name(), known.account.label());
        console.line(format!("Signed out of {host} as {account}."));
        match left {
            Revocation::Failed => console.say(format!(
                "{host} did not confirm that access was revoked. Nothing is left on this device, but the \
                 access may stay valid until it expires. To end it now, remove PocketHog at {}",
                removal_page(known)
            )),
            Revocation::NotNeeded if known.kind == CredentialKind::ApiKey => console.say(format!(
                "The API key itself is still valid. Delete it in {host} under Settings, Personal API keys, if nothing \
                 else uses it."
            )),
            Revocation::Done | Revocation::NotNeeded => {}
        }
    }
    for key in keys {
        console.line(format!(
            "Your API key for {} is used again.",
            key.host.name()
        ));
    }
}
