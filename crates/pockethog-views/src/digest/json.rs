//! The digest as JSON; docs/cli.md documents the fields.

use pockethog_core::discovery::Failure;
use pockethog_core::moves::{Basis, Direction};
use pockethog_core::overview::Row;
use pockethog_screens::{Digest, DigestMove, DigestProject, Figure};
use serde_json::{Value, json};

use super::{moved_on, mover};
use crate::moved;

/// The digest as JSON. What others wrote is as they wrote it.
#[must_use]
pub fn json(digest: &Digest, failures: &[Failure]) -> Value {
    let projects: Vec<Value> = digest
        .projects
        .iter()
        .map(|one| project(digest, one))
        .collect();
    let moves = digest.moves.iter();
    let moves: Vec<Value> = moves.filter_map(|one| entry(digest, one)).collect();
    json!({
        "made_at": digest.now,
        "span": digest.span.name(),
        "visitors": figure(&digest.total),
        "projects_counted": digest.counted,
        "moved": moves,
        "as_usual": digest.ordinary,
        "unknown": digest.unknown,
        "projects": projects,
        "failures": failures,
    })
}

fn project(digest: &Digest, of: &DigestProject) -> Value {
    let conversions: Vec<Value> = of
        .conversions
        .iter()
        .map(|(event, count)| {
            let mut value = figure(count);
            value["event"] = json!(event);
            value
        })
        .collect();
    json!({
        "host": of.key.host,
        "id": of.key.id,
        "key": of.key.to_string(),
        "name": of.name,
        "time_zone": of.zone.iana_name().unwrap_or("UTC"),
        "from": of.from,
        "until": of.until,
        "measured_at": of.measured_at,
        "old": of.is_old,
        "age_seconds": of.age(digest.now),
        "visitors": of.visitors.as_ref().map(figure),
        "pageviews": of.pageviews.as_ref().map(figure),
        "conversions": conversions,
        "pages": of.pages.as_deref().map(rows),
        "new_referrers": of.new_referrers.as_deref().map(rows),
    })
}

fn figure(of: &Figure) -> Value {
    let basis = of.basis.map(|basis| match basis {
        Basis::Weeks(_) => "usual",
        Basis::LastWeek => "last_week",
        Basis::Yesterday => "yesterday",
    });
    json!({
        "count": of.count,
        "before": of.before,
        "usual": of.usual.map(|usual| json!({
            "centre": (usual.centre * 10.0).round() / 10.0,
            "low": usual.low,
            "high": usual.high,
        })),
        "compared_with": basis,
        "outside": of.outside.map(direction),
    })
}

fn rows(rows: &[Row]) -> Value {
    let row = |row: &Row| json!({ "label": row.label, "visitors": row.visitors });
    rows.iter().map(row).collect()
}

fn direction(of: Direction) -> &'static str {
    match of {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

fn entry(digest: &Digest, one: &DigestMove) -> Option<Value> {
    let project = mover(digest, one)?;
    let mut entry = moved::document(&one.closed.moved);
    entry["key"] = json!(project.key.to_string());
    entry["name"] = json!(project.name);
    entry["date"] = json!(one.date);
    entry["was"] = json!(one.closed.was.map(direction));
    entry["sentence"] = json!(moved_on(digest, project, one).text());
    entry["causes"] = one.explanation.as_ref().map_or(Value::Null, moved::causes);
    entry["note"] = json!(one.note);
    Some(entry)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples;
    use super::*;

    #[test]
    fn a_day_as_json() {
        let document = json(&samples::day(), &samples::failures());
        insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
    }
}
