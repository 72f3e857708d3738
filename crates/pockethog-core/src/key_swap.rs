//! Migrating from an API key to a sign-in at the same host, for both the page and the terminal.
//!
//! Nothing is taken away before its replacement is there: the key's projects are handed to the new
//! Connection as far as that one reaches them, and the key goes only if that is all of them. Even then it is kept
//! for a day, sealed and unused: if it turns out that somebody else has answered the sign-in, it comes back.

use std::collections::HashSet;

use jiff::Timestamp;
use sign_in_with_posthog::{
    Connection, CredentialKind, EndReason, Host, IndexError, Revocation, SessionError,
};

use crate::access;
use crate::app_context::AppContext;
use crate::discovery::{Discovery, Failure, discover};
use crate::live::refresh::keep_discovery;
use crate::preferences::Preferences;
use crate::project::{Project, ProjectKey};
use crate::snapshot::{SnapshotError, Snapshots};

/// What both sides reach.
#[derive(Debug)]
pub struct Found {
    of_new: Discovery,
    of_key: OfKey,
}

#[derive(Debug)]
enum OfKey {
    Listed(Discovery),
    /// PostHog is not asked for more: what is stored of it is all that will be known.
    Ended(EndReason),
}

/// What became of a key.
#[derive(Debug)]
pub enum Outcome {
    /// It is no longer used, and is removed from this device after a day.
    Replaced,
    /// It had ended before, and is off the list unless projects are left that only it reached.
    Ended(EndReason, Vec<Project>),
    /// It stays for the projects that only it reaches.
    KeptFor(Vec<Project>),
    /// It stays: PostHog could not list the projects.
    NotListed,
    /// The key stays: PostHog does not say everything that it can read, and a retry does not help.
    NotKnown(Failure),
    /// It stays: its projects could not be handed over.
    NotHandedOver(SnapshotError),
    /// Its projects were handed over, and it could not be taken off the list.
    NotRemoved(SessionError),
}

/// The API keys for `host` on this device, without those that the person has signed out.
///
/// # Errors
///
/// A list of Connections that cannot be read.
pub fn keys_at(program: &AppContext, host: &Host) -> Result<Vec<Connection>, IndexError> {
    let mut keys = program.sign_in.connections()?;
    keys.retain(|known| {
        known.kind == CredentialKind::ApiKey && known.host == *host && access::is_shown(known)
    });
    Ok(keys)
}

/// What the new Connection and the key reach. What the key reaches is asked for however much is stored of it, and
/// has to be known as a whole: PostHog shows a key only once.
///
/// # Errors
///
/// Why the key stays: PostHog does not say what one of the two reaches, now or ever.
pub async fn find(
    program: &AppContext,
    key: &Connection,
    new: &Connection,
) -> Result<Found, Outcome> {
    let (client, client_of_key) = (program.client(new), program.client(key));
    let (of_new, of_key) = tokio::join!(discover(&client, new), discover(&client_of_key, key));
    if of_new.failures.iter().any(|failure| failure.transient) {
        return Err(Outcome::NotListed);
    }
    let connections = program.sign_in.connections().unwrap_or_default();
    let ended = connections.iter().find(|known| known.id == key.id);
    if let Some(reason) = ended.and_then(Connection::ended_by_itself) {
        let of_key = OfKey::Ended(reason);
        return Ok(Found { of_new, of_key });
    }
    if of_key.failures.iter().any(|failure| failure.transient) {
        return Err(Outcome::NotListed);
    }
    if let Some(failure) = of_key.failures.first() {
        return Err(Outcome::NotKnown(failure.clone()));
    }
    let of_key = OfKey::Listed(of_key);
    Ok(Found { of_new, of_key })
}

/// Hands over what the new Connection reaches, and returns what it does not.
///
/// # Errors
///
/// Snapshots that cannot be read or written.
pub fn hand_over(
    program: &AppContext,
    snapshots: &mut Snapshots,
    key: &Connection,
    new: &Connection,
    found: &Found,
) -> Result<Vec<Project>, SnapshotError> {
    if let OfKey::Listed(of_key) = &found.of_key {
        snapshots.put_discovery(&key.id, of_key, Timestamp::now())?;
    }
    let projects = found.of_new.projects.iter();
    let reached: HashSet<&ProjectKey> = projects.map(|project| &project.key).collect();
    snapshots.hand_over(&key.id, &new.id, &|key| reached.contains(key))?;
    keep_discovery(program, snapshots, &new.id, &found.of_new)?;
    snapshots.projects_of(&key.id)
}

/// Takes the key off the list if nothing is `left` that only it reaches. Within a day
/// [`SignIn::bring_back`](sign_in_with_posthog::SignIn::bring_back) undoes it.
pub async fn set_aside(
    program: &AppContext,
    key: &Connection,
    new: &Connection,
    found: &Found,
    left: Vec<Project>,
) -> Outcome {
    if left.is_empty()
        && let Err(error) = program.sign_in.set_aside(&key.id, &new.id).await
    {
        return Outcome::NotRemoved(error);
    }
    match found.of_key {
        OfKey::Ended(reason) => Outcome::Ended(reason, left),
        OfKey::Listed(_) if left.is_empty() => Outcome::Replaced,
        OfKey::Listed(_) => Outcome::KeptFor(left),
    }
}

/// Undoes a sign-in that somebody else has answered: the keys that it had replaced are used again, and its account
/// is signed out and removed from this device. Returns those keys, and what PostHog made of the sign-out.
///
/// # Errors
///
/// A Vault or a list that could not be written.
pub async fn undo(
    program: &AppContext,
    connection: &Connection,
) -> Result<(Vec<Connection>, Revocation), SessionError> {
    let sign_in = &program.sign_in;
    let keys = sign_in.bring_back(&connection.id).await?;
    let revocation = sign_in.sign_out(&connection.id).await?;
    sign_in.remove(&connection.id).await?;
    Ok((keys, revocation))
}

/// Forgets what was noted about a key that is gone.
///
/// # Errors
///
/// Snapshots that cannot be written.
pub fn forget(snapshots: &mut Snapshots, key: &Connection) -> Result<(), SnapshotError> {
    snapshots.forget_connection(&key.id)
}

/// Forgets what a person answered to the banner about a key that is gone.
pub fn forget_banner(preferences: &mut Preferences, key: &Connection) {
    preferences.banner.remove(&key.id.to_string());
}

impl Outcome {
    /// Whether the key is off the list.
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Replaced => true,
            Self::Ended(_, left) => left.is_empty(),
            _ => false,
        }
    }
}
