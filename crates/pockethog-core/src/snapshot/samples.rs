//! Projects for the tests of the Snapshots.
#![allow(clippy::unwrap_used)]

use jiff::{SignedDuration, Timestamp};
use sign_in_with_posthog::{
    Account, Connection, ConnectionId, ConnectionState, CredentialKind, Grant, Host, Region,
    VaultBackend,
};

use super::{Breakdowns, Range, Snapshots};
use crate::discovery::{Cause, Discovery, Failure};
use crate::history::{Asked, Day, History, Hour, Minutes};
use crate::overview::{Counts, Point, Today};
use crate::project::{Project, ProjectKey};

pub(crate) fn connection() -> ConnectionId {
    ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::OAuth, "a")
}

/// One visitor in the hour before `measured_at`.
pub(crate) fn today(measured_at: Timestamp) -> Today {
    let point = |hours: i64| Point {
        start: measured_at - SignedDuration::from_hours(hours),
        visitors: 1,
        pageviews: 1,
    };
    let counts = Counts {
        visitors: 1,
        pageviews: 1,
    };
    Today {
        measured_at,
        time_zone: "UTC".into(),
        time_zone_known: true,
        today: counts,
        yesterday_by_now: counts,
        online: 1,
        days: vec![point(24), point(0)],
        hours: vec![point(0)],
        hours_yesterday: vec![point(24)],
        hours_earlier: vec![point(48)],
        asked: Asked::default(),
        quarters: Vec::new(),
        last_event_at: None,
        lacks_bots: false,
    }
}

/// One closed day, read then.
pub(crate) fn history(measured_at: Timestamp) -> History {
    let start: Timestamp = "2026-11-22T23:00:00Z".parse().unwrap();
    let day = Day {
        start,
        end: start + SignedDuration::from_hours(24),
        first_views: vec![3; 96],
        pageviews: vec![7; 96],
        first_conversions: vec![vec![1; 96]],
        hours: vec![Hour::from((9, 28, 120)); 24],
        minutes: Some(Minutes::default()),
    };
    History {
        asked: Asked::new("Europe/Berlin", &["paid".to_owned()]),
        measured_at,
        all_measured_at: measured_at,
        time_zone: "Europe/Berlin".to_owned(),
        time_zone_known: true,
        days: vec![day],
        last_event_at: Some(start),
        limited_to: Some(28),
    }
}

/// A Connection at the US Cloud.
pub(crate) fn signed_in_at(second: i64) -> Connection {
    Connection {
        id: connection(),
        host: Host::cloud(Region::Us),
        kind: CredentialKind::OAuth,
        account: Account {
            subject: "a".into(),
            name: None,
            email: None,
        },
        grant: Grant::default(),
        state: ConnectionState::Active,
        vault: VaultBackend::EncryptedFile,
        signed_in_at: second,
        last_refresh_at: None,
        expires_at: None,
        ended_at: None,
    }
}

pub(crate) fn project(id: u64) -> Project {
    Project {
        key: ProjectKey {
            host: "us".into(),
            id,
        },
        name: format!("Project {id}"),
        organization: None,
        organization_name: None,
        time_zone: "UTC".into(),
        has_events: None,
        website: None,
        connection: connection(),
    }
}

/// Numbers that were measured at this second.
pub(super) fn breakdowns(second: i64) -> Breakdowns {
    breakdowns_at(Timestamp::from_second(second).unwrap())
}

pub(super) fn breakdowns_at(measured_at: Timestamp) -> Breakdowns {
    Breakdowns {
        measured_at,
        range: Range::Week,
        lists: vec![],
        left_out: crate::overview::LeftOut::default(),
    }
}

pub(crate) fn discovery(ids: &[u64], transient: Option<bool>) -> Discovery {
    Discovery {
        projects: ids.iter().copied().map(project).collect(),
        failures: transient
            .map(|transient| Failure {
                what: "Organization A".into(),
                reason: "busy".into(),
                transient,
                needs_sign_in: false,
                cause: Cause::Busy,
            })
            .into_iter()
            .collect(),
    }
}

pub(crate) fn ids(snapshots: &Snapshots) -> Vec<u64> {
    snapshots
        .projects()
        .unwrap()
        .iter()
        .map(|project| project.key.id)
        .collect()
}
