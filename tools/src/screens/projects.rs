//! The page of a project in every state.

use jiff::tz::TimeZone;
use maud::Markup;
use pockethog_core::conversions::{Suggestion, Suggestions};
use pockethog_core::live::Status;
use pockethog_core::overview::{Breakdown, Breakdowns, Counts, LeftOut, Range, Row};
use pockethog_core::preferences::{ProjectPreferences, Scheme};
use pockethog_screens::{AnnotationAccess, ProjectScreen, Remedy, Sibling};
use pockethog_views::pages::annotations::AnnotationDialog;
use pockethog_views::pages::chooser::{self, Chooser};
use pockethog_views::pages::project::{self, ProjectPage};

use super::{annotation, before, connection, now, period, shell, trouble, usual_home};

pub(super) fn all() -> Vec<(&'static str, Markup)> {
    let usual = usual_project();
    let with = |change: &dyn Fn(&mut ProjectPage)| {
        let mut view = usual.clone();
        change(&mut view);
        project::render(&view)
    };
    vec![
        ("project", project::render(&usual)),
        (
            "project-day",
            with(&|view| {
                view.screen.range = Range::Day;
                view.screen.period = Some(period(Range::Day, 24));
                view.screen.period.as_mut().expect("just made").conversions.clear();
                view.screen.preferences.conversions.clear();
                view.screen.annotations.clear();
            }),
        ),
        (
            "project-quarter",
            with(&|view| {
                view.screen.range = Range::Quarter;
                view.screen.period = Some(period(Range::Quarter, 90));
                view.screen.annotations = (0..9).map(|place| annotation(place, "A note among many", (9 - place as i64) * 4)).collect();
            }),
        ),
        (
            "project-loading",
            with(&|view| {
                view.screen.period = None;
                view.screen.breakdowns = None;
                view.screen.status = Some(Status::Loading { done: 0, total: 2 });
            }),
        ),
        (
            "project-trouble",
            with(&|view| {
                view.screen.trouble = Some(trouble("PostHog is busy (503)"));
                view.screen.status = Some(Status::Busy(Some(before(12))));
                view.screen.annotation_access = AnnotationAccess::ReadOnly;
                if let Some(period) = &mut view.screen.period {
                    period.time_zone_known = false;
                    "UTC+02:00".clone_into(&mut period.time_zone);
                }
                "Mars/Olympus".clone_into(&mut view.screen.zone_name);
            }),
        ),
        (
            "project-empty",
            with(&|view| {
                view.screen.empty = true;
                view.screen.annotation_access = AnnotationAccess::Missing;
                view.screen.annotations.clear();
                view.screen.online = None;
                view.screen.preferences.conversions.clear();
                let mut period = period(Range::Month, 30);
                period.now = Counts::default();
                period.before = Counts::default();
                period.sessions = 0;
                period.sessions_before = 0;
                period.conversions.clear();
                for point in period.points.iter_mut().chain(&mut period.points_before) {
                    point.visitors = 0;
                    point.pageviews = 0;
                }
                view.screen.period = Some(period);
                view.screen.breakdowns = Some(Breakdowns {
                    measured_at: now(),
                    range: Range::Month,
                    lists: Breakdown::ALL.map(|list| (list, Vec::new())).to_vec(),
                    left_out: LeftOut::default(),
                });
            }),
        ),
        (
            "project-note",
            with(&|view| {
                view.dialog = Some(AnnotationDialog {
                    id: None,
                    text: "Launch on the front page <b>today</b>".to_owned(),
                    date: "2026-11-05".to_owned(),
                    time: "14:30".to_owned(),
                    error: Some("The annotation was not saved, but your text is kept here. PostHog could not be reached.".to_owned()),
                    ..AnnotationDialog::default()
                });
            }),
        ),
        (
            "project-conflict",
            with(&|view| {
                let mut theirs = view.screen.annotations[2].clone();
                "Release 2.14.1, with the fix".clone_into(&mut theirs.text);
                view.dialog = Some(AnnotationDialog {
                    text: "Release 2.14 and the new pricing".to_owned(),
                    error: Some("Somebody else has changed this annotation in the meantime. Nothing has been saved yet: keep their version, or replace it with yours.".to_owned()),
                    theirs: Some(theirs),
                    ..AnnotationDialog::of(&view.screen.annotations[2], &view.screen.zone)
                });
            }),
        ),
        (
            "project-no-query",
            with(&|view| {
                view.screen.may_query = false;
                view.screen.status = None;
                view.screen.online = None;
            }),
        ),
        (
            "project-unreadable",
            with(&|view| {
                view.screen.period = None;
                view.screen.breakdowns = None;
                view.screen.trouble = Some(trouble("PostHog could not be reached"));
                view.screen.status = Some(Status::Offline(None));
                view.screen.annotation_trouble = Some(trouble("PostHog could not be reached"));
                view.screen.remedy = Remedy::NewKey;
                view.screen.annotation_access = AnnotationAccess::ReadOnly;
            }),
        ),
        (
            "project-undo",
            with(&|view| {
                view.deleted = Some((7, "Release 2.14".to_owned()));
                "A project whose name somebody kept adding to until it said everything about it".clone_into(&mut view.screen.original_name);
                view.screen.preferences.favourite = true;
                view.screen.preferences.scheme = Some(Scheme::Plum);
            }),
        ),
        (
            "conversions",
            chooser::render(&Chooser {
                range: Range::Month,
                shell: shell(),
                key: usual.screen.key.clone(),
                name: "Acorn Market".to_owned(),
                chosen: vec!["signed_up".to_owned(), "paid".to_owned()],
                search: String::new(),
                page: 0,
                error: None,
                suggestions: Ok(Suggestions {
                    events: [("signed_up", 4642), ("started_trial", 2472), ("invited_teammate", 1839), ("a_very_long_event_name_that_somebody_generated_from_a_sentence_in_their_product", 3), ("تم_الدفع", 1)]
                        .map(|(event, volume)| Suggestion { event: event.to_owned(), volume: Some(volume) })
                        .to_vec(),
                    has_more: true,
                }),
            }),
        ),
        (
            "conversions-missing",
            chooser::render(&Chooser {
                range: Range::Month,
                shell: shell(),
                key: usual.screen.key.clone(),
                name: "Acorn Market".to_owned(),
                chosen: vec![],
                search: "paid".to_owned(),
                page: 0,
                error: None,
                suggestions: Err("Events cannot be suggested, because the permission event_definition:read was not granted. Type the name of the event instead.".to_owned()),
            }),
        ),
    ]
}

fn usual_project() -> ProjectPage {
    let home = usual_home().home;
    let row = |(label, visitors): (&str, u64)| Row {
        label: label.to_owned(),
        visitors,
    };
    let screen = ProjectScreen {
        key: home.cards[0].key.clone(),
        original_name: "Acorn Market".to_owned(),
        subtitle: "acornmarket.example".to_owned(),
        host: "EU".to_owned(),
        host_name: "EU Cloud".to_owned(),
        connection: connection(),
        ended: None,
        preferences: ProjectPreferences {
            conversions: ["Signed up", "Started trial", "Paid", "Invited a teammate"]
                .map(ToOwned::to_owned)
                .to_vec(),
            ..ProjectPreferences::default()
        },
        siblings: home
            .cards
            .iter()
            .map(|card| Sibling {
                key: card.key.clone(),
                name: card.name.clone(),
                visitors: card.figures().map(|figures| figures.now.visitors),
            })
            .collect(),
        remedy: Remedy::SignIn,
        may_query: true,
        online: Some(55),
        range: Range::Month,
        zone: TimeZone::UTC,
        zone_name: "UTC".to_owned(),
        now: now(),
        period: Some(period(Range::Month, 30)),
        breakdowns: Some(Breakdowns {
            measured_at: now(),
            range: Range::Month,
            left_out: LeftOut::default(),
            lists: vec![
                (
                    Breakdown::Pages,
                    [
                        ("/", 83_418),
                        ("/pricing", 43_985),
                        ("/blog/why-we-moved", 28_278),
                        ("/docs/getting-started", 21_495),
                        ("/features", 18_631),
                        (
                            "/a/very/long/path/that/goes/on/and/on/until/nobody/can/read/it",
                            14_501,
                        ),
                    ]
                    .map(row)
                    .to_vec(),
                ),
                (
                    Breakdown::Referrers,
                    [
                        ("$direct", 60_000),
                        ("google.com", 30_120),
                        ("news.ycombinator.com", 12_000),
                    ]
                    .map(row)
                    .to_vec(),
                ),
                (
                    Breakdown::Countries,
                    [("US", 40_000), ("DE", 22_000), ("JP", 9000), ("", 512)]
                        .map(row)
                        .to_vec(),
                ),
                (
                    Breakdown::Devices,
                    [("Desktop", 80_000), ("Mobile", 40_000), ("Tablet", 3000)]
                        .map(row)
                        .to_vec(),
                ),
            ],
        }),
        trouble: None,
        empty: false,
        annotations: vec![
            annotation(1, "Pricing page A/B test starts", 24),
            annotation(2, "Launch on the front page", 18),
            annotation(3, "Release 2.14", 5),
        ],
        annotation_access: AnnotationAccess::Write,
        moved: None,
        annotation_trouble: None,
        status: Some(Status::Live),
    };
    ProjectPage::new(shell(), screen)
}
