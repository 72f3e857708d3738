//! Which value explains a difference.

use super::rows::{Counts, Value, rounded};
use super::{Cause, Contribution, Dimension, Direction, Share};

/// A value that explains less than this share of the difference is no cause.
const LEAST_SHARE: f64 = 1.0 / 3.0;
/// A second value that adds to the first explains at least this share.
const LEAST_SECOND_SHARE: f64 = 0.2;
/// If the first explains this much there is nothing to add.
const ENOUGH: f64 = 0.8;
/// A value of an earlier dimension is named first if it explains nearly as much as the best one.
const AS_GOOD: f64 = 0.7;
/// This much of the first value's difference in common is nearly all of it.
const NEARLY_ALL: f64 = 0.75;
/// What most of the difference has in common is in this share of it …
const MOST: f64 = 0.5;
/// … and has more than it would have by chance: it explains this share.
const LEAST_SHARE_OF_MOST: f64 = 0.12;

/// How far what a value explains has to be from nothing, in standard deviations: some hundred values are looked at.
const DEVIATIONS: f64 = 3.5;
/// The same for what most have in common, which is only said of a difference that is explained.
const DEVIATIONS_OF_MOST: f64 = 2.0;
/// Real counts vary more than by chance alone: the mix of visitors is another one each day.
const DISPERSION: f64 = 1.5;

/// What was picked.
pub(super) struct Picked {
    pub(super) cause: Cause,
    pub(super) pages_alike: bool,
}

/// A value with what it explains.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    value: &'a Value,
    /// How much more than usual it has.
    contribution: f64,
    /// How much of that is more than if it had changed like everything else, as a share of the difference.
    share: f64,
    /// The same, in standard deviations.
    deviations: f64,
}

pub(super) fn pick(counts: &Counts, direction: Direction) -> Picked {
    let today = counts.today as f64;
    let difference = today - counts.usual;
    let goes = if difference > 0.0 {
        Direction::Up
    } else {
        Direction::Down
    };
    let chance = (DISPERSION * (today.max(1.0) + counts.usual / counts.days.max(1) as f64)).sqrt();
    if goes != direction || difference.abs() < 2.0 * chance {
        return Picked {
            cause: Cause::NotVisitors,
            pages_alike: false,
        };
    }
    let candidates: Vec<Candidate<'_>> = counts
        .values
        .iter()
        .filter(|value| says_something(value))
        .filter_map(|value| candidate(value, counts, difference))
        .collect();
    let explains = |of: &Candidate<'_>| of.share >= LEAST_SHARE && of.deviations >= DEVIATIONS;
    let pages = |of: &&Candidate<'_>| of.value.dimension == Dimension::Page;
    let pages_alike = candidates.iter().filter(pages).count() > 2
        && !candidates.iter().filter(pages).any(explains);
    let cause = match first(candidates.iter().filter(|of| explains(of))) {
        Some(first) => with_second(first, &candidates, difference),
        None => Cause::Spread,
    };
    Picked { cause, pages_alike }
}

/// What is missing is no cause: that a visitor came without a campaign says nothing.
fn says_something(value: &Value) -> bool {
    !value.name.is_empty()
}

/// A value beside all other visitors. `None` if there are hardly any others: then nothing tells whether it was
/// the value that changed or everything.
fn candidate<'a>(value: &'a Value, counts: &Counts, difference: f64) -> Option<Candidate<'a>> {
    let days = counts.days.max(1) as f64;
    let usual_rest = (counts.usual - value.usual).max(0.0);
    let today_rest = (counts.today as f64 - value.today).max(0.0);
    let contribution = value.today - value.usual;
    if value.usual > 0.0 && usual_rest < 3.0_f64.max(0.02 * counts.usual) {
        return None;
    }
    // How everything else changed. A value that nobody had before owes nothing to it.
    let rest = today_rest / usual_rest.max(1.0);
    let explained = value.today - value.usual * rest;
    let of_usual = rest * rest * value.usual / days;
    let of_rest = (value.usual * rest).powi(2)
        * (1.0 / today_rest.max(1.0) + 1.0 / (days * usual_rest.max(1.0)));
    let variance = DISPERSION * (value.today.max(1.0) + of_usual + of_rest);
    let signed = explained * difference.signum();
    Some(Candidate {
        value,
        contribution,
        share: signed / difference.abs(),
        deviations: signed / variance.sqrt(),
    })
}

/// The one that explains most; if others explain nearly as much, the one whose dimension says most.
fn first<'a, 'b: 'a>(
    candidates: impl Iterator<Item = &'a Candidate<'b>> + Clone,
) -> Option<&'a Candidate<'b>> {
    let most = candidates.clone().map(|of| of.share).reduce(f64::max)?;
    candidates
        .filter(|of| of.share >= AS_GOOD * most)
        .min_by(|a, b| {
            let dimension = |of: &Candidate<'_>| of.value.dimension;
            dimension(a)
                .cmp(&dimension(b))
                .then_with(|| b.share.total_cmp(&a.share))
        })
}

fn with_second(first: &Candidate<'_>, candidates: &[Candidate<'_>], difference: f64) -> Cause {
    let whole = contribution(first);
    let others = |same: bool| {
        candidates
            .iter()
            .filter(move |of| (of.value.dimension == first.value.dimension) == same)
    };
    // Values of one dimension have no visitor in common.
    let adds = others(true)
        .filter(|of| of.value.name != first.value.name)
        .filter(|of| of.share >= LEAST_SECOND_SHARE && of.deviations >= DEVIATIONS)
        .max_by(|a, b| a.share.total_cmp(&b.share));
    if let Some(second) = adds
        && first.share < ENOUGH
    {
        let second = contribution(second);
        return if second.visitors.abs() > whole.visitors.abs() {
            Cause::Two(second, whole)
        } else {
            Cause::Two(whole, second)
        };
    }
    // Of two parts of a difference, what they have in common is at least what is too much for it.
    let in_common = |of: &Candidate<'_>| {
        let (a, b) = (first.contribution.abs(), of.contribution.abs());
        (a + b - difference.abs().max(a)) / a
    };
    let nearly_all = others(false)
        .filter(|of| of.share >= LEAST_SHARE && of.deviations >= DEVIATIONS)
        .filter(|of| in_common(of) >= NEARLY_ALL)
        .min_by_key(|of| of.value.dimension);
    let most = || {
        others(false)
            .filter(|of| {
                of.contribution * difference.signum() >= MOST * difference.abs()
                    && of.share >= LEAST_SHARE_OF_MOST
                    && of.deviations >= DEVIATIONS_OF_MOST
            })
            .min_by_key(|of| of.value.dimension)
    };
    let found = nearly_all
        .map(|of| (of, Share::NearlyAll))
        .or_else(|| most().map(|of| (of, Share::Most)));
    match found {
        Some((part, share)) => Cause::Within {
            whole,
            part: contribution(part),
            share,
        },
        None => Cause::One(whole),
    }
}

fn contribution(of: &Candidate<'_>) -> Contribution {
    let size = i64::try_from(rounded(of.contribution.abs())).unwrap_or(i64::MAX);
    Contribution {
        dimension: of.value.dimension,
        value: of.value.name.clone(),
        visitors: if of.contribution < 0.0 { -size } else { size },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values as they were on each of four days, and as they are today.
    fn counts(values: &[(Dimension, &str, f64, f64)]) -> Counts {
        let of = |dimension: Dimension, today: bool| -> f64 {
            let values = values.iter().filter(|(of, ..)| *of == dimension);
            values
                .map(|(_, _, was, is)| if today { is } else { was })
                .sum()
        };
        let dimension = values[0].0;
        Counts {
            today: rounded(of(dimension, true)),
            usual: of(dimension, false),
            days: 4,
            values: values
                .iter()
                .map(|(dimension, name, usual, today)| Value {
                    dimension: *dimension,
                    name: (*name).to_owned(),
                    today: *today,
                    usual: *usual,
                })
                .collect(),
        }
    }

    fn named(cause: &Cause) -> Vec<(&str, i64)> {
        let named = cause.contributions().into_iter();
        named.map(|of| (of.value.as_str(), of.visitors)).collect()
    }

    use Dimension::{Country, Device, Page, Referrer, UtmSource};

    #[test]
    fn a_crowd_from_one_site_on_one_page() {
        let picked = pick(
            &counts(&[
                (Referrer, "$direct", 90.0, 93.0),
                (Referrer, "www.google.com", 60.0, 57.0),
                (Referrer, "news.ycombinator.com", 20.0, 307.0),
                (Page, "/", 110.0, 118.0),
                (Page, "/pricing", 50.0, 55.0),
                (Page, "/blog/why-we-moved", 10.0, 284.0),
                (Country, "US", 60.0, 190.0),
                (Country, "DE", 60.0, 140.0),
                (Country, "FR", 50.0, 127.0),
                // Nearly everybody came without a campaign.
                (UtmSource, "", 160.0, 447.0),
                (UtmSource, "newsletter", 10.0, 10.0),
            ]),
            Direction::Up,
        );
        assert_eq!(
            named(&picked.cause),
            [("news.ycombinator.com", 287), ("/blog/why-we-moved", 274)]
        );
        assert!(matches!(
            picked.cause,
            Cause::Within {
                share: Share::NearlyAll,
                ..
            }
        ));
        assert!(!picked.pages_alike);
    }

    #[test]
    fn a_search_engine_that_dries_up_most_of_all_in_one_country() {
        let picked = pick(
            &counts(&[
                (Referrer, "www.google.com", 400.0, 150.0),
                (Referrer, "$direct", 180.0, 175.0),
                (Page, "/", 290.0, 163.0),
                (Page, "/pricing", 160.0, 90.0),
                (Page, "/about", 130.0, 72.0),
                (Country, "DE", 290.0, 120.0),
                (Country, "US", 170.0, 125.0),
                (Country, "GB", 120.0, 80.0),
            ]),
            Direction::Down,
        );
        assert_eq!(
            named(&picked.cause),
            [("www.google.com", -250), ("DE", -170)]
        );
        assert!(matches!(
            picked.cause,
            Cause::Within {
                share: Share::Most,
                ..
            }
        ));
        assert!(picked.pages_alike);
    }

    #[test]
    fn two_sites_that_add_up() {
        let picked = pick(
            &counts(&[
                (Referrer, "$direct", 200.0, 205.0),
                (Referrer, "github.com", 20.0, 140.0),
                (Referrer, "bsky.app", 20.0, 160.0),
                (Page, "/", 120.0, 250.0),
                (Page, "/pricing", 120.0, 255.0),
            ]),
            Direction::Up,
        );
        assert_eq!(
            named(&picked.cause),
            [("bsky.app", 140), ("github.com", 120)]
        );
    }

    #[test]
    fn what_grows_alike_is_spread_however_large_a_value_is() {
        let picked = pick(
            &counts(&[
                (Referrer, "$direct", 300.0, 460.0),
                (Referrer, "www.google.com", 100.0, 148.0),
                (Country, "US", 350.0, 540.0),
                (Country, "DE", 50.0, 68.0),
                (Device, "Desktop", 396.0, 600.0),
                (Device, "Mobile", 4.0, 8.0),
            ]),
            Direction::Up,
        );
        assert_eq!(picked.cause, Cause::Spread);
    }

    #[test]
    fn a_value_that_all_visitors_have_explains_nothing() {
        let picked = pick(
            &counts(&[
                (Referrer, "$direct", 200.0, 420.0),
                (Page, "/", 200.0, 420.0),
            ]),
            Direction::Up,
        );
        assert_eq!(picked.cause, Cause::Spread);
    }

    #[test]
    fn as_many_visitors_as_usual_are_not_what_moved() {
        let values = [(Referrer, "$direct", 200.0, 206.0)];
        for direction in [Direction::Up, Direction::Down] {
            assert_eq!(pick(&counts(&values), direction).cause, Cause::NotVisitors);
        }
        assert_eq!(
            pick(&Counts::default(), Direction::Down).cause,
            Cause::NotVisitors
        );
    }
}
