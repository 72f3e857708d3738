//! Sentences that page and terminal share, free of markup.

pub mod home;
pub mod project;

use sign_in_with_posthog::{Connection, CredentialKind, EndReason, Host};

use crate::format::counted;
use pockethog_core::key_swap::Outcome;
use pockethog_core::overview::LeftOut;
use pockethog_core::project::Project;

/// Projects that are named before the rest is counted.
const MOST_NAMES: usize = 5;

/// What became of the API key of somebody who has signed in, and what it means, in one to three sentences.
pub fn key_swap(outcome: &Outcome, new: &Connection) -> String {
    match outcome {
        Outcome::Replaced => format!(
            "You are signed in to {}, and your API key is no longer used. It will be removed from this device after a day. You can also delete it in PostHog’s settings.",
            new.host.name()
        ),
        Outcome::Ended(reason, left) => {
            let why = match reason {
                EndReason::ApiKeyRejected => "PostHog no longer accepts your API key",
                _ => "Your API key can no longer be read on this device",
            };
            let then = if left.is_empty() {
                "so it was removed from the list".to_owned()
            } else {
                format!(
                    "and it stays in the list for {} that only it could read: {}",
                    counted(left.len(), "project", "projects"),
                    names(left)
                )
            };
            format!("You are signed in to {}. {why}, {then}.", new.host.name())
        }
        Outcome::KeptFor(left) => format!(
            "You are signed in as {}, who cannot read {} of your API key: {}. The key is kept for {}.",
            new.account.label(),
            counted(left.len(), "project", "projects"),
            names(left),
            if left.len() == 1 { "it" } else { "them" },
        ),
        Outcome::NotListed => "You are signed in. PostHog could not list your projects just now, so your API key is kept.".to_owned(),
        Outcome::NotKnown(failure) => format!(
            "You are signed in. Your API key is kept, because PostHog does not say everything that it can read. {}: {}.",
            failure.what,
            failure.reason.trim_end_matches('.')
        ),
        Outcome::NotHandedOver(error) => format!(
            "You are signed in, and your API key is kept, because its projects could not be moved to the sign-in: {error}."
        ),
        Outcome::NotRemoved(error) => format!(
            "You are signed in. The API key could not be removed from the list: {error}."
        ),
    }
}

/// The command that signs in again.
pub fn login_command(connection: &Connection) -> String {
    login_command_at(&connection.host, connection.kind)
}

/// The command that signs in at a host in this way.
pub fn login_command_at(host: &Host, by: CredentialKind) -> String {
    let key = host.key();
    match by {
        CredentialKind::ApiKey if host.region().is_none() => {
            format!("pockethog login {key} --api-key")
        }
        _ => format!("pockethog login {key}"),
    }
}

fn names(projects: &[Project]) -> String {
    let mut names: Vec<&str> = projects
        .iter()
        .take(MOST_NAMES)
        .map(|project| project.name.as_str())
        .collect();
    let more = projects.len().saturating_sub(MOST_NAMES);
    let rest = format!("{more} more");
    if more > 0 {
        names.push(&rest);
    }
    names.join(", ")
}

/// Whose events numbers leave out, to follow the word for the numbers; `None` if they count everything.
/// `lacks_bots` if bots were to be left out and the server cannot tell them.
pub fn left_out(left_out: LeftOut, lacks_bots: bool) -> Option<&'static str> {
    match (left_out.test_accounts, left_out.bots, lacks_bots) {
        (false, false, _) => None,
        (true, false, _) => Some("without test accounts"),
        (false, true, false) => Some("without bots"),
        (true, true, false) => Some("without test accounts and bots"),
        (false, true, true) => Some("with bots: this PostHog is too old to tell them"),
        (true, true, true) => {
            Some("without test accounts, but with bots: this PostHog is too old to tell them")
        }
    }
}
