//! Tests that app, command line and widget make the same decisions from the same Snapshots.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pockethog_device::folders::Folders;
use sign_in_with_posthog::{
    Connection, ConnectionId, ConnectionState, CredentialKind, EndReason, Scopes,
};

use super::Live;
use super::due::{Due, Policy};
use super::refresher::{closed_days_due_of_home, due_of_home};
use crate::access;
use crate::accounts::Clouds;
use crate::app_context::AppContext;
use crate::discovery::{Cause, Discovery, Failure};
use crate::history::{Asked, History};
use crate::project::{Project, ProjectKey};
use crate::snapshot::{Trouble, View, samples};

/// How fresh all three want it, in seconds: the usual cadence of the app.
const MAX_AGE: u64 = 60;

/// A device whose sign-in was revoked and that has an API key for the same host.
struct Device {
    live: Arc<Live>,
    connections: Vec<Connection>,
    now: Timestamp,
    _folder: tempfile::TempDir,
}

type Answer = (HashSet<ConnectionId>, HashSet<ProjectKey>);

impl Device {
    fn new(sign_in: ConnectionState) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::below(folder.path().to_owned());
        let clouds = Clouds::at("http://127.0.0.1:1", "http://127.0.0.1:2").unwrap();
        let program = AppContext::open_apart(folders, clouds).unwrap();
        let now = Timestamp::now();
        let mut sign_in_connection = samples::signed_in_at(1);
        sign_in_connection.grant.scopes = Scopes::parse("project:read query:read");
        let mut key = sign_in_connection.clone();
        key.kind = CredentialKind::ApiKey;
        key.id = ConnectionId::new(&key.host, CredentialKind::ApiKey, "a");
        sign_in_connection.state = sign_in;
        if !sign_in_connection.is_active() {
            sign_in_connection.ended_at = Some(now.as_second() - 30);
        }
        Self {
            live: Live::new(Arc::new(program)).unwrap(),
            connections: vec![sign_in_connection, key],
            now,
            _folder: folder,
        }
    }

    fn sign_in(&self) -> &ConnectionId {
        &self.connections[0].id
    }

    fn key(&self) -> &ConnectionId {
        &self.connections[1].id
    }

    fn before(&self, seconds: i64) -> Timestamp {
        self.now - SignedDuration::from_secs(seconds)
    }

    fn list(&self, of: &ConnectionId, ids: &[u64], failure: Option<Failure>, seconds_ago: i64) {
        let projects = ids.iter().map(|&id| Project {
            connection: of.clone(),
            ..samples::project(id)
        });
        let found = Discovery {
            projects: projects.collect(),
            failures: failure.into_iter().collect(),
        };
        let at = self.before(seconds_ago);
        self.live.snapshots().put_discovery(of, &found, at).unwrap();
    }

    fn numbers(&self, id: u64, seconds_ago: i64) {
        let today = samples::today(self.before(seconds_ago));
        let key = samples::project(id).key;
        self.live.snapshots().put(&key, &today).unwrap();
    }

    fn trouble(&self, id: u64, seconds_ago: i64, transient: bool, retry_in: Option<i64>) {
        let trouble = Trouble {
            at: self.before(seconds_ago),
            reason: "refused".into(),
            transient,
            cause: if transient {
                Cause::Busy
            } else {
                Cause::Forbidden
            },
            retry_at: retry_in.map(|seconds| self.before(-seconds)),
        };
        let key = samples::project(id).key;
        self.live
            .snapshots()
            .put_trouble(&key, View::Today, &trouble)
            .unwrap();
    }

    /// What all three would ask now.
    fn due(&self) -> (Vec<&'static str>, Vec<u64>) {
        let mut projects = self.live.snapshots().projects().unwrap();
        access::keep_shown(&mut projects, &self.connections);
        let visible = projects.iter().map(|project| project.key.clone()).collect();
        let app = due_of_home(&self.live, &self.connections, visible);
        let policy = Policy::new(Timestamp::now(), MAX_AGE.try_into().unwrap());
        let snapshots = self.live.snapshots();
        let due = Due::of_home(&snapshots, &self.connections, projects, policy).unwrap();
        let numbers = due.numbers.into_iter().map(|project| project.key);
        let command: Answer = (due.lists, numbers.collect());
        let widget = crate::widget::due_of_total(
            &self.connections,
            &snapshots,
            Duration::from_secs(MAX_AGE),
        );
        assert_eq!(app, command, "app and command line");
        assert_eq!(app, widget, "app and widget");
        let name = |id: &ConnectionId| if id == self.key() { "key" } else { "sign-in" };
        let mut lists: Vec<_> = app.0.iter().map(name).collect();
        lists.sort_unstable();
        let mut numbers: Vec<u64> = app.1.iter().map(|key| key.id).collect();
        numbers.sort_unstable();
        (lists, numbers)
    }
}

fn failure(transient: bool) -> Failure {
    Failure {
        what: "Projects of Acorn".into(),
        reason: "refused".into(),
        transient,
        needs_sign_in: false,
        cause: if transient {
            Cause::Busy
        } else {
            Cause::Forbidden
        },
    }
}

#[test]
fn numbers_are_due_by_age_and_rest_after_a_failure() {
    let device = Device::new(ConnectionState::Active);
    device.list(device.sign_in(), &[1, 2, 3, 4, 5, 6, 7, 8], None, 10);
    device.list(device.key(), &[], None, 10);
    device.numbers(1, 30);
    device.numbers(2, 61);
    device.numbers(3, -3600);
    device.numbers(4, 120);
    device.trouble(4, 30, true, None);
    device.trouble(5, 61, true, None);
    device.trouble(6, 300, false, None);
    device.trouble(7, 601, false, None);
    device.trouble(8, 90, true, Some(120));
    assert_eq!(device.due(), (vec![], vec![2, 3, 5, 7]));
}

#[test]
fn closed_days_are_read_after_all_numbers_of_today_and_few_at_a_time() {
    let device = Device::new(ConnectionState::Active);
    device.list(device.sign_in(), &[1, 2, 3, 4], None, 10);
    device.list(device.key(), &[], None, 10);
    let due = || {
        let keys = closed_days_due_of_home(&device.live, &device.connections);
        let mut ids: Vec<u64> = keys.iter().map(|key| key.id).collect();
        ids.sort_unstable();
        ids
    };
    for id in [1, 2, 3] {
        device.numbers(id, 10);
    }
    assert_eq!(due(), [0; 0], "one project has no numbers yet");
    device.numbers(4, 10);
    assert_eq!(due().len(), 2, "two large queries at once");
    for id in [1, 2] {
        let history = History {
            asked: Asked::new("UTC", &[]),
            measured_at: device.now,
            all_measured_at: device.now,
            time_zone: "UTC".to_owned(),
            time_zone_known: true,
            days: Vec::new(),
            last_event_at: None,
            limited_to: None,
        };
        let key = samples::project(id).key;
        let mut snapshots = device.live.snapshots();
        snapshots.put_history(&key, &history).unwrap();
    }
    assert_eq!(due(), [3, 4]);
    let refused = Trouble {
        at: device.before(300),
        reason: "busy".into(),
        transient: true,
        cause: Cause::Busy,
        retry_at: None,
    };
    let key = samples::project(3).key;
    device
        .live
        .snapshots()
        .put_trouble(&key, View::History, &refused)
        .unwrap();
    assert_eq!(due(), [4], "a large query rests longer after a failure");
}

#[test]
fn lists_are_due_by_age_and_by_what_could_not_be_read_of_them() {
    let device = Device::new(ConnectionState::Active);
    assert_eq!(device.due().0, ["key", "sign-in"]);
    device.list(device.sign_in(), &[], None, 590);
    device.list(device.key(), &[], None, 610);
    assert_eq!(device.due().0, ["key"]);
    device.list(device.key(), &[], Some(failure(true)), 70);
    device.list(device.sign_in(), &[], Some(failure(true)), 50);
    assert_eq!(device.due().0, ["key"]);
    device.list(device.key(), &[], Some(failure(false)), 590);
    device.list(device.sign_in(), &[], Some(failure(false)), 610);
    assert_eq!(device.due().0, ["sign-in"]);
}

#[test]
fn a_key_takes_over_what_a_revoked_sign_in_has_left() {
    let device = Device::new(ConnectionState::Ended(EndReason::RevokedOrExpired));
    device.list(device.sign_in(), &[1, 2], None, 100);
    device.list(device.key(), &[], None, 100);
    device.numbers(1, 100);
    // Of the one that has ended nothing is asked, and the key is asked what it reaches of it.
    assert_eq!(device.due(), (vec!["key"], vec![]));
    let reached = Discovery {
        projects: vec![Project {
            connection: device.key().clone(),
            ..samples::project(1)
        }],
        failures: Vec::new(),
    };
    access::keep_list(
        &mut device.live.snapshots(),
        &device.connections,
        device.key(),
        &reached,
    )
    .unwrap();
    assert_eq!(device.due(), (vec![], vec![1]));
}
