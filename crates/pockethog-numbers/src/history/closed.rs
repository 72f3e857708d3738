//! What today's numbers need of the days before.

use jiff::Timestamp;

use super::{Asked, Day, History, Hour};
use crate::age;
use crate::overview::today::DAYS;
use crate::overview::{ClosedDays, DayClock, Point};

/// A History whose newest days were read longer ago than this, in seconds, may lack events that arrived late: it is three
/// times as long as those days usually rest.
const BEHIND_SECONDS: i64 = 3 * 3600;

/// Days whose hours are shown: yesterday, and as far as the 24 hours before the last 24 reach.
const HOURLY_DAYS: usize = 3;

impl History {
    /// The days before today, so that a query can read today alone. `None` if this History is of other days, was asked
    /// for in another way, is too short, or is not current.
    pub fn before_today(&self, asked: &Asked, clock: &DayClock) -> Option<ClosedDays> {
        let now = clock.until().timestamp();
        let today = clock.day_start(0).timestamp();
        let is_current =
            age::seconds(self.measured_at, now).is_some_and(|age| age < BEHIND_SECONDS);
        let continues = self.asked == *asked
            && self.time_zone_known
            && clock.zone_known()
            && self.days.last().is_some_and(|day| day.end == today);
        if !is_current || !continues {
            return None;
        }
        let back = |count: usize| {
            self.days
                .len()
                .checked_sub(count)
                .map(|from| self.days.get(from..))
        };
        let shown = back(usize::try_from(DAYS - 1).ok()?)??;
        let hourly = back(HOURLY_DAYS)??;
        let yesterday = hourly.last()?;
        // The hours of a day that half an hour was added to are not those of the next one.
        let is_even = |day: &Day| (day.end.as_second() - day.start.as_second()) % 3600 == 0;
        if !hourly.iter().all(is_even) {
            return None;
        }
        Some(ClosedDays {
            until: now,
            today,
            days: shown.iter().map(Day::point).collect(),
            hours: hourly.iter().flat_map(Day::points).collect(),
            yesterday_by_now: yesterday.counts_before(clock.same_time(1).timestamp())?,
            last_event_at: self.last_event_at,
        })
    }
}

impl Day {
    /// The whole day.
    fn point(&self) -> Point {
        let counts = self.counts();
        Point {
            start: self.start,
            visitors: counts.visitors,
            pageviews: counts.pageviews,
        }
    }

    /// Its hours.
    fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let starts = (self.start.as_second()..).step_by(3600);
        self.hours.iter().zip(starts).filter_map(|(hour, start)| {
            let Hour {
                visitors,
                pageviews,
                ..
            } = *hour;
            let start = Timestamp::from_second(start).ok()?;
            Some(Point {
                start,
                visitors,
                pageviews,
            })
        })
    }
}
