//! Building blocks that all query texts share.
//!
//! The texts keep to what any version accepts: a `UNION ALL` inside one outer SELECT with its own
//! LIMIT (a branch at the top without LIMIT would be cut at 100 rows), instants as UTC literals, no
//! `today()` (it knows no project time zone), no OFFSET (refused for personal API keys). Text that a
//! person typed goes into placeholders only.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The events that count as looking at something: web pages and mobile screens, as PostHog counts.
pub(crate) const VIEWS: &str = "event IN ('$pageview', '$screen')";

/// The columns of the conversion events, in their order.
pub(crate) const CONVERSION_COLUMNS: [&str; 16] = [
    "conversion_0",
    "conversion_1",
    "conversion_2",
    "conversion_3",
    "conversion_4",
    "conversion_5",
    "conversion_6",
    "conversion_7",
    "conversion_8",
    "conversion_9",
    "conversion_10",
    "conversion_11",
    "conversion_12",
    "conversion_13",
    "conversion_14",
    "conversion_15",
];

/// An instant as a `HogQL` literal, to the second.
///
/// Not `toDateTime`: PostHog turns that into `parseDateTime64BestEffortOrNull`, whose result may be NULL, and a
/// comparison with what may be NULL can keep ClickHouse from using its index.
pub(crate) fn instant(at: Timestamp) -> String {
    let utc = at.to_zoned_datetime(TimeZone::UTC);
    format!(
        "toDateTime64('{}', 6, 'UTC')",
        utc.strftime("%Y-%m-%d %H:%M:%S")
    )
}

/// `timestamp` from `from` (included) to `until` (excluded).
pub(crate) fn between(from: Timestamp, until: Timestamp) -> String {
    format!(
        "timestamp >= {} AND timestamp < {}",
        instant(from),
        instant(until)
    )
}
