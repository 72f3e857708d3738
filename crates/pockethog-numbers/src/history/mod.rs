//! The closed days of a project, read once and kept.
//!
//! A day that is over does not change any more, apart from events that arrive late. So its numbers are not counted again
//! every minute: one query reads up to 56 days, and what it answers is stored beside the Snapshots. For each day it holds
//! when each person was seen first, by quarter of an hour: the sum of these first views up to a quarter is the
//! exact number of distinct visitors up to then.
//!
//! | module | what it knows |
//! |---|---|
//! | `query` | the text that is asked |
//! | `days` | what the rows mean |
//! | `closed` | what today's numbers need of it |
//! | `due` | when to read which days |
//! | `stored` | how it is kept: compressed, with a checksum |

mod closed;
mod days;
mod due;
mod query;
mod stored;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use posthog_api::{HogQl, Rows};
use serde::{Deserialize, Serialize};

pub use due::{Due, Known};
pub use stored::StoredError;

pub use crate::overview::{Asked, MOST_CONVERSIONS};
use crate::overview::{Counts, DayClock, RowsError, time_zone};

/// The most closed days that are read: eight of each weekday.
pub const MOST_DAYS: usize = 56;

/// A project of which fewer days cannot be read has no History.
pub const FEWEST_DAYS: usize = 7;

/// Hours that are asked for on both sides of the days.
const MARGIN_HOURS: i64 = 2;

/// Seconds of a quarter of an hour.
const QUARTER: i64 = 900;

/// The closed days of one project, oldest first and without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// What was asked for. If the zone or the conversions change, all days are read again.
    pub asked: Asked,
    /// When the newest days were read.
    pub measured_at: Timestamp,
    /// When all days were read.
    pub all_measured_at: Timestamp,
    /// The zone that the days are cut in: the project's own, or `UTC+05:30` if only its distance from UTC could be
    /// read from PostHog's days.
    pub time_zone: String,
    /// False if PostHog's days are not those that this program knows.
    pub time_zone_known: bool,
    /// The days, oldest first.
    pub days: Vec<Day>,
    /// The last event of any kind before the end of the newest day, to the minute. `None` if there was none, or if it was
    /// read by an older program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event_at: Option<Timestamp>,
    /// How many days this project's PostHog answers at once, if [`MOST_DAYS`] were too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_to: Option<usize>,
}

/// A closed day. Its quarters and hours are in the order in which they passed: 92 to 100 quarters if the clock was
/// changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// When it began.
    pub start: Timestamp,
    /// When it ended, which is when the next one began.
    pub end: Timestamp,
    /// Persons whose first view of the day was in this quarter of an hour.
    pub first_views: Vec<u64>,
    /// Views in each quarter of an hour.
    pub pageviews: Vec<u64>,
    /// For each conversion event, persons who did it for the first time on this day in this quarter of an hour.
    pub first_conversions: Vec<Vec<u64>>,
    /// The hours.
    pub hours: Vec<Hour>,
    /// The same by minute, of the newest day only: today is compared with it to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<Minutes>,
}

/// An hour of a closed day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u64)", into = "(u64, u64, u64)")]
pub struct Hour {
    /// Distinct persons with a view.
    pub visitors: u64,
    /// Views.
    pub pageviews: u64,
    /// The longest time without any event that was open in this hour, in seconds, to the minute. It may have begun
    /// hours before.
    pub longest_gap: u64,
}

impl From<(u64, u64, u64)> for Hour {
    fn from((visitors, pageviews, longest_gap): (u64, u64, u64)) -> Self {
        Self {
            visitors,
            pageviews,
            longest_gap,
        }
    }
}

impl From<Hour> for (u64, u64, u64) {
    fn from(hour: Hour) -> Self {
        (hour.visitors, hour.pageviews, hour.longest_gap)
    }
}

/// A day by minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minutes {
    /// Persons whose first view of the day was in this minute.
    pub first_views: Vec<u64>,
    /// Views in each minute.
    pub pageviews: Vec<u64>,
}

/// The days that one query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    days: usize,
    from: Timestamp,
    until: Timestamp,
    minutes_from: Timestamp,
}

impl Stretch {
    /// The last `days` closed days, by the clock of the project.
    pub fn new(clock: &DayClock, days: usize) -> Self {
        let days = days.clamp(1, MOST_DAYS);
        let back = |days: usize| {
            let start = clock
                .day_start(i64::try_from(days).unwrap_or(1))
                .timestamp();
            clock.asked_from(start)
        };
        // PostHog's rules for a zone may be newer than ours. With two hours on both sides, its days are whole.
        let margin = MARGIN_HOURS.hours();
        let until = clock.until().timestamp();
        let closed = if clock.zone_known() {
            clock.day_start(0).timestamp()
        } else {
            until
        };
        Self {
            days,
            from: back(days).checked_sub(margin).unwrap_or(back(days)),
            until: closed.checked_add(margin).unwrap_or(closed).min(until),
            minutes_from: back(1).checked_sub(margin).unwrap_or(back(1)),
        }
    }

    /// How many days.
    pub fn days(&self) -> usize {
        self.days
    }
}

impl History {
    /// The query that reads these days.
    pub fn query(stretch: &Stretch, conversions: &[String]) -> HogQl {
        query::query(stretch, conversions)
    }

    /// Reads the rows of [`History::query`].
    ///
    /// # Errors
    ///
    /// Rows that are not what was asked for.
    pub fn from_rows(
        clock: &DayClock,
        stretch: &Stretch,
        asked: Asked,
        measured_at: Timestamp,
        rows: &Rows,
    ) -> Result<Self, RowsError> {
        let cut = days::read(clock, stretch, asked.conversions.len(), rows)?;
        Ok(Self {
            asked,
            measured_at,
            all_measured_at: measured_at,
            time_zone: cut.zone,
            time_zone_known: cut.as_expected,
            days: cut.days,
            last_event_at: cut.last_event_at,
            limited_to: None,
        })
    }

    /// These days with newer ones, read later, in their place. `None` if they do not continue each other, or are
    /// not cut in the same way: then all of them have to be read.
    #[must_use]
    pub fn renewed(&self, newer: Self) -> Option<Self> {
        let begin = newer.days.first()?.start;
        let same = self.asked == newer.asked
            && self.time_zone == newer.time_zone
            && self.time_zone_known == newer.time_zone_known;
        let mut days: Vec<Day> = self
            .days
            .iter()
            .filter(|day| day.start < begin)
            .cloned()
            .collect();
        if !same || days.last().is_none_or(|last| last.end != begin) {
            return None;
        }
        for day in &mut days {
            day.minutes = None;
        }
        let mut newer_days = newer.days;
        if let Some(known) = self.days.iter().find(|day| day.start == begin) {
            lengthen_gaps(&mut newer_days, known);
        }
        days.extend(newer_days);
        let most = self.limited_to.unwrap_or(MOST_DAYS).min(MOST_DAYS);
        days.drain(..days.len().saturating_sub(most));
        Some(Self {
            days,
            measured_at: newer.measured_at,
            last_event_at: newer.last_event_at.or(self.last_event_at),
            ..self.clone()
        })
    }

    /// What tells when to read it again.
    pub fn known(&self) -> Known {
        Known {
            asked: self.asked.clone(),
            measured_at: self.measured_at,
            all_measured_at: self.all_measured_at,
            ended_at: self.days.last().map(|day| day.end),
            limited_to: self.limited_to,
        }
    }

    /// The zone that its days are cut in.
    pub fn zone(&self) -> TimeZone {
        time_zone(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// The day that `at` is in.
    pub fn day_at(&self, at: Timestamp) -> Option<&Day> {
        let after = self.days.partition_point(|day| day.start <= at);
        let day = self.days.get(after.checked_sub(1)?)?;
        (at < day.end).then_some(day)
    }

    /// The days since anything was counted: those before a project was born say nothing about what is usual in it.
    pub fn lived(&self) -> &[Day] {
        let is_empty = |day: &&Day| {
            let mut conversions = day.first_conversions.iter().flatten();
            day.pageviews.iter().all(|count| *count == 0) && conversions.all(|count| *count == 0)
        };
        let born = self.days.iter().take_while(is_empty).count();
        self.days.get(born..).unwrap_or_default()
    }
}

/// Every query text that reads closed days, for the check by PostHog's own grammar.
#[must_use]
pub fn query_texts() -> Vec<HogQl> {
    let clock = DayClock::new("UTC", Timestamp::UNIX_EPOCH);
    let events: Vec<String> = (0..=MOST_CONVERSIONS)
        .map(|nth| format!("it's \"odd\" {nth}"))
        .collect();
    [events.as_slice(), &[]]
        .map(|events| History::query(&Stretch::new(&clock, MOST_DAYS), events))
        .into()
}

impl Day {
    /// Distinct visitors and views of the whole day.
    pub fn counts(&self) -> Counts {
        Counts {
            visitors: sum(&self.first_views),
            pageviews: sum(&self.pageviews),
        }
    }

    /// Distinct visitors and views before `at`. `None` if that is not known exactly: in the middle of a quarter of
    /// an hour, or of a minute on the newest day.
    pub fn counts_before(&self, at: Timestamp) -> Option<Counts> {
        if at >= self.end {
            return Some(self.counts());
        }
        let (step, first_views, pageviews) = match &self.minutes {
            Some(minutes) => (60, &minutes.first_views, &minutes.pageviews),
            None => (QUARTER, &self.first_views, &self.pageviews),
        };
        let seconds = (at.as_second() - self.start.as_second()).max(0);
        if seconds % step != 0 || at.subsec_nanosecond() != 0 {
            return None;
        }
        let slots = usize::try_from(seconds / step).ok()?;
        Some(Counts {
            visitors: sum(first_views.get(..slots)?),
            pageviews: sum(pageviews.get(..slots)?),
        })
    }

    /// Distinct persons with the conversion event of this place in [`Asked::conversions`].
    pub fn converted(&self, event: usize) -> u64 {
        self.first_conversions
            .get(event)
            .map_or(0, |quarters| sum(quarters))
    }

    /// The date that it has in `zone`.
    pub fn date(&self, zone: &TimeZone) -> Date {
        // Noon is in the day, whatever the clock does around midnight.
        zone.to_datetime(self.start + 12.hours()).date()
    }
}

/// Lengthens the gaps that had begun before these days were asked from, by what an earlier read of the first of them
/// knows.
fn lengthen_gaps(days: &mut [Day], known: &Day) {
    let first = |day: &Day| day.hours.first().map_or(0, |hour| hour.longest_gap);
    let missing = days
        .first()
        .map_or(0, |day| first(known).saturating_sub(first(day)));
    let mut asked = u64::try_from(MARGIN_HOURS * 3600).unwrap_or(0);
    for hour in days.iter_mut().flat_map(|day| &mut day.hours) {
        if hour.longest_gap < asked {
            break;
        }
        hour.longest_gap = hour.longest_gap.saturating_add(missing);
        asked = asked.saturating_add(3600);
    }
}

/// A sum that is too large stays at the largest number.
fn sum(counts: &[u64]) -> u64 {
    counts
        .iter()
        .fold(0, |sum: u64, count| sum.saturating_add(*count))
}
