//! Parts of the program inside one process: what a widget, a page and a refresh are made of. Whole processes
//! are measured by `cargo xtask bench`, which runs this too.

use divan::Bencher;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pockethog_core::overview::{self, Asked, Axis, Counts, Curve, Point, Today};
use pockethog_core::project::ProjectKey;
use pockethog_core::snapshot::Snapshots;
use pockethog_screens::{Arrangement, Card, Figures, Home, Numbers, Total};
use pockethog_views::charts::image::{Figure, Size, WidgetImage};
use pockethog_views::charts::png::png;
use pockethog_views::pages::Shell;
use pockethog_views::pages::home::{self, HomePage, PAGE};
use sign_in_with_posthog::{AuthorizationResponse, ConnectionId, CredentialKind, Host, Region};

fn main() {
    divan::main();
}

/// What the home page reads when it is opened first.
#[divan::bench(args = [14, 500, 2000])]
fn read_snapshots(bencher: Bencher, projects: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("snapshots.sqlite");
    let mut snapshots = Snapshots::open(&path).expect("Snapshots");
    for id in 0..projects {
        snapshots.put(&key(id), &today(id)).expect("room");
    }
    bencher.bench_local(|| snapshots.all_today_summaries());
}

/// From what is in memory to HTML.
#[divan::bench(args = [14, 500, 2000])]
fn render_home(bencher: Bencher, projects: u64) {
    let home = Home {
        total: Total {
            sum: sum(),
            ..Total::default()
        },
        cards: (0..projects).map(card).collect(),
        ..Home::default()
    };
    let arrangement = Arrangement {
        page_size: Some(PAGE),
        ..Arrangement::default()
    };
    let mut view = HomePage {
        shell: Shell::default(),
        home,
        viewer: TimeZone::UTC,
        just_hidden: None,
    };
    bencher.bench_local(|| {
        view.home.arrange(&arrangement);
        home::render(&view).0.len()
    });
}

/// A widget's image, from its numbers to the bytes of the file.
#[divan::bench(args = ["small", "medium", "large"])]
fn draw_png(bencher: Bencher, size: &str) {
    let image = image(size);
    bencher.bench_local(|| png(&image, 2.0).map(|file| file.len()));
}

/// The same as an SVG.
#[divan::bench(args = ["small", "medium", "large"])]
fn draw_svg(bencher: Bencher, size: &str) {
    let image = image(size);
    bencher.bench_local(|| image.svg().len());
}

/// What comes back from PostHog in the browser's address.
#[divan::bench]
fn read_callback(bencher: Bencher) {
    let address = "http://127.0.0.1:47113/callback?code=a1HBJSlkSrb88LVSqwA3U5GoYaXJFH\
                   &state=zif8qQyTdqdfsjl8D02ddQTKiWHxPmU1b9N4KBi7HWg";
    bencher.bench_local(|| AuthorizationResponse::parse_pasted(address).is_ok());
}

fn key(id: u64) -> ProjectKey {
    ProjectKey {
        host: "us".to_owned(),
        id,
    }
}

fn counts(visitors: u64) -> Counts {
    Counts {
        visitors,
        pageviews: 3 * visitors,
    }
}

fn sum() -> overview::Total {
    overview::Total {
        members: vec![true; 14],
        sums: Some((counts(13_538), counts(13_156))),
        online: Some(181),
        curve: Some(Curve {
            axis: Axis::LastHours,
            starts: (0..24)
                .map(|hour| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour))
                .collect(),
            now: (0..24).map(|hour| 250 + hour * 40).collect(),
            before: (0..24).map(|hour| 220 + hour * 40).collect(),
        }),
        ..overview::Total::default()
    }
}

fn today(id: u64) -> Today {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(480_000);
    let points = |count: u64| {
        (0..count)
            .map(|place| Point {
                start: now,
                visitors: id + place,
                pageviews: 3 * (id + place),
            })
            .collect()
    };
    let counts = counts(id);
    Today {
        measured_at: now,
        time_zone: "Europe/Berlin".to_owned(),
        time_zone_known: true,
        today: counts,
        yesterday_by_now: counts,
        online: 7,
        days: points(30),
        hours: points(13),
        hours_yesterday: points(24),
        hours_earlier: points(12),
        asked: Asked::default(),
        quarters: Vec::new(),
        last_event_at: None,
        lacks_bots: false,
    }
}

fn card(id: u64) -> Card {
    Card {
        key: key(id),
        connection: ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::OAuth, "ada"),
        name: format!("Project {id}"),
        subtitle: format!("project-{id}.example"),
        host: None,
        favourite: false,
        scheme: None,
        numbers: Numbers::Known(Figures {
            measured_at: Timestamp::UNIX_EPOCH,
            now: counts(1000 + id),
            before: counts(990),
            online: None,
            curve: (0..30).map(|day| 900 + day * 7 % 200).collect(),
            today: Some(jiff::civil::date(2026, 11, 24)),
            time_zone: "UTC".to_owned(),
            usual: None,
            moved: None,
            stale: None,
            unknown_zone: None,
        }),
        trouble: None,
    }
}

fn image(size: &str) -> WidgetImage {
    WidgetImage {
        size: Size::from_name(size).unwrap_or_default(),
        title: "All projects".to_owned(),
        caption: "visitors today".to_owned(),
        figure: Figure::Number("13,538".to_owned(), None),
        values: (0..30).map(|day| 900 + day * 7 % 200).collect(),
        before: (0..30).map(|day| 880 + day * 11 % 200).collect(),
        ..WidgetImage::default()
    }
}
