//! Writes every page in every state, with invented data, as HTML files to the folder given as the
//! argument, for looking at them in a browser.

#![expect(
    clippy::cast_possible_truncation,
    reason = "invented numbers are small"
)]

use std::path::Path;
use std::{env, fs, io};

use maud::Markup;
use pockethog::pages::home::{self, Card, Home, KeyBanner, Numbers, Sort, Total, Trouble};
use pockethog::pages::sign_in::{self, SignIn};
use pockethog::pages::{self, Shell, Status};
use pockethog::preferences::{Mode, Scheme};
use pockethog::project::ProjectKey;

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).unwrap_or_else(|| "gallery".to_owned());
    let folder = Path::new(&folder);
    fs::create_dir_all(folder.join("assets"))?;
    fs::write(folder.join("assets/style.css"), pages::style_sheet())?;
    fs::write(folder.join("assets/app.js"), pages::SCRIPT)?;
    fs::write(folder.join("assets/icon.svg"), pages::ICON)?;
    for (name, page) in gallery() {
        fs::write(folder.join(format!("{name}.html")), page.into_string())?;
    }
    Ok(())
}

fn gallery() -> Vec<(&'static str, Markup)> {
    let mut all = Vec::new();
    all.extend(sign_ins());
    all.extend(homes());
    all
}

fn sign_ins() -> Vec<(&'static str, Markup)> {
    vec![
        ("sign-in", sign_in::render(&SignIn::default())),
        (
            "sign-in-reason",
            sign_in::render(&SignIn {
                reason: Some("Your sign-in at EU Cloud was revoked in PostHog’s settings. Sign in again; your projects, favourites and colours are kept.".to_owned()),
                may_cancel: true,
                ..SignIn::default()
            }),
        ),
    ]
}

fn homes() -> Vec<(&'static str, Markup)> {
    let usual = usual_home();
    let with = |change: &dyn Fn(&mut Home)| {
        let mut view = usual.clone();
        change(&mut view);
        home::render(&view)
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
                view.cards.clear();
                view.shell.status = Some(Status::Loading { done: 0, total: 0 });
            }),
        ),
        (
            "home-loading",
            with(&|view| {
                view.shell.status = Some(Status::Loading { done: 8, total: 14 });
                view.total.visitors = None;
                view.total.best_mover = None;
                view.total.online = None;
                for card in view.cards.iter_mut().skip(8) {
                    card.numbers = Numbers::Loading;
                }
            }),
        ),
        (
            "home-offline",
            with(&|view| {
                view.shell.status = Some(Status::Offline(Some("3 h ago".to_owned())));
                view.shell.notices.push(home::offline_notice("3 h ago"));
            }),
        ),
        (
            "home-troubles",
            with(&|view| {
                view.shell.status = Some(Status::Busy("12 min ago".to_owned()));
                view.shell.connected = vec!["ada@example.com".to_owned(), "Marek".to_owned()];
                for (place, card) in view.cards.iter_mut().enumerate() {
                    card.host = Some(if place % 3 == 0 { "US" } else { "EU" }.to_owned());
                    if let Numbers::Known { stale, .. } = &mut card.numbers
                        && place == 2
                    {
                        *stale = Some("PostHog is busy, numbers from 12 min ago".to_owned());
                    }
                }
                view.cards[4].numbers = Numbers::Unreadable(
                    "The access you gave does not cover this project any more.".to_owned(),
                );
                view.cards[7].numbers = Numbers::Empty;
                view.hidden = 2;
                view.has_own_order = true;
                view.troubles = vec![
                    Trouble {
                        what: "Mossbank".to_owned(),
                        reason: "PostHog is busy, numbers from 12 min ago.".to_owned(),
                        action: None,
                    },
                    Trouble {
                        what: "Organization Burrow".to_owned(),
                        reason: "could not be read: access was refused. An administrator may have to allow PocketHog.".to_owned(),
                        action: Some(("Connections".to_owned(), "/connections".to_owned())),
                    },
                ];
                view.banners = vec![KeyBanner {
                    connection: "us-key".to_owned(),
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
                for (card, name) in view.cards.iter_mut().zip(names) {
                    name.clone_into(&mut card.name);
                    card.favourite = true;
                }
                "a-very-long-host-name.of-an-organization.example"
                    .clone_into(&mut view.cards[0].subtitle);
                view.cards[0].host = Some("analytics.internal.example".to_owned());
                if let Numbers::Known { visitors, .. } = &mut view.cards[1].numbers {
                    *visitors = 123_456_789;
                }
                view.total.visitors = Some(1_234_567_890);
                view.shell.connected = vec![
                    "a.very.long.address.of.somebody@a-very-long-host-name.example".to_owned(),
                ];
            }),
        ),
        (
            "home-many",
            with(&|view| {
                view.cards = (0..500)
                    .map(|id| {
                        card(
                            id,
                            &format!("Project {id}"),
                            (id * 7919) % 4000,
                            (id * 104_729) % 4000 + 1,
                        )
                    })
                    .collect();
                view.sort = Sort::Name;
            }),
        ),
        ("home-one", with(&|view| view.cards.truncate(1))),
        (
            "home-no-match",
            with(&|view| "zebra".clone_into(&mut view.filter)),
        ),
        ("home-nothing", with(&|view| view.cards.clear())),
        (
            "home-all-failed",
            with(&|view| {
                view.cards.clear();
                view.troubles = vec![Trouble {
                    what: "EU Cloud".to_owned(),
                    reason: "PostHog answered with an error page (502). PocketHog keeps trying."
                        .to_owned(),
                    action: None,
                }];
            }),
        ),
    ]
}

fn usual_home() -> Home {
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
    Home {
        shell: shell(),
        total: Total {
            visitors: Some(13_538),
            before: 13_156,
            hours: vec![
                265, 262, 270, 250, 262, 300, 310, 400, 485, 560, 740, 920, 980, 1110, 1325, 1225,
                1170, 1000, 860, 735,
            ],
            hours_before: vec![
                220, 225, 250, 262, 255, 262, 300, 360, 460, 545, 720, 880, 1040, 1180, 1145, 1175,
                1190, 1040, 880, 720, 590, 470, 380, 320,
            ],
            online: Some(181),
            best_mover: Some(("Snuffle App".to_owned(), "/project/us/7".to_owned())),
        },
        cards,
        ..Home::default()
    }
}

fn shell() -> Shell {
    Shell {
        connected: vec!["ada@example.com".to_owned()],
        status: Some(Status::Live),
        ..Shell::default()
    }
}

fn card(id: u64, name: &str, visitors: u64, before: u64) -> Card {
    Card {
        key: ProjectKey {
            host: "us".to_owned(),
            id,
        },
        name: name.to_owned(),
        subtitle: format!("{}.example", name.to_lowercase().replace([' ', '&'], "")),
        host: None,
        favourite: false,
        scheme: None,
        numbers: Numbers::Known {
            visitors,
            before,
            days: curve(id, 30, visitors),
            stale: None,
        },
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
            #[expect(clippy::cast_sign_loss, reason = "a positive share")]
            let value = (size as f64 * share) as u64;
            value
        })
        .collect()
}
