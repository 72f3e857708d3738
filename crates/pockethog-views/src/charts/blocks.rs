//! A curve as one line of text.

/// Eight heights of a block per value, scaled to the largest.
pub fn blocks(values: impl Iterator<Item = u64> + Clone) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.clone().max().unwrap_or(0);
    values
        .map(|value| {
            let height = value.saturating_mul(7).checked_div(most).unwrap_or(0);
            usize::try_from(height)
                .ok()
                .and_then(|height| BLOCKS.get(height))
                .copied()
                .unwrap_or('█')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_reaches_from_bottom_to_top() {
        assert_eq!(blocks([0, 7, 14].into_iter()), "▁▄█");
        assert_eq!(blocks([0, 0].into_iter()), "▁▁");
    }
}
