//! Round numbers for the axis.

/// How far the last grid line may be above the highest value, as a share of it.
const MOST_AIR: f64 = 0.2;

/// The most steps of an axis: each has its label.
const MOST_STEPS: u32 = 7;

/// Steps, up to a power of ten, and how unusual each is. The unusual ones are for values just above a rounder one.
const STEPS: [(f64, f64); 8] = [
    (1.0, 0.0),
    (2.0, 0.0),
    (5.0, 0.0),
    (2.5, 0.03),
    (3.0, 0.07),
    (4.0, 0.06),
    (1.5, 0.08),
    (6.0, 0.1),
];

/// Grid lines from 0 to at least `max` in equal, round and whole steps; about four of them, and more if the chart
/// would else be empty at its top by more than a fifth of `max`. The last one is the top of the chart.
pub fn ticks(max: f64) -> Vec<f64> {
    let max = max.max(1.0).ceil();
    let power = 10_f64.powf(max.log10().floor());
    let (step, count) = [power / 10.0, power]
        .into_iter()
        .flat_map(|power| STEPS.map(|(step, unusual)| (step * power, unusual)))
        // Visitors come whole.
        .filter(|(step, _)| *step >= 1.0 && step.fract() == 0.0)
        .filter_map(|(step, unusual)| {
            let count = (max / step).ceil();
            let air = step * count / max - 1.0;
            let fits = count <= f64::from(MOST_STEPS)
                && air <= MOST_AIR
                && is_labelled_exactly(step, count);
            fits.then(|| (step, count, air + 0.05 * (count - 4.0).abs() + unusual))
        })
        .min_by(|(.., one), (.., other)| one.total_cmp(other))
        .map_or((max, 1.0), |(step, count, _)| (step, count));
    lines(step, count).collect()
}

/// The grid lines of `count` steps, 0 among them.
fn lines(step: f64, count: f64) -> impl Iterator<Item = f64> {
    (0..=MOST_STEPS)
        .map(f64::from)
        .take_while(move |&place| place <= count)
        .map(move |place| place * step)
}

/// Whether no label is rounded: [`crate::format::compact`] has one decimal.
fn is_labelled_exactly(step: f64, count: f64) -> bool {
    lines(step, count).all(|tick| {
        let unit = [1e9, 1e6, 1e3].into_iter().find(|&unit| tick >= unit);
        unit.is_none_or(|unit| tick % (unit / 10.0) == 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        assert_eq!(ticks(0.0), [0.0, 1.0]);
        assert_eq!(ticks(2.0), [0.0, 1.0, 2.0]);
        assert_eq!(ticks(8.0), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(ticks(1330.0), [0.0, 500.0, 1000.0, 1500.0]);
        assert_eq!(ticks(4100.0), [0.0, 1500.0, 3000.0, 4500.0]);
        assert_eq!(ticks(5400.0), [0.0, 2000.0, 4000.0, 6000.0]);
    }

    #[test]
    fn a_chart_is_never_empty_at_its_top_by_more_than_a_fifth() {
        let most = u64::from(u32::MAX);
        let counts = (1..30_000)
            .chain((30_000..50_000_000).step_by(99_713))
            .chain([most, most * 1000, 999_999, 1_000_001]);
        for max in counts {
            let max = max as f64;
            let ticks = ticks(max);
            let top = ticks.last().copied().unwrap_or_default();
            assert!(top >= max && top <= max * 1.2 + 1e-6, "{max}: {ticks:?}");
            assert!((2..=8).contains(&ticks.len()), "{max}: {ticks:?}");
            assert!(ticks.iter().all(|tick| tick.fract() == 0.0), "{max}");
        }
    }

    #[test]
    fn each_label_is_the_number_of_its_line() {
        let read = |label: &str| {
            let (number, unit) = match label.strip_suffix(['k', 'M', 'B']) {
                Some(number) if label.ends_with('k') => (number, 1e3),
                Some(number) if label.ends_with('M') => (number, 1e6),
                Some(number) => (number, 1e9),
                None => (label, 1.0),
            };
            number.parse::<f64>().map(|number| number * unit)
        };
        for max in (1..3_000_000_u32).step_by(397) {
            for tick in ticks(f64::from(max)) {
                let label = crate::format::compact(tick);
                assert!(
                    read(&label).is_ok_and(|read| (read - tick).abs() < 1e-6),
                    "{max}: {tick} is {label}"
                );
            }
        }
    }
}
