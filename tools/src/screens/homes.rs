//! The home page in every state.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::Markup;
use pockethog_core::live::Status;
use pockethog_core::moves::{
    Basis, ByNow, Direction, Kind, Look, Metric, Move, Moves, Together, UsualRange, UsualTotal,
};
use pockethog_core::overview::{self, Axis, Curve};
use pockethog_core::preferences::{Mode, Scheme};
use pockethog_core::project::ProjectKey;
use pockethog_screens::{
    Arrangement, Card, Figures, Home, MoveNote, Numbers, Problem, SignInOffer, Sort, Stale, Total,
    Unreadable,
};
use pockethog_views::pages::home::{self, HomePage, PAGE};

use super::{before, connection, counts, curve, failure, now, shell, trouble};

pub(super) fn all() -> Vec<(&'static str, Markup)> {
    let usual = usual_home();
    let with = |change: &dyn Fn(&mut HomePage)| {
        let mut view = usual.clone();
        change(&mut view);
        home::render(&view)
    };
    let arranged = |view: &mut HomePage, sort, filter: &str| {
        view.home.arrange(&Arrangement {
            sort,
            filter: filter.to_owned(),
            page: 0,
            page_size: Some(PAGE),
        });
    };
    vec![
        ("home", home::render(&usual)),
        (
            "home-as-usual",
            with(&|view| {
                for card in &mut view.home.cards {
                    if let Numbers::Known(figures) = &mut card.numbers {
                        figures.moved = None;
                    }
                }
                view.home.moves = moves_of(&view.home);
            }),
        ),
        (
            "home-together",
            with(&|view| {
                view.home.moves.together = Some(Together {
                    direction: Direction::Down,
                    moved: 8,
                    of: 12,
                });
            }),
        ),
        (
            "home-new",
            with(&|view| {
                for card in &mut view.home.cards {
                    if let Numbers::Known(figures) = &mut card.numbers {
                        (figures.usual, figures.moved) = (None, None);
                    }
                }
                (view.home.total.usual, view.home.moves) = (None, moves_of(&view.home));
                view.home.total.usual_curve.clear();
            }),
        ),
        (
            "home-lagoon",
            with(&|view| view.shell.scheme = Scheme::Lagoon),
        ),
        ("home-fern", with(&|view| view.shell.scheme = Scheme::Fern)),
        ("home-plum", with(&|view| view.shell.scheme = Scheme::Plum)),
        (
            "home-graphite",
            with(&|view| {
                view.shell.scheme = Scheme::Graphite;
                view.shell.mode = Mode::Auto;
            }),
        ),
        (
            "home-loading-first",
            with(&|view| {
                view.home.cards.clear();
                view.home.status = Status::Loading { done: 0, total: 0 };
            }),
        ),
        (
            "home-loading",
            with(&|view| {
                view.home.status = Status::Loading { done: 8, total: 14 };
                view.home.total = Total::default();
                view.home.moves = Moves::default();
                for card in view.home.cards.iter_mut().skip(8) {
                    card.numbers = Numbers::Loading;
                }
            }),
        ),
        (
            "home-offline",
            with(&|view| {
                view.home.status = Status::Offline(Some(before(3 * 60)));
            }),
        ),
        (
            "home-troubles",
            with(&|view| {
                view.home.status = Status::Busy(Some(before(12)));
                view.shell.connected = vec!["ada@example.com".to_owned(), "Marek".to_owned()];
                for (place, card) in view.home.cards.iter_mut().enumerate() {
                    card.host = Some(if place % 3 == 0 { "US" } else { "EU" }.to_owned());
                    if let Numbers::Known(figures) = &mut card.numbers
                        && card.name == "Mossbank"
                    {
                        figures.measured_at = before(12);
                        figures.stale = Some(Stale::Failed);
                        card.trouble = Some(trouble("PostHog is busy (503)"));
                    }
                }
                let card = &mut view.home.cards[4];
                card.numbers = Numbers::Unreadable(Unreadable::Failed);
                card.trouble = Some(trouble(
                    "The access you gave does not cover this project any more.",
                ));
                view.home.cards[7].numbers = Numbers::Empty(None);
                view.home.hidden = 2;
                view.home.has_own_order = true;
                arranged(view, Some(Sort::Visitors), "");
                view.home.problems = vec![
                    Problem::Outage {
                        connection: connection(),
                        host: "EU Cloud".to_owned(),
                        reason: "PostHog asked us to slow down, for 30 seconds".to_owned(),
                    },
                    not_listed(
                        "Projects of Burrow",
                        "PostHog does not allow it: Your organization’s administrator has to approve this application",
                    ),
                ];
                view.home.offers = vec![SignInOffer {
                    connection: connection(),
                    host: "US Cloud".to_owned(),
                }];
            }),
        ),
        (
            "home-names",
            with(&|view| {
                let names = [
                    "A project whose name somebody kept adding to until it said everything about it",
                    "مدونة القنفذ للأعمال والتجارة",
                    "ハリネズミ商店",
                    "ЁжикВТуманеБезЕдиногоПробелаВНазвании",
                    "<b>Bold</b> & \"Sons\"",
                    "🦔 Igel",
                ];
                for (card, name) in view.home.cards.iter_mut().zip(names) {
                    name.clone_into(&mut card.name);
                    card.favourite = true;
                }
                "a-very-long-host-name.of-an-organization.example"
                    .clone_into(&mut view.home.cards[0].subtitle);
                view.home.cards[0].host = Some("analytics.internal.example".to_owned());
                if let Numbers::Known(figures) = &mut view.home.cards[1].numbers {
                    figures.now.visitors = 123_456_789;
                }
                arranged(view, None, "");
                view.home.total.sum.sums = Some((counts(1_234_567_890), counts(1_100_000_000)));
                view.shell.connected = vec![
                    "a.very.long.address.of.somebody@a-very-long-host-name.example".to_owned(),
                ];
            }),
        ),
        (
            "home-many",
            with(&|view| {
                view.home.cards = (0..500)
                    .map(|id| {
                        card(
                            id,
                            &format!("Project {id}"),
                            (id * 7919) % 4000,
                            (id * 104_729) % 4000 + 1,
                        )
                    })
                    .collect();
                arranged(view, Some(Sort::Name), "");
            }),
        ),
        (
            "home-one",
            with(&|view| {
                view.home.cards.truncate(1);
                arranged(view, None, "");
            }),
        ),
        ("home-no-match", with(&|view| arranged(view, None, "zebra"))),
        ("home-nothing", with(&|view| view.home.cards.clear())),
        (
            "home-all-failed",
            with(&|view| {
                view.home.cards.clear();
                view.home.problems = vec![not_listed("EU Cloud", "PostHog is busy (502)")];
            }),
        ),
    ]
}

/// A home page with nothing out of the ordinary.
pub fn usual_home() -> HomePage {
    let names = [
        ("Acorn Market", 4169, 4009),
        ("Burrow Docs", 2644, 2552),
        ("Quillcast", 1670, 1763),
        ("Hedgerow Blog", 1441, 1291),
        ("Nightjar API", 901, 775),
        ("Thistle & Co", 896, 939),
        ("Pebble POS", 524, 520),
        ("Snuffle App", 483, 379),
        ("Fernway Travel", 457, 559),
        ("Mossbank", 202, 225),
        ("Windfall Games", 123, 121),
        ("Dormouse Beta", 28, 23),
    ];
    let mut cards: Vec<Card> = names
        .into_iter()
        .enumerate()
        .map(|(id, (name, now, before))| card(id as u64, name, now, before))
        .collect();
    cards[3].favourite = true;
    cards[8].scheme = Some(Scheme::Lagoon);
    let mut home = Home {
        now: now(),
        total: Total {
            sum: sum(),
            unread: false,
            usual: Some(usual_total()),
            usual_curve: usual_curve(),
        },
        cards,
        ..Home::default()
    };
    move_some(&mut home);
    home.arrange(&Arrangement {
        page_size: Some(PAGE),
        ..Arrangement::default()
    });
    HomePage {
        shell: shell(),
        home,
        viewer: TimeZone::UTC,
        just_hidden: None,
    }
}

fn not_listed(what: &str, reason: &str) -> Problem {
    Problem::NotListed {
        connection: connection(),
        failure: failure(what, reason),
    }
}

/// The last 24 hours of projects around the world.
fn sum() -> overview::Total {
    let hour = |hour: i64| {
        let now = now().as_second() / 3600 + hour;
        Timestamp::from_second(now * 3600).expect("an instant")
    };
    overview::Total {
        members: vec![true; 14],
        sums: Some((counts(13_538), counts(13_156))),
        online: Some(181),
        measured_at: Some(now()),
        curve: Some(Curve {
            axis: Axis::LastHours,
            starts: (-24..0).map(hour).collect(),
            now: vec![
                720, 590, 470, 380, 320, 265, 262, 270, 250, 262, 300, 310, 400, 485, 560, 740,
                920, 980, 1110, 1325, 1225, 1170, 1000, 960,
            ],
            before: vec![
                880, 720, 590, 470, 380, 320, 220, 225, 250, 262, 255, 262, 300, 360, 460, 545,
                720, 880, 1040, 1180, 1145, 1175, 1190, 1040,
            ],
        }),
    }
}

fn card(id: u64, name: &str, visitors: u64, before: u64) -> Card {
    Card {
        key: ProjectKey {
            host: "us".to_owned(),
            id,
        },
        connection: connection(),
        name: name.to_owned(),
        subtitle: format!("{}.example", name.to_lowercase().replace([' ', '&'], "")),
        host: None,
        favourite: false,
        scheme: None,
        numbers: Numbers::Known(Figures {
            measured_at: now(),
            now: counts(visitors),
            before: counts(before),
            online: None,
            curve: curve(id, 30, visitors),
            today: Some(jiff::civil::date(2026, 11, 23)),
            time_zone: "Europe/Berlin".to_owned(),
            usual: Some(ByNow {
                count: visitors,
                usual: around(before, 0.12),
                basis: Basis::Weeks(8),
            }),
            moved: None,
            stale: None,
            unknown_zone: None,
        }),
        trouble: None,
    }
}

/// A usual range around a centre.
fn around(centre: u64, share: f64) -> UsualRange {
    let centre = centre as f64;
    usual_range(centre, centre * share + 2.0 * centre.sqrt())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small and positive
fn usual_range(centre: f64, half: f64) -> UsualRange {
    UsualRange {
        centre,
        low: (centre - half).max(0.0) as u64,
        high: (centre + half) as u64,
    }
}

fn usual_total() -> UsualTotal {
    UsualTotal {
        count: 13_538,
        usual: usual_range(13_156.0, 400.0),
        basis: Basis::Weeks(8),
        projects: 14,
    }
}

/// What is usual in the hours of [`sum`].
fn usual_curve() -> Vec<f64> {
    let hours = [
        780, 640, 520, 420, 340, 280, 230, 225, 250, 262, 255, 275, 340, 420, 510, 640, 820, 960,
        1080, 1180, 1145, 1175, 1120, 1000,
    ];
    hours.map(f64::from).into()
}

/// Makes three projects move: a spike, a drop, and silence.
fn move_some(home: &mut Home) {
    let moves = [
        ("Snuffle App", Kind::Spike, 140, 20, 170),
        ("Fernway Travel", Kind::Drop, 185, 40, 580),
        ("Pebble POS", Kind::Silent, 138, 9, 520),
    ];
    for (name, kind, minutes, gap, centre) in moves {
        let Some(card) = home.cards.iter_mut().find(|card| card.name == name) else {
            continue;
        };
        if let Numbers::Known(figures) = &mut card.numbers {
            let usual = usual_range(f64::from(centre), 0.12 * f64::from(centre));
            let count = figures.now.visitors;
            figures.usual = figures.usual.map(|by_now| ByNow { usual, ..by_now });
            figures.moved = Some(Move {
                kind,
                metric: Metric::Visitors,
                since: before(minutes),
                look: Look::SoFar,
                count,
                usual: Some(usual),
                basis: Some(Basis::Weeks(8)),
                usual_gap: (kind == Kind::Silent).then_some(gap * 60),
                continues: false,
            });
        }
    }
    home.moves = moves_of(home);
    // One is near a note, and to the others one can be added.
    for (place, listed) in home.moves.listed.iter().enumerate() {
        let note = MoveNote {
            near: (place == 1).then(|| "HN front page".to_owned()),
            may_write: true,
        };
        home.notes.insert(listed.project.clone(), note);
    }
}

fn moves_of(home: &Home) -> Moves {
    pockethog_core::moves::moves(home.cards.iter().map(|card| {
        let figures = card.figures();
        let moved = figures.and_then(|figures| figures.moved.as_ref());
        let is_known = figures.is_some_and(|figures| figures.usual.is_some());
        (&card.key, is_known, moved)
    }))
}
