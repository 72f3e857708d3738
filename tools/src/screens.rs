//! Every page in every state, with invented data: the gallery writes them to files, and the browser
//! tests check each of them.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "invented numbers are small"
)]

mod homes;
mod projects;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::Markup;
use pockethog_core::annotations::Annotation;
use pockethog_core::discovery::{Cause, Failure};
use pockethog_core::live::Status;
use pockethog_core::overview::{ConversionFigure, Counts, LeftOut, Period, Point, Range};
use pockethog_core::preferences::{ProjectPreferences, Scheme};
use pockethog_core::project::ProjectKey;
use pockethog_core::snapshot::Trouble;
use pockethog_views::format::minute;
use pockethog_views::pages::api_key::{self, ApiKey};
use pockethog_views::pages::connections::{self, ConnectionCard, Connections};
use pockethog_views::pages::message;
use pockethog_views::pages::order::{ProjectLine, ProjectList};
use pockethog_views::pages::settings::{self, Settings};
use pockethog_views::pages::sign_in::{self, Cloud, SignIn};
use pockethog_views::pages::{Shell, StatusLine};
use sign_in_with_posthog::{ConnectionId, CredentialKind, Host, Region};

pub use self::homes::usual_home;

/// Every page in every state, by name.
pub fn all() -> Vec<(&'static str, Markup)> {
    let mut all = Vec::new();
    all.extend(sign_ins());
    all.extend(homes::all());
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
        left_out: LeftOut::default(),
        lacks_bots: false,
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

fn counts(visitors: u64) -> Counts {
    Counts {
        visitors,
        pageviews: visitors * 27 / 10,
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
