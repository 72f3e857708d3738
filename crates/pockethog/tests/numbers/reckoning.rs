//! The same numbers computed from the events themselves: each event is assigned to a period in the project's own
//! calendar. This uses no SQL, and none of the program's own windows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use demo_posthog::Event;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, ZonedDateTime};

/// Visitors and views.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    persons: BTreeSet<u32>,
    views: u64,
    sessions: BTreeSet<u32>,
}

impl Tally {
    fn see(&mut self, event: &Event) {
        self.persons.insert(event.person);
        self.sessions.insert(event.session);
        self.views += 1;
    }

    pub fn visitors(&self) -> u64 {
        self.persons.len() as u64
    }

    pub fn views(&self) -> u64 {
        self.views
    }

    pub fn sessions(&self) -> u64 {
        self.sessions.len() as u64
    }
}

/// An hour of a clock that may show the same hour twice: day, hour, seconds ahead of UTC.
pub type Hour = (Date, i8, i32);

/// The events of a project up to now, in its calendar.
pub struct Reckoning {
    zone: TimeZone,
    /// End of the current minute.
    until: i64,
    happened: Vec<(Event, ZonedDateTime)>,
    /// Where the first event of each session came from.
    entries: HashMap<u32, Option<&'static str>>,
    days: BTreeMap<Date, Tally>,
    /// The last 48 hours that have begun, oldest first.
    hours: Vec<Hour>,
}

impl Reckoning {
    pub fn new(events: &[Event], zone: &str, now: Timestamp) -> Self {
        let zone = TimeZone::get(zone).unwrap();
        let now = now.as_second();
        let mut entries = HashMap::new();
        let mut happened = Vec::new();
        for event in events.iter().filter(|event| event.timestamp <= now) {
            entries
                .entry(event.session)
                .or_insert(event.referring_domain);
            happened.push((*event, local(event.timestamp, &zone)));
        }
        let until = (now + 59).div_euclid(60) * 60;
        let minutes = (until - 60 * 3600..until).step_by(60);
        let mut hours: Vec<Hour> = minutes.map(|at| hour(&local(at, &zone))).collect();
        hours.dedup();
        let mut reckoning = Self {
            hours: hours.split_off(hours.len() - 48),
            zone,
            until,
            happened,
            entries,
            days: BTreeMap::new(),
        };
        let mut days: BTreeMap<Date, Tally> = BTreeMap::new();
        for (event, at) in reckoning.views() {
            days.entry(at.date()).or_default().see(event);
        }
        reckoning.days = days;
        reckoning
    }

    fn views(&self) -> impl Iterator<Item = &(Event, ZonedDateTime)> {
        self.happened.iter().filter(|(event, _)| {
            matches!(event.event, "$pageview" | "$screen") && event.timestamp < self.until
        })
    }

    fn tally(&self, belongs: impl Fn(&Event, &ZonedDateTime) -> bool) -> Tally {
        let mut tally = Tally::default();
        for (event, at) in self.views() {
            if belongs(event, at) {
                tally.see(event);
            }
        }
        tally
    }

    /// Today in the project's zone.
    fn today(&self) -> Date {
        local(self.until - 1, &self.zone).date()
    }

    /// The time of day up to which earlier days are compared.
    fn time_of_day(&self) -> Time {
        local(self.until, &self.zone).time()
    }

    /// The day, this many days ago.
    pub fn day(&self, ago: i64) -> Date {
        self.today().checked_sub(ago.days()).unwrap()
    }

    /// A whole day.
    pub fn of_day(&self, ago: i64) -> Tally {
        self.days.get(&self.day(ago)).cloned().unwrap_or_default()
    }

    /// Yesterday, up to the same time of day as now.
    pub fn yesterday_by_now(&self) -> Tally {
        let (day, time) = (self.day(1), self.time_of_day());
        self.tally(|_, at| at.date() == day && at.time() < time)
    }

    pub fn online(&self) -> u64 {
        self.tally(|event, _| event.timestamp >= self.until - 300)
            .visitors()
    }

    /// The hours of a day that have begun, with what was seen in them.
    pub fn hours_of_day(&self, ago: i64) -> Vec<(Hour, Tally)> {
        let day = self.day(ago);
        let first = local(self.until, &self.zone)
            .checked_sub((ago + 2).days())
            .unwrap();
        let minutes = (first.timestamp().as_second()..self.until).step_by(60);
        let mut hours: Vec<Hour> = minutes
            .map(|at| local(at, &self.zone))
            .filter(|at| at.date() == day)
            .map(|at| hour(&at))
            .collect();
        hours.dedup();
        self.by_hour(hours)
    }

    /// The last 24 hours and the 24 before, oldest first.
    pub fn last_hours(&self) -> Vec<(Hour, Tally)> {
        self.by_hour(self.hours.clone())
    }

    /// The hours of the last three days by the full hour of UTC that they are counted in, since 1970.
    pub fn hours_on_the_axis(&self) -> Vec<(i64, Tally)> {
        let mut seen: BTreeMap<i64, Tally> = BTreeMap::new();
        for (event, at) in self.views() {
            if event.timestamp >= self.until - 3 * 86_400 {
                seen.entry(full_hour(event.timestamp, at))
                    .or_default()
                    .see(event);
            }
        }
        seen.into_iter().collect()
    }

    /// The full hour of UTC that the current hour of the project's clock is counted in, since 1970.
    pub fn last_hour(&self) -> i64 {
        full_hour(self.until - 1, &local(self.until - 1, &self.zone))
    }

    /// The last days that are over, oldest first, counted once more: see [`ClosedDay`].
    pub fn closed_days(&self, days: i64, conversions: &[&str]) -> Vec<ClosedDay> {
        self.counted((1..=days).rev(), conversions)
    }

    /// Today by quarter of an hour, counted once more. What has not happened yet counts 0.
    pub fn today_by_quarter(&self, conversions: &[&str]) -> ClosedDay {
        self.counted(0..=0, conversions).remove(0)
    }

    /// The last event of any kind.
    pub fn last_event(&self) -> Option<i64> {
        let happened = self.happened.iter().map(|(event, _)| event.timestamp);
        happened.filter(|at| *at < self.until).max()
    }

    fn counted(&self, ago: impl Iterator<Item = i64>, conversions: &[&str]) -> Vec<ClosedDay> {
        let mut events: BTreeMap<Date, Vec<&Event>> = BTreeMap::new();
        let mut minutes = BTreeSet::new();
        for (event, at) in self
            .happened
            .iter()
            .filter(|(event, _)| event.timestamp < self.until)
        {
            minutes.insert(event.timestamp - event.timestamp.rem_euclid(60));
            events.entry(at.date()).or_default().push(event);
        }
        let mut closed = Vec::new();
        for ago in ago {
            let date = self.day(ago);
            let mut of_day = events.remove(&date).unwrap_or_default();
            of_day.sort_by_key(|event| event.timestamp);
            closed.push(self.closed_day(date, &of_day, &minutes, conversions));
        }
        closed
    }

    fn closed_day(
        &self,
        date: Date,
        events: &[&Event],
        all: &BTreeSet<i64>,
        conversions: &[&str],
    ) -> ClosedDay {
        let midnight = |date: Date| {
            let midnight = self.zone.to_timestamp(date.to_datetime(Time::midnight()));
            midnight.unwrap().as_second()
        };
        let (start, end) = (midnight(date), midnight(date.tomorrow().unwrap()));
        let slots = |step: i64| vec![0; usize::try_from((end - start) / step).unwrap()];
        let place = |at: i64, step: i64| usize::try_from((at - start) / step).unwrap();
        let firsts = |step: i64, counts: &dyn Fn(&str) -> bool| {
            let mut seen = BTreeSet::new();
            let mut slots = slots(step);
            for event in events {
                if counts(event.event) && seen.insert(event.person) {
                    slots[place(event.timestamp, step)] += 1;
                }
            }
            slots
        };
        let views = |step: i64| {
            let mut slots = slots(step);
            for event in events.iter().filter(|event| is_view(event.event)) {
                slots[place(event.timestamp, step)] += 1;
            }
            slots
        };
        let mut begun: Vec<i64> = Vec::new();
        for at in (start..end).step_by(60) {
            let clock = |at: i64| hour(&local(at, &self.zone));
            if begun.is_empty() || clock(at) != clock(at - 60) {
                begun.push(at);
            }
        }
        let ends: Vec<i64> = begun.iter().skip(1).copied().chain([end]).collect();
        let mut hours = vec![Tally::default(); begun.len()];
        for event in events.iter().filter(|event| is_view(event.event)) {
            hours[begun.partition_point(|from| *from <= event.timestamp) - 1].see(event);
        }
        let gap = |from: i64, until: i64| {
            // Each gap that is open at some moment of the hour: before an event in it, or at its end.
            let before = |at: i64| all.range(..at).next_back().copied();
            let within = all.range(from..until);
            let closed = within.filter_map(|at| Some(at - before(*at)?)).max();
            closed.max(before(until).map(|last| until - last))
        };
        ClosedDay {
            date,
            start,
            first_views: firsts(900, &is_view),
            views: views(900),
            minutes: (firsts(60, &is_view), views(60)),
            conversions: conversions
                .iter()
                .map(|name| firsts(900, &|event| event == *name))
                .collect(),
            gaps: begun
                .iter()
                .zip(ends)
                .map(|(from, until)| gap(*from, until))
                .collect(),
            hours: hours
                .iter()
                .map(|tally| (tally.visitors(), tally.views()))
                .collect(),
        }
    }

    fn by_hour(&self, hours: Vec<Hour>) -> Vec<(Hour, Tally)> {
        let mut seen: BTreeMap<Hour, Tally> = BTreeMap::new();
        for (event, at) in self.views() {
            seen.entry(hour(at)).or_default().see(event);
        }
        hours
            .into_iter()
            .map(|hour| (hour, seen.remove(&hour).unwrap_or_default()))
            .collect()
    }

    /// Whether an event is in the range (`true`), in the compared part of the period before (`false`).
    fn side(&self, range: Span, event: &Event, at: &ZonedDateTime) -> Option<bool> {
        if event.timestamp >= self.until {
            return None;
        }
        match range {
            Span::Hours => {
                let place = self.hours.iter().position(|begun| *begun == hour(at))?;
                if place >= 24 {
                    return Some(true);
                }
                (event.timestamp < self.until - 24 * 3600).then_some(false)
            }
            Span::Days(days) => {
                let ago = (self.today() - at.date()).get_days();
                let ago = i64::from(ago);
                if ago < days {
                    return Some(true);
                }
                let before = ago > days || at.time() < self.time_of_day();
                (ago < 2 * days && before).then_some(false)
            }
        }
    }

    /// The range and the compared part of the period before.
    pub fn totals(&self, range: Span) -> (Tally, Tally) {
        let (mut now, mut before) = (Tally::default(), Tally::default());
        for (event, at) in self.near(range) {
            if matches!(event.event, "$pageview" | "$screen") {
                match self.side(range, event, at) {
                    Some(true) => now.see(event),
                    Some(false) => before.see(event),
                    None => {}
                }
            }
        }
        (now, before)
    }

    /// Persons with an event, in the range and in the compared part of the period before.
    pub fn conversions(&self, range: Span, name: &str) -> (u64, u64) {
        let (mut now, mut before) = (BTreeSet::new(), BTreeSet::new());
        for (event, at) in self.near(range) {
            if event.event == name {
                match self.side(range, event, at) {
                    Some(true) => now.insert(event.person),
                    Some(false) => before.insert(event.person),
                    None => false,
                };
            }
        }
        (now.len() as u64, before.len() as u64)
    }

    /// The first eight of a list: label and visitors, most first, then by label.
    pub fn breakdown(
        &self,
        range: Span,
        label: impl Fn(&Self, &Event) -> Option<&'static str>,
    ) -> Vec<(String, u64)> {
        let mut seen: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for (event, at) in self.near(range) {
            if matches!(event.event, "$pageview" | "$screen")
                && self.side(range, event, at) == Some(true)
            {
                seen.entry(label(self, event).unwrap_or_default())
                    .or_default()
                    .insert(event.person);
            }
        }
        let mut rows: Vec<(String, u64)> = seen
            .into_iter()
            .map(|(label, persons)| (label.to_owned(), persons.len() as u64))
            .collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        rows
    }

    pub fn entry(&self, event: &Event) -> Option<&'static str> {
        self.entries[&event.session]
    }

    /// The events that can matter to a range, to spare looking at all of them.
    fn near(&self, range: Span) -> impl Iterator<Item = &(Event, ZonedDateTime)> {
        let days = match range {
            Span::Hours => 3,
            Span::Days(days) => 2 * days + 2,
        };
        let first = self.until - days * 86_400;
        self.happened
            .iter()
            .filter(move |(event, _)| event.timestamp >= first)
    }
}

/// A day that is over: counts by quarter of an hour and by minute, in the order in which they passed.
pub struct ClosedDay {
    pub date: Date,
    pub start: i64,
    pub first_views: Vec<u64>,
    pub views: Vec<u64>,
    /// First views and views by minute.
    pub minutes: (Vec<u64>, Vec<u64>),
    /// Persons by their first event of each name.
    pub conversions: Vec<Vec<u64>>,
    /// Visitors and views of each hour.
    pub hours: Vec<(u64, u64)>,
    /// The longest time without any event that was open in each hour, in seconds.
    pub gaps: Vec<Option<i64>>,
}

fn is_view(event: &str) -> bool {
    matches!(event, "$pageview" | "$screen")
}

/// A range, in the reckoning's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// The current hour and the 23 before.
    Hours,
    /// Today and the days before, this many in total.
    Days(i64),
}

pub fn hour(at: &ZonedDateTime) -> Hour {
    (at.date(), at.hour(), at.offset().seconds())
}

/// The hour of the clock begins on the full hour of UTC, or half an hour before it.
fn full_hour(at: i64, clock: &ZonedDateTime) -> i64 {
    let began = at - i64::from(clock.minute()) * 60 - i64::from(clock.second());
    let half = i64::from(began % 3600 >= 1800);
    began.div_euclid(3600) + half
}

pub fn local(at: i64, zone: &TimeZone) -> ZonedDateTime {
    Timestamp::from_second(at)
        .unwrap()
        .to_zoned_datetime(zone.clone())
}
