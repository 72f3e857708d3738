//! JSON, for scripts. docs/widgets.md documents the fields; they do not change their meaning.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::words::sentence;
use crate::moved;
use pockethog_core::overview::{Point, Range, change_percent, time_zone};
use pockethog_core::widget::{Content, Numbers, Row};

/// The widget as one JSON document.
pub fn json(content: &Content) -> Value {
    let total = content.total();
    let sum = content.sum().map(|sum| {
        let mut sum = numbers(content, &sum);
        sum["projects"] = total.counted().into();
        sum["projects_in_all"] = total.projects().into();
        sum
    });
    json!({
        "state": content.state.name(),
        "message": sentence(content),
        "title": content.title,
        "range": content.range.map_or("today", Range::name),
        "total": sum,
        "projects": content.rows.iter().map(|row| project(content, row)).collect::<Vec<_>>(),
        "missing": content.rows.iter().filter(|row| row.numbers.is_none()).count(),
        "failures": content.failures,
    })
}

fn project(content: &Content, row: &Row) -> Value {
    let key = &row.project.key;
    json!({
        "key": key.to_string(),
        "host": key.host,
        "id": key.id,
        "name": row.name,
        "url": row.address,
        "state": row.state.name(),
        "reason": row.ended.map(|reason| reason.sentence().to_owned())
            .or_else(|| row.trouble.as_ref().map(|trouble| trouble.reason.clone())),
        "move": row.moved.as_ref().map(moved::document),
        "numbers": row.numbers.as_ref().map(|known| numbers(content, known)),
    })
}

fn numbers(content: &Content, numbers: &Numbers) -> Value {
    let zone = numbers.time_zone.as_deref().and_then(time_zone);
    let rounded = |now, before| {
        change_percent(now, before).map(|percent: f64| (percent * 10.0).round() / 10.0)
    };
    let mut value = json!({
        "measured_at": numbers.measured_at,
        "age_seconds": content.age(numbers.measured_at).map(|age| age.as_secs()),
        "stale": content.is_stale(numbers.measured_at),
        "time_zone": numbers.time_zone,
        "time_zone_known": numbers.time_zone_known,
        "visitors": numbers.now.visitors,
        "visitors_before": numbers.before.visitors,
        "visitors_change_percent": rounded(numbers.now.visitors, numbers.before.visitors),
        "pageviews": numbers.now.pageviews,
        "pageviews_before": numbers.before.pageviews,
        "pageviews_change_percent": rounded(numbers.now.pageviews, numbers.before.pageviews),
        "points": points(&numbers.points, zone.as_ref()),
        "points_before": points(&numbers.points_before, zone.as_ref()),
    });
    if content.range.is_none() {
        value["usual"] = numbers.usual.map_or(Value::Null, moved::usual_document);
    }
    if !numbers.left_out.is_nothing() {
        value["left_out"] = json!({
            "test_accounts": numbers.left_out.test_accounts,
            "bots": numbers.left_out.bots && !numbers.lacks_bots,
        });
    }
    value
}

/// Hours of projects whose days begin at different times are in UTC.
fn points(points: &[Point], zone: Option<&TimeZone>) -> Vec<Value> {
    let zone = zone.cloned().unwrap_or(TimeZone::UTC);
    points
        .iter()
        .map(|point| {
            let local = point.start.to_zoned_datetime(zone.clone());
            let start = local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
            json!({ "start": start, "visitors": point.visitors, "pageviews": point.pageviews })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::printed;
    use super::*;

    #[test]
    fn every_state_as_json() {
        // The points would drown the rest.
        let short = |content: &Content| {
            let mut value = json(content);
            for place in ["/total", "/projects/0/numbers", "/projects/1/numbers"] {
                if let Some(Value::Object(fields)) = value.pointer_mut(place) {
                    fields.retain(|name, _| !name.starts_with("points"));
                }
            }
            format!("{value:#}\n")
        };
        insta::assert_snapshot!(printed(short));
    }
}
