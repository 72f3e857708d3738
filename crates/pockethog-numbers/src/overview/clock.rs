//! What time it is for a project.
//!
//! Starts of hours and days are worked out here, never by adding 86,400: a day of a clock change has 23 or 25
//! hours. [`Days`](super::buckets::Days) matches them with those that PostHog cut.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{RoundMode, Span, Timestamp, ToSpan, Unit, ZonedDateTime, ZonedDateTimeRound};

use super::zone::time_zone;

/// What time it is for a project.
#[derive(Clone, Debug)]
pub struct DayClock {
    /// Now, rounded up to the next full minute, in the project's time zone.
    until: ZonedDateTime,
    /// False if the zone's name is unknown here and UTC is used.
    zone_known: bool,
}

impl DayClock {
    /// The clock of a project in the IANA time zone `zone`; UTC if the name is unknown.
    pub fn new(zone: &str, now: Timestamp) -> Self {
        let known = time_zone(zone);
        let zone_known = known.is_some();
        let now = now.to_zoned_datetime(known.unwrap_or(TimeZone::UTC));
        let round = ZonedDateTimeRound::new()
            .smallest(Unit::Minute)
            .mode(RoundMode::Ceil);
        let until = now.round(round).unwrap_or(now);
        Self { until, zone_known }
    }

    /// The same clock for what was asked until `until`.
    #[must_use]
    pub(crate) fn ending(&self, until: Timestamp) -> Self {
        Self {
            until: until.to_zoned_datetime(self.zone().clone()),
            zone_known: self.zone_known,
        }
    }

    /// End of the current minute: the end of everything asked for.
    pub fn until(&self) -> &ZonedDateTime {
        &self.until
    }

    /// The time zone in use.
    pub fn zone(&self) -> &TimeZone {
        self.until.time_zone()
    }

    /// False if the project's zone is unknown to this program and UTC is used.
    pub fn zone_known(&self) -> bool {
        self.zone_known
    }

    /// The name of the time zone in use.
    pub fn zone_name(&self) -> String {
        self.zone().iana_name().unwrap_or("UTC").to_owned()
    }

    /// Start of the day that is `days` before today.
    pub fn day_start(&self, days: i64) -> ZonedDateTime {
        let today = self
            .last_moment()
            .start_of_day()
            .unwrap_or_else(|_| self.until.clone());
        back(&today, days.days()).start_of_day().unwrap_or(today)
    }

    /// The same time of day, `days` earlier. In the hour that a clock change leaves out, the moment
    /// after the gap.
    pub fn same_time(&self, days: i64) -> ZonedDateTime {
        if self.until.time() == Time::midnight() {
            // The minute up to midnight belongs to the day that ends.
            return self.day_start(days - 1);
        }
        back(&self.until, days.days())
    }

    /// Start of the hour that is `hours` before the current one.
    pub fn hour_start(&self, hours: i64) -> ZonedDateTime {
        let round = ZonedDateTimeRound::new()
            .smallest(Unit::Hour)
            .mode(RoundMode::Trunc);
        let moment = self.last_moment();
        let hour = moment.round(round).unwrap_or(moment);
        back(&hour, hours.hours())
    }

    /// From when on to ask so that the bucket that begins at `start` is whole: PostHog's may begin up to a day
    /// before ours if the zone is unknown here.
    pub(crate) fn asked_from(&self, start: Timestamp) -> Timestamp {
        if self.zone_known {
            start
        } else {
            start.checked_sub(24.hours()).unwrap_or(start)
        }
    }

    /// The last second before `until`, which names the current day and hour.
    fn last_moment(&self) -> ZonedDateTime {
        back(&self.until, 1.second())
    }
}

/// `span` earlier, or the same instant at the edge of what a calendar can name.
pub(super) fn back(from: &ZonedDateTime, span: Span) -> ZonedDateTime {
    from.checked_sub(span).unwrap_or_else(|_| from.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn clock(zone: &str, now: &str) -> DayClock {
        DayClock::new(zone, now.parse().unwrap())
    }

    #[test]
    fn a_window_ends_with_the_current_minute() {
        let clock = clock("UTC", "2026-11-24T10:15:20Z");
        assert_eq!(
            clock.until().timestamp().to_string(),
            "2026-11-24T10:16:00Z"
        );
    }

    #[test]
    fn the_minute_up_to_midnight_belongs_to_the_day_that_ends() {
        let clock = clock("UTC", "2026-11-24T23:59:30Z");
        assert_eq!(
            clock.day_start(0).timestamp().to_string(),
            "2026-11-24T00:00:00Z"
        );
        assert_eq!(
            clock.same_time(1).timestamp().to_string(),
            "2026-11-24T00:00:00Z"
        );
    }

    #[test]
    fn a_day_of_a_clock_change_has_25_hours() {
        let clock = clock("Europe/Berlin", "2026-10-26T09:00:00Z");
        assert_eq!(
            clock.day_start(1).timestamp().to_string(),
            "2026-10-24T22:00:00Z"
        );
        assert_eq!(
            clock.day_start(0).timestamp().to_string(),
            "2026-10-25T23:00:00Z"
        );
        assert_eq!(
            clock.same_time(1).timestamp().to_string(),
            "2026-10-25T09:00:00Z"
        );
    }

    #[test]
    fn a_half_hour_zone_starts_its_hours_on_the_half() {
        let clock = clock("Asia/Kolkata", "2026-11-24T10:15:00Z");
        assert_eq!(
            clock.hour_start(0).timestamp().to_string(),
            "2026-11-24T09:30:00Z"
        );
    }

    #[test]
    fn an_unknown_zone_is_utc_and_says_so() {
        let clock = clock("Mars/Olympus", "2026-11-24T10:15:20Z");
        assert!(!clock.zone_known());
        assert_eq!(
            clock.day_start(0).timestamp().to_string(),
            "2026-11-24T00:00:00Z"
        );
    }
}
