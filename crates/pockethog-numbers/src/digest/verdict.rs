//! Which closed days were out of the ordinary.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::ClosedStretch;
use crate::history::{Day, History};
use crate::moves::{
    Counted, Direction, Judged, Kind, Look, Marks, Metric, Move, Number, Settings, State,
    UsualRange, judge,
};

/// A closed day, and what was usual on it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedDay {
    /// The day in the zone of the project.
    pub date: Date,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// The numbers of the whole day: visitors, pageviews, then the conversions. `by_now` is the whole day.
    pub numbers: Vec<Number>,
    /// How it has moved.
    pub moved: Option<ClosedMove>,
}

/// How a closed day has moved.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedMove {
    /// A spike, a drop, or a number that was back before the day ended.
    pub moved: Move,
    /// If it was back before the day ended: where it had been.
    pub was: Option<Direction>,
}

/// The days of the stretch that are known, oldest first, each judged by the days before it.
#[must_use]
pub fn verdicts(
    history: &History,
    marks: &Marks,
    settings: Settings,
    stretch: &ClosedStretch,
) -> Vec<ClosedDay> {
    let days = history.days.iter().enumerate();
    let wanted = days.filter(|(_, day)| day.start >= stretch.from && day.end <= stretch.until);
    wanted
        .map(|(place, day)| {
            let before = History {
                days: history.days.iter().take(place).cloned().collect(),
                ..history.clone()
            };
            let judged = judge(&before, marks, &counted(day), settings, None);
            ClosedDay {
                date: judged.date,
                start: day.start,
                end: day.end,
                moved: moved(&judged),
                numbers: judged.numbers,
            }
        })
        .collect()
}

/// The whole day, as it is seen some hours after it has ended.
fn counted(day: &Day) -> Counted {
    Counted {
        measured_at: day.end.checked_add(6.hours()).unwrap_or(day.end),
        day_began: day.start,
        first_views: day.first_views.clone(),
        pageviews: day.pageviews.clone(),
        first_conversions: day.first_conversions.clone(),
        // Nothing is said about silence: a day that ended without events has fewer of them.
        last_event_at: None,
    }
}

/// In one: what was outside at the end of the day before what was back, visitors before the other numbers.
fn moved(judged: &Judged) -> Option<ClosedMove> {
    let outside = judged.numbers.iter().find_map(|number| {
        let State::Moved(left) = number.state else {
            return None;
        };
        let kind = match left.direction {
            Direction::Up => Kind::Spike,
            Direction::Down => Kind::Drop,
        };
        let seen = (left.look, left.count, left.usual);
        let moved = at(number, kind, left.since, seen);
        Some(ClosedMove {
            moved: Move {
                continues: left.continues,
                ..moved
            },
            was: None,
        })
    });
    outside.or_else(|| {
        judged.numbers.iter().find_map(|number| {
            let State::BackToUsual { at: back, was } = number.state else {
                return None;
            };
            let by_now = number.by_now?;
            let seen = (Look::SoFar, by_now.count, by_now.usual);
            Some(ClosedMove {
                moved: at(number, Kind::BackToUsual, back, seen),
                was: Some(was),
            })
        })
    })
}

fn at(
    number: &Number,
    kind: Kind,
    since: Timestamp,
    (look, count, usual): (Look, u64, UsualRange),
) -> Move {
    Move {
        kind,
        metric: number.metric.clone(),
        since,
        look,
        count,
        usual: Some(usual),
        basis: number.by_now.map(|by_now| by_now.basis),
        usual_gap: None,
        continues: false,
    }
}

impl ClosedDay {
    /// The number of this metric.
    #[must_use]
    pub fn number(&self, metric: &Metric) -> Option<&Number> {
        self.numbers.iter().find(|number| number.metric == *metric)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Span as Time;

    use super::super::Span;
    use super::*;
    use crate::history::{Asked, Hour};
    use crate::overview::DayClock;

    /// 57 closed days in UTC with 500 to 505 visitors each, and `last` on the newest one.
    fn history(last: &[u64]) -> (History, ClosedStretch) {
        let until: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
        let day = |ago: i64| {
            let start = until - Time::new().hours(24 * ago);
            let views = if ago == 1 {
                last.to_vec()
            } else {
                let more = usize::try_from(ago).unwrap() % 6;
                (0..96).map(|nth| 5 + u64::from(nth < 20 + more)).collect()
            };
            Day {
                start,
                end: start + Time::new().hours(24),
                pageviews: views.iter().map(|count| count * 2).collect(),
                first_views: views,
                first_conversions: Vec::new(),
                hours: vec![Hour::default(); 24],
                minutes: None,
            }
        };
        let history = History {
            asked: Asked::new("UTC", &[]),
            measured_at: until,
            all_measured_at: until,
            time_zone: "UTC".to_owned(),
            time_zone_known: true,
            days: (1..=57).rev().map(day).collect(),
            last_event_at: None,
            limited_to: None,
        };
        let clock = DayClock::new("UTC", until + Time::new().hours(9));
        let stretch = ClosedStretch::new(Span::Week, &clock, Some(&history));
        (history, stretch)
    }

    fn judged(last: &[u64]) -> Vec<ClosedDay> {
        let (history, stretch) = history(last);
        let marks = Marks::of(&history, None);
        verdicts(&history, &marks, Settings::default(), &stretch)
    }

    #[test]
    fn a_day_with_three_times_as_many_is_a_spike_and_the_days_before_are_ordinary() {
        let days = judged(&[15; 96]);
        assert_eq!(days.len(), 7);
        assert!(days[..6].iter().all(|day| day.moved.is_none()));
        let last = &days[6];
        assert_eq!(last.date, "2026-11-24".parse().unwrap());
        let moved = &last.moved.as_ref().unwrap().moved;
        assert_eq!(
            (moved.kind, &moved.metric),
            (Kind::Spike, &Metric::Visitors)
        );
        let whole = last.number(&Metric::Visitors).unwrap().by_now.unwrap();
        assert_eq!(whole.count, 1440);
        assert!((450.0..550.0).contains(&whole.usual.centre));
    }

    #[test]
    fn a_day_without_events_is_a_drop_to_nothing() {
        let days = judged(&[0; 96]);
        let moved = &days[6].moved.as_ref().unwrap().moved;
        assert_eq!((moved.kind, moved.count), (Kind::Drop, 0));
    }

    #[test]
    fn a_day_like_all_others_has_not_moved() {
        assert!(judged(&[5; 96]).iter().all(|day| day.moved.is_none()));
    }
}
