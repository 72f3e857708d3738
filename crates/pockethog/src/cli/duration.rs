//! How long, as a person types it.

use std::time::Duration;

/// `90s`, `15m`, `2h`, `1d`, or seconds without a unit.
pub(super) fn duration(typed: &str) -> Result<Duration, String> {
    let typed = typed.trim();
    let digits = typed.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &typed[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("the unit must be s, m, h or d".to_owned()),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "write a number and a unit, for example 15m".to_owned())?;
    // Ten years are as good as forever, and cannot overflow anything.
    Ok(Duration::from_secs(
        number.saturating_mul(unit).min(3650 * 86_400),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("90").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("15m").unwrap(), Duration::from_secs(900));
        assert_eq!(duration("2h").unwrap(), Duration::from_secs(7200));
        assert!(duration("15 parsecs").is_err());
        assert!(duration("-1s").is_err());
        assert!(duration("99999999999999999999h").is_err());
        assert!(duration("9999999999999999999h").is_ok());
    }
}
