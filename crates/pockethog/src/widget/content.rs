//! What a widget shows, whatever the format: rows, their sum, and the state of it all.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use sign_in_with_posthog::{ConnectionId, EndReason};

use super::{Request, Which};
use crate::discovery::{Cause, Failure};
use crate::overview::{Counts, Period, Point, Range, Today, change_percent};
use crate::preferences::Scheme;
use crate::project::Project;
use crate::snapshot::Trouble;

/// Everything that a format prints.
#[derive(Clone, Debug)]
pub struct Content {
    /// `All projects`, `Favourites`, or the name of the only project.
    pub title: String,
    /// The range, or today.
    pub range: Option<Range>,
    /// True where the sum is the number to show, and the projects only explain it.
    pub summed: bool,
    /// The projects, in the order that was chosen.
    pub rows: Vec<Row>,
    /// The state of it all.
    pub state: State,
    /// One sentence, where the state is not [`State::Fresh`].
    pub sentence: Option<String>,
    /// What the last Discovery could not read.
    pub failures: Vec<Failure>,
    /// When it was looked at.
    pub now: Timestamp,
    /// The colour scheme that was chosen for what is shown.
    pub scheme: Scheme,
    /// Where the numbers are older than this they are stale.
    pub max_age: Duration,
    /// Connections whose projects are to be listed before all is known.
    pub(super) undiscovered: HashSet<ConnectionId>,
    /// Connections whose list of projects is old: read again beside the numbers of a sum.
    pub(super) old_lists: HashSet<ConnectionId>,
}

/// One project.
#[derive(Clone, Debug)]
pub struct Row {
    /// The project.
    pub project: Project,
    /// The name to show.
    pub name: String,
    /// Its page at PostHog.
    pub address: Option<String>,
    /// The last numbers.
    pub numbers: Option<Numbers>,
    /// What happened to the last attempt to refresh them.
    pub trouble: Option<Trouble>,
    /// Why its Connection has ended.
    pub ended: Option<EndReason>,
    /// The instants of its notes, as last read; only where it is the only project.
    pub notes: Vec<Timestamp>,
    /// How it stands.
    pub state: State,
    pub(super) due: bool,
}

/// The numbers of a project, or a sum of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// When PostHog was asked; the oldest, in a sum.
    pub measured_at: Timestamp,
    /// Time zone of the points; `None` where projects of several zones were added.
    pub time_zone: Option<String>,
    /// Up to now.
    pub now: Counts,
    /// The period before, up to the same time of day.
    pub before: Counts,
    /// Hours of today, or hours or days of the range.
    pub points: Vec<Point>,
    /// The same of the period before.
    pub points_before: Vec<Point>,
    /// Visitors per day of the last 30, or of the range.
    pub curve: Vec<u64>,
    /// False where nothing happened in all of it.
    pub has_events: bool,
}

/// How numbers stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Not older than wanted.
    Fresh,
    /// Fresh, and nothing ever happened in it.
    Empty,
    /// Older than wanted; nothing is known to be wrong.
    Stale,
    /// Some projects are there, some are not.
    Partly,
    /// PostHog is overloaded or slow.
    Busy,
    /// PostHog asked to slow down.
    Throttled,
    /// PostHog cannot be reached.
    Offline,
    /// The sign-in may not read it.
    Forbidden,
    /// Something else went wrong.
    Failed,
    /// The sign-ins reach no project that could be shown.
    NoProjects,
    /// There is no project of that name, or several.
    UnknownProject,
    /// The session has ended.
    SignedOut,
    /// Nobody ever signed in here.
    NeverSignedIn,
}

impl State {
    /// A stable name, for JSON and for style sheets.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Empty => "empty",
            Self::Stale => "stale",
            Self::Partly => "partly",
            Self::Busy => "busy",
            Self::Throttled => "throttled",
            Self::Offline => "offline",
            Self::Forbidden => "forbidden",
            Self::Failed => "failed",
            Self::NoProjects => "no-projects",
            Self::UnknownProject => "unknown-project",
            Self::SignedOut => "signed-out",
            Self::NeverSignedIn => "never-signed-in",
        }
    }

    /// A word or two beside numbers; empty where there is nothing to say.
    pub fn words(self) -> &'static str {
        match self {
            Self::Fresh | Self::Stale => "",
            Self::Empty => "no events",
            Self::Partly => "incomplete",
            Self::Busy => "PostHog is busy",
            Self::Throttled => "rate-limited",
            Self::Offline => "offline",
            Self::Forbidden => "not allowed",
            Self::Failed => "failed",
            Self::NoProjects => "no projects",
            Self::UnknownProject => "unknown project",
            Self::SignedOut => "signed out",
            Self::NeverSignedIn => "not signed in",
        }
    }

    pub(super) fn of(cause: Cause) -> Self {
        match cause {
            Cause::Busy => Self::Busy,
            Cause::Forbidden => Self::Forbidden,
            Cause::Offline => Self::Offline,
            Cause::Other => Self::Failed,
            Cause::SignedOut => Self::SignedOut,
            Cause::Throttled => Self::Throttled,
        }
    }
}

impl Content {
    /// Nothing but a sentence.
    pub(super) fn failed(request: &Request, now: Timestamp, sentence: String) -> Self {
        Self::empty(request, now, State::Failed, sentence)
    }

    pub(super) fn empty(request: &Request, now: Timestamp, state: State, sentence: String) -> Self {
        Self {
            title: title(&request.which, &[]),
            range: request.range,
            summed: request.which == Which::Total,
            rows: Vec::new(),
            state,
            sentence: Some(sentence),
            failures: Vec::new(),
            now,
            scheme: Scheme::default(),
            max_age: request.max_age,
            undiscovered: HashSet::new(),
            old_lists: HashSet::new(),
        }
    }

    /// True where PostHog should be asked.
    pub(super) fn is_due(&self) -> bool {
        !self.undiscovered.is_empty() || self.rows.iter().any(|row| row.due)
    }

    /// The number to show first: of the only project, or the sum. `None` where nothing is known.
    pub fn sum(&self) -> Option<Numbers> {
        let mut known = self.rows.iter().filter_map(|row| row.numbers.as_ref());
        let first = known.next()?.clone();
        Some(known.fold(first, Numbers::plus))
    }

    /// What the numbers count: `visitors today`, `last 30 days`.
    pub fn caption(&self) -> &'static str {
        match self.range {
            None => "visitors today",
            Some(Range::Day) => "last 24 hours",
            Some(Range::Week) => "last 7 days",
            Some(Range::Month) => "last 30 days",
            Some(Range::Quarter) => "last 90 days",
        }
    }

    /// True where numbers of `measured_at` are older than was asked for.
    pub fn is_stale(&self, measured_at: Timestamp) -> bool {
        self.age(measured_at) > self.max_age
    }

    /// How old numbers of `measured_at` are. A clock that went back makes none younger than new.
    pub fn age(&self, measured_at: Timestamp) -> Duration {
        Duration::try_from(self.now.duration_since(measured_at)).unwrap_or_default()
    }
}

impl Numbers {
    /// Change of the visitors, in percent.
    pub fn change(&self) -> Option<f64> {
        change_percent(self.now.visitors, self.before.visitors)
    }

    /// Two projects together. Hours and days of two zones are added by their place in the day.
    fn plus(mut self, other: &Self) -> Self {
        self.measured_at = self.measured_at.min(other.measured_at);
        if self.time_zone != other.time_zone {
            self.time_zone = None;
        }
        for (sum, more) in [(&mut self.now, other.now), (&mut self.before, other.before)] {
            sum.visitors += more.visitors;
            sum.pageviews += more.pageviews;
        }
        for (sum, more) in [
            (&mut self.points, &other.points),
            (&mut self.points_before, &other.points_before),
        ] {
            if more.len() > sum.len() {
                let rest = more.iter().skip(sum.len()).map(|point| Point {
                    visitors: 0,
                    pageviews: 0,
                    ..*point
                });
                sum.extend(rest);
            }
            for (point, more) in sum.iter_mut().zip(more) {
                point.visitors += more.visitors;
                point.pageviews += more.pageviews;
            }
        }
        for (sum, more) in self.curve.iter_mut().zip(&other.curve) {
            *sum += more;
        }
        self.has_events |= other.has_events;
        self
    }

    pub(super) fn of_today(today: Today) -> Self {
        Self {
            measured_at: today.measured_at,
            has_events: !today.is_empty(),
            curve: today.days.iter().map(|day| day.visitors).collect(),
            time_zone: Some(today.time_zone),
            now: today.today,
            before: today.yesterday_by_now,
            points: today.hours,
            points_before: today.hours_yesterday,
        }
    }

    pub(super) fn of_period(period: Period) -> Self {
        Self {
            measured_at: period.measured_at,
            has_events: period.now.pageviews + period.before.pageviews > 0,
            curve: period.points.iter().map(|point| point.visitors).collect(),
            time_zone: Some(period.time_zone),
            now: period.now,
            before: period.before,
            points: period.points,
            points_before: period.points_before,
        }
    }
}

pub(super) fn title(which: &Which, rows: &[Row]) -> String {
    match (which, rows) {
        (Which::Total, _) => "All projects".to_owned(),
        (_, [row]) => row.name.clone(),
        (Which::Favourites, _) => "Favourites".to_owned(),
        (Which::Named(_), []) => "PocketHog".to_owned(),
        (Which::Named(_), rows) => format!("{} projects", rows.len()),
    }
}
