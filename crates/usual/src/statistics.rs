//! Order statistics, and counts on a scale on which their chance variation is the same everywhere.

/// The middle of sorted values; 0 if there are none.
pub(crate) fn median_of_sorted(sorted: &[f64]) -> f64 {
    quantile_of_sorted(sorted, 0.5)
}

/// The middle; 0 if there are no values. Their order changes.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    let odd = values.len() % 2 == 1;
    if values.is_empty() {
        return 0.0;
    }
    let (below, middle, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(below) if !odd => f64::midpoint(below, *middle),
        _ => *middle,
    }
}

/// Sorts a handful of values.
pub(crate) fn sort_few<T: Copy>(values: &mut [(f64, T)]) {
    for end in 1..values.len() {
        let mut at = end;
        while let Some([before, after]) =
            at.checked_sub(1).and_then(|from| values.get_mut(from..=at))
        {
            if before.0 <= after.0 {
                break;
            }
            std::mem::swap(before, after);
            at -= 1;
        }
    }
}

/// The value below which a share of the sorted values is, interpolated; 0 if there are none.
pub(crate) fn quantile_of_sorted(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let position = share.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of the slice"
    )]
    let below = position.floor() as usize;
    let fraction = position.fract();
    let at = |index: usize| sorted.get(index.min(last)).copied().unwrap_or(0.0);
    at(below) * (1.0 - fraction) + at(below + 1) * fraction
}

/// The median of sorted values without the one at `left_out`.
pub(crate) fn median_without(sorted: &[f64], left_out: usize) -> f64 {
    let Some(rest) = sorted.len().checked_sub(1).filter(|rest| *rest > 0) else {
        return 0.0;
    };
    let at = |index: usize| {
        let index = if index < left_out { index } else { index + 1 };
        sorted.get(index).copied().unwrap_or(0.0)
    };
    f64::midpoint(at((rest - 1) / 2), at(rest / 2))
}

/// Anscombe's constant: with it the root of a Poisson count has nearly the same variance for small counts too.
const ANSCOMBE: f64 = 0.375;

/// How many standard deviations a count is from its centre if it varies by chance alone (Poisson).
pub(crate) fn chance_deviations(count: f64, centre: f64) -> f64 {
    2.0 * ((count.max(0.0) + ANSCOMBE).sqrt() - (centre.max(0.0) + ANSCOMBE).sqrt())
}

/// The count that is `deviations` of chance from the centre.
pub(crate) fn by_chance(centre: f64, deviations: f64) -> f64 {
    let root = (centre.max(0.0) + ANSCOMBE).sqrt() + deviations / 2.0;
    if root <= 0.0 {
        0.0
    } else {
        (root * root - ANSCOMBE).max(0.0)
    }
}

/// How many standard deviations a count is from its centre if, beyond chance, it varies by the share `spread` of
/// itself: a count with the variance `m + spread² m²` (negative binomial), stabilised by the inverse hyperbolic sine.
pub(crate) fn deviations(count: f64, centre: f64, spread: f64) -> f64 {
    2.0 / spread * stable_ratio(count, centre, spread).ln()
}

/// At least as far from 0 as [`deviations`], on the same side, and without the logarithm.
pub(crate) fn deviations_at_most(count: f64, centre: f64, spread: f64) -> f64 {
    let ratio = stable_ratio(count, centre, spread);
    let bound = if ratio > 1.0 {
        ratio - 1.0
    } else {
        1.0 - 1.0 / ratio
    };
    2.0 / spread * bound
}

/// `asinh a − asinh b` is the logarithm of this ratio.
fn stable_ratio(count: f64, centre: f64, spread: f64) -> f64 {
    let grown = |value: f64| {
        let scaled = spread * (value.max(0.0) + ANSCOMBE).sqrt();
        scaled + (scaled * scaled + 1.0).sqrt()
    };
    grown(count) / grown(centre)
}

/// Where the largest count is on the scale of [`at_deviations`].
const LARGEST_PLACE: f64 = 200.0;

/// The count that is `deviations` from the centre: the inverse of [`deviations`].
pub(crate) fn at_deviations(centre: f64, spread: f64, deviations: f64) -> f64 {
    let place = (spread * (centre.max(0.0) + ANSCOMBE).sqrt()).asinh() + deviations * spread / 2.0;
    if place <= 0.0 {
        return 0.0;
    }
    // Beyond this no count is that large, and the square of the root would soon not be finite.
    let root = place.min(LARGEST_PLACE).sinh() / spread;
    (root * root - ANSCOMBE).max(0.0)
}

/// The value that is exceeded with the given probability, from an exponential tail fitted above the median:
/// its scale comes from the distance between the median and the 85 % quantile.
pub(crate) fn tail(values: &mut [f64], probability: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = median_of_sorted(values);
    let scale = (quantile_of_sorted(values, 0.85) - middle) / (0.5_f64 / 0.15).ln();
    middle + scale * (0.5 / probability.clamp(1e-6, 0.5)).ln()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_median_without_one_value_is_the_median_of_the_others() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        assert_eq!(median_without(&sorted, 0), 6.0);
        assert_eq!(median_without(&sorted, 2), 5.0);
        assert_eq!(median_without(&sorted, 4), 3.0);
        assert_eq!(median_without(&sorted[..4], 3), 2.0);
        assert_eq!(median_without(&[7.0], 0), 0.0);
        assert_eq!(median(&mut []), 0.0);
        assert_eq!(median(&mut [3.0, 3.0, 3.0, 9.0]), 3.0);
    }

    #[test]
    fn the_scale_of_deviations_has_an_inverse() {
        for centre in [0.0, 0.4, 3.0, 90.0, 1e6] {
            for spread in [0.04, 0.3, 2.0] {
                for distance in [-2.0, -0.5, 0.0, 1.0, 6.0] {
                    let count = at_deviations(centre, spread, distance);
                    if count > 0.0 {
                        let back = deviations(count, centre, spread);
                        assert!(
                            (back - distance).abs() < 1e-6,
                            "{centre} {spread} {distance} {back}"
                        );
                    }
                    let count = by_chance(centre, distance);
                    if count > 0.0 {
                        assert!((chance_deviations(count, centre) - distance).abs() < 1e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn the_count_at_any_distance_is_finite() {
        for (spread, distance) in [(1e-6, 1e9), (4.0, 1e6), (50.0, 1e3)] {
            assert!(at_deviations(7e8, spread, distance).is_finite());
        }
    }

    #[test]
    fn the_bound_is_never_nearer_than_the_deviations() {
        for count in [0.0, 3.0, 70.0, 100.0, 130.0, 5e5] {
            let exact = deviations(count, 100.0, 0.2);
            let bound = deviations_at_most(count, 100.0, 0.2);
            assert!(
                bound.abs() >= exact.abs() - 1e-12 && bound * exact >= 0.0,
                "{count}"
            );
        }
    }

    #[test]
    fn a_tail_of_an_exponential_is_where_it_belongs() {
        let mut values: Vec<f64> = (0..1000)
            .map(|k| -(1.0 - (f64::from(k) + 0.5) / 1000.0).ln())
            .collect();
        let at = tail(&mut values, 0.04);
        assert!((at - 25_f64.ln()).abs() < 0.02, "{at}");
    }
}
