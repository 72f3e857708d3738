//! What the rows of the query mean.

use jiff::Timestamp;
use posthog_api::Rows;

use super::query::MOST_ROWS;
use super::{Day, Hour, Minutes, QUARTER, Stretch};
use crate::overview::buckets::Days;
use crate::overview::hogql::CONVERSION_COLUMNS;
use crate::overview::rows::Table;
use crate::overview::{DayClock, RowsError};

const HOUR: i64 = 3600;

/// The closed days.
pub(super) struct Cut {
    pub(super) days: Vec<Day>,
    /// The name of their zone.
    pub(super) zone: String,
    /// Whether they are those that this program knows.
    pub(super) as_expected: bool,
    /// The last event before they ended.
    pub(super) last_event_at: Option<Timestamp>,
}

pub(super) fn read(
    clock: &DayClock,
    stretch: &Stretch,
    conversions: usize,
    rows: &Rows,
) -> Result<Cut, RowsError> {
    if rows.rows.len() >= MOST_ROWS {
        return Err(RowsError::TooMany(MOST_ROWS));
    }
    let found = Found::new(rows, conversions)?;
    let mut cut: Vec<Timestamp> = found.slots.iter().filter_map(|slot| at(slot.day)).collect();
    cut.sort_unstable();
    cut.dedup();
    let viewed = found.hours.iter().filter(|hour| hour.pageviews > 0);
    let seen: Vec<Timestamp> = viewed.filter_map(|hour| at(hour.bucket)).collect();
    // Today is one of them, and is not kept.
    let calendar = Days::new(clock, stretch.days + 1, &cut, &seen);
    let mut days: Vec<Day> = calendar
        .starts
        .iter()
        .zip(calendar.starts.iter().skip(1))
        .map(|(start, end)| empty(*start, *end, conversions))
        .collect();
    if let Some(newest) = days.last_mut() {
        let minutes = length(newest, 60);
        newest.minutes = Some(Minutes {
            first_views: vec![0; minutes],
            pageviews: vec![0; minutes],
        });
    }
    for slot in &found.slots {
        if let Some(day) = day_of(&mut days, slot.bucket) {
            add_slot(day, slot);
        }
    }
    for hour in &found.hours {
        if let Some(day) = day_of(&mut days, hour.bucket)
            && let Some(place) = place(day, hour.bucket, HOUR)
            && let Some(known) = day.hours.get_mut(place)
        {
            known.visitors = known.visitors.saturating_add(hour.visitors);
            known.pageviews = known.pageviews.saturating_add(hour.pageviews);
        }
    }
    add_gaps(&mut days, &found.hours, stretch);
    let end = days.last().map(|day| day.end);
    let last_events = found.hours.iter().filter(|hour| hour.last_event > 0);
    let last_event_at = last_events
        .filter_map(|hour| at(hour.last_event))
        .filter(|last| end.is_some_and(|end| *last < end))
        .max();
    Ok(Cut {
        days,
        zone: calendar.zone,
        as_expected: calendar.as_expected,
        last_event_at,
    })
}

/// A row of a quarter of an hour or a minute.
struct Slot {
    day: u64,
    bucket: u64,
    visitors: u64,
    pageviews: u64,
    conversions: Vec<u64>,
}

/// A row of an hour.
#[derive(Clone, Copy)]
struct HourRow {
    bucket: u64,
    visitors: u64,
    pageviews: u64,
    gap: u64,
    last_event: u64,
}

struct Found {
    slots: Vec<Slot>,
    /// In order.
    hours: Vec<HourRow>,
}

impl Found {
    fn new(rows: &Rows, conversions: usize) -> Result<Self, RowsError> {
        let columns = [
            "kind",
            "day",
            "bucket",
            "visitors",
            "pageviews",
            "gap",
            "last_event",
        ];
        let table = Table::new(rows, columns)?;
        let mut converted = Vec::new();
        for column in CONVERSION_COLUMNS.iter().take(conversions) {
            converted.push(Table::new(rows, [*column])?);
        }
        let mut converted: Vec<_> = converted.iter().map(Table::iter).collect();
        let mut found = Self {
            slots: Vec::new(),
            hours: Vec::new(),
        };
        for row in table.iter() {
            let mut counts = Vec::with_capacity(conversions);
            for column in &mut converted {
                let record = column.next();
                counts.push(record.map_or(Ok(0), |record| record.count(0))?);
            }
            let (bucket, visitors, pageviews) = (row.count(2)?, row.count(3)?, row.count(4)?);
            match row.text(0) {
                "slot" => found.slots.push(Slot {
                    day: row.count(1)?,
                    bucket,
                    visitors,
                    pageviews,
                    conversions: counts,
                }),
                "hour" => found.hours.push(HourRow {
                    bucket,
                    visitors,
                    pageviews,
                    gap: row.count(5)?,
                    last_event: row.count(6)?,
                }),
                _ => {}
            }
        }
        found.hours.sort_unstable_by_key(|hour| hour.bucket);
        Ok(found)
    }
}

fn at(second: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(second).ok()?).ok()
}

fn empty(start: Timestamp, end: Timestamp, conversions: usize) -> Day {
    let mut day = Day {
        start,
        end,
        first_views: Vec::new(),
        pageviews: Vec::new(),
        first_conversions: Vec::new(),
        hours: Vec::new(),
        minutes: None,
    };
    let quarters = vec![0; length(&day, QUARTER)];
    day.first_conversions = vec![quarters.clone(); conversions];
    day.pageviews.clone_from(&quarters);
    day.first_views = quarters;
    day.hours = vec![Hour::default(); length(&day, HOUR)];
    day
}

/// How many stretches of `step` seconds a day has. A nonsensical answer must not fill the memory.
fn length(day: &Day, step: i64) -> usize {
    let seconds = day.end.as_second() - day.start.as_second();
    let seconds = seconds.clamp(0, 50 * HOUR);
    usize::try_from((seconds + step - 1) / step).unwrap_or(0)
}

fn day_of(days: &mut [Day], bucket: u64) -> Option<&mut Day> {
    let at = at(bucket)?;
    let after = days.partition_point(|day| day.start <= at);
    days.get_mut(after.checked_sub(1)?)
        .filter(|day| at < day.end)
}

/// Which stretch of `step` seconds of the day something is in.
fn place(day: &Day, bucket: u64, step: i64) -> Option<usize> {
    let seconds = i64::try_from(bucket).ok()? - day.start.as_second();
    usize::try_from(seconds.div_euclid(step)).ok()
}

fn add_slot(day: &mut Day, slot: &Slot) {
    let quarter = place(day, slot.bucket, QUARTER);
    let minute = place(day, slot.bucket, 60);
    let add = |counts: &mut Vec<u64>, place: Option<usize>, count: u64| {
        if let Some(known) = place.and_then(|place| counts.get_mut(place)) {
            *known = known.saturating_add(count);
        }
    };
    add(&mut day.first_views, quarter, slot.visitors);
    add(&mut day.pageviews, quarter, slot.pageviews);
    for (counts, count) in day.first_conversions.iter_mut().zip(&slot.conversions) {
        add(counts, quarter, *count);
    }
    if let Some(minutes) = &mut day.minutes {
        add(&mut minutes.first_views, minute, slot.visitors);
        add(&mut minutes.pageviews, minute, slot.pageviews);
    }
}

/// Fills in how long nothing had happened, hour by hour. Before the first event it is since when was asked.
fn add_gaps(days: &mut [Day], rows: &[HourRow], stretch: &Stretch) {
    let mut rows = rows.iter().peekable();
    let asked_from = u64::try_from(stretch.from.as_second()).unwrap_or(0);
    let mut last = asked_from;
    let mut take_until = |end: u64, last: &mut u64| {
        let mut longest = 0;
        while let Some(row) = rows.next_if(|row| row.bucket < end) {
            if row.last_event == 0 {
                continue;
            }
            // The first event of all has none before it.
            let first = row.gap > row.last_event.saturating_sub(asked_from);
            let gap = if first {
                row.bucket.saturating_sub(*last)
            } else {
                row.gap
            };
            longest = longest.max(gap);
            *last = row.last_event;
        }
        longest
    };
    for day in days {
        let start = u64::try_from(day.start.as_second()).unwrap_or(0);
        let until = u64::try_from(day.end.as_second()).unwrap_or(0);
        take_until(start, &mut last);
        let mut end = start;
        for hour in &mut day.hours {
            end = end.saturating_add(3600).min(until);
            let closed = take_until(end, &mut last);
            hour.longest_gap = closed.max(end.saturating_sub(last));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::super::{Asked, History};
    use super::*;

    const COLUMNS: [&str; 8] = [
        "kind",
        "day",
        "bucket",
        "visitors",
        "pageviews",
        "gap",
        "last_event",
        "conversion_0",
    ];

    fn second(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn slot(day: &str, bucket: &str, counts: [u64; 3]) -> Vec<Value> {
        let [visitors, pageviews, converted] = counts;
        vec![
            json!("slot"),
            json!(second(day)),
            json!(second(bucket)),
            json!(visitors),
            json!(pageviews),
            json!(0),
            json!(0),
            json!(converted),
        ]
    }

    fn hour(bucket: &str, gap: i64, last: &str) -> Vec<Value> {
        let (bucket, last) = (json!(second(bucket)), json!(second(last)));
        let (kind, gap) = (json!("hour"), json!(gap));
        vec![
            kind,
            json!(0),
            bucket,
            json!(1),
            json!(1),
            gap,
            last,
            json!(0),
        ]
    }

    fn history(zone: &str, now: &str, days: usize, rows: Vec<Vec<Value>>) -> History {
        let clock = DayClock::new(zone, now.parse().unwrap());
        let rows = Rows {
            columns: COLUMNS.map(ToOwned::to_owned).to_vec(),
            rows,
            ..Rows::default()
        };
        let asked = Asked::new(zone, &["paid".to_owned()]);
        let stretch = Stretch::new(&clock, days);
        let now = clock.until().timestamp();
        History::from_rows(&clock, &stretch, asked, now, &rows).unwrap()
    }

    #[test]
    fn rows_land_on_their_quarters_and_on_the_minutes_of_the_newest_day() {
        let (before, yesterday) = ("2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z");
        let history = history(
            "Europe/Berlin",
            "2026-11-24T10:00:00Z",
            2,
            vec![
                slot(before, "2026-11-22T00:15:00Z", [3, 7, 1]),
                slot(yesterday, "2026-11-22T23:16:00Z", [2, 2, 0]),
                slot(yesterday, "2026-11-22T23:29:00Z", [1, 4, 2]),
                // Of today, and of the day before the first one: asked for so that days are whole.
                slot("2026-11-23T23:00:00Z", "2026-11-23T23:00:00Z", [9, 9, 9]),
                slot("2026-11-20T23:00:00Z", "2026-11-21T22:00:00Z", [9, 9, 9]),
            ],
        );
        assert_eq!(history.days.len(), 2);
        let [older, newest] = [&history.days[0], &history.days[1]];
        assert_eq!((older.counts().visitors, older.counts().pageviews), (3, 7));
        assert_eq!((older.first_views[5], older.converted(0)), (3, 1));
        assert_eq!((newest.first_views[1], newest.converted(0)), (3, 2));
        let until = |at: &str| newest.counts_before(at.parse().unwrap());
        assert_eq!(until("2026-11-22T23:17:00Z").unwrap().visitors, 2);
        assert_eq!(until("2026-11-22T23:16:00Z").unwrap().visitors, 0);
        assert_eq!(until("2026-11-25T00:00:00Z").unwrap().pageviews, 6);
        let in_a_quarter = "2026-11-22T00:17:00Z".parse().unwrap();
        assert_eq!(older.counts_before(in_a_quarter), None);
        assert!(history.time_zone_known);
    }

    #[test]
    fn days_of_a_clock_change_have_the_quarters_that_passed() {
        for (now, quarters, hours) in [
            ("2026-10-26T10:00:00Z", 100, 25),
            ("2026-03-30T10:00:00Z", 92, 23),
        ] {
            let history = history("Europe/Berlin", now, 3, vec![]);
            let newest = history.days.last().unwrap();
            assert_eq!(newest.first_views.len(), quarters);
            assert_eq!(newest.hours.len(), hours);
            assert_eq!(newest.minutes.as_ref().unwrap().pageviews.len(), hours * 60);
        }
    }

    #[test]
    fn an_hour_without_events_has_the_gap_that_was_open_in_it() {
        let history = history(
            "UTC",
            "2026-11-24T10:00:00Z",
            1,
            vec![
                hour(
                    "2026-11-23T02:00:00Z",
                    1_795_399_200,
                    "2026-11-23T02:50:00Z",
                ),
                hour("2026-11-23T05:00:00Z", 8400, "2026-11-23T05:40:00Z"),
            ],
        );
        let gaps: Vec<u64> = history.days[0]
            .hours
            .iter()
            .map(|hour| hour.longest_gap / 60)
            .collect();
        // Asked since 22:00 on the day before.
        assert_eq!(gaps[..7], [180, 240, 240, 70, 130, 140, 80]);
    }

    #[test]
    fn an_unknown_zone_has_the_days_that_posthog_cut() {
        let day = "2026-11-22T18:30:00Z";
        let history = history(
            "Mars/Olympus",
            "2026-11-24T10:00:00Z",
            2,
            vec![
                slot(day, "2026-11-22T18:30:00Z", [4, 4, 0]),
                slot("2026-11-23T18:30:00Z", "2026-11-24T08:00:00Z", [5, 5, 0]),
            ],
        );
        let newest = history.days.last().unwrap();
        assert_eq!(newest.start, day.parse().unwrap());
        assert_eq!(newest.counts().visitors, 4);
        assert_eq!(history.time_zone, "UTC+05:30");
        assert!(!history.time_zone_known);
    }

    #[test]
    fn an_answer_that_may_have_been_cut_is_none() {
        let clock = DayClock::new("UTC", "2026-11-24T10:00:00Z".parse().unwrap());
        let rows = Rows {
            columns: COLUMNS.map(ToOwned::to_owned).to_vec(),
            rows: vec![Vec::new(); MOST_ROWS],
            ..Rows::default()
        };
        let stretch = Stretch::new(&clock, 56);
        let read = read(&clock, &stretch, 1, &rows);
        assert_eq!(read.err(), Some(RowsError::TooMany(MOST_ROWS)));
    }
}
