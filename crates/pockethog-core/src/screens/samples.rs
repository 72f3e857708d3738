//! Connections, projects and cards for the tests of the screens.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId, CredentialKind, Scopes};

use super::card::{Card, Figures, Numbers};
use super::sources::{Freshness, Sources};
use crate::discovery::Cause;
use crate::overview::Counts;
use crate::preferences::{Cadence, Preferences};
use crate::project::Project;
use crate::snapshot::{KnownDiscovery, Trouble, samples};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A Connection at the US Cloud that has signed in at the second 1.
pub(super) fn connection(subject: &str, scopes: &str) -> Connection {
    let mut connection = samples::signed_in_at(1);
    connection.id = ConnectionId::new(&connection.host, CredentialKind::OAuth, subject);
    subject.clone_into(&mut connection.account.subject);
    connection.grant.scopes = Scopes::parse(scopes);
    connection
}

pub(super) fn project(id: u64, connection: &Connection) -> Project {
    Project {
        connection: connection.id.clone(),
        ..samples::project(id)
    }
}

pub(super) fn trouble(second: i64) -> Trouble {
    Trouble {
        at: at(second),
        reason: "busy".into(),
        transient: true,
        cause: Cause::Busy,
        retry_at: None,
    }
}

/// A card with numbers of now.
pub(super) fn card(id: u64, name: &str, visitors: u64, before: u64) -> Card {
    let counts = |visitors| Counts {
        visitors,
        pageviews: visitors,
    };
    Card {
        key: samples::project(id).key,
        connection: samples::connection(),
        name: name.to_owned(),
        subtitle: format!("{name}.example"),
        host: None,
        favourite: false,
        scheme: None,
        numbers: Numbers::Known(Figures {
            measured_at: at(1),
            now: counts(visitors),
            before: counts(before),
            online: None,
            curve: vec![1, 2, 3],
            today: None,
            time_zone: "UTC".to_owned(),
            usual: None,
            moved: None,
            stale: None,
            unknown_zone: None,
        }),
        trouble: None,
    }
}

/// Sources without a project, looked at at a second.
pub(super) fn sources(connections: &[Connection], second: i64) -> Sources<'_> {
    static PREFERENCES: LazyLock<Preferences> = LazyLock::new(Preferences::default);
    static NONE: LazyLock<HashMap<ConnectionId, KnownDiscovery>> = LazyLock::new(HashMap::new);
    Sources {
        now: at(second),
        freshness: Freshness::Every(Cadence::Minute),
        preferences: &PREFERENCES,
        connections,
        projects: Vec::new(),
        only: None,
        discoveries: &NONE,
        outages: HashMap::new(),
    }
}
