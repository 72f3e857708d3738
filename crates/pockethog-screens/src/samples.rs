//! Connections, projects and cards for the tests of the screens.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use sign_in_with_posthog::{
    Account, Connection, ConnectionId, ConnectionState, CredentialKind, Grant, Host, Reach, Region,
    Scopes, VaultBackend,
};

use super::card::{Card, Figures, Numbers};
use super::sources::{Freshness, Sources};
use pockethog_core::discovery::Cause;
use pockethog_core::history::Asked;
use pockethog_core::overview::{Counts, LeftOut, Period, Point, Range, Today};
use pockethog_core::preferences::{Cadence, Preferences};
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::snapshot::{KnownDiscovery, Trouble};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A Connection at the US Cloud that has signed in at the second 1.
pub(super) fn connection(subject: &str, scopes: &str) -> Connection {
    let host = Host::cloud(Region::Us);
    Connection {
        id: ConnectionId::new(&host, CredentialKind::OAuth, subject),
        host,
        kind: CredentialKind::OAuth,
        account: Account {
            subject: subject.to_owned(),
            name: None,
            email: None,
        },
        grant: Grant {
            scopes: Scopes::parse(scopes),
            reach: Reach::All,
        },
        state: ConnectionState::Active,
        vault: VaultBackend::EncryptedFile,
        signed_in_at: 1,
        last_refresh_at: None,
        expires_at: None,
        ended_at: None,
    }
}

pub(super) fn project(id: u64, connection: &Connection) -> Project {
    Project {
        key: key(id),
        name: format!("Project {id}"),
        organization: None,
        organization_name: None,
        time_zone: "UTC".into(),
        has_events: None,
        website: None,
        connection: connection.id.clone(),
    }
}

fn key(id: u64) -> ProjectKey {
    ProjectKey {
        host: "us".into(),
        id,
    }
}

/// One visitor today and one yesterday, by UTC.
pub(super) fn today(measured_at: Timestamp) -> Today {
    let day = measured_at.as_second().div_euclid(86_400);
    let point = |day: i64| Point {
        start: at(day * 86_400),
        visitors: 1,
        pageviews: 1,
    };
    Today {
        measured_at,
        time_zone: "UTC".into(),
        time_zone_known: true,
        today: counts(1),
        yesterday_by_now: counts(1),
        online: 1,
        days: vec![point(day - 1), point(day)],
        hours: vec![point(day)],
        hours_yesterday: vec![point(day - 1)],
        hours_earlier: vec![point(day - 2)],
        asked: Asked::default(),
        quarters: Vec::new(),
        last_event_at: None,
        lacks_bots: false,
    }
}

/// No visitor within a week.
pub(super) fn week(measured_at: Timestamp) -> Period {
    Period {
        measured_at,
        range: Range::Week,
        time_zone: "Europe/Berlin".into(),
        time_zone_known: true,
        now: Counts::default(),
        before: Counts::default(),
        sessions: 0,
        sessions_before: 0,
        points: Vec::new(),
        points_before: Vec::new(),
        conversions: Vec::new(),
        left_out: LeftOut::default(),
        lacks_bots: false,
    }
}

fn counts(visitors: u64) -> Counts {
    Counts {
        visitors,
        pageviews: visitors,
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
    Card {
        key: key(id),
        connection: connection("ada", "").id,
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
            stale: None,
            unknown_zone: None,
            time_zone: "UTC".to_owned(),
            usual: None,
            moved: None,
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
