//! Every page in every state, with invented data: the gallery writes them to files, and the browser
//! tests check each of them.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "invented numbers are small"
)]

mod projects;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::Markup;
use pockethog_core::annotations::Annotation;
use pockethog_core::discovery::{Cause, Failure};
use pockethog_core::live::Status;
use pockethog_core::overview::Change;
use pockethog_core::overview::{self, Axis, ConversionFigure, Counts, Curve, Period, Point, Range};
use pockethog_core::preferences::{Mode, ProjectPreferences, Scheme};
use pockethog_core::project::ProjectKey;
use pockethog_core::screens::{
    Arrangement, BestMover, Card, Figures, Home, Numbers, Problem, SignInOffer, Sort, Stale, Total,
    Unreadable,
};
use pockethog_core::snapshot::Trouble;
use pockethog_views::format::minute;
use pockethog_views::pages::api_key::{self, ApiKey};
use pockethog_views::pages::connections::{self, ConnectionCard, Connections};
use pockethog_views::pages::home::{self, HomePage, PAGE};
use pockethog_views::pages::message;
use pockethog_views::pages::order::{ProjectLine, ProjectList};
use pockethog_views::pages::settings::{self, Settings};
use pockethog_views::pages::sign_in::{self, Cloud, SignIn};
use pockethog_views::pages::{Shell, StatusLine};
use sign_in_with_posthog::{ConnectionId, CredentialKind, Host, Region};

/// Every page in every state, by name.
pub fn all() -> Vec<(&'static str, Markup)> {
    let mut all = Vec::new();
    all.extend(sign_ins());
    all.extend(homes());
    all.extend(projects::all());
    all.extend(others());
    all
}

fn sign_ins() -> Vec<(&'static str, Markup)> {
    vec![
        ("sign-in", sign_in::render(&first_screen())),
        (
            "sign-in-reason",
            sign_in::render(&SignIn {
                reason: Some("EU Cloud: Your access was revoked or has expired. Sign in again to continue. Your projects, favourites and colours are kept.".to_owned()),
                may_cancel: true,
                ..first_screen()
            }),
        ),
    ]
}

fn first_screen() -> SignIn {
    SignIn {
        shell: Shell::default(),
        clouds: [Region::Us, Region::Eu].map(|region| Cloud::of(&Host::cloud(region))),
        reason: None,
        may_cancel: false,
        now: now(),
        last: Vec::new(),
    }
}

fn homes() -> Vec<(&'static str, Markup)> {
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

fn others() -> Vec<(&'static str, Markup)> {
    let settings = Settings {
        shell: Shell {
            scheme: Scheme::Ember,
            ..shell()
        },
        scheme: Scheme::Ember,
        path: "/home/ada/.config/pockethog/preferences.toml".to_owned(),
        projects: ProjectList {
            lines: [
                "Acorn Market",
                "Burrow Docs",
                "A project whose name somebody kept adding to",
                "مدونة",
            ]
            .into_iter()
            .enumerate()
            .map(|(id, name)| settings_line(id, name))
            .collect(),
            ..ProjectList::default()
        },
        accounts: vec![(
            "ada@example.com".to_owned(),
            "EU Cloud · signed in with the browser".to_owned(),
        )],
        ..Settings::default()
    };
    let mut many = settings.clone();
    many.projects = ProjectList {
        lines: (0..2000)
            .map(|id| settings_line(id, &format!("Project {id:04}")))
            .collect(),
        page: 7,
        ..ProjectList::default()
    };
    let mut searched = many.clone();
    "project 012".clone_into(&mut searched.projects.filter);
    let mut not_found = many.clone();
    "zebra".clone_into(&mut not_found.projects.filter);
    let mut broken = settings.clone();
    broken.broken = Some("The preferences file cannot be understood in line 12: a colour scheme called “lava” does not exist.".to_owned());
    let words = |scopes: &[&str]| {
        scopes
            .iter()
            .map(|&scope| scope.to_owned())
            .collect::<Vec<_>>()
    };
    let full = [
        "openid",
        "profile",
        "organization:read",
        "project:read",
        "query:read",
        "event_definition:read",
        "annotation:read",
        "annotation:write",
    ];
    vec![
        ("settings", settings::render(&settings)),
        ("settings-many", settings::render(&many)),
        ("settings-searched", settings::render(&searched)),
        ("settings-no-match", settings::render(&not_found)),
        ("settings-broken", settings::render(&broken)),
        (
            "connections",
            connections::render(&Connections {
                shell: shell(),
                connections: vec![
                    ConnectionCard {
                        id: "eu-oauth-1".to_owned(),
                        who: "ada@example.com".to_owned(),
                        host: "EU Cloud".to_owned(),
                        can_sign_in: true,
                        granted: words(&full),
                        reach: "All organizations".to_owned(),
                        vault: "Keychain of this device".to_owned(),
                        refreshed: Some("12 min ago".to_owned()),
                        projects: 12,
                        ..ConnectionCard::default()
                    },
                    ConnectionCard {
                        id: "us-oauth-2".to_owned(),
                        who: "Ada Lovelace".to_owned(),
                        host: "US Cloud".to_owned(),
                        can_sign_in: true,
                        signed_out: Some("PocketHog’s access was revoked in PostHog’s settings.".to_owned()),
                        granted: words(&full[..5]),
                        missing: words(&full[5..]),
                        reach: "2 projects: Quillcast, Snuffle App".to_owned(),
                        vault: "Encrypted file".to_owned(),
                        projects: 2,
                        failures: vec![failure("Projects of Burrow", "PostHog does not allow it")],
                        ..ConnectionCard::default()
                    },
                    ConnectionCard {
                        id: "key-3".to_owned(),
                        who: "API key at a-very-long-host-name.of-an-organization.example".to_owned(),
                        host: "a-very-long-host-name.of-an-organization.example".to_owned(),
                        by_key: true,
                        reach: "What the key may read".to_owned(),
                        vault: "Encrypted file".to_owned(),
                        projects: 1,
                        ..ConnectionCard::default()
                    },
                ],
            }),
        ),
        ("api-key", api_key::render(&key_form())),
        (
            "api-key-error",
            api_key::render(&ApiKey {
                shell: shell(),
                address: "http://posthog.example".to_owned(),
                fault: Some(api_key::Fault::Address("This address would send the key in clear. Use https, or http on this machine only.".to_owned())),
                ..key_form()
            }),
        ),
        ("not-found", message::render(&message::not_found(shell()))),
        ("unknown-project", message::render(&message::unknown_project(shell()))),
    ]
}

fn settings_line(id: usize, name: &str) -> ProjectLine {
    ProjectLine {
        key: ProjectKey {
            host: "us".to_owned(),
            id: id as u64,
        },
        original_name: name.to_owned(),
        host: "US".to_owned(),
        preferences: ProjectPreferences {
            favourite: id == 0,
            hidden: id == 2,
            ..ProjectPreferences::default()
        },
    }
}

fn key_form() -> ApiKey {
    ApiKey {
        hosts: [Region::Us, Region::Eu]
            .map(Host::cloud)
            .map(|host| (host.issuer(), host.name()))
            .to_vec(),
        ..ApiKey::default()
    }
}

fn before(minutes: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - minutes * 60).expect("an instant")
}

fn status(status: Status) -> StatusLine {
    StatusLine::new(&status, now())
}

fn now() -> Timestamp {
    "2026-11-23T15:20:00Z".parse().expect("an instant")
}

/// Numbers of a range of `places` hours or days.
pub fn period(range: Range, places: i64) -> Period {
    let step = if range == Range::Day { 3600 } else { 86_400 };
    let last = now().as_second() / step * step;
    let points = |seed: u64, back: i64| -> Vec<Point> {
        curve(seed, places as u64, 5000)
            .into_iter()
            .enumerate()
            .map(|(place, visitors)| Point {
                start: Timestamp::from_second(last - (places - 1 - place as i64 + back) * step)
                    .expect("an instant"),
                visitors,
                pageviews: visitors * 27 / 10,
            })
            .collect()
    };
    Period {
        measured_at: now(),
        range,
        time_zone: "UTC".to_owned(),
        time_zone_known: true,
        now: Counts {
            visitors: 125_686,
            pageviews: 343_122,
        },
        before: Counts {
            visitors: 103_106,
            pageviews: 289_310,
        },
        sessions: 155_850,
        sessions_before: 158_637,
        points: points(1, 0),
        points_before: points(5, places),
        conversions: [
            ("Signed up", 4642, 3200),
            ("Started trial", 2472, 2270),
            ("Paid", 994, 725),
            ("Invited a teammate", 1839, 1509),
        ]
        .map(|(event, persons, persons_before)| ConversionFigure {
            event: event.to_owned(),
            persons,
            persons_before,
        })
        .to_vec(),
    }
}

fn annotation(id: u64, text: &str, days_ago: i64) -> Annotation {
    Annotation {
        id,
        text: text.to_owned(),
        at: Timestamp::from_second(now().as_second() - days_ago * 86_400).expect("an instant"),
        author: Some("Marek".to_owned()),
        organization_wide: id == 2,
        version: String::new(),
    }
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
            best_mover: Some(BestMover {
                key: cards[7].key.clone(),
                name: "Snuffle App".to_owned(),
                change: Change::between(483, 379),
            }),
        },
        cards,
        ..Home::default()
    };
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

fn connection() -> ConnectionId {
    ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::ApiKey, "ada")
}

fn trouble(reason: &str) -> Trouble {
    Trouble {
        at: now(),
        reason: reason.to_owned(),
        transient: true,
        cause: Cause::Busy,
        retry_at: None,
    }
}

fn failure(what: &str, reason: &str) -> Failure {
    Failure {
        what: what.to_owned(),
        reason: reason.to_owned(),
        transient: false,
        needs_sign_in: false,
        cause: Cause::Forbidden,
    }
}

fn not_listed(what: &str, reason: &str) -> Problem {
    Problem::NotListed {
        connection: connection(),
        failure: failure(what, reason),
    }
}

fn counts(visitors: u64) -> Counts {
    Counts {
        visitors,
        pageviews: visitors * 27 / 10,
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
        best_mover: None,
    }
}

fn shell() -> Shell {
    Shell {
        connected: vec!["ada@example.com".to_owned()],
        made: Some(minute(now(), &TimeZone::UTC)),
        status: Some(status(Status::Live)),
        ..Shell::default()
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
            today: Some(jiff::civil::date(2026, 11, 24)),
            stale: None,
            unknown_zone: None,
        }),
        trouble: None,
    }
}

/// Something like a month of visitors: weekends are quiet.
fn curve(seed: u64, length: u64, size: u64) -> Vec<u64> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..length)
        .map(|day| {
            let weekend = (day + seed).is_multiple_of(7) || (day + seed + 1).is_multiple_of(7);
            let base = if weekend { 0.6 } else { 1.0 };
            let share = base * (0.85 + 0.3 * random.f64());
            (size as f64 * share) as u64
        })
        .collect()
}
