//! What a home screen is made from.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sign_in_with_posthog::{Connection, ConnectionId};

use pockethog_core::access;
use pockethog_core::causes::Explanation;
use pockethog_core::discovery::Failure;
use pockethog_core::moves::Judged;
use pockethog_core::overview::{Counts, Part, Period, Today, TodaySummary, time_zone};
use pockethog_core::preferences::{Cadence, Preferences, ProjectPreferences};
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::snapshot::{KnownDiscovery, Trouble};

/// What a home screen is made from.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// When it is looked at.
    pub now: Timestamp,
    /// What numbers have to be to count as those of now.
    pub freshness: Freshness,
    /// Names, order, favourites.
    pub preferences: &'a Preferences,
    /// All Connections.
    pub connections: &'a [Connection],
    /// All projects with what is known of their numbers, in the order of names.
    pub projects: Vec<Source<'a>>,
    /// These projects alone, hidden or not. Otherwise all that are not hidden.
    pub only: Option<&'a HashSet<ProjectKey>>,
    /// The last list of projects of each Connection.
    pub discoveries: &'a HashMap<ConnectionId, KnownDiscovery>,
    /// Connections that get no answer, with the reason in the error's words.
    pub outages: HashMap<ConnectionId, String>,
}

/// What numbers have to be to count as those of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// As fresh as a screen that stays open keeps them, which reads them again this often.
    Every(Cadence),
    /// Of a run that began then and has asked for all of them.
    Since(Timestamp),
}

/// A project with what is known of its numbers.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its last numbers.
    pub numbers: Option<Stored<'a>>,
    /// What was judged of today's: what is usual, and whether the project has left that.
    pub judged: Option<&'a Judged>,
    /// What made it move when that was last asked, whichever move it was.
    pub explanation: Option<&'a Explanation>,
    /// Why they could not be refreshed the last time it was tried.
    pub trouble: Option<&'a Trouble>,
}

/// Numbers, in any form that they are read in.
#[derive(Clone, Copy, Debug)]
pub enum Stored<'a> {
    /// The part of today's that is kept in memory.
    Summary(&'a TodaySummary),
    /// Today's.
    Today(&'a Today),
    /// Those of a range.
    Period(&'a Period),
}

/// A project that is shown, the Connection that reads it, and what the person chose about it.
pub(super) type Arranged<'a> = (Source<'a>, &'a Connection, ProjectPreferences);

impl<'a> Sources<'a> {
    /// The projects whose Connections are shown, hidden projects included: favourites, then as ordered by hand, then
    /// as they come.
    pub(super) fn arranged(&self) -> Vec<Arranged<'a>> {
        let shown: HashMap<&ConnectionId, &Connection> = self
            .connections
            .iter()
            .filter(|connection| access::is_shown(connection))
            .map(|connection| (&connection.id, connection))
            .collect();
        let mut projects: Vec<(Source<'a>, &'a Connection)> = self
            .projects
            .iter()
            .filter_map(|source| Some((*source, *shown.get(&source.project.connection)?)))
            .collect();
        self.preferences
            .sort_by_project(&mut projects, |(source, _)| source.project);
        projects
            .into_iter()
            .map(|(source, connection)| {
                let chosen = self.preferences.project(&source.project.key);
                (source, connection, chosen)
            })
            .collect()
    }

    /// What the last list of a Connection could not read.
    pub(super) fn listed_failures(&self, connection: &ConnectionId) -> &'a [Failure] {
        let found = self.discoveries.get(connection);
        found.map_or(&[], |found| &found.failures)
    }

    /// Whether a project is among those that are asked for.
    pub(super) fn wants(&self, key: &ProjectKey, chosen: &ProjectPreferences) -> bool {
        match self.only {
            Some(only) => only.contains(key),
            None => !chosen.hidden,
        }
    }
}

impl<'a> Source<'a> {
    /// What a total needs of it.
    pub(super) fn part(&self, connection: &Connection, online: Option<u64>) -> Part<'a> {
        let readable = connection.is_active() && connection.grant.scopes.allows("query:read");
        let mut part = match self.numbers {
            None => Part::today(None, readable),
            Some(Stored::Summary(summary)) => TodaySummary::part(Some(summary), readable),
            Some(Stored::Today(today)) => Part::today(Some(today), readable),
            Some(Stored::Period(period)) => Part::period(Some(period), readable),
        };
        if let Some(figures) = &mut part.figures {
            figures.online = online;
        }
        part
    }
}

impl Stored<'_> {
    /// When PostHog was asked.
    pub fn measured_at(&self) -> Timestamp {
        match self {
            Self::Summary(summary) => summary.measured_at,
            Self::Today(today) => today.measured_at,
            Self::Period(period) => period.measured_at,
        }
    }

    /// Up to now, and before.
    pub(super) fn counts(&self) -> (Counts, Counts) {
        match self {
            Self::Summary(summary) => summary.counts(),
            Self::Today(today) => (today.today, today.yesterday_by_now),
            Self::Period(period) => (period.now, period.before),
        }
    }

    /// Persons who were there when PostHog was asked, if that was asked.
    pub(super) fn online(&self) -> Option<u64> {
        match self {
            Self::Summary(summary) => Some(summary.online),
            Self::Today(today) => Some(today.online),
            Self::Period(_) => None,
        }
    }

    /// Visitors of the last 30 days, or of the range.
    pub(super) fn curve(&self) -> Vec<u64> {
        let points = match self {
            Self::Summary(summary) => return summary.days.clone(),
            Self::Today(today) => &today.days,
            Self::Period(period) => &period.points,
        };
        points.iter().map(|point| point.visitors).collect()
    }

    /// The project's day that the numbers are of, if they are of a day.
    pub(super) fn date(&self) -> Option<Date> {
        match self {
            Self::Summary(summary) => Some(summary.date()),
            Self::Today(today) => {
                let zone = time_zone(&today.time_zone).unwrap_or(TimeZone::UTC);
                // Noon is in the day, whatever the clock does around midnight.
                let noon = today.hours.first()?.start + 12.hours();
                Some(zone.to_datetime(noon).date())
            }
            Self::Period(_) => None,
        }
    }

    /// The zone that the days are cut in.
    pub(super) fn time_zone(&self) -> &str {
        match self {
            Self::Summary(summary) => &summary.time_zone,
            Self::Today(today) => &today.time_zone,
            Self::Period(period) => &period.time_zone,
        }
    }

    /// Whether the project's day is over that the numbers are of.
    pub(super) fn day_is_over(&self, now: Timestamp) -> bool {
        match self {
            Self::Summary(summary) => now >= summary.day().ends(),
            Self::Today(today) => {
                let hours =
                    pockethog_core::overview::Hours::of_today(today, |point| point.visitors);
                let day = hours.and_then(|hours| hours.day);
                day.is_some_and(|day| now >= day.ends())
            }
            Self::Period(_) => false,
        }
    }

    /// The zone that the days are shown in, if PostHog's days are not those that this program knows.
    pub(super) fn unknown_zone(&self) -> Option<String> {
        let (is_known, zone) = match self {
            Self::Summary(summary) => (summary.time_zone_known, &summary.time_zone),
            Self::Today(today) => (today.time_zone_known, &today.time_zone),
            Self::Period(period) => (period.time_zone_known, &period.time_zone),
        };
        (!is_known).then(|| zone.clone())
    }
}
