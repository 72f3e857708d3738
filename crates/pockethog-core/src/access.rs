//! Which projects are shown, which Connection reads each, and what is shown once access has ended.
//!
//! Page, command line and widgets decide here alike. While a sign-in is active its projects are read; once it
//! has ended by itself (revoked, expired, narrowed, a deleted key) they stay in sight with their last numbers,
//! until another Connection reaches them, or the person signs out or removes it. Whoever notices the end, a
//! query, a list of projects or another process, leaves the same behind.

use std::collections::HashSet;

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId};

use crate::age;
use crate::discovery::{Cause, Discovery, Failure};
use crate::project::{Project, ProjectKey};
use crate::snapshot::{KnownDiscovery, SnapshotError, Snapshots, Trouble};

/// Whether the projects of a Connection are shown: it is active, or it has ended by itself.
pub fn is_shown(connection: &Connection) -> bool {
    connection.is_active() || connection.ended_by_itself().is_some()
}

/// Keeps the projects that are shown.
pub fn keep_shown(projects: &mut Vec<Project>, connections: &[Connection]) {
    let shown: HashSet<&ConnectionId> = connections
        .iter()
        .filter(|connection| is_shown(connection))
        .map(|connection| &connection.id)
        .collect();
    projects.retain(|project| shown.contains(&project.connection));
}

/// What a Connection is called beside others: `US Cloud as Ada Lovelace`.
pub fn name(connection: &Connection) -> String {
    format!(
        "{} as {}",
        connection.host.name(),
        connection.account.label()
    )
}

/// `US`, `EU` or the host's name.
pub fn host_label(connection: &Connection) -> String {
    match connection.host.region() {
        Some(region) => region.key().to_uppercase(),
        None => connection.host.name(),
    }
}

/// The failure of a Connection that has ended by itself.
pub fn failure(connection: &Connection) -> Option<Failure> {
    Some(Failure {
        what: name(connection),
        reason: connection.ended_by_itself()?.sentence().to_owned(),
        transient: false,
        needs_sign_in: true,
        cause: Cause::SignedOut,
    })
}

/// Why the numbers of every project of a Connection that has ended by itself are not fresh.
pub fn trouble(connection: &Connection, now: Timestamp) -> Option<Trouble> {
    let noticed = connection.ended_at.map(Timestamp::from_second);
    Some(Trouble {
        at: noticed.and_then(Result::ok).unwrap_or(now),
        reason: connection.ended_by_itself()?.sentence().to_owned(),
        transient: false,
        cause: Cause::SignedOut,
        retry_at: None,
    })
}

/// Whether the list of `connection` was read before something that may have changed what it has to show: this
/// sign-in, or the end of another Connection at the same Host, whose projects it may reach.
pub(crate) fn is_outdated(
    known: &KnownDiscovery,
    connection: &Connection,
    connections: &[Connection],
    now: Timestamp,
) -> bool {
    known.is_before(connection)
        || connections.iter().any(|other| {
            other.id != connection.id
                && other.host.key() == connection.host.key()
                && other.ended_by_itself().is_some()
                && ended_since(other, known.found_at, now)
        })
}

/// Whether a Connection ended after `found_at`. Both are whole seconds: within the same one it counts once
/// that second is over. An end in the future is one of a clock that went back.
fn ended_since(connection: &Connection, found_at: Timestamp, now: Timestamp) -> bool {
    let latest = age::latest(now).as_second();
    let (found_at, now) = (found_at.as_second(), now.as_second());
    connection.ended_at.is_some_and(|ended_at| {
        ended_at <= latest && (found_at < ended_at || (found_at == ended_at && ended_at < now))
    })
}

/// Stores what Discovery found for `connection`. A project belongs to the Connection that found it first as
/// long as that one is active; after that it goes to the one that reaches it, say from a revoked sign-in to
/// an API key. A list that could not be read as a whole takes nothing away.
///
/// # Errors
///
/// Snapshots that cannot be written.
pub(crate) fn keep_list(
    snapshots: &mut Snapshots,
    connections: &[Connection],
    connection: &ConnectionId,
    found: &Discovery,
) -> Result<(), SnapshotError> {
    let active: HashSet<&ConnectionId> = connections
        .iter()
        .filter(|known| known.is_active())
        .map(|known| &known.id)
        .collect();
    if active.contains(connection) {
        let reached: HashSet<&ProjectKey> =
            found.projects.iter().map(|project| &project.key).collect();
        for owner in snapshots.owners()? {
            if !active.contains(&owner) {
                snapshots.hand_over(&owner, connection, &|key| reached.contains(key))?;
            }
        }
    }
    snapshots.put_discovery(connection, found, Timestamp::now())
}

/// A project of `connection` that could not be read: its name, and why.
pub type Unread<'a> = (String, &'a Trouble);

/// What could not be read of an active Connection, said as few times as possible: one line for the host if
/// that is what is in trouble, and not one for each of its projects.
pub fn summed_up(
    connection: &Connection,
    listed: Vec<Failure>,
    unread: &[Unread<'_>],
    asked: usize,
) -> Vec<Failure> {
    let host = connection.host.name();
    let mut groups: Vec<(Cause, &str, Vec<&Unread<'_>>)> = Vec::new();
    for one in unread {
        let (cause, reason) = (one.1.cause, one.1.reason.as_str());
        let alike = groups.iter_mut().find(|(known, known_reason, _)| {
            *known == cause && (of_host(cause) || *known_reason == reason)
        });
        match alike {
            Some((_, _, group)) => group.push(one),
            None => groups.push((cause, reason, vec![one])),
        }
    }
    let mut failures = listed;
    for (cause, reason, group) in groups {
        let all = group.len() == asked && (asked > 1 || of_host(cause));
        let said = |failures: &[Failure]| {
            failures
                .iter()
                .any(|failure| failure.what == host && failure.cause == cause)
        };
        if (all || of_host(cause)) && said(&failures) {
            continue;
        }
        let failure = |what: String, trouble: &Trouble| Failure {
            what,
            reason: reason.to_owned(),
            transient: trouble.transient,
            needs_sign_in: cause == Cause::SignedOut,
            cause,
        };
        if all && let Some((_, trouble)) = group.first() {
            // Its organizations fail for the same reason.
            failures.retain(|failure| failure.cause != cause || !of_host(cause));
            failures.push(failure(host.clone(), trouble));
        } else {
            failures.extend(
                group
                    .into_iter()
                    .map(|(name, trouble)| failure(name.clone(), trouble)),
            );
        }
    }
    failures
}

/// Whether a cause is a matter of the host or the sign-in, and not of a single project.
fn of_host(cause: Cause) -> bool {
    matches!(cause, Cause::Locked | Cause::Offline | Cause::SignedOut)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sign_in_with_posthog::CredentialKind;
    use sign_in_with_posthog::{
        Account, ConnectionState, EndReason, Grant, Host, Region, VaultBackend,
    };

    use super::*;
    use crate::snapshot::samples;

    fn connection(kind: CredentialKind, ended: Option<(EndReason, i64)>) -> Connection {
        let host = Host::cloud(Region::Us);
        Connection {
            id: ConnectionId::new(&host, kind, "a"),
            host,
            kind,
            account: Account {
                subject: "a".into(),
                name: Some("Ada".into()),
                email: None,
            },
            grant: Grant::default(),
            state: ended.map_or(ConnectionState::Active, |(reason, _)| {
                ConnectionState::Ended(reason)
            }),
            vault: VaultBackend::EncryptedFile,
            signed_in_at: 0,
            last_refresh_at: None,
            expires_at: None,
            ended_at: ended.map(|(_, at)| at),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn found(second: i64) -> KnownDiscovery {
        KnownDiscovery {
            found_at: at(second),
            failures: Vec::new(),
        }
    }

    #[test]
    fn only_the_person_takes_projects_out_of_sight() {
        let ended = |reason| connection(CredentialKind::OAuth, Some((reason, 100)));
        for reason in [
            EndReason::RevokedOrExpired,
            EndReason::Narrowed,
            EndReason::ApiKeyRejected,
            EndReason::RecordLost,
        ] {
            assert!(is_shown(&ended(reason)));
            assert!(failure(&ended(reason)).unwrap().needs_sign_in);
        }
        assert!(!is_shown(&ended(EndReason::SignedOut)));
        assert_eq!(failure(&ended(EndReason::SignedOut)), None);
        assert_eq!(failure(&connection(CredentialKind::OAuth, None)), None);
    }

    #[test]
    fn a_list_from_before_the_end_of_another_is_read_again_once() {
        let mine = connection(CredentialKind::ApiKey, None);
        let other = connection(
            CredentialKind::OAuth,
            Some((EndReason::RevokedOrExpired, 100)),
        );
        let all = [mine.clone(), other];
        let outdated = |found_at, now| is_outdated(&found(found_at), &mine, &all, at(now));
        assert!(outdated(99, 100));
        assert!(!outdated(100, 100), "not again and again in that second");
        assert!(outdated(100, 101), "in that second it may have been before");
        assert!(!outdated(101, 7200));
        assert!(!outdated(50, 60), "the clock went back behind the end");
        assert!(!is_outdated(&found(99), &mine, &all[..1], at(100)));
    }

    #[test]
    fn what_an_ended_or_a_removed_connection_left_goes_to_the_one_that_reaches_it() {
        let key = connection(CredentialKind::ApiKey, None);
        for known in [
            vec![
                key.clone(),
                connection(CredentialKind::OAuth, Some((EndReason::Narrowed, 1))),
            ],
            vec![key.clone()],
        ] {
            let mut snapshots = Snapshots::in_memory().unwrap();
            snapshots
                .put_discovery(
                    &samples::connection(),
                    &samples::discovery(&[1, 2], None),
                    at(1),
                )
                .unwrap();
            let mut reached = samples::discovery(&[2], None);
            for project in &mut reached.projects {
                project.connection = key.id.clone();
            }
            keep_list(&mut snapshots, &known, &key.id, &reached).unwrap();
            let of = |id| snapshots.projects_of(id).unwrap().len();
            assert_eq!((of(&key.id), of(&samples::connection())), (1, 1));
        }
    }

    fn unread(troubles: &[Trouble]) -> Vec<Unread<'_>> {
        troubles
            .iter()
            .enumerate()
            .map(|(place, trouble)| (format!("Project {place}"), trouble))
            .collect()
    }

    fn trouble_of(cause: Cause, reason: &str) -> Trouble {
        Trouble {
            at: at(1),
            reason: reason.into(),
            transient: true,
            cause,
            retry_at: None,
        }
    }

    #[test]
    fn a_host_that_is_offline_is_named_once_and_not_once_per_project() {
        let us = connection(CredentialKind::OAuth, None);
        let troubles = [
            trouble_of(Cause::Offline, "refused"),
            trouble_of(Cause::Offline, "timed out"),
            trouble_of(Cause::Offline, "refused"),
        ];
        let whats = |failures: Vec<Failure>| -> Vec<String> {
            failures.into_iter().map(|failure| failure.what).collect()
        };
        let listed = Failure {
            what: "US Cloud".into(),
            reason: "refused".into(),
            transient: true,
            needs_sign_in: false,
            cause: Cause::Offline,
        };
        let said = summed_up(&us, vec![listed.clone()], &unread(&troubles), 3);
        assert_eq!(whats(said), ["US Cloud"]);
        let said = summed_up(&us, Vec::new(), &unread(&troubles), 3);
        assert_eq!(whats(said), ["US Cloud"]);
        // Others were read: then it is not the host.
        let said = summed_up(&us, Vec::new(), &unread(&troubles[..1]), 3);
        assert_eq!(whats(said), ["Project 0"]);
        let failed = [
            trouble_of(Cause::Busy, "PostHog failed (500)"),
            trouble_of(Cause::Busy, "PostHog failed (500)"),
        ];
        let said = summed_up(&us, Vec::new(), &unread(&failed), 2);
        assert_eq!(whats(said), ["US Cloud"]);
        let said = summed_up(&us, Vec::new(), &unread(&failed), 3);
        assert_eq!(whats(said), ["Project 0", "Project 1"]);
    }
}
