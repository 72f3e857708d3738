//! One content per state, for the tests of the formats.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sign_in_with_posthog::{ConnectionId, CredentialKind, EndReason, Host, Region};

use pockethog_core::discovery::Cause;
use pockethog_core::moves::{Basis, ByNow, Kind, Look, Metric, Move, UsualRange, visitors_change};
use pockethog_core::overview::{Change, Counts, LeftOut, Point};
use pockethog_core::preferences::Scheme;
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::snapshot::Trouble;
use pockethog_core::widget::{Content, Numbers, Row, State};

/// A name that tries to break out of every format.
pub(super) const HOSTILE: &str = "-- <b>&\"'|#[fg=red]#{pid}#(id) \x1b[31m\nx %H";

pub(super) fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn before(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

pub(super) fn numbers(visitors: u64, visitors_before: u64, minutes_old: i64) -> Numbers {
    let counts = |visitors| Counts {
        visitors,
        pageviews: visitors * 3,
    };
    let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let hours = |count: i64, shift: i64, top: u64| -> Vec<Point> {
        (0..count)
            .map(|hour| {
                let visitors = top * (24 - u64::try_from((hour - 14).abs()).unwrap()) / 100;
                Point {
                    start: midnight + SignedDuration::from_hours(hour + shift),
                    visitors,
                    pageviews: visitors * 3,
                }
            })
            .collect()
    };
    Numbers {
        measured_at: before(minutes_old),
        time_zone: Some("UTC".to_owned()),
        time_zone_known: true,
        now: counts(visitors),
        before: counts(visitors_before),
        change: Change::between(visitors, visitors_before).uncoloured(),
        usual: None,
        points: hours(13, 0, visitors),
        points_before: hours(24, -24, visitors_before),
        points_earlier: hours(12, -36, visitors_before),
        curve: (0..30)
            .map(|day| visitors * (60 + day * 7 % 40) / 100)
            .collect(),
        has_events: visitors > 0,
        left_out: LeftOut::default(),
        lacks_bots: false,
    }
}

/// Of a number that has left its range.
pub(super) fn a_move(kind: Kind) -> Move {
    Move {
        kind,
        metric: Metric::Visitors,
        since: before(60),
        look: Look::SoFar,
        count: 20,
        usual: Some(UsualRange {
            centre: 100.0,
            low: 80,
            high: 120,
        }),
        basis: None,
        usual_gap: None,
        continues: false,
    }
}

/// A project that has moved, beside what is usual.
pub(super) fn moved_row(id: u64, name: &str, kind: Kind) -> Row {
    let mut row = row(id, name, State::Fresh, Some(numbers(20, 19, 3)));
    let moved = a_move(kind);
    if let (Some(numbers), Some(usual)) = (&mut row.numbers, moved.usual) {
        let by_now = ByNow {
            count: 20,
            usual,
            basis: Basis::Weeks(8),
        };
        numbers.usual = Some(by_now);
        numbers.change = visitors_change(Some(&moved), Some(by_now), (20, 19));
    }
    row.moved = Some(moved);
    row
}

pub(super) fn row(id: u64, name: &str, state: State, numbers: Option<Numbers>) -> Row {
    let connection = ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::OAuth, "a");
    let (reason, cause) = match state {
        State::Offline => ("us.posthog.com could not be reached", Cause::Offline),
        State::Throttled => ("PostHog asked us to slow down for 57 s", Cause::Throttled),
        State::Forbidden => (
            "the sign-in does not include the permission query:read",
            Cause::Forbidden,
        ),
        _ => ("", Cause::Other),
    };
    Row {
        project: Project {
            key: ProjectKey {
                host: "us".to_owned(),
                id,
            },
            name: name.to_owned(),
            organization: None,
            organization_name: None,
            time_zone: "UTC".to_owned(),
            has_events: None,
            website: None,
            connection,
        },
        name: name.to_owned(),
        address: Some(format!("https://us.posthog.com/project/{id}/web")),
        annotations: Vec::new(),
        moved: None,
        numbers,
        trouble: (!reason.is_empty()).then(|| Trouble {
            at: before(1),
            reason: reason.to_owned(),
            transient: true,
            cause,
            retry_at: None,
        }),
        ended: (state == State::SignedOut).then_some(EndReason::RevokedOrExpired),
        state,
        due: false,
    }
}

pub(super) fn content(rows: Vec<Row>, state: State, sentence: Option<&str>) -> Content {
    Content {
        title: match rows.as_slice() {
            [row] => row.name.clone(),
            _ => "All projects".to_owned(),
        },
        range: None,
        summed: rows.len() != 1,
        rows,
        state,
        sentence: sentence.map(ToOwned::to_owned),
        failures: Vec::new(),
        now: now(),
        scheme: Scheme::default(),
        max_age: Duration::from_secs(900),
        undiscovered: HashSet::new(),
        old_lists: HashSet::new(),
    }
}

/// Every state by name.
pub(super) fn all() -> Vec<(&'static str, Content)> {
    let acorn = |minutes| Some(numbers(13_538, 13_012, minutes));
    let two = |first: State, second: State, other: Option<Numbers>| {
        vec![
            row(1, "Acorn Market", first, acorn(3)),
            row(2, "Quillcast", second, other),
        ]
    };
    let one = |state, numbers| vec![row(1, "Acorn Market", state, numbers)];
    let revoked = EndReason::RevokedOrExpired.sentence();
    vec![
        (
            "fresh",
            content(one(State::Fresh, acorn(3)), State::Fresh, None),
        ),
        (
            "fresh sum",
            content(
                two(State::Fresh, State::Fresh, Some(numbers(1670, 1763, 5))),
                State::Fresh,
                None,
            ),
        ),
        (
            "several by themselves",
            Content {
                title: "2 projects".to_owned(),
                summed: false,
                ..content(
                    two(State::Fresh, State::Offline, Some(numbers(1670, 1763, 190))),
                    State::Partly,
                    Some("Quillcast: us.posthog.com could not be reached"),
                )
            },
        ),
        (
            "stale",
            content(one(State::Stale, acorn(190)), State::Stale, None),
        ),
        (
            "offline",
            content(
                one(State::Offline, acorn(190)),
                State::Offline,
                Some("us.posthog.com could not be reached"),
            ),
        ),
        (
            "offline without numbers",
            content(
                one(State::Offline, None),
                State::Offline,
                Some("us.posthog.com could not be reached"),
            ),
        ),
        (
            "throttled",
            content(
                one(State::Throttled, acorn(20)),
                State::Throttled,
                Some("PostHog asked us to slow down for 57 s"),
            ),
        ),
        (
            "one of two missing",
            content(
                two(State::Fresh, State::Forbidden, None),
                State::Partly,
                Some("Quillcast: the sign-in does not include the permission query:read"),
            ),
        ),
        (
            "empty",
            content(
                one(State::Empty, Some(numbers(0, 0, 3))),
                State::Empty,
                Some("There were no events in this period."),
            ),
        ),
        (
            "signed out",
            content(
                one(State::SignedOut, acorn(190)),
                State::SignedOut,
                Some(revoked),
            ),
        ),
        (
            "signed out without numbers",
            content(vec![], State::SignedOut, Some(revoked)),
        ),
        (
            "never signed in",
            content(
                vec![],
                State::NeverSignedIn,
                Some("Sign in first: `pockethog login us`."),
            ),
        ),
        (
            "no projects",
            content(
                vec![],
                State::NoProjects,
                Some("The sign-in can read no project."),
            ),
        ),
        (
            "unknown project",
            content(
                vec![],
                State::UnknownProject,
                Some("There is no project “Nut”"),
            ),
        ),
        (
            "moved",
            content(
                vec![moved_row(1, "Acorn Market", Kind::Drop)],
                State::Fresh,
                None,
            ),
        ),
        (
            "moved sum",
            content(
                vec![
                    moved_row(1, "Acorn Market", Kind::Spike),
                    moved_row(2, HOSTILE, Kind::Silent),
                    moved_row(3, "Burrow Docs", Kind::BackToUsual),
                ],
                State::Fresh,
                None,
            ),
        ),
        (
            "hostile name",
            content(
                vec![row(1, HOSTILE, State::Fresh, acorn(3))],
                State::Fresh,
                None,
            ),
        ),
    ]
}

/// All states in one format, for one snapshot.
pub(super) fn printed(format: impl Fn(&Content) -> String) -> String {
    all().iter().fold(String::new(), |text, (name, content)| {
        text + &format!("[{name}]\n") + &format(content)
    })
}
