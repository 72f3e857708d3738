//! Round numbers for the axis.

/// Grid lines from 0 to at least `max` in steps of 1, 2, 2.5 or 5 times a power of ten; about four of
/// them. The last one is the top of the chart.
pub fn ticks(max: f64) -> Vec<f64> {
    let max = max.max(1.0);
    let raw = max / 3.0;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        // Visitors come whole.
        .filter(|step| step.fract() == 0.0)
        .find(|&step| step >= raw * 0.999)
        .unwrap_or(1.0);
    let mut ticks = vec![0.0];
    while ticks.last().is_some_and(|&top| top < max) {
        ticks.push(step * ticks.len() as f64);
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        assert_eq!(ticks(0.0), [0.0, 1.0]);
        assert_eq!(ticks(2.0), [0.0, 1.0, 2.0]);
        assert_eq!(ticks(7.0), [0.0, 5.0, 10.0]);
        assert_eq!(ticks(1330.0), [0.0, 500.0, 1000.0, 1500.0]);
        assert_eq!(ticks(5400.0), [0.0, 2000.0, 4000.0, 6000.0]);
    }

    #[test]
    fn any_count_has_two_to_five_lines() {
        for max in (0..2000).chain((2000..5_000_000).step_by(997)) {
            let ticks = ticks(f64::from(max));
            assert!((2..=5).contains(&ticks.len()), "{max}: {ticks:?}");
            assert!(
                ticks.iter().all(|tick| tick.fract() == 0.0),
                "{max}: {ticks:?}"
            );
            assert!(
                ticks.last().is_some_and(|&top| top >= f64::from(max)),
                "{max}"
            );
        }
    }
}
