//! How widely a number varies by chance: counts that come one by one, and counts that come several at a time.

/// The share of days with the widest variation that says nothing: there was a burst.
const BURSTS: f64 = 0.1;
/// Sums of several slots are used up to this many times the dispersion: beyond, hours stray by more than chance.
const CHANCE_PREVAILS: f64 = 20.0;

/// Nothing is compared beyond this dispersion.
const WIDEST: f64 = 1e9;

/// The index of dispersion: how many times wider than that of single independent counts (Poisson) the variance is.
///
/// Two sums that follow each other share what the day and the hour have in common; how they split what came in
/// both is chance. Visitors come one by one and have 1; pageviews come several to a visitor and have more.
/// `weekdays` holds the days of each weekday. Views of one visit spread over several slots, so longer sums are used
/// too, up to an hour, as long as they are small.
pub(crate) fn dispersion(weekdays: &[Vec<&[f64]>], slots: usize) -> f64 {
    let hour = slots / 24;
    let mut found = 1.0_f64;
    let mut window = 1;
    while window <= hour {
        let (ratio, mean) = at_scale(weekdays, window);
        if window > 1 && mean > CHANCE_PREVAILS * found {
            break;
        }
        found = found.max(ratio);
        window *= 2;
    }
    found
}

/// The dispersion of sums of `window` slots, and their mean.
fn at_scale(weekdays: &[Vec<&[f64]>], window: usize) -> (f64, f64) {
    // Of each day the squares of the errors, and what they would be with independent counts.
    let mut days: Vec<(f64, f64)> = Vec::new();
    let (mut sum, mut windows) = (0.0, 0.0);
    let of_days =
        |day: &&[f64]| -> Vec<f64> { day.chunks(window).map(|chunk| chunk.iter().sum()).collect() };
    for weekday in weekdays {
        let sums: Vec<Vec<f64>> = weekday.iter().map(of_days).collect();
        let length = sums.first().map_or(0, Vec::len);
        let all: Vec<f64> = (0..length)
            .map(|at| sums.iter().filter_map(|day| day.get(at)).sum())
            .collect();
        for day in &sums {
            let (mut squares, mut expected) = (0.0, 0.0);
            let pairs = day.iter().zip(day.iter().skip(1));
            for ((own, own_next), (all, all_next)) in pairs.zip(all.iter().zip(all.iter().skip(1)))
            {
                sum += own;
                windows += 1.0;
                let both = own + own_next;
                let others = (all - own).max(0.0);
                let of_others = others + (all_next - own_next).max(0.0);
                if of_others <= 0.0 || both <= 0.0 {
                    continue;
                }
                // What the other days never had is not impossible.
                let share = (others + 0.5) / (of_others + 1.0);
                let error = own - both * share;
                squares += error * error;
                // The share is known only as well as the other days tell it.
                expected += both * share * (1.0 - share) * (1.0 + both / of_others);
            }
            if expected > 0.0 {
                days.push((squares, expected));
            }
        }
    }
    days.sort_unstable_by(|(a, of_a), (b, of_b)| (a / of_a).total_cmp(&(b / of_b)));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length"
    )]
    let kept = days.len() - (BURSTS * days.len() as f64) as usize;
    let (squares, expected) = days
        .iter()
        .take(kept)
        .fold((0.0, 0.0), |sum, day| (sum.0 + day.0, sum.1 + day.1));
    let ratio = if expected > 0.0 {
        (squares / expected).min(WIDEST)
    } else {
        1.0
    };
    (ratio, sum / f64::max(windows, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days of one weekday with `visitors` a slot, each of whom counts `pages` times.
    fn days(rng: &mut fastrand::Rng, visitors: f64, pages: f64, slots: usize) -> Vec<Vec<f64>> {
        (0..28)
            .map(|_| {
                let day = 0.9 + 0.2 * rng.f64();
                (0..slots)
                    .map(|_| {
                        let limit = (-visitors * day).exp();
                        let (mut count, mut product) = (0.0, rng.f64());
                        while product > limit {
                            product *= rng.f64();
                            count += pages;
                        }
                        count
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn counts_that_come_in_groups_are_told_from_single_ones() {
        let mut rng = fastrand::Rng::with_seed(7);
        for visitors in [0.05, 1.0, 30.0] {
            for pages in [1.0, 4.0] {
                let days = days(&mut rng, visitors, pages, 96);
                let weekdays: Vec<Vec<&[f64]>> = days
                    .chunks(4)
                    .map(|days| days.iter().map(Vec::as_slice).collect())
                    .collect();
                let found = dispersion(&weekdays, 96);
                // With next to nothing it is rather too wide than too narrow.
                let widest = if visitors < 1.0 { 3.0 } else { 1.3 };
                assert!(
                    (0.75 * pages..widest * pages).contains(&found),
                    "{visitors} visitors with {pages} pages: {found}"
                );
            }
        }
    }

    #[test]
    fn nothing_to_compare_is_single_counts() {
        let empty: [f64; 24] = [0.0; 24];
        for weekdays in [vec![], vec![vec![]], vec![vec![&empty[..]; 3]]] {
            assert!((dispersion(&weekdays, 24) - 1.0).abs() < 1e-12);
        }
    }
}
