//! What keeps a part of the home screen from being read.

use sign_in_with_posthog::{Connection, ConnectionId, EndReason};

use super::sources::Sources;
use pockethog_core::access;
use pockethog_core::discovery::Failure;
use pockethog_core::live::Status;

/// Something that keeps a part of the home screen from being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A sign-in has ended by itself.
    SignedOut {
        /// Which Connection.
        connection: ConnectionId,
        /// `US Cloud as Ada Lovelace`.
        name: String,
        /// Why.
        reason: EndReason,
    },
    /// A Connection gets no answer.
    Outage {
        /// Which Connection.
        connection: ConnectionId,
        /// `US Cloud`, `EU Cloud` or the host.
        host: String,
        /// Why, in the error's words.
        reason: String,
    },
    /// The permission `query:read` was not granted.
    NotGranted {
        /// Which Connection.
        connection: ConnectionId,
        /// `US Cloud`, `EU Cloud` or the host.
        host: String,
    },
    /// Discovery could not list everything.
    NotListed {
        /// Which Connection.
        connection: ConnectionId,
        /// What it could not read.
        failure: Failure,
    },
}

impl Problem {
    /// The problems of all Connections. `is_known` says whether any number is.
    pub(super) fn all(sources: &Sources<'_>, status: Status, is_known: bool) -> Vec<Self> {
        // The status says that nothing can be reached, beside the numbers of earlier.
        let is_said = is_known && matches!(status, Status::Offline(_) | Status::Busy(_));
        let mut problems = Vec::new();
        for connection in sources.connections {
            if let Some(reason) = connection.ended_by_itself() {
                problems.push(Self::SignedOut {
                    connection: connection.id.clone(),
                    name: access::name(connection),
                    reason,
                });
            }
            if connection.is_active() {
                problems.extend(Self::of_active(sources, connection, is_said));
            }
        }
        problems
    }

    fn of_active(
        sources: &Sources<'_>,
        connection: &Connection,
        outage_is_said: bool,
    ) -> impl Iterator<Item = Self> {
        let host = connection.host.name();
        let id = || connection.id.clone();
        let reason = sources.outages.get(&connection.id);
        let outage = reason
            .filter(|_| !outage_is_said)
            .map(|reason| Self::Outage {
                connection: id(),
                host: host.clone(),
                reason: reason.clone(),
            });
        let may_query = connection.grant.scopes.allows("query:read");
        let not_granted = (!may_query).then(|| Self::NotGranted {
            connection: id(),
            host: host.clone(),
        });
        let failures = sources.listed_failures(&connection.id);
        let failures = failures
            .iter()
            // An outage is why the list could not be read either.
            .filter(|failure| reason.is_none() || !(failure.transient && failure.what == host))
            .map(|failure| Self::NotListed {
                connection: id(),
                failure: failure.clone(),
            });
        let failures: Vec<Self> = failures.collect();
        outage.into_iter().chain(not_granted).chain(failures)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::samples::{at, connection, sources};
    use pockethog_core::discovery::Cause;
    use pockethog_core::snapshot::KnownDiscovery;
    use sign_in_with_posthog::ConnectionState;

    fn failure(what: &str, transient: bool) -> Failure {
        Failure {
            what: what.to_owned(),
            reason: "busy".to_owned(),
            transient,
            needs_sign_in: false,
            cause: Cause::Busy,
        }
    }

    fn found(
        connection: &Connection,
        failures: Vec<Failure>,
    ) -> HashMap<ConnectionId, KnownDiscovery> {
        let found_at = at(1);
        let found = KnownDiscovery { found_at, failures };
        HashMap::from([(connection.id.clone(), found)])
    }

    /// What each problem is, without its words.
    fn kinds(problems: &[Problem]) -> Vec<&'static str> {
        let kind = |problem: &Problem| match problem {
            Problem::SignedOut { .. } => "signed out",
            Problem::Outage { .. } => "outage",
            Problem::NotGranted { .. } => "not granted",
            Problem::NotListed { .. } => "not listed",
        };
        problems.iter().map(kind).collect()
    }

    #[test]
    fn a_host_that_does_not_answer_is_named_once() {
        let connections = [connection("ada", "query:read")];
        let host = connections[0].host.name();
        let failures = vec![failure(&host, true), failure("Burrow", true)];
        let discoveries = found(&connections[0], failures);
        let mut sources = sources(&connections, 10);
        sources.discoveries = &discoveries;
        let of = |sources: &Sources<'_>, status, is_known| {
            kinds(&Problem::all(sources, status, is_known))
        };
        assert_eq!(
            of(&sources, Status::Live, true),
            ["not listed", "not listed"]
        );
        let id = connections[0].id.clone();
        sources.outages.insert(id, "offline".to_owned());
        assert_eq!(of(&sources, Status::Live, true), ["outage", "not listed"]);
        let offline = Status::Offline(None);
        assert_eq!(
            of(&sources, offline, true),
            ["not listed"],
            "the status says it"
        );
        assert_eq!(of(&sources, offline, false), ["outage", "not listed"]);
    }

    #[test]
    fn a_connection_that_has_ended_has_no_other_problem() {
        let mut connections = [connection("ada", "project:read")];
        let kinds = |connections: &[Connection]| {
            kinds(&Problem::all(&sources(connections, 10), Status::Live, true))
        };
        assert_eq!(kinds(&connections), ["not granted"]);
        connections[0].state = ConnectionState::Ended(EndReason::Narrowed);
        assert_eq!(kinds(&connections), ["signed out"]);
        connections[0].state = ConnectionState::Ended(EndReason::SignedOut);
        assert!(kinds(&connections).is_empty(), "the person did that");
    }
}
