//! What one look at a day usually shows, and how far it strays.

use serde::{Deserialize, Serialize};

use crate::chance::dispersion;
use crate::range::Range;
use crate::statistics::{
    at_deviations, by_chance, chance_deviations, deviations, deviations_at_most, median,
    median_of_sorted, median_without, sort_few, tail,
};

/// What is compared with its usual range at the end of each quarter of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// The day so far.
    SoFar,
    /// The last hour, as it is after a day that began like this one: a change at 17:00 does not drown in a day's sum.
    LastHour,
    /// The last hour and a half in the same way: a moderate change is told from an unsteady hour.
    LastNinetyMinutes,
    /// The last six hours in the same way, for projects where an hour is too little to tell.
    LastSixHours,
    /// The last twelve hours in the same way, for those where six are.
    LastTwelveHours,
}

/// A look at a day at the end of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) look: Look,
    pub(crate) count: f64,
    pub(crate) range: Range,
}

impl Look {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::SoFar,
        Self::LastHour,
        Self::LastNinetyMinutes,
        Self::LastSixHours,
        Self::LastTwelveHours,
    ];

    /// How many minutes it goes back; `None` for the whole day so far.
    pub fn minutes(self) -> Option<usize> {
        match self {
            Self::SoFar => None,
            Self::LastHour => Some(60),
            Self::LastNinetyMinutes => Some(90),
            Self::LastSixHours => Some(6 * 60),
            Self::LastTwelveHours => Some(12 * 60),
        }
    }

    /// How many hours it goes back, rounded up; `None` for the whole day so far.
    pub fn hours(self) -> Option<usize> {
        Some(self.minutes()?.div_ceil(60))
    }

    /// How many slots of a day it covers; `None` for the whole day so far.
    fn window(self, slots_per_day: usize) -> Option<usize> {
        Some((self.minutes()? * slots_per_day).div_ceil(1440))
    }

    /// A smaller change than this share of the centre is not worth a word.
    fn least_change(self) -> f64 {
        match self {
            Self::SoFar | Self::LastHour | Self::LastNinetyMinutes | Self::LastTwelveHours => 0.25,
            Self::LastSixHours => 0.3,
        }
    }

    /// Nor is one that is smaller than this share of a usual day: three in the morning is a small hour.
    fn least_share_of_day(self) -> f64 {
        match self {
            Self::SoFar | Self::LastTwelveHours => 0.04,
            Self::LastHour => 0.015,
            Self::LastNinetyMinutes => 0.02,
            Self::LastSixHours => 0.03,
        }
    }
}

/// No project is steadier than this share of its counts.
const LEAST_SPREAD: f64 = 0.04;
/// What chance could have done to a number that strays by `LEAST_STRAY` is never outside: in standard deviations.
const BEYOND_CHANCE: f64 = 4.5;
/// By what share of itself every number strays beside chance.
const LEAST_STRAY: f64 = 0.03;
/// A tail is fitted to at least this many days.
const LEAST_DAYS: usize = 14;
/// How much of a day has to pass before it counts as much as what is known of its level, as a share of the day …
const BELIEF_SHARE: f64 = 0.1;
/// … and in counts: the level of a day is known to about 6 % before it begins (1 / 0.06²).
const BELIEF_COUNTS: f64 = 250.0;

/// How strict the edges are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strictness {
    /// On what share of ordinary days a look may leave its range in one direction, before the floors.
    pub(crate) share_of_days: f64,
    /// Edges are at least this many standard deviations away.
    pub(crate) least_deviations: f64,
}

/// One value for each slot of a day.
type Slots = Vec<f64>;

/// What a fit is made from: the days, which of them count, and their levels.
pub(crate) struct Material<'a> {
    pub(crate) days: Vec<&'a [f64]>,
    pub(crate) weekdays: Vec<usize>,
    pub(crate) usable: Vec<bool>,
    pub(crate) levels: Vec<f64>,
    pub(crate) target_weekday: usize,
    pub(crate) target_level: f64,
    pub(crate) slots: usize,
}

impl<'a> Material<'a> {
    /// The days that count, those of one weekday together.
    fn by_weekday(&self) -> Vec<Vec<&'a [f64]>> {
        let mut weeks = vec![Vec::new(); 7];
        let days = self.days.iter().zip(&self.weekdays).zip(&self.usable);
        for ((day, weekday), _) in days.filter(|(_, usable)| **usable) {
            if let Some(days) = weeks.get_mut(*weekday) {
                days.push(*day);
            }
        }
        weeks
    }
}

/// The usual course of one look over a day.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) look: Look,
    /// How many slots it covers; `None` for the day so far.
    pub(crate) window: Option<usize>,
    /// The centre at the end of each slot.
    pub(crate) centre: Slots,
    spread: Slots,
    /// The standard deviation of chance, in that of single independent counts.
    chance: f64,
    up: f64,
    down: f64,
}

/// The courses of all looks, the day so far first.
#[derive(Clone, Debug)]
pub(crate) struct Courses {
    pub(crate) so_far: Course,
    pub(crate) recent: Vec<Course>,
}

impl Courses {
    /// `None` if there is too little to fit to.
    pub(crate) fn fit(material: &Material<'_>, strictness: Strictness) -> Option<Self> {
        let centres = Centres::new(material, None)?;
        let chance = dispersion(&material.by_weekday(), material.slots).sqrt();
        let fit = |look, window, own: &Centres| {
            Course::fit(look, window, material, own, &centres, chance, strictness)
        };
        let so_far = fit(Look::SoFar, None, &centres)?;
        let recent = Look::ALL
            .into_iter()
            .filter_map(|look| {
                let window = look.window(material.slots)?;
                let own = Centres::new(material, Some(window))?;
                fit(look, Some(window), &own)
            })
            .collect();
        Some(Self { so_far, recent })
    }

    /// The usual sum of the whole day.
    pub(crate) fn whole_day(&self) -> f64 {
        self.so_far.centre.last().copied().unwrap_or(0.0)
    }
}

/// How much more there is on a day than was expected, given what came before the window and what was usual by then.
/// It is drawn towards 1 as long as little has come (the posterior mean of a Poisson rate under a gamma prior).
pub(crate) fn pace(before: f64, usual_before: f64, usual_day: f64) -> f64 {
    let belief = BELIEF_SHARE * usual_day + BELIEF_COUNTS;
    ((before + belief) / (usual_before + belief)).clamp(0.25, 4.0)
}

/// Sums over a sliding window, or from the start.
pub(crate) fn sums(counts: &[f64], window: Option<usize>) -> Slots {
    let leaving = std::iter::repeat_n(&0.0, window.unwrap_or(counts.len())).chain(counts);
    counts
        .iter()
        .zip(leaving)
        .scan(0.0, |sum: &mut f64, (count, leaves)| {
            *sum += count - leaves;
            Some(sum.max(0.0))
        })
        .collect()
}

/// The centre of one look for the day to be judged and, leaving itself out, for each day of the history.
struct Centres {
    values: Vec<Slots>,
    of_days: Vec<Option<Slots>>,
    target: Slots,
}

impl Centres {
    fn new(material: &Material<'_>, window: Option<usize>) -> Option<Self> {
        let values: Vec<Slots> = material.days.iter().map(|day| sums(day, window)).collect();
        let mut of_days: Vec<Option<Slots>> = vec![None; values.len()];
        let mut target = None;
        for weekday in 0..7 {
            let members: Vec<(usize, f64)> = (0..values.len())
                .filter(|&day| {
                    material.weekdays.get(day) == Some(&weekday)
                        && material.usable.get(day) == Some(&true)
                })
                .filter_map(|day| Some((day, *material.levels.get(day)?)))
                .collect();
            let is_target = weekday == material.target_weekday;
            let with_others = members.len() >= 3;
            if members.len() < 2 {
                continue;
            }
            let mut own: Vec<Slots> = vec![
                Vec::with_capacity(material.slots);
                if with_others { members.len() } else { 0 }
            ];
            let mut of_target = Vec::with_capacity(material.slots);
            let mut order: Vec<(f64, usize)> = Vec::with_capacity(members.len());
            let mut sorted: Slots = Vec::with_capacity(members.len());
            for slot in 0..material.slots {
                order.clear();
                order.extend(members.iter().enumerate().map(|(member, &(day, level))| {
                    let value = values
                        .get(day)
                        .and_then(|day| day.get(slot))
                        .copied()
                        .unwrap_or(0.0);
                    (value / level, member)
                }));
                sort_few(&mut order);
                sorted.clear();
                sorted.extend(order.iter().map(|(value, _)| *value));
                if is_target {
                    of_target.push(material.target_level * median_of_sorted(&sorted));
                }
                for (rank, &(_, member)) in order.iter().enumerate() {
                    if let (Some(own), Some((_, level))) =
                        (own.get_mut(member), members.get(member))
                    {
                        own.push(level * median_without(&sorted, rank));
                    }
                }
            }
            for ((day, _), own) in members.iter().zip(own) {
                if let Some(place) = of_days.get_mut(*day) {
                    *place = Some(own);
                }
            }
            if is_target {
                target = Some(of_target);
            }
        }
        Some(Self {
            values,
            of_days,
            target: target?,
        })
    }

    /// The values of each day beside what was usual for it.
    fn pairs(&self) -> impl Iterator<Item = (usize, &Slots, &Slots)> {
        self.values
            .iter()
            .zip(&self.of_days)
            .enumerate()
            .filter_map(|(day, (values, centre))| Some((day, values, centre.as_ref()?)))
    }
}

impl Course {
    fn fit(
        look: Look,
        window: Option<usize>,
        material: &Material<'_>,
        own: &Centres,
        so_far: &Centres,
        chance: f64,
        strictness: Strictness,
    ) -> Option<Self> {
        // What each day showed, beside what was usual for it after its beginning.
        let pairs: Vec<(&Slots, Slots)> = own
            .pairs()
            .map(|(day, values, centre)| {
                let usual = so_far.of_days.get(day).and_then(Option::as_ref);
                let (Some(window), Some(usual), Some(total)) =
                    (window, usual, so_far.values.get(day))
                else {
                    return (values, centre.clone());
                };
                (values, at_pace(centre, total, usual, window))
            })
            .collect();
        if pairs.len() < LEAST_DAYS {
            return None;
        }
        let spread = spreads(&pairs, material.slots);
        let (mut ups, mut downs): (Slots, Slots) = pairs
            .iter()
            .map(|(values, centre)| farthest(values, centre, &spread))
            .unzip();
        let edge = |values: &mut Slots| {
            tail(values, strictness.share_of_days).max(strictness.least_deviations)
        };
        Some(Self {
            look,
            window,
            up: edge(&mut ups),
            down: edge(&mut downs),
            spread,
            chance,
            centre: own.target.clone(),
        })
    }

    /// The count at this many deviations of chance, with the least that any number strays beside it.
    fn by_chance(&self, centre: f64, deviations: f64) -> f64 {
        at_deviations(centre, LEAST_STRAY / self.chance, deviations * self.chance)
    }

    /// The usual range around a centre at the end of a slot. Each rule gives an edge, and the one farthest out
    /// holds: so what is outside the range that is shown is what is flagged.
    pub(crate) fn range(&self, slot: usize, centre: f64, usual_day: f64) -> Range {
        let spread = self.spread.get(slot).copied().unwrap_or(1.0);
        let least = (self.look.least_change() * centre.max(1.0))
            .max(self.look.least_share_of_day() * usual_day);
        let high = at_deviations(centre, spread, self.up)
            .max(self.by_chance(centre, BEYOND_CHANCE))
            .max(centre + least);
        let low = at_deviations(centre, spread, -self.down)
            .min(self.by_chance(centre, -BEYOND_CHANCE))
            .min(centre - least);
        Range {
            centre,
            low: low.max(0.0),
            high,
        }
    }
}

/// The centres of a window, at the pace of the day before it.
fn at_pace(centre: &[f64], so_far: &[f64], usual: &[f64], window: usize) -> Slots {
    let day = usual.last().copied().unwrap_or(0.0);
    let before = |values: &[f64], slot: usize| {
        let index = slot.checked_sub(window);
        index
            .and_then(|index| values.get(index))
            .copied()
            .unwrap_or(0.0)
    };
    centre
        .iter()
        .enumerate()
        .map(|(slot, centre)| centre * pace(before(so_far, slot), before(usual, slot), day))
        .collect()
}

/// By what share of itself the count strays at each slot, beyond chance; robust, and pooled with an hour on both sides.
fn spreads(pairs: &[(&Slots, Slots)], slots: usize) -> Slots {
    let mut errors = Vec::with_capacity(pairs.len());
    let mut centres = Vec::with_capacity(pairs.len());
    let excess: Vec<(f64, f64)> = (0..slots)
        .map(|slot| {
            errors.clear();
            centres.clear();
            for (values, centre) in pairs {
                let (Some(&value), Some(&centre)) = (values.get(slot), centre.get(slot)) else {
                    continue;
                };
                errors.push(chance_deviations(value, centre).abs());
                centres.push(centre);
            }
            let deviation = 1.4826 * median(&mut errors);
            ((deviation * deviation - 1.0).max(0.0), median(&mut centres))
        })
        .collect();
    let reach = slots / 24;
    (0..slots)
        .map(|slot| {
            let near = excess
                .iter()
                .take(slot + reach + 1)
                .skip(slot.saturating_sub(reach));
            let (excess, centre) = near.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            (excess / f64::max(centre, 1.0)).sqrt().max(LEAST_SPREAD)
        })
        .collect()
}

/// The largest deviation of a day that lasted two slots, up and down.
fn farthest(values: &[f64], centre: &[f64], spread: &[f64]) -> (f64, f64) {
    let mut last: Option<(f64, [f64; 3])> = None;
    let (mut up, mut down) = (0.0_f64, 0.0_f64);
    for ((&value, &centre), &spread) in values.iter().zip(centre).zip(spread) {
        let now = [value, centre, spread];
        // Most slots cannot be the farthest, and need no logarithm.
        let bound = deviations_at_most(value, centre, spread);
        if let Some((last_bound, last)) = last {
            let exact =
                || [now, last].map(|[value, centre, spread]| deviations(value, centre, spread));
            if bound.min(last_bound) > up {
                let [now, last] = exact();
                up = up.max(now.min(last));
            } else if (-bound).min(-last_bound) > down {
                let [now, last] = exact();
                down = down.max((-now).min(-last));
            }
        }
        last = Some((bound, now));
    }
    (up, down)
}

/// A wide range around a single day's value: its own chance and today's, and at least the given factor up and down.
pub(crate) fn wide_range(centre: f64, factor: f64) -> Range {
    // The difference of two counts varies by the root of two more than one of them.
    let chance = BEYOND_CHANCE * std::f64::consts::SQRT_2;
    Range {
        centre,
        low: by_chance(centre, -chance).min(centre / factor),
        high: by_chance(centre, chance).max(centre * factor),
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are exact")]
mod tests {
    use super::*;
    use crate::range::Direction;

    #[test]
    fn sums_slide_or_grow() {
        let counts = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(sums(&counts, None), [1.0, 3.0, 6.0, 10.0]);
        assert_eq!(sums(&counts, Some(2)), [1.0, 3.0, 5.0, 7.0]);
        assert_eq!(sums(&[], Some(2)), [0.0; 0]);
    }

    #[test]
    fn only_what_lasts_two_slots_is_far() {
        let centre = [100.0; 5];
        let (up, down) = farthest(&[100.0, 400.0, 100.0, 40.0, 30.0], &centre, &[0.1; 5]);
        assert_eq!(up, 0.0);
        assert!(
            (down + deviations(40.0, 100.0, 0.1)).abs() < 1e-12,
            "{down}"
        );
    }

    #[test]
    fn a_handful_is_never_outside() {
        let lonely = wide_range(3.0, 2.0);
        assert_eq!(lonely.low, 0.0);
        assert_eq!(lonely.side(12.0), None);
        assert_eq!(lonely.side(90.0), Some(Direction::Up));
    }
}
