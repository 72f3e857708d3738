//! The query that breaks visitors down.

use jiff::{SignedDuration, Timestamp};
use posthog_api::HogQl;

use super::{Dimension, Question};
use crate::overview::DayClock;
use crate::overview::hogql::{VIEWS, between, instant};

/// Values of each dimension on each day. Rarer ones are left out: they explain little.
const VALUES: usize = 100;

/// Days that today is compared with, at most.
const MOST_DAYS: usize = 8;

/// The kind of the rows that count all visitors.
pub(super) const ALL: &str = "all";

/// Above the possible number of rows.
pub(super) const MOST_ROWS: usize = (VALUES * Dimension::ALL.len() + 1) * (MOST_DAYS + 1) + 1;

/// A stretch of a day, and the day's start: a visitor's first view of the day may be before the stretch.
struct Stretch {
    ago: u16,
    day_start: Timestamp,
    from: Timestamp,
    until: Timestamp,
}

pub(super) fn query(now: &DayClock, question: &Question) -> HogQl {
    let clock = question.until.map(|until| now.ending(until));
    let clock = clock.as_ref().unwrap_or(now);
    let stretches: Vec<Stretch> = compared(question)
        .chain([0])
        .map(|ago| stretch(clock, question, ago))
        .collect();
    let windows: Vec<String> = stretches
        .iter()
        .map(|stretch| format!("({})", between(stretch.day_start, stretch.until)))
        .collect();
    // Oldest first, so the first end that is after a view is that of its day.
    let ago = choose(&stretches, |stretch| {
        (
            format!("timestamp < {}", instant(stretch.until)),
            stretch.ago.to_string(),
        )
    });
    let from = choose(&stretches, |stretch| {
        (format!("ago = {}", stretch.ago), instant(stretch.from))
    });
    let names: Vec<&str> = Dimension::ALL.map(Dimension::name).to_vec();
    let firsts: Vec<String> = Dimension::ALL
        .into_iter()
        .map(|dimension| {
            format!(
                "argMin({}, timestamp) AS {}",
                expression(dimension),
                dimension.name()
            )
        })
        .collect();
    let kinds: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let labels: Vec<String> = names
        .iter()
        .map(|name| format!("kind = '{name}', {name}"))
        .collect();
    let text = format!(
        "SELECT kind, ago, label, count() AS visitors FROM (\
         SELECT kind, ago, multiIf({labels}, '') AS label FROM (\
         SELECT arrayJoin(['{ALL}', {kinds}]) AS kind, ago, {columns} FROM (\
         SELECT {ago} AS ago, person_id, min(timestamp) AS first_seen, {firsts} \
         FROM events WHERE {VIEWS} AND ({windows}) GROUP BY ago, person_id) \
         WHERE first_seen >= {from})) \
         GROUP BY kind, ago, label ORDER BY kind, ago, visitors DESC, label \
         LIMIT {VALUES} BY kind, ago LIMIT {MOST_ROWS}",
        labels = labels.join(", "),
        kinds = kinds.join(", "),
        columns = names.join(", "),
        firsts = firsts.join(", "),
        windows = windows.join(" OR "),
    );
    HogQl::new("pockethog causes", text)
}

/// The days that today is compared with, oldest first.
fn compared(question: &Question) -> impl Iterator<Item = u16> {
    let mut days = question.compared_with.clone();
    days.retain(|ago| *ago > 0);
    days.sort_unstable();
    days.dedup();
    days.truncate(MOST_DAYS);
    days.into_iter().rev()
}

/// The same look at the day so many days ago: up to the same time by the clock of the project.
fn stretch(clock: &DayClock, question: &Question, ago: u16) -> Stretch {
    let ago_days = i64::from(ago);
    let day_start = clock.day_start(ago_days).timestamp();
    let until = if ago == 0 {
        clock.until().timestamp()
    } else {
        clock.same_time(ago_days).timestamp()
    };
    let from = question.hours.map_or(day_start, |hours| {
        let back = SignedDuration::from_hours(i64::from(hours));
        until.checked_sub(back).unwrap_or(day_start).max(day_start)
    });
    Stretch {
        ago,
        day_start,
        from,
        until,
    }
}

/// `multiIf` over the stretches; the last one is what is left.
fn choose(stretches: &[Stretch], of: impl Fn(&Stretch) -> (String, String)) -> String {
    let Some((last, before)) = stretches.split_last() else {
        return "0".to_owned();
    };
    let (_, otherwise) = of(last);
    if before.is_empty() {
        return otherwise;
    }
    let pairs: Vec<String> = before
        .iter()
        .map(|stretch| {
            let (condition, value) = of(stretch);
            format!("{condition}, {value}")
        })
        .collect();
    format!("multiIf({}, {otherwise})", pairs.join(", "))
}

/// What a view has, never NULL: `argMin` would pass over a first view without it.
fn expression(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::UtmSource => "ifNull(toString(properties.utm_source), '')",
        Dimension::Referrer => "ifNull(toString(properties.$referring_domain), '')",
        Dimension::Page => {
            "ifNull(toString(properties.$pathname), ifNull(toString(properties.$screen_name), ''))"
        }
        Dimension::Country => "ifNull(toString(properties.$geoip_country_code), '')",
        Dimension::Device => "ifNull(toString(properties.$device_type), '')",
    }
}
