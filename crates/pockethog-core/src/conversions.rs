//! Events to choose conversions from: the project's own events, the most frequent first.
//!
//! Event definitions carry no volumes, so one query ranks events by the last 30 days and the
//! definitions bring those that were silent, page by page. Events whose names sound like a sign-up or a
//! purchase are placed before the merely frequent ones.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use posthog_api::{Bearer, Client, Error, EventDefinition, EventDefinitionSearch, HogQl, Rows};
use serde::Serialize;

/// Suggestions per page.
pub const PAGE: usize = 20;

/// Events that the volume query ranks.
const RANKED: usize = 500;

/// How long the ranking is waited for: counting a month of a busy project takes longer than a person waits,
/// and the names alone are of use.
const RANKING_TIME: Duration = Duration::from_secs(8);

/// An event to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// Its name.
    pub event: String,
    /// How often it happened within 30 days; absent if the ranking could not be read.
    pub volume: Option<u64>,
}

/// One page of suggestions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Suggestions {
    /// The events of this page.
    pub events: Vec<Suggestion>,
    /// True if another page follows.
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

/// Page `page` (from 0) of the suggestions whose names contain every word of `search`: the project's
/// own events first, PostHog's after them.
///
/// # Errors
///
/// What PostHog or the network said about the definitions. Without volumes the order is by name.
pub async fn suggest<B: Bearer>(
    client: &Client<B>,
    project: u64,
    organization: Option<&str>,
    search: &str,
    page: usize,
) -> Result<Suggestions, Error> {
    let skip = page.saturating_mul(PAGE);
    let block = skip / RANKED;
    let definitions = |search: String, custom_only: bool, offset: usize| async move {
        let wanted = EventDefinitionSearch {
            search,
            custom_only,
            offset,
            limit: RANKED,
        };
        client.event_definitions(project, &wanted).await
    };
    let query = volume_query();
    let ranking = async {
        let rows = client.query(project, organization, &query);
        let rows = tokio::time::timeout(RANKING_TIME, rows).await.ok()?.ok()?;
        Some(volumes_of(&rows))
    };
    let listing = async {
        let own = definitions(search.to_owned(), true, block * RANKED).await?;
        let mut names: Vec<String> = shown(own.events)
            .filter(|event| !is_posthogs_own(event))
            .collect();
        if !own.has_more {
            // Every word must occur in the name, so this finds those that hold a `$`.
            let posthogs = definitions(format!("$ {search}"), false, 0).await?;
            names.extend(shown(posthogs.events).filter(|event| is_posthogs_own(event)));
        }
        Ok::<_, Error>((names, own.has_more))
    };
    let ((names, more_follow), volumes) = tokio::try_join!(listing, async { Ok(ranking.await) })?;
    let volume = |event: &str| {
        let volumes = volumes.as_ref()?;
        Some(volumes.get(event).copied().unwrap_or(0))
    };
    let mut events: Vec<Suggestion> = names
        .into_iter()
        .map(|event| Suggestion {
            volume: volume(&event),
            event,
        })
        .collect();
    events.sort_by_cached_key(|suggestion| {
        let silent = suggestion.volume == Some(0);
        (
            is_posthogs_own(&suggestion.event),
            silent,
            !sounds_like_success(&suggestion.event),
            Reverse(suggestion.volume),
            suggestion.event.clone(),
        )
    });
    let start = (skip - block * RANKED).min(events.len());
    let end = (start + PAGE).min(events.len());
    Ok(Suggestions {
        has_more: end < events.len() || more_follow,
        events: events.drain(start..end).collect(),
    })
}

fn shown(definitions: Vec<EventDefinition>) -> impl Iterator<Item = String> {
    definitions
        .into_iter()
        .filter(|definition| definition.hidden != Some(true))
        .map(|definition| definition.name)
}

fn is_posthogs_own(event: &str) -> bool {
    event.starts_with('$')
}

/// Names that conversions usually have.
fn sounds_like_success(event: &str) -> bool {
    const WORDS: [&str; 15] = [
        "signup",
        "signedup",
        "signed_up",
        "sign_up",
        "register",
        "purchas",
        "paid",
        "payment",
        "checkout",
        "order",
        "subscri",
        "trial",
        "upgrade",
        "convert",
        "install",
    ];
    let name = event.to_lowercase().replace([' ', '-', '.'], "_");
    WORDS.iter().any(|word| name.contains(word))
}

/// Volume of each ranked event.
pub fn volumes_of(rows: &Rows) -> HashMap<String, u64> {
    rows.rows
        .iter()
        .filter_map(|row| Some((row.first()?.as_str()?.to_owned(), row.get(1)?.as_u64()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_conversions_are_known_in_any_spelling() {
        for event in [
            "Signed Up",
            "sign-up completed",
            "user.signed_up",
            "order placed",
        ] {
            assert!(sounds_like_success(event), "{event}");
        }
        assert!(!sounds_like_success("button clicked"));
    }
}
