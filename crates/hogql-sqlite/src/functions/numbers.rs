//! Arithmetic, rounding, and numbers read from other values.

use rusqlite::types::Value;

use super::{Arguments, Plain, Returns, flag, of, whole};

pub(super) const FUNCTIONS: &[Plain] = &[
    of("abs", (1, 1), Returns::Same, |a| match a.value(0) {
        Value::Integer(number) => Some(Value::Integer(number.saturating_abs())),
        _ => real(a.float(0)?.abs()),
    }),
    of("sqrt", (1, 1), Returns::Float, |a| real(a.float(0)?.sqrt())),
    of("exp", (1, 1), Returns::Float, |a| real(a.float(0)?.exp())),
    of("log", (1, 1), Returns::Float, |a| real(a.float(0)?.ln())),
    of("ln", (1, 1), Returns::Float, |a| real(a.float(0)?.ln())),
    of("log2", (1, 1), Returns::Float, |a| real(a.float(0)?.log2())),
    of("log10", (1, 1), Returns::Float, |a| {
        real(a.float(0)?.log10())
    }),
    of("pow", (2, 2), Returns::Float, |a| {
        real(a.float(0)?.powf(a.float(1)?))
    }),
    of("power", (2, 2), Returns::Float, |a| {
        real(a.float(0)?.powf(a.float(1)?))
    }),
    of("sign", (1, 1), Returns::Integer("Int8"), |a| {
        let number = a.float(0)?;
        Some(Value::Integer(
            i64::from(number > 0.0) - i64::from(number < 0.0),
        ))
    }),
    of("round", (1, 2), Returns::Same, |a| {
        rounded(a, f64::round_ties_even)
    }),
    of("floor", (1, 2), Returns::Same, |a| rounded(a, f64::floor)),
    of("ceil", (1, 2), Returns::Same, |a| rounded(a, f64::ceil)),
    of("ceiling", (1, 2), Returns::Same, |a| rounded(a, f64::ceil)),
    of("trunc", (1, 2), Returns::Same, |a| rounded(a, f64::trunc)),
    of("divide", (2, 2), Returns::Float, |a| {
        real(a.float(0)? / a.float(1)?)
    }),
    of("intDiv", (2, 2), Returns::Integer("Int64"), |a| {
        Some(Value::Integer(a.integer(0)?.checked_div(a.integer(1)?)?))
    }),
    of("intDivOrZero", (2, 2), Returns::Integer("Int64"), |a| {
        Some(Value::Integer(
            a.integer(0)?.checked_div(a.integer(1)?).unwrap_or(0),
        ))
    }),
    of("modulo", (2, 2), Returns::Same, |a| {
        match (a.value(0), a.value(1)) {
            (Value::Integer(number), Value::Integer(by)) => {
                Some(Value::Integer(number.checked_rem(by)?))
            }
            _ => real(a.float(0)? % a.float(1)?),
        }
    }),
    of("bitAnd", (2, 2), Returns::Integer("Int64"), |a| {
        Some(Value::Integer(a.integer(0)? & a.integer(1)?))
    }),
    of("bitOr", (2, 2), Returns::Integer("Int64"), |a| {
        Some(Value::Integer(a.integer(0)? | a.integer(1)?))
    }),
    of("bitXor", (2, 2), Returns::Integer("Int64"), |a| {
        Some(Value::Integer(a.integer(0)? ^ a.integer(1)?))
    }),
    of("isNaN", (1, 1), Returns::Flag, |a| {
        flag(a.float(0)?.is_nan())
    }),
    of("isFinite", (1, 1), Returns::Flag, |a| {
        flag(a.float(0)?.is_finite())
    }),
    of("isInfinite", (1, 1), Returns::Flag, |a| {
        flag(a.float(0)?.is_infinite())
    }),
    of("toFloat", (1, 1), Returns::FloatOrNull, |a| {
        real(a.float(0)?)
    }),
    of("toFloatOrZero", (1, 1), Returns::Float, |a| {
        real(a.float(0).unwrap_or(0.0))
    }),
    of("toFloatOrDefault", (2, 2), Returns::Float, |a| {
        real(a.float(0).or_else(|| a.float(1))?)
    }),
    of("toInt", (1, 1), Returns::IntegerOrNull, |a| {
        Some(Value::Integer(strict_integer(a)?))
    }),
    of("toIntOrZero", (1, 1), Returns::Integer("Int64"), |a| {
        Some(Value::Integer(strict_integer(a).unwrap_or(0)))
    }),
    of("toBool", (1, 1), Returns::Boolean, |a| match a.value(0) {
        Value::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => flag(true),
            "false" | "0" | "no" | "off" => flag(false),
            _ => None,
        },
        _ => flag(a.float(0)? != 0.0),
    }),
    of("formatReadableSize", (1, 1), Returns::Text, |a| {
        let mut size = a.float(0)?;
        let units = ["B", "KiB", "MiB", "GiB", "TiB"];
        let mut unit = 0;
        while size.abs() >= 1024.0 && unit + 1 < units.len() {
            size /= 1024.0;
            unit += 1;
        }
        Some(Value::Text(format!("{size:.2} {}", units[unit])))
    }),
];

fn real(number: f64) -> Option<Value> {
    Some(Value::Real(number))
}

/// A text with a fraction is not an integer; a number is truncated.
fn strict_integer(a: &Arguments<'_, '_>) -> Option<i64> {
    match a.value(0) {
        Value::Text(text) => text.trim().parse().ok(),
        Value::Real(number) => whole(number),
        _ => a.integer(0),
    }
}

fn rounded(a: &Arguments<'_, '_>, round: fn(f64) -> f64) -> Option<Value> {
    let places = if a.len() > 1 {
        a.integer(1)?.clamp(-15, 15)
    } else {
        0
    };
    let factor = 10_f64.powi(i32::try_from(places).ok()?);
    if let Value::Integer(number) = a.value(0) {
        if places >= 0 {
            return Some(Value::Integer(number));
        }
        return Some(Value::Integer(whole(
            round(number as f64 * factor) / factor,
        )?));
    }
    real(round(a.float(0)? * factor) / factor)
}
