//! The rows of the query of today's numbers.

use jiff::Timestamp;
use posthog_api::Rows;

use super::{DAYS, Quarter};
use crate::overview::buckets::Days;
use crate::overview::hogql::CONVERSION_COLUMNS;
use crate::overview::rows::{RowsError, Table, epoch};
use crate::overview::{ClosedDays, Counts, DayClock};

/// Seconds of a quarter of an hour.
const QUARTER: i64 = 900;

/// The most quarters of an hour that a day can have. A nonsensical answer must not fill the memory.
const MOST_QUARTERS: i64 = 200;

/// What came back.
#[derive(Default)]
pub(super) struct Found {
    pub(super) slots: Vec<Slot>,
    pub(super) days: Vec<Bucket>,
    pub(super) hours: Vec<Bucket>,
    /// The last event since then.
    pub(super) last_event_at: Option<Timestamp>,
}

/// A quarter of an hour of today or of the day before.
pub(super) struct Slot {
    /// When the day and the hour that it is in began.
    pub(super) day: Timestamp,
    pub(super) hour: Timestamp,
    quarter: Timestamp,
    /// Visitors that were not seen before on that day; views.
    pub(super) counts: Counts,
    /// Visitors that were not seen before in that hour.
    pub(super) hour_visitors: u64,
    online: u64,
    conversions: Vec<u64>,
}

/// A day or an hour as a whole.
pub(super) struct Bucket {
    pub(super) start: Timestamp,
    pub(super) counts: Counts,
    /// Up to the same time of day as now.
    pub(super) by_now: Counts,
}

impl Found {
    pub(super) fn new(rows: &Rows, conversions: usize) -> Result<Self, RowsError> {
        let columns = [
            "kind",
            "day",
            "hour",
            "bucket",
            "visitors",
            "pageviews",
            "hour_visitors",
            "online",
            "visitors_by_now",
            "pageviews_by_now",
        ];
        let table = Table::new(rows, columns)?;
        let mut converted = Vec::new();
        for column in CONVERSION_COLUMNS.iter().take(conversions) {
            converted.push(Table::new(rows, [*column])?);
        }
        let mut converted: Vec<_> = converted.iter().map(Table::iter).collect();
        let mut found = Self::default();
        for row in table.iter() {
            let mut conversions = Vec::with_capacity(converted.len());
            for column in &mut converted {
                let record = column.next();
                conversions.push(record.map_or(Ok(0), |record| record.count(0))?);
            }
            let bucket = row.count(3)?;
            let counts = |visitors, pageviews| -> Result<Counts, RowsError> {
                Ok(Counts {
                    visitors: row.count(visitors)?,
                    pageviews: row.count(pageviews)?,
                })
            };
            let whole = || -> Result<Bucket, RowsError> {
                Ok(Bucket {
                    start: epoch(bucket),
                    counts: counts(4, 5)?,
                    by_now: counts(8, 9)?,
                })
            };
            match row.text(0) {
                "quarter" => found.slots.push(Slot {
                    day: epoch(row.count(1)?),
                    hour: epoch(row.count(2)?),
                    quarter: epoch(bucket),
                    counts: counts(4, 5)?,
                    hour_visitors: row.count(6)?,
                    online: row.count(7)?,
                    conversions,
                }),
                "day" => found.days.push(whole()?),
                "hour" => found.hours.push(whole()?),
                "last" if bucket > 0 => found.last_event_at = Some(epoch(bucket)),
                _ => {}
            }
        }
        Ok(found)
    }

    /// Today and the days before it as PostHog cut them.
    pub(super) fn days(&self, clock: &DayClock) -> Days {
        let starts = |buckets: &[Bucket]| -> Vec<Timestamp> {
            buckets.iter().map(|bucket| bucket.start).collect()
        };
        let count = usize::try_from(DAYS).unwrap_or(0);
        Days::new(clock, count, &starts(&self.days), &starts(&self.hours))
    }

    /// Today after the days that are known.
    pub(super) fn days_after(
        &self,
        closed: &ClosedDays,
        clock: &DayClock,
    ) -> Result<Days, RowsError> {
        let known = [closed.today, closed.yesterday()];
        if self.slots.iter().any(|slot| !known.contains(&slot.day)) {
            return Err(RowsError::OtherDays);
        }
        let mut starts: Vec<Timestamp> = closed.days.iter().map(|day| day.start).collect();
        starts.push(closed.today);
        Ok(Days {
            starts,
            zone: clock.zone_name(),
            as_expected: true,
        })
    }

    /// Persons seen within the last minutes.
    pub(super) fn online(&self) -> u64 {
        let online = self.slots.iter().map(|slot| slot.online);
        online.fold(0, u64::saturating_add)
    }

    /// The quarters of the day that began at `start`, up to the current one.
    pub(super) fn quarters(
        &self,
        start: Timestamp,
        until: Timestamp,
        conversions: usize,
    ) -> Vec<Quarter> {
        let seconds = until.as_second() - start.as_second();
        let count = (seconds + QUARTER - 1).div_euclid(QUARTER);
        let none = Quarter {
            first_conversions: vec![0; conversions],
            ..Quarter::default()
        };
        let count = usize::try_from(count.clamp(0, MOST_QUARTERS)).unwrap_or(0);
        let mut quarters = vec![none; count];
        for slot in &self.slots {
            let passed = slot.quarter.as_second() - start.as_second();
            let place = usize::try_from(passed.div_euclid(QUARTER)).ok();
            let Some(quarter) = place.and_then(|place| quarters.get_mut(place)) else {
                continue;
            };
            let add = |known: &mut u64, count: u64| *known = known.saturating_add(count);
            add(&mut quarter.first_views, slot.counts.visitors);
            add(&mut quarter.pageviews, slot.counts.pageviews);
            let known = quarter.first_conversions.iter_mut();
            for (known, count) in known.zip(&slot.conversions) {
                add(known, *count);
            }
        }
        quarters
    }
}
