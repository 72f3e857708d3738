//! The part of [`Today`](super::Today) that the home screen shows, small enough to keep thousands in memory.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Deserializer};

use super::{Counts, Day, Figures, Hours, LeftOut, Part, Point, time_zone};

/// The part of [`Today`](super::Today) that the home screen shows. Read from the same JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TodaySummary {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// The zone that the days are cut in.
    pub time_zone: String,
    /// False if PostHog's days are not those that this program knows.
    pub time_zone_known: bool,
    /// What was left out.
    pub left_out: LeftOut,
    /// When the project's day began.
    pub day_began: Timestamp,
    /// When the day before began.
    pub yesterday_began: Timestamp,
    /// Visitors today.
    pub visitors: u64,
    /// Visitors yesterday by now.
    pub before: u64,
    /// Pageviews today.
    pub pageviews: u64,
    /// Pageviews yesterday by now.
    pub pageviews_before: u64,
    /// Persons seen within the last five minutes.
    pub online: u64,
    /// Visitors of the last 30 days, oldest first.
    pub days: Vec<u64>,
    /// Start of the first of `hours`.
    pub first_hour: Timestamp,
    /// Visitors by hour, up to the current one.
    pub hours: Vec<u64>,
}

impl TodaySummary {
    /// What a total needs of it.
    #[must_use]
    pub fn part(summary: Option<&Self>, readable: bool) -> Part<'_> {
        let figures = summary.map(|summary| Figures {
            measured_at: summary.measured_at,
            now: summary.counts().0,
            before: summary.counts().1,
            online: Some(summary.online),
            hours: (!summary.hours.is_empty()).then(|| Hours {
                first: summary.first_hour,
                counts: summary.hours.as_slice().into(),
                day: Some(summary.day()),
            }),
        });
        Part { readable, figures }
    }

    /// Counts of today, and of yesterday by now.
    #[must_use]
    pub fn counts(&self) -> (Counts, Counts) {
        let now = Counts {
            visitors: self.visitors,
            pageviews: self.pageviews,
        };
        let before = Counts {
            visitors: self.before,
            pageviews: self.pageviews_before,
        };
        (now, before)
    }

    /// The date of the project's day.
    #[must_use]
    pub fn date(&self) -> Date {
        let zone = time_zone(&self.time_zone).unwrap_or(TimeZone::UTC);
        // Noon is in the day, whatever the clock does around midnight.
        zone.to_datetime(self.day_began + 12.hours()).date()
    }

    /// The project's day.
    #[must_use]
    pub fn day(&self) -> Day<'_> {
        Day {
            began: self.day_began,
            yesterday_began: self.yesterday_began,
            zone: &self.time_zone,
        }
    }
}

#[derive(Default, Deserialize)]
struct StoredAsked {
    #[serde(default)]
    left_out: LeftOut,
}

#[derive(Deserialize)]
struct Stored {
    measured_at: Timestamp,
    time_zone: String,
    time_zone_known: bool,
    today: Counts,
    yesterday_by_now: Counts,
    online: u64,
    days: Vec<Point>,
    hours: Vec<Point>,
    hours_yesterday: Vec<Point>,
    #[serde(default)]
    asked: StoredAsked,
    #[serde(default)]
    hours_earlier: Vec<Point>,
}

impl<'de> Deserialize<'de> for TodaySummary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let start = |hours: &[Point]| hours.first().map(|hour| hour.start);
        let day_began = start(&stored.hours).unwrap_or(stored.measured_at);
        let yesterday_began = start(&stored.hours_yesterday).unwrap_or(day_began);
        let all = [
            &stored.hours_earlier,
            &stored.hours_yesterday,
            &stored.hours,
        ];
        Ok(Self {
            measured_at: stored.measured_at,
            left_out: stored.asked.left_out,
            day_began,
            yesterday_began,
            visitors: stored.today.visitors,
            before: stored.yesterday_by_now.visitors,
            pageviews: stored.today.pageviews,
            pageviews_before: stored.yesterday_by_now.pageviews,
            online: stored.online,
            days: stored.days.iter().map(|day| day.visitors).collect(),
            first_hour: start(&stored.hours_earlier).unwrap_or(yesterday_began),
            hours: all
                .into_iter()
                .flatten()
                .map(|hour| hour.visitors)
                .collect(),
            time_zone: stored.time_zone,
            time_zone_known: stored.time_zone_known,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::overview::{Asked, Today};

    #[test]
    fn a_summary_has_the_hours_of_three_days_in_one_row() {
        let points = |starts: &[&str]| -> Vec<Point> {
            starts
                .iter()
                .map(|start| Point {
                    start: start.parse().unwrap(),
                    visitors: 1,
                    pageviews: 2,
                })
                .collect()
        };
        let today = Today {
            measured_at: "2026-03-29T12:00:00Z".parse().unwrap(),
            time_zone: "Europe/Berlin".to_owned(),
            time_zone_known: true,
            today: Counts {
                visitors: 7,
                pageviews: 9,
            },
            yesterday_by_now: Counts::default(),
            online: 2,
            days: points(&["2026-03-28T23:00:00Z"]),
            hours: points(&["2026-03-28T23:00:00Z", "2026-03-29T00:00:00Z"]),
            hours_yesterday: points(&["2026-03-28T22:00:00Z"]),
            hours_earlier: points(&["2026-03-28T21:00:00Z"]),
            asked: Asked::default(),
            quarters: Vec::new(),
            last_event_at: None,
            lacks_bots: false,
        };
        let text = serde_json::to_string(&today).unwrap();
        let summary: TodaySummary = serde_json::from_str(&text).unwrap();
        assert_eq!((summary.visitors, summary.pageviews), (7, 9));
        assert_eq!(summary.day_began, "2026-03-28T23:00:00Z".parse().unwrap());
        assert_eq!(summary.first_hour, "2026-03-28T21:00:00Z".parse().unwrap());
        assert_eq!(summary.hours, [1, 1, 1, 1]);
        // Berlin, 29 March 2026, has 23 hours.
        assert_eq!(
            summary.day().ends(),
            "2026-03-29T22:00:00Z".parse().unwrap()
        );
    }
}
