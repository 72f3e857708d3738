//! The screen of one project with a range.

use std::cmp::Reverse;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sign_in_with_posthog::{Connection, ConnectionId, ConnectionState, CredentialKind, EndReason};

use super::card::{NOW_SECONDS, subtitle};
use super::noted::MovedHere;
use pockethog_core::access;
use pockethog_core::age;
use pockethog_core::annotations::{Annotation, Annotations};
use pockethog_core::causes::Explanation;
use pockethog_core::live::{HomeCache, Live, Status, StoredError};
use pockethog_core::moves::Judged;
use pockethog_core::overview::{Breakdowns, DayClock, Period, Range, Today, Window, time_zone};
use pockethog_core::preferences::{Preferences, ProjectPreferences};
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::snapshot::{SnapshotError, Snapshots, Trouble, View};

/// Projects beside the screen at most; the others are one step away.
const MOST_SIBLINGS: usize = 60;

/// What the screen of a project shows.
#[derive(Clone, Debug)]
pub struct ProjectScreen {
    /// When it was looked at.
    pub now: Timestamp,
    /// Which project.
    pub key: ProjectKey,
    /// Its name at PostHog.
    pub original_name: String,
    /// Its website, its organization or its Host, whatever is known first.
    pub subtitle: String,
    /// `US`, `EU` or the host.
    pub host: String,
    /// `US Cloud`, `EU Cloud` or the host.
    pub host_name: String,
    /// The Connection that reads it.
    pub connection: ConnectionId,
    /// Why that Connection has ended, if it has.
    pub ended: Option<EndReason>,
    /// What the person chose about it.
    pub preferences: ProjectPreferences,
    /// The first projects as the home screen has them, and this one.
    pub siblings: Vec<Sibling>,
    /// How a permission that is missing can be given.
    pub remedy: Remedy,
    /// True if `query:read` was granted.
    pub may_query: bool,
    /// Persons online now, if known.
    pub online: Option<u64>,
    /// The range that is shown.
    pub range: Range,
    /// The time zone that hours and days are shown in.
    pub zone: TimeZone,
    /// The name that PostHog gives to the project's time zone.
    pub zone_name: String,
    /// The numbers of the range; none while they were never read.
    pub period: Option<Period>,
    /// The lists of the range; none while they were never read.
    pub breakdowns: Option<Breakdowns>,
    /// Why the last attempt to read them failed.
    pub trouble: Option<Trouble>,
    /// True if no event ever arrived.
    pub empty: bool,
    /// Annotations of the range and planned ones, oldest first.
    pub annotations: Vec<Annotation>,
    /// What may be done with annotations.
    pub annotation_access: AnnotationAccess,
    /// Why the last attempt to read the annotations failed.
    pub annotation_trouble: Option<Trouble>,
    /// How the project has moved today, if it has and its sign-in has not ended.
    pub moved: Option<MovedHere>,
    /// The state of the numbers; none if there are none to be read.
    pub status: Option<Status>,
}

/// A project beside the one that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// Which project.
    pub key: ProjectKey,
    /// The name to show.
    pub name: String,
    /// Visitors today, if known.
    pub visitors: Option<u64>,
}

/// What may be done with annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnnotationAccess {
    /// Read and write.
    #[default]
    Write,
    /// Read only: `annotation:write` was not granted.
    ReadOnly,
    /// Nothing: `annotation:read` was not granted.
    Missing,
}

/// How a permission that is missing can be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remedy {
    /// By signing in again and agreeing to more.
    #[default]
    SignIn,
    /// By an API key that has it.
    NewKey,
}

impl AnnotationAccess {
    /// True if an annotation can be added.
    pub fn may_write(self) -> bool {
        self == Self::Write
    }

    fn of(connection: &Connection) -> Self {
        let may = |scope| connection.grant.scopes.allows(scope);
        if may("annotation:write") {
            Self::Write
        } else if may("annotation:read") {
            Self::ReadOnly
        } else {
            Self::Missing
        }
    }
}

impl Remedy {
    fn of(connection: &Connection) -> Self {
        if connection.kind == CredentialKind::OAuth || connection.host.region().is_some() {
            Self::SignIn
        } else {
            Self::NewKey
        }
    }
}

impl ProjectScreen {
    /// The screen of a project that `connection` reads, in an app that stays open.
    ///
    /// # Errors
    ///
    /// The Snapshots or the list of Connections cannot be read.
    pub fn of_live(
        live: &Live,
        project: &Project,
        connection: &Connection,
        range: Range,
        now: Timestamp,
    ) -> Result<Self, StoredError> {
        let (preferences, _) = live.preferences();
        let connections = live.connections()?;
        let known = Known::read(&live.snapshots(), &project.key, range)?;
        let cache = live.cache()?;
        let mut screen = Self::new(project, connection, known, &preferences, range, now);
        screen.siblings = siblings(&cache, &connections, &preferences, &project.key);
        screen.status =
            screen.status(|oldest| live.status(&connections, &preferences, oldest, now));
        Ok(screen)
    }

    /// The name to show.
    pub fn name(&self) -> &str {
        let chosen = self.preferences.name.as_deref();
        chosen.unwrap_or(&self.original_name)
    }

    /// Whether what is shown of the range is not of now.
    pub fn is_old(&self) -> bool {
        self.ended.is_some() || self.trouble.is_some()
    }

    /// The screen from the Snapshots of the project, without what is beside it and without its status.
    fn new(
        project: &Project,
        connection: &Connection,
        known: Known,
        preferences: &Preferences,
        range: Range,
        now: Timestamp,
    ) -> Self {
        let clock = DayClock::new(&project.time_zone, now);
        let annotation_access = AnnotationAccess::of(connection);
        let may_read_annotations = annotation_access != AnnotationAccess::Missing;
        let first = Window::new(range, &clock).from();
        let annotations = known.annotations.filter(|_| may_read_annotations);
        let moved = MovedHere::new(
            known.judged.as_ref().filter(|_| connection.is_active()),
            known.explanation,
            annotations.as_ref(),
            annotation_access.may_write(),
            now,
        );
        let annotations = annotations.map_or_else(Vec::new, |known| known.annotations);
        let online = known
            .today
            .filter(|_| connection.is_active())
            .filter(|today| !age::is_at_least(today.measured_at, NOW_SECONDS, now))
            .map(|today| today.online);
        Self {
            now,
            key: project.key.clone(),
            original_name: project.name.clone(),
            subtitle: subtitle(project, connection),
            host: access::host_label(connection),
            host_name: connection.host.name(),
            connection: connection.id.clone(),
            ended: match connection.state {
                ConnectionState::Active => None,
                ConnectionState::Ended(reason) => Some(reason),
            },
            preferences: preferences.project(&project.key),
            siblings: Vec::new(),
            remedy: Remedy::of(connection),
            may_query: connection.grant.scopes.allows("query:read"),
            online,
            range,
            zone: shown_zone(&clock, known.period.as_ref()),
            zone_name: project.time_zone.clone(),
            period: known.period,
            breakdowns: known.breakdowns,
            trouble: known.trouble,
            empty: project.has_events == Some(false),
            annotations: annotations
                .into_iter()
                .filter(|annotation| annotation.at >= first)
                .collect(),
            annotation_access,
            annotation_trouble: known.annotation_trouble.filter(|_| may_read_annotations),
            moved,
            status: None,
        }
    }

    /// The state of the two things that are read for a range, from that of numbers of an age.
    fn status(&self, of: impl FnOnce(Option<Timestamp>) -> Status) -> Option<Status> {
        let period = self.period.as_ref().map(|period| period.measured_at);
        if !self.may_query || self.ended.is_some() {
            return period.map(Status::Updated);
        }
        let measured = [
            period,
            self.breakdowns.as_ref().map(|lists| lists.measured_at),
        ];
        let oldest = age::oldest(measured.into_iter().flatten(), self.now);
        let total = measured.len();
        let done = measured.iter().flatten().count();
        Some(match of(oldest) {
            // What was refused is not being loaded; the screen says why it is missing.
            Status::Live | Status::Updated(_) | Status::Loading { .. }
                if done < total && self.trouble.is_none() =>
            {
                Status::Loading { done, total }
            }
            Status::Live if done == 0 => Status::Unread,
            status => status,
        })
    }
}

/// The Snapshots of one project.
#[derive(Clone, Debug, Default)]
struct Known {
    today: Option<Today>,
    period: Option<Period>,
    breakdowns: Option<Breakdowns>,
    annotations: Option<Annotations>,
    trouble: Option<Trouble>,
    annotation_trouble: Option<Trouble>,
    judged: Option<Judged>,
    explanation: Option<Explanation>,
}

impl Known {
    fn read(snapshots: &Snapshots, key: &ProjectKey, range: Range) -> Result<Self, SnapshotError> {
        let of_numbers = snapshots.trouble(key, View::Period(range))?;
        let of_lists = snapshots.trouble(key, View::Breakdowns(range))?;
        Ok(Self {
            today: snapshots.view(key, View::Today)?,
            period: snapshots.view(key, View::Period(range))?,
            breakdowns: snapshots.view(key, View::Breakdowns(range))?,
            annotations: snapshots.view(key, View::Annotations)?,
            trouble: of_numbers.or(of_lists),
            annotation_trouble: snapshots.trouble(key, View::Annotations)?,
            judged: snapshots.judged(key)?,
            explanation: snapshots.view(key, View::Causes)?,
        })
    }
}

/// The zone that PostHog's days are shown in.
fn shown_zone(clock: &DayClock, period: Option<&Period>) -> TimeZone {
    period
        .filter(|period| !period.time_zone_known)
        .and_then(|period| time_zone(&period.time_zone))
        .unwrap_or_else(|| clock.zone().clone())
}

/// The first projects as the home screen has them, and the one that is shown.
fn siblings(
    cache: &HomeCache,
    connections: &[Connection],
    preferences: &Preferences,
    shown: &ProjectKey,
) -> Vec<Sibling> {
    let visitors = |key: &ProjectKey| cache.glance(key).map(|summary| summary.visitors);
    let mut projects = cache.projects.clone();
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
    use super::*;
    use crate::samples::{connection, project, today, trouble, week};

    fn now() -> Timestamp {
        "2026-11-24T10:00:00Z".parse().unwrap()
    }

    /// The screen of a week of a project in Berlin, as a sign-in with these scopes sees it.
    fn screen(scopes: &str, known: Known) -> ProjectScreen {
        screen_of(&connection("ada", scopes), "Europe/Berlin", known)
    }

    fn screen_of(connection: &Connection, zone: &str, known: Known) -> ProjectScreen {
        let mut project = project(7, connection);
        zone.clone_into(&mut project.time_zone);
        let preferences = Preferences::default();
        ProjectScreen::new(
            &project,
            connection,
            known,
            &preferences,
            Range::Week,
            now(),
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
            annotation_trouble: Some(trouble(1)),
            ..Known::default()
        };
        let shown = screen("annotation:write query:read", known.clone());
        let ids: Vec<u64> = (shown.annotations.iter())
            .map(|annotation| annotation.id)
            .collect();
        assert_eq!(ids, [2, 3]);
        assert!(shown.annotation_trouble.is_some());
        let shown = screen("query:read", known);
        assert!(shown.annotations.is_empty() && shown.annotation_trouble.is_none());
    }

    #[test]
    fn each_scope_switches_off_exactly_what_it_covers() {
        let screen = |scopes| screen(scopes, Known::default());
        assert!(!screen("annotation:read").may_query);
        let access = |scopes| screen(scopes).annotation_access;
        assert_eq!(access("annotation:read"), AnnotationAccess::ReadOnly);
        assert_eq!(access("annotation:write"), AnnotationAccess::Write);
        assert_eq!(access("query:read"), AnnotationAccess::Missing);
        assert!(screen("query:read").may_query);
    }

    #[test]
    fn numbers_of_a_session_that_ended_stay_with_their_age() {
        let mut ended = connection("ada", "query:read");
        ended.state = ConnectionState::Ended(EndReason::RevokedOrExpired);
        let known = Known {
            today: Some(today(now())),
            period: Some(week(now())),
            ..Known::default()
        };
        let screen = screen_of(&ended, "UTC", known);
        assert_eq!(screen.ended, Some(EndReason::RevokedOrExpired));
        assert_eq!((screen.is_old(), screen.online), (true, None));
        let status = screen.status(|_| Status::Live);
        assert_eq!(status, Some(Status::Updated(now())));
    }

    #[test]
    fn the_status_counts_numbers_and_lists_unless_they_were_refused() {
        let status = |known, of_numbers| screen("query:read", known).status(|_| of_numbers);
        let loading = |done| Some(Status::Loading { done, total: 2 });
        assert_eq!(status(Known::default(), Status::Live), loading(0));
        let half = Known {
            period: Some(week(now())),
            ..Known::default()
        };
        assert_eq!(status(half, Status::Updated(now())), loading(1));
        let offline = Status::Offline(None);
        assert_eq!(status(Known::default(), offline), Some(offline));
        let refused = Known {
            trouble: Some(trouble(1)),
            ..Known::default()
        };
        assert_eq!(status(refused, Status::Live), Some(Status::Unread));
        let screen = screen("annotation:read", Known::default());
        assert_eq!(screen.status(|_| Status::Live), None);
    }

    #[test]
    fn an_unknown_time_zone_is_utc() {
        let connection = connection("ada", "query:read");
        let screen = screen_of(&connection, "Mars/Olympus", Known::default());
        assert_eq!(screen.zone, TimeZone::UTC);
        assert_eq!(screen.zone_name, "Mars/Olympus");
    }

    #[test]
    fn the_siblings_are_in_the_order_of_the_home_screen_with_the_one_that_is_shown() {
        let connection = connection("ada", "query:read");
        let mut projects: Vec<Project> = (1..=70).map(|id| project(id, &connection)).collect();
        projects[0].connection = ConnectionId::new(&connection.host, CredentialKind::ApiKey, "eve");
        let mut preferences = Preferences::default();
        preferences.project_mut(&projects[1].key).hidden = true;
        preferences.project_mut(&projects[4].key).favourite = true;
        let mut cache = HomeCache::default();
        cache.projects.clone_from(&projects);
        let siblings = |shown: &Project| -> Vec<u64> {
            let connections = std::slice::from_ref(&connection);
            let found = siblings(&cache, connections, &preferences, &shown.key);
            found.into_iter().map(|sibling| sibling.key.id).collect()
        };
        let of_usual = siblings(&projects[2]);
        assert_eq!(of_usual.len(), 60);
        assert_eq!(of_usual[..3], [5, 3, 4]);
        assert_eq!(siblings(&projects[1])[..3], [5, 2, 3], "hidden, and shown");
        assert_eq!(siblings(&projects[69])[60..], [70], "beyond the last one");
    }
}
