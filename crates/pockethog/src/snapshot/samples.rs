//! Projects for the tests of the Snapshots.
#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use sign_in_with_posthog::{ConnectionId, CredentialKind, Host, Region};

use super::{Breakdowns, Range, Snapshots};
use crate::discovery::{Cause, Discovery, Failure};
use crate::project::{Project, ProjectKey};

pub(crate) fn connection() -> ConnectionId {
    ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::OAuth, "a")
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
    Breakdowns {
        measured_at: Timestamp::from_second(second).unwrap(),
        range: Range::Week,
        lists: vec![],
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
