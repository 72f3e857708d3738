//! Digests to look at.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pockethog_core::causes::{Cause, Contribution, Dimension, Explanation, Question, Share};
use pockethog_core::digest::{ClosedMove, Span};
use pockethog_core::discovery::{self, Failure};
use pockethog_core::moves::{Basis, Direction, Kind, Look, Metric, Move, UsualRange};
use pockethog_core::overview::{LeftOut, Row};
use pockethog_core::project::ProjectKey;
use pockethog_screens::{Digest, DigestMove, DigestProject, Figure};

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn usual(centre: f64, low: u64, high: u64) -> UsualRange {
    UsualRange { centre, low, high }
}

fn figure(count: u64, before: u64, usual: Option<UsualRange>) -> Figure {
    Figure {
        count,
        before: Some(before),
        usual,
        basis: usual.map(|_| Basis::Weeks(8)),
        outside: None,
    }
}

fn row(label: &str, visitors: u64) -> Row {
    Row {
        label: label.to_owned(),
        visitors,
    }
}

fn project(id: u64, name: &str) -> DigestProject {
    DigestProject {
        key: ProjectKey {
            host: "us".into(),
            id,
        },
        name: name.to_owned(),
        scheme: None,
        zone: TimeZone::UTC,
        from: date("2026-11-24"),
        until: date("2026-11-24"),
        measured_at: Some(at("2026-11-25T06:00:00Z")),
        is_old: false,
        visitors: Some(figure(457, 168, Some(usual(170.0, 150, 190)))),
        pageviews: Some(figure(1204, 402, Some(usual(400.0, 350, 460)))),
        conversions: vec![("Paid".to_owned(), figure(4, 6, None))],
        pages: Some(vec![row("/blog/why-we-moved", 301), row("/", 120)]),
        new_referrers: Some(vec![row("news.ycombinator.com", 287)]),
    }
}

fn moved(kind: Kind, since: &str) -> Move {
    Move {
        kind,
        metric: Metric::Visitors,
        since: at(since),
        look: Look::SoFar,
        count: 457,
        usual: Some(usual(170.0, 150, 190)),
        basis: Some(Basis::Weeks(8)),
        usual_gap: None,
        continues: false,
    }
}

fn explanation(value: &str, page: &str) -> Explanation {
    let since = at("2026-11-24T13:15:00Z");
    Explanation {
        measured_at: at("2026-11-25T06:00:00Z"),
        question: Question {
            direction: Direction::Up,
            since,
            hours: None,
            compared_with: vec![7, 14, 21, 28],
            until: None,
            usual: Some(170),
            left_out: LeftOut::default(),
        },
        visitors: 457,
        usual: 170,
        cause: Cause::Within {
            whole: Contribution {
                dimension: Dimension::Referrer,
                value: value.to_owned(),
                visitors: 287,
            },
            part: Contribution {
                dimension: Dimension::Page,
                value: page.to_owned(),
                visitors: 270,
            },
            share: Share::NearlyAll,
        },
        pages_alike: false,
    }
}

/// Four projects: a spike, one that was back, one with old numbers, one that is unknown.
pub(super) fn day() -> Digest {
    let mut acorn = project(1, "Acorn");
    if let Some(visitors) = &mut acorn.visitors {
        visitors.outside = Some(Direction::Up);
    }
    let mut burrow = project(2, "Burrow");
    burrow.is_old = true;
    burrow.measured_at = Some(at("2026-11-25T03:00:00Z"));
    burrow.visitors = Some(figure(168, 171, Some(usual(170.0, 150, 190))));
    burrow.new_referrers = Some(Vec::new());
    let mut fern = project(3, "Fern");
    fern.measured_at = None;
    fern.visitors = None;
    fern.pageviews = None;
    fern.conversions = Vec::new();
    (fern.pages, fern.new_referrers) = (None, None);
    Digest {
        now: at("2026-11-25T06:00:10Z"),
        span: Span::Day,
        moves: vec![
            DigestMove {
                project: 0,
                date: date("2026-11-24"),
                closed: ClosedMove {
                    moved: moved(Kind::Spike, "2026-11-24T13:15:00Z"),
                    was: None,
                },
                explanation: Some(explanation("news.ycombinator.com", "/blog/why-we-moved")),
                note: Some("HN front page".to_owned()),
            },
            DigestMove {
                project: 1,
                date: date("2026-11-24"),
                closed: ClosedMove {
                    moved: Move {
                        count: 168,
                        ..moved(Kind::BackToUsual, "2026-11-24T18:30:00Z")
                    },
                    was: Some(Direction::Down),
                },
                explanation: None,
                note: None,
            },
        ],
        ordinary: 0,
        unknown: 1,
        total: figure(625, 339, None),
        counted: 2,
        projects: vec![acorn, burrow, fern],
    }
}

/// One project over a week in which two days moved.
pub(super) fn week() -> Digest {
    let mut acorn = project(1, "Acorn");
    (acorn.from, acorn.until) = (date("2026-11-18"), date("2026-11-24"));
    acorn.visitors = Some(figure(1402, 1180, None));
    acorn.pageviews = Some(figure(3204, 2900, None));
    let on = |day: &str, kind, since: &str, look| DigestMove {
        project: 0,
        date: date(day),
        closed: ClosedMove {
            moved: Move {
                look,
                ..moved(kind, since)
            },
            was: None,
        },
        explanation: None,
        note: None,
    };
    Digest {
        span: Span::Week,
        moves: vec![
            on(
                "2026-11-24",
                Kind::Spike,
                "2026-11-24T13:15:00Z",
                Look::SoFar,
            ),
            on(
                "2026-11-20",
                Kind::Drop,
                "2026-11-20T18:15:00Z",
                Look::LastSixHours,
            ),
        ],
        ordinary: 0,
        unknown: 0,
        total: figure(1402, 1180, None),
        counted: 1,
        projects: vec![acorn],
        ..day()
    }
}

/// Names, pages, referrers, events and notes of somebody who means harm.
pub(super) fn hostile() -> Digest {
    let evil = "<script>alert(1)</script>\ninjected [click](https://evil.example) \u{1b}[31m\u{202e} www.evil";
    let mut digest = day();
    for one in &mut digest.moves {
        one.explanation = Some(explanation(evil, evil));
        one.note = Some(evil.to_owned());
        one.closed.moved.metric = Metric::Conversion(evil.to_owned());
    }
    for project in &mut digest.projects {
        project.name = evil.to_owned();
        project.pages = Some(vec![row(evil, 1)]);
        project.new_referrers = Some(vec![row(evil, 1)]);
        project.conversions = vec![(evil.to_owned(), figure(1, 1, None))];
    }
    digest
}

/// A project that could not be read.
pub(super) fn failures() -> Vec<Failure> {
    vec![Failure {
        what: "Fern".to_owned(),
        reason: "PostHog is busy; try again in a minute".to_owned(),
        transient: true,
        needs_sign_in: false,
        cause: discovery::Cause::Busy,
    }]
}
