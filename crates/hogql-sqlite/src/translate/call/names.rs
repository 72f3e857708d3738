//! Which functions there are, by which names.

use crate::error::QueryError;
use crate::functions::plain;
use crate::translate::aggregate::{AGGREGATIONS, OVER_WINDOWS};

/// Functions that are more than a call in SQL: name, fewest and most arguments.
pub(super) const SPECIAL: &[(&str, (usize, usize))] = &[
    // Comparing and choosing.
    ("equals", (2, 2)),
    ("notEquals", (2, 2)),
    ("less", (2, 2)),
    ("lessOrEquals", (2, 2)),
    ("greater", (2, 2)),
    ("greaterOrEquals", (2, 2)),
    ("like", (2, 2)),
    ("notLike", (2, 2)),
    ("ilike", (2, 2)),
    ("notILike", (2, 2)),
    ("match", (2, 2)),
    ("and", (2, 50)),
    ("or", (2, 50)),
    ("xor", (2, 2)),
    ("not", (1, 1)),
    ("if", (3, 3)),
    ("multiIf", (3, 99)),
    ("ifNull", (2, 2)),
    ("coalesce", (1, 50)),
    ("nullIf", (2, 2)),
    ("isNull", (1, 1)),
    ("isNotNull", (1, 1)),
    ("assumeNotNull", (1, 1)),
    ("toNullable", (1, 1)),
    ("least", (2, 50)),
    ("greatest", (2, 50)),
    // Arithmetic.
    ("plus", (2, 2)),
    ("minus", (2, 2)),
    ("multiply", (2, 2)),
    ("negate", (1, 1)),
    // Text.
    ("toString", (1, 2)),
    ("concat", (1, 50)),
    ("extract", (2, 2)),
    ("replaceRegexpAll", (3, 3)),
    ("replaceRegexpOne", (3, 3)),
    ("length", (1, 1)),
    ("toTypeName", (1, 1)),
    ("JSONExtract", (2, 9)),
    // Time.
    ("now", (0, 0)),
    ("now64", (0, 1)),
    ("today", (0, 0)),
    ("yesterday", (0, 0)),
    ("toDate", (1, 2)),
    ("toDateOrNull", (1, 1)),
    ("toDateTime", (1, 2)),
    ("toDateTime64", (1, 3)),
    ("toDateTimeOrNull", (1, 2)),
    ("parseDateTime", (1, 3)),
    ("parseDateTimeBestEffort", (1, 2)),
    ("parseDateTimeBestEffortOrNull", (1, 2)),
    ("parseDateTime64BestEffort", (1, 3)),
    ("parseDateTime64BestEffortOrNull", (1, 3)),
    ("fromUnixTimestamp", (1, 1)),
    ("toUnixTimestamp", (1, 2)),
    ("toUnixTimestamp64Milli", (1, 1)),
    ("toTimeZone", (2, 2)),
    ("formatDateTime", (2, 3)),
    ("dateDiff", (3, 4)),
    ("dateAdd", (2, 3)),
    ("dateSub", (2, 3)),
    ("dateTrunc", (2, 3)),
    ("toStartOfInterval", (2, 3)),
    ("toMonday", (1, 2)),
    ("toStartOfWeek", (1, 3)),
    // Arrays and tuples.
    ("array", (0, 1000)),
    ("tuple", (1, 50)),
    ("tupleElement", (2, 2)),
    ("arrayElement", (2, 2)),
    ("arrayJoin", (1, 1)),
    ("arrayMap", (2, 2)),
    ("arrayFilter", (2, 2)),
    ("arrayExists", (2, 2)),
    ("arrayAll", (2, 2)),
    ("arrayCount", (1, 2)),
    ("arraySum", (1, 2)),
    ("arrayAvg", (1, 2)),
    ("arrayMin", (1, 2)),
    ("arrayMax", (1, 2)),
    ("arraySort", (1, 2)),
    ("arrayReverseSort", (1, 2)),
];

/// `toStartOf…`: unit and count.
pub(super) const STARTS: [(&str, &str, &str); 11] = [
    ("toStartOfSecond", "second", "1"),
    ("toStartOfMinute", "minute", "1"),
    ("toStartOfFiveMinutes", "minute", "5"),
    ("toStartOfFiveMinute", "minute", "5"),
    ("toStartOfTenMinutes", "minute", "10"),
    ("toStartOfFifteenMinutes", "minute", "15"),
    ("toStartOfHour", "hour", "1"),
    ("toStartOfDay", "day", "1"),
    ("toStartOfMonth", "month", "1"),
    ("toStartOfQuarter", "quarter", "1"),
    ("toStartOfYear", "year", "1"),
];

/// Numbers that a calendar or a clock shows.
pub(super) const PARTS: [&str; 13] = [
    "toHour",
    "toMinute",
    "toSecond",
    "toDayOfWeek",
    "toDayOfMonth",
    "toDayOfYear",
    "toMonth",
    "toQuarter",
    "toYear",
    "toISOWeek",
    "toISOYear",
    "toYYYYMM",
    "toYYYYMMDD",
];

/// Other names of the same functions.
pub(super) const SYNONYMS: [(&str, &str); 18] = [
    ("date_diff", "dateDiff"),
    ("datediff", "dateDiff"),
    ("date_add", "dateAdd"),
    ("date_sub", "dateSub"),
    ("date_trunc", "dateTrunc"),
    ("ifnull", "ifNull"),
    ("nullif", "nullIf"),
    ("substr", "substring"),
    ("mid", "substring"),
    ("ucase", "upper"),
    ("lcase", "lower"),
    ("length", "length"),
    ("mod", "modulo"),
    ("toStartOfISOYear", "toStartOfYear"),
    ("DATE", "toDate"),
    ("dateTrim", "dateTrunc"),
    ("current_timestamp", "now"),
    ("toFloat64", "toFloat"),
];

/// Functions of SQL, which may be written in any case.
pub(super) const ANY_CASE: [&str; 26] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "any",
    "coalesce",
    "lower",
    "upper",
    "concat",
    "if",
    "now",
    "length",
    "round",
    "floor",
    "ceil",
    "abs",
    "sqrt",
    "exp",
    "ln",
    "trim",
    "substring",
    "position",
    "left",
    "right",
    "replace",
];

/// Every name that can be called.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let with_if = AGGREGATIONS.iter().map(|(name, _)| *name);
    with_if
        .chain(OVER_WINDOWS.iter().map(|(name, _)| *name))
        .chain(SPECIAL.iter().map(|(name, _)| *name))
        .chain(STARTS.iter().map(|(name, ..)| *name))
        .chain(PARTS)
        .chain(plain().map(|function| function.name))
}

/// The name as the tables here have it.
pub(super) fn known_name(name: &str) -> String {
    if let Some((_, canonical)) = SYNONYMS.iter().find(|(synonym, _)| *synonym == name) {
        return (*canonical).to_owned();
    }
    let lower = name.to_ascii_lowercase();
    if ANY_CASE.contains(&lower.as_str()) {
        return lower;
    }
    SYNONYMS
        .iter()
        .find(|(synonym, _)| *synonym == lower)
        .map_or_else(|| name.to_owned(), |(_, name)| (*name).to_owned())
}

pub(super) fn unknown(name: &str) -> QueryError {
    let near = names()
        .map(|known| {
            (
                distance(&name.to_ascii_lowercase(), &known.to_ascii_lowercase()),
                known,
            )
        })
        .min()
        .filter(|(distance, known)| distance * 5 <= known.len().max(name.len()) * 2);
    let hint = near
        .map(|(_, known)| format!(" Perhaps you meant '{known}(...)'?"))
        .unwrap_or_default();
    QueryError::new(
        "invalid_input",
        format!("Unsupported function call '{name}(...)'.{hint}"),
    )
}

/// How many letters have to be changed, added or taken away.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.bytes().enumerate() {
            let left = row[j];
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(left + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
