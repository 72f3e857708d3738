//! What a project page shows, from its Snapshots.

use std::cmp::Reverse;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sign_in_with_posthog::{Connection, ConnectionState, CredentialKind};

use super::Located;
use crate::{PageError, State};
use pockethog_core::access;
use pockethog_core::age;
use pockethog_core::annotations::Annotations;
use pockethog_core::live::{HomeCache, Status};
use pockethog_core::overview::{Breakdowns, DayClock, Period, Range, Today, Window, time_zone};
use pockethog_core::preferences::Preferences;
use pockethog_core::project::ProjectKey;
use pockethog_core::snapshot::{Snapshots, Trouble, View};
use pockethog_views::format::ago;
use pockethog_views::pages::annotations::{AnnotationAccess, Remedy};
use pockethog_views::pages::layout::{Notice, Tone};
use pockethog_views::pages::project::{ProjectPage, Sibling};
use pockethog_views::pages::{Shell, StatusLine, project_path};
use pockethog_views::sentence::sentence;

/// Projects beside the page at most; the others are one click away.
const MOST_SIBLINGS: usize = 60;

/// Seconds after which nobody can be said to be online now.
const NOW_SECONDS: i64 = 900;

/// Everything that a project page shows, from what is known.
pub(crate) fn view(
    state: &State,
    located: &Located,
    range: Range,
    shell: Shell,
) -> Result<ProjectPage, PageError> {
    let now = Timestamp::now();
    let live = state.live();
    let (preferences, _) = live.preferences();
    let connections = live.connections()?;
    let known = Known::read(&live.snapshots(), &located.project.key, range)?;
    let board = live.cache()?;
    let siblings = siblings(&board, &connections, &preferences, &located.project.key);
    let mut view = assemble(located, &known, &preferences, range, now, shell);
    view.siblings = siblings;
    if view.may_query && located.connection.is_active() {
        let status = status(&known, |oldest| {
            live.status(&connections, &preferences, oldest, now)
        });
        view.shell.status = Some(StatusLine::new(&status, now));
    } else if let Some(period) = &known.period {
        let status = Status::Updated(period.measured_at);
        view.shell.status = Some(StatusLine::new(&status, now));
    }
    Ok(view)
}

/// The state of the two things that are read for a range, from that of numbers of an age.
fn status(known: &Known, of: impl FnOnce(Option<Timestamp>) -> Status) -> Status {
    let measured = [
        known.period.as_ref().map(|period| period.measured_at),
        known.breakdowns.as_ref().map(|lists| lists.measured_at),
    ];
    let oldest = age::oldest(measured.into_iter().flatten(), Timestamp::now());
    let total = measured.len();
    let done = measured.iter().flatten().count();
    match of(oldest) {
        // What was refused is not being loaded; the page says why it is missing.
        Status::Live | Status::Updated(_) | Status::Loading { .. }
            if done < total && known.trouble.is_none() =>
        {
            Status::Loading { done, total }
        }
        Status::Live if done == 0 => Status::Unread,
        status => status,
    }
}

/// The Snapshots of one project page.
#[derive(Clone, Debug, Default)]
struct Known {
    today: Option<Today>,
    period: Option<Period>,
    breakdowns: Option<Breakdowns>,
    annotations: Option<Annotations>,
    trouble: Option<Trouble>,
    annotation_trouble: Option<Trouble>,
}

impl Known {
    fn read(snapshots: &Snapshots, key: &ProjectKey, range: Range) -> Result<Self, PageError> {
        let of_numbers = snapshots.trouble(key, View::Period(range))?;
        let of_lists = snapshots.trouble(key, View::Breakdowns(range))?;
        Ok(Self {
            today: snapshots.view(key, View::Today)?,
            period: snapshots.view(key, View::Period(range))?,
            breakdowns: snapshots.view(key, View::Breakdowns(range))?,
            annotations: snapshots.view(key, View::Annotations)?,
            trouble: of_numbers.or(of_lists),
            annotation_trouble: snapshots.trouble(key, View::Annotations)?,
        })
    }
}

/// The page from its Snapshots, without what is beside it.
fn assemble(
    located: &Located,
    known: &Known,
    preferences: &Preferences,
    range: Range,
    now: Timestamp,
    mut shell: Shell,
) -> ProjectPage {
    let Located {
        project,
        connection,
    } = located;
    let clock = DayClock::new(&project.time_zone, now);
    let first = Window::new(range, &clock).from();
    let annotation_access = if located.may("annotation:write") {
        AnnotationAccess::Write
    } else if located.may("annotation:read") {
        AnnotationAccess::ReadOnly
    } else {
        AnnotationAccess::Missing
    };
    let annotations = match &known.annotations {
        Some(annotations) if annotation_access != AnnotationAccess::Missing => {
            let shown = annotations
                .annotations
                .iter()
                .filter(|annotation| annotation.at >= first);
            shown.cloned().collect()
        }
        _ => Vec::new(),
    };
    let measured = known.period.as_ref().map(|period| period.measured_at);
    let trouble = match connection.state {
        ConnectionState::Ended(reason) => {
            shell.notices.push(Notice {
                tone: Tone::Warn,
                text: format!(
                    "{} is signed out. {}",
                    connection.host.name(),
                    reason.sentence()
                ),
                action: Some(("Connections".to_owned(), "/connections".to_owned())),
            });
            Some(match measured {
                Some(at) => format!("The numbers are from {}.", ago(at, now)),
                None => reason.sentence().to_owned(),
            })
        }
        ConnectionState::Active => known
            .trouble
            .as_ref()
            .map(|trouble| with_age(&trouble.reason, measured, now)),
    };
    let annotation_trouble = known
        .annotation_trouble
        .as_ref()
        .filter(|_| annotation_access != AnnotationAccess::Missing)
        .map(|trouble| {
            format!(
                "Annotations could not be refreshed: {}",
                sentence(&trouble.reason)
            )
        });
    let at_a_cloud = connection.host.region().is_some();
    shell.stream = Some(format!(
        "{}/events?range={}{}",
        project_path(&project.key),
        range.name(),
        if connection.is_active() {
            "&signed_in=1"
        } else {
            ""
        },
    ));
    ProjectPage {
        shell,
        key: project.key.clone(),
        refused: None,
        original_name: project.name.clone(),
        subtitle: project
            .website
            .clone()
            .or_else(|| project.organization_name.clone())
            .unwrap_or_else(|| connection.host.name()),
        host: access::host_label(connection),
        connection: connection.id.to_string(),
        preferences: preferences.project(&project.key),
        siblings: Vec::new(),
        remedy: if connection.kind == CredentialKind::OAuth || at_a_cloud {
            Remedy::SignIn
        } else {
            Remedy::NewKey
        },
        may_query: located.may("query:read"),
        online: known
            .today
            .as_ref()
            .filter(|_| connection.is_active())
            .filter(|today| !age::is_at_least(today.measured_at, NOW_SECONDS, now))
            .map(|today| today.online),
        range,
        zone: shown_zone(&clock, known.period.as_ref()),
        zone_name: project.time_zone.clone(),
        now,
        period: known.period.clone(),
        breakdowns: known.breakdowns.clone(),
        trouble,
        empty: project.has_events == Some(false),
        annotations,
        annotation_access,
        annotation_trouble,
        dialog: None,
        saved: None,
        deleted: None,
        restored: false,
    }
}

/// The zone that PostHog's days are shown in.
fn shown_zone(clock: &DayClock, period: Option<&Period>) -> TimeZone {
    period
        .filter(|period| !period.time_zone_known)
        .and_then(|period| time_zone(&period.time_zone))
        .unwrap_or_else(|| clock.zone().clone())
}

fn with_age(reason: &str, measured: Option<Timestamp>, now: Timestamp) -> String {
    let reason = sentence(reason);
    match measured {
        Some(at) => format!("{reason} The numbers are from {}.", ago(at, now)),
        None => reason,
    }
}

/// The first projects as the home page has them, and the one that is shown.
fn siblings(
    board: &HomeCache,
    connections: &[Connection],
    preferences: &Preferences,
    shown: &ProjectKey,
) -> Vec<Sibling> {
    let visitors = |key: &ProjectKey| board.glance(key).map(|glance| glance.visitors);
    let mut projects = board.projects.clone();
    access::keep_shown(&mut projects, connections);
    if preferences.order.is_empty() {
        projects.sort_by_key(|project| Reverse(visitors(&project.key)));
    }
    preferences.sort(&mut projects);
    let mut place = 0;
    projects.retain(|project| {
        let wanted = project.key == *shown
            || (place < MOST_SIBLINGS && !preferences.project(&project.key).hidden);
        place += usize::from(wanted);
        wanted
    });
    projects
        .into_iter()
        .map(|project| Sibling {
            name: preferences.name_of(&project).to_owned(),
            visitors: visitors(&project.key),
            key: project.key,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sign_in_with_posthog::{
        Account, ConnectionId, EndReason, Grant, Host, Reach, Region, Scopes, VaultBackend,
    };

    use super::*;
    use pockethog_core::annotations::Annotation;
    use pockethog_core::project::Project;

    fn located(scopes: &str) -> Located {
        let host = Host::cloud(Region::Eu);
        let id = ConnectionId::new(&host, CredentialKind::OAuth, "ada");
        Located {
            project: Project {
                key: ProjectKey {
                    host: "eu".into(),
                    id: 7,
                },
                name: "Acorn Market".into(),
                organization: None,
                organization_name: Some("Acorn".into()),
                time_zone: "Europe/Berlin".into(),
                has_events: None,
                website: None,
                connection: id.clone(),
            },
            connection: Connection {
                id,
                host,
                kind: CredentialKind::OAuth,
                account: Account {
                    subject: "ada".into(),
                    name: None,
                    email: None,
                },
                grant: Grant {
                    scopes: Scopes::parse(scopes),
                    reach: Reach::All,
                },
                state: ConnectionState::Active,
                vault: VaultBackend::EncryptedFile,
                signed_in_at: 0,
                last_refresh_at: None,
                expires_at: None,
                ended_at: None,
            },
        }
    }

    fn now() -> Timestamp {
        "2026-11-24T10:00:00Z".parse().unwrap()
    }

    fn assembled(located: &Located, known: &Known) -> ProjectPage {
        let preferences = Preferences::default();
        assemble(
            located,
            known,
            &preferences,
            Range::Week,
            now(),
            Shell::default(),
        )
    }

    fn annotation(id: u64, at: &str) -> Annotation {
        Annotation {
            id,
            text: "Launch".into(),
            at: at.parse().unwrap(),
            author: None,
            organization_wide: false,
            version: String::new(),
        }
    }

    #[test]
    fn only_annotations_of_the_range_and_planned_ones_are_shown() {
        let known = Known {
            annotations: Some(Annotations {
                measured_at: now(),
                annotations: vec![
                    annotation(1, "2026-11-17T22:59:00Z"),
                    annotation(2, "2026-11-17T23:00:00Z"),
                    annotation(3, "2026-12-24T00:00:00Z"),
                ],
            }),
            ..Known::default()
        };
        let page = assembled(&located("annotation:write query:read"), &known);
        let ids: Vec<u64> = page
            .annotations
            .iter()
            .map(|annotation| annotation.id)
            .collect();
        assert_eq!(ids, [2, 3]);
        assert!(
            assembled(&located("query:read"), &known)
                .annotations
                .is_empty()
        );
    }

    #[test]
    fn each_scope_switches_off_exactly_what_it_covers() {
        let page = |scopes| assembled(&located(scopes), &Known::default());
        assert!(!page("annotation:read").may_query);
        assert_eq!(
            page("annotation:read").annotation_access,
            AnnotationAccess::ReadOnly
        );
        assert_eq!(
            page("annotation:write").annotation_access,
            AnnotationAccess::Write
        );
        assert_eq!(
            page("query:read").annotation_access,
            AnnotationAccess::Missing
        );
        assert!(page("query:read").may_query);
    }

    #[test]
    fn a_session_that_ended_is_explained_and_the_numbers_stay() {
        let mut located = located("query:read");
        located.connection.state = ConnectionState::Ended(EndReason::RevokedOrExpired);
        let page = assembled(&located, &Known::default());
        assert!(
            page.shell.notices[0]
                .text
                .contains("revoked or has expired")
        );
    }

    #[test]
    fn an_unknown_time_zone_is_utc() {
        let mut located = located("query:read");
        located.project.time_zone = "Mars/Olympus".into();
        let page = assembled(&located, &Known::default());
        assert_eq!(page.zone, TimeZone::UTC);
    }
}
