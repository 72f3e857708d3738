//! Events to choose conversions from: the project's own events, the busiest first.
//!
//! Event definitions carry no volumes, so one query ranks events by the last 30 days and the
//! definitions bring those that were silent, page by page.

use std::collections::HashMap;

use posthog_api::{Bearer, Client, Error, EventDefinitionSearch, HogQl, Rows};
use serde::Serialize;

/// Suggestions per page.
pub const PAGE: usize = 20;

/// Events that the volume query ranks.
const RANKED: usize = 500;

/// An event to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// Its name.
    pub event: String,
    /// How often it happened within 30 days; absent where the ranking could not be read.
    pub volume: Option<u64>,
}

/// One page of suggestions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Suggestions {
    /// The events of this page.
    pub events: Vec<Suggestion>,
    /// True where another page follows.
    pub has_more: bool,
}

/// Ranks the events of 30 days. The text never changes, so PostHog's six-hour cache serves it.
pub fn volume_query() -> HogQl {
    HogQl::new(
        "pockethog event volumes",
        format!(
            "SELECT event, count() AS volume FROM events \
             WHERE timestamp >= now() - INTERVAL 30 DAY \
             GROUP BY event ORDER BY volume DESC, event LIMIT {RANKED}"
        ),
    )
}

/// Page `page` (from 0) of the suggestions whose names contain every word of `search`.
pub async fn suggest<B: Bearer>(
    client: &Client<B>,
    project: u64,
    organization: Option<&str>,
    search: &str,
    page: usize,
) -> Result<Suggestions, Error> {
    let words = EventDefinitionSearch {
        search: search.to_owned(),
        custom_only: true,
        offset: 0,
        // The ranking needs all of them; a project with more has its tail by name.
        limit: RANKED,
    };
    let query = volume_query();
    let (definitions, volumes) = tokio::join!(
        client.event_definitions(project, &words),
        client.query(project, organization, &query),
    );
    let definitions = definitions?;
    let volumes = volumes.ok().map(|rows| volumes_of(&rows));
    let mut events: Vec<Suggestion> = definitions
        .events
        .into_iter()
        .filter(|definition| definition.hidden != Some(true))
        .filter(|definition| !definition.name.starts_with('$'))
        .map(|definition| Suggestion {
            volume: volumes
                .as_ref()
                .map(|volumes| volumes.get(&definition.name).copied().unwrap_or(0)),
            event: definition.name,
        })
        .collect();
    events.sort_by(|a, b| b.volume.cmp(&a.volume).then_with(|| a.event.cmp(&b.event)));
    let start = page.saturating_mul(PAGE).min(events.len());
    let end = (start + PAGE).min(events.len());
    Ok(Suggestions {
        has_more: end < events.len(),
        events: events.drain(start..end).collect(),
    })
}

fn volumes_of(rows: &Rows) -> HashMap<String, u64> {
    rows.rows
        .iter()
        .filter_map(|row| Some((row.first()?.as_str()?.to_owned(), row.get(1)?.as_u64()?)))
        .collect()
}
