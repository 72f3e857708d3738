//! Numbers as JSON and as text, for the command line and for widgets. docs/cli.md documents the fields.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::overview::{Counts, Period, Point, Today, change_percent};
use crate::preferences::Preferences;
use crate::project::Project;
use crate::snapshot::Trouble;

/// A project with today's numbers, or the reason why it has none.
pub fn today(
    project: &Project,
    preferences: &Preferences,
    numbers: Option<&Today>,
    trouble: Option<&Trouble>,
) -> Value {
    let mut value = head(project, preferences, trouble);
    let Some(numbers) = numbers else {
        return value;
    };
    put(
        &mut value,
        json!({
            "measured_at": numbers.measured_at,
            "time_zone": numbers.time_zone,
            "time_zone_known": numbers.time_zone_known,
            "visitors": numbers.today.visitors,
            "visitors_before": numbers.yesterday_by_now.visitors,
            "visitors_change_percent": rounded(numbers.visitors_change()),
            "pageviews": numbers.today.pageviews,
            "pageviews_before": numbers.yesterday_by_now.pageviews,
            "pageviews_change_percent": rounded(change_percent(
                numbers.today.pageviews,
                numbers.yesterday_by_now.pageviews,
            )),
            "online": numbers.online,
            "days": points(&numbers.days, &numbers.time_zone),
            "hours": points(&numbers.hours, &numbers.time_zone),
            "hours_before": points(&numbers.hours_yesterday, &numbers.time_zone),
        }),
    );
    value
}

/// A project with the numbers of a range, or the reason why it has none.
pub fn period(
    project: &Project,
    preferences: &Preferences,
    numbers: Option<&Period>,
    trouble: Option<&Trouble>,
) -> Value {
    let mut value = head(project, preferences, trouble);
    let Some(numbers) = numbers else {
        return value;
    };
    let conversions: Vec<Value> = numbers
        .conversions
        .iter()
        .map(|figure| {
            json!({
                "event": figure.event,
                "persons": figure.persons,
                "persons_before": figure.persons_before,
                "rate_percent": rounded(rate_percent(figure.persons, numbers.now.visitors)),
                "rate_before_percent": rounded(rate_percent(
                    figure.persons_before,
                    numbers.before.visitors,
                )),
            })
        })
        .collect();
    put(
        &mut value,
        json!({
            "measured_at": numbers.measured_at,
            "time_zone": numbers.time_zone,
            "time_zone_known": numbers.time_zone_known,
            "visitors": numbers.now.visitors,
            "visitors_before": numbers.before.visitors,
            "visitors_change_percent": rounded(change_percent(numbers.now.visitors, numbers.before.visitors)),
            "pageviews": numbers.now.pageviews,
            "pageviews_before": numbers.before.pageviews,
            "pageviews_change_percent": rounded(change_percent(numbers.now.pageviews, numbers.before.pageviews)),
            "sessions": numbers.sessions,
            "sessions_before": numbers.sessions_before,
            "sessions_change_percent": rounded(change_percent(numbers.sessions, numbers.sessions_before)),
            "points": points(&numbers.points, &numbers.time_zone),
            "points_before": points(&numbers.points_before, &numbers.time_zone),
            "conversions": conversions,
        }),
    );
    value
}

/// Sums over projects. A person who visits two projects counts in both.
pub fn total(numbers: impl Iterator<Item = (Counts, Counts)>) -> Value {
    let (mut now, mut before, mut projects) = (Counts::default(), Counts::default(), 0_u64);
    for (one, one_before) in numbers {
        now.visitors += one.visitors;
        now.pageviews += one.pageviews;
        before.visitors += one_before.visitors;
        before.pageviews += one_before.pageviews;
        projects += 1;
    }
    json!({
        "projects": projects,
        "visitors": now.visitors,
        "visitors_before": before.visitors,
        "visitors_change_percent": rounded(change_percent(now.visitors, before.visitors)),
        "pageviews": now.pageviews,
        "pageviews_before": before.pageviews,
        "pageviews_change_percent": rounded(change_percent(now.pageviews, before.pageviews)),
    })
}

/// Unique persons with an event over unique visitors, in percent. `None` without visitors.
pub fn rate_percent(persons: u64, visitors: u64) -> Option<f64> {
    (visitors > 0).then(|| persons as f64 / visitors as f64 * 100.0)
}

/// Eight heights of a block per value, scaled to the largest.
pub fn sparkline(values: impl Iterator<Item = u64> + Clone) -> String {
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

fn head(project: &Project, preferences: &Preferences, trouble: Option<&Trouble>) -> Value {
    json!({
        "host": project.key.host,
        "id": project.key.id,
        "key": project.key.to_string(),
        "name": preferences.name_of(project),
        "organization": project.organization_name,
        "trouble": trouble,
    })
}

fn put(value: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (value, more) {
        fields.extend(more);
    }
}

fn points(points: &[Point], zone: &str) -> Vec<Value> {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    points
        .iter()
        .map(|point| {
            json!({
                "start": local(point.start, &zone),
                "visitors": point.visitors,
                "pageviews": point.pageviews,
            })
        })
        .collect()
}

/// An instant with the offset of the project's time zone.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

/// One digit after the point: more would pretend.
fn rounded(percent: Option<f64>) -> Option<f64> {
    percent.map(|percent| (percent * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_reaches_from_bottom_to_top() {
        assert_eq!(sparkline([0, 7, 14].into_iter()), "▁▄█");
        assert_eq!(sparkline([0, 0].into_iter()), "▁▁");
    }
}
