//! Event definitions: `GET /api/projects/:id/event_definitions/` (`event_definition:read`).
//!
//! They carry no volumes any longer; those come from a query.

use jiff::Timestamp;
use serde::Deserialize;

use crate::bearer::Bearer;
use crate::client::Client;
use crate::error::Error;
use crate::lists::Page;
use crate::optional::or_absent;
use crate::request::Call;

/// An event that a project has seen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EventDefinition {
    /// Its name; any characters.
    pub name: String,
    /// When it was last seen.
    #[serde(default, deserialize_with = "or_absent")]
    pub last_seen_at: Option<Timestamp>,
    /// Hidden by the project's people. Only some editions tell.
    #[serde(default, deserialize_with = "or_absent")]
    pub hidden: Option<bool>,
}

/// What to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventDefinitionSearch {
    /// Words that must all occur in the name.
    pub search: String,
    /// Only events that are not PostHog's own.
    pub custom_only: bool,
    /// Items to skip.
    pub offset: usize,
    /// Items to return; PostHog's default is 100.
    pub limit: usize,
}

/// One page of event definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDefinitionPage {
    /// The events.
    pub events: Vec<EventDefinition>,
    /// True if another page follows. The count that PostHog sends is capped, so it is not used.
    pub has_more: bool,
}

impl<B: Bearer> Client<B> {
    /// One page of the events of a project.
    pub async fn event_definitions(
        &self,
        project: u64,
        search: &EventDefinitionSearch,
    ) -> Result<EventDefinitionPage, Error> {
        let path = ["projects", &project.to_string(), "event_definitions"];
        let mut call = Call::read("event definitions", &path)
            .with("limit", &search.limit.max(1).to_string())
            .with("offset", &search.offset.to_string());
        if !search.search.trim().is_empty() {
            call = call.with("search", search.search.trim());
        }
        if search.custom_only {
            call = call.with("event_type", "event_custom");
        }
        let page: Page<EventDefinition> = self.get(call).await?;
        Ok(EventDefinitionPage {
            has_more: page.next.is_some(),
            events: page.results,
        })
    }
}
