//! Migrating from an API key to a sign-in at the same host, on the page and in the terminal alike.
//!
//! Nothing is taken away before its replacement is there: the key's projects are handed to the new
//! Connection as far as that one reaches them, and the key is removed only if that is all of them.

use std::collections::HashSet;

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, CredentialKind, Host, IndexError, SessionError};

use crate::discovery::{Discovery, discover};
use crate::format::counted;
use crate::preferences::Preferences;
use crate::program::Program;
use crate::project::{Project, ProjectKey};
use crate::refresh::keep_discovery;
use crate::snapshot::{SnapshotError, Snapshots};

/// Projects that are named before the rest is counted.
const MOST_NAMES: usize = 5;

/// What both sides reach.
#[derive(Debug)]
pub struct Found {
    of_new: Discovery,
    of_key: Discovery,
}

/// What became of a key.
#[derive(Debug)]
pub enum Outcome {
    /// It was removed from this device.
    Removed,
    /// It stays for the projects that only it reaches.
    KeptFor(Vec<Project>),
    /// It stays: PostHog could not list the projects.
    NotListed,
    /// It stays: its projects could not be handed over.
    NotHandedOver(SnapshotError),
    /// Its projects were handed over, and it could not be removed.
    NotRemoved(SessionError),
}

/// The API keys for `host` on this device.
///
/// # Errors
///
/// A list of Connections that cannot be read.
pub fn keys_at(program: &Program, host: &Host) -> Result<Vec<Connection>, IndexError> {
    let mut keys = program.sign_in.connections()?;
    keys.retain(|known| known.kind == CredentialKind::ApiKey && known.host == *host);
    Ok(keys)
}

/// What the new Connection and the key reach. `None` if PostHog cannot say just now, for either of the two. What
/// the key reaches is asked for however much is stored of it, and has to be known as a whole: PostHog shows a
/// key only once.
pub async fn find(program: &Program, key: &Connection, new: &Connection) -> Option<Found> {
    let (client, client_of_key) = (program.client(new), program.client(key));
    let (of_new, of_key) = tokio::join!(discover(&client, new), discover(&client_of_key, key));
    let in_doubt = of_new.failures.iter().any(|failure| failure.transient);
    let certain = !in_doubt && of_key.failures.is_empty();
    certain.then_some(Found { of_new, of_key })
}

/// Hands over what the new Connection reaches, and returns what it does not.
///
/// # Errors
///
/// Snapshots that cannot be read or written.
pub fn hand_over(
    program: &Program,
    snapshots: &mut Snapshots,
    key: &Connection,
    new: &Connection,
    found: &Found,
) -> Result<Vec<Project>, SnapshotError> {
    snapshots.put_discovery(&key.id, &found.of_key, Timestamp::now())?;
    let projects = found.of_new.projects.iter();
    let reached: HashSet<&ProjectKey> = projects.map(|project| &project.key).collect();
    snapshots.hand_over(&key.id, &new.id, &|key| reached.contains(key))?;
    keep_discovery(program, snapshots, &new.id, &found.of_new)?;
    snapshots.projects_of(&key.id)
}

/// Removes the key if nothing is `left` that only it reaches.
pub async fn remove(program: &Program, key: &Connection, left: Vec<Project>) -> Outcome {
    if !left.is_empty() {
        return Outcome::KeptFor(left);
    }
    match program.sign_in.remove(&key.id).await {
        Ok(()) => Outcome::Removed,
        Err(error) => Outcome::NotRemoved(error),
    }
}

/// Forgets what was noted about a key that was removed.
///
/// # Errors
///
/// Snapshots that cannot be written.
pub fn forget(snapshots: &mut Snapshots, key: &Connection) -> Result<(), SnapshotError> {
    snapshots.forget_connection(&key.id)
}

/// Forgets what a person answered to the banner about a key that was removed.
pub fn forget_banner(preferences: &mut Preferences, key: &Connection) {
    preferences.banner.remove(&key.id.to_string());
}

impl Outcome {
    /// What happened and what it means, in one or two sentences.
    pub fn sentence(&self, new: &Connection) -> String {
        match self {
            Self::Removed => format!(
                "You are signed in to {}, and your API key was removed from this device. You can delete it in PostHog’s settings too.",
                new.host.name()
            ),
            Self::KeptFor(left) => format!(
                "You are signed in as {}, who does not reach {} of your API key: {}. The key is kept for {}.",
                new.account.label(),
                counted(left.len(), "project", "projects"),
                names(left),
                if left.len() == 1 { "it" } else { "them" },
            ),
            Self::NotListed => "You are signed in. PostHog could not list your projects just now, so your API key is kept.".to_owned(),
            Self::NotHandedOver(error) => format!(
                "You are signed in, and your API key is kept, because its projects could not be handed over: {error}."
            ),
            Self::NotRemoved(error) => format!(
                "You are signed in. The API key could not be removed from this device: {error}."
            ),
        }
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
