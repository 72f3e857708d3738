//! `/api/projects/:id/event_definitions/`: the events that a project has seen.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::credential::Credential;
use super::page::{PAGE, page};
use super::{allow, errors};
use crate::region::Region;
use crate::request::Request;
use crate::response::Response;
use crate::world::uuid;

/// Seconds after which an event counts as stale.
const STALE: i64 = 30 * 24 * 3600;

struct Definition {
    name: String,
    /// Unix seconds.
    first_seen: i64,
    /// Unix seconds.
    last_seen: i64,
}

/// The list.
pub(crate) async fn list(
    region: &Region,
    request: &Request,
    id: &str,
) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET"])?;
    let project = credential.project(region, id, "event_definition:read")?;
    let now = region.clock.seconds();
    let mut definitions = seen(region, project.id, now).await?;

    let words: Vec<String> = request
        .parameter("search")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_lowercase)
        .collect();
    let kind = request.parameter("event_type").unwrap_or("event");
    let names: Vec<&str> = request
        .parameter("names")
        .map(|names| names.split(',').collect())
        .unwrap_or_default();
    let exclude_stale = matches!(request.parameter("exclude_stale"), Some("true" | "1"));
    definitions.retain(|definition| {
        let lower = definition.name.to_lowercase();
        words.iter().all(|word| lower.contains(word.as_str()))
            && match kind {
                "event_custom" => !definition.name.starts_with('$'),
                "event_posthog" => definition.name.starts_with('$'),
                _ => true,
            }
            && (names.is_empty() || names.contains(&definition.name.as_str()))
            && (!exclude_stale || definition.last_seen >= now - STALE)
    });
    sort(
        &mut definitions,
        request.parameter("ordering"),
        !words.is_empty(),
    );
    Ok(page(region, request, &definitions, PAGE, |definition| {
        show(project.id, definition)
    }))
}

/// What happened so far, by name.
async fn seen(region: &Region, project: u64, now: i64) -> Result<Vec<Definition>, Response> {
    let Some(store) = region.stores.get(&project).cloned() else {
        return Ok(Vec::new());
    };
    // The first look at a project makes its events, which takes a while.
    let times = tokio::task::spawn_blocking(move || store.event_times(now))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    let times = times.map_err(|error| errors::query_failed(&error))?;
    Ok(times
        .into_iter()
        .map(|(name, first_seen, last_seen)| Definition {
            name,
            first_seen,
            last_seen,
        })
        .collect())
}

fn sort(definitions: &mut [Definition], ordering: Option<&str>, searched: bool) {
    let day = |seconds: i64| seconds.div_euclid(24 * 3600);
    // The names are in order already, and every sort here keeps the order of equals.
    match ordering.unwrap_or_default() {
        "name" => definitions.sort_by(|a, b| a.name.cmp(&b.name)),
        "-name" => definitions.sort_by(|a, b| b.name.cmp(&a.name)),
        "last_seen_at" => definitions.sort_by_key(|known| known.last_seen),
        "-last_seen_at" => definitions.sort_by_key(|known| Reverse(known.last_seen)),
        "last_seen_at::date" => definitions.sort_by_key(|known| day(known.last_seen)),
        "created_at" => definitions.sort_by_key(|known| known.first_seen),
        "-created_at" => definitions.sort_by_key(|known| Reverse(known.first_seen)),
        "created_at::date" => definitions.sort_by_key(|known| day(known.first_seen)),
        "-created_at::date" => definitions.sort_by_key(|known| Reverse(day(known.first_seen))),
        _ if searched => definitions.sort_by_key(|known| known.name.chars().count()),
        _ => definitions.sort_by_key(|known| Reverse(day(known.last_seen))),
    }
}

fn show(project: u64, definition: &Definition) -> Value {
    let instant = |seconds: i64| Timestamp::from_second(seconds).ok();
    json!({
        "id": uuid("event definition", &format!("{project} {}", definition.name)),
        "name": definition.name,
        "owner": null,
        "description": null,
        "created_at": instant(definition.first_seen),
        "last_seen_at": instant(definition.last_seen),
        "last_updated_at": instant(definition.last_seen),
        "updated_at": instant(definition.last_seen),
        "updated_by": null,
        "tags": [],
        "enforcement_mode": "allow",
        "primary_property": null,
        "is_action": false,
        "action_id": null,
        "is_calculating": false,
        "last_calculated_at": null,
        "created_by": null,
        "post_to_slack": false,
        "verified": false,
        "verified_at": null,
        "verified_by": null,
        "hidden": false,
        "default_columns": [],
    })
}
