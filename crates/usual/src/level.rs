//! Which days count, and how high the level was on each of them.

use jiff::civil::Weekday;

use crate::day::{Day, Mark};
use crate::range::Direction;
use crate::statistics::median;

/// A level is the median of this many days before.
const LEVEL_DAYS: usize = 7;
/// How many days back they may be.
const LEVEL_REACH: usize = 14;
/// A change that has lasted this long is the new level …
const NEW_LEVEL_DAYS: usize = 14;
/// … if this many of those days moved in its direction.
const NEW_LEVEL_MOVED: usize = 10;

/// For each day whether it belongs to the baseline: one that moved does not, unless the change lasted.
pub(crate) fn usable(days: &[Day]) -> Vec<bool> {
    let moved_to = |day: &Day| match day.mark {
        Mark::Moved(direction) => Some(direction),
        Mark::Ordinary | Mark::Unjudged => None,
    };
    let mut usable: Vec<bool> = days.iter().map(|day| moved_to(day).is_none()).collect();
    for direction in [Direction::Up, Direction::Down] {
        for (from, stretch) in days.windows(NEW_LEVEL_DAYS).enumerate() {
            let moved = |day: &Day| moved_to(day) == Some(direction);
            if stretch.iter().filter(|day| moved(day)).count() < NEW_LEVEL_MOVED {
                continue;
            }
            for (usable, day) in usable.iter_mut().skip(from).zip(stretch) {
                *usable |= moved(day);
            }
        }
    }
    usable
}

/// The level of each day, and last that of the day after them: how much more there was on the days before it than on
/// other days of their weekdays. 1 is what is usual over the whole time.
pub(crate) fn levels(days: &[Day], usable: &[bool]) -> Vec<f64> {
    let totals: Vec<(Weekday, f64)> = days
        .iter()
        .map(|day| (day.date.weekday(), day.total()))
        .collect();
    let ratios: Vec<Option<f64>> = totals
        .iter()
        .enumerate()
        .map(|(index, &(weekday, total))| {
            if usable.get(index) != Some(&true) {
                return None;
            }
            let mut others: Vec<f64> = totals
                .iter()
                .zip(usable)
                .enumerate()
                .filter(|(other, ((day, _), usable))| {
                    *other != index && *day == weekday && **usable
                })
                .map(|(_, ((_, total), _))| *total)
                .collect();
            (others.len() >= 2).then(|| (total + 1.0) / (median(&mut others) + 1.0))
        })
        .collect();
    (0..=days.len())
        .map(|index| {
            let (before, after) = ratios.split_at(index.min(ratios.len()));
            let recent = before
                .iter()
                .rev()
                .take(LEVEL_REACH)
                .flatten()
                .take(LEVEL_DAYS);
            let mut near: Vec<f64> = recent.copied().collect();
            if near.len() < 3 {
                near = after.iter().flatten().take(LEVEL_DAYS).copied().collect();
            }
            if near.is_empty() {
                1.0
            } else {
                median(&mut near)
            }
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are exact")]
mod tests {
    use super::*;
    use jiff::ToSpan as _;
    use jiff::civil::date;

    fn days(marks: &[Mark]) -> Vec<Day> {
        let first = date(2026, 3, 2);
        marks
            .iter()
            .zip(0_i64..)
            .map(|(mark, ago)| Day {
                mark: *mark,
                ..Day::new(first + ago.days(), vec![10.0; 24])
            })
            .collect()
    }

    #[test]
    fn a_day_that_moved_leaves_the_baseline_unless_the_change_lasts() {
        let mut marks = vec![Mark::Ordinary; 30];
        marks[5] = Mark::Moved(Direction::Up);
        marks[16..].fill(Mark::Moved(Direction::Down));
        let lasting = usable(&days(&marks));
        assert!(!lasting[5]);
        assert!(lasting[16..].iter().all(|usable| *usable));
        // Nine days are no new level, nor are fourteen of both directions.
        marks[16..21].fill(Mark::Ordinary);
        assert!(usable(&days(&marks))[21..].iter().all(|usable| !usable));
        for (index, mark) in marks.iter_mut().enumerate().skip(16) {
            *mark = Mark::Moved(if index % 2 == 0 {
                Direction::Up
            } else {
                Direction::Down
            });
        }
        assert!(usable(&days(&marks))[16..].iter().all(|usable| !usable));
    }

    #[test]
    fn a_level_follows_growth_and_not_a_single_day() {
        let mut grown = days(&[Mark::Ordinary; 42]);
        for (index, day) in grown.iter_mut().enumerate() {
            day.counts
                .fill(100.0 * 1.01_f64.powi(i32::try_from(index).unwrap()));
        }
        let rising = levels(&grown, &[true; 42]);
        assert!(rising[42] > 1.1 && rising[42] < 1.4, "{}", rising[42]);
        let mut once = days(&[Mark::Ordinary; 42]);
        once[40].counts.fill(1000.0);
        assert_eq!(levels(&once, &[true; 42])[42], 1.0);
    }
}
