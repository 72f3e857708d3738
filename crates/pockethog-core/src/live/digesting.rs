//! Reads what a digest is made of, for a command that ends.
//!
//! One query per project, and one more for a project that has moved, whose notes are read too. All are stored, so that a digest that is asked
//! for again within a quarter of an hour, or that PostHog refuses, shows what was read last.

use std::collections::HashSet;
use std::hash::BuildHasher;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use posthog_api::{Bearer, Client};
use sign_in_with_posthog::Connection;

use crate::access;
use crate::age;
use crate::annotations::Annotations;
use crate::app_context::AppContext;
use crate::causes::{Explanation, Question};
use crate::digest::{ClosedDay, ClosedFigures, ClosedStretch, Explained, Span, verdicts};
use crate::discovery::Cause;
use crate::live::due::Policy;
use crate::live::explaining;
use crate::live::judging;
use crate::live::refresh::{self, ReadError};
use crate::overview::{Asked, DayClock};
use crate::preferences::Preferences;
use crate::project::{Project, ProjectKey};
use crate::snapshot::{SnapshotError, Snapshots, Trouble, View};

/// PostHog lets an organization run twenty queries at once, and other programs ask too.
const AT_ONCE: usize = 6;

/// Closed days change by late events alone: numbers younger than this are not read again, in seconds.
const FRESH_SECONDS: i64 = 15 * 60;

/// The last closed days of a project, and which of them were out of the ordinary.
///
/// # Errors
///
/// The Snapshots cannot be read or written.
pub fn closed_days(
    snapshots: &mut Snapshots,
    preferences: &Preferences,
    project: &Project,
    span: Span,
    now: Timestamp,
) -> Result<(ClosedStretch, Vec<ClosedDay>), SnapshotError> {
    let clock = DayClock::new(&project.time_zone, now);
    let asked = preferences.asked(project);
    let history = snapshots
        .history(&project.key)?
        .filter(|history| history.asked == asked);
    let stretch = ClosedStretch::new(span, &clock, history.as_ref());
    let Some(history) = history else {
        return Ok((stretch, Vec::new()));
    };
    let marks = judging::marks(snapshots, &project.key, &history)?;
    let days = verdicts(&history, &marks, preferences.judged_by(), &stretch);
    Ok((stretch, days))
}

/// The projects that a digest sums up, in their order: these, or all that are not hidden.
///
/// # Errors
///
/// The Snapshots cannot be read.
pub fn projects<S: BuildHasher>(
    snapshots: &Snapshots,
    connections: &[Connection],
    preferences: &Preferences,
    chosen: Option<&HashSet<ProjectKey, S>>,
) -> Result<Vec<Project>, SnapshotError> {
    let mut projects = snapshots.projects()?;
    access::keep_shown(&mut projects, connections);
    projects.retain(|project| match chosen {
        Some(keys) => keys.contains(&project.key),
        None => !preferences.project(&project.key).hidden,
    });
    preferences.sort(&mut projects);
    Ok(projects)
}

/// The day of a digest that is explained: the most surprising one that has moved.
#[must_use]
pub fn most_surprising(days: &[ClosedDay]) -> Option<&ClosedDay> {
    let surprise = |day: &ClosedDay| {
        let closed = day.moved.as_ref()?;
        explaining::of(&closed.moved)?;
        Some(closed.moved.surprise())
    };
    days.iter()
        .filter_map(|day| Some((day, surprise(day)?)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(day, _)| day)
}

/// Reads the figures of these projects that are due, and what made them move. The closed days are read before it, by
/// [`in_turn::all_closed_days`](super::in_turn::all_closed_days). Each project is stored as it arrives; `tell` hears how many have been
/// read.
///
/// # Errors
///
/// Only if the Snapshots cannot be read or written; what PostHog refuses is stored as trouble.
pub async fn read_due(
    program: &AppContext,
    snapshots: &mut Snapshots,
    connections: &[Connection],
    preferences: &Preferences,
    (projects, span): (&[Project], Span),
    tell: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<(), SnapshotError> {
    let now = Timestamp::now();
    let mut due = Vec::new();
    for project in projects {
        let mut owners = connections.iter().filter(|known| known.is_active());
        let Some(owner) = owners.find(|known| known.id == project.connection) else {
            continue;
        };
        let view = View::Digest(span);
        let trouble = snapshots.trouble(&project.key, view)?;
        if Policy::on_request(now).view(None, trouble.as_ref(), owner) > 0 {
            continue;
        }
        let (stretch, days) = closed_days(snapshots, preferences, project, span, now)?;
        let moved = most_surprising(&days).cloned();
        let asked = preferences.asked(project);
        let known = snapshots
            .view::<ClosedFigures>(&project.key, view)?
            .filter(|known| is_fresh(known, &asked, &stretch, now));
        let notes: Option<Annotations> = snapshots.view(&project.key, View::Annotations)?;
        let is_recent = |notes: &Annotations| {
            age::seconds(notes.measured_at, now).is_some_and(|age| age < FRESH_SECONDS)
        };
        // They are only shown beside a move.
        let reads_notes = days.iter().any(|day| day.moved.is_some())
            && owner.grant.scopes.allows("annotation:read")
            && !notes.as_ref().is_some_and(is_recent);
        due.push(Wanted {
            project,
            owner,
            asked,
            stretch,
            moved,
            known,
            reads_notes,
        });
    }
    let total = due.len();
    let mut answers = stream::iter(due)
        .map(|wanted| async move {
            let client = program.client(wanted.owner);
            let read = wanted.read(&client).await;
            let notes = if wanted.reads_notes {
                let now = Timestamp::now();
                let notes = refresh::annotations(&client, wanted.project, now).await;
                notes.ok()
            } else {
                None
            };
            (wanted.project, read, notes)
        })
        .buffer_unordered(AT_ONCE);
    let mut done = 0;
    while let Some((project, read, notes)) = answers.next().await {
        done += 1;
        tell(done, total);
        if let Some(notes) = notes {
            snapshots.put(&project.key, &notes)?;
        }
        match read {
            Ok(figures) => snapshots.put(&project.key, &figures)?,
            Err(error) => {
                let trouble = error.trouble(Timestamp::now());
                snapshots.put_trouble(&project.key, View::Digest(span), &trouble)?;
            }
        }
    }
    Ok(())
}

/// Notes beside the figures of each project that they could not be read again since `started`, and why.
///
/// # Errors
///
/// Snapshots that cannot be read or written.
pub fn give_up(
    snapshots: &mut Snapshots,
    (projects, span): (&[Project], Span),
    started: Timestamp,
    reason: &str,
) -> Result<(), SnapshotError> {
    let view = View::Digest(span);
    let now = Timestamp::now();
    for project in projects {
        let known: Option<ClosedFigures> = snapshots.view(&project.key, view)?;
        let refused = snapshots.trouble(&project.key, view)?;
        let answered = [
            known.map(|known| known.measured_at),
            refused.map(|refused| refused.at),
        ];
        let in_this_run = |at| age::is_since_second(at, started, now);
        if !answered.into_iter().flatten().any(in_this_run) {
            let trouble = Trouble {
                at: now,
                reason: reason.to_owned(),
                transient: true,
                cause: Cause::Busy,
                retry_at: None,
            };
            snapshots.put_trouble(&project.key, view, &trouble)?;
        }
    }
    Ok(())
}

/// What is to be read of a project.
struct Wanted<'a> {
    project: &'a Project,
    owner: &'a Connection,
    asked: Asked,
    stretch: ClosedStretch,
    moved: Option<ClosedDay>,
    known: Option<ClosedFigures>,
    reads_notes: bool,
}

impl Wanted<'_> {
    async fn read<B: Bearer>(&self, client: &Client<B>) -> Result<ClosedFigures, ReadError> {
        let mut figures = match &self.known {
            Some(known) => known.clone(),
            None => self.figures(client).await?,
        };
        if let Some(day) = &self.moved {
            let is_known = figures.explained.as_ref();
            if is_known.is_none_or(|known| known.day != day.start) {
                // Figures without a cause are more than nothing.
                figures.explained = self.explained(client, day).await.ok().flatten();
            }
        }
        Ok(figures)
    }

    async fn figures<B: Bearer>(&self, client: &Client<B>) -> Result<ClosedFigures, ReadError> {
        let query = ClosedFigures::query(&self.stretch, &self.asked);
        let now = Timestamp::now();
        let organization = self.project.organization.as_deref();
        let rows = client
            .query(self.project.key.id, organization, &query)
            .await?;
        let asked = self.asked.clone();
        Ok(ClosedFigures::from_rows(self.stretch, asked, now, &rows)?)
    }

    async fn explained<B: Bearer>(
        &self,
        client: &Client<B>,
        day: &ClosedDay,
    ) -> Result<Option<Explained>, ReadError> {
        let moved = day.moved.as_ref();
        let Some(question) = moved.and_then(|closed| explaining::of(&closed.moved)) else {
            return Ok(None);
        };
        let question = Question {
            left_out: self.asked.left_out,
            ..question
        };
        // Seen from the last minute of that day.
        let clock = DayClock::new(&self.project.time_zone, day.end);
        if !clock.zone_known() {
            // The days to compare with cannot be named.
            return Ok(None);
        }
        let query = Explanation::query(&clock, &question);
        let now = Timestamp::now();
        let organization = self.project.organization.as_deref();
        let rows = client
            .query(self.project.key.id, organization, &query)
            .await?;
        Ok(Some(Explained {
            day: day.start,
            explanation: Explanation::from_rows(question, now, &rows)?,
        }))
    }
}

fn is_fresh(known: &ClosedFigures, asked: &Asked, stretch: &ClosedStretch, now: Timestamp) -> bool {
    let age = age::seconds(known.measured_at, now);
    known.asked == *asked && known.stretch == *stretch && age.is_some_and(|age| age < FRESH_SECONDS)
}
