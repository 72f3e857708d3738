//! What a widget shows, in any format: rows, their sum, and the overall state.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use sign_in_with_posthog::{ConnectionId, EndReason};

use super::{Request, Which};
use crate::age;
use crate::discovery::{Cause, Failure};
use crate::moves::{self, ByNow, Judged, Move, Moves, UsualTotal};
use crate::overview::{
    Axis, Change, Counts, Curve, Day, Figures, Hours, LeftOut, Part, Period, Point, Range, Today,
    Total,
};
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
    /// True if the sum is the number to show, and the projects only explain it.
    pub summed: bool,
    /// The projects, in the order that was chosen.
    pub rows: Vec<Row>,
    /// The state of it all.
    pub state: State,
    /// One sentence, if the state is not [`State::Fresh`].
    pub sentence: Option<String>,
    /// What the last Discovery could not read.
    pub failures: Vec<Failure>,
    /// When it was looked at.
    pub now: Timestamp,
    /// The colour scheme that was chosen for what is shown.
    pub scheme: Scheme,
    /// Numbers older than this are stale.
    pub max_age: Duration,
    /// Connections whose projects are to be listed before all is known.
    pub undiscovered: HashSet<ConnectionId>,
    /// Connections whose list of projects is old: read again beside the numbers of a sum.
    pub old_lists: HashSet<ConnectionId>,
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
    /// How it has moved, if today is shown and its numbers say so.
    pub moved: Option<Move>,
    /// Why its Connection has ended.
    pub ended: Option<EndReason>,
    /// The instants of its annotations, as last read; only if it is the only project.
    pub annotations: Vec<Timestamp>,
    /// Its state.
    pub state: State,
    /// Whether PostHog should be asked for it.
    pub due: bool,
}

/// The numbers of a project, or a sum of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    /// When PostHog was asked; the oldest, in a sum.
    pub measured_at: Timestamp,
    /// Time zone of the points; `None` for the hours of projects whose days begin at different times.
    pub time_zone: Option<String>,
    /// False if PostHog's days are not those that this program knows.
    pub time_zone_known: bool,
    /// Up to now.
    pub now: Counts,
    /// The period before, up to the same time of day.
    pub before: Counts,
    /// The change that is shown beside the visitors: of today from what is usual by now, coloured exactly if they have left
    /// that; of a range from the period before.
    pub change: Change,
    /// The visitors of today beside what is usual by now, if that is known.
    pub usual: Option<ByNow>,
    /// Hours of today, or hours or days of the range.
    pub points: Vec<Point>,
    /// The same of the period before.
    pub points_before: Vec<Point>,
    /// Of today: the hours before those of yesterday, as far as the last 48 hours reach.
    pub points_earlier: Vec<Point>,
    /// Visitors per day of the last 30, or of the range.
    pub curve: Vec<u64>,
    /// False if nothing happened in all of it.
    pub has_events: bool,
    /// What was left out. Nothing in a sum, whose parts say it.
    pub left_out: LeftOut,
    /// True if bots were to be left out, and the server cannot tell them.
    pub lacks_bots: bool,
}

/// The state of numbers.
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
    /// The stored sign-in cannot be read on this device right now; PostHog was not asked.
    Locked,
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
            Self::Locked => "locked",
            Self::Forbidden => "forbidden",
            Self::Failed => "failed",
            Self::NoProjects => "no-projects",
            Self::UnknownProject => "unknown-project",
            Self::SignedOut => "signed-out",
            Self::NeverSignedIn => "never-signed-in",
        }
    }

    /// A word or two beside numbers; empty if there is nothing to say.
    pub fn words(self) -> &'static str {
        match self {
            Self::Fresh | Self::Stale => "",
            Self::Empty => "no events",
            Self::Partly => "incomplete",
            Self::Busy => "PostHog is busy",
            Self::Throttled => "rate-limited",
            Self::Offline => "offline",
            Self::Locked => "sign-in locked",
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
            Cause::Locked => Self::Locked,
            Cause::Offline => Self::Offline,
            Cause::Other => Self::Failed,
            Cause::SignedOut => Self::SignedOut,
            Cause::Throttled => Self::Throttled,
        }
    }
}

impl Content {
    /// Nothing but a sentence.
    pub fn failed(request: &Request, now: Timestamp, sentence: String) -> Self {
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

    /// True if PostHog should be asked.
    pub fn is_due(&self) -> bool {
        !self.undiscovered.is_empty() || self.rows.iter().any(|row| row.due)
    }

    /// The number to show first: of the only project, or the sum. `None` if nothing is known.
    pub fn sum(&self) -> Option<Numbers> {
        match self.rows.as_slice() {
            [row] => row.numbers.clone(),
            _ => self.sum_of(&self.total()),
        }
    }

    /// What has moved of the projects. Nothing if a range is shown.
    pub fn moves(&self) -> Moves {
        let of_today = self.rows.iter().filter(|_| self.range.is_none());
        moves::moves(of_today.map(|row| {
            let usual = row.numbers.as_ref().and_then(|numbers| numbers.usual);
            let is_known = usual.is_some() || row.moved.is_some();
            (&row.project.key, is_known, row.moved.as_ref())
        }))
    }

    /// The total of all rows, and what is in it.
    pub fn total(&self) -> Total {
        let parts: Vec<Part<'_>> = self.rows.iter().map(|row| row.part(self.range)).collect();
        Total::of(&parts, self.now)
    }

    /// The numbers of a total, with its hours or days.
    fn sum_of(&self, total: &Total) -> Option<Numbers> {
        let (now, before) = total.sums?;
        let members: Vec<&Numbers> = self
            .rows
            .iter()
            .zip(&total.members)
            .filter(|(_, counted)| **counted)
            .filter_map(|(row, _)| row.numbers.as_ref())
            .collect();
        let mut sum = Numbers {
            measured_at: total.measured_at.unwrap_or(self.now),
            time_zone: None,
            time_zone_known: members.iter().all(|one| one.time_zone_known),
            now,
            before,
            change: Change::between(now.visitors, before.visitors),
            usual: None,
            points: Vec::new(),
            points_before: Vec::new(),
            points_earlier: Vec::new(),
            curve: Vec::new(),
            has_events: members.iter().any(|one| one.has_events),
            left_out: LeftOut::default(),
            lacks_bots: false,
        };
        if self.range.is_none() {
            let usual = UsualTotal::of(members.iter().map(|one| one.usual));
            sum.usual = usual.map(|total| ByNow {
                count: total.count,
                usual: total.usual,
                basis: total.basis,
            });
            // Only a project moves.
            let counts = (now.visitors, before.visitors);
            sum.change = moves::visitors_change(None, sum.usual, counts);
        }
        for one in &members {
            add_from_the_end(&mut sum.curve, &one.curve, |sum, more| {
                *sum = sum.saturating_add(*more);
            });
        }
        if let Some(curve) = &total.curve {
            let pageviews: Option<Vec<Hours<'_>>> = members
                .iter()
                .map(|one| one.hours(self.range, |point| point.pageviews))
                .collect();
            let pageviews = Curve::of(&pageviews?.iter().collect::<Vec<_>>())?;
            sum.points = points(&curve.starts, &curve.now, &pageviews.now);
            let earlier: Vec<Timestamp> = curve
                .starts
                .iter()
                .map(|start| *start - jiff::SignedDuration::from_hours(24))
                .collect();
            sum.points_before = points(&earlier, &curve.before, &pageviews.before);
            if let Axis::Day(_) = curve.axis {
                sum.time_zone = members.first().and_then(|one| one.time_zone.clone());
            }
        } else {
            for one in &members {
                add_from_the_end(&mut sum.points, &one.points, Point::add);
                add_from_the_end(&mut sum.points_before, &one.points_before, Point::add);
            }
            let first = members.first().and_then(|one| one.time_zone.as_ref());
            sum.time_zone = first
                .filter(|zone| {
                    members
                        .iter()
                        .all(|one| one.time_zone.as_ref() == Some(zone))
                })
                .cloned();
        }
        Some(sum)
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

    /// True if numbers of `measured_at` are older than was asked for, or of unknown age.
    pub fn is_stale(&self, measured_at: Timestamp) -> bool {
        self.age(measured_at).is_none_or(|age| age > self.max_age)
    }

    /// How old numbers of `measured_at` are; `None` if the clock was ahead when they were measured.
    pub fn age(&self, measured_at: Timestamp) -> Option<Duration> {
        age::of(measured_at, self.now)
    }
}

impl Numbers {
    /// Compares them with what was judged of them. Answers how the project has moved.
    pub(super) fn compare(&mut self, judged: &Judged, now: Timestamp) -> Option<Move> {
        let moved = judged.moved(now);
        self.usual = judged.visitors_by_now();
        let counts = (self.now.visitors, self.before.visitors);
        self.change = moves::visitors_change(moved.as_ref(), self.usual, counts);
        moved
    }

    /// What a total needs of it.
    fn figures(&self, range: Option<Range>) -> Figures<'_> {
        Figures {
            measured_at: self.measured_at,
            now: self.now,
            before: self.before,
            online: None,
            hours: self.hours(range, |point| point.visitors),
        }
    }

    /// Its hours, if the range is counted by hours.
    fn hours(&self, range: Option<Range>, count: impl Fn(&Point) -> u64) -> Option<Hours<'_>> {
        if range.is_some_and(|range| range != Range::Day) {
            return None;
        }
        let all = || {
            self.points_earlier
                .iter()
                .chain(&self.points_before)
                .chain(&self.points)
        };
        let day = match (range, self.points.first(), self.points_before.first()) {
            (None, Some(today), Some(yesterday)) => Some(Day {
                began: today.start,
                yesterday_began: yesterday.start,
                zone: self.time_zone.as_deref().unwrap_or("UTC"),
            }),
            _ => None,
        };
        Some(Hours {
            first: all().next()?.start,
            counts: all().map(count).collect(),
            day,
        })
    }

    pub(super) fn of_today(today: Today) -> Self {
        Self {
            measured_at: today.measured_at,
            has_events: !today.is_empty(),
            left_out: today.asked.left_out,
            lacks_bots: today.lacks_bots,
            curve: today.days.iter().map(|day| day.visitors).collect(),
            time_zone: Some(today.time_zone),
            time_zone_known: today.time_zone_known,
            now: today.today,
            before: today.yesterday_by_now,
            change: moves::visitors_change(
                None,
                None,
                (today.today.visitors, today.yesterday_by_now.visitors),
            ),
            usual: None,
            points: today.hours,
            points_before: today.hours_yesterday,
            points_earlier: today.hours_earlier,
        }
    }

    pub(super) fn of_period(period: Period) -> Self {
        Self {
            measured_at: period.measured_at,
            has_events: period.now.pageviews > 0 || period.before.pageviews > 0,
            left_out: period.left_out,
            lacks_bots: period.lacks_bots,
            curve: period.points.iter().map(|point| point.visitors).collect(),
            time_zone: Some(period.time_zone),
            time_zone_known: period.time_zone_known,
            now: period.now,
            before: period.before,
            change: Change::between(period.now.visitors, period.before.visitors),
            usual: None,
            points: period.points,
            points_before: period.points_before,
            points_earlier: Vec::new(),
        }
    }
}

impl Row {
    fn part(&self, range: Option<Range>) -> Part<'_> {
        Part {
            readable: self.ended.is_none() && self.state != State::Forbidden,
            figures: self.numbers.as_ref().map(|numbers| numbers.figures(range)),
        }
    }
}

/// Adds hours or days place by place. Both end now; the longer one begins earlier.
fn add_from_the_end<T: Clone>(sum: &mut Vec<T>, more: &[T], add: impl Fn(&mut T, &T)) {
    let longer = more.len().saturating_sub(sum.len());
    let (new, shared) = more.split_at(longer);
    for (sum, more) in sum.iter_mut().rev().zip(shared.iter().rev()) {
        add(sum, more);
    }
    sum.splice(0..0, new.iter().cloned());
}

fn points(starts: &[Timestamp], visitors: &[u64], pageviews: &[u64]) -> Vec<Point> {
    starts
        .iter()
        .zip(visitors)
        .zip(pageviews)
        .map(|((&start, &visitors), &pageviews)| Point {
            start,
            visitors,
            pageviews,
        })
        .collect()
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
