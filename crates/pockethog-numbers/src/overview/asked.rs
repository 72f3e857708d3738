//! What numbers depend on besides the events.

use posthog_api::{HogQl, NewerField};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::hogql::CONVERSION_COLUMNS;

/// Conversion events that are counted by quarter of an hour. The page lets a person choose ten of them; a file can
/// name more.
pub const MOST_CONVERSIONS: usize = CONVERSION_COLUMNS.len();

/// What the numbers of a project depend on besides its events. Numbers are comparable only if they were asked for in the
/// same way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The project's time zone, as PostHog names it.
    pub time_zone: String,
    /// The chosen conversion events, at most [`MOST_CONVERSIONS`].
    pub conversions: Vec<String>,
    /// What is left out.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
}

/// Whose events are left out of all numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Those of the project's own filter of internal and test users.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test_accounts: bool,
    /// Those of bots, if the server can tell them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bots: bool,
}

/// The field that says whether an event is of a bot. Older servers do not know it.
const IS_BOT: &str = "$virt_is_bot";

/// How each SELECT that reads events goes on.
const FROM_EVENTS: &str = " FROM events WHERE ";

impl LeftOut {
    /// Whether everything is counted.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The query without these events: in each SELECT that reads events.
    #[must_use]
    pub fn of(self, mut query: HogQl) -> HogQl {
        if self.test_accounts {
            let filtered = format!("{FROM_EVENTS}{{filters}} AND ");
            query.text = query.text.replace(FROM_EVENTS, &filtered);
            query.filters = Some(json!({ "filterTestAccounts": true }));
        }
        if self.bots {
            let without_bots = format!("{FROM_EVENTS}NOT {IS_BOT} AND ");
            let text = query.text.replace(FROM_EVENTS, &without_bots);
            query.newer = Some(NewerField {
                name: IS_BOT,
                text_without: std::mem::replace(&mut query.text, text),
            });
        }
        query
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Asked {
    /// What is asked of a project in this zone with these conversion events.
    pub fn new(time_zone: &str, conversions: &[String]) -> Self {
        Self {
            time_zone: time_zone.to_owned(),
            conversions: conversions.iter().take(MOST_CONVERSIONS).cloned().collect(),
            left_out: LeftOut::default(),
        }
    }

    /// The same, without some events.
    #[must_use]
    pub fn without(self, left_out: LeftOut) -> Self {
        Self { left_out, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;
    use crate::history;
    use crate::overview::all_query_texts;

    #[test]
    fn each_select_that_reads_events_leaves_them_out() {
        let everything = LeftOut {
            test_accounts: true,
            bots: true,
        };
        for query in all_query_texts()
            .into_iter()
            .chain(history::query_texts())
            .chain(digest::query_texts())
        {
            let reads = query.text.matches("FROM events").count();
            assert_eq!(
                query.text.matches(FROM_EVENTS).count(),
                reads,
                "{}",
                query.text
            );
            assert_eq!(LeftOut::default().of(query.clone()), query);
            let less = everything.of(query);
            let both = "FROM events WHERE NOT $virt_is_bot AND {filters} AND ";
            assert_eq!(less.text.matches(both).count(), reads, "{}", less.text);
            let older = less
                .newer
                .map(|newer| newer.text_without)
                .unwrap_or_default();
            assert!(!older.contains("$virt_is_bot"), "{older}");
            assert_eq!(
                older.matches("FROM events WHERE {filters} AND ").count(),
                reads
            );
        }
    }

    #[test]
    fn what_is_asked_with_nothing_left_out_is_stored_as_before() {
        let asked = Asked::new("UTC", &[]);
        let text = serde_json::to_string(&asked).unwrap_or_default();
        assert_eq!(text, r#"{"time_zone":"UTC","conversions":[]}"#);
        let less = asked.without(LeftOut {
            test_accounts: true,
            bots: false,
        });
        let text = serde_json::to_string(&less).unwrap_or_default();
        assert!(
            text.ends_with(r#""left_out":{"test_accounts":true}}"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Asked>(&text).ok(), Some(less));
    }
}
